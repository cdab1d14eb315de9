//! The fakes. They do what they are told, also what no honest server does.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::routing::get;
use model::{ErrorClass, ReportOutcome, Sha256, StateReport as StateReportRead};
use rpc::convert::decode_head;
use rpc::pb::client::client_service_server::{ClientService, ClientServiceServer};
use rpc::pb::client::{
    GetLocationsRequest, GetLocationsResponse, GetPolicyRequest, GetPolicyResponse,
    InventoryReport, RegisterRequest, RegisterResponse, SendInventoryRequest,
    SendInventoryResponse, SendStateRequest, SendStateResponse, StateReport, WakeRequest,
    WakeResponse,
};
use rpc::pb::management::{FileLocations, Outcome, Point, SignedHead, WakeUp};
use rpc::pb::metadata::metadata_service_server::{MetadataService, MetadataServiceServer};
use rpc::pb::metadata::{
    Document as WireDocument, FindFilesRequest, FindFilesResponse, FollowDocumentsRequest,
    FollowDocumentsResponse, FoundFile,
};
use rpc::status::refuse;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, iter};
use tonic::{Request, Response as Answer, Status};
use update_metadata::Document;

use super::Log;
use client::policy::Offer;

pub(crate) struct FakeMp {
    log: Log,
    state: Mutex<MpState>,
    pub(crate) reported: Notify,
    pub(crate) listening: Notify,
}

#[derive(Default)]
pub(crate) struct MpState {
    pub(crate) incarnation: u64,
    pub(crate) offer: Option<Offer>,
    pub(crate) points: Vec<String>,
    /// Minutes before a point may be used; 0 for those that are not here.
    pub(crate) waits: BTreeMap<String, u32>,
    pub(crate) is_deaf: bool,
    /// No policy comes from it.
    pub(crate) is_away: bool,
    pub(crate) reports: Vec<StateReport>,
    pub(crate) inventories: Vec<InventoryReport>,
    /// It wants everything instead of changes.
    pub(crate) lacks_inventory: bool,
    /// Answers to the next reports; none: not answered by the site yet.
    pub(crate) outcomes: Vec<ReportOutcome>,
    wakes: Option<mpsc::Sender<Result<WakeResponse, Status>>>,
}

impl FakeMp {
    pub(crate) fn new(log: Log) -> FakeMp {
        let (state, reported, listening) = Default::default();
        FakeMp { log, state, reported, listening }
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        tonic::service::Routes::new(ClientServiceServer::from_arc(self)).into_axum_router()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, MpState> {
        self.state.lock().expect("whole")
    }

    pub(crate) fn wake(&self, wake_up: WakeUp) {
        let sender = self.lock().wakes.clone().expect("a client listens");
        sender.try_send(Ok(WakeResponse { wake_up: wake_up.into() })).expect("there is room");
    }
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ClientService for FakeMp {
    type WakeStream = Streamed<WakeResponse>;

    async fn register(
        &self,
        _: Request<RegisterRequest>,
    ) -> Result<Answer<RegisterResponse>, Status> {
        Ok(Answer::new(RegisterResponse {}))
    }

    async fn get_policy(
        &self,
        request: Request<GetPolicyRequest>,
    ) -> Result<Answer<GetPolicyResponse>, Status> {
        let GetPolicyRequest { have_parts, have_version, .. } = request.into_inner();
        if self.lock().is_away {
            return Err(refuse(ErrorClass::Unavailable, "not now"));
        }
        let Some(offer) = self.lock().offer.clone() else {
            return Ok(Answer::new(GetPolicyResponse::default()));
        };
        let Offer { head, signature, statement: key_statement, mut parts } = offer;
        let version = decode_head(&head).expect("a good head").version;
        if version == have_version {
            return Ok(Answer::new(GetPolicyResponse::default()));
        }
        if version > have_version {
            self.log.say(&format!("policy {version} is asked for"));
        }
        parts.retain(|part| !have_parts.contains(&client::digest::sha256(part).0.to_vec()));
        let head = Some(SignedHead { head, signature, key_statement });
        Ok(Answer::new(GetPolicyResponse { head, parts }))
    }

    async fn send_state(
        &self,
        request: Request<SendStateRequest>,
    ) -> Result<Answer<SendStateResponse>, Status> {
        let report = request.into_inner().report.expect("a report");
        let mut state = self.lock();
        if state.is_deaf {
            return Err(refuse(ErrorClass::Unavailable, "not now"));
        }
        self.log.say(&words(&report));
        state.reports.push(report);
        let (outcome, known_serial) = match state.outcomes.is_empty() {
            true => (Outcome::Unspecified, 0),
            false => match state.outcomes.remove(0) {
                ReportOutcome::Applied => (Outcome::Applied, 0),
                ReportOutcome::Known => (Outcome::Known, 0),
                ReportOutcome::SendFull => (Outcome::SendFull, 0),
                ReportOutcome::Behind(known) => (Outcome::Behind, known),
            },
        };
        self.reported.notify_one();
        Ok(Answer::new(SendStateResponse { outcome: outcome.into(), known_serial }))
    }

    async fn send_inventory(
        &self,
        request: Request<SendInventoryRequest>,
    ) -> Result<Answer<SendInventoryResponse>, Status> {
        let mut state = self.lock();
        if state.is_deaf {
            return Err(refuse(ErrorClass::Unavailable, "not now"));
        }
        let report = request.into_inner().report.expect("a report");
        let outcome = if state.lacks_inventory && !report.full {
            Outcome::SendFull
        } else {
            Outcome::Unspecified
        };
        state.inventories.push(report);
        Ok(Answer::new(SendInventoryResponse { outcome: outcome.into() }))
    }

    async fn wake(&self, _: Request<WakeRequest>) -> Result<Answer<Self::WakeStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        self.lock().wakes = Some(sender);
        self.listening.notify_one();
        Ok(Answer::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_locations(
        &self,
        request: Request<GetLocationsRequest>,
    ) -> Result<Answer<GetLocationsResponse>, Status> {
        let state = self.lock();
        let GetLocationsRequest { sha256, .. } = request.into_inner();
        let names: Vec<String> = sha256.iter().map(|digest| name(digest)).collect();
        self.log.say(&format!("the MP is asked where {} is", names.join(" ")));
        let points = state.points.iter().map(|http_url| Point {
            url: String::new(),
            http_url: http_url.clone(),
            site: "PR1".to_owned(),
            after_minutes: state.waits.get(http_url).copied().unwrap_or(0),
        });
        let points: Vec<Point> = points.collect();
        let files = sha256
            .into_iter()
            .map(|sha256| FileLocations { sha256, points: points.clone() })
            .collect();
        Ok(Answer::new(GetLocationsResponse { files }))
    }
}

/// Such as `report: 1 required/downloading; deployment d non_compliant/downloading`.
fn words(report: &StateReport) -> String {
    let report = StateReportRead::try_from(report.clone()).expect("a good report");
    let with = |code: i32| if code == 0 { String::new() } else { format!("({code})") };
    let updates = report.changes.iter().map(|change| {
        let (number, state) = (change.update.id.0.as_u128(), change.state.state.as_str());
        let step = change.state.enforcement;
        let step = step.map(|(step, code)| format!("/{}{}", step.as_str(), with(code)));
        format!("{number} {state}{}", step.unwrap_or_default())
    });
    let deployments = report.deployments.iter().map(|change| {
        let stands = change.state.map_or("gone".to_owned(), |state| {
            let step = state.enforcement.map(|step| format!("/{}", step.as_str()));
            format!("{}{}", state.compliance.as_str(), step.unwrap_or_default())
        });
        format!("deployment {:x} {stands}", change.deployment.0.as_u128())
    });
    let error = report.scan_error.iter().cloned();
    let refused = report.refused.iter().map(|refused| format!("{} is refused", refused.url));
    let said: Vec<String> = updates.chain(deployments).chain(error).chain(refused).collect();
    format!("report: {}", if said.is_empty() { "no news".to_owned() } else { said.join("; ") })
}

fn name(digest: &[u8]) -> String {
    Sha256(digest.try_into().expect("a digest")).to_string()
}

pub(crate) struct FakeSup {
    server_id: u128,
    log: Log,
    pub(crate) is_away: AtomicBool,
    pub(crate) catalog: Mutex<(u64, Vec<WireDocument>)>,
    /// Whose documents are declined, by their places.
    pub(crate) declined: Mutex<Vec<usize>>,
    /// Where files are offered to everybody, by digest.
    pub(crate) offers: Mutex<BTreeMap<String, Vec<String>>>,
}

impl FakeSup {
    pub(crate) fn new(server_id: u128, documents: &[Document], log: Log) -> FakeSup {
        let (is_away, catalog, declined, offers) = Default::default();
        let sup = FakeSup { server_id, log, is_away, catalog, declined, offers };
        sup.set(1, documents);
        sup
    }

    pub(crate) fn set(&self, version: u64, documents: &[Document]) {
        let documents = documents.iter().map(|document| WireDocument {
            id: document.update.id.as_bytes().to_vec(),
            revision: document.update.revision,
            xml: document.to_xml(),
        });
        *self.catalog.lock().expect("whole") = (version, documents.collect());
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        tonic::service::Routes::new(MetadataServiceServer::from_arc(self)).into_axum_router()
    }
}

#[tonic::async_trait]
impl MetadataService for FakeSup {
    type FollowDocumentsStream = Streamed<FollowDocumentsResponse>;

    async fn follow_documents(
        &self,
        request: Request<FollowDocumentsRequest>,
    ) -> Result<Answer<Self::FollowDocumentsStream>, Status> {
        let FollowDocumentsRequest { server_id, anchor } = request.into_inner();
        if self.is_away.load(Ordering::SeqCst) {
            self.log.say(&format!("SUP{} is asked, and away", self.server_id));
            return Err(refuse(ErrorClass::Unavailable, "not now"));
        }
        self.log.say(&format!("SUP{} is asked for documents", self.server_id));
        let own = self.server_id.to_be_bytes().to_vec();
        let (version, documents) = self.catalog.lock().expect("whole").clone();
        let known = if server_id == own { usize::try_from(anchor).expect("small") } else { 0 };
        let declined = self.declined.lock().expect("whole").clone();
        let page = |(number, document): (usize, WireDocument)| FollowDocumentsResponse {
            server_id: own.clone(),
            declined: declined.contains(&number).then(|| document.id.clone()).into_iter().collect(),
            documents: vec![document],
            anchor: number as u64 + 1,
            ..FollowDocumentsResponse::default()
        };
        let mut pages: Vec<_> = documents.into_iter().enumerate().skip(known).map(page).collect();
        let anchor = pages.last().map_or(anchor, |page| page.anchor);
        let (removed, documents) = Default::default();
        pages.push(FollowDocumentsResponse {
            server_id: own,
            documents,
            removed,
            anchor,
            done: true,
            version,
            declined: Vec::new(),
        });
        Ok(Answer::new(Box::pin(iter(pages.into_iter().map(Ok)))))
    }

    async fn find_files(
        &self,
        request: Request<FindFilesRequest>,
    ) -> Result<Answer<FindFilesResponse>, Status> {
        let wanted = request.into_inner().files;
        let names: Vec<String> = wanted.iter().map(|file| name(&file.sha256)).collect();
        let number = self.server_id;
        self.log.say(&format!("SUP{number} is asked who offers {}", names.join(" ")));
        if self.is_away.load(Ordering::SeqCst) {
            return Err(refuse(ErrorClass::Unavailable, "not now"));
        }
        let offers = self.offers.lock().expect("whole").clone();
        let found = |file: rpc::pb::metadata::WantedFile| {
            let urls = offers.get(&name(&file.sha256))?.clone();
            Some(FoundFile { sha256: file.sha256, urls })
        };
        let files = wanted.into_iter().filter_map(found).collect();
        Ok(Answer::new(FindFilesResponse { files }))
    }
}

pub(crate) struct FakeDp {
    name: String,
    log: Log,
    pub(crate) state: Mutex<DpState>,
}

#[derive(Default)]
pub(crate) struct DpState {
    pub(crate) files: BTreeMap<String, Bytes>,
    /// Answers end after so many bytes.
    pub(crate) cut_at: Option<usize>,
    /// The range asked for by each request.
    pub(crate) ranges: Vec<String>,
}

impl FakeDp {
    pub(crate) fn new(name: String, log: Log) -> FakeDp {
        FakeDp { name, log, state: Mutex::default() }
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new().route("/content/sha256/{name}", get(serve)).with_state(self)
    }

    /// Serves `bytes` as what `named` has the digest of.
    pub(crate) fn put(&self, named: &str, bytes: &str) {
        let name = client::digest::sha256(named.as_bytes()).to_string();
        let bytes = Bytes::copy_from_slice(bytes.as_bytes());
        self.state.lock().expect("whole").files.insert(name, bytes);
    }
}

async fn serve(
    State(dp): State<Arc<FakeDp>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    let mut state = dp.state.lock().expect("whole");
    let range = headers.get(header::RANGE).map_or("", |range| range.to_str().expect("text"));
    state.ranges.push(range.to_owned());
    dp.log.say(&format!("{} is asked for {name}", dp.name));
    let Some(bytes) = state.files.get(&name).cloned() else {
        return Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(Body::empty())
            .expect("good");
    };
    let start = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
    let end = state.cut_at.unwrap_or(bytes.len());
    let (piece, total) = (bytes.slice(start..end.max(start)), bytes.len());
    // Without its length said, as a proxy does that gives up in between.
    let body = Body::from_stream(iter([Ok::<_, std::io::Error>(piece)]));
    let response = match range {
        "" => Response::builder().status(StatusCode::OK),
        _ => Response::builder()
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {start}-{}/{total}", total - 1)),
    };
    response.body(body).expect("good")
}
