//! Site system roles.

use model::{PeerKind, RoleKind, RoleRecord, SiteKind};
use rpc::convert::wire_time;
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::Own;

use super::Answer;
use super::noun::ROLE;
use crate::Error;
use crate::admin::{Change, View};
use crate::token::Order;

pub(super) fn role_row(role: RoleRecord) -> pb::Role {
    let RoleRecord { id, site, kind, name, url, http_url, joined_at } = role;
    pb::Role {
        id: id.to_string(),
        site: site.to_string(),
        kind: kind.to_string(),
        name,
        url,
        http_url,
        joined_at: Some(wire_time(joined_at)),
    }
}

pub(super) fn list(v: &View<'_>, _: pb::ListRolesRequest) -> Answer<Vec<pb::Role>> {
    Ok(v.list()?.into_iter().map(|(_, role)| role_row(role)).collect())
}

pub(super) fn token(
    c: &Change<'_>,
    asked: pb::CreateRoleTokenRequest,
) -> Answer<pb::CreateRoleTokenResponse> {
    let pb::CreateRoleTokenRequest { kind, site, valid_seconds } = asked;
    let (role, site): (RoleKind, _) = (kind.parse()?, c.site_or_here(&site)?);
    let (kind, url) = c.issues_at(site)?;
    // A central site has a software update point and nothing else (SITE-08).
    if kind == SiteKind::Central && role != RoleKind::SoftwareUpdatePoint {
        return Err(Error::NoPlace { what: role.as_str(), kind });
    }
    let order = Order { kind: PeerKind::Role(role), site, joins: None, url, valid_seconds };
    let (token, expires_at) = c.mint(order)?;
    Ok(pb::CreateRoleTokenResponse { token, expires_at: Some(wire_time(expires_at)) })
}

pub(super) fn remove(c: &Change<'_>, asked: pb::RemoveRoleRequest) -> Answer<String> {
    let role = ROLE.owned(c, &asked.id)?;
    let subject = (role.site, PeerKind::Role(role.kind));
    let revocation = c.revocation(subject, role.id.to_string(), asked.reason)?;
    let delete = Own::delete(RoleRecord::KIND, role.object_id());
    c.write_own(RoleRecord::KIND.group(), vec![Own::put(&revocation), delete])?;
    Ok(revocation.identity)
}
