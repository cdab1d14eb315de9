//! Two sites with real databases, called as management points call them.

use std::path::Path;
use std::sync::Mutex;

use ambient::Ambient;
use compliance::{BoardWriter, LiveItem, StateCounts};
use expect_test::expect;
use model::{
    ClientKind, ClientRecord, ComplianceState, EnforcementState, GivenUpVersion, Group, Owner,
    PeerIdentity, PeerKind, Position, RefusedServer, Revocation, RoleKind, SetAside, Sha256,
    SiteCode, SiteKind, StateChange, StateReport, StreamId, Timestamp, UpdateId, UpdateRef,
    UpdateState, Vector, deployment_digest, state_digest,
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

mod inventories;
mod locations;

const MP: PeerKind = PeerKind::Role(RoleKind::ManagementPoint);
const SUP: PeerKind = PeerKind::Role(RoleKind::SoftwareUpdatePoint);

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
        let manager = ClientManager::new(deps, BoardWriter::default());
        let service = Management::new(manager.clone(), CancellationToken::new());
        Site { db, manager, service, statement: keys.statement, heads }
    };
    (site("CAS", SiteKind::Central, None), site("PR1", SiteKind::Primary, Some("CAS")))
}

fn from<T>(site: &str, message: T) -> Request<T> {
    calling(MP, site, message)
}

fn calling<T>(kind: PeerKind, site: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let hierarchy = model::HierarchyId(id(7));
    let identity = PeerIdentity { hierarchy, site: code(site), kind, id: "role".to_owned() };
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
        deployments: Vec::new(),
        deployments_digest: deployment_digest([]),
        scan: None,
        refused: Vec::new(),
        given_up: Vec::new(),
        set_aside: Vec::new(),
    }
}

impl Site {
    async fn register(&self, number: u128, home: &str) -> Result<(), Code> {
        let (client, home) = (objects::client(number, "ZZZ").encode(), home.to_owned());
        let request =
            pb::RegisterClientRequest { client, incarnation: 1, home, ..Default::default() };
        let answer = self.service.register_client(from("SE1", request)).await;
        answer.map(drop).map_err(|status| status.code())
    }

    async fn submit(&self, reports: Vec<Vec<u8>>) -> Vec<pb::Outcome> {
        let request = from("PR1", pb::SubmitStatesRequest { reports, ..Default::default() });
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
    assert_eq!(pr1.say(&progress).await, pb::Outcome::Behind);
    let counts = StateCounts { not_required: 1, unknown: 1, ..StateCounts::default() };
    assert_eq!(pr1.counts(1), Some(counts));
    let older = StateReport { incarnation: 0, full: false, ..report(9, 9, &[]) };
    assert_eq!(pr1.say(&older).await, pb::Outcome::SendFull);
    assert_eq!(pr1.manager.step().await.expect("a pass"), Kept::Followed);
}

#[tokio::test]
async fn a_client_that_was_put_back_is_counted_as_it_is() {
    let (_, pr1) = sites();
    pr1.manager.step().await.expect("a pass");
    pr1.register(9, "PR1").await.expect("registered");
    pr1.write(Group::Catalog, vec![Own::put(&item(1))]);
    assert_eq!(pr1.say(&report(9, 50, &[])).await, pb::Outcome::Applied);
    let say = async |serial: u64| {
        let reports = vec![rpc::convert::encode_report(&report(9, serial, &[1]))];
        let request = from("PR1", pb::SubmitStatesRequest { reports, ..Default::default() });
        let answer = pr1.service.submit_states(request).await.expect("an answer").into_inner();
        (answer.outcomes().next().expect("an outcome"), answer.known_serials)
    };
    assert_eq!(say(41).await, (pb::Outcome::Behind, vec![50]));
    let counts = StateCounts { not_required: 1, ..StateCounts::default() };
    assert_eq!(pr1.counts(1), Some(counts));
    assert_eq!(say(50).await, (pb::Outcome::SendFull, vec![0]), "it said something else by that");
    let counts = StateCounts { unknown: 1, ..StateCounts::default() };
    assert_eq!(pr1.counts(1), Some(counts));
    assert_eq!(say(51).await, (pb::Outcome::Applied, vec![0]));
    assert_eq!(pr1.counts(1), Some(required(1)));
}

#[tokio::test]
async fn who_shall_say_everything_again_hears_so_until_he_has() {
    let (_, pr1) = sites();
    pr1.manager.step().await.expect("a pass");
    pr1.register(9, "PR1").await.expect("registered");
    let first = report(9, 1, &[1]);
    assert_eq!(pr1.say(&first).await, pb::Outcome::Applied);
    pr1.db.write_blocking(|w| w.want_everything(client(9))).expect("written");
    let next = |serial| StateReport {
        serial_from: serial,
        full: false,
        changes: Vec::new(),
        ..report(9, serial, &[1])
    };
    let next = |serial| StateReport { digest_after: first.digest_after, ..next(serial) };
    assert_eq!(pr1.say(&next(2)).await, pb::Outcome::SendFull);
    assert_eq!(pr1.vector(9).map(|vector| (vector.serial, vector.gap)), Some((2, false)));
    assert_eq!(pr1.say(&next(2)).await, pb::Outcome::SendFull, "it counts once all the same");
    assert_eq!(pr1.say(&report(9, 3, &[1])).await, pb::Outcome::Applied);
    assert_eq!(pr1.say(&next(4)).await, pb::Outcome::Applied);
}

#[tokio::test]
async fn what_callers_hold_is_known_by_their_last_word() {
    let (_, pr1) = sites();
    pr1.register(9, "PR1").await.expect("registered");
    for (waiting, set_aside) in [(700, 0), (0, 2)] {
        let reports = vec![vec![0xff]];
        let request = pb::SubmitStatesRequest { reports, waiting, set_aside, ..Default::default() };
        pr1.service.submit_states(from("PR1", request)).await.expect("an answer");
        let backlogs = pr1.db.read_blocking(|r| r.backlogs()).expect("read").into_iter();
        let known: Vec<_> = backlogs.map(|b| (b.caller.kind, b.waiting, b.set_aside)).collect();
        assert_eq!(known, [(MP, waiting, set_aside)]);
    }
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
    let next = StateReport {
        changes: Vec::new(),
        refused: Vec::new(),
        given_up: vec![GivenUpVersion {
            version: "1.4.0".to_owned(),
            running: "1.3.0".to_owned(),
            code: 0x8007_042B_u32.cast_signed(),
            reason: "it ended by itself too often".to_owned(),
        }],
        set_aside: vec![SetAside {
            what: "the agent's memory".to_owned(),
            reason: "it is damaged".to_owned(),
            count: 3,
        }],
        ..next
    };
    assert_eq!(pr1.say(&next).await, pb::Outcome::Applied);
    let vector = pr1.vector(9).expect("it was written");
    assert_eq!((&vector.unjudged[..], &vector.required[..]), (&[1][..], &[][..]));
    assert_eq!(pr1.counts(1), Some(StateCounts { unknown: 1, ..StateCounts::default() }));
    let read = pr1.db.read_blocking(|r| r.status_messages(&StatusFilter::default(), 9));
    let messages = read.expect("read");
    let refusals = messages.iter().map(|(_, message)| (message.id, message.strings.clone()));
    let given_up = ["1.4.0", "it ended by itself too often", "0x8007042B", "1.3.0"];
    let set_aside = ["the agent's memory", "it is damaged", "3"];
    let expected = [
        (60_120, vec![url.clone(), reason.clone()]),
        (60_121, given_up.map(str::to_owned).to_vec()),
        (60_122, set_aside.map(str::to_owned).to_vec()),
    ];
    assert_eq!(refusals.collect::<Vec<_>>(), expected, "said once");
}

/// Symptom: a client that kept refusing a server filled the status messages of all sites. Cause: each
/// of its reports made as many as it liked. Repair: one for each server and day, and some in all.
#[tokio::test]
async fn a_refused_server_is_news_once_a_day() {
    let (_, pr1) = sites();
    pr1.register(9, "PR1").await.expect("registered");
    for serial in 1..=20 {
        let refused = ["http://dp", &format!("http://dp{serial}")]
            .map(|url| RefusedServer { url: url.to_owned(), reason: String::new() });
        let said = StateReport { refused: refused.to_vec(), ..report(9, serial, &[]) };
        assert_eq!(pr1.say(&said).await, pb::Outcome::Applied);
    }
    let read = pr1.db.read_blocking(|r| r.status_messages(&StatusFilter::default(), 99));
    assert_eq!(read.expect("read").len(), limits::REFUSALS_PER_DAY);
    let (refusals, day) = (refusals::Refusals::default(), limits::DAY_MS);
    let is_news = |at| refusals.is_news(client(9), "http://dp", Timestamp(at));
    assert_eq!([0, day - 1, day, 0].map(is_news), [true, false, true, true]);
    refusals.forget();
    assert!(is_news(0));
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
async fn windows_computers_come_by_an_update_point_and_others_never() {
    let (cas, pr1) = sites();
    let register = async |at: &Site, (caller, voice): (PeerKind, pb::Voice), number, kind| {
        let record = ClientRecord { kind, ..objects::client(number, "PR1") };
        let (client, home) = (record.encode(), at.db.identity().code().to_string());
        let voice = voice.into();
        let request = pb::RegisterClientRequest { client, incarnation: 1, home, voice };
        let answer = at.service.register_client(calling(caller, "PR1", request)).await;
        answer.map(drop).map_err(|status| status.message().to_owned())
    };
    use ClientKind::{Agent, Windows};
    // What a role says of itself counts for nothing; a secondary site says who called it.
    let (sup, mp) = ((SUP, pb::Voice::Agents), (MP, pb::Voice::Windows));
    let site = |voice| (PeerKind::Site, voice);
    let [by_sup, by_mp] = [pb::Voice::Windows, pb::Voice::Agents].map(site);
    register(&pr1, sup, 9, Windows).await.expect("registered");
    register(&pr1, mp, 8, Agent).await.expect("registered");
    register(&pr1, by_sup, 7, Windows).await.expect("registered");
    let refused = [
        register(&pr1, sup, 6, Agent).await,
        register(&pr1, by_sup, 6, Agent).await,
        register(&pr1, mp, 6, Windows).await,
        register(&pr1, by_mp, 6, Windows).await,
        register(&pr1, sup, 8, Windows).await,
        register(&pr1, mp, 9, Agent).await,
        register(&cas, sup, 6, Windows).await,
        register(&pr1, site(pb::Voice::Unspecified), 6, Windows).await,
    ];
    let refused = refused.map(|answer| answer.expect_err("is refused")).join("\n");
    let names = [6, 8, 9].map(|number| (client(number).to_string(), format!("client {number}")));
    let refused = names.iter().fold(refused, |text, (id, name)| text.replace(id, name));
    expect![[r#"
        agent computer client 6 registers elsewhere: Windows computers at a software update point, all others at a management point
        agent computer client 6 registers elsewhere: Windows computers at a software update point, all others at a management point
        windows computer client 6 registers elsewhere: Windows computers at a software update point, all others at a management point
        windows computer client 6 registers elsewhere: Windows computers at a software update point, all others at a management point
        client 8 is the name of another client, of kind agent, and not of one of kind windows; let the computer draw a new one, or remove that client
        client 9 is the name of another client, of kind windows, and not of one of kind agent; let the computer draw a new one, or remove that client
        site CAS has no clients; send client 6 to a primary site or to a secondary site
        the caller does not say whose clients it speaks for"#]]
    .assert_eq(&refused);

    // Nor does anybody speak for a client of the other kind, or learn its policy.
    let submit = async |(caller, voice): (PeerKind, pb::Voice), number| {
        let reports = vec![rpc::convert::encode_report(&report(number, 1, &[]))];
        let voice = voice.into();
        let request = calling(
            caller,
            "PR1",
            pb::SubmitStatesRequest { reports, voice, ..Default::default() },
        );
        let answer = pr1.service.submit_states(request).await.expect("an answer").into_inner();
        answer.outcomes().next().expect("an outcome")
    };
    let (applied, rejected) = (pb::Outcome::Applied, pb::Outcome::Rejected);
    assert_eq!([submit(sup, 8).await, submit(mp, 9).await], [rejected; 2]);
    assert_eq!([submit(by_sup, 8).await, submit(by_mp, 9).await], [rejected; 2]);
    assert_eq!([submit(mp, 8).await, submit(sup, 9).await], [applied; 2]);
    assert_eq!(submit(by_sup, 7).await, applied);
    let (incarnation, head, signature) = (1, vec![1], vec![2]);
    let head = StoredHead { incarnation, version: 1, head, signature, parts: Vec::new() };
    *pr1.heads.lock().expect("nobody panicked") = Some(head);
    let has_policy = async |(caller, voice): (PeerKind, pb::Voice), number| {
        let (client, voice) = (client(number).as_bytes().to_vec(), voice.into());
        let request = pb::GetPolicyRequest { client, incarnation: 1, have_version: 0, voice };
        let answer = pr1.service.get_policy(calling(caller, "PR1", request)).await;
        answer.expect("an answer").into_inner().head.is_some()
    };
    assert_eq!([has_policy(sup, 8).await, has_policy(sup, 9).await], [false, true]);
    assert_eq!([has_policy(by_sup, 8).await, has_policy(by_sup, 7).await], [false, true]);
}

#[tokio::test]
async fn policy_goes_out_as_it_was_signed() {
    let (_, pr1) = sites();
    let ask = |have_version| {
        let client = client(9).as_bytes().to_vec();
        let request = pb::GetPolicyRequest { client, incarnation: 1, have_version, voice: 0 };
        from("PR1", request)
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
