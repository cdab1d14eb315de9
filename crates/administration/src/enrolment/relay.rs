//! Enrolment at a site that issues nothing: a secondary passes on to its primary.
//!
//! Owns the one thing a relay adds: whose certificate is to be renewed, because its primary sees
//! the relay's own. Tokens and certificates pass through unread.

use std::fmt;

use model::PeerIdentity;
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::{EnrolRequest, EnrolResponse, RenewRequest, RenewResponse};
use tonic::Status;
use tonic::transport::Channel;

use super::check_relay;
use crate::Error;

#[derive(Clone)]
pub struct Relay {
    client: EnrolmentServiceClient<Channel>,
}

impl Relay {
    /// `channel` leads to the site that issues.
    #[must_use]
    pub fn new(channel: Channel) -> Relay {
        Relay { client: EnrolmentServiceClient::new(channel) }
    }

    pub(crate) async fn enrol(&self, request: EnrolRequest) -> Result<EnrolResponse, Status> {
        Ok(self.client.clone().enrol(request).await?.into_inner())
    }

    pub(crate) async fn renew(
        &self,
        caller: PeerIdentity,
        mut request: RenewRequest,
    ) -> Result<RenewResponse, Status> {
        let identity = match &request.on_behalf_of {
            Some(text) => {
                let identity: PeerIdentity = text.parse().map_err(Error::Invalid)?;
                check_relay(&caller, &identity)?;
                identity
            }
            None => caller,
        };
        request.on_behalf_of = Some(identity.to_string());
        Ok(self.client.clone().renew(request).await?.into_inner())
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relay")
    }
}
