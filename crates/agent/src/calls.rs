//! Questions to a management point, one function each: encode, ask, decode.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ReportOutcome, RoleKind, ServerRef, Sha256, SiteCode, error_chain};
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::client::client_service_client::ClientServiceClient;
use rpc::pb::client::{
    GetLocationsRequest, GetPolicyRequest, GetPolicyResponse, RegisterRequest, SendStateRequest,
    StateReport,
};
use rpc::pb::management::{FileLocations, Outcome, Point, SignedHead};
use tonic::transport::Channel;
use transport::BoxFuture;

use crate::client::policy::Offer;
use crate::limits::CALL_MAX;
use crate::servers::Servers;
use crate::{Error, limits};

/// A management point that is being asked.
pub(crate) struct ManagementPoint {
    servers: Arc<Servers>,
    url: String,
    client: ClientServiceClient<Channel>,
}

impl ManagementPoint {
    pub(crate) fn new(
        servers: &Arc<Servers>,
        server: &ServerRef,
    ) -> Result<ManagementPoint, Error> {
        let connection = servers.connection(server, &server.url)?;
        let client = ClientServiceClient::new(connection.channel());
        let client = client.max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(ManagementPoint { servers: servers.clone(), url: server.url.clone(), client })
    }

    pub(crate) async fn register(&mut self, request: RegisterRequest) -> Result<(), Error> {
        let answer = self.client.register(request);
        let answer = self.servers.bounded(&self.url, CALL_MAX, answer).await?;
        answer.map(drop).map_err(Error::call(&self.url))
    }

    /// Nothing if there is no newer policy.
    pub(crate) async fn policy(
        &mut self,
        request: GetPolicyRequest,
    ) -> Result<Option<Offer>, Error> {
        let answer = self.client.get_policy(request);
        let answer = self.servers.bounded(&self.url, CALL_MAX, answer).await?;
        let GetPolicyResponse { head, parts } =
            answer.map_err(Error::call(&self.url))?.into_inner();
        let Some(SignedHead { head, signature, key_statement }) = head else { return Ok(None) };
        Ok(Some(Offer { head, signature, statement: key_statement, parts }))
    }

    /// Nothing if the site has not answered yet: the report is safe on the management point.
    pub(crate) async fn send_state(
        &mut self,
        report: StateReport,
    ) -> Result<Option<ReportOutcome>, Error> {
        let answer = self.client.send_state(SendStateRequest { report: Some(report) });
        let answer = self.servers.bounded(&self.url, CALL_MAX, answer).await?;
        let outcome = answer.map_err(Error::call(&self.url))?.into_inner().outcome();
        Ok(match outcome {
            Outcome::Unspecified => None,
            Outcome::Applied => Some(ReportOutcome::Applied),
            Outcome::Known => Some(ReportOutcome::Known),
            // What could not be read is said once more, with everything else.
            Outcome::SendFull | Outcome::Rejected => Some(ReportOutcome::SendFull),
        })
    }

    /// The distribution points of each file, best first.
    pub(crate) async fn locations(
        &mut self,
        files: impl Iterator<Item = Sha256>,
    ) -> Result<BTreeMap<Sha256, Vec<ServerRef>>, Error> {
        let sha256 = files.map(|sha256| sha256.0.to_vec()).collect();
        let answer = self.client.get_locations(GetLocationsRequest { sha256 });
        let answer = self.servers.bounded(&self.url, CALL_MAX, answer).await?;
        let files = answer.map_err(Error::call(&self.url))?.into_inner().files;
        let located = files.into_iter().map(|FileLocations { sha256, points }| {
            let points = points.into_iter().take(limits::POINTS_MAX).map(point);
            Ok((Sha256::from_slice(&sha256)?, points.collect::<Result<_, _>>()?))
        });
        located.collect::<Result<_, _>>().map_err(Error::answer(&self.url))
    }
}

/// Asks one management point after the other; nothing if none answers.
pub(crate) async fn first_to_answer<'a, T>(
    servers: &Arc<Servers>,
    failure: &'static str,
    ask: impl Fn(ManagementPoint) -> BoxFuture<'a, Result<T, Error>>,
) -> Result<Option<T>, Error> {
    for server in servers.of(RoleKind::ManagementPoint) {
        let answer = match ManagementPoint::new(servers, &server) {
            Ok(point) => ask(point).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => return Ok(Some(answer)),
            Err(Error::Stopping) => return Err(Error::Stopping),
            Err(error) => {
                let reason = error_chain(&error);
                tracing::info!(url = %server.url, reason, "{failure}");
            }
        }
    }
    Ok(None)
}

fn point(Point { url, http_url, site }: Point) -> Result<ServerRef, model::Invalid> {
    let kind = RoleKind::DistributionPoint;
    Ok(ServerRef { kind, site: SiteCode::new(&site)?, url, http_url })
}
