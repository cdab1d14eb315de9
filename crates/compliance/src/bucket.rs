//! The four words in which administrators speak of how far something is, and what each documented
//! state means in them.

use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ComplianceState,
    EnforcementState, Vector,
};

use crate::{LiveItem, state_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    Success,
    InProgress,
    Error,
    Unknown,
}

impl Bucket {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Bucket::Success => "success",
            Bucket::InProgress => "in_progress",
            Bucket::Error => "error",
            Bucket::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn of_compliance(state: AssignmentCompliance) -> Bucket {
        match state {
            AssignmentCompliance::Unknown => Bucket::Unknown,
            AssignmentCompliance::Compliant => Bucket::Success,
            AssignmentCompliance::NonCompliant => Bucket::InProgress,
            AssignmentCompliance::Conflict => Bucket::Error,
        }
    }

    #[must_use]
    pub fn of_enforcement(state: AssignmentEnforcement) -> Bucket {
        match state {
            AssignmentEnforcement::Installed => Bucket::Success,
            state if state.is_failure() => Bucket::Error,
            _ => Bucket::InProgress,
        }
    }

    #[must_use]
    pub fn of_evaluation(state: AssignmentEvaluation) -> Bucket {
        match state {
            AssignmentEvaluation::Activated => Bucket::InProgress,
            AssignmentEvaluation::Succeeded => Bucket::Success,
            AssignmentEvaluation::Failed => Bucket::Error,
        }
    }

    #[must_use]
    pub fn of_step(state: EnforcementState) -> Bucket {
        match state {
            EnforcementState::Installed => Bucket::Success,
            state if state.is_failure() => Bucket::Error,
            _ => Bucket::InProgress,
        }
    }

    /// Of one target of a deployment of `items`: what [`crate::Board::deployment_sets`] says of all
    /// of them.
    #[must_use]
    pub fn of_target(vector: Option<&Vector>, items: &[LiveItem]) -> Bucket {
        let is_one = |number| items.iter().any(|item| item.number == number);
        let details = vector.into_iter().flat_map(|vector| &vector.detail);
        let mut failed = details.filter(|detail| detail.state.is_failure() && is_one(detail.item));
        let has = |state| items.iter().any(|item| state_of(vector, *item).0 == state);
        match () {
            () if failed.next().is_some() => Bucket::Error,
            () if has(ComplianceState::Required) => Bucket::InProgress,
            () if has(ComplianceState::Unknown) => Bucket::Unknown,
            () => Bucket::Success,
        }
    }
}
