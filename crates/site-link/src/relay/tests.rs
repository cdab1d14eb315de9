//! A secondary site's relay between a management point and a primary that does what the test says.

use std::path::Path;

use ambient::Ambient;
use model::{
    HierarchyId, Owner, PeerIdentity, PeerKind, PolicyHead, SiteCode, SiteKind, Timestamp,
};
use site_db::{Executor, Identity};
use sqlite_engine::spool::Limits;
use testkit::management::FakeSite;
use testkit::objects;
use testkit::pki::Pki;
use tokio::task::JoinSet;
use tonic::Code;
use transport::Peer;
use uuid::Uuid;

use super::*;

fn code(text: &str) -> SiteCode {
    SiteCode::new(text).expect("a good code")
}

fn client(number: u8) -> ClientId {
    ClientId::from_slice(&[number; 16]).expect("sixteen bytes")
}

struct World {
    primary: FakeSite,
    relay: ManagementRelay,
    service: RelayService,
    shutdown: CancellationToken,
    _tasks: JoinSet<()>,
}

fn world() -> World {
    let ambient = Ambient::seeded(1, 1_000_000_000_000);
    let pki = Pki::new(&ambient);
    let hierarchy = pki.anchor().hierarchy();
    let owner = Owner { code: code("SE1"), uuid: Uuid::from_u128(1) };
    let (kind, parent) = (SiteKind::Secondary, Some(code("PR1")));
    let identity = Identity { hierarchy, owner, kind, parent };
    let trusted = (pki.site(owner.code).signer, pki.anchor().clone());
    let (memory, inline) = (Path::new(":memory:"), Executor::Inline);
    let db = SiteDb::open(memory, inline, identity, trusted, ambient).expect("a site");
    let limits = Limits { entries_max: 99, bytes_max: 9_999 };
    let spool = Spool::open(memory, inline, limits).expect("a spool");
    let statement = pki.site(code("PR1")).statement;
    let stated = Owner { code: code("PR1"), uuid: Uuid::from_u128(2) };
    db.write_blocking(move |w| w.note_statement(&stated, &statement)).expect("written");
    let (kind, id) = (PeerKind::Site, "SE1".to_owned());
    let primary = FakeSite::start(PeerIdentity { hierarchy, site: owner.code, kind, id });
    primary.script().parts = vec![b"a part".to_vec()];
    let relay = ManagementRelay::new(db, spool, &primary.connection());
    let shutdown = CancellationToken::new();
    let service = RelayService { relay: Arc::clone(&relay.0), shutdown: shutdown.clone() };
    let (mut tasks, running, stop) = (JoinSet::new(), relay.clone(), shutdown.clone());
    tasks.spawn(async move { running.run(stop).await.expect("it ends in order") });
    World { primary, relay, service, shutdown, _tasks: tasks }
}

impl World {
    async fn submit(&self, serial: u64) -> pb::Outcome {
        let report = rpc::pb::client::StateReport {
            client: client(1).as_bytes().to_vec(),
            serial_from: serial,
            serial_to: serial,
            digest_after: vec![0; 32],
            deployments_digest: vec![0; 32],
            ..Default::default()
        };
        let reports = vec![forward::encode_report(&report)];
        let request = pb::SubmitStatesRequest { reports, ..Default::default() };
        let request = calling(RoleKind::ManagementPoint, request);
        let answer = self.service.submit_states(request);
        let outcomes = answer.await.expect("safe in the spool").into_inner().outcomes;
        outcomes[0].try_into().expect("an outcome")
    }

    async fn head(&self, incarnation: u64) -> Option<pb::SignedHead> {
        let client = client(1).as_bytes().to_vec();
        let request = pb::GetPolicyRequest { client, incarnation, have_version: 0, voice: 0 };
        let request = calling(RoleKind::ManagementPoint, request);
        let answer = self.service.get_policy(request).await;
        answer.expect("an answer").into_inner().head
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_spool_reaches_the_primary_in_order() {
    let world = world();
    world.primary.script().is_away = true;
    let (home, client) = ("PR1".to_owned(), Vec::new());
    let request = pb::RegisterClientRequest { incarnation: 4, home, client, voice: 0 };
    let request = calling(RoleKind::ManagementPoint, request);
    world.service.register_client(request).await.expect("safe in the spool");
    for serial in 1..=2 {
        assert_eq!(world.submit(serial).await, pb::Outcome::Unspecified);
    }
    world.primary.script().is_away = false;
    let seen = world.primary.seen("report 2").await;
    assert_eq!(seen, ["registration 4 of PR1", "report 1", "report 2"]);
    world.primary.script().outcome = pb::Outcome::SendFull;
    world.submit(9).await;
    world.primary.seen("report 9").await;
    assert_eq!(world.submit(10).await, pb::Outcome::SendFull);
    world.primary.script().outcome = pb::Outcome::Applied;
    world.primary.seen("report 10").await;
    // A client that was put back hears after which report it goes on, which is no use to anybody.
    world.primary.script().outcome = pb::Outcome::Behind;
    world.primary.script().known_serial = 50;
    let mut woken = world.relay.0.wake_ups.subscribe();
    world.submit(11).await;
    world.primary.seen("report 11").await;
    assert_eq!(world.submit(12).await, pb::Outcome::Behind);
    world.primary.script().outcome = pb::Outcome::Applied;
    assert_eq!(world.submit(51).await, pb::Outcome::Unspecified);
    let seen = world.primary.seen("report 51").await;
    assert_eq!(seen[seen.len() - 2..], ["report 11", "report 51"]);
    assert!(woken.try_recv().is_err(), "it was woken just before");
}

#[tokio::test(start_paused = true)]
async fn inventories_take_the_same_way_and_a_gap_is_passed_on() {
    let world = world();
    let submit = async |serial: u64| {
        let report = rpc::pb::client::InventoryReport {
            client: client(1).as_bytes().to_vec(),
            serial,
            digest_after: vec![0; 32],
            ..Default::default()
        };
        let reports = vec![forward::encode_inventory(&report)];
        let request = pb::SubmitInventoriesRequest { reports, ..Default::default() };
        let request = calling(RoleKind::ManagementPoint, request);
        let answer = world.service.submit_inventories(request).await.expect("safe in the spool");
        pb::Outcome::try_from(answer.into_inner().outcomes[0]).expect("an outcome")
    };
    world.primary.script().is_away = true;
    assert_eq!(submit(1).await, pb::Outcome::Unspecified);
    world.primary.script().is_away = false;
    world.primary.script().outcome = pb::Outcome::SendFull;
    world.primary.seen("inventory 1").await;
    assert_eq!(world.primary.script().voices, [i32::from(pb::Voice::Agents)]);
    assert_eq!(submit(2).await, pb::Outcome::SendFull);
    // The gap of inventories is none of states.
    assert_eq!(world.submit(1).await, pb::Outcome::Unspecified);
}

fn calling<T>(role: RoleKind, message: T) -> Request<T> {
    let (hierarchy, kind) = (HierarchyId(Uuid::from_u128(7)), PeerKind::Role(role));
    let identity = PeerIdentity { hierarchy, site: code("SE1"), kind, id: "role".to_owned() };
    let peer = Peer { identity: Some(Arc::new(identity)), address: "test".into() };
    let mut request = Request::new(message);
    request.extensions_mut().insert(peer);
    request
}

#[tokio::test(start_paused = true)]
async fn windows_computers_are_taken_by_the_primary_itself() {
    let world = world();
    let register = async |role, kind, incarnation| {
        let record = ClientRecord { kind, ..objects::client(1, "SE1") };
        let (client, home) = (record.encode(), "SE1".to_owned());
        let request = pb::RegisterClientRequest { client, incarnation, home, voice: 0 };
        let answer = world.service.register_client(calling(role, request)).await;
        answer.map(drop).map_err(|status| status.code())
    };
    let (sup, mp) = (RoleKind::SoftwareUpdatePoint, RoleKind::ManagementPoint);
    assert_eq!(register(sup, ClientKind::Windows, 1).await, Ok(()));
    assert_eq!(world.primary.script().registrations.len(), 1);
    world.primary.script().refused = 2;
    assert_eq!(register(sup, ClientKind::Windows, 2).await, Err(Code::AlreadyExists));
    world.primary.script().is_away = true;
    assert_eq!(register(sup, ClientKind::Windows, 3).await, Err(Code::Unavailable));
    assert_eq!(register(sup, ClientKind::Agent, 4).await, Err(Code::AlreadyExists));
    assert_eq!(register(mp, ClientKind::Windows, 4).await, Err(Code::AlreadyExists));
    assert_eq!(register(mp, ClientKind::Agent, 5).await, Ok(()), "safe in the spool");
}

/// Symptom: an update point of a secondary site could report for every agent, and a management
/// point for every Windows computer. Cause: the primary took whatever a secondary site sent, and the
/// relay sent whatever came. Repair: the relay says which role called it, also of what waited.
#[tokio::test(start_paused = true)]
async fn the_primary_hears_which_role_spoke() {
    let world = world();
    let (sup, mp) = (RoleKind::SoftwareUpdatePoint, RoleKind::ManagementPoint);
    world.primary.script().is_away = true;
    for (role, serial) in [(sup, 1), (mp, 2), (mp, 3), (sup, 4)] {
        let report = rpc::pb::client::StateReport {
            client: client(1).as_bytes().to_vec(),
            serial_from: serial,
            serial_to: serial,
            digest_after: vec![0; 32],
            deployments_digest: vec![0; 32],
            ..Default::default()
        };
        // What the role claims is not passed on.
        let voice = pb::Voice::Agents.into();
        let reports = vec![forward::encode_report(&report)];
        let request =
            calling(role, pb::SubmitStatesRequest { reports, voice, ..Default::default() });
        world.service.submit_states(request).await.expect("safe in the spool");
    }
    world.primary.script().is_away = false;
    world.primary.seen("report 4").await;
    let (windows, agents) = (pb::Voice::Windows.into(), pb::Voice::Agents.into());
    assert_eq!(world.primary.script().voices, [windows, agents, windows]);
    // Each submission says what waits behind it.
    assert_eq!(world.primary.script().backlogs, [(3, 0), (1, 0), (0, 0)]);
    for role in [sup, mp] {
        let client = client(1).as_bytes().to_vec();
        let ask = pb::GetPolicyRequest { client, voice: windows, ..Default::default() };
        world.service.get_policy(calling(role, ask)).await.expect("an answer");
    }
    assert_eq!(world.primary.script().voices[3..], [windows, agents]);
    let request = calling(RoleKind::DistributionPoint, pb::SubmitStatesRequest::default());
    let refused = world.service.submit_states(request).await.expect_err("is refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn policy_that_passed_through_is_handed_out_alone() {
    let world = world();
    let name = Sha256(sha2::Sha256::digest(b"a part").into());
    world.primary.script().head = Some(PolicyHead {
        hierarchy: HierarchyId(Uuid::from_u128(7)),
        site: code("PR1"),
        client: client(1),
        incarnation: 1,
        version: 3,
        signed_at: Timestamp(0),
        expires: Timestamp(1),
        parts: vec![name],
    });
    let parts = async || {
        let digests = vec![vec![0; 32], name.0.to_vec()];
        let answer = world.service.get_parts(Request::new(pb::GetPartsRequest { digests })).await;
        answer.expect("an answer").into_inner().parts
    };
    let passed = world.head(1).await.expect("a head");
    assert_eq!(parts().await, [b"a part"]);
    world.primary.script().is_away = true;
    let kept = world.head(1).await.expect("a head");
    assert_eq!((&kept.head, &kept.signature), (&passed.head, &passed.signature));
    let stated = world.relay.0.db.read_blocking(|r| r.key_statement(code("PR1")));
    assert_eq!(Some(kept.key_statement), stated.expect("read"));
    assert_eq!(world.head(2).await, None);
    assert_eq!(parts().await, [b"a part"]);
    let sha256 = vec![name.0.to_vec()];
    let ask = pb::GetLocationsRequest { sha256, ..Default::default() };
    let locations = world.service.get_locations(Request::new(ask));
    assert_eq!(locations.await.expect("an answer").into_inner().files, []);
}

#[tokio::test(start_paused = true)]
async fn wake_ups_are_passed_on_until_the_end() {
    let world = world();
    let stream = world.service.watch_wake_ups(Request::new(pb::WatchWakeUpsRequest {})).await;
    let mut stream = stream.expect("an answer").into_inner();
    world.primary.seen("listener").await;
    let scan = pb::WatchWakeUpsResponse {
        clients: vec![client(1).as_bytes().to_vec()],
        wake_up: pb::WakeUp::Scan.into(),
    };
    world.primary.wake_ups.send(scan.clone()).expect("the relay listens");
    let mut next = async || stream.next().await.map(|wake_up| wake_up.expect("no refusal"));
    assert_eq!(next().await, Some(everybody()));
    assert_eq!(next().await, Some(scan));
    world.shutdown.cancel();
    assert_eq!(next().await, None);
}
