//! What an administrator should keep in mind after an approval.

use std::collections::BTreeSet;

use deployment::{Action, Decision, Tree};
use model::{Item, UpdateId};
use site_db::Reader;

use super::order::Wanted;
use super::{books, collections};
use crate::grpc::Answer;

/// What to keep in mind (INT-17, INT-41).
pub(super) fn reminders(r: &Reader<'_>, wanted: &Wanted) -> Answer<Vec<String>> {
    let mut reminders = Vec::new();
    let Some(Decision { action, deadline }) = wanted.values().next().copied() else {
        return Ok(reminders);
    };
    let updates: BTreeSet<UpdateId> = wanted.keys().map(|(update, _)| *update).collect();
    match (action, deadline) {
        (Action::Required, None) => {
            reminders.push("without a deadline users may put it off for ever".to_owned());
        }
        (Action::Required, Some(_)) => {
            let mut restarting = 0;
            for update in &updates {
                let item = r.get::<Item>(update.as_bytes())?;
                restarting += usize::from(item.is_some_and(|item| item.may_restart));
            }
            if restarting > 0 {
                reminders.push(format!(
                    "{restarting} of {} updates may restart computers, once or more often, after \
                     the deadline",
                    updates.len()
                ));
            }
        }
        (Action::Uninstall, _) => reminders.push(
            "it is removed even where something else installed it; agents pass it over, the \
             Windows update client carries it out if the update can be removed"
                .to_owned(),
        ),
        (Action::DoNotInstall, _) => {
            reminders.push("nobody gets it; who requires it is still reported".to_owned());
        }
        (Action::Available | Action::NotApplicable, _) => {}
    }
    reminders.extend(contrary(r, wanted)?);
    Ok(reminders)
}

/// Sites that decided otherwise: their approvals act beside ours.
fn contrary(r: &Reader<'_>, wanted: &Wanted) -> Answer<Vec<String>> {
    let (own, all) = (r.identity().owner, collections(r)?);
    let tree = Tree::new(&all);
    let mut contrary = BTreeSet::new();
    for book in books(r)?.into_values().filter(|book| book.owner != own) {
        for ((update, code), ours) in wanted {
            let theirs = book.decisions.effective(&tree, *update, code);
            if let Some((from, theirs)) = theirs.filter(|(_, held)| held.action != ours.action) {
                let (site, action) = (book.owner.code, theirs.action.as_str());
                contrary.insert(format!("{site} decided {action} for {from}, which holds besides"));
            }
        }
    }
    Ok(contrary.into_iter().collect())
}
