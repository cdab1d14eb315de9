//! A fresh certificate for an identity that stays what it is.

use model::{PeerIdentity, PeerKind, Revocation, RoleKind};
use rpc::pb::enrolment::{RenewRequest, RenewResponse};
use trust::PublicKey;

use super::Enrolment;
use super::claim::{check_names, names_for};
use crate::Error;

impl Enrolment {
    pub(crate) async fn renew(
        &self,
        caller: PeerIdentity,
        request: RenewRequest,
    ) -> Result<RenewResponse, Error> {
        let RenewRequest { csr, names, on_behalf_of } = request;
        let identity = match on_behalf_of {
            None => caller,
            Some(text) => {
                let identity = text.parse()?;
                check_relay(&caller, &identity)?;
                // Only who relays for sites this one issues for is believed.
                self.authority.require(self.here(), caller.site)?;
                self.check_unrevoked(&identity).await?;
                identity
            }
        };
        check_names(&names)?;
        let (key, names) = (PublicKey::from_request(&csr)?, names_for(identity.kind, &names));
        let issuer = self.authority.require(self.here(), identity.site)?;
        let leaf = issuer.issue(self.db.ambient(), &key, &identity, names)?;
        Ok(RenewResponse { chain: vec![leaf.to_vec(), issuer.certificate().to_vec()] })
    }

    /// The listener asks about its caller; whom a relay speaks for is asked about here.
    async fn check_unrevoked(&self, identity: &PeerIdentity) -> Result<(), Error> {
        let identity = identity.clone();
        self.db
            .read(move |r| match r.get::<Revocation>(identity.to_string().as_bytes())? {
                Some(_) => Err(Error::Revoked { identity }),
                None => Ok(()),
            })
            .await
    }
}

/// Whom a peer may speak for: a secondary site for its roles, and it and a management point for
/// clients, which come to them with certificates of the primary.
pub(crate) fn check_relay(caller: &PeerIdentity, identity: &PeerIdentity) -> Result<(), Error> {
    let may = match (caller.kind, identity.kind) {
        (PeerKind::Site, PeerKind::Role(_)) => caller.site == identity.site,
        (PeerKind::Site | PeerKind::Role(RoleKind::ManagementPoint), PeerKind::Client) => true,
        _ => false,
    };
    if may && caller.hierarchy == identity.hierarchy {
        return Ok(());
    }
    Err(Error::NoRelay { caller: caller.clone(), identity: identity.clone() })
}
