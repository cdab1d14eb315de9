//! What an administrator decides, read and checked.

use std::collections::{BTreeMap, BTreeSet};

use deployment::{Action, Decision, Decisions};
use model::{ALL_SYSTEMS, Invalid, ObjectCode, Timestamp, UpdateId};
use rpc::convert::read_time;
use rpc::pb::admin as pb;
use site_db::Reader;

use crate::admin::Change;
use crate::grpc::decline::check_deployable;
use crate::grpc::noun::UPDATE;
use crate::grpc::{Answer, collection};

/// Decisions of one call: its groups stay within a transaction that others can wait for.
const DECISIONS_MAX: usize = 10_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Decisions that are not written yet.
pub(super) type Wanted = BTreeMap<(UpdateId, ObjectCode), Decision>;

/// What is decided from now on, all of it checked.
pub(super) fn wanted(
    c: &Change<'_>,
    held: &Decisions,
    asked: pb::SetApprovalsRequest,
) -> Answer<Wanted> {
    let pb::SetApprovalsRequest { updates, collections, action, deadline, date, preview: _ } =
        asked;
    let action: Action = action.parse()?;
    let updates = read_updates(c, &updates)?;
    if !matches!(action, Action::DoNotInstall | Action::NotApplicable) {
        check_deployable(c, &updates, "leave them out".to_owned())?;
    }
    let collections = read_collections(c, collections)?;
    let count = updates.len() * collections.len();
    if count > DECISIONS_MAX {
        let reason =
            format!("and collections make {count} approvals; at most {DECISIONS_MAX} at once");
        return Err(Invalid::new("updates", reason).into());
    }
    let deadline = read_deadline((action, c.now()), &deadline, date.map(read_time).transpose()?)?;
    let mut wanted = BTreeMap::new();
    for collection in collections {
        let deadline = match deadline {
            When::Never => None,
            When::AtOnce => Some(held.at_once(&collection, action, c.now())),
            When::At(at) => Some(at),
        };
        let decision = Decision { action, deadline };
        wanted.extend(updates.iter().map(|update| ((*update, collection.clone()), decision)));
    }
    Ok(wanted)
}

fn read_updates(r: &Reader<'_>, ids: &[String]) -> Answer<Vec<UpdateId>> {
    let ids = ids.iter().map(|id| id.parse()).collect::<Result<BTreeSet<UpdateId>, _>>()?;
    if ids.is_empty() {
        return Err(Invalid::new("updates", "are none; name some").into());
    }
    for id in &ids {
        let item = r.item_by_id(*id)?.ok_or_else(|| UPDATE.unknown(id))?;
        if item.hidden {
            let reason = format!("{id} comes only with its bundle; approve that");
            return Err(Invalid::new("updates", reason).into());
        }
    }
    Ok(ids.into_iter().collect())
}

fn read_collections(r: &Reader<'_>, codes: Vec<String>) -> Answer<BTreeSet<ObjectCode>> {
    let codes = if codes.is_empty() { vec![ALL_SYSTEMS.to_owned()] } else { codes };
    codes.iter().map(|code| Ok(collection::find(r, code)?.1.code)).collect()
}

/// When something is done at the latest (INT-39).
#[derive(Clone, Copy)]
enum When {
    Never,
    AtOnce,
    At(Timestamp),
}

fn read_deadline(
    (action, now): (Action, Timestamp),
    word: &str,
    date: Option<Timestamp>,
) -> Answer<When> {
    let bad = |reason: &str| Err(Invalid::new("deadline", reason).into());
    let has_one = matches!(action, Action::Required | Action::Uninstall);
    match (word, date) {
        ("", None) if !has_one => Ok(When::Never),
        _ if !has_one => bad("is only for what is required or uninstalled"),
        ("none", None) if action == Action::Uninstall => {
            bad("is none; an uninstall needs one, such as asap")
        }
        ("none", None) => Ok(When::Never),
        ("" | "asap", None) => Ok(When::AtOnce),
        ("1-week", None) => Ok(When::At(now.plus_ms(7 * DAY_MS))),
        ("2-weeks", None) => Ok(When::At(now.plus_ms(14 * DAY_MS))),
        ("1-month", None) => Ok(When::At(now.plus_months(1))),
        ("date", Some(date)) if date > now => Ok(When::At(date)),
        ("date", Some(_)) => bad("is over; choose a later time, or asap"),
        ("date", None) => bad("is a date, but none was given"),
        (_, Some(_)) => bad("has a date besides; leave one of them out"),
        _ => bad("is none of none, asap, 1-week, 2-weeks, 1-month and date"),
    }
}
