//! What a plan depends on, read from one snapshot of the site database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use compliance::BoardHandle;
use deployment::{OwnedDeployment, World};
use model::{
    BoundaryMap, CatalogVersion, ClientSettings, Deployment, Hold, Item, ObjectCode, Package,
    UpdateGroup, UpdateId, UpdateSetting,
};
use rpc::object::ObjectBody;
use site_db::{Error, Reader};

use crate::Config;
use crate::census::read_census;
use crate::follow::Trail;
use crate::neighborhoods::neighborhoods;

/// The world of a snapshot in which everything is settled, and where following it begins.
pub(crate) fn read_world(
    r: &Reader<'_>,
    config: Config,
    map: &BoundaryMap,
    board: &BoardHandle,
    before: Option<i64>,
) -> Result<(World, Trail), Error> {
    let identity = r.identity();
    let deployments = r.list::<Deployment>()?.into_iter();
    let deployments: Vec<_> = deployments
        .map(|(owner, deployment)| OwnedDeployment { owner: owner.code, deployment })
        .collect();
    let groups = by_code(r, |group: &UpdateGroup| &group.code)?;
    let deployed = deployments.iter().filter_map(|owned| groups.get(&owned.deployment.group));
    let updates = deployed.flat_map(|group| &group.updates).copied().collect();
    let items = read_items(r, updates)?;
    let census = read_census(r)?;
    let trail = Trail::begin(r, &census, board, before)?;
    let world = World {
        site: identity.code(),
        top: identity.parent.unwrap_or(identity.code()),
        now: r.now(),
        declined: read_declined(r, &items)?,
        items,
        packages: by_code(r, |package: &Package| &package.code)?,
        settings: settings(r, config)?,
        update_settings: update_settings(r)?,
        holds: own_holds(r)?,
        profiles: ruling(r)?,
        windows: ruling(r)?,
        audience: census.audience(neighborhoods(r, map)?, board),
        groups,
        deployments,
    };
    Ok((world, trail))
}

fn all<T: ObjectBody>(r: &Reader<'_>) -> Result<Vec<T>, Error> {
    Ok(r.list::<T>()?.into_iter().map(|(_, object)| object).collect())
}

/// Every site has what others decide, but only this one and the top decide for clients here.
fn ruling<T: ObjectBody>(r: &Reader<'_>) -> Result<Vec<T>, Error> {
    let identity = r.identity();
    let (site, top) = (identity.code(), identity.parent.unwrap_or(identity.code()));
    let listed = r.list::<T>()?.into_iter();
    let here = listed.filter(|(owner, _)| owner.code == site || owner.code == top);
    Ok(here.map(|(_, object)| object).collect())
}

/// A hold counts at the site that made it.
fn own_holds(r: &Reader<'_>) -> Result<Vec<Hold>, Error> {
    let held = r.list::<Hold>()?.into_iter();
    Ok(held.filter(|(owner, hold)| owner.code == hold.site).map(|(_, hold)| hold).collect())
}

fn update_settings(r: &Reader<'_>) -> Result<BTreeMap<UpdateId, UpdateSetting>, Error> {
    let set = all::<UpdateSetting>(r)?.into_iter();
    Ok(set.map(|setting| (setting.update, setting)).collect())
}

fn by_code<T: ObjectBody>(
    r: &Reader<'_>,
    code: impl Fn(&T) -> &ObjectCode,
) -> Result<BTreeMap<ObjectCode, T>, Error> {
    let all = r.list::<T>()?.into_iter();
    Ok(all.map(|(_, object)| (code(&object).clone(), object)).collect())
}

/// The items of updates and, however deep, of what they bundle.
fn read_items(r: &Reader<'_>, mut ahead: Vec<UpdateId>) -> Result<BTreeMap<UpdateId, Item>, Error> {
    let mut items = BTreeMap::new();
    while let Some(id) = ahead.pop() {
        if items.contains_key(&id) {
            continue;
        }
        if let Some(item) = r.get::<Item>(id.as_bytes())? {
            ahead.extend(item.bundles.iter().map(|child| child.id));
            items.insert(id, item);
        }
    }
    Ok(items)
}

fn read_declined(
    r: &Reader<'_>,
    items: &BTreeMap<UpdateId, Item>,
) -> Result<BTreeSet<UpdateId>, Error> {
    let mut declined = BTreeSet::new();
    for id in items.keys() {
        declined.extend(r.is_declined(*id)?.then_some(*id));
    }
    Ok(declined)
}

/// Clients shall scan against a catalog that this site's update point has, and whose items are all
/// here.
fn settings(r: &Reader<'_>, config: Config) -> Result<ClientSettings, Error> {
    let here = r.get::<CatalogVersion>(b"catalog")?.map_or(0, |catalog| catalog.version);
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(ClientSettings {
        policy_poll_ms: ms(config.policy_poll),
        state_batch_ms: ms(config.state_batch),
        scan_interval_ms: ms(config.scan_interval),
        catalog_version: here.min(r.complete_version()?),
    })
}
