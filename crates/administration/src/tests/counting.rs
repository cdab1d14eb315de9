//! The answers about compliance agree: with each other, and with what computers said.

use std::collections::{BTreeMap, BTreeSet};

use compliance::Board;
use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ClientKind, ClientRecord,
    Collection, CollectionRule, ComplianceState, DeploymentChange, DeploymentId, DeploymentState,
    EnforcementState, Group, Item, LastScan, ObjectCode, ReportOutcome, Ruling, SourceScan,
    StateChange, StateReport, UpdateGroup, UpdateId, UpdateRef, UpdateState, Verdict,
    deployment_digest, state_digest,
};
use proptest::prelude::*;
use site_db::Own;
use testkit::objects;
use tonic::Code;
use uuid::Uuid;

use super::*;

const UPDATES: u32 = 4;
/// The last two are Windows computers.
const COMPUTERS: u128 = 5;

fn update(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

fn client(number: u128) -> ClientId {
    ClientId(Uuid::from_u128(number))
}

fn is_windows(number: u128) -> bool {
    number > COMPUTERS - 2
}

/// A computer, or what its site knows of it.
#[derive(Clone, Debug, Default)]
struct Said {
    covered: u64,
    scan_error: Option<String>,
    states: BTreeMap<u32, UpdateState>,
    deployments: BTreeMap<usize, DeploymentState>,
}

/// One that reports as agents and update points do.
#[derive(Clone, Debug, Default)]
struct Computer {
    is: Said,
    /// What it takes its site to know.
    told: Said,
    serial: u64,
    wants_full: bool,
}

/// What the site must answer by, kept without vectors, boards and digests.
#[derive(Clone, Debug)]
struct Reference {
    /// What each computer got through, and whether something after it was lost.
    known: BTreeMap<u128, Option<(Said, bool)>>,
    items: BTreeMap<u32, Item>,
    declined: BTreeSet<u32>,
    version: u64,
    grouped: BTreeSet<u32>,
    members: BTreeSet<u128>,
}

#[derive(Clone, Debug)]
enum Step {
    State(u128, u32, ComplianceState, Option<EnforcementState>),
    Deployment(u128, usize, Option<DeploymentState>),
    Scan(u128, bool),
    Send(u128, Fate),
    Remove(u128),
    Revise(u32),
    Decline(u32),
    Expire(u32),
    Group(u32),
    Member(u128),
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    ArrivesTwice,
    IsLost,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (computer, number) = (1..=COMPUTERS, 1..=UPDATES);
    let state = prop::sample::select(ComplianceState::ALL);
    let progress = prop::option::of(prop::sample::select(EnforcementState::ALL));
    let stands = (
        prop::sample::select(AssignmentCompliance::ALL),
        prop::option::of(prop::sample::select(AssignmentEnforcement::ALL)),
        prop::sample::select(AssignmentEvaluation::ALL),
    );
    let stands = stands.prop_map(|(compliance, enforcement, evaluation)| DeploymentState {
        compliance,
        enforcement,
        evaluation,
        code: 0,
        at: at(0),
    });
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        1 => Just(Fate::ArrivesTwice),
        2 => Just(Fate::IsLost),
    ];
    let step = prop_oneof![
        12 => (computer.clone(), number.clone(), state, progress)
            .prop_map(|(computer, update, state, progress)| {
                Step::State(computer, update, state, progress)
            }),
        5 => (computer.clone(), 0..3_usize, prop::option::of(stands))
            .prop_map(|(computer, which, state)| Step::Deployment(computer, which, state)),
        4 => (computer.clone(), prop::bool::weighted(0.8)).prop_map(|(c, ok)| Step::Scan(c, ok)),
        14 => (computer.clone(), fate).prop_map(|(computer, fate)| Step::Send(computer, fate)),
        1 => computer.clone().prop_map(Step::Remove),
        2 => number.clone().prop_map(Step::Revise),
        1 => number.clone().prop_map(Step::Decline),
        1 => number.clone().prop_map(Step::Expire),
        2 => number.prop_map(Step::Group),
        3 => computer.prop_map(Step::Member),
    ];
    prop::collection::vec(step, 0..60)
}

/// A site with updates, computers, one collection, and three deployments: of a group that changes
/// to the collection, to everybody, and of another group to the collection.
struct World {
    site: Site,
    deployments: Vec<DeploymentId>,
    computers: BTreeMap<u128, Computer>,
    truth: Reference,
}

impl World {
    async fn new() -> World {
        let site = Site::top("PR1", SiteKind::Primary).await;
        let truth = Reference {
            known: (1..=COMPUTERS).map(|number| (number, None)).collect(),
            items: (1..=UPDATES).map(|number| (number, objects::item(number))).collect(),
            declined: BTreeSet::new(),
            version: 1,
            grouped: BTreeSet::from([1, 2]),
            members: BTreeSet::from([1]),
        };
        let items: Vec<Own> = truth.items.values().map(Own::put).collect();
        let clients = (1..=COMPUTERS).map(|number| {
            let kind = if is_windows(number) { ClientKind::Windows } else { ClientKind::Simulated };
            Own::put(&ClientRecord { kind, ..objects::client(number, "PR1") })
        });
        let clients = clients.collect();
        let written = site.db.write(move |w| {
            w.write_own(Group::Catalog, items)?;
            w.write_own(Group::Clients, clients)
        });
        written.await.expect("written");
        let mut world = World { site, deployments: Vec::new(), computers: BTreeMap::new(), truth };
        world.computers = (1..=COMPUTERS).map(|number| (number, Computer::default())).collect();
        world.write_group("PR1000A1", world.truth.grouped.clone()).await;
        world.write_group("PR1000A2", BTreeSet::from([2, 3, 4])).await;
        world.write_members().await;
        for (group, collection) in
            [("PR1000A1", "PR1000C1"), ("PR1000A1", ""), ("PR1000A2", "PR1000C1")]
        {
            let request = pb::CreateDeploymentRequest {
                name: format!("{group} to {collection}"),
                intent: "required".to_owned(),
                group: group.to_owned(),
                collection: collection.to_owned(),
                ..Default::default()
            };
            let made = world.site.admin().create_deployment(request).await.told();
            world.deployments.push(made.id.parse().expect("an id"));
        }
        world
    }

    async fn write_group(&self, code: &str, updates: BTreeSet<u32>) {
        let code = ObjectCode::new(code).expect("a code");
        let updates = updates.into_iter().map(update).collect();
        let group = UpdateGroup::plain(code, "Monthly".to_owned(), updates);
        self.site.db.write(move |w| w.put_own(&group)).await.expect("written");
    }

    async fn write_members(&self) {
        let direct = |number: &u128| CollectionRule::Direct(client(*number));
        let collection = Collection {
            code: ObjectCode::new("PR1000C1").expect("a code"),
            name: "Pilots".to_owned(),
            comment: String::new(),
            limiting: None,
            rules: self.truth.members.iter().map(direct).collect(),
            is_incremental: true,
            full_at: None,
        };
        self.site.db.write(move |w| w.put_own(&collection)).await.expect("written");
    }

    async fn write_item(&self, number: u32) {
        let item = vec![Own::put(&self.truth.items[&number])];
        self.site.db.write(move |w| w.write_own(Group::Catalog, item)).await.expect("written");
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::State(number, update, state, progress) => {
                let Some(computer) = self.computers.get_mut(&number) else { return };
                let is_open = state == ComplianceState::Required;
                let enforcement = progress.filter(|_| is_open).map(|progress| (progress, 0));
                computer.is.states.insert(update, UpdateState { state, enforcement });
                computer.is.states.retain(|_, s| s.state != ComplianceState::NotRequired);
            }
            Step::Deployment(number, which, state) => {
                let Some(computer) = self.computers.get_mut(&number) else { return };
                match state.filter(|_| !is_windows(number)) {
                    Some(state) => computer.is.deployments.insert(which, state),
                    None => computer.is.deployments.remove(&which),
                };
            }
            Step::Scan(number, succeeds) => {
                let Some(computer) = self.computers.get_mut(&number) else { return };
                computer.is.scan_error = (!succeeds).then(|| "no disk".to_owned());
                if succeeds {
                    computer.is.covered = self.truth.version;
                }
            }
            Step::Send(number, fate) => self.send(number, fate).await,
            Step::Remove(number) => {
                if self.computers.remove(&number).is_some() {
                    self.truth.known.remove(&number);
                    let id = client(number).to_string();
                    let request = pb::RemoveClientRequest { id, reason: String::new() };
                    self.site.admin().remove_client(request).await.told();
                }
            }
            Step::Revise(number) => {
                self.truth.version += 1;
                let item = self.truth.items.get_mut(&number).expect("it is there");
                item.update.revision += 1;
                item.since = self.truth.version;
                self.write_item(number).await;
            }
            Step::Expire(number) => {
                self.truth.items.get_mut(&number).expect("it is there").expired = true;
                self.write_item(number).await;
            }
            Step::Decline(number) => {
                self.truth.declined.insert(number);
                let ruling = Ruling::new(update(number), Verdict::Declined, "admin", at(0));
                let ruling = vec![Own::put(&ruling)];
                let written = self.site.db.write(move |w| w.write_own(Group::Catalog, ruling));
                written.await.expect("written");
            }
            Step::Group(number) => {
                toggle(&mut self.truth.grouped, number);
                self.write_group("PR1000A1", self.truth.grouped.clone()).await;
            }
            Step::Member(number) => {
                toggle(&mut self.truth.members, number);
                self.write_members().await;
            }
        }
    }

    async fn send(&mut self, number: u128, fate: Fate) {
        let deployments = self.deployments.clone();
        let Some(computer) = self.computers.get_mut(&number) else { return };
        // An update point says everything that the last event of status listed.
        let is_full = computer.serial == 0 || computer.wants_full || is_windows(number);
        let report = computer.report(number, is_full, &deployments);
        computer.told = computer.is.clone();
        let is = computer.is.clone();
        let times = match fate {
            Fate::Arrives => 1,
            Fate::ArrivesTwice => 2,
            Fate::IsLost => 0,
        };
        for _ in 0..times {
            let outcome = self.take(report.clone()).await;
            let computer = self.computers.get_mut(&number).expect("it reports");
            let known = self.truth.known.get_mut(&number).expect("it reports");
            match outcome {
                ReportOutcome::Applied => {
                    *known = Some((is.clone(), false));
                    computer.wants_full = false;
                }
                ReportOutcome::SendFull => {
                    computer.wants_full = true;
                    known.iter_mut().for_each(|(_, is_gap)| *is_gap = true);
                }
                ReportOutcome::Known => {}
            }
        }
    }

    /// As a site takes a report.
    async fn take(&self, report: StateReport) -> ReportOutcome {
        let taken = self.site.db.write(move |w| {
            let held = w.holding(report.client)?;
            let updates = report.changes.iter().map(|change| change.update.id);
            let items = w.item_numbers(held.as_ref(), updates)?;
            let folded = compliance::fold(held.as_ref(), &report, &items);
            if let Some(holding) = &folded.write {
                w.write_holding(holding)?;
            }
            Ok::<_, site_db::Error>(folded.outcome)
        });
        taken.await.expect("taken")
    }

    /// The board as its keeper makes it.
    async fn keep_board(&self) {
        let read = self.site.db.read(|r| {
            let (mut clients, mut vectors) = (Vec::new(), Vec::new());
            r.visit_standings(|standing| {
                clients.push(standing.client);
                vectors.extend(standing.vector.and_then(|vector| vector.vector));
            })?;
            Ok::<_, site_db::Error>(Board::rebuild(clients, vectors))
        });
        self.site.board.replace(read.await.expect("read"));
    }
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, one: T) {
    if let Some(one) = set.take(&one).is_none().then_some(one) {
        set.insert(one);
    }
}

impl Computer {
    fn report(&mut self, number: u128, full: bool, ids: &[DeploymentId]) -> StateReport {
        let Computer { is, told, .. } = &*self;
        let nothing = Said::default();
        let told = if full { &nothing } else { told };
        let not_required = UpdateState { state: ComplianceState::NotRequired, enforcement: None };
        let gone = told.states.keys().filter(|key| !is.states.contains_key(key));
        let states = is.states.iter().filter(|(key, state)| told.states.get(key) != Some(state));
        let changes = gone.map(|key| (*key, not_required)).chain(states.map(|(k, s)| (*k, *s)));
        let changes = changes.map(|(key, state)| StateChange {
            update: UpdateRef { id: update(key), revision: 1 },
            state,
            at: at(0),
        });
        let gone = told.deployments.keys().filter(|key| !is.deployments.contains_key(key));
        let stands = is.deployments.iter();
        let stands = stands.filter(|(key, state)| told.deployments.get(key) != Some(state));
        let moved = gone.map(|key| (*key, None)).chain(stands.map(|(k, s)| (*k, Some(*s))));
        let moved = moved.map(|(key, state)| DeploymentChange { deployment: ids[key], state });
        let all: BTreeMap<_, _> = is.deployments.iter().map(|(k, s)| (ids[*k], *s)).collect();
        let (changes, deployments): (Vec<_>, Vec<_>) = (changes.collect(), moved.collect());
        let from = self.serial + 1;
        self.serial += (changes.len() + deployments.len()).max(1) as u64;
        StateReport {
            client: client(number),
            incarnation: 1,
            serial_from: from,
            serial_to: self.serial,
            covered: self.is.covered,
            scanned_at: at(0),
            scan_error: self.is.scan_error.clone(),
            full,
            changes,
            digest_after: state_digest(
                self.is.states.iter().map(|(key, state)| (update(*key), state.state)),
            ),
            deployments,
            deployments_digest: deployment_digest(all),
            scan: None,
            refused: Vec::new(),
        }
    }
}

impl Reference {
    /// The updates that count.
    fn counted(&self) -> impl Iterator<Item = u32> {
        let live = self
            .items
            .iter()
            .filter(|(number, item)| !item.expired && !self.declined.contains(number));
        live.map(|(number, _)| *number)
    }

    fn state(&self, computer: u128, number: u32) -> ComplianceState {
        let Some((said, is_gap)) = &self.known[&computer] else { return ComplianceState::Unknown };
        let silence_counts =
            !is_gap && said.scan_error.is_none() && self.items[&number].since <= said.covered;
        match said.states.get(&number) {
            Some(state) => state.state,
            None if silence_counts => ComplianceState::NotRequired,
            None => ComplianceState::Unknown,
        }
    }

    fn tally(&self, pairs: impl IntoIterator<Item = (u128, u32)>) -> [u64; 4] {
        let mut counts = [0; 4];
        for (computer, number) in pairs {
            counts[self.state(computer, number) as usize] += 1;
        }
        let [unknown, not_required, required, installed] = counts;
        [required, installed, not_required, unknown]
    }

    fn targets(&self, which: usize) -> Vec<u128> {
        let all = self.known.keys().copied();
        all.filter(|computer| which == 1 || self.members.contains(computer)).collect()
    }

    /// The updates of a deployment that count.
    fn updates(&self, which: usize) -> Vec<u32> {
        let deployed = if which == 2 { BTreeSet::from([2, 3, 4]) } else { self.grouped.clone() };
        self.counted().filter(|number| deployed.contains(number)).collect()
    }

    fn bucket(&self, computer: u128, which: usize) -> &'static str {
        let updates = self.updates(which);
        let has = |state| updates.iter().any(|number| self.state(computer, *number) == state);
        let failed = self.known[&computer].iter().any(|(said, _)| {
            updates.iter().filter_map(|number| said.states.get(number)).any(|state| {
                state.enforcement.is_some_and(|(enforcement, _)| enforcement.is_failure())
            })
        });
        match () {
            () if failed => "error",
            () if has(ComplianceState::Required) => "in_progress",
            () if has(ComplianceState::Unknown) => "unknown",
            () => "success",
        }
    }

    fn deployment_row(&self, which: usize) -> [u64; 5] {
        let targets = self.targets(which);
        let count = |bucket| {
            targets.iter().filter(|one| self.bucket(**one, which) == bucket).count() as u64
        };
        let targeted = targets.len() as u64;
        [targeted, count("success"), count("in_progress"), count("error"), count("unknown")]
    }
}

fn deployment_counts(row: &pb::DeploymentCompliance) -> [u64; 5] {
    [row.targeted, row.compliant, row.in_progress, row.failed, row.unknown]
}

/// Topic, state and count.
fn topic_counts(states: &[pb::StateCount]) -> BTreeMap<(u32, u32), u64> {
    states.iter().map(|row| ((row.topic, row.state), row.count)).collect()
}

/// Each answer equals the reference, and those about clients add up to those about deployments.
async fn answers_agree(world: &World) {
    let (truth, admin) = (&world.truth, || world.site.admin());
    let mut of_updates = [0; 4];
    for number in 1..=UPDATES {
        let request = pb::GetUpdateComplianceRequest { id: update(number).to_string() };
        let answer = admin().get_update_compliance(request).await;
        if !truth.counted().any(|counted| counted == number) {
            assert_eq!(answer.expect_err("it does not count").code(), Code::NotFound);
            continue;
        }
        let answer = answer.told();
        let row = answer.row.expect("a row");
        let counts = [row.required, row.installed, row.not_required, row.unknown];
        assert_eq!(counts, truth.tally(truth.known.keys().map(|one| (*one, number))), "{number}");
        let reasons: u64 = answer.unknowns.iter().map(|reason| reason.clients).sum();
        let steps: u64 = answer.states.iter().map(|step| step.count).sum();
        assert_eq!((reasons, steps), (row.unknown, row.required));
        of_updates.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let (mut of_clients, mut buckets, mut said) = ([0; 4], BTreeMap::new(), BTreeMap::new());
    for computer in truth.known.keys() {
        let request = pb::GetClientComplianceRequest { id: client(*computer).to_string() };
        let answer = admin().get_client_compliance(request).await.told();
        let row = answer.row.expect("a row");
        let counts = [row.required, row.installed, row.not_required, row.unknown];
        assert_eq!(counts, truth.tally(truth.counted().map(|number| (*computer, number))));
        of_clients.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        let listed = answer.states.iter().filter(|state| state.state == "required").count();
        assert_eq!(listed as u64, row.required);
        for deployment in answer.deployments.iter().filter(|one| !one.bucket.is_empty()) {
            let id = deployment.id.clone();
            *buckets.entry((id.clone(), deployment.bucket.clone())).or_insert(0) += 1;
            let states = [
                (300, deployment.compliance),
                (301, deployment.enforcement),
                (302, deployment.evaluation),
            ];
            for state in states {
                *said.entry(id.clone()).or_insert_with(BTreeMap::new).entry(state).or_insert(0) +=
                    1;
            }
        }
    }
    assert_eq!(of_updates, of_clients);
    let of_pilots = pb::GetCollectionComplianceRequest { code: "PR1000C1".to_owned() };
    let of_pilots = admin().get_collection_compliance(of_pilots).await.told().rows;
    for (which, id) in world.deployments.iter().map(ToString::to_string).enumerate() {
        let request = pb::GetDeploymentComplianceRequest { id: id.clone() };
        let answer = admin().get_deployment_compliance(request).await.told();
        let row = answer.row.expect("a row");
        let counts = deployment_counts(&row);
        assert_eq!(counts, truth.deployment_row(which), "deployment {which}");
        let bucket = |name: &str| *buckets.get(&(id.clone(), name.to_owned())).unwrap_or(&0);
        let of_clients =
            [bucket("success"), bucket("in_progress"), bucket("error"), bucket("unknown")];
        assert_eq!(counts[1..], of_clients, "deployment {which}");
        let in_collection = of_pilots.iter().find(|row| row.id == id).map(deployment_counts);
        assert_eq!(in_collection, (which != 1).then_some(counts));
        let (of_targets, of_pairs): (Vec<_>, Vec<_>) =
            answer.states.into_iter().partition(|row| row.topic != 402);
        assert_eq!(topic_counts(&of_targets), said.remove(&id).unwrap_or_default());
        let targets = truth.targets(which);
        let pairs = targets
            .iter()
            .flat_map(|one| truth.updates(which).into_iter().map(move |number| (*one, number)));
        let required: u64 = of_pairs.iter().map(|row| row.count).sum();
        assert_eq!(required, truth.tally(pairs)[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Agents and Windows computers report, reports are lost and doubled, computers leave, updates
    /// are revised, declined and expired, groups and collections change. Whatever is asked, the
    /// answers add up to each other, to the last client.
    #[test]
    fn all_answers_agree_to_the_last_client(steps in steps()) {
        run(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
            }
            world.keep_board().await;
            answers_agree(&world).await;
        });
    }
}

/// An update that is deployed to a Windows computer and to one with an agent is one row with both.
#[test]
fn windows_computers_and_agents_are_one_picture() {
    run(async {
        let mut world = World::new().await;
        for computer in [1, 5] {
            world.step(Step::Scan(computer, true)).await;
        }
        toggle(&mut world.truth.members, 5);
        world.write_members().await;
        let required = ComplianceState::Required;
        let downloading = Some(EnforcementState::Downloading);
        world.step(Step::State(1, 1, required, downloading)).await;
        world.step(Step::State(5, 1, required, Some(EnforcementState::Failed))).await;
        let state = DeploymentState {
            compliance: AssignmentCompliance::NonCompliant,
            enforcement: Some(AssignmentEnforcement::Downloading),
            evaluation: AssignmentEvaluation::Succeeded,
            code: 0,
            at: at(0),
        };
        world.step(Step::Deployment(1, 0, Some(state))).await;
        for computer in [1, 5] {
            world.step(Step::Send(computer, Fate::Arrives)).await;
        }
        world.keep_board().await;
        answers_agree(&world).await;
        let admin = || world.site.admin();
        let request = pb::GetUpdateComplianceRequest { id: update(1).to_string() };
        let answer = admin().get_update_compliance(request).await.told();
        let row = answer.row.expect("a row");
        assert_eq!((row.required, row.unknown), (2, COMPUTERS as u64 - 2));
        let steps: Vec<_> = answer.states.iter().map(row_text).collect();
        assert_eq!(steps, ["402.11 failed error 1", "402.12 downloading in_progress 1"]);
        let request = pb::GetDeploymentComplianceRequest { id: world.deployments[0].to_string() };
        let answer = admin().get_deployment_compliance(request).await.told();
        assert_eq!(deployment_counts(&answer.row.expect("a row")), [2, 0, 1, 1, 0]);
        let states: Vec<_> = answer.states.iter().map(row_text).collect();
        let expected = [
            "300.0 unknown unknown 1",
            "300.2 non_compliant in_progress 1",
            "301.0 unknown unknown 1",
            "301.7 downloading in_progress 1",
            "302.0 unknown unknown 1",
            "302.2 succeeded success 1",
            "402.11 failed error 1",
            "402.12 downloading in_progress 1",
        ];
        assert_eq!(states, expected);
    });
}

fn row_text(row: &pb::StateCount) -> String {
    format!("{}.{} {} {} {}", row.topic, row.state, row.name, row.bucket, row.count)
}

/// What a client said of its last scan, and why something is unknown of another one.
#[test]
fn the_last_scan_and_what_is_under_way_are_told() {
    run(async {
        let mut world = World::new().await;
        let mut report = world.computers.get_mut(&1).expect("one").report(1, true, &[]);
        report.scan = Some(LastScan {
            state: SourceScan::Failed,
            server: "https://sup.example:8531".to_owned(),
            at: at(0),
            duration_ms: 1_500,
            bytes: 700,
            code: 0x8024_401c_u32.cast_signed(),
        });
        assert_eq!(world.take(report).await, ReportOutcome::Applied);
        let of = async |number| {
            let request = pb::GetClientComplianceRequest { id: client(number).to_string() };
            world.site.admin().get_client_compliance(request).await.told()
        };
        let scan = of(1).await.scan.expect("it has scanned");
        let facts = (scan.state, scan.name.as_str(), scan.server.as_str(), scan.duration_ms);
        assert_eq!(facts, (5, "failed", "https://sup.example:8531", 1_500));
        assert!(scan.meaning.starts_with("0x8024401C WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT: "));
        assert_eq!(of(2).await.scan, None);
        let reason = async || of(2).await.row.expect("a row").reason;
        assert_eq!(reason().await, "no report received");
        let held = Backlog { caller: "PR1/mp/1".to_owned(), at: at(0), waiting: 700, set_aside: 2 };
        world.site.backlogs.lock().expect("whole").push(held);
        let expected = format!(
            "no report received; 700 reports waited at PR1/mp/1 at {}; PR1/mp/1 has set 2 broken \
             or refused reports aside",
            at(0)
        );
        assert_eq!(reason().await, expected);
    });
}
