//! Enrolment on the wire, at a site that issues certificates and at one that passes on.

use model::{PeerIdentity, PeerKind, SiteKind};
use rpc::pb::enrolment::enrolment_service_client::EnrolmentServiceClient;
use rpc::pb::enrolment::enrolment_service_server::EnrolmentService;
use rpc::pb::enrolment::{
    AuthorizeSecondaryRequest, AuthorizeSecondaryResponse, EnrolRequest, EnrolResponse,
    RenewRequest, RenewResponse,
};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use transport::peer;

use crate::enrolment::{Claim, Question, check_relay};
use crate::{Enrolment, Error};

#[tonic::async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        let claim = Claim::try_from(request.into_inner())?;
        Ok(Response::new(Enrolment::enrol(self, claim).await?))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let caller = peer(&request)?.clone();
        Ok(Response::new(Enrolment::renew(self, caller, request.into_inner()).await?))
    }

    async fn authorize_secondary(
        &self,
        request: Request<AuthorizeSecondaryRequest>,
    ) -> Result<Response<AuthorizeSecondaryResponse>, Status> {
        let primary = peer(&request)?.site;
        let question = Question::read(request.into_inner(), primary)?;
        let (owner, authority) = Enrolment::authorize_secondary(self, question).await?;
        let site_uuid = owner.uuid.as_bytes().to_vec();
        Ok(Response::new(AuthorizeSecondaryResponse { authority, site_uuid }))
    }
}

/// Enrolment at a site that issues nothing: a secondary passes on to its primary. It adds whose
/// certificate is to be renewed, because its primary sees the relay's own; tokens and certificates
/// pass through unread.
#[derive(Clone, Debug)]
pub struct Relay {
    client: EnrolmentServiceClient<Channel>,
}

impl Relay {
    /// `channel` leads to the site that issues.
    #[must_use]
    pub fn new(channel: Channel) -> Relay {
        Relay { client: EnrolmentServiceClient::new(channel) }
    }
}

#[tonic::async_trait]
impl EnrolmentService for Relay {
    async fn enrol(
        &self,
        request: Request<EnrolRequest>,
    ) -> Result<Response<EnrolResponse>, Status> {
        // What joins here stands below this site, and no site does (HIER-03).
        let message = request.into_inner();
        if message.kind == PeerKind::Site.as_str() {
            return Err(refuse_site());
        }
        Ok(Response::new(self.client.clone().enrol(message).await?.into_inner()))
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let mut identity = peer(&request)?.clone();
        let mut message = request.into_inner();
        if let Some(text) = &message.on_behalf_of {
            let named: PeerIdentity = text.parse().map_err(Error::Invalid)?;
            check_relay(&identity, &named)?;
            identity = named;
        }
        message.on_behalf_of = Some(identity.to_string());
        Ok(Response::new(self.client.clone().renew(message).await?.into_inner()))
    }

    async fn authorize_secondary(
        &self,
        _: Request<AuthorizeSecondaryRequest>,
    ) -> Result<Response<AuthorizeSecondaryResponse>, Status> {
        Err(refuse_site())
    }
}

fn refuse_site() -> Status {
    let kind = SiteKind::Secondary;
    Error::MayNotJoin { kind, parent: kind }.into()
}
