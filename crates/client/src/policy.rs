//! Which policy is believed.
//!
//! A head is signed by the client's own site, whose key is stated under the hierarchy's root, and
//! names this client in this incarnation. Its version only rises, so that nobody on the way can
//! bring back what was withdrawn. Parts are named by digest. Who carried it plays no part.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    AssignedWindow, Assignment, ClientId, ClientOptions, ClientSettings, ErrorClass, HierarchyId,
    Invalid, KeyStatement, ObjectCode, PolicyHead, ServerRef, Sha256, SiteCode, Timestamp,
};
use recurrence::{Calendar, Use, Zone};
use rpc::convert::{Part, check_part, decode_head, decode_part};
use rpc::object::ObjectBody as _;
use trust::{Anchor, Purpose, verify_signature, verify_statement};

use crate::digest::sha256;
use crate::limits;

/// What a management point answers.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    pub head: Vec<u8>,
    pub signature: Vec<u8>,
    pub statement: Vec<u8>,
    pub parts: Vec<Vec<u8>>,
}

/// What a head must name.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub anchor: &'a Anchor,
    pub site: SiteCode,
    pub client: ClientId,
    pub incarnation: u64,
}

/// Why policy is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("it cannot be read")]
    Decode(#[source] Invalid),
    #[error("its signing key is not believed")]
    Statement(#[source] trust::Refused),
    #[error("its signature is not believed")]
    Signature(#[source] trust::Refused),
    #[error("it is signed with key {found} of the site; key {known} is known already")]
    OlderKey { found: u32, known: u32 },
    #[error("it is for {found}, this client is {own}")]
    Foreign { found: String, own: String },
    #[error("it is version {found}; version {held} is in effect already")]
    Older { found: u64, held: u64 },
    #[error("it expired at {at}")]
    Expired { at: Timestamp },
    #[error("part {sha256} is missing or altered")]
    Part { sha256: Sha256 },
}

impl Refused {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Refused::Decode(_) => ErrorClass::Invalid,
            Refused::Statement(error) | Refused::Signature(error) => error.class(),
            Refused::OlderKey { .. }
            | Refused::Foreign { .. }
            | Refused::Older { .. }
            | Refused::Expired { .. } => ErrorClass::Denied,
            Refused::Part { .. } => ErrorClass::Corrupt,
        }
    }
}

/// Updates use the windows of all deployments as well (CSET-07).
const IN_ALL: &str = "windows.in_all";

pub type Parts = BTreeMap<Sha256, Vec<u8>>;

/// Policy that may be stored and then obeyed.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub head: PolicyHead,
    pub key_epoch: u32,
    /// All that the head names.
    pub parts: Parts,
}

/// `held` is in effect: an offer must not fall behind it, and need not repeat its parts.
pub fn accept(
    offer: &Offer,
    held: &Policy,
    standing: &Standing<'_>,
    now: Timestamp,
) -> Result<Accepted, Refused> {
    let statement = KeyStatement::decode(&offer.statement).map_err(Refused::Decode)?;
    verify_statement(&statement, standing.anchor, now).map_err(Refused::Statement)?;
    verify_signature(Purpose::PolicyHead, &statement.key, &offer.head, &offer.signature)
        .map_err(Refused::Signature)?;
    let head = decode_head(&offer.head).map_err(Refused::Decode)?;
    let Standing { site, client, incarnation, anchor } = *standing;
    let Policy { version, key_epoch, .. } = *held;
    let own = name(anchor.hierarchy(), site, client, incarnation);
    let found = name(head.hierarchy, head.site, head.client, head.incarnation);
    if found != own || statement.site != site {
        return Err(Refused::Foreign { found, own });
    }
    if statement.epoch < key_epoch {
        return Err(Refused::OlderKey { found: statement.epoch, known: key_epoch });
    }
    if head.version <= version {
        return Err(Refused::Older { found: head.version, held: version });
    }
    if head.expires <= now {
        return Err(Refused::Expired { at: head.expires });
    }
    let offered: Parts = offer.parts.iter().map(|part| (sha256(part), part.clone())).collect();
    let take = |sha256: &Sha256| {
        let part = offered.get(sha256).or_else(|| held.parts.get(sha256));
        part.map(|part| (*sha256, part.clone())).ok_or(Refused::Part { sha256: *sha256 })
    };
    let parts = head.parts.iter().map(take).collect::<Result<Parts, _>>()?;
    // What is no part at all could have been anything, windows among it: what is in effect stays.
    parts.values().try_for_each(|part| check_part(part)).map_err(Refused::Decode)?;
    Ok(Accepted { head, key_epoch: statement.epoch, parts })
}

fn name(hierarchy: HierarchyId, site: SiteCode, client: ClientId, incarnation: u64) -> String {
    format!("{hierarchy}/{site}/{client} incarnation {incarnation}")
}

/// What accepted policy says. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Zero: there is none yet.
    pub version: u64,
    pub signed_at: Timestamp,
    pub expires: Timestamp,
    pub key_epoch: u32,
    pub parts: Arc<Parts>,
    pub settings: Option<ClientSettings>,
    pub servers: Arc<[ServerRef]>,
    pub assignments: Arc<[Assignment]>,
    pub windows: Arc<[AssignedWindow]>,
    pub options: Arc<ClientOptions>,
    /// Parts in words that this release does not know; the others hold without them.
    pub unread: Vec<(Sha256, Invalid)>,
}

impl Policy {
    pub fn read(accepted: Accepted) -> Policy {
        let Accepted { head, key_epoch, parts } = accepted;
        let PolicyHead { version, signed_at, expires, .. } = head;
        let mut policy = Policy { version, signed_at, expires, key_epoch, ..Policy::default() };
        let (mut assignments, mut servers, mut windows) = (Vec::new(), Vec::new(), Vec::new());
        for sha256 in &head.parts {
            let Some(bytes) = parts.get(sha256) else { continue };
            match decode_part(bytes) {
                Ok(Part::Assignment(assignment)) => assignments.push(assignment),
                Ok(Part::Settings(settings)) => policy.settings = Some(settings),
                Ok(Part::Servers(list)) => servers.extend(list.servers),
                Ok(Part::Windows(list)) => windows.extend(list.windows),
                Ok(Part::Options(options)) => policy.options = Arc::new(options),
                Err(invalid) => policy.unread.push((*sha256, invalid)),
            }
        }
        let (servers, assignments) = (servers.into(), assignments.into());
        let (parts, windows) = (Arc::new(parts), windows.into());
        Policy { parts, servers, assignments, windows, ..policy }
    }

    /// When it ceased to hold; none: it holds, or there is none.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> Option<Timestamp> {
        (self.version > 0 && self.expires <= now).then_some(self.expires)
    }

    pub fn settings(&self) -> ClientSettings {
        let ClientSettings { policy_poll_ms, state_batch_ms, scan_interval_ms, catalog_version } =
            self.settings.unwrap_or(limits::SETTINGS);
        // Whatever a site says, its clients neither ask without pause nor never.
        let (least, most) = (limits::ASK_MIN_MS, limits::ASK_MAX_MS);
        ClientSettings {
            policy_poll_ms: policy_poll_ms.clamp(least, limits::POLL_MAX_MS),
            state_batch_ms: state_batch_ms.min(limits::POLL_MAX_MS),
            scan_interval_ms: scan_interval_ms.clamp(least, most),
            catalog_version,
        }
    }

    /// When updates may be installed, where this clock is, and which windows are not understood.
    pub fn calendar(&self, clock: &Zone) -> (Calendar, Vec<(ObjectCode, recurrence::Error)>) {
        let in_all = |(name, value): &(String, String)| name == IN_ALL && value == "yes";
        let all = match self.options.values.iter().any(in_all) {
            true => Use::Also,
            false => Use::Otherwise,
        };
        Calendar::of(&self.windows, all, clock)
    }
}

#[cfg(test)]
mod tests;
