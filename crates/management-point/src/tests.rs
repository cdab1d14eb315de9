//! A management point between one client and a site server that does what the test says, over
//! memory links and in paused time.

use std::io;
use std::sync::Arc;

use ambient::Ambient;
use axum::Router;
use model::{
    ClientId, HierarchyId, PeerIdentity, PeerKind, PolicyHead, RoleKind, Sha256, SiteCode,
    Timestamp,
};
use rpc::pb::client as pb;
use rpc::pb::client::client_service_client::ClientServiceClient;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::management::Outcome::{SendFull, Unspecified};
use rpc::pb::{enrolment, management};
use sha2::Digest as _;
use sqlite_engine::Executor;
use testkit::management::FakeSite;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Channel;
use transport::{Accepted, BoxFuture, Connection, Listen, MemoryListen, Security, memory};
use uuid::Uuid;

use crate::point::Point;
use crate::{Config, Deps, ManagementPoint, Ports};

mod config;

const NOW_MS: i64 = 1_000_000_000_000;

fn client(number: u128) -> ClientId {
    ClientId(Uuid::from_u128(number))
}

fn identity(kind: PeerKind, id: String) -> PeerIdentity {
    let (hierarchy, site) = (HierarchyId(Uuid::from_u128(7)), SiteCode::new("PR1"));
    PeerIdentity { hierarchy, site: site.expect("a good code"), kind, id }
}

struct World {
    site: FakeSite,
    data: tempfile::TempDir,
}

/// A running management point, seen by client 1.
struct Running {
    client: ClientServiceClient<Channel>,
    channel: Channel,
    point: Arc<Point>,
    shutdown: CancellationToken,
    tasks: JoinSet<()>,
}

fn world() -> World {
    let role = PeerKind::Role(RoleKind::ManagementPoint);
    let site = FakeSite::start(identity(role, "mp".to_owned()));
    site.script().parts = vec![b"a part".to_vec(), b"another".to_vec()];
    World { site, data: tempfile::tempdir().expect("a directory") }
}

/// Connections that come from an address.
#[derive(Debug)]
struct At {
    listener: MemoryListen,
    address: &'static str,
}

impl Listen for At {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async {
            let accepted = self.listener.accept().await?;
            Ok(Accepted { address: self.address.to_owned(), ..accepted })
        })
    }
}

impl World {
    fn start(&self) -> Running {
        let config = Config { data: self.data.path().to_owned(), executor: Executor::Inline };
        let site = self.site.connection();
        let deps = Deps { ambient: Ambient::seeded(1, NOW_MS), credentials: None, site };
        let role = ManagementPoint::new(config, deps).expect("its stores open");
        let (listener, connect) = memory(identity(PeerKind::Client, client(1).to_string()));
        let listener = At { listener, address: "10.1.2.3:50000" };
        let (operations, revoked) = (Router::new(), Arc::new(|_: &PeerIdentity| false));
        let ports = Ports { listener: Box::new(listener), operations, revoked };
        let (point, shutdown) = (role.shared(), CancellationToken::new());
        let (mut tasks, stop) = (JoinSet::new(), shutdown.clone());
        tasks.spawn(async move { role.run(ports, stop).await.expect("it ends in order") });
        let connect = Arc::new(connect);
        let channel = Connection::new(connect, "https://point", Security::Plain);
        let channel = channel.expect("an address").channel();
        let client = ClientServiceClient::new(channel.clone());
        Running { client, channel, point, shutdown, tasks }
    }
}

fn report(serial: u64) -> pb::StateReport {
    pb::StateReport {
        client: client(1).as_bytes().to_vec(),
        incarnation: 1,
        serial_from: serial,
        serial_to: serial,
        digest_after: vec![0; 32],
        deployments_digest: vec![0; 32],
        ..pb::StateReport::default()
    }
}

impl Running {
    async fn send(&mut self, report: pb::StateReport) -> Result<management::Outcome, Code> {
        let answer = self.client.send_state(pb::SendStateRequest { report: Some(report) }).await;
        answer.map(|answer| answer.into_inner().outcome()).map_err(|status| status.code())
    }

    async fn register(&mut self, incarnation: u64) {
        let request = pb::RegisterRequest {
            kind: "agent".to_owned(),
            name: "one".to_owned(),
            incarnation,
            ..pb::RegisterRequest::default()
        };
        self.client.register(request).await.expect("safe in the spool");
    }

    async fn policy(&mut self, version: u64, parts: &[&[u8]]) -> (Option<u64>, Vec<Vec<u8>>) {
        let request = pb::GetPolicyRequest {
            incarnation: 1,
            have_version: version,
            have_parts: parts.iter().map(|part| name(part).0.to_vec()).collect(),
        };
        let answer = self.client.get_policy(request).await.expect("an answer").into_inner();
        let version = answer.head.map(|signed| {
            assert_eq!(
                (&signed.signature[..], &signed.key_statement[..]),
                (&b"signed"[..], &b"stated"[..])
            );
            rpc::convert::decode_head(&signed.head).expect("a head").version
        });
        (version, answer.parts)
    }

    async fn stop(mut self) {
        self.shutdown.cancel();
        drop((self.client, self.channel, self.point));
        self.tasks.join_next().await.expect("it ran").expect("it ended in order");
    }
}

fn name(part: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(part).into())
}

fn head(number: u128, version: u64) -> PolicyHead {
    let PeerIdentity { hierarchy, site, .. } = identity(PeerKind::Site, "PR1".to_owned());
    PolicyHead {
        hierarchy,
        site,
        client: client(number),
        incarnation: 1,
        version,
        signed_at: Timestamp(NOW_MS),
        expires: Timestamp(NOW_MS + 1_000),
        parts: vec![name(b"a part"), name(b"another")],
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_survives_a_restart() {
    let world = world();
    world.site.script().is_away = true;
    let mut point = world.start();
    point.register(1).await;
    for serial in 1..=3 {
        assert_eq!(point.send(report(serial)).await, Ok(Unspecified));
    }
    point.stop().await;
    world.site.script().is_away = false;
    let point = world.start();
    let seen = world.site.seen("report 3").await;
    assert_eq!(seen, ["registration 1 of PR1", "report 1", "report 2", "report 3"]);
    point.stop().await;
}

/// A delta about client `number`.
fn inventory(number: u128, serial: u64) -> pb::InventoryReport {
    pb::InventoryReport {
        client: client(number).as_bytes().to_vec(),
        incarnation: 1,
        serial,
        digest_after: vec![0; 32],
        ..pb::InventoryReport::default()
    }
}

#[tokio::test(start_paused = true)]
async fn inventories_are_safe_when_acknowledged_and_a_gap_asks_for_everything() {
    let world = world();
    world.site.script().is_away = true;
    let mut point = world.start();
    let send = async |point: &mut Running, report: pb::InventoryReport| {
        let answer = point.client.send_inventory(pb::SendInventoryRequest { report: Some(report) });
        answer.await.map(|answer| answer.into_inner().outcome()).map_err(|status| status.code())
    };
    assert_eq!(send(&mut point, inventory(1, 1)).await, Ok(Unspecified));
    assert_eq!(send(&mut point, inventory(2, 1)).await, Err(Code::PermissionDenied));
    point.stop().await;
    world.site.script().is_away = false;
    world.site.script().outcome = SendFull;
    let mut point = world.start();
    assert_eq!(world.site.seen("inventory 1").await, ["inventory 1"]);
    world.site.script().outcome = management::Outcome::Applied;
    assert_eq!(send(&mut point, inventory(1, 2)).await, Ok(SendFull));
    let full = pb::InventoryReport { full: true, ..inventory(1, 3) };
    assert_eq!(send(&mut point, full).await, Ok(Unspecified));
    world.site.seen("inventory 3").await;
    assert!(world.site.script().inventories.iter().map(|report| report.serial).eq([1, 2, 3]));
    point.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_holds_up_nothing() {
    let world = world();
    world.site.script().is_away = true;
    let mut point = world.start();
    point.register(0).await;
    let unreadable = pb::StateReport { serial_from: 9, ..report(1) };
    assert_eq!(point.send(unreadable).await, Ok(Unspecified));
    assert_eq!(point.send(report(2)).await, Ok(Unspecified));
    world.site.script().is_away = false;
    assert_eq!(world.site.seen("report 2").await, ["registration 0 of PR1", "report 2"]);
    point.send(report(3)).await.expect("safe");
    world.site.seen("report 3").await;
    assert_eq!(point.point.intake.usage().await.expect("read").quarantined, 2);
    point.stop().await;
}

/// Symptom: after a restart of either side the site knew of no backlog, or of one that was gone for
/// long. Cause: it was said with reports of states alone, and forgotten with the process. Repair: the
/// spool is looked at whenever the site is there again, and when it is empty.
#[tokio::test(start_paused = true)]
async fn what_waits_is_told_after_a_restart_and_when_it_waits_no_more() {
    let world = world();
    world.site.script().is_away = true;
    let mut point = world.start();
    let unreadable = pb::StateReport { serial_from: 9, ..report(1) };
    assert_eq!(point.send(unreadable).await, Ok(Unspecified));
    let last = rpc::limits::REPORTS_MAX as u64 + 4;
    for serial in 2..=last {
        assert_eq!(point.send(report(serial)).await, Ok(Unspecified));
    }
    point.register(1).await;
    point.stop().await;
    world.site.script().is_away = false;
    let point = world.start();
    world.site.seen("backlog 0 1").await;
    let told = world.site.script().backlogs.clone();
    // The registration is no report, but waits with them.
    assert_eq!(told[..2], [(5, 0), (1, 1)]);
    assert_eq!(told.last(), Some(&(0, 1)));
    point.stop().await;

    // The site has lost its memory, and nothing is reported.
    world.site.script().backlogs.clear();
    world.site.seen.send_modify(Vec::clear);
    let point = world.start();
    world.site.seen("backlog 0 1").await;
    point.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_gap_is_told_once() {
    let world = world();
    let mut point = world.start();
    world.site.script().outcome = SendFull;
    assert_eq!(point.send(report(5)).await, Ok(Unspecified));
    world.site.seen("report 5").await;
    assert_eq!(point.send(report(6)).await, Ok(SendFull));
    world.site.seen("report 6").await;
    world.site.script().outcome = management::Outcome::Applied;
    let full = pb::StateReport { full: true, ..report(7) };
    assert_eq!(point.send(full).await, Ok(Unspecified));
    world.site.seen("report 7").await;
    assert_eq!(point.send(report(8)).await, Ok(Unspecified));
    point.stop().await;
}

/// Symptom: a computer that was put back to an earlier snapshot was not heard until its serials came
/// as far again. Repair: it is woken, and told after which serial to go on.
#[tokio::test(start_paused = true)]
async fn a_client_that_was_put_back_is_woken_and_told_what_the_site_knows() {
    use management::WakeUp::{Policy, State};

    let world = world();
    let mut point = world.start();
    let stream = point.client.wake(pb::WakeRequest {}).await.expect("an answer");
    let mut stream = stream.into_inner();
    let mut next = async || stream.message().await.expect("no refusal").map(|w| w.wake_up());
    assert_eq!(next().await, Some(Policy));
    world.site.script().outcome = management::Outcome::Behind;
    world.site.script().known_serial = 50;
    assert_eq!(point.send(report(42)).await, Ok(Unspecified));
    while next().await != Some(State) {}
    world.site.script().outcome = management::Outcome::Applied;
    let full = |serial| pb::StateReport { full: true, ..report(serial) };
    let answer = point.client.send_state(pb::SendStateRequest { report: Some(full(43)) }).await;
    let answer = answer.expect("an answer").into_inner();
    assert_eq!((answer.outcome(), answer.known_serial), (management::Outcome::Behind, 50));
    assert_eq!(point.send(full(51)).await, Ok(Unspecified));
    assert_eq!(world.site.seen("report 51").await, ["report 42", "report 51"]);
    point.shutdown.cancel();
    point.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_speaks_for_itself() {
    let world = world();
    let mut point = world.start();
    let others = pb::StateReport { client: client(2).as_bytes().to_vec(), ..report(1) };
    assert_eq!(point.send(others).await, Err(Code::PermissionDenied));
    let changes = vec![pb::StateChange::default(); rpc::limits::REPORT_CHANGES_MAX + 1];
    let large = pb::StateReport { changes, ..report(1) };
    assert_eq!(point.send(large).await, Err(Code::InvalidArgument));
    let mut enrolment = EnrolmentServiceClient::new(point.channel.clone());
    let request = enrolment::EnrolRequest { kind: "dp".to_owned(), ..Default::default() };
    let refused = enrolment.enrol(request).await.expect_err("only clients join here");
    assert_eq!(refused.code(), Code::PermissionDenied);
    point.stop().await;
}

#[tokio::test(start_paused = true)]
async fn cached_policy_is_served_alone() {
    let world = world();
    let mut point = world.start();
    assert_eq!(point.policy(0, &[]).await, (None, vec![]));
    world.site.script().head = Some(head(1, 2));
    let both = vec![b"a part".to_vec(), b"another".to_vec()];
    assert_eq!(point.policy(0, &[]).await, (Some(2), both.clone()));
    assert_eq!(point.policy(2, &[b"another"]).await, (None, vec![b"a part".to_vec()]));
    // A site server that was restored does not take policy back.
    world.site.script().head = Some(head(1, 1));
    assert_eq!(point.policy(0, &[]).await, (Some(2), both.clone()));
    world.site.script().is_away = true;
    point.stop().await;
    let mut point = world.start();
    assert_eq!(point.policy(1, &[]).await, (Some(2), both));
    world.site.script().is_away = false;
    world.site.script().head = Some(head(2, 3));
    let refused =
        point.client.get_policy(pb::GetPolicyRequest { incarnation: 1, ..Default::default() });
    assert_eq!(refused.await.expect_err("of another client").code(), Code::DataLoss);
    point.stop().await;
}

#[tokio::test(start_paused = true)]
async fn locations_are_remembered() {
    let world = world();
    let mut point = world.start();
    world.site.seen("listener").await;
    let mut locate = async |sha256: &[&[u8]]| {
        let sha256 = sha256.iter().map(|file| file.to_vec()).collect();
        let answer = point.client.get_locations(pb::GetLocationsRequest { sha256 }).await;
        answer.expect("an answer").into_inner().files.len()
    };
    assert_eq!(locate(&[b"one"]).await, 1);
    // The point itself says where its client is.
    world.site.seen("locations for 10.1.2.3").await;
    world.site.script().is_away = true;
    assert_eq!(locate(&[b"one", b"two"]).await, 1);
    point.stop().await;
}

#[tokio::test(start_paused = true)]
async fn wake_ups_reach_the_client_they_name() {
    use management::WakeUp::{Policy, Scan, State};

    let world = world();
    let mut point = world.start();
    world.site.seen("listener").await;
    let stream = point.client.wake(pb::WakeRequest {}).await.expect("an answer");
    let mut stream = stream.into_inner();
    let mut next = async || stream.message().await.expect("no refusal").map(|w| w.wake_up());
    assert_eq!(next().await, Some(Policy));
    let wake = |clients: &[u128], reason: management::WakeUp| {
        let clients = clients.iter().map(|number| client(*number).as_bytes().to_vec()).collect();
        let wake_up = management::WatchWakeUpsResponse { clients, wake_up: reason.into() };
        world.site.wake_ups.send(wake_up).expect("the point listens");
    };
    wake(&[3, 2], Policy);
    wake(&[3, 1, 2], Scan);
    assert_eq!(next().await, Some(Scan));
    wake(&[], Policy);
    assert_eq!(next().await, Some(Policy));
    wake(&[1], State);
    assert_eq!(next().await, Some(State));
    // Its next report hears at once that everything is wanted.
    assert_eq!(point.send(report(1)).await, Ok(management::Outcome::SendFull));
    assert_eq!(point.send(report(2)).await, Ok(management::Outcome::Unspecified));
    point.shutdown.cancel();
    point.stop().await;
}
