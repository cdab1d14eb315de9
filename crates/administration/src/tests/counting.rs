//! The answers about compliance agree: with each other, and with what computers said.

use std::collections::{BTreeMap, BTreeSet};

use compliance::Board;
use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ClientKind, ClientRecord,
    Collection, CollectionRule, ComplianceState, DeploymentChange, DeploymentId, DeploymentState,
    EnforcementState, Group, Item, LastScan, ObjectCode, ReportOutcome, SourceScan, StateChange,
    StateReport, UpdateGroup, UpdateId, UpdateRef, UpdateState, deployment_digest, state_digest,
};
use proptest::prelude::*;
use site_db::Own;
use testkit::objects;
use tonic::Code;
use uuid::Uuid;

use self::computer::{Computer, Said};
use self::reference::Reference;
use self::world::{Fate, Step, World, steps};
use super::*;

mod computer;
mod reference;
mod world;

const UPDATES: u32 = 4;
/// The last two are Windows computers.
const COMPUTERS: u128 = 5;

fn update(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

fn client(number: u128, life: u128) -> ClientId {
    ClientId(Uuid::from_u128(number + life))
}

fn is_windows(number: u128) -> bool {
    number > COMPUTERS - 2
}

/// Of the deployments, by their numbers.
fn is_to_all(which: usize) -> bool {
    which % 2 == 1
}

fn toggle<T: Ord>(set: &mut BTreeSet<T>, one: T) {
    if let Some(one) = set.take(&one).is_none().then_some(one) {
        set.insert(one);
    }
}

fn deployment_counts(row: &pb::DeploymentCompliance) -> [u64; 5] {
    [row.targeted, row.compliant, row.in_progress, row.failed, row.unknown]
}

/// Topic, state and count.
fn topic_counts(states: &[pb::StateCount]) -> BTreeMap<(u32, u32), u64> {
    states.iter().map(|row| ((row.topic, row.state), row.count)).collect()
}

/// The updates of a group, and the number of all that is counted.
async fn groups_agree(world: &World) {
    let (truth, admin) = (&world.truth, || world.site.admin());
    for (code, which) in [("PR1000A1", 0), ("PR1000A2", 2)] {
        let request = pb::GetGroupComplianceRequest { code: code.to_owned() };
        let rows = admin().get_group_compliance(request).await.told().rows.into_iter();
        let rows = rows.map(|row| [row.required, row.installed, row.not_required, row.unknown]);
        let all = |number: u32| truth.tally(truth.known.keys().map(|one| (*one, number)));
        let expected: Vec<_> = truth.updates(which).into_iter().map(all).collect();
        assert_eq!(rows.collect::<Vec<_>>(), expected, "{code}");
    }
    let summary = admin().get_compliance_summary(pb::GetComplianceSummaryRequest {}).await.told();
    let counted = (summary.clients, summary.updates);
    assert_eq!(counted, (truth.known.len() as u64, truth.counted().count() as u64));
}

/// Each update; answers the sum of all.
async fn updates_agree(world: &World) -> [u64; 4] {
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
    of_updates
}

/// Each answer equals the reference, and those about clients add up to those about deployments.
async fn answers_agree(world: &World) {
    let (truth, admin) = (&world.truth, || world.site.admin());
    let of_updates = updates_agree(world).await;
    let (mut of_clients, mut buckets, mut said) = ([0; 4], BTreeMap::new(), BTreeMap::new());
    for computer in truth.known.keys() {
        let id = world.client(*computer).to_string();
        let request = pb::GetClientComplianceRequest { id };
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
    groups_agree(world).await;
    let of_pilots = pb::GetCollectionComplianceRequest { code: "PR1000C1".to_owned() };
    let of_pilots = admin().get_collection_compliance(of_pilots).await.told().rows;
    for (which, id) in world.deployments.iter().enumerate() {
        let Some(id) = id.map(|id| id.to_string()) else { continue };
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
        assert_eq!(in_collection, (!is_to_all(which)).then_some(counts));
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

/// What a site answers of each computer is what a look at the computer says.
async fn computers_agree(world: &World) {
    for (number, computer) in &world.computers {
        let mut own = [0; 4];
        for update in world.truth.counted() {
            let has = computer.has.get(&update);
            own[has.map_or(ComplianceState::NotRequired, |state| state.state) as usize] += 1;
        }
        let id = world.client(*number).to_string();
        let request = pb::GetClientComplianceRequest { id };
        let answer = world.site.admin().get_client_compliance(request).await.told();
        let row = answer.row.expect("a row");
        assert_eq!([row.unknown, row.not_required, row.required, row.installed], own, "{number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Agents and Windows computers report, reports are lost and doubled, computers leave, come
    /// back, lose their memory and are put back to what they were before; updates are revised,
    /// declined, reinstated and expired, deployments, groups and collections come and go. Whatever
    /// is asked whenever, the answers add up to each other, to the last client; and what computers
    /// then still have to say brings their own numbers.
    #[test]
    fn all_answers_agree_to_the_last_client(steps in steps()) {
        run(async {
            let mut world = World::new().await;
            for step in steps {
                world.step(step).await;
            }
            world.step(Step::Look).await;
            world.catch_up().await;
            world.step(Step::Look).await;
            computers_agree(&world).await;
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
        let id = world.deployments[0].expect("it is there").to_string();
        let request = pb::GetDeploymentComplianceRequest { id };
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
        let one = world.client(1);
        let mut report = world.computers.get_mut(&1).expect("one").report(one, true);
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
            let request = pb::GetClientComplianceRequest { id: world.client(number).to_string() };
            world.site.admin().get_client_compliance(request).await.told()
        };
        let scan = of(1).await.scan.expect("it has scanned");
        let facts = (scan.state, scan.name.as_str(), scan.server.as_str(), scan.duration_ms);
        assert_eq!(facts, (5, "failed", "https://sup.example:8531", 1_500));
        assert!(scan.meaning.starts_with("0x8024401C WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT: "));
        assert_eq!(of(2).await.scan, None);
        let reason = async || of(2).await.row.expect("a row").reason;
        assert_eq!(reason().await, "no report received");
        let kind = PeerKind::Role(model::RoleKind::ManagementPoint);
        let (hierarchy, site) = (world.site.anchor.hierarchy(), code("PR1"));
        let caller = PeerIdentity { hierarchy, site, kind, id: "1".to_owned() };
        let held = site_db::Backlog { caller, at: at(0), waiting: 700, set_aside: 2 };
        world.site.db.write(move |w| w.say_backlog(&held)).await.expect("written");
        let expected = format!(
            "no report received; 700 reports waited at PR1/mp/1 at {}; PR1/mp/1 has set 2 broken \
             or refused reports aside",
            at(0)
        );
        assert_eq!(reason().await, expected);
    });
}
