use expect_test::expect;
use model::{AssignedWindow, EnforcementState as State, ObjectCode, WindowKind, WindowZone};

use super::*;
use crate::digest::sha256;
use crate::scan::Scanning;
use crate::testing::{HOUR_MS, NOW, assignment, software, update_id};
use model::{ItemFile, Sha1};
use update_metadata::{Document, Facts, LinuxFacts, System};
use uuid::Uuid;

fn with_file(number: u128) -> Document {
    let mut document = software(number);
    document.files = vec![ItemFile {
        name: format!("{number}.deb"),
        size: 10,
        sha1: Sha1([0; 20]),
        sha256: Some(sha256(&[u8::try_from(number).expect("small")])),
    }];
    document
}

/// A bundle of updates 2 and 3, which are not deployable alone.
fn bundle() -> Vec<Document> {
    let mut documents = vec![software(1), with_file(2), with_file(3)];
    let refs: Vec<_> = documents[1..].iter().map(|d| vec![d.update]).collect();
    documents[0].relations.bundled = refs;
    documents[1..].iter_mut().for_each(|d| d.properties.is_explicitly_deployable = false);
    documents
}

struct Case {
    assignments: Vec<Assignment>,
    scan: Scan,
    runs: BTreeMap<UpdateId, Run>,
    present: BTreeSet<Sha256>,
    troubles: BTreeMap<Sha256, (EnforcementState, i32)>,
    windows: Vec<AssignedWindow>,
    clock: Zone,
    client: ClientId,
    rules: Rules,
    wishes: BTreeMap<UpdateId, Timestamp>,
    now: Timestamp,
}

impl Case {
    fn new(documents: &[Document], deadline: Timestamp) -> Case {
        let system = System::Linux(LinuxFacts::default());
        let facts = Facts { architecture: None, files: BTreeMap::new(), system };
        let mut scanning = Scanning::default();
        for document in documents {
            scanning.add(document, sha256(document.to_xml().as_bytes()), &facts);
        }
        Case {
            assignments: vec![assignment(documents, deadline)],
            scan: scanning.finish(),
            runs: BTreeMap::new(),
            present: BTreeSet::new(),
            troubles: BTreeMap::new(),
            windows: Vec::new(),
            clock: Zone::utc(),
            client: ClientId(Uuid::from_u128(0xc)),
            rules: Rules::of(&model::ClientOptions::default(), &Zone::utc()),
            wishes: BTreeMap::new(),
            now: NOW,
        }
    }

    fn fetched(mut self, numbers: &[u8]) -> Case {
        self.present = numbers.iter().map(|number| sha256(&[*number])).collect();
        self
    }

    fn ran(mut self, number: u128, phase: Phase) -> Case {
        let run = Run { revision: 1, phase, attempts: 1, at: NOW, boot: "first".to_owned() };
        self.runs.insert(update_id(number), run);
        self
    }

    fn plan(&self, boot: &str) -> String {
        let Case { assignments, scan, runs, present, troubles, windows, clock, client, .. } = self;
        let Case { rules, wishes, now, .. } = self;
        let (calendar, _) = Calendar::of(windows, recurrence::Use::Otherwise, clock);
        let plan = decide(&Situation {
            assignments,
            scan,
            runs,
            present,
            troubles,
            boot,
            calendar: &calendar,
            clock,
            client: *client,
            rules,
            wishes,
            hidden: &BTreeSet::new(),
            is_server: true,
            is_filter_closed: false,
            is_expired: false,
            missed_until: Timestamp(0),
            running: None,
            ready_since: &BTreeMap::new(),
            now: *now,
        });
        let fetch: Vec<_> = plan.fetch.iter().map(|wanted| wanted.file.name.as_str()).collect();
        let install: Vec<_> = plan.install.iter().map(|a| a.update.id.0.as_u128()).collect();
        let progress: Vec<_> =
            plan.progress.iter().map(|(id, standing)| (id.0.as_u128(), *standing)).collect();
        let wake = plan.wake_at.map(|at| at.0 - NOW.0);
        format!("fetch {fetch:?} install {install:?} {progress:?} wake {wake:?}\n")
    }
}

#[test]
fn content_comes_at_once_and_installation_at_the_deadline() {
    let documents = [with_file(1)];
    let before = || Case::new(&documents, NOW.plus_ms(HOUR_MS));
    let mut optional = before();
    optional.assignments[0].intent = Intent::Available;
    let mut early = Case::new(&documents, NOW.plus_ms(-1)).fetched(&[1]);
    early.assignments[0].available_at = NOW.plus_ms(5);
    let mut unpacked = before();
    unpacked.assignments[0].updates[0].files.clear();
    let mut unlocated = before();
    unlocated.troubles.insert(sha256(&[1]), (State::WaitingForContent, 0));
    let mut ahead = Case::new(&documents, NOW.plus_ms(-1)).fetched(&[1]);
    ahead.assignments[0].updates[0].update.revision = 0;
    let cases = [
        before().plan(""),
        before().fetched(&[1]).plan(""),
        Case::new(&documents, NOW).fetched(&[1]).plan(""),
        optional.plan(""),
        early.plan(""),
        unpacked.plan(""),
        unlocated.plan(""),
        ahead.plan(""),
    ];
    expect![[r#"
        fetch ["1.deb"] install [] [(1, (Downloading, 0))] wake None
        fetch [] install [] [(1, (Downloaded, 0))] wake Some(3600000)
        fetch [] install [1] [(1, (Installing, 0))] wake None
        fetch [] install [] [] wake None
        fetch [] install [] [(1, (Downloaded, 0))] wake Some(5)
        fetch [] install [] [(1, (WaitingForContent, 0))] wake None
        fetch ["1.deb"] install [] [(1, (WaitingForContent, 0))] wake None
        fetch [] install [] [(1, (WaitingForContent, 0))] wake None
    "#]]
    .assert_eq(&cases.concat());
}

#[test]
fn what_ran_before_decides_whether_it_runs_again() {
    let due = || Case::new(&[with_file(1)], NOW).fetched(&[1]);
    let failed = || due().ran(1, Phase::Failed(5));
    let cases = [
        due().ran(1, Phase::Installing).plan("first"),
        failed().plan("first"),
        Case { now: NOW.plus_ms(HOUR_MS), ..failed() }.plan("first"),
        Case { now: NOW.plus_ms(-HOUR_MS), ..failed().fetched(&[]) }.plan("first"),
        due().ran(1, Phase::PendingRestart).plan("first"),
        due().ran(1, Phase::PendingRestart).plan("second"),
    ];
    expect![[r#"
        fetch [] install [1] [(1, (Installing, 0))] wake None
        fetch [] install [] [(1, (Failed, 5))] wake Some(3600000)
        fetch [] install [1] [(1, (Installing, 0))] wake None
        fetch ["1.deb"] install [] [(1, (Downloading, 0))] wake None
        fetch [] install [] [(1, (PendingRestart, 0))] wake None
        fetch [] install [] [(1, (Failed, -2016410844))] wake Some(3600000)
    "#]]
    .assert_eq(&cases.concat());
}

#[test]
fn a_bundle_is_installed_by_its_members_and_stands_where_the_last_one_stands() {
    let due = || Case::new(&bundle(), NOW);
    let mut half = due().fetched(&[2, 3]);
    half.scan.updates.get_mut(&update_id(2)).expect("there").verdict = Applicability::Installed;
    let mut unnamed = due();
    unnamed.assignments[0].updates.truncate(2);
    let cases = [
        due().fetched(&[2]).plan(""),
        due().fetched(&[2, 3]).plan(""),
        due().fetched(&[2, 3]).ran(2, Phase::Failed(1)).plan(""),
        half.plan(""),
        unnamed.plan(""),
    ];
    expect![[r#"
        fetch ["3.deb"] install [2] [(1, (Downloading, 0))] wake None
        fetch [] install [2, 3] [(1, (Installing, 0))] wake None
        fetch [] install [3] [(1, (Failed, 1))] wake Some(3600000)
        fetch [] install [3] [(1, (Installing, 0))] wake None
        fetch ["2.deb"] install [] [(1, (WaitingForContent, 0))] wake None
    "#]]
    .assert_eq(&cases.concat());
}

#[test]
fn a_catalog_is_doubted_for_what_it_alters_before_what_it_lacks() {
    let documents = [with_file(1), with_file(2)];
    let Case { assignments, mut scan, .. } = Case::new(&documents, NOW);
    assert_eq!(doubt(&assignments, &scan), None);
    let rest = scan.updates.get(&update_id(2)).expect("there").clone();
    scan.updates = [(rest.update.id, rest)].into_iter().collect();
    assert_eq!(doubt(&assignments, &scan), Some(Doubt::Missing(documents[0].update)));
    scan.updates.get_mut(&update_id(2)).expect("there").document = sha256(b"other");
    assert_eq!(doubt(&assignments, &scan), Some(Doubt::Altered(documents[1].update)));
}

/// Open for two hours; a Friday is now, at 10:00.
fn window(at: &str) -> AssignedWindow {
    AssignedWindow {
        code: ObjectCode::new("PR100001").expect("a code"),
        at: at.to_owned(),
        zone: WindowZone::Client,
        minutes: 120,
        kind: WindowKind::All,
    }
}

#[test]
fn an_installation_waits_for_a_window_that_has_room() {
    let due = || Case::new(&[with_file(1)], NOW).fetched(&[1]);
    let bound = |at: &str| Case { windows: vec![window(at)], ..due() };
    let mut long = bound("0 10 * * FRI");
    long.assignments[0].updates[0].max_run_minutes = 121;
    let mut allowed = bound("0 12 * * FRI");
    allowed.assignments[0].experience.install_outside_window = true;
    let late = |minutes: i64| Case { now: NOW.plus_ms(minutes * 60_000), ..bound("0 10 * * FRI") };
    let mut eastern = bound("0 10 * * FRI");
    eastern.clock = Zone::named("Asia/Tokyo").expect("a zone");
    let cases = [
        bound("0 10 * * FRI").plan(""),
        bound("0 12 * * FRI").plan(""),
        // An hour must be left; a week later it is.
        late(60).plan(""),
        late(61).plan(""),
        long.plan(""),
        allowed.plan(""),
        bound("0 12 * * FRI").fetched(&[]).plan(""),
        eastern.plan(""),
    ];
    expect![[r#"
        fetch [] install [1] [(1, (Installing, 0))] wake None
        fetch [] install [] [(1, (WaitingForWindow, 0))] wake Some(7200000)
        fetch [] install [1] [(1, (Installing, 0))] wake None
        fetch [] install [] [(1, (WaitingForWindow, 0))] wake Some(604800000)
        fetch [] install [] [(1, (WaitingForWindow, 0))] wake None
        fetch [] install [1] [(1, (Installing, 0))] wake None
        fetch ["1.deb"] install [] [(1, (Downloading, 0))] wake None
        fetch [] install [] [(1, (WaitingForWindow, 0))] wake Some(572400000)
    "#]]
    .assert_eq(&cases.concat());
}

#[test]
fn what_takes_least_time_is_first_and_only_what_still_fits() {
    let documents = [with_file(1), with_file(2), with_file(3)];
    let mut due = Case::new(&documents, NOW).fetched(&[1, 2, 3]);
    for (assigned, minutes) in due.assignments[0].updates.iter_mut().zip([90, 30, 60]) {
        assigned.max_run_minutes = minutes;
    }
    let unbound = due.plan("");
    due.windows = vec![window("0 10 * * FRI")];
    let begun = due.plan("");
    due.now = NOW.plus_ms(40 * 60_000);
    let later = due.plan("");
    expect![[r#"
        fetch [] install [2, 3, 1] [(1, (Installing, 0)), (2, (Installing, 0)), (3, (Installing, 0))] wake None
        fetch [] install [2, 3, 1] [(1, (Installing, 0)), (2, (Installing, 0)), (3, (Installing, 0))] wake None
        fetch [] install [2, 3] [(1, (WaitingForWindow, 0)), (2, (Installing, 0)), (3, (Installing, 0))] wake Some(604800000)
    "#]]
    .assert_eq(&[unbound, begun, later].concat());
}

#[test]
fn a_deadline_may_go_by_the_client_s_clock_and_is_spread_over_clients() {
    let mut local = Case::new(&[with_file(1)], NOW.plus_ms(9 * HOUR_MS)).fetched(&[1]);
    local.assignments[0].basis = TimeBasis::ClientLocal;
    local.clock = Zone::named("Asia/Tokyo").expect("a zone");
    // 19:00 in Tokyo is now.
    assert_eq!(local.plan(""), "fetch [] install [1] [(1, (Installing, 0))] wake None\n");

    let mut spread = Case::new(&[with_file(1)], NOW).fetched(&[1]);
    spread.assignments[0].spread_minutes = 120;
    let delay = |client: u128| {
        let client = ClientId(Uuid::from_u128(client));
        delay_ms(client, &spread.assignments[0])
    };
    let delays: BTreeSet<i64> = (0..50).map(delay).collect();
    assert!(delays.len() > 45 && delays.iter().all(|delay| (0..2 * HOUR_MS).contains(delay)));
    assert_eq!(delay(7), delay(7));
    let at = delay(0xc);
    let waiting = format!("fetch [] install [] [(1, (Downloaded, 0))] wake Some({at})\n");
    assert_eq!(spread.plan(""), waiting);
}
