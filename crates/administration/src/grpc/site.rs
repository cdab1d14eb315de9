//! Sites.

use model::{PeerKind, RoleRecord, SiteCode, SiteKind, SiteRecord};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::{Reader, Writer};

use super::role::role_row;
use crate::admin::{Call, site_kind, top_of};
use crate::links::{LinkStatus, expected_links};
use crate::token::Order;
use crate::{Admin, Error};

pub(super) async fn status(
    admin: &Admin,
    _: Call<pb::GetSiteStatusRequest>,
) -> Result<pb::GetSiteStatusResponse, Error> {
    let told = (admin.links)();
    let rows = admin.db.read(move |r| status_rows(r, &told)).await?;
    Ok(pb::GetSiteStatusResponse { rows })
}

fn status_rows(r: &Reader<'_>, told: &[LinkStatus]) -> Result<Vec<pb::SiteStatus>, Error> {
    let (here, links) = (r.identity().code(), expected_links(r, told)?);
    let row = |site: SiteRecord| {
        let mut row = pb::SiteStatus {
            code: site.code.to_string(),
            kind: site.kind.as_str().to_owned(),
            parent: parent_text(&site),
            name: site.name,
            ..pb::SiteStatus::default()
        };
        if site.code == here {
            "self".clone_into(&mut row.link);
        } else if let Some((_, link)) = links.iter().find(|(_, l)| l.neighbor == site.code) {
            link.state.as_str().clone_into(&mut row.link);
            row.lag_changes = link.lag_changes;
            row.last_contact = link.last_contact.map(wire_time);
            row.problem.clone_from(&link.problem);
        }
        row
    };
    Ok(r.list()?.into_iter().map(|(_, site)| row(site)).collect())
}

pub(super) async fn list(
    admin: &Admin,
    _: Call<pb::ListSitesRequest>,
) -> Result<pb::ListSitesResponse, Error> {
    let sites: Vec<(_, SiteRecord)> = admin.db.read(|r| r.list()).await?;
    Ok(pb::ListSitesResponse { rows: sites.into_iter().map(|(_, site)| site_row(site)).collect() })
}

fn site_row(site: SiteRecord) -> pb::Site {
    pb::Site {
        parent: parent_text(&site),
        code: site.code.to_string(),
        kind: site.kind.as_str().to_owned(),
        name: site.name,
        url: site.url,
        uuid: site.uuid.to_string(),
    }
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetSiteRequest>,
) -> Result<pb::GetSiteResponse, Error> {
    let code: SiteCode = call.message.code.parse()?;
    let unknown =
        move || Error::Unknown { what: "site", name: code.to_string(), see: "tierline site list" };
    let show = move |r: &Reader<'_>| {
        let found = r.get_owned::<SiteRecord>(code.as_str().as_bytes())?;
        let (owner, site) = found.ok_or_else(unknown)?;
        let roles = r.list::<RoleRecord>()?.into_iter().filter(|(_, role)| role.site == code);
        Ok(pb::GetSiteResponse {
            row: Some(site_row(site)),
            owner: owner.code.to_string(),
            roles: roles.map(|(_, role)| role_row(role)).collect(),
        })
    };
    admin.db.read(show).await
}

fn parent_text(site: &SiteRecord) -> String {
    site.parent.map(|parent| parent.to_string()).unwrap_or_default()
}

pub(super) async fn token(
    admin: &Admin,
    call: Call<pb::CreateSiteTokenRequest>,
) -> Result<pb::CreateSiteTokenResponse, Error> {
    let (this, account) = (admin.clone(), call.account());
    let pb::CreateSiteTokenRequest { code, kind, parent, valid_seconds } = call.message;
    let (site, kind): (SiteCode, SiteKind) = (code.parse()?, kind.parse()?);
    let parent = if parent.is_empty() { admin.code() } else { parent.parse()? };
    let order = move |w: &Writer<'_>| {
        check_place(w, (site, kind), parent)?;
        let (joins, url) = (Some((kind, parent)), this.url_of(w, parent)?);
        this.mint(w, &account, Order { kind: PeerKind::Site, site, joins, url, valid_seconds })
    };
    let (token, expires_at) = admin.db.write(order).await?;
    Ok(pb::CreateSiteTokenResponse { token, expires_at: Some(wire_time(expires_at)) })
}

/// Whether a site may join there (HIER-03, SITE-01).
fn check_place(
    w: &Writer<'_>,
    (site, kind): (SiteCode, SiteKind),
    parent: SiteCode,
) -> Result<(), Error> {
    if !w.identity().is_top() {
        return Err(Error::OnlyTop { top: top_of(w)? });
    }
    let parent = site_kind(w, parent)?;
    if !kind.may_join(parent) {
        return Err(Error::MayNotJoin { kind, parent });
    }
    Ok(w.check_site_code(site)?)
}
