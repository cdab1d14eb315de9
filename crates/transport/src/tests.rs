//! Real loopback sockets, real TLS, a generated service.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ambient::{Ambient, ManualClock, SystemEntropy};
use axum::Router;
use axum::routing::get;
use expect_test::expect;
use model::{HierarchyId, PeerIdentity, PeerKind, RoleKind, SiteCode};
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::enrolment_service_server::{EnrolmentService, EnrolmentServiceServer};
use rpc::pb::enrolment::{
    AuthorizeSecondaryRequest, AuthorizeSecondaryResponse, EnrolRequest, EnrolResponse,
    RenewRequest, RenewResponse,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status};
use trust::{Intermediate, KeyPair, Root};

use crate::*;

const NOW_MS: i64 = 1_795_168_800_000;
const DP: PeerKind = PeerKind::Role(RoleKind::DistributionPoint);

/// Says who called; a call to `renew` waits until it is let go, if the test holds it.
#[derive(Default)]
struct Fake {
    hold: AtomicBool,
    renewing: AtomicUsize,
    let_go: Notify,
}

#[tonic::async_trait]
impl EnrolmentService for Fake {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let peer = request.extensions().get::<Peer>().expect("always there");
        let identity = format!("{:?}", peer.identity.as_ref().map(|i| i.to_string()));
        Ok(Response::new(EnrolResponse { identity, ..EnrolResponse::default() }))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let caller = peer(&request)?.to_string();
        if self.hold.load(Ordering::SeqCst) {
            self.renewing.fetch_add(1, Ordering::SeqCst);
            self.let_go.notified().await;
        }
        Ok(Response::new(RenewResponse { chain: vec![caller.into_bytes()] }))
    }

    async fn authorize_secondary(
        &self,
        _: Request<AuthorizeSecondaryRequest>,
    ) -> Result<Response<AuthorizeSecondaryResponse>, Status> {
        pending().await
    }
}

struct World {
    ambient: Ambient,
    clock: Arc<ManualClock>,
    root: Root,
    fake: Arc<Fake>,
    revoked: Arc<Mutex<Vec<String>>>,
    shutdown: CancellationToken,
    servers: TaskTracker,
}

fn site(code: &str) -> SiteCode {
    SiteCode::new(code).expect("a good code")
}

impl World {
    fn new() -> World {
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let ambient = Ambient::new(clock.clone(), Arc::new(SystemEntropy));
        let hierarchy = HierarchyId::from_slice(&[1; 16]).expect("sixteen bytes");
        let root = Root::create(&ambient, hierarchy).expect("a root");
        World {
            ambient,
            clock,
            root,
            fake: Arc::default(),
            revoked: Arc::default(),
            shutdown: CancellationToken::new(),
            servers: TaskTracker::new(),
        }
    }

    fn identity(&self, code: &str, kind: PeerKind, id: &str) -> PeerIdentity {
        let hierarchy = self.root.anchor().hierarchy();
        PeerIdentity { hierarchy, site: site(code), kind, id: id.to_owned() }
    }

    fn credentials(&self, code: &str, kind: PeerKind, id: &str) -> Credentials {
        let (authority, key) =
            (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
        let issued =
            self.root.issue_intermediate(&self.ambient, site(code), &authority.public_key());
        let issuer = Intermediate::load(issued.expect("issued"), authority).expect("its key");
        let identity = self.identity(code, kind, id);
        let leaf = issuer.issue(&self.ambient, &key.public_key(), &identity, &[]).expect("issued");
        let chain = [leaf, issuer.certificate().clone()];
        let anchor = self.root.anchor().clone();
        Credentials::new(self.ambient.clone(), anchor, &chain, &key).expect("its own certificate")
    }

    fn start(&self, listener: Box<dyn Listen>, credentials: Option<Credentials>, limits: Limits) {
        let revoked = self.revoked.clone();
        let routes =
            tonic::service::Routes::new(EnrolmentServiceServer::from_arc(self.fake.clone()));
        let server = Server {
            router: Router::new()
                .route("/plain", get(async || "hello"))
                .merge(routes.into_axum_router()),
            credentials,
            limits,
            revoked: Arc::new(move |peer| revoked.lock().expect("whole").contains(&peer.id)),
        };
        let shutdown = self.shutdown.clone();
        self.servers.spawn(async move { server.run(listener, shutdown).await.expect("runs") });
    }

    /// PR1 on a loopback port.
    async fn serve(&self, limits: Limits) -> String {
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_address());
        let own = self.credentials("PR1", PeerKind::Site, "PR1");
        self.start(Box::new(listener), Some(own), limits);
        url
    }

    fn connect(&self, url: &str, credentials: Credentials, code: &str) -> Connection {
        let expect = Expect { kind: PeerKind::Site, site: site(code), id: None };
        let security = Security::Mutual { credentials, expect };
        Connection::new(Arc::new(TcpConnect), url, security).expect("a good URL")
    }

    fn pinned(&self, url: &str, pin: trust::RootPin) -> Connection {
        let hierarchy = self.root.anchor().hierarchy();
        let security = Security::Pinned { ambient: self.ambient.clone(), pin, hierarchy };
        Connection::new(Arc::new(TcpConnect), url, security).expect("a good URL")
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.servers.close();
        self.servers.wait().await;
    }
}

async fn enrol(connection: &Connection) -> Result<String, Status> {
    let mut client = EnrolmentServiceClient::new(connection.channel());
    Ok(client.enrol(EnrolRequest::default()).await?.into_inner().identity)
}

async fn renew(connection: &Connection) -> Result<String, Status> {
    let mut client = EnrolmentServiceClient::new(connection.channel());
    let mut chain = client.renew(RenewRequest::default()).await?.into_inner().chain;
    Ok(String::from_utf8(chain.remove(0)).expect("text"))
}

#[tokio::test]
async fn peers_are_known_by_their_certificates() {
    let world = World::new();
    let url = world.serve(Limits::default()).await;
    let connection = world.connect(&url, world.credentials("PR1", DP, "dp-1"), "PR1");
    assert_eq!(connection.peer(), None);
    assert_eq!(
        renew(&connection).await.expect("admitted"),
        world.identity("PR1", DP, "dp-1").to_string()
    );
    assert_eq!(connection.peer(), Some(world.identity("PR1", PeerKind::Site, "PR1")));
    world.stop().await;
}

#[tokio::test]
async fn joining_needs_the_pinned_root_and_nothing_else() {
    let world = World::new();
    let url = world.serve(Limits::default()).await;
    let joining = world.pinned(&url, world.root.anchor().pin());
    assert_eq!(enrol(&joining).await.expect("anyone may"), "None");
    let denied = renew(&joining).await.expect_err("no certificate");
    assert_eq!(denied.code(), Code::PermissionDenied);
    expect!["/tierline.enrolment.v1.EnrolmentService/Renew needs a certificate; join the hierarchy first"]
        .assert_eq(denied.message());
    let misled = world.pinned(&url, World::new().root.anchor().pin());
    let refused = explain(&enrol(&misled).await.expect_err("another root"));
    assert!(
        refused.contains("is not trusted: no presented certificate matches the root pinned"),
        "{refused}"
    );
    world.stop().await;
}

#[tokio::test]
async fn methods_are_denied_by_default() {
    let world = World::new();
    let url = world.serve(Limits::default()).await;
    let connection = world.connect(&url, world.credentials("PR1", DP, "dp-1"), "PR1");
    let mut client = EnrolmentServiceClient::new(connection.channel());
    let denied = client.authorize_secondary(AuthorizeSecondaryRequest::default()).await;
    expect!["tierline://01010101-0101-0101-0101-010101010101/PR1/dp/dp-1 may not call /tierline.enrolment.v1.EnrolmentService/AuthorizeSecondary"]
        .assert_eq(denied.expect_err("the wrong class").message());
    assert_eq!(http_status(&connection, "/tierline.secret.v1.Service/Method").await, 403);
    assert_eq!(http_status(&connection, "/plain").await, 200);
    world.stop().await;
}

/// A GET without a gRPC content type; a refused gRPC path answers 200 with a status in its head.
async fn http_status(connection: &Connection, path: &str) -> u16 {
    use tower::ServiceExt as _;
    let uri = format!("{}{path}", connection.url());
    let request = http::Request::get(uri).body(tonic::body::Body::empty()).expect("a request");
    let response = connection.channel().oneshot(request).await.expect("answered");
    match response.headers().get("grpc-status") {
        Some(status) if status == "7" => 403,
        Some(status) => panic!("unexpected status {status:?}"),
        None => response.status().as_u16(),
    }
}

#[tokio::test]
async fn servers_that_are_not_the_expected_one_are_refused() {
    let world = World::new();
    let url = world.serve(Limits::default()).await;
    let connection = world.connect(&url, world.credentials("PR1", DP, "dp-1"), "CAS");
    let refused = explain(&renew(&connection).await.expect_err("it is PR1"));
    assert!(refused.contains("PR1/site/PR1 answered where CAS/site/* was expected"), "{refused}");

    let foreign = World::new();
    let stranger = foreign.connect(&url, foreign.credentials("PR1", DP, "dp-1"), "PR1");
    let refused = explain(&renew(&stranger).await.expect_err("another root"));
    assert!(refused.contains("is not trusted: foreign hierarchy"), "{refused}");
    world.stop().await;
}

#[tokio::test]
async fn expired_and_foreign_clients_are_refused_by_the_server() {
    let world = World::new();
    let url = world.serve(Limits::default()).await;
    let (client, old) = (World::new(), world.credentials("PR1", DP, "dp-1"));
    // It trusts our root, so that only the server has a reason to refuse.
    let stranger = client.credentials("PR1", DP, "dp-1").trusting(world.root.anchor());
    let refused = renew(&world.connect(&url, stranger, "PR1")).await.expect_err("a stranger");
    assert!(explain(&refused).contains("CertificateUnknown"), "{}", explain(&refused));
    // A role's certificate lives one year, the site's two.
    world.clock.advance_ms(400 * 24 * 60 * 60 * 1000);
    let refused = renew(&world.connect(&url, old, "PR1")).await.expect_err("expired");
    assert!(explain(&refused).contains("CertificateUnknown"), "{}", explain(&refused));
    world.stop().await;
}

#[tokio::test]
async fn revoked_peers_are_refused_on_open_connections_too() {
    let world = World::new();
    let url = world.serve(Limits::default()).await;
    let connection = world.connect(&url, world.credentials("PR1", DP, "dp-1"), "PR1");
    renew(&connection).await.expect("not yet");
    world.revoked.lock().expect("whole").push("dp-1".to_owned());
    let denied = renew(&connection).await.expect_err("revoked");
    expect!["the certificate was revoked; the machine must join again"].assert_eq(denied.message());
    world.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_into_use() {
    let world = World::new();
    let own = world.credentials("PR1", DP, "dp-1");
    let other = world.credentials("PR1", DP, "dp-2");
    let key = KeyPair::generate().expect("a key");
    let foreign = own.replace(&other.presented(), &key).expect_err("another identity or key");
    assert!(matches!(foreign, Error::OtherIdentity { .. }), "{foreign}");
    let same = own.replace(&own.presented(), &key).expect_err("not its key");
    assert!(matches!(same, Error::Tls(_)), "{same}");
}

#[tokio::test]
async fn hosted_roles_are_reached_over_memory() {
    let world = World::new();
    let identity = world.identity("PR1", DP, "dp-1");
    let (listener, connector) = memory(identity.clone());
    world.start(Box::new(listener), None, Limits::default());
    let open = || Connection::new(Arc::new(connector.clone()), "https://site", Security::Plain);
    for connection in [open(), open()] {
        let connection = connection.expect("a good URL");
        assert_eq!(renew(&connection).await.expect("stamped"), identity.to_string());
    }
    world.stop().await;
}

#[tokio::test]
async fn a_busy_class_does_not_starve_another() {
    let world = World::new();
    let limits = Limits { clients: 1, ..Limits::default() };
    let url = world.serve(limits).await;
    let client = world.connect(&url, world.credentials("PR1", PeerKind::Client, "c-1"), "PR1");
    let role = world.connect(&url, world.credentials("PR1", DP, "dp-1"), "PR1");
    world.fake.hold.store(true, Ordering::SeqCst);
    let calls = async { tokio::join!(renew(&client), renew(&client)) };
    let watch = async {
        while world.fake.renewing.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(enrol(&role).await.expect("its own turn").contains("dp-1"));
        assert_eq!(world.fake.renewing.load(Ordering::SeqCst), 1, "the second client waits");
        world.fake.hold.store(false, Ordering::SeqCst);
        world.fake.let_go.notify_waiters();
    };
    let ((first, second), ()) = tokio::join!(calls, watch);
    assert!(first.is_ok() && second.is_ok());
    world.stop().await;
}

#[tokio::test]
async fn garbage_and_silence_do_not_stop_a_listener() {
    use tokio::io::AsyncWriteExt as _;
    let world = World::new();
    let url = world.serve(Limits::default()).await;
    let address = url.trim_start_matches("https://");
    let _silent = tokio::net::TcpStream::connect(address).await.expect("accepted");
    let mut noisy = tokio::net::TcpStream::connect(address).await.expect("accepted");
    noisy.write_all(&[0xff; 4096]).await.expect("sent");
    let connection = world.connect(&url, world.credentials("PR1", DP, "dp-1"), "PR1");
    renew(&connection).await.expect("still there");
    assert!(TcpListen::bind(address).await.is_err(), "a taken port is an error");
    world.shutdown.cancel();
}

#[tokio::test]
async fn plain_http_serves_pages_and_denies_methods() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = World::new();
    let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_address();
    world.start(Box::new(listener), None, Limits::default());
    for (path, status) in [
        ("/plain", "HTTP/1.1 200 OK"),
        // A gRPC answer says so in its trailers-only head.
        ("/tierline.enrolment.v1.EnrolmentService/Renew", "grpc-status: 7"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("accepted");
        let request = format!("GET {path} HTTP/1.1\r\nhost: dp\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.contains(status), "{answer}");
    }
    world.stop().await;
}

#[test]
fn back_off_doubles_to_its_maximum() {
    let ambient = Ambient::seeded(1, 0);
    let seconds = Duration::from_secs;
    let mut exact = Backoff::new(seconds(1), seconds(5), 0).expect("usable");
    let waits: Vec<_> = (0..5).map(|_| exact.wait(&ambient).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 5, 5]);
    exact.reset();
    assert_eq!(exact.wait(&ambient), seconds(1));
    let mut jittery = Backoff::new(seconds(8), seconds(8), 50).expect("usable");
    let waits: Vec<_> = (0..50).map(|_| jittery.wait(&ambient)).collect();
    assert!(waits.iter().all(|w| (seconds(4)..=seconds(8)).contains(w)) && waits[0] != waits[1]);
    assert!(Backoff::new(seconds(2), seconds(1), 0).is_err());
}
