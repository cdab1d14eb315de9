//! A joining secondary: the top gives the code and an intermediate under the primary's key, the
//! primary issues the leaf and owns the record.

use model::{Owner, SiteCode, SiteKind};
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::{AuthorizeSecondaryRequest, EnrolResponse};
use site_db::{StoredToken, TokenUse, Writer};
use trust::CertificateDer;

use super::{Claim, Enrolment, Question};
use crate::Error;
use crate::token::{Presented, burn};

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
            self.authorize_secondary(Question::read(request, here.code())?).await?
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

    /// At the top.
    pub(crate) async fn authorize_secondary(
        &self,
        question: Question,
    ) -> Result<Authorization, Error> {
        let this = self.clone();
        let Question { presented, authority_key } = question;
        let used = self.db.write(move |w| this.authorize(w, &presented, &authority_key)).await?;
        used.owner.zip(used.authority).ok_or(Error::UsedByOther { at: used.at })
    }

    /// At the primary: leaf, record, and the answer to repeat.
    fn admit_secondary(
        &self,
        w: &Writer<'_>,
        claim: &Claim,
        (owner, authority): Authorization,
    ) -> Result<TokenUse, Error> {
        let Presented { hash, kind, site, joins, key } = claim.presented(self.here());
        let known = w.token(&hash)?;
        let given = known.as_ref().and_then(|token| token.used.clone());
        if let Some(used) = given.filter(|u| u.key == key && u.certificate.is_some()) {
            return Ok(used);
        }
        let (identity, leaf) = self.issue_leaf(claim, claim.site.to_string())?;
        w.put_own(&self.site_record(claim, owner))?;
        let (at, authority, owner) = (w.now(), Some(authority), Some(owner));
        let used = TokenUse { at, key, identity, certificate: Some(leaf), authority, owner };
        // A token the top gave is remembered here from its use on.
        let (created_by, expires_at, unused) = (String::new(), at, None);
        let token = StoredToken { hash, kind, site, joins, created_by, expires_at, used: unused };
        burn(w, known.unwrap_or(token), used)
    }
}
