//! Whole sites over loopback TLS: real databases, real certificates, generated clients.

mod admin;
mod catalog;
mod clients;
mod joining;

use std::path::Path;
use std::sync::{Arc, Mutex};

use ambient::{Ambient, ManualClock, SystemEntropy};
use compliance::BoardWriter;
use model::{ClientId, HierarchyId, Owner, PeerIdentity, PeerKind, SiteCode, SiteKind, Timestamp};
use rpc::pb::admin::admin_service_client::AdminServiceClient;
use rpc::pb::admin::admin_service_server::AdminServiceServer;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::enrolment_service_server::EnrolmentServiceServer;
use rpc::pb::enrolment::{EnrolRequest, EnrolResponse};
use site_db::{Executor, Identity, SiteDb};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::transport::Channel;
use transport::{Connection, Credentials, Limits, Security, Server, TcpConnect, TcpListen};
use trust::{Anchor, CertificateDer, Intermediate, JoinToken, KeyPair, Root, SigningKey};

use crate::*;

const NOW_MS: i64 = 1_795_168_800_000;

fn code(text: &str) -> SiteCode {
    text.parse().expect("a good code")
}

/// What a site is when it starts: the top by itself, others by joining.
struct Start {
    owner: Owner,
    kind: SiteKind,
    parent: Option<SiteCode>,
    anchor: Anchor,
    root: Option<Root>,
    issuers: Vec<Intermediate>,
    upstream: Option<Channel>,
    /// Present at a site that cannot serve before it has its own certificate.
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

struct Site {
    ambient: Ambient,
    clock: Arc<ManualClock>,
    anchor: Anchor,
    db: SiteDb,
    authority: Arc<Authority>,
    home: Home,
    url: String,
    links: Arc<Mutex<Vec<LinkStatus>>>,
    kept: Arc<Mutex<Vec<SiteCode>>>,
    board: BoardWriter,
    /// Who was told to scan.
    scanned: Arc<Mutex<Vec<ClientId>>>,
    _running: DropGuard,
}

impl Site {
    async fn top(name: &str, kind: SiteKind) -> Site {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let ambient = Ambient::new(clock.clone(), Arc::new(SystemEntropy));
        let root = Root::create(&ambient, HierarchyId(uuid::Uuid::from_u128(1))).expect("a root");
        let (own, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let issued = root.issue_intermediate(&ambient, code(name), &own.public_key());
        let issuer = Intermediate::load(issued.expect("issued"), own).expect("its key");
        let start = Start {
            owner: Owner { code: code(name), uuid: ambient.random_id() },
            kind,
            parent: None,
            anchor: root.anchor().clone(),
            chain: own_chain(&ambient, &issuer, &key),
            root: Some(root),
            issuers: vec![issuer],
            upstream: None,
            key,
        };
        let site = Site::start(clock, ambient, start).await;
        bootstrap(&site.db, &site.authority, &site.home).await.expect("a first start");
        site
    }

    /// Joins a primary below `self` the way the daemon does.
    async fn join_primary(&self, token: &str) -> Result<Site, Status> {
        let (own, key) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let mut request = request(token, &key);
        request.site_kind = Some("primary".to_owned());
        request.authority_csr = Some(own.request().expect("a request"));
        let answer = enrol(token, request).await?;
        let authority = answer.authority.clone().expect("for a primary");
        let issuer = Intermediate::load(authority.into(), own).expect("its key");
        let chain = own_chain(&self.ambient, &issuer, &key);
        let start = Start {
            owner: owner(&answer),
            kind: SiteKind::Primary,
            parent: Some(code(&answer.parent)),
            anchor: Anchor::new(answer.root.into()).expect("a root"),
            root: None,
            upstream: Some(self.channel(&chain, &key)),
            issuers: vec![issuer],
            chain,
            key,
        };
        Ok(Site::start(self.clock.clone(), self.ambient.clone(), start).await)
    }

    /// A secondary below `self`, which has joined with `key`.
    async fn secondary(&self, answer: EnrolResponse, key: KeyPair) -> Site {
        let chain: Vec<_> = answer.chain.iter().map(|der| der.clone().into()).collect();
        let start = Start {
            owner: owner(&answer),
            kind: SiteKind::Secondary,
            parent: Some(code(&answer.parent)),
            anchor: self.anchor.clone(),
            root: None,
            issuers: Vec::new(),
            upstream: Some(self.channel(&chain, &key)),
            chain,
            key,
        };
        Site::start(self.clock.clone(), self.ambient.clone(), start).await
    }

    async fn start(clock: Arc<ManualClock>, ambient: Ambient, start: Start) -> Site {
        let Start { owner, kind, parent, anchor, root, issuers, upstream, chain, key } = start;
        let identity = Identity { hierarchy: anchor.hierarchy(), owner, kind, parent };
        let secrets = (SigningKey::generate(&ambient), anchor.clone());
        let memory = Path::new(":memory:");
        let db = SiteDb::open(memory, Executor::Inline, identity, secrets, ambient.clone());
        let db = db.expect("a database");
        let kept: Arc<Mutex<Vec<SiteCode>>> = Arc::default();
        let keeper = kept.clone();
        let keep: KeepIntermediate = Arc::new(move |intermediate| {
            keeper.lock().expect("whole").push(intermediate.site());
            Ok(())
        });
        let authority = Arc::new(Authority::new(anchor.clone(), root, issuers, keep));
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_address());
        let home = Home { name: format!("host-{}", owner.code), url: url.clone() };
        let links: Arc<Mutex<Vec<LinkStatus>>> = Arc::default();
        let told = links.clone();
        let tell: Links = Arc::new(move || told.lock().expect("whole").clone());
        let (board, scanned) = (BoardWriter::default(), Arc::<Mutex<Vec<ClientId>>>::default());
        let told = scanned.clone();
        let scan: Scan = Arc::new(move |clients| told.lock().expect("whole").extend(clients));
        let admin = Admin::new(db.clone(), authority.clone(), home.clone(), tell)
            .with_clients(Clients { board: board.handle(), scan });
        let routes = tonic::service::Routes::new(AdminServiceServer::new(admin));
        let routes = match (kind, upstream) {
            (SiteKind::Secondary, Some(parent)) => {
                routes.add_service(EnrolmentServiceServer::new(Relay::new(parent)))
            }
            (_, parent) => {
                let service = Enrolment::new(db.clone(), authority.clone(), home.clone(), parent);
                routes.add_service(EnrolmentServiceServer::new(service))
            }
        };
        let credentials = Credentials::new(ambient.clone(), anchor.clone(), &chain, &key);
        let credentials = credentials.expect("its own certificate");
        let server = Server {
            router: routes.into_axum_router(),
            credentials: Some(credentials),
            limits: Limits::default(),
            revoked: Arc::new(|_| false),
        };
        let shutdown = CancellationToken::new();
        tokio::task::spawn_local(server.run(Box::new(listener), shutdown.clone()));
        let _running = shutdown.drop_guard();
        Site {
            ambient,
            clock,
            anchor,
            db,
            authority,
            home,
            url,
            links,
            kept,
            board,
            scanned,
            _running,
        }
    }

    fn channel(&self, chain: &[CertificateDer<'static>], key: &KeyPair) -> Channel {
        let credentials = Credentials::new(self.ambient.clone(), self.anchor.clone(), chain, key);
        let security = Security::AnySite { credentials: credentials.expect("joined") };
        Connection::new(Arc::new(TcpConnect), &self.url, security).expect("a URL").channel()
    }

    /// A member of this site without a token, for what comes after joining.
    fn member(&self, kind: PeerKind, id: &str) -> (PeerIdentity, Channel) {
        let (site, key) = (self.home_code(), KeyPair::generate().expect("a key"));
        let hierarchy = self.anchor.hierarchy();
        let identity = PeerIdentity { hierarchy, site, kind, id: id.to_owned() };
        let issuer = self.authority.issuer(site).expect("it issues for itself");
        let leaf = issuer.issue(&self.ambient, &key.public_key(), &identity, &[]).expect("issued");
        let channel = self.channel(&[leaf, issuer.certificate().clone()], &key);
        (identity, channel)
    }

    fn home_code(&self) -> SiteCode {
        self.db.identity().code()
    }

    fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.member(PeerKind::Administrator, "ada").1)
    }
}

fn own_chain(
    ambient: &Ambient,
    issuer: &Intermediate,
    key: &KeyPair,
) -> Vec<CertificateDer<'static>> {
    let site = issuer.site();
    let hierarchy = HierarchyId(uuid::Uuid::from_u128(1));
    let identity = PeerIdentity { hierarchy, site, kind: PeerKind::Site, id: site.to_string() };
    let leaf = issuer.issue(ambient, &key.public_key(), &identity, &[]).expect("issued");
    vec![leaf, issuer.certificate().clone()]
}

fn owner(answer: &EnrolResponse) -> Owner {
    let identity: PeerIdentity = answer.identity.parse().expect("an identity");
    let uuid = uuid::Uuid::from_slice(answer.site_uuid.as_ref().expect("of a site"));
    Owner { code: identity.site, uuid: uuid.expect("a uuid") }
}

/// What a process that was given `token` asks for.
fn request(token: &str, key: &KeyPair) -> EnrolRequest {
    let token: JoinToken = token.parse().expect("a token");
    EnrolRequest {
        secret: token.secret.reveal().to_vec(),
        kind: token.kind.as_str().to_owned(),
        site: token.site.to_string(),
        csr: key.request().expect("a request"),
        name: format!("host-{}", token.site),
        url: format!("https://{}.example:7440", token.site).to_lowercase(),
        ..EnrolRequest::default()
    }
}

/// Sends it where the token says, trusting the root the token pins.
async fn enrol(token: &str, request: EnrolRequest) -> Result<EnrolResponse, Status> {
    let JoinToken { url, hierarchy, pin, .. } = token.parse().expect("a token");
    let ambient = Ambient::seeded(7, NOW_MS);
    let security = Security::Pinned { ambient, pin, hierarchy };
    let connection = Connection::new(Arc::new(TcpConnect), &url, security).expect("a URL");
    let mut client = EnrolmentServiceClient::new(connection.channel());
    Ok(client.enrol(request).await?.into_inner())
}

/// Runs a test with tasks that end with it.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), test);
}

fn at(ms: i64) -> Timestamp {
    Timestamp(NOW_MS).plus_ms(ms)
}
