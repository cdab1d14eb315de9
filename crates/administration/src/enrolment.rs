//! Joining: a one-time token and a certificate request become a certificate and a record.
//!
//! Owns who gets what: a primary an intermediate from the root, a secondary a leaf under its own
//! code from its primary, roles, clients and administrators a leaf of their site. Refuses to know
//! how the request came here. Everything a join writes is one transaction with the token's use, so
//! that a crash leaves a token that was not used or one that gives the same answer again.

mod claim;
mod relay;
mod renewal;
mod secondary;

pub(crate) use claim::{Claim, Question};
pub use relay::Relay;
pub(crate) use renewal::check_relay;

use std::fmt;
use std::sync::Arc;

use model::{
    ClientId, Owner, PeerIdentity, PeerKind, RoleId, RoleKind, RoleRecord, SiteCode, SiteKind,
    SiteRecord,
};
use rpc::pb::enrolment::EnrolResponse;
use site_db::{Reader, SiteDb, StoredToken, TokenUse, Writer};
use tonic::transport::Channel;

use crate::admin::top_of;
use crate::audit::{Deed, audit};
use crate::token::{Presented, Verdict, judge};
use crate::{Authority, Error, Home};

/// Joining and renewal at a site that issues certificates.
#[derive(Clone)]
pub struct Enrolment {
    db: SiteDb,
    authority: Arc<Authority>,
    home: Home,
    /// Of a site that is not the top.
    parent: Option<Channel>,
}

/// The leaf and the identity of somebody new.
type Admitted = (PeerIdentity, Option<Vec<u8>>);

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
        if claim.site_kind == Some(SiteKind::Secondary) {
            return self.enrol_secondary(claim).await;
        }
        let this = self.clone();
        self.db
            .write(move |w| {
                if claim.site_kind.is_some() && !w.identity().is_top() {
                    return Err(Error::OnlyTop { top: top_of(w)? });
                }
                let presented = this.presented(&claim);
                let now = w.now();
                let used = match judge(w.token(&claim.hash())?, &presented, (this.here(), now))? {
                    Verdict::Again(_, used) => used,
                    Verdict::Fresh(token) => this.admit(w, &claim, token)?,
                };
                this.answer(w, &used)
            })
            .await
    }

    fn presented(&self, claim: &Claim) -> Presented {
        Presented {
            kind: claim.kind,
            site: claim.site,
            joins: claim.site_kind.map(|kind| (kind, self.here())),
            key: claim.key.digest(),
        }
    }

    /// Issues, records and burns the token.
    fn admit(
        &self,
        w: &Writer<'_>,
        claim: &Claim,
        mut token: StoredToken,
    ) -> Result<TokenUse, Error> {
        let mut used = TokenUse {
            at: w.now(),
            key: claim.key.digest(),
            identity: self.site_identity(claim.site),
            certificate: None,
            authority: None,
            owner: None,
        };
        match claim.kind {
            PeerKind::Site => {
                let (owner, authority) = self.admit_primary(w, claim)?;
                (used.owner, used.authority) = (Some(owner), Some(authority));
            }
            PeerKind::Role(kind) => {
                (used.identity, used.certificate) = self.admit_role(w, claim, kind)?;
            }
            PeerKind::Client => {
                let id = ClientId(self.db.ambient().ordered_id());
                (used.identity, used.certificate) = self.admit_leaf(claim, id.to_string())?;
            }
            PeerKind::Administrator => {
                let account = token.created_by.clone();
                (used.identity, used.certificate) = self.admit_leaf(claim, account)?;
            }
        }
        // Clients come by the thousand and have records of their own.
        if claim.kind != PeerKind::Client {
            audit(w, &token.created_by, Deed::Joined, used.identity.to_string())?;
        }
        token.used = Some(used.clone());
        w.save_token(&token)?;
        Ok(used)
    }

    fn site_identity(&self, site: SiteCode) -> PeerIdentity {
        let hierarchy = self.authority.anchor().hierarchy();
        PeerIdentity { hierarchy, site, kind: PeerKind::Site, id: site.to_string() }
    }

    fn admit_leaf(&self, claim: &Claim, id: String) -> Result<Admitted, Error> {
        let identity = PeerIdentity { kind: claim.kind, id, ..self.site_identity(claim.site) };
        let (ambient, names) = (self.db.ambient(), claim.names());
        let subject = (self.here(), &identity);
        let leaf = self.authority.issue(ambient, subject, &claim.key, names)?;
        Ok((identity, Some(leaf.to_vec())))
    }

    fn admit_role(&self, w: &Writer<'_>, claim: &Claim, kind: RoleKind) -> Result<Admitted, Error> {
        let id = RoleId(self.db.ambient().ordered_id());
        let admitted = self.admit_leaf(claim, id.to_string())?;
        let Claim { site, name, url, http_url, .. } = claim.clone();
        w.put_own(&RoleRecord { id, site, kind, name, url, http_url, joined_at: w.now() })?;
        Ok(admitted)
    }

    /// A primary gets its intermediate, and issues its own leaf.
    fn admit_primary(&self, w: &Writer<'_>, claim: &Claim) -> Result<(Owner, Vec<u8>), Error> {
        let owner = self.give_code(w, claim.site)?;
        let authority = self.authorize(w, claim.site, claim.authority_key()?)?;
        w.put_own(&self.site_record(claim, owner))?;
        Ok((owner, authority))
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
        let (kind, url) = if host == self.here() {
            (r.identity().kind, self.home.url.clone())
        } else {
            let record: SiteRecord = r.require(host.as_str().as_bytes())?;
            (record.kind, record.url)
        };
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

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enrolment({})", self.here())
    }
}
