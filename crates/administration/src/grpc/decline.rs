//! Updates that nobody shall be offered, and taking that back: at the top-level site, for all.

use std::collections::BTreeSet;

use model::{Group, Invalid, Item, Ruled, Ruling, UpdateGroup, UpdateId, Verdict};
use rpc::pb::admin as pb;
use site_db::{Own, own_ruling};

use super::Answer;
use super::approval::forget_declined;
use super::noun::UPDATE;
use super::update::Catalog;
use crate::Error;
use crate::admin::Change;
use crate::audit::Deed;

/// Updates ruled on in one transaction: others wait for it no longer than a second.
const RULED_MAX: usize = 1_000;

/// Ids that an audit message names.
pub(super) const NAMED_MAX: usize = 10;

pub(super) fn decline(
    c: &Change<'_>,
    asked: pb::DeclineUpdatesRequest,
) -> Answer<pb::DeclineUpdatesResponse> {
    c.require_top("updates are declined")?;
    let (wanted, kept) = wanted(c, &asked)?;
    let mut answer = pb::DeclineUpdatesResponse { kept, ..Default::default() };
    let (mut changes, mut declined) = (Vec::new(), BTreeSet::new());
    for id in wanted {
        let held: Option<Ruling> = c.get(id.as_bytes())?;
        let new = Ruling::new(id, Verdict::Declined, c.account, c.now());
        match Ruling::decline(held.as_ref(), new) {
            Ruled::Unchanged => answer.unchanged += 1,
            _ if declined.len() == RULED_MAX => answer.left += 1,
            ruled => {
                changes.extend(own_ruling(id, ruled));
                declined.insert(id);
            }
        }
    }
    if !declined.is_empty() {
        c.audit(Deed::Changed, format!("decline of {}", named(&declined)))?;
        c.write_own(Group::Catalog, changes)?;
        forget_declined(c, &declined)?;
    }
    let groups = c.list::<UpdateGroup>()?.into_iter();
    let groups = groups.filter(|(_, group)| group.updates.iter().any(|id| declined.contains(id)));
    answer.groups = groups.map(|(_, group)| group.code.to_string()).collect();
    answer.declined = declined.len() as u64;
    Ok(answer)
}

/// Those that are named, and those of a kind that are not ruled on yet; with the number of those
/// of the kind that an administrator keeps, which one has to name.
fn wanted(c: &Change<'_>, asked: &pb::DeclineUpdatesRequest) -> Answer<(BTreeSet<UpdateId>, u64)> {
    let pb::DeclineUpdatesRequest { ids, superseded, expired } = asked;
    if ids.is_empty() && !superseded && !expired {
        return Err(Invalid::new("ids", "name updates, or all superseded or expired ones").into());
    }
    let (mut wanted, mut kept) = (BTreeSet::new(), 0);
    for id in ids {
        let id: UpdateId = id.parse()?;
        let item = c.item_by_id(id)?.ok_or_else(|| UPDATE.unknown(id))?;
        if item.hidden {
            let reason = format!("{id} comes only with its bundle; decline that");
            return Err(Invalid::new("ids", reason).into());
        }
        wanted.insert(id);
    }
    if *superseded || *expired {
        let catalog = Catalog::read(c)?;
        let is_meant = |item: &&Item| {
            let is_superseded = catalog.superseded.contains_key(&item.update.id);
            let is_kind = (*superseded && is_superseded) || (*expired && item.expired);
            is_kind && !item.hidden && !catalog.is_declined(item.update.id)
        };
        for id in catalog.items.values().filter(is_meant).map(|item| item.update.id) {
            let ruling: Option<Ruling> = c.get(id.as_bytes())?;
            match ruling.is_some_and(|ruling| ruling.verdict == Verdict::Kept) {
                true => kept += u64::from(!wanted.contains(&id)),
                false => drop(wanted.insert(id)),
            }
        }
    }
    Ok((wanted, kept))
}

pub(super) fn reinstate(
    c: &Change<'_>,
    asked: pb::ReinstateUpdatesRequest,
) -> Answer<pb::ReinstateUpdatesResponse> {
    c.require_top("updates are reinstated")?;
    if asked.ids.len() > RULED_MAX {
        let reason = format!("are {}; name at most {RULED_MAX} at once", asked.ids.len());
        return Err(Invalid::new("ids", reason).into());
    }
    let ids = asked.ids.iter().map(|id| id.parse()).collect::<Result<BTreeSet<UpdateId>, _>>()?;
    // Nobody who has scanned before the next catalog has said what it is to him.
    let since = c.catalog_version()?.map_or(0, |last| last.version) + 1;
    let mut answer = pb::ReinstateUpdatesResponse::default();
    let (mut changes, mut reinstated) = (Vec::new(), BTreeSet::new());
    for id in ids {
        let held: Option<Ruling> = c.get(id.as_bytes())?;
        let item: Option<Item> = c.get(id.as_bytes())?;
        if held.is_none() && item.is_none() {
            return Err(UPDATE.unknown(id));
        }
        let ruled = held.as_ref().map(|ruling| ruling.reinstate(c.account, c.now()));
        let (Some(held), Some(ruled)) = (held, ruled.filter(|ruled| *ruled != Ruled::Unchanged))
        else {
            answer.unchanged += 1;
            continue;
        };
        changes.extend(own_ruling(id, ruled));
        answer.gone += u64::from(item.as_ref().is_some_and(|item| item.withdrawn));
        if let Some(item) = item.filter(|_| held.is_declined() || held.is_superseded) {
            changes.push(Own::put(&Item { since, ..brought_back(item, &held) }));
        }
        answer.awaited += u64::from(held.cleaned.is_some());
        reinstated.insert(id);
    }
    if !reinstated.is_empty() {
        c.audit(Deed::Changed, format!("reinstatement of {}", named(&reinstated)))?;
        c.write_own(Group::Catalog, changes)?;
    }
    answer.reinstated = reinstated.len() as u64;
    Ok(answer)
}

/// What the rule expired is not expired any more, unless no catalog has it any more.
fn brought_back(item: Item, ruling: &Ruling) -> Item {
    match ruling.is_superseded && !item.withdrawn {
        true => Item { expired: false, expired_at: None, ..item },
        false => item,
    }
}

fn named(ids: &BTreeSet<UpdateId>) -> String {
    let first: Vec<String> = ids.iter().take(NAMED_MAX).map(UpdateId::to_string).collect();
    let more = if ids.len() > NAMED_MAX { ", ..." } else { "" };
    format!("{} updates: {}{more}", ids.len(), first.join(", "))
}

/// Whether what is superseded, and not expired yet, may be deployed (SUP-31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Superseded {
    Refused,
    Allowed,
}

impl From<bool> for Superseded {
    fn from(is_allowed: bool) -> Superseded {
        if is_allowed { Superseded::Allowed } else { Superseded::Refused }
    }
}

/// Refuses what cannot be deployed any more, by name and with the reason.
pub(super) fn check_deployable(
    r: &site_db::Reader<'_>,
    updates: &[UpdateId],
    remedy: String,
) -> Result<(), Error> {
    check_deployable_with(r, updates, Superseded::Refused, remedy)
}

/// The same where it was said what may be superseded.
pub(super) fn check_deployable_with(
    r: &site_db::Reader<'_>,
    updates: &[UpdateId],
    superseded: Superseded,
    remedy: String,
) -> Result<(), Error> {
    let mut out = Vec::new();
    let over = match superseded {
        Superseded::Refused => r.superseded_among(updates.iter().copied())?,
        Superseded::Allowed => BTreeSet::new(),
    };
    for id in updates {
        match r.item_by_id(*id)? {
            Some(item) if item.expired => out.push(format!("{id} (expired)")),
            Some(item) if item.declined => out.push(format!("{id} (declined)")),
            _ if over.contains(id) => out.push(format!("{id} (superseded)")),
            _ => {}
        }
    }
    if out.is_empty() {
        return Ok(());
    }
    let more = out.len().saturating_sub(NAMED_MAX);
    out.truncate(NAMED_MAX);
    out.extend((more > 0).then(|| format!("and {more} more")));
    Err(Error::NotDeployable { updates: out.join(", "), remedy })
}
