use std::sync::Mutex;

use ambient::{ManualClock, SystemEntropy};
use model::{ErrorClass, RoleKind, Timestamp};
use rpc::pb::enrolment::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use rpc::pb::enrolment::{
    AuthorizeSecondaryRequest, AuthorizeSecondaryResponse, EnrolRequest, EnrolResponse,
    RenewRequest, RenewResponse,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};
use transport::{Connection, Expect, Limits, Security, Server, TcpConnect, TcpListen};
use trust::{JoinToken, PublicKey, RootPin, TokenSecret};

use super::*;
use crate::{Joining, RenewFrom, Renewal, join};

const NOW_MS: i64 = 1_795_168_800_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const DP: PeerKind = PeerKind::Role(RoleKind::DistributionPoint);

fn site(code: &str) -> SiteCode {
    SiteCode::new(code).expect("a good code")
}

/// CAS, which lets everybody join; it remembers the keys it saw.
struct Cas {
    ambient: Ambient,
    pki: Pki,
    keys: Mutex<Vec<Vec<u8>>>,
}

impl Cas {
    fn identity(&self, id: &str) -> PeerIdentity {
        let hierarchy = self.pki.anchor().expect("readable").expect("founded").hierarchy();
        PeerIdentity { hierarchy, site: site("CAS"), kind: DP, id: id.to_owned() }
    }

    fn issue(&self, csr: &[u8]) -> Vec<Vec<u8>> {
        let key = PublicKey::from_request(csr).expect("proven");
        let issuer = self.pki.intermediate(site("CAS")).expect("readable").expect("its own");
        let leaf = issuer.issue(&self.ambient, &key, &self.identity("dp-1"), &[]).expect("issued");
        vec![leaf.to_vec(), issuer.certificate().to_vec()]
    }
}

#[tonic::async_trait]
impl EnrolmentService for Cas {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let request = request.into_inner();
        self.keys.lock().expect("whole").push(request.csr.clone());
        if request.secret[0] == 0 {
            return Err(rpc::status::refuse(ErrorClass::Denied, "the token was used already"));
        }
        let root = self.pki.root().expect("readable").expect("founded");
        let authority = request.authority_csr.map(|csr| {
            let key = PublicKey::from_request(&csr).expect("proven");
            root.issue_intermediate(&self.ambient, site("PR1"), &key).expect("issued").to_vec()
        });
        Ok(Response::new(EnrolResponse {
            root: root.anchor().root().to_vec(),
            chain: if authority.is_some() { Vec::new() } else { self.issue(&request.csr) },
            site_uuid: authority.as_ref().map(|_| vec![5; 16]),
            authority,
            identity: String::new(),
            parent: "CAS".to_owned(),
            parent_kind: "central".to_owned(),
            parent_url: "https://cas:7440".to_owned(),
        }))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        assert_eq!(*transport::peer(&request)?, self.identity("dp-1"));
        Ok(Response::new(RenewResponse { chain: self.issue(&request.into_inner().csr) }))
    }

    async fn authorize_secondary(
        &self,
        _: Request<AuthorizeSecondaryRequest>,
    ) -> Result<Response<AuthorizeSecondaryResponse>, Status> {
        Err(rpc::status::refuse(ErrorClass::Invalid, "not here"))
    }
}

struct World {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
    ambient: Ambient,
    cas: Arc<Cas>,
    url: String,
    shutdown: CancellationToken,
    server: TaskTracker,
}

impl World {
    async fn new() -> World {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let ambient = Ambient::new(clock.clone(), Arc::new(SystemEntropy));
        let pki = Pki::open(&directory.path().join("cas")).expect("made");
        pki.found(&ambient, site("CAS"), &[]).expect("founded");
        let credentials = pki.credentials(&ambient).expect("readable").expect("founded");
        let cas = Arc::new(Cas { ambient: ambient.clone(), pki, keys: Mutex::default() });
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_address());
        let routes = tonic::service::Routes::new(EnrolmentServiceServer::from_arc(cas.clone()));
        let server = Server {
            router: routes.into_axum_router(),
            credentials: Some(credentials),
            limits: Limits::default(),
            revoked: Arc::new(|_| false),
        };
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let stop = shutdown.clone();
        tasks.spawn(async move { server.run(Box::new(listener), stop).await.expect("runs") });
        World { directory, clock, ambient, cas, url, shutdown, server: tasks }
    }

    fn token(&self, kind: PeerKind, code: &str, secret: u8) -> JoinToken {
        let anchor = self.cas.pki.anchor().expect("readable").expect("founded");
        JoinToken {
            url: self.url.clone(),
            hierarchy: anchor.hierarchy(),
            pin: anchor.pin(),
            kind,
            site: site(code),
            secret: TokenSecret::from_slice(&[secret; 16]).expect("sixteen bytes"),
        }
    }

    fn pki(&self, name: &str) -> Pki {
        Pki::open(&self.directory.path().join(name)).expect("open")
    }

    async fn join(&self, pki: &Pki, token: &JoinToken) -> Result<Membership, String> {
        let joining = Joining {
            kind: token.kind,
            site_kind: (token.kind == PeerKind::Site).then_some(SiteKind::Primary),
            name: "test".to_owned(),
            url: String::new(),
            http_url: String::new(),
            names: Vec::new(),
        };
        let joined = join(&self.ambient, Arc::new(TcpConnect), pki, token, &joining).await;
        joined.map_err(|e| model::error_chain(&e))
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.server.close();
        self.server.wait().await;
    }
}

#[tokio::test]
async fn a_role_joins_again_with_the_same_key() {
    let world = World::new().await;
    let pki = world.pki("dp");
    let first = world.join(&pki, &world.token(DP, "CAS", 0)).await.expect_err("refused");
    assert_eq!(
        first,
        format!("{} did not let this process join: the token was used already", world.url)
    );
    assert_eq!(pki.membership().expect("readable"), None);
    let token = world.token(DP, "CAS", 1);
    let joined = world.join(&world.pki("dp"), &token).await.expect("joined");
    assert_eq!(joined.identity, world.cas.identity("dp-1"));
    assert_eq!(joined.parent.as_ref().map(|p| p.kind), Some(SiteKind::Central));
    assert_eq!(world.join(&pki, &token).await, Ok(joined.clone()));
    assert_eq!(pki.membership().expect("readable"), Some(joined));
    let keys: Vec<_> = world.cas.keys.lock().expect("whole").drain(..).collect();
    let keys = keys.iter().map(|csr| PublicKey::from_request(csr).expect("proven"));
    let keys: Vec<_> = keys.collect();
    assert!(keys.iter().all(|key| *key == keys[0]) && keys.len() == 3);

    let elsewhere = world.join(&pki, &world.token(DP, "PR1", 1)).await.expect_err("refused");
    assert!(elsewhere.contains("joined as"), "{elsewhere}");
    let mut misled = world.token(DP, "CAS", 1);
    misled.pin = RootPin(model::Sha256([9; 32]));
    let refused = world.join(&pki, &misled).await.expect_err("another root");
    assert!(refused.contains("pinned in the join token"), "{refused}");
    world.stop().await;
}

#[tokio::test]
async fn a_primary_issues_its_own_certificate() {
    let world = World::new().await;
    let pki = world.pki("pr1");
    let joined = world.join(&pki, &world.token(PeerKind::Site, "PR1", 1)).await.expect("joined");
    assert_eq!(
        joined.identity.to_string().split('/').skip(3).collect::<Vec<_>>(),
        ["PR1", "site", "PR1"]
    );
    assert_eq!(joined.site_uuid, Some(Uuid::from_bytes([5; 16])));
    assert_eq!(pki.intermediate(site("PR1")).expect("readable").expect("kept").site(), site("PR1"));
    assert!(pki.root().expect("readable").is_none(), "only the top holds the root's key");
    world.stop().await;
}

#[tokio::test]
async fn certificates_are_renewed_at_half_of_their_life() {
    let world = World::new().await;
    let pki = world.pki("dp");
    world.join(&pki, &world.token(DP, "CAS", 1)).await.expect("joined");
    let credentials = pki.credentials(&world.ambient).expect("readable").expect("joined");
    let expect = Expect { kind: PeerKind::Site, site: site("CAS"), id: None };
    let security = Security::Mutual { credentials: credentials.clone(), expect };
    let connection = Connection::new(Arc::new(TcpConnect), &world.url, security).expect("a URL");
    let renewal = |pki: &Pki, credentials, from| {
        let (ambient, pki) = (world.ambient.clone(), pki.clone());
        Renewal { ambient, pki, credentials, from, names: Vec::new() }
    };
    let role = renewal(&pki, credentials, RenewFrom::Site(connection));
    let own = world.cas.pki.credentials(&world.ambient).expect("readable").expect("founded");
    let cas = renewal(&world.cas.pki, own, RenewFrom::Own);
    world.clock.advance_ms(180 * DAY_MS);
    assert_eq!(role.step().await.expect("not yet"), None);
    world.clock.advance_ms(5 * DAY_MS);
    let until = Timestamp(NOW_MS + (185 + 365) * DAY_MS);
    assert_eq!(role.step().await.expect("renewed"), Some(until));
    assert_eq!(role.step().await.expect("not again"), None);
    assert_eq!(cas.step().await.expect("not yet"), None);
    world.clock.advance_ms(185 * DAY_MS);
    assert!(cas.step().await.expect("renewed").is_some());
    world.stop().await;
}

#[test]
fn founding_is_done_once_and_finishes_what_a_crash_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let ambient = Ambient::seeded(1, NOW_MS);
    let pki = Pki::open(directory.path()).expect("made");
    let first = pki.found(&ambient, site("CAS"), &[]).expect("founded");
    let signing = pki.signing_key(&ambient).expect("made").public_key();
    assert_eq!(pki.found(&ambient, site("CAS"), &[]).expect("there"), first);
    for lost in ["membership.toml", "chain.pem"] {
        fs::remove_file(directory.path().join("pki").join(lost)).expect("removed");
    }
    let again = pki.found(&ambient, site("CAS"), &[]).expect("founded");
    assert_eq!(again.identity, first.identity);
    assert_eq!(pki.signing_key(&ambient).expect("kept").public_key(), signing);
}

#[test]
fn files_open_to_others_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let pki = Pki::open(directory.path()).expect("made");
    pki.own_key().expect("made");
    let key = directory.path().join("pki/process.key");
    assert_eq!(fs::metadata(&key).expect("there").permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("opened");
    let refused = Pki::open(directory.path()).expect_err("refused").to_string();
    assert_eq!(
        refused,
        format!("{0} is open to other users (mode 640); run: chmod 600 {0}", key.display())
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("closed");
    fs::set_permissions(directory.path().join("pki"), fs::Permissions::from_mode(0o755))
        .expect("opened");
    assert!(matches!(Pki::open(directory.path()), Err(Error::OpenToOthers { wanted: 0o700, .. })));
}
