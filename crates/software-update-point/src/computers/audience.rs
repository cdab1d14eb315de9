//! What the deployments of a computer make of its updates.
//!
//! Pure: owns which deployment wins where several name an update, when a decision counts as
//! another one, and the bytes in which a set of decisions is kept. Refuses to know where
//! assignments come from and which computers have them. Bytes that are no such set are an error.

use std::collections::{BTreeMap, BTreeSet};

use model::{Assignment, Intent, Invalid, Sha256, Timestamp, UpdateId};
use sha2::Digest as _;
use uuid::Uuid;

/// What a computer shall do with an update of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) intent: Intent,
    pub(crate) deadline: Option<Timestamp>,
    /// When it was made, as far as this update point knows.
    pub(crate) since: Timestamp,
    /// What computers know the deployment by.
    pub(crate) number: u32,
}

/// An assignment, and when its present wording came here.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) assignment: Assignment,
    pub(crate) seen_at: Timestamp,
}

pub(crate) type Decisions = BTreeMap<UpdateId, Decision>;

/// Computers that are told the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    /// 0: nobody tells them anything.
    pub(crate) id: u64,
    /// When there was first somebody to tell this.
    pub(crate) made_at: Timestamp,
    pub(crate) decisions: Decisions,
}

/// Decides by the assignments that are available at `now`, but leaves out the updates that wait;
/// says, too, when the next assignment will be available.
pub(crate) fn decide(
    arrived: &[Arrived],
    waiting: &BTreeSet<UpdateId>,
    now: Timestamp,
) -> (Decisions, Option<Timestamp>) {
    let mut decisions = Decisions::new();
    let mut next: Option<Timestamp> = None;
    for Arrived { assignment, seen_at } in arrived {
        let Assignment { deployment, intent, available_at, deadline, updates, .. } = assignment;
        if *available_at > now {
            next = Some(next.map_or(*available_at, |next| next.min(*available_at)));
            continue;
        }
        let decision = Decision {
            intent: *intent,
            deadline: deadline.filter(|_| *intent != Intent::Available),
            since: (*seen_at).max(*available_at),
            number: number(deployment.0),
        };
        for update in updates.iter().map(|assigned| assigned.update.id) {
            if waiting.contains(&update) {
                continue;
            }
            let held = decisions.entry(update).or_insert(decision);
            if is_stronger(&decision, held) {
                *held = decision;
            }
        }
    }
    (decisions, next)
}

/// Installing goes before offering, and the first deadline before later ones.
fn is_stronger(one: &Decision, other: &Decision) -> bool {
    let rank = |decision: &Decision| {
        let is_offer = decision.intent == Intent::Available;
        (is_offer, decision.deadline.is_none(), decision.deadline)
    };
    rank(one) < rank(other)
}

/// The parts of an id that differ most, in one number.
fn number(deployment: Uuid) -> u32 {
    let (fours, _) = deployment.as_bytes().as_chunks::<4>();
    fours.iter().fold(0, |all, four| all ^ u32::from_be_bytes(*four))
}

impl Audience {
    /// The updates that are decided otherwise there.
    pub(crate) fn differences(&self, other: &Audience) -> BTreeSet<UpdateId> {
        let words = |audience: &Audience, id: &UpdateId| audience.decisions.get(id).map(worded);
        let named = self.decisions.keys().chain(other.decisions.keys());
        named.filter(|id| words(self, id) != words(other, id)).copied().collect()
    }
}

/// As far as it matters to a computer that knows it already.
fn worded(decision: &Decision) -> (Intent, Option<Timestamp>) {
    (decision.intent, decision.deadline)
}

/// Equal for sets of which a computer that knows one needs not be told the other.
pub(crate) fn digest(decisions: &Decisions) -> Sha256 {
    let mut hasher = sha2::Sha256::new();
    for (id, decision) in decisions {
        let (intent, deadline) = worded(decision);
        hasher.update(id.as_bytes());
        hasher.update([intent_byte(intent)]);
        hasher.update(deadline.map_or(i64::MIN, |at| at.0).to_le_bytes());
    }
    Sha256(hasher.finalize().into())
}

/// Per update: id (16 bytes), intent (1), deadline, since (8 each, little endian), number (4). No
/// deadline is the lowest number.
pub(crate) fn encode(decisions: &Decisions) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(decisions.len() * DECISION_BYTES);
    for (id, Decision { intent, deadline, since, number }) in decisions {
        bytes.extend_from_slice(id.as_bytes());
        bytes.push(intent_byte(*intent));
        bytes.extend_from_slice(&deadline.map_or(i64::MIN, |at| at.0).to_le_bytes());
        bytes.extend_from_slice(&since.0.to_le_bytes());
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

const DECISION_BYTES: usize = 16 + 1 + 8 + 8 + 4;

pub(crate) fn decode(bytes: &[u8]) -> Result<Decisions, Invalid> {
    let (decisions, rest) = bytes.as_chunks::<DECISION_BYTES>();
    if !rest.is_empty() {
        return Err(Invalid::new("decisions", "end in the middle"));
    }
    decisions.iter().map(decode_one).collect()
}

fn decode_one(bytes: &[u8; DECISION_BYTES]) -> Result<(UpdateId, Decision), Invalid> {
    let eight = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[at..at + 8]);
        i64::from_le_bytes(eight)
    };
    let intent = match bytes[16] {
        0 => Intent::Required,
        1 => Intent::Available,
        2 => Intent::Uninstall,
        _ => return Err(Invalid::new("decisions", "hold an unknown intent")),
    };
    let deadline = Some(eight(17)).filter(|at| *at != i64::MIN).map(Timestamp);
    let (since, id) = (Timestamp(eight(25)), UpdateId::from_slice(&bytes[..16])?);
    let number = u32::from_le_bytes([bytes[33], bytes[34], bytes[35], bytes[36]]);
    Ok((id, Decision { intent, deadline, since, number }))
}

fn intent_byte(intent: Intent) -> u8 {
    match intent {
        Intent::Required => 0,
        Intent::Available => 1,
        Intent::Uninstall => 2,
    }
}

#[cfg(test)]
mod tests;
