//! Superseded updates expire at the top-level site when the rule says so (SUP-30, SUP-31, SUPX-04).
//!
//! Looked at in every synchronization that takes items, whatever changed: time alone makes an
//! update due. An expired update is left out of policy, is declined at every update point
//! (SUPX-05), and stays so in this revision unless an administrator keeps it.

use std::collections::BTreeSet;

use model::{
    FEATURE_UPDATES, Group, Item, Kind, Ruling, Superseding, Timestamp, UpdateId, Verdict,
    superseded,
};
use rpc::object::ObjectBody as _;
use site_db::{Own, Reader, Writer, own_ruling};

use crate::Error;
use crate::cleanup::kept;

/// The updates that are due at `now`, not expired yet, and kept by nobody.
pub(crate) fn due(r: &Reader<'_>, now: Timestamp) -> Result<Vec<UpdateId>, Error> {
    let rule = r.supersedence_rule()?;
    if rule == Default::default() {
        return Ok(Vec::new());
    }
    let (mut updates, mut features, mut expired) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    r.visit(Kind::Item, |_, body| {
        let Item { update, created_at, supersedes, classification, expired: is_expired, .. } =
            Item::decode(&body)?;
        if classification == Some(FEATURE_UPDATES) {
            features.insert(update.id);
        }
        if is_expired {
            expired.insert(update.id);
        }
        updates.push(Superseding { id: update.id, created_at, supersedes });
        Ok(())
    })?;
    expired.extend(kept(r)?);
    let is_due = |(id, since): &(UpdateId, Timestamp)| {
        let expires = rule.expires(features.contains(id), *since);
        expires.is_some_and(|expires| expires <= now) && !expired.contains(id)
    };
    Ok(superseded(&updates).into_iter().filter(is_due).map(|(id, _)| id).collect())
}

/// Says how many of them changed.
pub(crate) fn expire(w: &Writer<'_>, ids: &[UpdateId]) -> Result<u64, Error> {
    let (mut changed, mut changes) = (0, Vec::new());
    for id in ids {
        let held: Option<Item> = w.get(id.as_bytes())?;
        let Some(item) = held.filter(|item| !item.expired) else { continue };
        let ruling: Option<Ruling> = w.get(id.as_bytes())?;
        // An administrator may have kept it since it was found to be due.
        if ruling.as_ref().is_some_and(|ruling| ruling.verdict == Verdict::Kept) {
            continue;
        }
        let new = Ruling::new(*id, Verdict::Superseded, "", w.now());
        changes.extend(own_ruling(*id, Ruling::decline(ruling.as_ref(), new)));
        changes.push(Own::put(&Item { expired: true, expired_at: Some(w.now()), ..item }));
        changed += 1;
    }
    w.write_own(Group::Catalog, changes)?;
    Ok(changed)
}
