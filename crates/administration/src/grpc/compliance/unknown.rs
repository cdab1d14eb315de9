//! Why something is unknown of clients: what their vectors say, and what is known to be under way
//! (COMP-10 … COMP-14).
//!
//! Owns the words. What a child site or a management point still has may be the answer; what is
//! lost may not be, so both reasons stand in one sentence.

use std::collections::BTreeMap;

use compliance::{Board, ClientSet, UnknownReason};
use model::{ClientId, ClientRecord, LinkState, Owner, PeerIdentity, SiteCode};
use rpc::convert::wire_time;
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{Backlog, Reader};

use crate::Error;
use crate::admin::View;
use crate::grpc::Answer;
use crate::links::{LinkStatus, expected_links};

/// What is not heard, and from where.
pub(super) struct Silence {
    /// Child sites of which not everything is here, and why.
    children: BTreeMap<SiteCode, String>,
    /// The clients of each of them.
    clients: BTreeMap<SiteCode, Vec<ClientId>>,
    backlogs: Vec<Backlog>,
}

/// What may have come meanwhile, if only it were here.
fn may_be_under_way(reason: UnknownReason) -> bool {
    match reason {
        UnknownReason::NoReport | UnknownReason::Gap | UnknownReason::NotScannedSince => true,
        UnknownReason::ScanFailed | UnknownReason::NotJudged => false,
    }
}

impl Silence {
    /// With the clients of child sites, to count them.
    pub(super) fn read(v: &View<'_>) -> Answer<Silence> {
        let mut silence = Silence::of_sites(v)?;
        if !silence.children.is_empty() {
            silence.clients = clients_by_site(v)?;
        }
        Ok(silence)
    }

    /// Without: to ask about one.
    pub(super) fn of_sites(v: &View<'_>) -> Answer<Silence> {
        let links = expected_links(v, &(v.admin.links)())?.into_iter();
        let children = links.filter(|(side, _)| *side == "child");
        let late = children.filter_map(|(_, link)| Some((link.neighbor, lateness(&link)?)));
        let (children, backlogs) = (late.collect(), v.backlogs()?);
        Ok(Silence { children, clients: BTreeMap::new(), backlogs })
    }

    /// Clients by reason, those of child sites that are not heard apart.
    pub(super) fn rows(
        &self,
        board: &Board,
        reasons: BTreeMap<UnknownReason, ClientSet>,
    ) -> Vec<pb::UnknownCount> {
        let mut rows = Vec::new();
        for (reason, mut clients) in reasons {
            if may_be_under_way(reason) {
                for (site, why) in &self.children {
                    let theirs = self.clients.get(site).into_iter().flatten().copied();
                    let theirs = clients.intersection(&board.roster().set_of(theirs));
                    clients = clients.minus(&theirs);
                    rows.push((format!("{}; {why}", reason.as_str()), theirs.len()));
                }
            }
            rows.push((reason.as_str().to_owned(), clients.len()));
        }
        rows.retain(|(_, clients)| *clients > 0);
        rows.into_iter().map(|(reason, clients)| pb::UnknownCount { reason, clients }).collect()
    }

    pub(super) fn backlog_rows(&self) -> Vec<pb::Backlog> {
        let row = |Backlog { caller, at, waiting, set_aside }: &Backlog| pb::Backlog {
            caller: said_of(caller),
            at: Some(wire_time(*at)),
            waiting: *waiting,
            set_aside: *set_aside,
        };
        self.backlogs.iter().map(row).collect()
    }

    /// Of one client, whose record its site owns.
    pub(super) fn says(&self, reason: UnknownReason, owner: Owner, here: SiteCode) -> String {
        let mut text = reason.as_str().to_owned();
        if !may_be_under_way(reason) {
            return text;
        }
        if owner.code != here {
            if let Some(why) = self.children.get(&owner.code) {
                text += &format!("; {why}");
            }
            return text;
        }
        for Backlog { caller, at, waiting, set_aside } in &self.backlogs {
            let caller = said_of(caller);
            if *waiting > 0 {
                text += &format!("; {waiting} reports waited at {caller} at {at}");
            }
            if *set_aside > 0 {
                text += &format!("; {caller} has set {set_aside} broken or refused reports aside");
            }
        }
        text
    }
}

/// Such as `PR1/mp/` and its id.
fn said_of(caller: &PeerIdentity) -> String {
    format!("{}/{}/{}", caller.site, caller.kind.as_str(), caller.id)
}

/// Why not everything is here that a child site has.
fn lateness(link: &LinkStatus) -> Option<String> {
    let LinkStatus { neighbor, state, lag_changes, last_contact, .. } = link;
    if *state == LinkState::Active && *lag_changes == 0 {
        return None;
    }
    let since = match last_contact {
        Some(at) => format!("last contact {at}"),
        None => "no contact since this server started".to_owned(),
    };
    let state = state.as_str();
    Some(format!(
        "not received from site {neighbor}: its link is {state} and {lag_changes} changes \
         behind, {since}"
    ))
}

fn clients_by_site(r: &Reader<'_>) -> Result<BTreeMap<SiteCode, Vec<ClientId>>, Error> {
    let mut clients: BTreeMap<SiteCode, Vec<ClientId>> = BTreeMap::new();
    r.visit(ClientRecord::KIND, |owner, body| {
        clients.entry(owner.code).or_default().push(ClientRecord::decode(&body)?.id);
        Ok(())
    })?;
    Ok(clients)
}

#[cfg(test)]
mod tests;
