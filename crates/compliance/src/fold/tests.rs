use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, DeploymentChange, LastScan,
    SourceScan, StateChange, UpdateRef,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::limits::DEPLOYMENTS_MAX;
use crate::tests::{client, deployment, deployment_states};
use ComplianceState::{Installed, NotRequired, Required, Unknown};

fn update(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(u128::from(number)))
}

/// Items of the updates below `end`; the item of update n has number n.
fn items(end: u32) -> ItemNumbers {
    (0..end).map(|number| (update(number), number)).collect()
}

/// A client that keeps the rules of reporting.
#[derive(Clone)]
struct Sender {
    incarnation: u64,
    serial: u64,
    covered: u64,
    states: BTreeMap<u32, ComplianceState>,
    deployments: BTreeMap<u32, DeploymentState>,
}

/// What changed at a client since it last reported.
#[derive(Default)]
struct Pending {
    states: Vec<(u32, ComplianceState)>,
    deployments: Vec<(u32, Option<DeploymentState>)>,
}

impl Sender {
    fn new() -> Sender {
        Sender {
            incarnation: 1,
            serial: 0,
            covered: 5,
            states: BTreeMap::new(),
            deployments: BTreeMap::new(),
        }
    }

    fn report(&mut self, changes: &[(u32, ComplianceState)]) -> StateReport {
        self.report_all(Pending { states: changes.to_vec(), ..Pending::default() })
    }

    fn report_all(&mut self, Pending { states, deployments }: Pending) -> StateReport {
        self.states.extend(states.iter().copied());
        self.states.retain(|_, state| *state != NotRequired);
        for (number, state) in &deployments {
            match state {
                Some(state) => self.deployments.insert(*number, *state),
                None => self.deployments.remove(number),
            };
        }
        let count = (states.len() + deployments.len()).max(1) as u64;
        self.serial += count;
        let serial_from = self.serial + 1 - count;
        let changed = deployments
            .into_iter()
            .map(|(number, state)| DeploymentChange { deployment: deployment(number), state });
        let deployments = changed.collect();
        StateReport { serial_from, full: false, deployments, ..self.message(states.into_iter()) }
    }

    fn full(&mut self) -> StateReport {
        self.serial += 1;
        self.message(self.states.iter().map(|(number, state)| (*number, *state)))
    }

    fn message(&self, changes: impl Iterator<Item = (u32, ComplianceState)>) -> StateReport {
        let change = |(number, state)| StateChange {
            update: UpdateRef { id: update(number), revision: 1 },
            state: UpdateState { state, enforcement: None },
            at: Timestamp(i64::from(number)),
        };
        StateReport {
            client: client(1),
            incarnation: self.incarnation,
            serial_from: self.serial,
            serial_to: self.serial,
            covered: self.covered,
            scanned_at: Timestamp(50),
            scan_error: None,
            full: true,
            changes: changes.map(change).collect(),
            deployments: self
                .all_deployments()
                .map(|(deployment, state)| DeploymentChange { deployment, state: Some(state) })
                .collect(),
            deployments_digest: deployment_digest(self.all_deployments()),
            scan: Some(LastScan {
                state: SourceScan::Complete,
                server: "https://sup.example".to_owned(),
                at: Timestamp(50),
                duration_ms: self.serial,
                bytes: 7,
                code: 0,
            }),
            refused: Vec::new(),
            given_up: Vec::new(),
            set_aside: Vec::new(),
            digest_after: state_digest(self.states.iter().map(|(n, state)| (update(*n), *state))),
        }
    }
}

impl Sender {
    fn all_deployments(&self) -> impl Iterator<Item = (DeploymentId, DeploymentState)> {
        self.deployments.iter().map(|(number, state)| (deployment(*number), *state))
    }
}

fn applied(stored: Option<&Holding>, report: &StateReport, items: &ItemNumbers) -> Holding {
    let folded = fold(stored, report, items);
    assert_eq!(folded.outcome, ReportOutcome::Applied);
    folded.write.expect("what is applied is written")
}

#[test]
fn a_report_counts_once() {
    let mut sender = Sender::new();
    let first = sender.full();
    let held = applied(None, &first, &items(9));
    let second = sender.report(&[(3, Required), (4, Required), (3, Installed)]);
    let held = applied(Some(&held), &second, &items(9));
    assert_eq!((held.vector.serial, &held.vector.required[..]), (4, &[4][..]));
    let outcomes = [first, second].map(|old| fold(Some(&held), &old, &items(9)));
    let expected = [ReportOutcome::Behind(4), ReportOutcome::Known]
        .map(|outcome| Folded { outcome, write: None });
    assert_eq!(outcomes, expected);
}

/// Symptom: what a computer said after its disk was put back to an earlier snapshot was taken for
/// what it had said before, until its serials came as far again. Cause: serials alone decided what
/// is known. Repair: who is behind hears so, and goes on after the last serial that is known.
#[test]
fn a_client_that_was_put_back_goes_on_after_what_is_known() {
    let mut sender = Sender::new();
    sender.states = BTreeMap::from([(3, Required)]);
    let held = applied(None, &sender.full(), &items(9));
    let snapshot = sender.clone();
    let held = applied(Some(&held), &sender.report(&[(3, Installed)]), &items(9));
    for later in 0..3_usize {
        let (mut back, mut sender, mut held) = (snapshot.clone(), sender.clone(), held.clone());
        for _ in 0..later {
            held = applied(Some(&held), &sender.report(&[]), &items(9));
        }
        let known = held.vector.serial;
        // By the same serial as before, or by a lower one, it says something else.
        let said = back.report(&[(4, Required)]);
        let outcome = fold(Some(&held), &said, &items(9)).outcome;
        let wanted =
            if later == 0 { ReportOutcome::SendFull } else { ReportOutcome::Behind(known) };
        assert_eq!(outcome, wanted, "{later} later");
        back.serial = known;
        let held = applied(Some(&held), &back.full(), &items(9));
        assert_eq!((&held.vector.required[..], held.vector.serial), (&[3, 4][..], known + 1));
    }
    // The digest knows no steps: what goes on from the snapshot is told apart by its serials.
    let mut back = snapshot.clone();
    back.serial = held.vector.serial - 1;
    let overlap = back.report(&[(3, Installed), (4, Required), (4, NotRequired)]);
    assert_eq!(fold(Some(&held), &overlap, &items(9)).outcome, ReportOutcome::SendFull);
    let mut again = snapshot.clone();
    let mut same = again.report(&[(3, Installed)]);
    assert_eq!(fold(Some(&held), &same, &items(9)).outcome, ReportOutcome::Known);
    same.changes[0].state.state = Required;
    assert_eq!(fold(Some(&held), &same, &items(9)).outcome, ReportOutcome::SendFull);
    // What is still under way of its former life opens a gap at most.
    let mut back = snapshot;
    back.serial = held.vector.serial;
    let again = applied(Some(&held), &back.full(), &items(9));
    sender.serial = back.serial - 1;
    let late = sender.report(&[(5, Required), (6, Required)]);
    assert_eq!(fold(Some(&again), &late, &items(9)).outcome, ReportOutcome::SendFull);
}

#[test]
fn a_lost_report_opens_a_gap_that_only_a_full_report_closes() {
    let mut sender = Sender::new();
    let held = applied(None, &sender.full(), &items(9));
    let lost = sender.report(&[(3, Required)]);
    let next = sender.report(&[(4, Required)]);
    let folded = fold(Some(&held), &next, &items(9));
    assert_eq!(folded.outcome, ReportOutcome::SendFull);
    let gap = folded.write.expect("the gap is written");
    assert_eq!(gap.vector, Vector { gap: true, ..held.vector });
    for late in [lost, next] {
        let folded = fold(Some(&gap), &late, &items(9));
        assert_eq!(folded, Folded { outcome: ReportOutcome::SendFull, write: None });
    }
    let held = applied(Some(&gap), &sender.full(), &items(9));
    assert_eq!((held.vector.gap, &held.vector.required[..]), (false, &[3, 4][..]));
    // The gap of a stranger's report is closed although the serial has not moved.
    let gap = Holding { vector: Vector { gap: true, ..held.vector.clone() }, ..held.clone() };
    let again = sender.message(sender.states.clone().into_iter());
    assert_eq!(applied(Some(&gap), &again, &items(9)), held);
}

#[test]
fn a_new_incarnation_and_a_wrong_digest_need_a_full_report() {
    let mut sender = Sender::new();
    let held = applied(None, &sender.full(), &items(9));
    let mut wrong = sender.report(&[(3, Required)]);
    wrong.digest_after = [0; 32];
    let mut reborn = Sender { incarnation: 2, covered: 3, ..Sender::new() };
    for refused in [wrong, reborn.report(&[(3, Required)])] {
        let folded = fold(Some(&held), &refused, &items(9));
        assert_eq!(folded.outcome, ReportOutcome::SendFull);
        assert!(folded.write.is_some_and(|held| held.vector.gap && held.vector.serial == 1));
        assert_eq!(fold(None, &refused, &items(9)).write, None);
    }
    let held = applied(Some(&held), &reborn.full(), &items(9));
    assert_eq!((held.vector.incarnation, held.vector.covered), (2, 3));
}

#[test]
fn an_update_without_an_item_waits_for_it() {
    let mut sender = Sender::new();
    let mut full = sender.report(&[(2, Required), (8, Required)]);
    full.full = true;
    full.changes[1].state.enforcement = Some((EnforcementState::Failed, 5));
    let held = applied(None, &full, &items(5));
    assert_eq!(held.vector.required, [2]);
    assert_eq!(held.parked.iter().map(|parked| parked.update).collect::<Vec<_>>(), [update(8)]);
    assert_eq!(apply_parked(&held, &items(8)), None);

    let next = sender.report(&[(2, Installed)]);
    let held = applied(Some(&held), &next, &items(5));
    let held = apply_parked(&held, &items(9)).expect("the item is here");
    assert_eq!(held.parked, []);
    assert_eq!((&held.vector.required[..], &held.vector.installed[..]), (&[8][..], &[2][..]));
    let failed = Detail { item: 8, state: EnforcementState::Failed, code: 5, at: Timestamp(8) };
    assert_eq!(held.vector.detail, [failed]);
}

#[test]
fn a_scan_of_an_older_catalog_adds_states_but_removes_none() {
    let mut sender = Sender::new();
    sender.covered = 12;
    sender.states = BTreeMap::from([(2, Required), (3, Required)]);
    let held = applied(None, &sender.full(), &items(9));
    sender.covered = 11;
    let report = sender.report(&[(2, NotRequired), (3, Installed), (4, Required)]);
    for report in [report, sender.full()] {
        let held = applied(Some(&held), &report, &items(9));
        assert_eq!(
            (&held.vector.required[..], &held.vector.installed[..]),
            (&[2, 4][..], &[3][..])
        );
        assert_eq!(held.vector.covered, 12);
    }
}

#[test]
fn a_deleted_item_and_a_finished_step_leave_no_cell() {
    let mut sender = Sender::new();
    sender.states = BTreeMap::from([(2, Required), (8, Installed)]);
    let mut full = sender.full();
    full.changes[0].state.enforcement = Some((EnforcementState::Installed, 0));
    full.changes[1].state.enforcement = Some((EnforcementState::Failed, 1));
    full.scan_error = Some("ä".repeat(SCAN_ERROR_BYTES_MAX));
    let held = applied(None, &full, &items(9));
    assert_eq!((&held.vector.detail[..], check(&held.vector)), (&[][..], Ok(())));
    sender.states.remove(&8);
    let held = applied(Some(&held), &sender.report(&[]), &items(8));
    assert_eq!(held.vector.installed, []);
}

#[test]
fn more_than_can_be_held_is_a_gap() {
    let mut sender = Sender::new();
    let held = applied(None, &sender.full(), &items(1));
    sender.states = (0..=CELLS_MAX as u32).map(|number| (number, Required)).collect();
    for items in [items(40_000), items(0)] {
        assert_eq!(fold(Some(&held), &sender.full(), &items).outcome, ReportOutcome::SendFull);
    }
}

#[test]
fn a_deployment_stands_as_it_was_last_said_until_policy_takes_it_away() {
    let mut sender = Sender::new();
    let state = DeploymentState {
        compliance: AssignmentCompliance::NonCompliant,
        enforcement: Some(AssignmentEnforcement::Downloading),
        evaluation: AssignmentEvaluation::Succeeded,
        code: 0,
        at: Timestamp(3),
    };
    let deployments = vec![(1, Some(state)), (2, Some(state))];
    let first = sender.report_all(Pending { deployments, ..Pending::default() });
    let held = applied(None, &StateReport { full: true, ..first }, &items(1));
    assert_eq!(held.vector.deployments, [(deployment(1), state), (deployment(2), state)]);
    let later = DeploymentState { enforcement: None, at: Timestamp(4), ..state };
    let deployments = vec![(2, None), (1, Some(later))];
    let next = sender.report_all(Pending { deployments, ..Pending::default() });
    let held = applied(Some(&held), &next, &items(1));
    assert_eq!(held.vector.deployments, [(deployment(1), later)]);
    assert_eq!(held.vector.scan.as_ref().map(|scan| scan.duration_ms), Some(4), "that of now");
    let mut wrong =
        sender.report_all(Pending { deployments: vec![(1, None)], ..Pending::default() });
    wrong.deployments_digest = next.deployments_digest;
    assert_eq!(fold(Some(&held), &wrong, &items(1)).outcome, ReportOutcome::SendFull);
    let number = 0..=u32::try_from(DEPLOYMENTS_MAX).expect("a small number");
    sender.deployments = number.map(|number| (number, state)).collect();
    assert_eq!(fold(Some(&held), &sender.full(), &items(1)).outcome, ReportOutcome::SendFull);
}

#[derive(Clone, Debug)]
enum Step {
    Change(u32, ComplianceState),
    Deploy(u32, Option<DeploymentState>),
    Flush,
    /// One of the reports under way arrives; it may arrive again.
    Deliver(prop::sample::Index),
    Lose(prop::sample::Index),
    Forget,
    Snapshot,
    /// The client is what it was at the snapshot, but for what happened to its computer.
    PutBack,
    ItemsArrive,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let state = prop_oneof![Just(Required), Just(Installed), Just(NotRequired), Just(Unknown)];
    let step = prop_oneof![
        6 => (0..12_u32, state).prop_map(|(number, state)| Step::Change(number, state)),
        4 => (0..4_u32, prop::option::of(deployment_states()))
            .prop_map(|(number, state)| Step::Deploy(number, state)),
        4 => Just(Step::Flush),
        6 => any::<prop::sample::Index>().prop_map(Step::Deliver),
        2 => any::<prop::sample::Index>().prop_map(Step::Lose),
        1 => Just(Step::Forget),
        1 => Just(Step::Snapshot),
        1 => Just(Step::PutBack),
        1 => Just(Step::ItemsArrive),
    ];
    prop::collection::vec(step, 0..80)
}

/// A site, and everything that is under way to it.
struct Site {
    held: Option<Holding>,
    items: ItemNumbers,
    under_way: Vec<StateReport>,
    send_full: bool,
    /// The last serial of which the client of that incarnation heard.
    behind: Option<(u64, u64)>,
    snapshot: Option<Sender>,
}

impl Site {
    fn receive(&mut self, report: &StateReport) {
        let folded = fold(self.held.as_ref(), report, &self.items);
        if let (Some(old), Some(new)) = (&self.held, &folded.write) {
            let same = old.vector.incarnation == new.vector.incarnation;
            assert!(!same || old.vector.serial <= new.vector.serial, "serials never fall");
            assert!(!same || old.vector.covered <= new.vector.covered, "covered never falls");
        }
        self.held = folded.write.or(self.held.take());
        self.send_full |= folded.outcome == ReportOutcome::SendFull;
        if let ReportOutcome::Behind(known) = folded.outcome {
            self.behind = Some((report.incarnation, known));
        }
    }

    /// Whether everything is wanted of a client, which goes on after what is known then.
    fn wants_everything(&mut self, sender: &mut Sender) -> bool {
        let known =
            self.behind.take().filter(|(incarnation, _)| *incarnation == sender.incarnation);
        let behind = known.is_some_and(|(_, known)| known > sender.serial);
        sender.serial = sender.serial.max(known.map_or(0, |(_, known)| known));
        std::mem::take(&mut self.send_full) || behind
    }

    fn step(&mut self, step: Step, sender: &mut Sender, pending: &mut Pending) {
        match step {
            Step::Change(number, state) => pending.states.push((number, state)),
            Step::Deploy(number, state) => pending.deployments.push((number, state)),
            Step::Flush => {
                let full = self.wants_everything(sender);
                let report = sender.report_all(std::mem::take(pending));
                self.under_way.push(if full { sender.full() } else { report });
            }
            Step::Snapshot => self.snapshot = Some(sender.clone()),
            Step::PutBack => {
                if let Some(snapshot) = &self.snapshot {
                    *sender = snapshot.clone();
                    *pending = Pending::default();
                }
            }
            Step::Deliver(which) if !self.under_way.is_empty() => {
                let report = which.get(&self.under_way).clone();
                self.receive(&report);
            }
            Step::Lose(which) if !self.under_way.is_empty() => {
                self.under_way.swap_remove(which.index(self.under_way.len()));
            }
            Step::Deliver(_) | Step::Lose(_) => {}
            Step::Forget => {
                *sender = Sender { incarnation: sender.incarnation + 1, ..Sender::new() };
                *pending = Pending::default();
                self.snapshot = None;
            }
            Step::ItemsArrive => {
                self.items = items(12);
                let applied = self.held.as_ref().and_then(|held| apply_parked(held, &self.items));
                self.held = applied.or(self.held.take());
            }
        }
    }
}

proptest! {
    /// Reports are doubled, reordered and lost; the client lives anew, or is put back to what it was
    /// before; items come late. In the end the site holds what the client says of itself.
    #[test]
    fn a_site_ends_with_the_clients_own_state(steps in steps()) {
        let mut site =
            Site {
                held: None,
                items: items(6),
                under_way: Vec::new(),
                send_full: false,
                behind: None,
                snapshot: None,
            };
        let (mut sender, mut pending) = (Sender::new(), Pending::default());
        for step in steps {
            site.step(step, &mut sender, &mut pending);
        }
        // Those of an incarnation that is gone come before the last word, and those of a life that
        // was taken back; the others even after.
        let is_put_back = site.snapshot.is_some();
        let (late, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut site.under_way)
            .into_iter()
            .partition(|report| report.incarnation == sender.incarnation && !is_put_back);
        gone.iter().for_each(|report| site.receive(report));
        site.receive(&sender.report_all(pending));
        for _ in 0..2 {
            // Of a life that was taken back there may have been more than one word.
            let has_gap = site.held.as_ref().is_none_or(|held| held.vector.gap);
            if site.wants_everything(&mut sender) || has_gap {
                site.receive(&sender.full());
            }
        }
        let held = site.held.clone().expect("a full report has arrived");
        late.iter().for_each(|report| site.receive(report));
        prop_assert_eq!(site.held.as_ref(), Some(&held), "late reports change nothing");
        prop_assert!(!held.vector.gap);
        prop_assert_eq!(check(&held.vector), Ok(()));
        let own: BTreeMap<UpdateId, _> =
            sender.states.iter().map(|(number, state)| (update(*number), *state)).collect();
        let states = states_of(&held, &site.items).into_values();
        let kept: BTreeMap<_, _> = states.map(|one| (one.update, one.state.state)).collect();
        prop_assert_eq!(kept, own);
        let deployments: Vec<_> = sender.all_deployments().collect();
        prop_assert_eq!(&held.vector.deployments, &deployments);
        let Vector { required, installed, unjudged, .. } = &held.vector;
        let cells = required.len() + installed.len() + unjudged.len() + held.parked.len();
        prop_assert_eq!(cells, sender.states.len());
    }
}
