//! A joining secondary: the top gives the code and an intermediate under the primary's key, the
//! primary issues the leaf and owns the record.

use model::{Owner, PeerKind, SiteCode, SiteKind};
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::{AuthorizeSecondaryRequest, EnrolResponse};
use site_db::{StoredToken, TokenUse, Writer};
use trust::{CertificateDer, PublicKey};

use super::{Claim, Enrolment, Question};
use crate::Error;
use crate::admin::top_of;
use crate::audit::{Deed, audit};
use crate::token::{Presented, Verdict, judge};

/// What the top gives for a secondary.
pub(crate) type Authorization = (Owner, Vec<u8>);

impl Enrolment {
    pub(super) async fn enrol_secondary(&self, claim: Claim) -> Result<EnrolResponse, Error> {
        let here = self.db.identity();
        if !SiteKind::Secondary.may_join(here.kind) {
            return Err(Error::MayNotJoin { kind: SiteKind::Secondary, parent: here.kind });
        }
        let request = self.question(&claim)?;
        let (owner, authority) = if here.is_top() {
            self.authorize_secondary(request.try_into()?, here.code()).await?
        } else {
            self.ask_top(request, claim.site).await?
        };
        self.authority.adopt(here.code(), CertificateDer::from(authority.clone()))?;
        let this = self.clone();
        self.db
            .write(move |w| {
                let used = this.admit_secondary(w, &claim, (owner, authority))?;
                this.answer(w, &used)
            })
            .await
    }

    fn question(&self, claim: &Claim) -> Result<AuthorizeSecondaryRequest, Error> {
        let issuer = self.authority.require(self.here(), self.here())?;
        Ok(AuthorizeSecondaryRequest {
            secret: claim.secret.reveal().to_vec(),
            site: claim.site.to_string(),
            name: claim.name.clone(),
            url: claim.url.clone(),
            key_digest: claim.key.digest().0.to_vec(),
            authority_csr: issuer.key().request()?,
        })
    }

    async fn ask_top(
        &self,
        request: AuthorizeSecondaryRequest,
        site: SiteCode,
    ) -> Result<Authorization, Error> {
        let unlinked = || Error::Parent {
            class: model::ErrorClass::Unavailable,
            message: "there is no connection; a site joins only while the top is there".to_owned(),
        };
        let channel = self.parent.clone().ok_or_else(unlinked)?;
        let refused = |status: tonic::Status| Error::Parent {
            class: rpc::status::class(&status),
            message: status.message().to_owned(),
        };
        let answer = EnrolmentServiceClient::new(channel).authorize_secondary(request).await;
        let answer = answer.map_err(refused)?.into_inner();
        let owner = [site.as_str().as_bytes(), &answer.site_uuid].concat();
        Ok((Owner::from_slice(&owner)?, answer.authority))
    }

    /// At the top: burns the token, gives the code and issues the intermediate.
    pub(crate) async fn authorize_secondary(
        &self,
        question: Question,
        primary: SiteCode,
    ) -> Result<Authorization, Error> {
        let this = self.clone();
        self.db.write(move |w| this.authorize_for(w, &question, primary)).await
    }

    fn authorize_for(
        &self,
        w: &Writer<'_>,
        question: &Question,
        primary: SiteCode,
    ) -> Result<Authorization, Error> {
        if !w.identity().is_top() {
            return Err(Error::OnlyTop { top: top_of(w)? });
        }
        let presented = Presented {
            kind: PeerKind::Site,
            site: question.site,
            joins: Some((SiteKind::Secondary, primary)),
            key: question.key,
        };
        let judged = judge(w.token(&question.hash)?, &presented, (self.here(), w.now()))?;
        let mut token = match judged {
            Verdict::Fresh(token) => token,
            Verdict::Again(_, used) => {
                let given = used.owner.zip(used.authority);
                return given.ok_or(Error::UsedByOther { at: used.at });
            }
        };
        let owner = self.give_code(w, question.site)?;
        let authority = self.authorize(w, question.site, &question.authority_key)?;
        let identity = self.site_identity(question.site);
        audit(w, &token.created_by, Deed::Joined, identity.to_string())?;
        token.used = Some(TokenUse {
            at: w.now(),
            key: question.key,
            identity,
            certificate: None,
            authority: Some(authority.clone()),
            owner: Some(owner),
        });
        w.save_token(&token)?;
        Ok((owner, authority))
    }

    /// At the primary: leaf, record, and the answer to repeat.
    fn admit_secondary(
        &self,
        w: &Writer<'_>,
        claim: &Claim,
        (owner, authority): Authorization,
    ) -> Result<TokenUse, Error> {
        let (hash, key) = (claim.hash(), claim.key.digest());
        let known = w.token(&hash)?;
        let given = known.as_ref().and_then(|token| token.used.clone());
        if let Some(used) = given.filter(|u| u.key == key && u.certificate.is_some()) {
            return Ok(used);
        }
        let (identity, certificate) = self.admit_leaf(claim, claim.site.to_string())?;
        w.put_own(&self.site_record(claim, owner))?;
        let (at, authority, owner) = (w.now(), Some(authority), Some(owner));
        let used = TokenUse { at, key, identity, certificate, authority, owner };
        // A token the top gave is remembered here from its use on.
        let mut token = known.unwrap_or_else(|| StoredToken {
            hash,
            kind: PeerKind::Site,
            site: claim.site,
            joins: Some((SiteKind::Secondary, self.here())),
            created_by: String::new(),
            expires_at: at,
            used: None,
        });
        token.used = Some(used.clone());
        w.save_token(&token)?;
        Ok(used)
    }

    /// Gives a site code for ever, with a fresh uuid.
    pub(super) fn give_code(&self, w: &Writer<'_>, code: SiteCode) -> Result<Owner, Error> {
        let owner = Owner { code, uuid: self.db.ambient().ordered_id() };
        w.give_site_code(owner)?;
        Ok(owner)
    }

    pub(super) fn authorize(
        &self,
        w: &Writer<'_>,
        site: SiteCode,
        key: &PublicKey,
    ) -> Result<Vec<u8>, Error> {
        match self.authority.authorize(self.db.ambient(), site, key)? {
            Some(certificate) => Ok(certificate.to_vec()),
            None => Err(Error::OnlyTop { top: top_of(w)? }),
        }
    }
}
