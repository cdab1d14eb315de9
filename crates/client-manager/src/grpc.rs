//! The service `management`: decode, ask, encode.

use std::pin::Pin;

use model::{ClientId, ClientRecord, ErrorClass, ReportOutcome, Sha256, SiteCode, error_chain};
use rpc::limits::{INVENTORIES_MAX, REPORTS_MAX};
use rpc::object::ObjectBody as _;
use rpc::pb::management as pb;
use rpc::pb::management::management_service_server::ManagementService;
use site_db::{Backlog, Writer};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::intake::{Taken, Voice, is_ours, register, take_reports};
use crate::inventory::take_inventories;
use crate::limits::{FILES_MAX, PARTS_BYTES, PARTS_MAX};
use crate::wake::WakeUp;
use crate::{ClientManager, Error, Reason};

/// Answers management points and secondary sites.
#[derive(Debug)]
pub struct Management {
    manager: ClientManager,
    shutdown: CancellationToken,
}

impl Management {
    pub(crate) fn new(manager: ClientManager, shutdown: CancellationToken) -> Management {
        Management { manager, shutdown }
    }
}

#[tonic::async_trait]
impl ManagementService for Management {
    async fn register_client(
        &self,
        request: Request<pb::RegisterClientRequest>,
    ) -> Result<Response<pb::RegisterClientResponse>, Status> {
        let voice = voice(&request, request.get_ref().voice())?;
        let caller = transport::peer(&request)?.site;
        // The incarnation matters where policy is asked for and where states are folded.
        let pb::RegisterClientRequest { client, incarnation: _, home, voice: _ } =
            request.into_inner();
        let mut record = ClientRecord::decode(&client).map_err(refuse)?;
        record.site = caller;
        let home = SiteCode::new(&home).map_err(refuse)?;
        let db = &self.manager.deps.db;
        db.write(move |w| register(w, record, home, voice)).await.map_err(refuse)?;
        Ok(Response::new(pb::RegisterClientResponse {}))
    }

    async fn get_policy(
        &self,
        request: Request<pb::GetPolicyRequest>,
    ) -> Result<Response<pb::GetPolicyResponse>, Status> {
        let voice = voice(&request, request.get_ref().voice())?;
        let pb::GetPolicyRequest { client, incarnation, have_version, .. } = request.into_inner();
        let client = ClientId::from_slice(&client).map_err(refuse)?;
        let deps = &self.manager.deps;
        // Whoever asks an update point may name any client, and would disturb its policy.
        if voice == Voice::Windows
            && !deps.db.read(move |r| is_ours(r, client, voice)).await.map_err(refuse)?
        {
            return Ok(Response::new(pb::GetPolicyResponse { head: None }));
        }
        let head = (deps.heads)(client, incarnation).await.map_err(refuse)?;
        let Some(head) = head.filter(|head| head.version > have_version) else {
            return Ok(Response::new(pb::GetPolicyResponse { head: None }));
        };
        let site = deps.db.identity().code();
        let statement = deps.db.read(move |r| r.key_statement(site)).await.map_err(refuse)?;
        let key_statement = statement.unwrap_or_default();
        let head = pb::SignedHead { head: head.head, signature: head.signature, key_statement };
        Ok(Response::new(pb::GetPolicyResponse { head: Some(head) }))
    }

    async fn get_parts(
        &self,
        request: Request<pb::GetPartsRequest>,
    ) -> Result<Response<pb::GetPartsResponse>, Status> {
        let digests = sha256_list("digests", PARTS_MAX, &request.into_inner().digests)?;
        let parts = self.manager.deps.db.read(move |r| r.policy_parts(&digests, PARTS_BYTES)).await;
        Ok(Response::new(pb::GetPartsResponse { parts: parts.map_err(refuse)? }))
    }

    async fn submit_states(
        &self,
        request: Request<pb::SubmitStatesRequest>,
    ) -> Result<Response<pb::SubmitStatesResponse>, Status> {
        let voice = voice(&request, request.get_ref().voice())?;
        let caller = transport::peer(&request)?.clone();
        let pb::SubmitStatesRequest { reports, voice: _, waiting, set_aside } =
            request.into_inner();
        check_count("reports", reports.len(), REPORTS_MAX)?;
        let decode = |report: &Vec<u8>| match rpc::convert::decode_report(report) {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "a state report cannot be read");
                None
            }
        };
        let reports: Vec<_> = reports.iter().map(decode).collect();
        let (db, refusals) = (&self.manager.deps.db, self.manager.refusals.clone());
        let take = move |w: &Writer<'_>| {
            w.say_backlog(&Backlog { caller, at: w.now(), waiting, set_aside })?;
            take_reports(w, &reports, voice, &refusals)
        };
        let taken = db.write(take).await;
        let taken = taken.inspect_err(|_| self.manager.refusals.forget()).map_err(refuse)?;
        self.manager.keeper.follow().await.map_err(refuse)?;
        let known = |taken: &Taken| match taken {
            Taken::Outcome(ReportOutcome::Behind(serial)) => *serial,
            Taken::Outcome(_) | Taken::Rejected => 0,
        };
        let known_serials = taken.iter().map(known).collect();
        let outcomes = taken.into_iter().map(|taken| outcome(taken).into()).collect();
        Ok(Response::new(pb::SubmitStatesResponse { outcomes, known_serials }))
    }

    async fn submit_inventories(
        &self,
        request: Request<pb::SubmitInventoriesRequest>,
    ) -> Result<Response<pb::SubmitInventoriesResponse>, Status> {
        let voice = voice(&request, request.get_ref().voice())?;
        let reports = request.into_inner().reports;
        check_count("inventories", reports.len(), INVENTORIES_MAX)?;
        let decode = |report: &Vec<u8>| match rpc::convert::decode_inventory_report(report) {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "an inventory cannot be read");
                None
            }
        };
        let reports: Vec<_> = reports.iter().map(decode).collect();
        let taken = self.manager.deps.db.write(move |w| take_inventories(w, &reports, voice)).await;
        let outcomes = taken.map_err(refuse)?.into_iter().map(|taken| outcome(taken).into());
        Ok(Response::new(pb::SubmitInventoriesResponse { outcomes: outcomes.collect() }))
    }

    type WatchWakeUpsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchWakeUpsResponse, Status>> + Send>>;

    async fn watch_wake_ups(
        &self,
        _: Request<pb::WatchWakeUpsRequest>,
    ) -> Result<Response<Self::WatchWakeUpsStream>, Status> {
        let wake_ups = BroadcastStream::new(self.manager.deps.wake_ups.subscribe());
        // Who lagged behind does not know whom he missed.
        let everybody = WakeUp { clients: [].into(), reason: Reason::Policy };
        let answers = wake_ups.map(move |wake_up| {
            let WakeUp { clients, reason } = wake_up.unwrap_or_else(|_| everybody.clone());
            let wake_up = match reason {
                Reason::Policy => pb::WakeUp::Policy,
                Reason::Scan => pb::WakeUp::Scan,
                Reason::State => pb::WakeUp::State,
            };
            let clients = clients.iter().map(|client| client.as_bytes().to_vec()).collect();
            Ok(pb::WatchWakeUpsResponse { clients, wake_up: wake_up.into() })
        });
        let shutdown = self.shutdown.clone().cancelled_owned();
        let answers = futures_util::StreamExt::take_until(answers, shutdown);
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_locations(
        &self,
        request: Request<pb::GetLocationsRequest>,
    ) -> Result<Response<pb::GetLocationsResponse>, Status> {
        let caller = transport::peer(&request)?.site;
        // Where a client is decides, not who it is.
        let pb::GetLocationsRequest { client: _, sha256, address } = request.into_inner();
        let address = rpc::convert::read_address(&address).map_err(refuse)?;
        let wanted = sha256_list("files", FILES_MAX, &sha256)?.into_iter().collect();
        let found = self.manager.deps.db.locate((caller, address), wanted).await;
        let files = found.map_err(refuse)?.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::GetLocationsResponse { files }))
    }
}

fn voice<T>(request: &Request<T>, said: pb::Voice) -> Result<Voice, Status> {
    Voice::of(transport::peer(request)?.kind, said).map_err(refuse)
}

fn outcome(taken: Taken) -> pb::Outcome {
    match taken {
        Taken::Outcome(ReportOutcome::Applied) => pb::Outcome::Applied,
        Taken::Outcome(ReportOutcome::Known) => pb::Outcome::Known,
        Taken::Outcome(ReportOutcome::SendFull) => pb::Outcome::SendFull,
        Taken::Outcome(ReportOutcome::Behind(_)) => pb::Outcome::Behind,
        Taken::Rejected => pb::Outcome::Rejected,
    }
}

fn sha256_list(what: &'static str, max: usize, bytes: &[Vec<u8>]) -> Result<Vec<Sha256>, Status> {
    check_count(what, bytes.len(), max)?;
    bytes.iter().map(|b| Sha256::from_slice(b).map_err(refuse)).collect()
}

fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), Status> {
    if count > max {
        return Err(refuse(Error::TooMany { what, count, max }));
    }
    Ok(())
}

/// The status of an error, which is logged here if the caller may not read it.
fn refuse<E: Into<Error>>(error: E) -> Status {
    let error = error.into();
    if matches!(error.class(), ErrorClass::Internal | ErrorClass::Corrupt) {
        tracing::error!(error = %error_chain(&error), "a management request failed");
    }
    rpc::status::from_error(error.class(), &error)
}
