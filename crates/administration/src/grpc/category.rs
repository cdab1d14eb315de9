//! Companies, products and classifications.

use std::collections::BTreeMap;

use model::{Category, CategoryKind, Group, UpdateId};
use rpc::pb::admin as pb;
use site_db::{Own, Reader};

use super::{Answer, given};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Every category by id.
pub(super) fn categories(r: &Reader<'_>) -> Result<BTreeMap<UpdateId, Category>, Error> {
    let all = r.list::<Category>()?.into_iter();
    Ok(all.map(|(_, category)| (category.update.id, category)).collect())
}

/// Whether `wanted` is the category's id or title.
pub(super) fn is_called(category: &Category, wanted: &str) -> bool {
    category.update.id.to_string() == wanted.to_ascii_lowercase()
        || category.texts.iter().any(|text| text.title.eq_ignore_ascii_case(wanted))
}

fn row(category: &Category, all: &BTreeMap<UpdateId, Category>) -> pb::Category {
    let parent = category.parent.and_then(|parent| all.get(&parent));
    pb::Category {
        id: category.update.id.to_string(),
        r#type: category.kind.as_str().to_owned(),
        title: category.title().to_owned(),
        parent: parent.map_or_else(String::new, |parent| parent.title().to_owned()),
        subscribed: category.subscribed,
    }
}

pub(super) fn list(v: &View<'_>, asked: pb::ListCategoriesRequest) -> Answer<Vec<pb::Category>> {
    let kind = given(asked.r#type).map(|kind| CategoryKind::from_name(&kind)).transpose()?;
    let all = categories(v)?;
    let chosen = all.values().filter(|category| kind.is_none_or(|kind| category.kind == kind));
    Ok(chosen.map(|category| row(category, &all)).collect())
}

pub(super) fn subscribe(
    c: &Change<'_>,
    asked: pb::SetSubscriptionRequest,
) -> Answer<Vec<pb::Category>> {
    let pb::SetSubscriptionRequest { categories: wanted, subscribed } = asked;
    c.require_top("products and classifications are chosen")?;
    let (mut all, mut changed) = (categories(c)?, Vec::new());
    for name in wanted {
        let found = all.values_mut().find(|category| is_called(category, &name));
        let see = "tierline category list";
        let category = found.ok_or(Error::Unknown { what: "category", name, see })?;
        category.subscribed = subscribed;
        let verb = if subscribed { "subscription" } else { "end of subscription" };
        c.audit(Deed::Changed, format!("{verb} of {}", category.title()))?;
        changed.push(category.clone());
    }
    c.write_own(Group::Catalog, changed.iter().map(Own::put).collect())?;
    Ok(changed.iter().map(|category| row(category, &all)).collect())
}
