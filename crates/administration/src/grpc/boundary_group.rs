//! Boundary groups: what is in them, and to which others they lead.

use std::collections::BTreeSet;

use model::{
    BoundaryGroup, BoundaryLink, BoundaryMap, BoundaryOptions, Fallback, Invalid, Neighbor,
    ObjectCode, Owner, RoleId, RoleKind, RoleRecord, SiteCode, SiteKind, SiteRecord,
};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::noun::{BOUNDARY, BOUNDARY_GROUP, ROLE};
use super::{Answer, given};
use crate::admin::Change;
use crate::audit::Deed;
use crate::{Admin, Error};

/// A link that falls back on no server of a kind.
const NEVER: &str = "never";

/// A software update point is in no default group (BG-07).
const DEFAULT_KINDS: [RoleKind; 2] = [RoleKind::ManagementPoint, RoleKind::DistributionPoint];

pub(super) fn group_row(owner: Owner, group: &BoundaryGroup) -> pb::BoundaryGroup {
    pb::BoundaryGroup {
        code: group.code.to_string(),
        name: group.name.clone(),
        owner: owner.code.to_string(),
        boundaries: group.boundaries.len() as u64,
        systems: group.systems.len() as u64,
        links: group.links.len() as u64,
        assigned_site: group.assigned_site.map(|site| site.to_string()).unwrap_or_default(),
    }
}

fn default_systems(map: &BoundaryMap, site: SiteCode) -> Vec<&RoleRecord> {
    DEFAULT_KINDS.into_iter().flat_map(|kind| map.default_members(site, kind)).collect()
}

/// Of a site's default group, which needs no object (BG-03).
fn default_row(map: &BoundaryMap, site: SiteCode) -> pb::BoundaryGroup {
    pb::BoundaryGroup {
        name: Neighbor::Default(site).to_string(),
        owner: site.to_string(),
        systems: default_systems(map, site).len() as u64,
        ..pb::BoundaryGroup::default()
    }
}

pub(super) async fn list(
    admin: &Admin,
    _: (String, pb::ListBoundaryGroupsRequest),
) -> Answer<Vec<pb::BoundaryGroup>> {
    let map = admin.db.boundary_map().await?;
    let rows = admin.db.read(move |r| {
        let groups = r.list::<BoundaryGroup>()?;
        let mut rows: Vec<_> = groups.iter().map(|(owner, g)| group_row(*owner, g)).collect();
        rows.extend(primaries(r)?.into_iter().map(|site| default_row(&map, site)));
        Ok::<_, Error>(rows)
    });
    rows.await
}

/// The sites that clients are assigned to. A site knows itself before its record is here.
fn primaries(r: &Reader<'_>) -> Answer<BTreeSet<SiteCode>> {
    let sites = r.list::<SiteRecord>()?.into_iter().map(|(_, site)| (site.code, site.kind));
    let all = sites.chain([(r.identity().code(), r.identity().kind)]);
    Ok(all.filter(|(_, kind)| *kind == SiteKind::Primary).map(|(code, _)| code).collect())
}

pub(super) async fn show(
    admin: &Admin,
    (_, asked): (String, pb::GetBoundaryGroupRequest),
) -> Answer<pb::GetBoundaryGroupResponse> {
    let map = admin.db.boundary_map().await?;
    let answer = admin.db.read(move |r| match asked.code.parse() {
        Ok(Neighbor::Default(site)) if primaries(r)?.contains(&site) => {
            let servers = default_systems(&map, site).into_iter().map(system_row).collect();
            Ok(shown((default_row(&map, site), servers, Vec::new()), BoundaryOptions::default()))
        }
        _ => show_made(r, &asked.code),
    });
    answer.await
}

fn show_made(r: &Reader<'_>, code: &str) -> Answer<pb::GetBoundaryGroupResponse> {
    let (owner, group) = BOUNDARY_GROUP.found(r, code)?;
    let mut servers = Vec::with_capacity(group.systems.len());
    for id in &group.systems {
        servers.push(match r.get::<RoleRecord>(id.as_bytes())? {
            Some(role) => system_row(&role),
            // Removed, or not here yet.
            None => pb::GroupSystem { id: id.to_string(), ..Default::default() },
        });
    }
    let explicit = group.links.iter().map(|link| (link.clone(), false));
    let linked =
        |site: &SiteCode| group.links.iter().any(|link| link.to == Neighbor::Default(*site));
    let implied = primaries(r)?.into_iter().filter(|site| !linked(site)).map(|site| {
        (BoundaryLink { to: Neighbor::Default(site), fallback: Fallback::default() }, true)
    });
    let links = explicit.chain(implied).map(|(link, implied)| link_row(&link, implied)).collect();
    Ok(shown((group_row(owner, &group), servers, links), group.options))
}

fn shown(
    (row, servers, related): (pb::BoundaryGroup, Vec<pb::GroupSystem>, Vec<pb::BoundaryLink>),
    options: BoundaryOptions,
) -> pb::GetBoundaryGroupResponse {
    let BoundaryOptions { peers, subnet_peers_only, points_before_peers, prefer_cloud } = options;
    pb::GetBoundaryGroupResponse {
        row: Some(row),
        servers,
        related,
        peers,
        subnet_peers_only,
        points_before_peers,
        prefer_cloud,
    }
}

fn system_row(role: &RoleRecord) -> pb::GroupSystem {
    let RoleRecord { id, site, kind, name, url, .. } = role;
    pb::GroupSystem {
        id: id.to_string(),
        kind: kind.to_string(),
        name: name.clone(),
        site: site.to_string(),
        url: url.clone(),
    }
}

fn link_row(link: &BoundaryLink, implied: bool) -> pb::BoundaryLink {
    let text = |minutes: Option<u32>| minutes.map_or(NEVER.to_owned(), |m| m.to_string());
    let BoundaryLink { to, fallback: Fallback { dp, sup, mp } } = link;
    pb::BoundaryLink { to: to.to_string(), dp: text(*dp), sup: text(*sup), mp: text(*mp), implied }
}

/// Minutes, `never`, or nothing for the documented default.
fn minutes(text: &str, usual: Option<u32>) -> Result<Option<u32>, Invalid> {
    let refuse = |_| Invalid::new("minutes", format!("\"{text}\" is neither minutes nor {NEVER}"));
    match text {
        "" => Ok(usual),
        NEVER => Ok(None),
        text => text.parse().map(Some).map_err(refuse),
    }
}

fn link(r: &Reader<'_>, asked: pb::BoundaryLink) -> Answer<BoundaryLink> {
    let pb::BoundaryLink { to, dp, sup, mp, implied: _ } = asked;
    let to = neighbor(r, &to)?;
    let usual = Fallback::default();
    let fallback = Fallback {
        dp: minutes(&dp, usual.dp)?,
        sup: minutes(&sup, usual.sup)?,
        mp: minutes(&mp, usual.mp)?,
    };
    Ok(BoundaryLink { to, fallback })
}

/// A group that is here.
fn neighbor(r: &Reader<'_>, name: &str) -> Answer<Neighbor> {
    let to: Neighbor = name.parse()?;
    match &to {
        Neighbor::Group(code) => drop(BOUNDARY_GROUP.found(r, code.as_str())?),
        Neighbor::Default(site) if primaries(r)?.contains(site) => {}
        Neighbor::Default(_) => return Err(BOUNDARY_GROUP.unknown(name)),
    }
    Ok(to)
}

/// Servers by id, or by the name that all roles of one machine share.
fn systems(r: &Reader<'_>, names: &[String]) -> Answer<BTreeSet<RoleId>> {
    let mut found = BTreeSet::new();
    if names.is_empty() {
        return Ok(found);
    }
    let roles = r.list::<RoleRecord>()?;
    for name in names {
        let is_meant = |role: &RoleRecord| role.name == *name || role.id.to_string() == *name;
        let meant = roles.iter().filter(|(_, role)| is_meant(role)).map(|(_, role)| role.id);
        let meant: Vec<RoleId> = meant.collect();
        if meant.is_empty() {
            return Err(ROLE.unknown(name));
        }
        found.extend(meant);
    }
    Ok(found)
}

fn boundaries(r: &Reader<'_>, codes: &[String]) -> Answer<Vec<ObjectCode>> {
    codes.iter().map(|code| Ok(BOUNDARY.found(r, code)?.1.code)).collect()
}

/// Clients are assigned to primary sites.
fn assignable(c: &Change<'_>, site: String) -> Answer<Option<SiteCode>> {
    let Some(site) = given(site) else { return Ok(None) };
    let site: SiteCode = site.parse()?;
    match c.admin.home.place(c, site)? {
        (SiteKind::Primary, _) => Ok(Some(site)),
        (kind, _) => Err(Error::NoPlace { what: "assigned client", kind }),
    }
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreateBoundaryGroupRequest) -> Answer<String> {
    let pb::CreateBoundaryGroupRequest { name, boundaries: codes, systems: names, assigned_site } =
        asked;
    let mut group = BoundaryGroup::new(BOUNDARY_GROUP.new_code(c)?, name);
    group.boundaries.extend(boundaries(c, &codes)?);
    group.systems = systems(c, &names)?;
    group.assigned_site = assignable(c, assigned_site)?;
    group.check()?;
    c.audit(Deed::Created, format!("boundary group {} ({})", group.code, group.name))?;
    c.put_own(&group)?;
    Ok(group.code.to_string())
}

pub(super) fn change(
    c: &Change<'_>,
    asked: pb::ChangeBoundaryGroupRequest,
) -> Answer<pb::BoundaryGroup> {
    let mut group = BOUNDARY_GROUP.owned(c, &asked.code)?;
    if let Some(name) = asked.name {
        group.name = name;
    }
    if let Some(site) = asked.assigned_site {
        group.assigned_site = assignable(c, site)?;
    }
    group.boundaries.extend(boundaries(c, &asked.add_boundaries)?);
    for code in asked.remove_boundaries {
        if !group.boundaries.remove(&ObjectCode::new(&code)?) {
            return Err(BOUNDARY.unknown(format!("{code} in boundary group {}", group.code)));
        }
    }
    group.systems.extend(systems(c, &asked.add_systems)?);
    take_out(c, &mut group, asked.remove_systems)?;
    for asked in asked.relate {
        group.relate(link(c, asked)?);
    }
    for name in asked.unrelate {
        if !group.unrelate(&name.parse()?) {
            let what = format!("{name}, to which boundary group {} has a link", group.code);
            return Err(BOUNDARY_GROUP.unknown(what));
        }
    }
    let options = &mut group.options;
    options.peers = asked.peers.unwrap_or(options.peers);
    options.subnet_peers_only = asked.subnet_peers_only.unwrap_or(options.subnet_peers_only);
    options.points_before_peers = asked.points_before_peers.unwrap_or(options.points_before_peers);
    options.prefer_cloud = asked.prefer_cloud.unwrap_or(options.prefer_cloud);
    group.check()?;
    c.audit(Deed::Changed, format!("boundary group {} ({})", group.code, group.name))?;
    c.put_own(&group)?;
    Ok(group_row(c.identity().owner, &group))
}

/// Servers that were removed from the hierarchy can still be taken out, by id.
fn take_out(r: &Reader<'_>, group: &mut BoundaryGroup, names: Vec<String>) -> Answer<()> {
    for name in names {
        let ids = match name.parse::<RoleId>() {
            Ok(id) => BTreeSet::from([id]),
            Err(_) => systems(r, std::slice::from_ref(&name))?,
        };
        let before = group.systems.len();
        group.systems.retain(|id| !ids.contains(id));
        if before == group.systems.len() {
            return Err(ROLE.unknown(format!("{name} in boundary group {}", group.code)));
        }
    }
    Ok(())
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteBoundaryGroupRequest,
) -> Answer<pb::DeleteBoundaryGroupResponse> {
    let group = BOUNDARY_GROUP.owned(c, &asked.code)?;
    let this = Neighbor::Group(group.code.clone());
    let others = c.list::<BoundaryGroup>()?;
    let linked = others.iter().find(|(_, other)| other.links.iter().any(|link| link.to == this));
    if let Some((owner, other)) = linked {
        let by = format!(
            "a link of boundary group {} ({}) of site {}",
            other.code, other.name, owner.code
        );
        let remedy = "end it with `tierline boundary-group relate … --end`";
        return Err(Error::InUse { what: format!("boundary group {}", group.code), by, remedy });
    }
    c.audit(Deed::Removed, format!("boundary group {} ({})", group.code, group.name))?;
    c.delete(&group)?;
    Ok(pb::DeleteBoundaryGroupResponse {})
}
