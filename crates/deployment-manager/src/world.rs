//! What a plan depends on, read from one snapshot of the site database.

use std::collections::BTreeMap;
use std::time::Duration;

use deployment::{Neighborhood, OwnedDeployment, World};
use model::{
    CatalogVersion, ClientRecord, ClientSettings, Collection, Deployment, Group, Item, Kind,
    ObjectCode, Package, RoleKind, RoleRecord, ServerList, ServerRef, SiteCode, SiteKind,
    UpdateGroup, UpdateId,
};
use rpc::object::ObjectBody;
use site_db::{Error, Reader};

use crate::Config;

/// Policy is planned only from what is whole here.
const NEEDED: [Group; 3] = [Group::Control, Group::Topology, Group::Catalog];

/// The world, or the group that is not settled yet.
pub(crate) fn read_world(r: &Reader<'_>, config: Config) -> Result<Result<World, Group>, Error> {
    for group in NEEDED {
        if !r.is_settled(group)? {
            return Ok(Err(group));
        }
    }
    let identity = r.identity();
    let deployments = r.list::<Deployment>()?.into_iter();
    let deployments: Vec<_> = deployments
        .map(|(owner, deployment)| OwnedDeployment { owner: owner.code, deployment })
        .collect();
    let groups = by_code(r, |group: &UpdateGroup| &group.code)?;
    let deployed = deployments.iter().filter_map(|owned| groups.get(&owned.deployment.group));
    let updates = deployed.flat_map(|group| &group.updates).copied().collect();
    Ok(Ok(World {
        site: identity.code(),
        top: identity.parent.unwrap_or(identity.code()),
        collections: by_code(r, |collection: &Collection| &collection.code)?,
        items: read_items(r, updates)?,
        packages: by_code(r, |package: &Package| &package.code)?,
        settings: settings(r, config)?,
        neighborhoods: neighborhoods(r)?,
        groups,
        deployments,
    }))
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

/// This site and its secondary sites, each with its clients and the servers they use: those of the
/// site first, then this site's. Clients never use the servers of a central site.
fn neighborhoods(r: &Reader<'_>) -> Result<Vec<Neighborhood>, Error> {
    let own = r.identity();
    let mut roles: Vec<RoleRecord> = r.list()?.into_iter().map(|(_, role)| role).collect();
    roles.retain(|role| role.kind != RoleKind::DistributionPoint);
    roles.sort_by_key(|role| (role.kind, role.joined_at, role.id));
    let below = r.tree()?.children().into_iter().filter(|c| c.kind == SiteKind::Secondary);
    let sites: Vec<SiteCode> = std::iter::once(own.code()).chain(below.map(|c| c.code)).collect();
    let mut clients: BTreeMap<SiteCode, Vec<_>> = BTreeMap::new();
    r.visit(Kind::Client, |owner, body| {
        // A record of a later release that cannot be read keeps its client's old policy.
        let Some(record) = ClientRecord::decode(&body).ok().filter(|_| owner == own.owner) else {
            return Ok(());
        };
        let near = if sites.contains(&record.site) { record.site } else { own.code() };
        clients.entry(near).or_default().push(record.id);
        Ok(())
    })?;
    let neighborhood = |site: &SiteCode| {
        let of = |wanted: SiteCode| roles.iter().filter(move |role| role.site == wanted);
        let farther = of(own.code()).filter(|role| role.site != *site);
        let servers = of(*site).chain(farther).map(server).collect();
        let clients = clients.get(site).cloned().unwrap_or_default();
        Neighborhood { servers: ServerList { servers }, clients }
    };
    Ok(sites.iter().map(neighborhood).collect())
}

fn server(role: &RoleRecord) -> ServerRef {
    let RoleRecord { site, kind, url, http_url, .. } = role.clone();
    ServerRef { kind, site, url, http_url }
}
