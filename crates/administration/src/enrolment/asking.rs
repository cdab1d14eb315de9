//! Enrolment without a token: a computer asks, an administrator decides.
//!
//! Owns the rules: who may ask, how many may wait and for how long. Nothing of a computer is kept
//! but its request, and that only for a while; what is asked again changes nothing.

use model::{
    ClientId, PeerIdentity, PeerKind, Revocation, Severity, SiteKind, StatusMessage, Timestamp,
};
use rpc::pb::enrolment::EnrolResponse;
use site_db::{Decision, EnrolmentRequest, Reader, TokenUse, Writer};
use trust::PublicKey;

use super::Enrolment;
use super::claim::Claim;
use crate::Error;
use crate::admin::Change;
use crate::audit::Deed;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Over a weekend and a holiday somebody looks.
pub(crate) const WAITS_MS: i64 = 7 * DAY_MS;

/// The computer asks again meanwhile and learns what was decided, or what it missed.
const KEPT_MS: i64 = DAY_MS;
const DECIDED_KEPT_MS: i64 = 30 * DAY_MS;

/// Whoever compares fingerprints does not compare more; and strangers can fill no more of the
/// database.
const WAITING_MAX: u64 = 1_000;

/// A rollout starts some computers at once; who makes up keys is slowed down.
const NEW_PER_MINUTE_MAX: u64 = 60;
const MINUTE_MS: i64 = 60 * 1000;

/// Computers wait for a decision, and none did before.
const WAITING: u32 = 60_170;

/// How it stands with a computer that asks.
#[derive(Debug)]
enum Standing {
    Admitted(Box<EnrolResponse>),
    Refused(Decision),
    /// Until then; `lapsed`, when an earlier request was made that nobody decided about.
    Waits {
        until: Timestamp,
        lapsed: Option<Timestamp>,
    },
}

impl Enrolment {
    /// Answers a computer that asks without a token.
    pub(super) async fn ask(&self, claim: Claim) -> Result<EnrolResponse, Error> {
        if claim.kind != PeerKind::Client {
            return Err(Error::NeedsToken { kind: claim.kind });
        }
        let (this, asked) = (self.clone(), claim.clone());
        // Computers ask again and again; only what is new is written.
        let known = self.db.read(move |r| this.standing(r, &asked)).await?;
        let standing = match known {
            Some(standing) => standing,
            None => {
                let this = self.clone();
                self.db.write(move |w| this.take_request(w, &claim)).await?
            }
        };
        match standing {
            Standing::Admitted(answer) => Ok(*answer),
            Standing::Refused(Decision { at, by, .. }) => Err(Error::EnrolmentRefused { at, by }),
            Standing::Waits { until, lapsed: None } => Err(Error::AwaitsApproval { until }),
            Standing::Waits { until, lapsed: Some(asked_at) } => {
                Err(Error::EnrolmentLapsed { asked_at, until })
            }
        }
    }

    /// None: it has not asked, or too long ago.
    fn standing(&self, r: &Reader<'_>, claim: &Claim) -> Result<Option<Standing>, Error> {
        let known = r.enrolment_request(&claim.key.fingerprint())?;
        let known = known.filter(|known| known.site == claim.site && known.key == claim.key.spki());
        let Some(EnrolmentRequest { expires_at, decision, .. }) = known else { return Ok(None) };
        Ok(match decision {
            None if r.now() > expires_at => None,
            None => Some(Standing::Waits { until: expires_at, lapsed: None }),
            Some(Decision { at, admitted: Some((identity, leaf)), .. }) => {
                if r.get::<Revocation>(identity.to_string().as_bytes())?.is_some() {
                    return Err(Error::Revoked { identity });
                }
                let key = claim.key.digest();
                let (certificate, authority, owner) = (Some(leaf), None, None);
                let used = TokenUse { at, key, identity, certificate, authority, owner };
                Some(Standing::Admitted(Box::new(self.answer(r, &used)?)))
            }
            Some(refused) => Some(Standing::Refused(refused)),
        })
    }

    fn take_request(&self, w: &Writer<'_>, claim: &Claim) -> Result<Standing, Error> {
        if let Some(standing) = self.standing(w, claim)? {
            return Ok(standing);
        }
        self.authority.require(self.here(), claim.site)?;
        // Clients are assigned to primaries, also those near a secondary (SITE-08).
        let (kind, _) = self.home.place(w, claim.site)?;
        if kind != SiteKind::Primary {
            return Err(Error::NoPlace { what: "assigned client", kind });
        }
        let (now, fingerprint) = (w.now(), claim.key.fingerprint());
        let lapsed = w.enrolment_request(&fingerprint)?.map(|before| before.asked_at);
        w.forget_enrolment_requests(now.plus_ms(-KEPT_MS))?;
        let (waiting, recent) = w.undecided_enrolments(now.plus_ms(-MINUTE_MS))?;
        if lapsed.is_none() && (waiting >= WAITING_MAX || recent >= NEW_PER_MINUTE_MAX) {
            return Err(Error::TooManyAsk { waiting });
        }
        let expires_at = now.plus_ms(WAITS_MS);
        w.save_enrolment_request(&EnrolmentRequest {
            fingerprint: fingerprint.clone(),
            key: claim.key.spki(),
            name: claim.name.clone(),
            site: claim.site,
            asked_at: now,
            expires_at,
            decision: None,
        })?;
        if waiting == 0 {
            tell(w, &claim.name, fingerprint)?;
        }
        Ok(Standing::Waits { until: expires_at, lapsed })
    }
}

/// Said once for all that come before somebody decides: strangers cannot make more of them.
fn tell(w: &Writer<'_>, name: &str, fingerprint: String) -> Result<(), Error> {
    let site = w.identity().code();
    w.append_status(&StatusMessage {
        id: WAITING,
        severity: Severity::Information,
        component: "SMS_CLIENT_CONFIG_MANAGER".to_owned(),
        site,
        machine: site.to_string(),
        at: w.now(),
        strings: vec![name.to_owned(), fingerprint],
    })?;
    Ok(())
}

impl Change<'_> {
    /// The computer gets its certificate when it asks next.
    pub(crate) fn approve(&self, fingerprint: &str) -> Result<EnrolmentRequest, Error> {
        let request = self.undecided(fingerprint)?;
        let (ambient, here) = (self.admin.db.ambient(), self.identity().code());
        let issuer = self.admin.authority.require(here, request.site)?;
        let identity = PeerIdentity {
            hierarchy: self.identity().hierarchy,
            site: request.site,
            kind: PeerKind::Client,
            id: ClientId(ambient.ordered_id()).to_string(),
        };
        let key = PublicKey::from_spki(&request.key)?;
        let leaf = issuer.issue(ambient, &key, &identity, &[])?;
        self.audit(Deed::Joined, identity.to_string())?;
        self.decide(request, Some((identity, leaf.to_vec())))
    }

    pub(crate) fn refuse(&self, fingerprint: &str) -> Result<EnrolmentRequest, Error> {
        let request = self.undecided(fingerprint)?;
        self.audit(Deed::Removed, format!("enrolment request {fingerprint}"))?;
        self.decide(request, None)
    }

    /// A refusal may be taken back; whoever was admitted is a client, and removed as one.
    fn undecided(&self, fingerprint: &str) -> Result<EnrolmentRequest, Error> {
        let (what, see) = ("enrolment request", "tierline client pending");
        let unknown = || Error::Unknown { what, name: fingerprint.to_owned(), see };
        let request = self.enrolment_request(fingerprint)?.ok_or_else(unknown)?;
        match &request.decision {
            Some(Decision { at, by, admitted: Some(_) }) => {
                Err(Error::AdmittedAlready { at: *at, by: by.clone() })
            }
            None if self.now() > request.expires_at => Err(unknown()),
            None | Some(_) => Ok(request),
        }
    }

    fn decide(
        &self,
        request: EnrolmentRequest,
        admitted: Option<(PeerIdentity, Vec<u8>)>,
    ) -> Result<EnrolmentRequest, Error> {
        let (at, by) = (self.now(), self.account.to_owned());
        let decision = Some(Decision { at, by, admitted });
        let expires_at = at.plus_ms(DECIDED_KEPT_MS);
        let decided = EnrolmentRequest { expires_at, decision, ..request };
        self.save_enrolment_request(&decided)?;
        Ok(decided)
    }
}
