//! Approvals: what collections shall do with updates, said without groups and deployments.
//!
//! Owns reading decisions back from the groups and deployments that say them, and writing those
//! that have to change, in one transaction. What a decision means is the deployment crate's. Only
//! decisions of this site are changed; those of others are shown.

mod order;
mod reminders;

use std::collections::{BTreeMap, BTreeSet};

use compliance::LiveItem;
use deployment::{Decision, Decisions, Pair, PairChanges, Tree, pair};
use model::{
    Category, Collection, Deployment, Group, Item, ObjectCode, Origin, Owner, UpdateGroup, UpdateId,
};
use rpc::convert::wire_time;
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{Own, Reader};

use self::order::wanted;
use self::reminders::reminders;
use super::compliance::board;
use super::noun::GROUP;
use super::{Answer, LANGUAGE, collection, given};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Approvals that an audit message names.
const NAMED_MAX: usize = 10;

/// The decisions of one site and what says them.
struct Book {
    owner: Owner,
    pairs: Vec<Pair>,
    decisions: Decisions,
}

impl Book {
    fn of(r: &Reader<'_>, owner: Owner) -> Answer<Book> {
        let all = books(r)?.remove(&owner.code.to_string());
        let empty = || Book { owner, pairs: Vec::new(), decisions: Decisions::default() };
        Ok(all.unwrap_or_else(empty))
    }

    fn row(&self, r: &Reader<'_>, asked: &ObjectCode, key: Key<'_>) -> Answer<pb::Approval> {
        let Key { update, from, decision } = key;
        let says = |pair: &&Pair| {
            pair.deployment.collection == *from && pair.group.updates.contains(&update)
        };
        let said = self.pairs.iter().find(says).map(|pair| pair.deployment.id.to_string());
        Ok(pb::Approval {
            update: update.to_string(),
            title: title(r, update)?,
            collection: asked.to_string(),
            action: decision.action.as_str().to_owned(),
            deadline: decision.deadline.map(wire_time),
            inherited_from: if from == asked { String::new() } else { from.to_string() },
            deployment: said.unwrap_or_default(),
            owner: self.owner.code.to_string(),
        })
    }
}

/// A decision and where it comes from.
struct Key<'a> {
    update: UpdateId,
    from: &'a ObjectCode,
    decision: Decision,
}

fn title(r: &Reader<'_>, update: UpdateId) -> Answer<String> {
    let item = r.get::<Item>(update.as_bytes())?;
    Ok(item.map_or_else(String::new, |item| item.title(LANGUAGE)))
}

/// The approvals of every site that made some, by its code.
fn books(r: &Reader<'_>) -> Answer<BTreeMap<String, Book>> {
    let mut books: BTreeMap<String, Book> = BTreeMap::new();
    for (owner, deployment) in r.list::<Deployment>()? {
        if deployment.origin != Origin::Approval {
            continue;
        }
        let group = r.get::<UpdateGroup>(deployment.group.as_str().as_bytes())?;
        let Some(group) = group else { continue };
        let book = books.entry(owner.code.to_string());
        let empty = || Book { owner, pairs: Vec::new(), decisions: Decisions::default() };
        book.or_insert_with(empty).pairs.push(Pair { group, deployment });
    }
    for book in books.values_mut() {
        book.decisions = Decisions::read(&book.pairs);
    }
    Ok(books)
}

fn collections(r: &Reader<'_>) -> Answer<BTreeMap<ObjectCode, Collection>> {
    let all = r.list::<Collection>()?.into_iter();
    Ok(all.map(|(_, found)| (found.code.clone(), found)).collect())
}

pub(super) fn list(v: &View<'_>, asked: pb::ListApprovalsRequest) -> Answer<Vec<pb::Approval>> {
    let pb::ListApprovalsRequest { updates, collection: code } = asked;
    let wanted = updates.iter().map(|id| id.parse()).collect::<Result<BTreeSet<UpdateId>, _>>()?;
    let is_wanted = |update: &UpdateId| wanted.is_empty() || wanted.contains(update);
    let of = given(code).map(|code| collection::find(v, &code)).transpose()?;
    let of = of.map(|(_, found)| found.code);
    let all = collections(v)?;
    let tree = Tree::new(&all);
    let mut rows = Vec::new();
    for book in books(v)?.values() {
        let Some(of) = &of else {
            for ((update, from), decision) in &book.decisions.0 {
                if is_wanted(update) {
                    let key = Key { update: *update, from, decision: *decision };
                    rows.push(book.row(v, from, key)?);
                }
            }
            continue;
        };
        let updates: BTreeSet<UpdateId> = book.decisions.0.keys().map(|(id, _)| *id).collect();
        for update in updates.into_iter().filter(|update| is_wanted(update)) {
            if let Some((from, decision)) = book.decisions.effective(&tree, update, of) {
                rows.push(book.row(v, of, Key { update, from: &from, decision })?);
            }
        }
    }
    Ok(rows)
}

pub(super) fn to_approve(
    v: &View<'_>,
    _: pb::ListUpdatesToApproveRequest,
) -> Answer<Vec<pb::UpdateToApprove>> {
    let mut decided = BTreeSet::new();
    for (_, deployment) in v.list::<Deployment>()? {
        let group = v.get::<UpdateGroup>(deployment.group.as_str().as_bytes())?;
        decided.extend(group.into_iter().flat_map(|group| group.updates));
    }
    let mut open = v.numbered_items()?;
    open.retain(|item| {
        !item.hidden && !item.declined && !item.expired && !decided.contains(&item.id)
    });
    let counts: Vec<u64> = board(v, |board| {
        let live = open.iter().map(|item| LiveItem { number: item.number, since: item.since });
        live.map(|item| board.update_counts(item).required).collect()
    })?;
    let needed = open.iter().zip(counts).filter(|(_, required)| *required > 0);
    let mut rows = Vec::new();
    for (open, required) in needed {
        let item: Item = v.require(open.id.as_bytes())?;
        rows.push(pb::UpdateToApprove {
            id: open.id.to_string(),
            title: item.title(LANGUAGE),
            classification: classification(v, &item)?,
            required,
        });
    }
    rows.sort_by(|a, b| b.required.cmp(&a.required).then_with(|| a.id.cmp(&b.id)));
    Ok(rows)
}

fn classification(r: &Reader<'_>, item: &Item) -> Answer<String> {
    let Some(id) = item.classification else { return Ok(String::new()) };
    let found = r.get::<Category>(id.as_bytes())?;
    Ok(found.map_or_else(String::new, |category| category.title().to_owned()))
}

pub(super) fn set(
    c: &Change<'_>,
    asked: pb::SetApprovalsRequest,
) -> Answer<pb::SetApprovalsResponse> {
    GROUP.check_place(c)?;
    let preview = asked.preview;
    let mut book = Book::of(c, c.identity().owner)?;
    let wanted = wanted(c, &book.decisions, asked)?;
    let reminders = reminders(c, &wanted)?;
    book.decisions.0.extend(wanted.clone());
    let all = collections(c)?;
    let changes = book.decisions.changes(&Tree::new(&all), book.pairs.clone());
    let count = |things: usize| u32::try_from(things).unwrap_or(u32::MAX);
    let counted = [changes.made.len(), changes.changed.len(), changes.deleted.len()].map(count);
    if !preview {
        let named = wanted
            .iter()
            .map(|((update, of), held)| format!("{update} {} for {of}", held.action.as_str()));
        c.audit(Deed::Changed, audited("approval", named.collect()))?;
        write(c, changes)?;
        book = Book::of(c, c.identity().owner)?;
    }
    let rows = wanted.iter().map(|((update, from), decision)| {
        book.row(c, from, Key { update: *update, from, decision: *decision })
    });
    let rows = rows.collect::<Answer<Vec<_>>>()?;
    let [made, changed, deleted] = counted;
    Ok(pb::SetApprovalsResponse { rows, made, changed, deleted, reminders })
}

pub(super) fn remove(c: &Change<'_>, asked: pb::RemoveApprovalsRequest) -> Answer<u32> {
    let pb::RemoveApprovalsRequest { updates, collections } = asked;
    let ids = updates.iter().map(|id| id.parse()).collect::<Result<BTreeSet<UpdateId>, _>>()?;
    let codes = collections.iter().map(|code| ObjectCode::new(code));
    let codes = codes.collect::<Result<BTreeSet<_>, _>>()?;
    forget(c, |(update, code)| ids.contains(update) && (codes.is_empty() || codes.contains(code)))
}

/// Takes this site's decisions on updates back that nobody shall be offered any more (INT-34).
pub(super) fn forget_declined(c: &Change<'_>, declined: &BTreeSet<UpdateId>) -> Answer<u32> {
    forget(c, |(update, _)| declined.contains(update))
}

fn forget(c: &Change<'_>, is_gone: impl Fn(&(UpdateId, ObjectCode)) -> bool) -> Answer<u32> {
    let Book { pairs, mut decisions, .. } = Book::of(c, c.identity().owner)?;
    let mut gone = Vec::new();
    decisions.0.retain(|key, _| {
        let stays = !is_gone(key);
        gone.extend((!stays).then(|| format!("{} for {}", key.0, key.1)));
        stays
    });
    if gone.is_empty() {
        return Ok(0);
    }
    let (all, count) = (collections(c)?, u32::try_from(gone.len()).unwrap_or(u32::MAX));
    c.audit(Deed::Removed, audited("approval", gone))?;
    write(c, decisions.changes(&Tree::new(&all), pairs))?;
    Ok(count)
}

/// Makes this site's decisions reach as far as they shall after a collection was moved.
pub(super) fn follow_collections(c: &Change<'_>) -> Answer<()> {
    let Book { pairs, decisions, .. } = Book::of(c, c.identity().owner)?;
    if pairs.is_empty() {
        return Ok(());
    }
    let all = collections(c)?;
    write(c, decisions.changes(&Tree::new(&all), pairs))
}

fn audited(what: &str, mut named: Vec<String>) -> String {
    let more = named.len().saturating_sub(NAMED_MAX);
    named.truncate(NAMED_MAX);
    named.extend((more > 0).then(|| format!("and {more} more")));
    format!("{what}: {}", named.join(", "))
}

fn write(c: &Change<'_>, changes: PairChanges) -> Result<(), Error> {
    let PairChanges { made, changed, deleted } = changes;
    let mut writes = Vec::new();
    for alike in made {
        let ids = (GROUP.new_code(c)?, c.new_deployment_id());
        let Pair { group, deployment } = pair(alike, ids, c.now());
        writes.extend([Own::put(&group), Own::put(&deployment)]);
    }
    writes.extend(changed.iter().map(Own::put));
    for Pair { group, deployment } in &deleted {
        let (group_id, deployment_id) = (group.object_id(), deployment.object_id());
        writes.push(Own::delete(Deployment::KIND, deployment_id));
        writes.push(Own::delete(UpdateGroup::KIND, group_id));
    }
    Ok(c.write_own(Group::Control, writes)?)
}
