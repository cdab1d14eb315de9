//! Managed computers.

use std::collections::BTreeSet;

use model::{ALL_SYSTEMS, ClientId, ClientRecord, Owner, PeerKind, SiteKind};
use rpc::convert::wire_time;
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::noun::CLIENT;
use super::{Answer, Answers, collection, given, pages};
use crate::admin::{Change, View};
use crate::audit::Deed;
use crate::token::Order;
use crate::{Admin, Clients, Error};

pub(super) fn list(
    v: &View<'_>,
    asked: pb::ListClientsRequest,
) -> Answer<Answers<pb::ListClientsResponse>> {
    let mut rows = match given(asked.r#where) {
        None => client_rows(v)?,
        Some(text) => {
            let (_, all) = collection::find(v, ALL_SYSTEMS)?;
            collection::selected(v, &text, &all.code)?
        }
    };
    rows.retain(|row| row.name.contains(&asked.name));
    Ok(pages(rows, |rows| pb::ListClientsResponse { rows }))
}

fn client_rows(r: &Reader<'_>) -> Result<Vec<pb::Client>, Error> {
    let mut rows = Vec::new();
    r.visit(ClientRecord::KIND, |_, body| {
        rows.push(client_row(ClientRecord::decode(&body)?));
        Ok(())
    })?;
    Ok(rows)
}

pub(super) fn client_row(client: ClientRecord) -> pb::Client {
    let ClientRecord {
        id,
        kind,
        name,
        site,
        os,
        architecture,
        agent_version,
        manufacturer,
        model,
        seen_on,
        address,
    } = client;
    pb::Client {
        id: id.to_string(),
        name,
        site: site.to_string(),
        kind: kind.as_str().to_owned(),
        os,
        architecture,
        agent_version,
        manufacturer,
        model,
        seen_on: Some(wire_time(seen_on)),
        address: address.map(|address| address.to_string()).unwrap_or_default(),
    }
}

pub(super) fn show(v: &View<'_>, asked: pb::GetClientRequest) -> Answer<pb::Client> {
    let (_, found) = CLIENT.found(v, &asked.id)?;
    Ok(client_row(found))
}

pub(super) fn token(
    c: &Change<'_>,
    asked: pb::CreateClientTokenRequest,
) -> Answer<pb::CreateClientTokenResponse> {
    let pb::CreateClientTokenRequest { site, valid_seconds, url } = asked;
    let site = c.site_or_here(&site)?;
    // Clients are assigned to primaries, also those near a secondary (SITE-08).
    let (kind, own_url) = c.issues_at(site)?;
    if kind != SiteKind::Primary {
        return Err(Error::NoPlace { what: "assigned client", kind });
    }
    let url = if url.is_empty() { own_url } else { url };
    let order = Order { kind: PeerKind::Client, site, joins: None, url, valid_seconds };
    let (token, expires_at) = c.mint(order)?;
    Ok(pb::CreateClientTokenResponse { token, expires_at: Some(wire_time(expires_at)) })
}

pub(super) fn scan(v: &View<'_>, asked: pb::ScanClientsRequest) -> Answer<u64> {
    let (clients, wanted) = wanted((v.admin, v), &asked.ids)?;
    (clients.scan)(&wanted);
    Ok(wanted.len() as u64)
}

/// Each of them is told with its next report, whether or not it hears of it now (STATE-16).
pub(super) fn refresh(c: &Change<'_>, asked: pb::RefreshClientsRequest) -> Answer<u64> {
    let (clients, wanted) = wanted((c.admin, c), &asked.ids)?;
    for client in &wanted {
        c.want_everything(*client)?;
    }
    c.audit(Deed::Ran, format!("a full report of {} clients", wanted.len()))?;
    (clients.report)(&wanted);
    Ok(wanted.len() as u64)
}

/// The clients of this site that are named, or all.
fn wanted<'a>(
    (admin, r): (&'a Admin, &Reader<'_>),
    ids: &[String],
) -> Answer<(&'a Clients, Vec<ClientId>)> {
    let kind = r.identity().kind;
    let none = || Error::NoPlace { what: "assigned client", kind };
    let clients = admin.clients.as_ref().ok_or_else(none)?;
    let wanted = if ids.is_empty() {
        clients_of(r, r.identity().owner)?
    } else {
        // Another site's are woken there.
        let named = ids.iter().map(|id| Ok(CLIENT.owned(r, id)?.id));
        named.collect::<Answer<BTreeSet<ClientId>>>()?
    };
    Ok((clients, wanted.into_iter().collect()))
}

/// The clients that a site manages.
pub(super) fn clients_of(r: &Reader<'_>, site: Owner) -> Result<BTreeSet<ClientId>, Error> {
    let mut clients = BTreeSet::new();
    r.visit(ClientRecord::KIND, |owner, body| {
        if owner == site {
            clients.insert(ClientRecord::decode(&body)?.id);
        }
        Ok(())
    })?;
    Ok(clients)
}

pub(super) fn remove(c: &Change<'_>, asked: pb::RemoveClientRequest) -> Answer<String> {
    let id = CLIENT.owned(c, &asked.id)?.id;
    // Clients come with certificates of the primary they are assigned to.
    let subject = (c.identity().code(), PeerKind::Client);
    let revocation = c.revocation(subject, id.to_string(), asked.reason)?;
    c.put_own(&revocation)?;
    c.remove_client(id)?;
    Ok(revocation.identity)
}
