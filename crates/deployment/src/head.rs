//! From a plan to heads: what stays, and when a head is made anew.

use model::{DeploymentId, PolicyHead, Sha256, Timestamp};

use crate::{ClientPlan, Outcome, Part, PolicyPlan};

/// A part as a head names it, with the deployment it carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedPart {
    pub sha256: Sha256,
    pub deployment: Option<DeploymentId>,
}

/// Why a client needs a new head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadChange {
    /// It does not; the old one stands.
    None,
    /// It has none for this incarnation, or its parts are others.
    Content,
    /// Half of its validity is over; the same parts are signed again.
    Renewal,
}

/// The parts of a client's next head: those of the plan, where `names` has one name per part of
/// it, and of each waiting deployment what the old head had. Settings and servers go first, then
/// assignments by deployment.
#[must_use]
pub fn head_parts(
    plan: &PolicyPlan,
    client: &ClientPlan,
    names: &[Sha256],
    old: &[NamedPart],
) -> Vec<NamedPart> {
    let planned = client.parts.iter().map(|&index| NamedPart {
        sha256: names[index],
        deployment: match &plan.parts[index] {
            Part::Assignment(assignment) => Some(assignment.deployment),
            Part::Settings(_) | Part::Servers(_) => None,
        },
    });
    let waits = |part: &&NamedPart| {
        let outcome = part.deployment.and_then(|id| plan.deployments.get(&id));
        matches!(outcome, Some(Outcome::Waiting(_)))
    };
    let mut parts: Vec<NamedPart> = planned.chain(old.iter().filter(waits).copied()).collect();
    parts.sort_by_key(|part| part.deployment);
    parts
}

/// Whether a client's head, if it has one, must be made anew to name `parts`. The version rises
/// only then. A clock that stepped back renews nothing.
#[must_use]
pub fn head_change(
    old: Option<&PolicyHead>,
    incarnation: u64,
    parts: &[Sha256],
    now: Timestamp,
) -> HeadChange {
    let Some(old) = old.filter(|old| old.incarnation == incarnation && old.parts == parts) else {
        return HeadChange::Content;
    };
    let (validity, age) = (old.expires.0 - old.signed_at.0, now.0.saturating_sub(old.signed_at.0));
    if age >= validity / 2 { HeadChange::Renewal } else { HeadChange::None }
}
