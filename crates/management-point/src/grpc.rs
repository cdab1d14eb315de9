//! The services on the wire: decode, call, encode.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use model::{
    ClientId, ClientKind, ClientRecord, ErrorClass, Invalid, PeerIdentity, PeerKind, Timestamp,
    error_chain,
};
use rpc::limits::{INVENTORY_SOFTWARE_MAX, REPORT_CHANGES_MAX};
use rpc::object::ObjectBody as _;
use rpc::pb::client as pb;
use rpc::pb::client::client_service_server::ClientService;
use rpc::pb::enrolment;
use rpc::pb::enrolment::enrolment_service_server::EnrolmentService;
use rpc::pb::management::{self, RegisterClientRequest, WakeUp};
use rpc::status::refuse as refusal;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::Error;
use crate::limits::{FILES_MAX, TEXT_BYTES_MAX};
use crate::point::Point;

/// Answers clients.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) point: Arc<Point>,
    pub(crate) shutdown: CancellationToken,
}

/// Who calls: a client, because the access table admits nobody else.
fn caller<T>(request: &Request<T>) -> Result<(ClientId, PeerIdentity), Status> {
    let peer = transport::peer(request)?.clone();
    let client = peer.id.parse::<ClientId>().map_err(refuse)?;
    Ok((client, peer))
}

#[tonic::async_trait]
impl ClientService for Clients {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Result<Response<pb::RegisterResponse>, Status> {
        let (id, peer) = caller(&request)?;
        let address = transport::peer_address(&request);
        let pb::RegisterRequest { kind, name, os, architecture, agent_version, incarnation } =
            request.into_inner();
        for text in [&name, &os, &architecture, &agent_version] {
            check_count("a text", text.len(), TEXT_BYTES_MAX)?;
        }
        let kind = ClientKind::from_name(&kind).map_err(refuse)?;
        // The site server fills in where the client is and when it was seen.
        let (site, seen_on) = (peer.site, Timestamp(0));
        let record = ClientRecord {
            id,
            kind,
            name,
            site,
            os,
            architecture,
            agent_version,
            manufacturer: String::new(),
            model: String::new(),
            seen_on,
            address,
        };
        let home = site.to_string();
        let request = RegisterClientRequest {
            client: record.encode(),
            incarnation,
            home,
            ..Default::default()
        };
        self.point.intake.register(&request).await.map_err(refuse)?;
        Ok(Response::new(pb::RegisterResponse {}))
    }

    async fn get_policy(
        &self,
        request: Request<pb::GetPolicyRequest>,
    ) -> Result<Response<pb::GetPolicyResponse>, Status> {
        let (client, _) = caller(&request)?;
        let policy = self.point.policy.policy(client, request.into_inner()).await;
        policy.map(Response::new).map_err(refuse)
    }

    async fn send_state(
        &self,
        request: Request<pb::SendStateRequest>,
    ) -> Result<Response<pb::SendStateResponse>, Status> {
        let (client, _) = caller(&request)?;
        let report = request.into_inner().report;
        let report = report.ok_or_else(|| refuse(Invalid::new("report", "is missing")))?;
        let named = ClientId::from_slice(&report.client).map_err(refuse)?;
        if named != client {
            return Err(refuse(Error::OtherClient { caller: client.to_string(), named }));
        }
        check_count("the report", report.changes.len(), REPORT_CHANGES_MAX)?;
        let first_word = self.point.intake.report(client, &report).await.map_err(refuse)?;
        let (outcome, known_serial) = (first_word.0.into(), first_word.1);
        Ok(Response::new(pb::SendStateResponse { outcome, known_serial }))
    }

    async fn send_inventory(
        &self,
        request: Request<pb::SendInventoryRequest>,
    ) -> Result<Response<pb::SendInventoryResponse>, Status> {
        let (client, _) = caller(&request)?;
        let report = request.into_inner().report;
        let report = report.ok_or_else(|| refuse(Invalid::new("report", "is missing")))?;
        let named = ClientId::from_slice(&report.client).map_err(refuse)?;
        if named != client {
            return Err(refuse(Error::OtherClient { caller: client.to_string(), named }));
        }
        let packages = report.added.len() + report.removed.len();
        check_count("the inventory", packages, 2 * INVENTORY_SOFTWARE_MAX)?;
        let bytes = rpc::forward::encode_inventory(&report);
        let outcome = self.point.intake.inventory(client, &bytes, report.full).await;
        let outcome = outcome.map_err(refuse)?.into();
        Ok(Response::new(pb::SendInventoryResponse { outcome }))
    }

    type WakeStream = Pin<Box<dyn Stream<Item = Result<pb::WakeResponse, Status>> + Send>>;

    async fn wake(
        &self,
        request: Request<pb::WakeRequest>,
    ) -> Result<Response<Self::WakeStream>, Status> {
        let (client, _) = caller(&request)?;
        let heard = self.point.wake_ups.listen(client);
        let point = Arc::clone(&self.point);
        let heard = heard.map(move |wake_up| {
            if wake_up == WakeUp::State as i32 {
                point.intake.expect_everything(client);
            }
            Ok(pb::WakeResponse { wake_up })
        });
        let ended = self.shutdown.clone().cancelled_owned();
        Ok(Response::new(Box::pin(heard.take_until(ended))))
    }

    async fn get_locations(
        &self,
        request: Request<pb::GetLocationsRequest>,
    ) -> Result<Response<pb::GetLocationsResponse>, Status> {
        let (client, _) = caller(&request)?;
        // Where it is decides which points it uses, so that it cannot say that itself.
        let address = rpc::convert::wire_address(transport::peer_address(&request));
        let pb::GetLocationsRequest { sha256 } = request.into_inner();
        check_count("the question", sha256.len(), FILES_MAX)?;
        let client = client.as_bytes().to_vec();
        let ask = management::GetLocationsRequest { client, sha256, address };
        let files = self.point.policy.locations(ask).await.map_err(refuse)?;
        Ok(Response::new(pb::GetLocationsResponse { files }))
    }
}

/// Lets clients join and renew through this point.
#[derive(Debug)]
pub(crate) struct Enrolment(pub(crate) Arc<Point>);

#[tonic::async_trait]
impl EnrolmentService for Enrolment {
    async fn enrol(
        &self,
        request: Request<enrolment::EnrolRequest>,
    ) -> Result<Response<enrolment::EnrolResponse>, Status> {
        let request = request.into_inner();
        if request.kind != PeerKind::Client.as_str() {
            let text = "only clients join at a management point; others join at the site server";
            return Err(refusal(ErrorClass::Denied, text));
        }
        self.0.enrolment.clone().enrol(request).await
    }

    async fn renew(
        &self,
        request: Request<enrolment::RenewRequest>,
    ) -> Result<Response<enrolment::RenewResponse>, Status> {
        let (_, peer) = caller(&request)?;
        let mut request = request.into_inner();
        // The site server sees this point as the caller.
        request.on_behalf_of = Some(peer.to_string());
        self.0.enrolment.clone().renew(request).await
    }

    async fn authorize_secondary(
        &self,
        _: Request<enrolment::AuthorizeSecondaryRequest>,
    ) -> Result<Response<enrolment::AuthorizeSecondaryResponse>, Status> {
        Err(refusal(ErrorClass::Denied, "sites join at a site server"))
    }
}

fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), Status> {
    if count > max {
        return Err(refuse(Error::TooMuch { what, count, max }));
    }
    Ok(())
}

/// The status of an error, which is logged here if the client may not read it.
fn refuse(error: impl Into<Error>) -> Status {
    let error = error.into();
    if matches!(error.class(), ErrorClass::Internal | ErrorClass::Corrupt) {
        tracing::error!(error = %error_chain(&error), "a client's request failed");
    }
    rpc::status::from_error(error.class(), &error)
}
