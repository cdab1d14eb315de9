//! Companies, products and classifications.

use std::collections::BTreeMap;

use model::{Category, CategoryKind, Group, UpdateId};
use rpc::pb::admin as pb;
use site_db::{Own, Reader};

use crate::admin::Call;
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

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

pub(super) async fn list(
    admin: &Admin,
    call: Call<pb::ListCategoriesRequest>,
) -> Result<pb::ListCategoriesResponse, Error> {
    let kind = Some(call.message.r#type).filter(|kind| !kind.is_empty());
    let kind = kind.map(|kind| CategoryKind::from_name(&kind)).transpose()?;
    let all = admin.db.read(categories).await?;
    let chosen = all.values().filter(|category| kind.is_none_or(|kind| category.kind == kind));
    Ok(pb::ListCategoriesResponse { rows: chosen.map(|category| row(category, &all)).collect() })
}

pub(super) async fn subscribe(
    admin: &Admin,
    call: Call<pb::SetSubscriptionRequest>,
) -> Result<pb::SetSubscriptionResponse, Error> {
    let account = call.account();
    let pb::SetSubscriptionRequest { categories: wanted, subscribed } = call.message;
    let change = move |w: &site_db::Writer<'_>| {
        w.require_top("products and classifications are chosen")?;
        let (mut all, mut changed) = (categories(w)?, Vec::new());
        for name in wanted {
            let found = all.values_mut().find(|category| is_called(category, &name));
            let see = "tierline category list";
            let category = found.ok_or(Error::Unknown { what: "category", name, see })?;
            category.subscribed = subscribed;
            let verb = if subscribed { "subscription" } else { "end of subscription" };
            audit(w, &account, Deed::Changed, format!("{verb} of {}", category.title()))?;
            changed.push(category.clone());
        }
        w.write_own(Group::Catalog, changed.iter().map(Own::put).collect())?;
        Ok::<_, Error>(changed.iter().map(|category| row(category, &all)).collect())
    };
    Ok(pb::SetSubscriptionResponse { rows: admin.db.write(change).await? })
}
