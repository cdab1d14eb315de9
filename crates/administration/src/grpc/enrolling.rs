//! Computers that ask to be enrolled without a token.

use model::{PeerKind, SiteKind};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::{Decision, EnrolmentRequest};
use trust::{JoinToken, TokenSecret};

use super::Answer;
use crate::Error;
use crate::admin::{Change, View};

pub(super) fn invitation(v: &View<'_>, asked: pb::GetClientInvitationRequest) -> Answer<String> {
    let here = v.identity().code();
    let site = if asked.site.is_empty() { here } else { asked.site.parse()? };
    v.admin.authority.require(here, site)?;
    let (kind, own_url) = v.admin.home.place(v, site)?;
    if kind != SiteKind::Primary {
        return Err(Error::NoPlace { what: "assigned client", kind });
    }
    let url = if asked.url.is_empty() { own_url } else { asked.url };
    let anchor = v.admin.authority.anchor();
    let (hierarchy, pin, kind) = (anchor.hierarchy(), anchor.pin(), PeerKind::Client);
    Ok(JoinToken { url, hierarchy, pin, kind, site, secret: TokenSecret::none() }.encode())
}

pub(super) fn pending(
    v: &View<'_>,
    _: pb::ListPendingClientsRequest,
) -> Answer<Vec<pb::PendingClient>> {
    let now = v.now();
    let requests = v.enrolment_requests()?.into_iter();
    Ok(requests.filter(|request| request.expires_at >= now).map(row).collect())
}

pub(super) fn approve(
    c: &Change<'_>,
    asked: pb::ApproveClientRequest,
) -> Answer<pb::PendingClient> {
    c.approve(&asked.fingerprint).map(row)
}

pub(super) fn refuse(c: &Change<'_>, asked: pb::RefuseClientRequest) -> Answer<pb::PendingClient> {
    c.refuse(&asked.fingerprint).map(row)
}

fn row(request: EnrolmentRequest) -> pb::PendingClient {
    let EnrolmentRequest { fingerprint, name, site, asked_at, expires_at, decision, .. } = request;
    let state = match &decision {
        None => "waiting",
        Some(Decision { admitted: Some(_), .. }) => "approved",
        Some(_) => "refused",
    };
    let (decided_at, by, admitted) = match decision {
        Some(Decision { at, by, admitted }) => (Some(wire_time(at)), by, admitted),
        None => (None, String::new(), None),
    };
    pb::PendingClient {
        fingerprint,
        name,
        site: site.to_string(),
        state: state.to_owned(),
        asked_at: Some(wire_time(asked_at)),
        expires_at: Some(wire_time(expires_at)),
        decided_at,
        decided_by: by,
        identity: admitted.map_or_else(String::new, |(identity, _)| identity.to_string()),
    }
}
