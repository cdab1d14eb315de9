//! Sites.

use model::{PeerKind, RoleRecord, SiteCode, SiteKind, SiteRecord};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;

use super::Answer;
use super::noun::SITE;
use super::role::role_row;
use crate::Error;
use crate::admin::{Change, View, check_top};
use crate::links::expected_links;
use crate::token::Order;

pub(super) fn status(v: &View<'_>, _: pb::GetSiteStatusRequest) -> Answer<Vec<pb::SiteStatus>> {
    let (here, links) = (v.identity().code(), expected_links(v, &(v.admin.links)())?);
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
    Ok(v.list()?.into_iter().map(|(_, site)| row(site)).collect())
}

pub(super) fn list(v: &View<'_>, _: pb::ListSitesRequest) -> Answer<Vec<pb::Site>> {
    Ok(v.list()?.into_iter().map(|(_, site)| site_row(site)).collect())
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

fn parent_text(site: &SiteRecord) -> String {
    site.parent.map(|parent| parent.to_string()).unwrap_or_default()
}

pub(super) fn show(v: &View<'_>, asked: pb::GetSiteRequest) -> Answer<pb::GetSiteResponse> {
    let (owner, site) = SITE.found(v, &asked.code)?;
    let roles = v.list::<RoleRecord>()?.into_iter().filter(|(_, role)| role.site == site.code);
    Ok(pb::GetSiteResponse {
        owner: owner.code.to_string(),
        roles: roles.map(|(_, role)| role_row(role)).collect(),
        row: Some(site_row(site)),
    })
}

pub(super) fn token(
    c: &Change<'_>,
    asked: pb::CreateSiteTokenRequest,
) -> Answer<pb::CreateSiteTokenResponse> {
    let pb::CreateSiteTokenRequest { code, kind, parent, valid_seconds } = asked;
    let (site, kind): (SiteCode, SiteKind) = (code.parse()?, kind.parse()?);
    let parent = c.site_or_here(&parent)?;
    // Whether a site may join there (HIER-03, SITE-01).
    check_top(c)?;
    let (parent_kind, url) = c.admin.home.place(c, parent)?;
    if !kind.may_join(parent_kind) {
        return Err(Error::MayNotJoin { kind, parent: parent_kind });
    }
    c.check_site_code(site)?;
    let joins = Some((kind, parent));
    let order = Order { kind: PeerKind::Site, site, joins, url, valid_seconds };
    let (token, expires_at) = c.mint(order)?;
    Ok(pb::CreateSiteTokenResponse { token, expires_at: Some(wire_time(expires_at)) })
}
