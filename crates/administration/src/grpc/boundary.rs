//! Boundaries, and what follows from where an address is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use model::{
    Asker, Boundary, BoundaryGroup, BoundaryMap, BoundaryOptions, BoundaryScope, ClientId, Invalid,
    ObjectCode, Offer, Owner, RoleKind, SiteCode,
};
use rpc::pb::admin as pb;
use site_db::{Own, Reader};

use super::boundary_group::group_row;
use super::noun::{BOUNDARY, BOUNDARY_GROUP, CLIENT};
use super::{Answer, Answers, given, pages};
use crate::admin::{Change, View};
use crate::audit::Deed;
use crate::{Admin, Error};

/// Boundaries made or deleted at once; they are one transaction and one line of audit each.
const BOUNDARIES_AT_ONCE: usize = 1_000;

fn row(owner: Owner, boundary: &Boundary) -> pb::Boundary {
    let Boundary { code, scope, description } = boundary;
    pb::Boundary {
        code: code.to_string(),
        name: scope.name(),
        r#type: scope.kind().to_owned(),
        scope: scope.to_string(),
        description: description.clone(),
        owner: owner.code.to_string(),
    }
}

fn check_count(field: &'static str, count: usize) -> Result<(), Invalid> {
    if (1..=BOUNDARIES_AT_ONCE).contains(&count) {
        return Ok(());
    }
    let reason = format!("{count} boundaries; name 1 to {BOUNDARIES_AT_ONCE} at once");
    Err(Invalid::new(field, reason))
}

pub(super) fn list(
    v: &View<'_>,
    asked: pb::ListBoundariesRequest,
) -> Answer<Answers<pb::ListBoundariesResponse>> {
    let group = given(asked.group).map(|code| BOUNDARY_GROUP.found(v, &code)).transpose()?;
    let chosen = group.map(|(_, group)| group.boundaries);
    let all = v.list::<Boundary>()?.into_iter();
    let all = all.filter(|(_, b)| chosen.as_ref().is_none_or(|codes| codes.contains(&b.code)));
    let rows = all.map(|(owner, boundary)| row(owner, &boundary)).collect();
    Ok(pages(rows, |rows| pb::ListBoundariesResponse { rows }))
}

/// The groups that a boundary is in.
fn groups_with(r: &Reader<'_>, code: &ObjectCode) -> Answer<Vec<(Owner, BoundaryGroup)>> {
    let groups = r.list::<BoundaryGroup>()?.into_iter();
    Ok(groups.filter(|(_, group)| group.boundaries.contains(code)).collect())
}

pub(super) fn show(v: &View<'_>, asked: pb::GetBoundaryRequest) -> Answer<pb::GetBoundaryResponse> {
    let (owner, boundary) = BOUNDARY.found(v, &asked.code)?;
    let groups = groups_with(v, &boundary.code)?;
    let groups = groups.iter().map(|(owner, group)| group_row(*owner, group)).collect();
    Ok(pb::GetBoundaryResponse { row: Some(row(owner, &boundary)), groups })
}

pub(super) fn create(
    c: &Change<'_>,
    asked: pb::CreateBoundariesRequest,
) -> Answer<Vec<pb::Boundary>> {
    let pb::CreateBoundariesRequest { scopes, description } = asked;
    check_count("scopes", scopes.len())?;
    let known = c.list::<Boundary>()?.into_iter();
    let mut known: BTreeMap<String, ObjectCode> =
        known.map(|(_, boundary)| (boundary.scope.to_string(), boundary.code)).collect();
    let mut made = Vec::with_capacity(scopes.len());
    for text in scopes {
        let scope: BoundaryScope = text.parse()?;
        if let Some(code) = known.get(&scope.to_string()) {
            return Err(Error::SameBoundary { scope: scope.to_string(), code: code.clone() });
        }
        let code = BOUNDARY.new_code(c)?;
        known.insert(scope.to_string(), code.clone());
        c.audit(Deed::Created, format!("boundary {code} ({})", scope.name()))?;
        made.push(Boundary::new(code, scope, description.clone())?);
    }
    c.write_own(model::Kind::Boundary.group(), made.iter().map(Own::put).collect())?;
    let owner = c.identity().owner;
    Ok(made.iter().map(|boundary| row(owner, boundary)).collect())
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteBoundariesRequest,
) -> Answer<pb::DeleteBoundariesResponse> {
    check_count("codes", asked.codes.len())?;
    let groups = c.list::<BoundaryGroup>()?;
    for code in asked.codes {
        let boundary = BOUNDARY.owned(c, &code)?;
        let with = groups.iter().find(|(_, group)| group.boundaries.contains(&boundary.code));
        if let Some((owner, group)) = with {
            let by =
                format!("boundary group {} ({}) of site {}", group.code, group.name, owner.code);
            let remedy = "take it out with `tierline boundary-group remove`";
            return Err(Error::InUse { what: format!("boundary {code}"), by, remedy });
        }
        c.audit(Deed::Removed, format!("boundary {code} ({})", boundary.scope.name()))?;
        c.delete(&boundary)?;
    }
    Ok(pb::DeleteBoundariesResponse {})
}

/// Where the question is asked from.
struct Standpoint {
    address: IpAddr,
    client: Option<ClientId>,
    /// None: whatever the address says.
    assigned: Option<SiteCode>,
    near: Option<SiteCode>,
}

fn standpoint(r: &Reader<'_>, asked: pb::ExplainAddressRequest) -> Answer<Standpoint> {
    let pb::ExplainAddressRequest { address, client } = asked;
    let refuse = |reason: String| Error::from(Invalid::new("address", reason));
    let is_none =
        |text: &str| refuse(format!("\"{text}\" is no IP address; write 10.1.2.3 or fd00::1"));
    let given_address = given(address)
        .map(|text| text.parse::<IpAddr>().map_err(|_| is_none(&text)))
        .transpose()?;
    let Some(client) = given(client) else {
        let missing = || refuse("is missing; name one, or a client with --client".to_owned());
        let address = given_address.ok_or_else(missing)?.to_canonical();
        return Ok(Standpoint { address, client: None, assigned: None, near: None });
    };
    let (owner, record) = CLIENT.found(r, &client)?;
    let unknown = || refuse(format!("client {client} has not shown one yet; name one as well"));
    let address = given_address.or(record.address).ok_or_else(unknown)?.to_canonical();
    let (assigned, near) = (Some(owner.code), Some(record.site));
    Ok(Standpoint { address, client: Some(record.id), assigned, near })
}

pub(super) async fn explain(
    admin: &Admin,
    (_, asked): (String, pb::ExplainAddressRequest),
) -> Answer<pb::ExplainAddressResponse> {
    let answer = admin.db.read(move |r| {
        // Of the same snapshot as the rows, which it names.
        let map = r.boundary_map()?;
        let from = standpoint(r, asked)?;
        let codes: BTreeSet<_> = map.boundaries_of(from.address).into_iter().cloned().collect();
        let boundaries = codes.iter().map(|code| BOUNDARY.found(r, code.as_str()));
        let boundaries = boundaries.map(|found| found.map(|(owner, b)| row(owner, &b)));
        let groups = map.groups_of(from.address).into_iter();
        let groups = groups.map(|group| BOUNDARY_GROUP.found(r, group.code.as_str()));
        let groups = groups.map(|found| found.map(|(owner, group)| group_row(owner, &group)));
        let (place, servers) = place(&map, r.identity().code(), &from);
        Ok::<_, Error>(pb::ExplainAddressResponse {
            row: Some(place),
            boundaries: boundaries.collect::<Answer<_>>()?,
            groups: groups.collect::<Answer<_>>()?,
            servers,
        })
    });
    answer.await
}

fn place(
    map: &BoundaryMap,
    here: SiteCode,
    from: &Standpoint,
) -> (pb::AddressPlace, Vec<pb::UsableServer>) {
    let sites = match from.client {
        Some(client) => map.assigned_site(from.address, client).into_iter().collect(),
        None => map.assigned_sites(from.address),
    };
    let assigned = from.assigned.or_else(|| sites.first().copied()).unwrap_or(here);
    let near = from.near.unwrap_or(assigned);
    let asker = Asker { address: Some(from.address), assigned, near };
    let kinds =
        [RoleKind::ManagementPoint, RoleKind::SoftwareUpdatePoint, RoleKind::DistributionPoint];
    let servers = kinds.into_iter().flat_map(|kind| map.offers(kind, &asker)).map(server_row);
    let BoundaryOptions { peers, subnet_peers_only, points_before_peers, prefer_cloud } =
        map.options_of(from.address);
    let names: Vec<_> = sites.iter().map(ToString::to_string).collect();
    let place = pb::AddressPlace {
        address: from.address.to_string(),
        site: assigned.to_string(),
        assigned_site: names.join(" or "),
        peers,
        subnet_peers_only,
        points_before_peers,
        prefer_cloud,
    };
    (place, servers.collect())
}

fn server_row(offer: Offer) -> pb::UsableServer {
    let Offer { role, after_minutes, relation, through, proximity } = offer;
    pb::UsableServer {
        kind: role.kind.to_string(),
        name: role.name,
        site: role.site.to_string(),
        after_minutes,
        group: through.to_string(),
        relation: relation.as_str().to_owned(),
        proximity: proximity.as_str().to_owned(),
        url: role.url,
    }
}
