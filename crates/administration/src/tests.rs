//! Whole sites over loopback TLS: real databases, real certificates, generated clients.

mod admin;
mod approvals;
mod asking;
mod boundaries;
mod catalog;
mod clients;
mod collections;
mod counting;
mod deploying;
mod entering;
mod explain;
mod inventories;
mod joining;
mod office;
mod packages;
mod phases;
mod publishing;
mod rules;
mod settings;
mod upkeep;
mod windows;

use std::path::Path;
use std::sync::{Arc, Mutex};

use ambient::{Ambient, ManualClock, SystemEntropy};
use compliance::BoardWriter;
use content_library::ContentLibrary;
use model::{ClientId, HierarchyId, Owner, PeerIdentity, PeerKind, SiteCode, SiteKind, Timestamp};
use rpc::pb::admin as pb;
use rpc::pb::admin::admin_service_client::AdminServiceClient;
use rpc::pb::admin::admin_service_server::AdminServiceServer;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::enrolment_service_server::EnrolmentServiceServer;
use rpc::pb::enrolment::{EnrolRequest, EnrolResponse};
use site_db::{Executor, Identity, SiteDb};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;
use tonic::{Response, Status};
use transport::{Connection, Credentials, Limits, Security, Server, TcpConnect, TcpListen};
use trust::{
    Anchor, CertificateDer, Intermediate, JoinToken, KeyPair, Publisher, Root, SigningKey,
};

use crate::*;

const NOW_MS: i64 = 1_795_168_800_000;

type Chain = Vec<CertificateDer<'static>>;

fn code(text: &str) -> SiteCode {
    text.parse().expect("a good code")
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// The answer to a call that is not refused.
trait Told<T> {
    fn told(self) -> T;
}

impl<T> Told<T> for Result<Response<T>, Status> {
    fn told(self) -> T {
        self.expect("it is answered").into_inner()
    }
}

/// The code and message of a refusal.
fn refusal<T>(result: Result<T, Status>) -> String {
    let status = result.err().expect("it is refused");
    format!("{:?}: {}", status.code(), status.message())
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
    chain: Chain,
    key: KeyPair,
}

struct Site {
    ambient: Ambient,
    clock: Arc<ManualClock>,
    anchor: Anchor,
    db: SiteDb,
    authority: Arc<Authority>,
    home: Home,
    links: Arc<Mutex<Vec<LinkStatus>>>,
    kept: Arc<Mutex<Vec<SiteCode>>>,
    board: BoardWriter,
    /// Who was told to scan.
    scanned: Arc<Mutex<Vec<ClientId>>>,
    /// What was uploaded.
    _files: TempDir,
    _running: DropGuard,
}

impl Site {
    async fn top(name: &str, kind: SiteKind) -> Site {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let ambient = Ambient::new(clock.clone(), Arc::new(SystemEntropy));
        let root = Root::create(&ambient, HierarchyId(uuid::Uuid::from_u128(1))).expect("a root");
        let (own, key) = (new_key(), new_key());
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
        let (own, key) = (new_key(), new_key());
        let mut asked = request_of_site(token, &key, "primary");
        asked.authority_csr = Some(own.request().expect("a request"));
        let answer = enrol(token, asked).await?;
        let authority = answer.authority.clone().expect("for a primary");
        let issuer = Intermediate::load(authority.into(), own).expect("its key");
        let chain = own_chain(&self.ambient, &issuer, &key);
        Ok(self.below(&answer, SiteKind::Primary, vec![issuer], (chain, key)).await)
    }

    /// A secondary below `self`, which has joined with `key`.
    async fn secondary(&self, answer: EnrolResponse, key: KeyPair) -> Site {
        self.below(&answer, SiteKind::Secondary, Vec::new(), (chain(&answer), key)).await
    }

    async fn below(
        &self,
        answer: &EnrolResponse,
        kind: SiteKind,
        issuers: Vec<Intermediate>,
        (chain, key): (Chain, KeyPair),
    ) -> Site {
        let start = Start {
            owner: owner(answer),
            kind,
            parent: Some(code(&answer.parent)),
            anchor: Anchor::new(answer.root.clone().into()).expect("a root"),
            root: None,
            issuers,
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
        let home = Home { name: format!("host-{}", owner.code), url };
        let links: Arc<Mutex<Vec<LinkStatus>>> = Arc::default();
        let told = links.clone();
        let tell: Links = Arc::new(move || told.lock().expect("whole").clone());
        let (board, scanned) = Default::default();
        let clients = clients(&board, &scanned);
        let files = tempfile::tempdir().expect("a directory");
        let library = ContentLibrary::open(ambient.clone(), files.path(), Executor::Inline);
        let publisher = Publisher::create(&ambient, anchor.hierarchy()).expect("a certificate");
        let signer = Signer::new(anchor.hierarchy(), publisher, Arc::new(|_| Ok(())));
        let publishing = Publishing { library: library.expect("opens"), signer: Arc::new(signer) };
        let admin = Admin::new(db.clone(), authority.clone(), home.clone(), tell)
            .with_clients(clients)
            .with_publishing(publishing);
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
            links,
            kept,
            board,
            scanned,
            _files: files,
            _running,
        }
    }

    fn channel(&self, chain: &[CertificateDer<'static>], key: &KeyPair) -> Channel {
        let credentials = Credentials::new(self.ambient.clone(), self.anchor.clone(), chain, key);
        let security = Security::AnySite { credentials: credentials.expect("joined") };
        Connection::new(Arc::new(TcpConnect), &self.home.url, security).expect("a URL").channel()
    }

    /// A member of this site without a token, for what comes after joining.
    fn member(&self, kind: PeerKind, id: &str) -> Channel {
        let (site, key) = (self.db.identity().code(), new_key());
        let issuer = self.authority.issuer(site).expect("it issues for itself");
        self.channel(&issued(&self.ambient, &issuer, (kind, id), &key), &key)
    }

    fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.member(PeerKind::Administrator, "ada"))
    }
}

/// Who is woken is noted.
fn clients(board: &BoardWriter, woken: &Arc<Mutex<Vec<ClientId>>>) -> Clients {
    let woken = woken.clone();
    let scan: Nudge = Arc::new(move |clients| woken.lock().expect("whole").extend(clients));
    Clients { board: board.handle(), report: scan.clone(), scan }
}

fn own_chain(ambient: &Ambient, issuer: &Intermediate, key: &KeyPair) -> Chain {
    issued(ambient, issuer, (PeerKind::Site, issuer.site().as_str()), key)
}

fn issued(
    ambient: &Ambient,
    issuer: &Intermediate,
    (kind, id): (PeerKind, &str),
    key: &KeyPair,
) -> Chain {
    let (site, id) = (issuer.site(), id.to_owned());
    let hierarchy = HierarchyId(uuid::Uuid::from_u128(1));
    let identity = PeerIdentity { hierarchy, site, kind, id };
    let leaf = issuer.issue(ambient, &key.public_key(), &identity, &[]).expect("issued");
    vec![leaf, issuer.certificate().clone()]
}

fn chain(answer: &EnrolResponse) -> Chain {
    answer.chain.iter().map(|der| der.clone().into()).collect()
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

fn request_of_site(token: &str, key: &KeyPair, kind: &str) -> EnrolRequest {
    EnrolRequest { site_kind: Some(kind.to_owned()), ..request(token, key) }
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

async fn site_token(top: &Site, code: &str, kind: &str, parent: &str) -> Result<String, Status> {
    let (code, kind, parent) = (code.to_owned(), kind.to_owned(), parent.to_owned());
    let request = pb::CreateSiteTokenRequest { code, kind, parent, valid_seconds: 0 };
    Ok(top.admin().create_site_token(request).await?.into_inner().token)
}

async fn role_token(site: &Site, kind: &str, of: &str) -> Result<String, Status> {
    let (kind, site_code) = (kind.to_owned(), of.to_owned());
    let request = pb::CreateRoleTokenRequest { kind, site: site_code, valid_seconds: 0 };
    Ok(site.admin().create_role_token(request).await?.into_inner().token)
}

/// Runs a test with tasks that end with it.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    tokio::task::LocalSet::new().block_on(&runtime.expect("a runtime"), test);
}

fn at(ms: i64) -> Timestamp {
    Timestamp(NOW_MS).plus_ms(ms)
}
