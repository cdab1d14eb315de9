//! Documented states as rows: number, word, what administrators call it, and how many.

use std::collections::BTreeMap;

use compliance::{Bucket, DeploymentMark};
use model::{AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, EnforcementState};
use rpc::pb::admin as pb;

/// Nothing was said of it: state 0 of every topic.
fn silent(topic: u32, count: u64) -> pb::StateCount {
    let (name, bucket) = ("unknown".to_owned(), Bucket::Unknown.as_str().to_owned());
    pb::StateCount { topic, state: 0, name, bucket, count }
}

/// The targets of a deployment by topics 300, 301 and 302; each adds up to all of them.
pub(super) fn marks(said: BTreeMap<DeploymentMark, u64>, targets: u64) -> Vec<pb::StateCount> {
    let mut rows: Vec<pb::StateCount> = said.into_iter().map(mark).collect();
    let topics =
        [AssignmentCompliance::TOPIC, AssignmentEnforcement::TOPIC, AssignmentEvaluation::TOPIC];
    for topic in topics {
        let told: u64 = rows.iter().filter(|row| row.topic == topic).map(|row| row.count).sum();
        let rest = targets.saturating_sub(told);
        match rows.iter_mut().find(|row| row.topic == topic && row.state == 0) {
            Some(unknown) => unknown.count += rest,
            None if rest > 0 => rows.push(silent(topic, rest)),
            None => {}
        }
    }
    rows.sort_by_key(|row| (row.topic, row.state));
    rows
}

fn mark((mark, count): (DeploymentMark, u64)) -> pb::StateCount {
    let (topic, state, name, bucket) = match mark {
        DeploymentMark::Compliance(state) => (
            AssignmentCompliance::TOPIC,
            state.number(),
            state.as_str(),
            Bucket::of_compliance(state),
        ),
        DeploymentMark::Enforcement(state) => (
            AssignmentEnforcement::TOPIC,
            state.number(),
            state.as_str(),
            Bucket::of_enforcement(state),
        ),
        DeploymentMark::Evaluation(state) => (
            AssignmentEvaluation::TOPIC,
            state.number(),
            state.as_str(),
            Bucket::of_evaluation(state),
        ),
    };
    let (name, bucket) = (name.to_owned(), bucket.as_str().to_owned());
    pb::StateCount { topic, state, name, bucket, count }
}

/// What is required, by topic 402.
pub(super) fn steps(steps: BTreeMap<Option<EnforcementState>, u64>) -> Vec<pb::StateCount> {
    let topic = EnforcementState::TOPIC;
    let row = |(step, count): (Option<EnforcementState>, u64)| match step {
        None => silent(topic, count),
        Some(step) => {
            let bucket = Bucket::of_step(step).as_str().to_owned();
            let name = step.as_str().to_owned();
            pb::StateCount { topic, state: step.number(), name, bucket, count }
        }
    };
    steps.into_iter().map(row).collect()
}
