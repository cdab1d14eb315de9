//! What a site does after an announced restore, before it writes, serves or follows again.

use std::collections::BTreeMap;

use model::{Position, SiteCode, StreamId};

use crate::{Head, LocalStream};

/// What a recovering site knows of one neighbor.
#[derive(Clone, Debug, Default)]
pub struct NeighborView {
    /// Heads it has told; `None` until it has answered since the restore.
    pub heads: Option<BTreeMap<StreamId, Head>>,
    pub is_parent: bool,
    pub recovering: bool,
}

/// The next step of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Take these streams from these neighbors, whatever their routes.
    Walk(Vec<(StreamId, SiteCode)>),
    /// Nothing can be done now; the reason is for people.
    Wait(String),
    /// Nobody knows more: open a new epoch of every stream of one's own and go on. Streams that
    /// were left half taken, with no source to finish from, are listed: they start empty.
    Finish { lost: Vec<StreamId> },
}

/// Whether losses that cannot be ruled out are accepted (`--accept-loss`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Losses {
    Refused,
    Accepted,
}

/// Decides the next step. `local` holds every stream of the groups this site subscribes to.
#[must_use]
pub fn plan_recovery(
    local: &BTreeMap<StreamId, LocalStream>,
    neighbors: &BTreeMap<SiteCode, NeighborView>,
    losses: Losses,
) -> Recovery {
    let parent_recovers = neighbors.values().any(|n| n.is_parent && n.recovering);
    if parent_recovers {
        return Recovery::Wait("the parent site is recovering itself and goes first".into());
    }
    let mut walks = Vec::new();
    let mut lost = Vec::new();
    for (stream, mine) in local {
        match furthest(*stream, neighbors) {
            Some((site, theirs)) if mine.walking || !settled(mine) || theirs > mine.position => {
                walks.push((*stream, site));
            }
            Some(_) => {}
            None if mine.walking || !settled(mine) => lost.push(*stream),
            None => {}
        }
    }
    if !walks.is_empty() {
        return Recovery::Walk(walks);
    }
    let silent: Vec<String> =
        neighbors.iter().filter(|(_, n)| n.heads.is_none()).map(|(s, _)| s.to_string()).collect();
    if losses == Losses::Refused && !silent.is_empty() {
        return Recovery::Wait(format!(
            "{} may know more and does not answer; restore with --accept-loss to go on without",
            silent.join(", ")
        ));
    }
    if losses == Losses::Refused && !lost.is_empty() {
        let names: Vec<String> = lost.iter().map(ToString::to_string).collect();
        return Recovery::Wait(format!(
            "no source is left for {}; restore with --accept-loss to go on without",
            names.join(", ")
        ));
    }
    Recovery::Finish { lost }
}

fn settled(local: &LocalStream) -> bool {
    local.settle_at.is_none_or(|at| local.position.seq >= at)
}

/// The neighbor that is settled and furthest in a stream. Half copies offer nothing.
fn furthest(
    stream: StreamId,
    neighbors: &BTreeMap<SiteCode, NeighborView>,
) -> Option<(SiteCode, Position)> {
    let heads = neighbors.iter().filter(|(_, n)| !n.recovering).filter_map(|(site, n)| {
        let head = n.heads.as_ref()?.get(&stream)?;
        head.digest.is_some().then_some((*site, head.position))
    });
    heads.max_by_key(|(_, position)| *position)
}

#[cfg(test)]
mod tests;
