//! From a plan to heads: what stays, and when a head is made anew.

use model::{DeploymentId, PolicyHead, Sha256, Timestamp};
use uuid::Uuid;

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

/// What the part of options is named by, instead of a deployment; no deployment has this id.
pub const OPTIONS: DeploymentId = DeploymentId(Uuid::from_u128(0xffff_fff1));
/// Likewise the part of windows.
pub const WINDOWS: DeploymentId = DeploymentId(Uuid::from_u128(0xffff_fff2));

/// Likewise the part of servers.
pub const SERVERS: DeploymentId = DeploymentId(Uuid::from_u128(0xffff_fff0));

/// The parts of a client's next head: those of the plan, where `names` has one name per part of
/// it, and of whatever waits what the old head had. Settings and servers go first, then options
/// and windows, then assignments by deployment.
#[must_use]
pub fn head_parts(
    plan: &PolicyPlan,
    client: &ClientPlan,
    names: &[Sha256],
    old: &[NamedPart],
) -> Vec<NamedPart> {
    // Whether it is told of update points depends on whether it is on.
    let has_servers = old.iter().any(|part| part.deployment == Some(SERVERS));
    let keeps_servers = has_servers && !plan.switch_waits.is_empty();
    let planned = client.parts.iter().map(|&index| NamedPart {
        sha256: names[index as usize],
        deployment: match &plan.parts[index as usize] {
            Part::Assignment(assignment) => Some(assignment.deployment),
            Part::Options(_) => Some(OPTIONS),
            Part::Windows(_) => Some(WINDOWS),
            Part::Servers(_) => Some(SERVERS),
            Part::Settings(_) => None,
        },
    });
    let waits = |part: &&NamedPart| {
        part.deployment.is_some_and(|named| match named {
            OPTIONS => !plan.options_wait.is_empty(),
            WINDOWS => !plan.windows_wait.is_empty(),
            SERVERS => keeps_servers,
            id => !client.is_off && matches!(plan.deployments.get(&id), Some(Outcome::Waiting(_))),
        })
    };
    let mut parts: Vec<NamedPart> = planned
        .filter(|part| !(keeps_servers && part.deployment == Some(SERVERS)))
        .chain(old.iter().filter(waits).copied())
        .collect();
    let is_assignment =
        |part: &NamedPart| !matches!(part.deployment, None | Some(SERVERS | OPTIONS | WINDOWS));
    parts.sort_by_key(|part| (is_assignment(part), part.deployment));
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
