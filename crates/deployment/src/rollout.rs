//! Growth of a deployment over its collection: which clients have it when.
//!
//! Owns the order in which clients come, which is the same for ever for one deployment and has
//! nothing to do with that of another. A deployment only grows: whoever has it keeps it.

use model::{ClientId, DeploymentId, Rollout, Timestamp};

/// Clients are dealt into so many buckets.
const BUCKETS: u32 = 10_000;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// How many buckets have the deployment: so many more every hour, the first at once.
pub(crate) fn share(rollout: &Rollout, now: Timestamp) -> u32 {
    let hours = i64::from(rollout.days) * 24;
    let passed = passed(rollout, now);
    if hours == 0 || passed > hours {
        return BUCKETS;
    }
    let share = i64::from(BUCKETS) * passed / hours;
    u32::try_from(share).unwrap_or(0)
}

/// Hours that have begun.
fn passed(rollout: &Rollout, now: Timestamp) -> i64 {
    let until = rollout.stopped_at.map_or(now, |stopped| stopped.min(now));
    let ms = until.0.saturating_sub(rollout.from.0);
    if ms < 0 { 0 } else { ms / HOUR_MS + 1 }
}

/// When it grows next, if it does.
pub(crate) fn grows_at(rollout: &Rollout, now: Timestamp) -> Option<Timestamp> {
    let is_over = share(rollout, now) >= BUCKETS;
    let grows = !is_over && rollout.stopped_at.is_none_or(|stopped| stopped > now);
    grows.then(|| rollout.from.plus_ms(passed(rollout, now) * HOUR_MS))
}

/// Where one client stands in the growth of a deployment that is meant for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Come,
    At(Timestamp),
    /// It would come later, but the growth was stopped.
    Stopped,
}

/// When a client gets a deployment that grows.
#[must_use]
pub fn turn(
    rollout: &Rollout,
    (client, deployment): (ClientId, DeploymentId),
    now: Timestamp,
) -> Turn {
    let mut at = now;
    while !has(client, deployment, share(rollout, at)) {
        match grows_at(rollout, at) {
            Some(next) => at = next,
            None => return Turn::Stopped,
        }
    }
    if at == now { Turn::Come } else { Turn::At(at) }
}

/// Whether a client has a deployment of which `share` buckets have it.
pub(crate) fn has(client: ClientId, deployment: DeploymentId, share: u32) -> bool {
    if share >= BUCKETS {
        return true;
    }
    let hash = blake3::hash(&[*client.as_bytes(), *deployment.as_bytes()].concat());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_be_bytes([a, b, c, d]) % BUCKETS < share
}

#[cfg(test)]
mod tests;
