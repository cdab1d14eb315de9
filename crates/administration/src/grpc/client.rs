//! Managed computers.

use std::collections::BTreeSet;

use futures_util::stream::iter;
use model::{ClientId, ClientRecord, Owner, PeerIdentity, PeerKind, Revocation, SiteKind};
use rpc::convert::wire_time;
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{Reader, Writer};

use super::Answers;
use super::owned::Noun;
use crate::admin::{Call, site_kind};
use crate::audit::{Deed, audit};
use crate::token::Order;
use crate::{Admin, Error};

const NOUN: Noun = Noun { what: "client", see: "tierline client list" };

/// Rows in one message: far below the largest message.
pub(super) const ROWS: usize = 1_000;

pub(super) async fn list(
    admin: &Admin,
    call: Call<pb::ListClientsRequest>,
) -> Result<Answers<pb::ListClientsResponse>, Error> {
    let name = call.message.name;
    let rows = admin.db.read(move |r| rows(r, &name)).await?;
    let pages: Vec<_> =
        rows.chunks(ROWS).map(|rows| Ok(pb::ListClientsResponse { rows: rows.to_vec() })).collect();
    Ok(Box::pin(iter(pages)))
}

pub(super) fn rows(r: &Reader<'_>, name: &str) -> Result<Vec<pb::Client>, Error> {
    let mut rows = Vec::new();
    r.visit(ClientRecord::KIND, |_, body| {
        let client = ClientRecord::decode(&body)?;
        if client.name.contains(name) {
            rows.push(client_row(client));
        }
        Ok(())
    })?;
    Ok(rows)
}

pub(super) fn client_row(client: ClientRecord) -> pb::Client {
    let ClientRecord { id, kind, name, site, os, architecture, agent_version, seen_on } = client;
    pb::Client {
        id: id.to_string(),
        name,
        site: site.to_string(),
        kind: kind.as_str().to_owned(),
        os,
        architecture,
        agent_version,
        seen_on: Some(wire_time(seen_on)),
    }
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetClientRequest>,
) -> Result<pb::GetClientResponse, Error> {
    let id: ClientId = call.message.id.parse()?;
    let (_, found) = admin.db.read(move |r| find(r, id)).await?;
    Ok(pb::GetClientResponse { row: Some(client_row(found)) })
}

pub(super) async fn token(
    admin: &Admin,
    call: Call<pb::CreateClientTokenRequest>,
) -> Result<pb::CreateClientTokenResponse, Error> {
    let (this, account) = (admin.clone(), call.account());
    let pb::CreateClientTokenRequest { site, valid_seconds, url } = call.message;
    let site = if site.is_empty() { admin.code() } else { site.parse()? };
    let order = move |w: &Writer<'_>| {
        this.authority.require(this.code(), site)?;
        // Clients are assigned to primaries, also those near a secondary (SITE-08).
        let kind = site_kind(w, site)?;
        if kind != SiteKind::Primary {
            return Err(Error::NoPlace { what: "assigned client", kind });
        }
        let url = if url.is_empty() { this.url_of(w, site)? } else { url };
        let kind = PeerKind::Client;
        this.mint(w, &account, Order { kind, site, joins: None, url, valid_seconds })
    };
    let (token, expires_at) = admin.db.write(order).await?;
    Ok(pb::CreateClientTokenResponse { token, expires_at: Some(wire_time(expires_at)) })
}

pub(super) fn find(r: &Reader<'_>, id: ClientId) -> Result<(Owner, ClientRecord), Error> {
    NOUN.found(r, (id.as_bytes(), &id.to_string()))
}

pub(super) async fn scan(
    admin: &Admin,
    call: Call<pb::ScanClientsRequest>,
) -> Result<pb::ScanClientsResponse, Error> {
    let kind = admin.db.identity().kind;
    let none = || Error::NoPlace { what: "assigned client", kind };
    let clients = admin.clients.as_ref().ok_or_else(none)?;
    let ids = call.message.ids;
    let ids: BTreeSet<ClientId> = ids.iter().map(|id| id.parse()).collect::<Result<_, _>>()?;
    let wanted = admin.db.read(move |r| own_clients(r, ids)).await?;
    (clients.scan)(&wanted);
    Ok(pb::ScanClientsResponse { clients: wanted.len() as u64 })
}

/// These clients of this site, or all; another site's are woken there.
fn own_clients(r: &Reader<'_>, ids: BTreeSet<ClientId>) -> Result<Vec<ClientId>, Error> {
    let here = r.identity().owner;
    for id in &ids {
        let (owner, _) = find(r, *id)?;
        if owner != here {
            let what = format!("client {id}");
            return Err(Error::ForeignOwner { what, owner: owner.code });
        }
    }
    let mut all: Vec<ClientId> = ids.into_iter().collect();
    if all.is_empty() {
        r.visit(ClientRecord::KIND, |owner, body| {
            if owner == here {
                all.push(ClientRecord::decode(&body)?.id);
            }
            Ok(())
        })?;
    }
    Ok(all)
}

pub(super) async fn remove(
    admin: &Admin,
    call: Call<pb::RemoveClientRequest>,
) -> Result<pb::RemoveClientResponse, Error> {
    let (account, hierarchy) = (call.account(), admin.authority.anchor().hierarchy());
    let pb::RemoveClientRequest { id, reason } = call.message;
    let id: ClientId = id.parse()?;
    let identity = admin.db.write(move |w| {
        NOUN.owned::<ClientRecord>(w, (id.as_bytes(), &id.to_string()))?;
        // Clients come with certificates of the primary they are assigned to.
        let (site, kind) = (w.identity().code(), PeerKind::Client);
        let identity = PeerIdentity { hierarchy, site, kind, id: id.to_string() }.to_string();
        audit(w, &account, Deed::Removed, identity.clone())?;
        w.put_own(&Revocation { identity: identity.clone(), at: w.now(), reason })?;
        w.remove_client(id)?;
        Ok::<_, Error>(identity)
    });
    Ok(pb::RemoveClientResponse { identity: identity.await? })
}
