//! Site system roles.

use model::{PeerIdentity, PeerKind, Revocation, RoleId, RoleKind, RoleRecord, SiteKind};
use rpc::convert::wire_time;
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{Own, Writer};

use crate::admin::{Call, site_kind};
use crate::audit::{Deed, audit};
use crate::token::Order;
use crate::{Admin, Error};

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

pub(super) async fn list(
    admin: &Admin,
    _: Call<pb::ListRolesRequest>,
) -> Result<pb::ListRolesResponse, Error> {
    let roles: Vec<(_, RoleRecord)> = admin.db.read(|r| r.list()).await?;
    Ok(pb::ListRolesResponse { rows: roles.into_iter().map(|(_, role)| role_row(role)).collect() })
}

pub(super) async fn token(
    admin: &Admin,
    call: Call<pb::CreateRoleTokenRequest>,
) -> Result<pb::CreateRoleTokenResponse, Error> {
    let (this, account) = (admin.clone(), call.account());
    let pb::CreateRoleTokenRequest { kind, site, valid_seconds } = call.message;
    let kind: RoleKind = kind.parse()?;
    let site = if site.is_empty() { admin.code() } else { site.parse()? };
    let order = move |w: &Writer<'_>| {
        this.authority.require(this.code(), site)?;
        check_place(site_kind(w, site)?, kind)?;
        let (kind, url) = (PeerKind::Role(kind), this.url_of(w, site)?);
        this.mint(w, &account, Order { kind, site, joins: None, url, valid_seconds })
    };
    let (token, expires_at) = admin.db.write(order).await?;
    Ok(pb::CreateRoleTokenResponse { token, expires_at: Some(wire_time(expires_at)) })
}

/// A central site has a software update point and nothing else (SITE-08).
fn check_place(site: SiteKind, role: RoleKind) -> Result<(), Error> {
    if site == SiteKind::Central && role != RoleKind::SoftwareUpdatePoint {
        return Err(Error::NoPlace { what: role.as_str(), kind: site });
    }
    Ok(())
}

pub(super) async fn remove(
    admin: &Admin,
    call: Call<pb::RemoveRoleRequest>,
) -> Result<pb::RemoveRoleResponse, Error> {
    let (account, hierarchy) = (call.account(), admin.authority.anchor().hierarchy());
    let pb::RemoveRoleRequest { id, reason } = call.message;
    let id: RoleId = id.parse()?;
    let identity = admin
        .db
        .write(move |w| {
            let role = owned_role(w, id)?;
            let kind = PeerKind::Role(role.kind);
            let identity = PeerIdentity { hierarchy, site: role.site, kind, id: id.to_string() };
            let identity = identity.to_string();
            audit(w, &account, Deed::Removed, identity.clone())?;
            let revocation = Revocation { identity: identity.clone(), at: w.now(), reason };
            let delete = Own::delete(RoleRecord::KIND, role.object_id());
            w.write_own(RoleRecord::KIND.group(), vec![Own::put(&revocation), delete])?;
            Ok::<_, Error>(identity)
        })
        .await?;
    Ok(pb::RemoveRoleResponse { identity })
}

fn owned_role(w: &Writer<'_>, id: RoleId) -> Result<RoleRecord, Error> {
    let unknown =
        || Error::Unknown { what: "role", name: id.to_string(), see: "tierline role list" };
    let (owner, role) = w.get_owned::<RoleRecord>(id.as_bytes())?.ok_or_else(unknown)?;
    if owner != w.identity().owner {
        return Err(Error::ForeignOwner { what: format!("role {id}"), owner: owner.code });
    }
    Ok(role)
}
