//! Joining: a one-time token and a certificate request become a certificate and a record.
//!
//! Owns who gets what: a primary an intermediate from the root, a secondary a leaf under its own
//! code from its primary, roles, clients and administrators a leaf of their site. Refuses to know
//! how the request came here. Everything a join writes is one transaction with the token's use, so
//! that a crash leaves a token that was not used or one that gives the same answer again.

mod asking;
mod claim;
mod renewal;
mod secondary;

pub(crate) use claim::{Claim, Question};
pub(crate) use renewal::check_relay;

use std::sync::Arc;

use model::{
    ClientId, Owner, PeerIdentity, PeerKind, RoleId, RoleKind, RoleRecord, SiteCode, SiteKind,
    SiteRecord,
};
use rpc::pb::enrolment::EnrolResponse;
use site_db::{Reader, SiteDb, TokenUse, Writer};
use tonic::transport::Channel;
use trust::PublicKey;

use crate::admin::{check_top, top_of};
use crate::audit::{Deed, audit};
use crate::token::{Presented, Verdict, burn, judge};
use crate::{Authority, Error, Home};

/// Joining and renewal at a site that issues certificates.
#[derive(Clone, Debug)]
pub struct Enrolment {
    db: SiteDb,
    authority: Arc<Authority>,
    home: Home,
    /// Of a site that is not the top.
    parent: Option<Channel>,
}

impl Enrolment {
    #[must_use]
    pub fn new(
        db: SiteDb,
        authority: Arc<Authority>,
        home: Home,
        parent: Option<Channel>,
    ) -> Enrolment {
        Enrolment { db, authority, home, parent }
    }

    fn here(&self) -> SiteCode {
        self.db.identity().code()
    }

    pub(crate) async fn enrol(&self, claim: Claim) -> Result<EnrolResponse, Error> {
        if claim.secret.is_none() {
            return self.ask(claim).await;
        }
        let this = self.clone();
        match claim.site_kind {
            Some(SiteKind::Secondary) => self.enrol_secondary(claim).await,
            Some(_) => self.db.write(move |w| this.admit_primary(w, &claim)).await,
            None => self.db.write(move |w| this.admit_member(w, &claim)).await,
        }
    }

    /// A primary gets its intermediate, and issues its own leaf.
    fn admit_primary(&self, w: &Writer<'_>, claim: &Claim) -> Result<EnrolResponse, Error> {
        let used = self.authorize(w, &claim.presented(self.here()), claim.authority_key()?)?;
        let known = w.get::<SiteRecord>(claim.site.as_str().as_bytes())?;
        if let (Some(owner), None) = (used.owner, known) {
            w.put_own(&self.site_record(claim, owner))?;
        }
        self.answer(w, &used)
    }

    /// At the top: gives its code to a joining site, issues its intermediate and burns the token.
    fn authorize(
        &self,
        w: &Writer<'_>,
        presented: &Presented,
        key: &PublicKey,
    ) -> Result<TokenUse, Error> {
        check_top(w)?;
        let token = match judge(w, presented)? {
            Verdict::Again(used) => return Ok(used),
            Verdict::Fresh(token) => token,
        };
        let (ambient, site) = (self.db.ambient(), presented.site);
        let owner = Owner { code: site, uuid: ambient.ordered_id() };
        w.give_site_code(owner)?;
        let issued = self.authority.authorize(ambient, site, key)?;
        let issued = issued.ok_or(Error::OnlyTop { top: top_of(w)? })?;
        let used = TokenUse {
            at: w.now(),
            key: presented.key,
            identity: self.site_identity(site),
            certificate: None,
            authority: Some(issued.to_vec()),
            owner: Some(owner),
        };
        audit(w, &token.created_by, Deed::Joined, used.identity.to_string())?;
        burn(w, token, used)
    }

    /// A role, a client or an administrator gets a leaf of its site.
    fn admit_member(&self, w: &Writer<'_>, claim: &Claim) -> Result<EnrolResponse, Error> {
        let token = match judge(w, &claim.presented(self.here()))? {
            Verdict::Again(used) => return self.answer(w, &used),
            Verdict::Fresh(token) => token,
        };
        let id = match claim.kind {
            PeerKind::Role(kind) => self.record_role(w, claim, kind)?.to_string(),
            PeerKind::Client => ClientId(self.db.ambient().ordered_id()).to_string(),
            PeerKind::Administrator => token.created_by.clone(),
            PeerKind::Site => claim.site.to_string(),
        };
        let (identity, leaf) = self.issue_leaf(claim, id)?;
        // Clients come by the thousand and have records of their own.
        if claim.kind != PeerKind::Client {
            audit(w, &token.created_by, Deed::Joined, identity.to_string())?;
        }
        let (at, key, certificate) = (w.now(), claim.key.digest(), Some(leaf));
        let used = TokenUse { at, key, identity, certificate, authority: None, owner: None };
        self.answer(w, &burn(w, token, used)?)
    }

    fn site_identity(&self, site: SiteCode) -> PeerIdentity {
        let hierarchy = self.authority.anchor().hierarchy();
        PeerIdentity { hierarchy, site, kind: PeerKind::Site, id: site.to_string() }
    }

    fn issue_leaf(&self, claim: &Claim, id: String) -> Result<(PeerIdentity, Vec<u8>), Error> {
        let identity = PeerIdentity { kind: claim.kind, id, ..self.site_identity(claim.site) };
        let issuer = self.authority.require(self.here(), claim.site)?;
        let leaf = issuer.issue(self.db.ambient(), &claim.key, &identity, claim.names())?;
        Ok((identity, leaf.to_vec()))
    }

    fn record_role(&self, w: &Writer<'_>, claim: &Claim, kind: RoleKind) -> Result<RoleId, Error> {
        let id = RoleId(self.db.ambient().ordered_id());
        let Claim { site, name, url, http_url, .. } = claim.clone();
        w.put_own(&RoleRecord { id, site, kind, name, url, http_url, joined_at: w.now() })?;
        Ok(id)
    }

    fn site_record(&self, claim: &Claim, Owner { code, uuid }: Owner) -> SiteRecord {
        let kind = claim.site_kind.unwrap_or(SiteKind::Primary);
        let (name, url) = (claim.name.clone(), claim.url.clone());
        SiteRecord { code, uuid, kind, parent: Some(self.here()), name, url }
    }

    /// The answer to a use of a token; the same for the first and every repeated request.
    fn answer(&self, r: &Reader<'_>, used: &TokenUse) -> Result<EnrolResponse, Error> {
        let TokenUse { identity, certificate, authority, owner, .. } = used;
        let host = if identity.kind == PeerKind::Site { self.here() } else { identity.site };
        let (kind, url) = self.home.place(r, host)?;
        let chain = match certificate {
            Some(leaf) => {
                let issuer = self.authority.require(self.here(), identity.site)?;
                vec![leaf.clone(), issuer.certificate().to_vec()]
            }
            None => Vec::new(),
        };
        Ok(EnrolResponse {
            root: self.authority.anchor().root().to_vec(),
            // A secondary's intermediate stays with its primary.
            authority: authority.clone().filter(|_| chain.is_empty()),
            chain,
            identity: identity.to_string(),
            site_uuid: owner.map(|owner| owner.uuid.as_bytes().to_vec()),
            parent: host.to_string(),
            parent_kind: kind.as_str().to_owned(),
            parent_url: url,
        })
    }
}
