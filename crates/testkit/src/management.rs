//! A site server's management service that does what a test says, over a memory link.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{
    ClientId, ClientRecord, ErrorClass, InventoryReport, PeerIdentity, PolicyHead, StateReport,
};
use rpc::object::ObjectBody as _;
use rpc::pb::management as pb;
use rpc::pb::management::management_service_server::{ManagementService, ManagementServiceServer};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use transport::{Connection, Limits, MemoryConnect, Security, Server, memory};

/// A running fake; it ends with this value.
#[derive(Debug)]
pub struct FakeSite {
    script: Arc<Mutex<Script>>,
    /// Registrations, reports, listeners and backlogs without reports in words, as they came.
    pub seen: watch::Sender<Vec<String>>,
    pub wake_ups: broadcast::Sender<pb::WatchWakeUpsResponse>,
    connect: MemoryConnect,
    _tasks: JoinSet<()>,
}

/// What the fake does.
#[derive(Debug)]
pub struct Script {
    /// Nobody is there.
    pub is_away: bool,
    /// It takes questions about policy and locations, and answers none.
    pub is_silent: bool,
    /// The incarnation whose registration it refuses, and how.
    pub refused: u64,
    pub refusal: ErrorClass,
    pub outcome: pb::Outcome,
    /// Of every report that is behind.
    pub known_serial: u64,
    /// Of the reports of these, by number.
    pub outcomes: BTreeMap<ClientId, i32>,
    pub head: Option<PolicyHead>,
    pub parts: Vec<Vec<u8>>,
    /// Where every file is.
    pub points: Vec<pb::Point>,
    /// What came, and was not refused.
    pub registrations: Vec<ClientRecord>,
    pub reports: Vec<StateReport>,
    pub inventories: Vec<InventoryReport>,
    /// For whom policy was asked for, and reports were sent.
    pub voices: Vec<i32>,
    /// What waited at the caller and was set aside there, as it said.
    pub backlogs: Vec<(u64, u64)>,
}

#[derive(Clone)]
struct Service {
    script: Arc<Mutex<Script>>,
    seen: watch::Sender<Vec<String>>,
    wake_ups: broadcast::Sender<pb::WatchWakeUpsResponse>,
}

impl FakeSite {
    /// Starts; `caller` is who its one caller is.
    #[must_use]
    pub fn start(caller: PeerIdentity) -> FakeSite {
        let script = Script {
            is_away: false,
            is_silent: false,
            refused: 0,
            refusal: ErrorClass::Conflict,
            outcome: pb::Outcome::Applied,
            known_serial: 0,
            outcomes: BTreeMap::new(),
            head: None,
            parts: Vec::new(),
            points: Vec::new(),
            registrations: Vec::new(),
            reports: Vec::new(),
            inventories: Vec::new(),
            voices: Vec::new(),
            backlogs: Vec::new(),
        };
        let service = Service {
            script: Arc::new(Mutex::new(script)),
            seen: watch::Sender::default(),
            wake_ups: broadcast::Sender::new(16),
        };
        let Service { script, seen, wake_ups } = service.clone();
        let router = Routes::new(ManagementServiceServer::new(service)).into_axum_router();
        let (limits, revoked) = (Limits::default(), Arc::new(|_: &PeerIdentity| false));
        let server = Server { router, credentials: None, limits, revoked };
        let (listener, connect) = memory(caller);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let ended = server.run(Box::new(listener), CancellationToken::new()).await;
            ended.expect("memory links do not fail");
        });
        FakeSite { script, seen, wake_ups, connect, _tasks: tasks }
    }

    #[must_use]
    pub fn connection(&self) -> Connection {
        let connect = Arc::new(self.connect.clone());
        Connection::new(connect, "https://site", Security::Plain).expect("an address")
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this was seen, last but for listeners and backlogs; answers everything seen but
    /// those.
    pub async fn seen(&self, last: &str) -> Vec<String> {
        let mut seen = self.seen.subscribe();
        let is_aside = |entry: &str| entry == "listener" || entry.starts_with("backlog ");
        let is_last = |seen: &Vec<String>| match is_aside(last) {
            true => seen.iter().any(|entry| entry == last),
            false => seen.iter().rfind(|entry| !is_aside(entry)).is_some_and(|e| e == last),
        };
        let there = seen.wait_for(is_last).await;
        let mut seen = there.expect("the fake is there").clone();
        seen.retain(|entry| !is_aside(entry));
        seen
    }
}

impl Service {
    fn script(&self) -> Result<MutexGuard<'_, Script>, Status> {
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        if script.is_away {
            return Err(rpc::status::refuse(ErrorClass::Unavailable, "the site is away"));
        }
        Ok(script)
    }

    async fn answers(&self) -> Result<(), Status> {
        let is_silent = self.script()?.is_silent;
        if is_silent {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    fn note(&self, what: String) {
        self.seen.send_modify(|seen| seen.push(what));
    }
}

#[tonic::async_trait]
impl ManagementService for Service {
    async fn register_client(
        &self,
        request: Request<pb::RegisterClientRequest>,
    ) -> Result<Response<pb::RegisterClientResponse>, Status> {
        let script = self.script()?;
        let (refused, refusal) = (script.refused, script.refusal);
        drop(script);
        let pb::RegisterClientRequest { incarnation, home, client, voice: _ } =
            request.into_inner();
        self.note(format!("registration {incarnation} of {home}"));
        if incarnation == refused {
            return Err(rpc::status::refuse(refusal, "it is another site's"));
        }
        self.script()?.registrations.extend(ClientRecord::decode(&client));
        Ok(Response::new(pb::RegisterClientResponse {}))
    }

    async fn get_policy(
        &self,
        request: Request<pb::GetPolicyRequest>,
    ) -> Result<Response<pb::GetPolicyResponse>, Status> {
        self.answers().await?;
        let pb::GetPolicyRequest { have_version: have, voice, .. } = request.into_inner();
        self.script()?.voices.push(voice);
        let head = self.script()?.head.clone().filter(|head| head.version != have);
        let head = head.map(|head| pb::SignedHead {
            head: rpc::convert::encode_head(&head),
            signature: b"signed".to_vec(),
            key_statement: b"stated".to_vec(),
        });
        Ok(Response::new(pb::GetPolicyResponse { head }))
    }

    async fn get_parts(
        &self,
        _: Request<pb::GetPartsRequest>,
    ) -> Result<Response<pb::GetPartsResponse>, Status> {
        let parts = self.script()?.parts.clone();
        Ok(Response::new(pb::GetPartsResponse { parts }))
    }

    async fn submit_states(
        &self,
        request: Request<pb::SubmitStatesRequest>,
    ) -> Result<Response<pb::SubmitStatesResponse>, Status> {
        let request = request.into_inner();
        let mut script = self.script()?;
        let backlog = (request.waiting, request.set_aside);
        script.backlogs.push(backlog);
        if request.reports.is_empty() {
            self.note(format!("backlog {} {}", backlog.0, backlog.1));
        }
        script.voices.extend((!request.reports.is_empty()).then_some(request.voice));
        let mut take = |report: &Vec<u8>| match rpc::convert::decode_report(report) {
            Ok(report) => {
                self.note(format!("report {}", report.serial_to));
                let outcome = script.outcomes.get(&report.client).copied();
                script.reports.push(report);
                outcome.unwrap_or(script.outcome.into())
            }
            Err(_) => pb::Outcome::Rejected.into(),
        };
        let outcomes: Vec<i32> = request.reports.iter().map(&mut take).collect();
        let known_serials = vec![script.known_serial; outcomes.len()];
        Ok(Response::new(pb::SubmitStatesResponse { outcomes, known_serials }))
    }

    async fn submit_inventories(
        &self,
        request: Request<pb::SubmitInventoriesRequest>,
    ) -> Result<Response<pb::SubmitInventoriesResponse>, Status> {
        let request = request.into_inner();
        let mut script = self.script()?;
        script.voices.push(request.voice);
        let mut take = |report: &Vec<u8>| match rpc::convert::decode_inventory_report(report) {
            Ok(report) => {
                self.note(format!("inventory {}", report.serial));
                script.inventories.push(report);
                script.outcome.into()
            }
            Err(_) => pb::Outcome::Rejected.into(),
        };
        let outcomes: Vec<i32> = request.reports.iter().map(&mut take).collect();
        Ok(Response::new(pb::SubmitInventoriesResponse { outcomes }))
    }

    type WatchWakeUpsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchWakeUpsResponse, Status>> + Send>>;

    async fn watch_wake_ups(
        &self,
        _: Request<pb::WatchWakeUpsRequest>,
    ) -> Result<Response<Self::WatchWakeUpsStream>, Status> {
        drop(self.script()?);
        let stream = BroadcastStream::new(self.wake_ups.subscribe());
        let stream = stream.map(|wake_up| Ok(wake_up.expect("a test wakes slowly")));
        self.note("listener".to_owned());
        Ok(Response::new(Box::pin(stream)))
    }

    async fn get_locations(
        &self,
        request: Request<pb::GetLocationsRequest>,
    ) -> Result<Response<pb::GetLocationsResponse>, Status> {
        self.answers().await?;
        let points = self.script()?.points.clone();
        let pb::GetLocationsRequest { client: _, sha256, address } = request.into_inner();
        let address = rpc::convert::read_address(&address).expect("an address");
        let address = address.map_or("nowhere".to_owned(), |address| address.to_string());
        self.note(format!("locations for {address}"));
        let file = |sha256| pb::FileLocations { sha256, points: points.clone() };
        let files = sha256.into_iter().map(file).collect();
        Ok(Response::new(pb::GetLocationsResponse { files }))
    }
}
