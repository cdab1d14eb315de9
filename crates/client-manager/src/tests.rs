//! Two sites with real databases, called as management points call them.

use std::path::Path;
use std::sync::Mutex;

use ambient::Ambient;
use compliance::{LiveItem, StateCounts};
use model::{
    ClientRecord, ComplianceState, ContentFile, ContentManifest, ContentState, DistributionState,
    EnforcementState, Group, ObjectCode, Owner, PeerIdentity, PeerKind, Position, RefusedServer,
    Revocation, RoleId, RoleKind, RoleRecord, Sha256, SiteCode, SiteKind, StateChange, StateReport,
    StreamId, Timestamp, UpdateId, UpdateRef, UpdateState, Vector, state_digest,
};
use rpc::object::ObjectBody as _;
use rpc::pb::management as pb;
use rpc::pb::management::management_service_server::ManagementService as _;
use site_db::{Batch, BatchLimits, BatchRead, Executor, Identity, Own, Recovering, StatusFilter};
use testkit::objects::{self, item};
use testkit::pki::Pki;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use transport::Peer;
use uuid::Uuid;

use super::*;

const MP: PeerKind = PeerKind::Role(RoleKind::ManagementPoint);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn client(number: u128) -> ClientId {
    ClientId(id(number))
}

fn update(number: u32) -> UpdateId {
    UpdateId(id(u128::from(number)))
}

fn code(text: &str) -> SiteCode {
    SiteCode::new(text).expect("a good code")
}

struct Site {
    db: SiteDb,
    manager: ClientManager,
    service: Management,
    statement: Vec<u8>,
    heads: Arc<Mutex<Option<StoredHead>>>,
}

/// CAS and its primary PR1.
fn sites() -> (Site, Site) {
    let ambient = Ambient::seeded(1, 1_000_000_000_000);
    let pki = Pki::new(&ambient);
    let site = |name, kind, parent: Option<&str>| {
        let owner = Owner { code: code(name), uuid: id(1) };
        let (hierarchy, parent) = (pki.anchor().hierarchy(), parent.map(code));
        let identity = Identity { hierarchy, owner, kind, parent };
        let keys = pki.site(owner.code);
        let (path, trusted) = (Path::new(":memory:"), (keys.signer, pki.anchor().clone()));
        let db = SiteDb::open(path, Executor::Inline, identity, trusted, ambient.clone());
        let db = db.expect("a site");
        let heads: Arc<Mutex<Option<StoredHead>>> = Arc::default();
        let signed = Arc::clone(&heads);
        let deps = Deps {
            db: db.clone(),
            heads: Arc::new(move |_, _| {
                let head = signed.lock().expect("nobody panicked").clone();
                Box::pin(async move { Ok(head) })
            }),
            wake_ups: WakeUps::default(),
        };
        let manager = ClientManager::new(deps);
        let service = Management::new(manager.clone(), CancellationToken::new());
        Site { db, manager, service, statement: keys.statement, heads }
    };
    (site("CAS", SiteKind::Central, None), site("PR1", SiteKind::Primary, Some("CAS")))
}

fn from<T>(site: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let hierarchy = model::HierarchyId(id(7));
    let identity = PeerIdentity { hierarchy, site: code(site), kind: MP, id: "mp".to_owned() };
    let peer = Peer { identity: Some(Arc::new(identity)), address: "test".into() };
    request.extensions_mut().insert(peer);
    request
}

/// Everything a client knows, by its `serial`-th message: these updates are required.
fn report(number: u128, serial: u64, required: &[u32]) -> StateReport {
    let change = |number: &u32| StateChange {
        update: UpdateRef { id: update(*number), revision: 1 },
        state: UpdateState { state: ComplianceState::Required, enforcement: None },
        at: Timestamp(5),
    };
    let states = required.iter().map(|n| (update(*n), ComplianceState::Required));
    StateReport {
        client: client(number),
        incarnation: 1,
        serial_from: serial,
        serial_to: serial,
        covered: 1,
        scanned_at: Timestamp(4),
        scan_error: None,
        full: true,
        changes: required.iter().map(change).collect(),
        digest_after: state_digest(states),
        refused: Vec::new(),
    }
}

impl Site {
    async fn register(&self, number: u128, home: &str) -> Result<(), Code> {
        let (client, home) = (objects::client(number, "ZZZ").encode(), home.to_owned());
        let request = pb::RegisterClientRequest { client, incarnation: 1, home };
        let answer = self.service.register_client(from("SE1", request)).await;
        answer.map(drop).map_err(|status| status.code())
    }

    async fn submit(&self, reports: Vec<Vec<u8>>) -> Vec<pb::Outcome> {
        let request = from("PR1", pb::SubmitStatesRequest { reports });
        let answer = self.service.submit_states(request).await.expect("an answer").into_inner();
        answer.outcomes.into_iter().map(|o| o.try_into().expect("an outcome")).collect()
    }

    async fn say(&self, report: &StateReport) -> pb::Outcome {
        self.submit(vec![rpc::convert::encode_report(report)]).await[0]
    }

    fn vector(&self, number: u128) -> Option<Vector> {
        self.db.read_blocking(move |r| r.vector(client(number))).expect("read")
    }

    fn write(&self, group: Group, changes: Vec<Own>) {
        self.db.write_blocking(move |w| w.write_own(group, changes)).expect("written");
    }

    /// What the board says of an update, after making sure that it says what the vectors say.
    fn counts(&self, number: u32) -> Option<StateCounts> {
        let read = self.db.read_blocking(|r| {
            let mut vectors = Vec::new();
            r.visit_standings(|s| vectors.extend(s.vector.and_then(|v| v.vector)))?;
            Ok::<_, site_db::Error>(vectors)
        });
        let vectors = read.expect("read");
        self.manager.board().read(|board| {
            assert_eq!(board.differences(vectors), []);
            board.update_counts(LiveItem { number, since: 1 })
        })
    }

    /// Takes the news of `owner`'s stream of a group, as over a link.
    fn follow(&self, from: &Site, group: Group) {
        let owner = from.db.identity().owner;
        let (stream, statement) = (StreamId { group, owner }, from.statement.clone());
        let theirs = from.db.read_blocking(move |r| r.stream(stream)).expect("read");
        let epoch = theirs.expect("something to take").local.position.epoch;
        let start = self.db.write_blocking(move |w| {
            w.note_statement(&owner, &statement)?;
            w.begin_stream(stream, epoch)?;
            Ok::<_, site_db::Error>(w.stream(stream)?.map(|s| s.local.position))
        });
        let start: Position = start.expect("written").expect("begun");
        let limits = BatchLimits { bytes: usize::MAX, transactions: usize::MAX };
        let at = [(owner, start)].into_iter().collect();
        let read = from.db.read_blocking(move |r| r.read_batch(group, (0, &at), limits));
        let BatchRead::Entries { entries, .. } = read.expect("read") else {
            panic!("there is something new");
        };
        let batch = Batch { number: 1, from: vec![(stream, start)], entries };
        self.db.write_blocking(move |w| w.apply_batch(&batch)).expect("applied");
    }
}

fn required(count: u64) -> StateCounts {
    StateCounts { required: count, ..StateCounts::default() }
}

#[tokio::test]
async fn a_report_counts_once_whichever_way_it_comes() {
    let (_, pr1) = sites();
    assert_eq!(pr1.counts(1), None, "the board is warming up");
    pr1.write(Group::Clients, vec![Own::put(&objects::client(8, "PR1"))]);
    assert_eq!(pr1.manager.step().await.expect("a pass"), Kept::Rebuilt);
    pr1.register(9, "PR1").await.expect("registered");
    let item = Own::put(&item(1));
    // The stand-in for the top-level site's catalog.
    pr1.write(Group::Catalog, vec![item]);
    let first = report(9, 1, &[1]);
    assert_eq!(pr1.say(&first).await, pb::Outcome::Applied);
    assert_eq!(pr1.say(&first).await, pb::Outcome::Known);
    assert_eq!(pr1.counts(1), Some(StateCounts { unknown: 1, ..required(1) }));
    let progress = StateReport {
        serial_from: 2,
        serial_to: 2,
        full: false,
        changes: vec![StateChange {
            state: UpdateState {
                enforcement: Some((EnforcementState::Installing, 0)),
                ..first.changes[0].state
            },
            ..first.changes[0]
        }],
        ..first.clone()
    };
    let later = StateReport { serial_from: 4, serial_to: 4, ..progress.clone() };
    assert_eq!(pr1.say(&later).await, pb::Outcome::SendFull);
    assert_eq!(pr1.say(&report(9, 5, &[])).await, pb::Outcome::Applied);
    assert_eq!(pr1.say(&progress).await, pb::Outcome::Known);
    let counts = StateCounts { not_required: 1, unknown: 1, ..StateCounts::default() };
    assert_eq!(pr1.counts(1), Some(counts));
    let older = StateReport { incarnation: 0, full: false, ..report(9, 9, &[]) };
    assert_eq!(pr1.say(&older).await, pb::Outcome::SendFull);
    assert_eq!(pr1.manager.step().await.expect("a pass"), Kept::Followed);
}

#[tokio::test]
async fn what_a_client_cannot_judge_and_whom_it_refuses_is_seen() {
    let (_, pr1) = sites();
    pr1.manager.step().await.expect("a pass");
    pr1.register(9, "PR1").await.expect("registered");
    pr1.write(Group::Catalog, vec![Own::put(&item(1))]);
    let mut said = report(9, 1, &[1]);
    said.changes[0].state.state = ComplianceState::Unknown;
    said.digest_after = state_digest([(update(1), ComplianceState::Unknown)]);
    let (url, reason) = ("http://dp".to_owned(), "other bytes".to_owned());
    said.refused = vec![RefusedServer { url: url.clone(), reason: reason.clone() }];
    for outcome in [pb::Outcome::Applied, pb::Outcome::Known] {
        assert_eq!(pr1.say(&said).await, outcome);
    }
    // The next report builds on it.
    let next = StateReport { serial_from: 2, serial_to: 2, full: false, ..said.clone() };
    let next = StateReport { changes: Vec::new(), refused: Vec::new(), ..next };
    assert_eq!(pr1.say(&next).await, pb::Outcome::Applied);
    let vector = pr1.vector(9).expect("it was written");
    assert_eq!((&vector.unjudged[..], &vector.required[..]), (&[1][..], &[][..]));
    assert_eq!(pr1.counts(1), Some(StateCounts { unknown: 1, ..StateCounts::default() }));
    let read = pr1.db.read_blocking(|r| r.status_messages(&StatusFilter::default(), 9));
    let messages = read.expect("read");
    let refusals = messages.iter().map(|(_, message)| (message.id, message.strings.clone()));
    assert_eq!(refusals.collect::<Vec<_>>(), [(60_120, vec![url, reason])], "said once");
}

#[tokio::test]
async fn the_top_counts_what_the_primary_counts() {
    let (cas, pr1) = sites();
    cas.manager.step().await.expect("a pass");
    pr1.manager.step().await.expect("a pass");
    cas.write(Group::Catalog, vec![Own::put(&item(1))]);
    pr1.follow(&cas, Group::Catalog);
    for number in [8, 9] {
        pr1.register(number, "PR1").await.expect("registered");
    }
    assert_eq!(pr1.say(&report(8, 1, &[1])).await, pb::Outcome::Applied);
    // Client 9 was scanned against a catalog that is ahead of this site.
    assert_eq!(pr1.say(&report(9, 1, &[1, 2])).await, pb::Outcome::Applied);
    assert_eq!(pr1.counts(2), Some(StateCounts { not_required: 2, ..StateCounts::default() }));
    cas.follow(&pr1, Group::Clients);
    cas.follow(&pr1, Group::State);
    assert_eq!(cas.manager.step().await.expect("a pass"), Kept::Followed);
    assert_eq!(cas.counts(1), Some(required(2)));

    cas.write(Group::Catalog, vec![Own::put(&item(2))]);
    pr1.follow(&cas, Group::Catalog);
    assert_eq!(pr1.vector(9).expect("a vector").required, [1, 2]);
    pr1.manager.step().await.expect("a pass");
    cas.follow(&pr1, Group::State);
    cas.manager.step().await.expect("a pass");
    assert_eq!(pr1.counts(2), Some(StateCounts { not_required: 1, ..required(1) }));
    assert_eq!((cas.counts(1), cas.counts(2)), (pr1.counts(1), pr1.counts(2)));

    // Replication brings the deletion of the record before that of the vector.
    pr1.db.write_blocking(|w| w.remove_client(client(9))).expect("written");
    cas.follow(&pr1, Group::Clients);
    cas.manager.step().await.expect("a pass");
    cas.follow(&pr1, Group::State);
    cas.manager.step().await.expect("a pass");
    assert_eq!(cas.counts(1), Some(required(1)));
    // A copy that was given up leaves no trace in the log, yet the board follows.
    let state = StreamId { group: Group::State, owner: pr1.db.identity().owner };
    cas.db.write_blocking(move |w| w.forget_stream(state)).expect("written");
    assert_eq!(cas.manager.step().await.expect("a pass"), Kept::Rebuilt);
    assert_eq!(cas.counts(1), Some(StateCounts { unknown: 1, ..StateCounts::default() }));
}

#[tokio::test]
async fn only_ones_own_clients_are_heard() {
    let (cas, pr1) = sites();
    assert_eq!(pr1.register(9, "PR2").await, Err(Code::AlreadyExists));
    cas.write(Group::Clients, vec![Own::put(&objects::client(7, "CAS"))]);
    pr1.follow(&cas, Group::Clients);
    assert_eq!(pr1.register(7, "PR1").await, Err(Code::AlreadyExists));
    let (hierarchy, kind) = (pr1.db.identity().hierarchy, PeerKind::Client);
    let id = client(6).to_string();
    let identity = PeerIdentity { hierarchy, site: code("PR1"), kind, id }.to_string();
    let gone = Revocation { identity, at: Timestamp(0), reason: String::new() };
    pr1.write(Group::Topology, vec![Own::put(&gone)]);
    assert_eq!(pr1.register(6, "PR1").await, Err(Code::AlreadyExists));

    pr1.register(9, "PR1").await.expect("registered");
    let kept = pr1.db.read_blocking(|r| r.require::<ClientRecord>(client(9).as_bytes()));
    let kept = kept.expect("a record");
    assert_eq!((kept.site, kept.seen_on.0 % (24 * 60 * 60 * 1000)), (code("SE1"), 0));
    let encoded = |number| rpc::convert::encode_report(&report(number, 1, &[]));
    let reports = vec![encoded(5), vec![0xff], encoded(9)];
    let rejected = pb::Outcome::Rejected;
    assert_eq!(pr1.submit(reports).await, [rejected, rejected, pb::Outcome::Applied]);
    assert_eq!(pr1.vector(5), None);
    // Who calls a recovering site keeps what he has.
    let recovering = Recovering::Yes(site_db::Losses::Refused);
    pr1.db.write_blocking(move |w| w.set_recovering(recovering)).expect("written");
    assert_eq!(pr1.register(4, "PR1").await, Err(Code::Unavailable));
    let count = pr1.db.read_blocking(|r| r.counter("state_reports_rejected"));
    assert_eq!(count.expect("read"), 2);
}

#[tokio::test]
async fn policy_goes_out_as_it_was_signed() {
    let (_, pr1) = sites();
    let ask = |have_version| {
        let client = client(9).as_bytes().to_vec();
        from("PR1", pb::GetPolicyRequest { client, incarnation: 1, have_version })
    };
    let version = async |have| {
        let answer = pr1.service.get_policy(ask(have)).await.expect("an answer");
        answer.into_inner().head.map(|head| head.head)
    };
    assert_eq!(version(0).await, None);
    let head = StoredHead {
        incarnation: 1,
        version: 3,
        head: vec![1, 2],
        signature: vec![3],
        parts: Vec::new(),
    };
    *pr1.heads.lock().expect("nobody panicked") = Some(head);
    assert_eq!((version(2).await, version(3).await), (Some(vec![1, 2]), None));
    let digest = |number| Sha256([number; 32]);
    pr1.db.write_blocking(move |w| w.put_part(&digest(2), b"two")).expect("written");
    let digests = [1, 2].map(|number| digest(number).0.to_vec()).to_vec();
    let parts = pr1.service.get_parts(from("PR1", pb::GetPartsRequest { digests })).await;
    assert_eq!(parts.expect("an answer").into_inner().parts, [b"two"]);
}

#[tokio::test]
async fn clients_are_sent_to_the_nearest_points() {
    let (_, pr1) = sites();
    let file = Sha256([4; 32]);
    let package = ObjectCode::new("PR100001").expect("a code");
    let point = |number: u128, site: &str| RoleRecord {
        id: RoleId(id(number)),
        site: code(site),
        kind: RoleKind::DistributionPoint,
        name: String::new(),
        url: format!("https://{site}"),
        http_url: format!("http://{site}"),
        joined_at: Timestamp(0),
    };
    let state = |number: u128, state| DistributionState {
        package: package.clone(),
        version: 1,
        point: RoleId(id(number)),
        site: code("PR1"),
        state,
        files: 1,
        bytes: 1,
        reason: String::new(),
        at: Timestamp(0),
    };
    let states = [
        state(1, ContentState::Installed),
        state(2, ContentState::Installed),
        state(3, ContentState::Transferring),
    ];
    let files = vec![ContentFile { sha256: file, size: 1, name: "a".to_owned() }];
    let targets = [1, 2, 3].map(|number| RoleId(id(number))).to_vec();
    let manifest = ContentManifest { package: package.clone(), version: 1, files, targets };
    let points = [point(1, "PR1"), point(2, "SE1"), point(3, "SE2")];
    pr1.write(Group::Topology, points.iter().map(Own::put).chain([Own::put(&manifest)]).collect());
    pr1.db.write_blocking(move |w| w.save_content_states(&states)).expect("written");
    let locate = async |caller| {
        let (client, sha256) = (Vec::new(), vec![file.0.to_vec(), vec![0; 32]]);
        let request = from(caller, pb::GetLocationsRequest { client, sha256 });
        let answer = pr1.service.get_locations(request).await.expect("an answer").into_inner();
        let urls = |file: pb::FileLocations| file.points.into_iter().map(|p| p.http_url).collect();
        answer.files.into_iter().map(urls).collect::<Vec<Vec<String>>>()
    };
    // Nothing is said of a file that is nowhere yet.
    assert_eq!(locate("SE1").await, [["http://SE1", "http://PR1"]]);
    assert_eq!(locate("PR1").await, [["http://PR1", "http://SE1"]]);
}

#[tokio::test]
async fn wake_ups_reach_who_listens() {
    let (_, pr1) = sites();
    let wake_ups = &pr1.manager.deps.wake_ups;
    wake_ups.wake(&[client(1)], Reason::Scan);
    let stream = pr1.service.watch_wake_ups(from("PR1", pb::WatchWakeUpsRequest {})).await;
    let mut stream = stream.expect("an answer").into_inner();
    wake_ups.wake(&[], Reason::Scan);
    wake_ups.wake(&[client(2)], Reason::Scan);
    let heard = stream.next().await.expect("a wake-up").expect("no refusal");
    assert_eq!(
        (heard.wake_up(), heard.clients),
        (pb::WakeUp::Scan, vec![client(2).as_bytes().to_vec()])
    );
    for _ in 0..=limits::WAKE_UPS_WAITING {
        wake_ups.wake(&[client(2)], Reason::Scan);
    }
    let everybody = stream.next().await.expect("a wake-up").expect("no refusal");
    assert_eq!((everybody.wake_up(), everybody.clients), (pb::WakeUp::Policy, Vec::new()));
}
