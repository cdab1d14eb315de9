//! The role over real sockets and files; its site server is a fake that speaks the content service.

mod config;
mod serving;
mod transfer;

use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ambient::{Ambient, ManualClock, SeededEntropy};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use model::{ErrorClass, HierarchyId, PeerIdentity, PeerKind, RoleId, RoleKind, Sha256, SiteCode};
use rpc::object::ObjectBody as _;
use rpc::pb::content as pb;
use rpc::pb::content::content_service_server::{ContentService, ContentServiceServer};
use sha2::Digest as _;
use sqlite_engine::Executor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use transport::{Connection, Limits, Security, Server, TcpListen, memory};
use uuid::Uuid;

use crate::*;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the fake site server has, wants, and was told.
#[derive(Debug, Default)]
struct Script {
    files: Vec<Bytes>,
    /// After this many bytes of a file, silence.
    silent_after: Option<usize>,
    offsets: Vec<u64>,
    reports: Vec<String>,
    statuses: Vec<u32>,
}

#[derive(Clone, Debug)]
struct FakeSite {
    script: Arc<Mutex<Script>>,
    manifests: watch::Sender<Vec<pb::Manifest>>,
    reported: watch::Sender<usize>,
}

impl FakeSite {
    fn new() -> FakeSite {
        FakeSite {
            script: Arc::default(),
            manifests: watch::Sender::new(Vec::new()),
            reported: watch::Sender::new(0),
        }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wants a package of the files it has and of `absent`.
    fn distribute(&self, version: u32, names: &[&str], absent: &[&Bytes]) {
        let mut contents = self.script().files.clone();
        contents.extend(absent.iter().copied().cloned());
        let file = |(content, name): (Bytes, &&str)| pb::File {
            sha256: sha256(&content).0.to_vec().into(),
            size: content.len() as u64,
            name: (*name).to_owned(),
        };
        let files = contents.into_iter().zip(names).map(file).collect();
        let package = "CAS00001".to_owned();
        self.manifests.send_replace(vec![pb::Manifest { package, version, files }]);
    }

    async fn until_reported(&self, report: &str) {
        let mut reported = self.reported.subscribe();
        let told = |_: &usize| self.script().reports.iter().any(|told| told == report);
        reported.wait_for(told).await.expect("the sender is here");
    }
}

#[tonic::async_trait]
impl ContentService for FakeSite {
    type WatchManifestsStream = Answers<pb::WatchManifestsResponse>;
    type FetchFileStream = Answers<pb::FetchFileResponse>;

    async fn watch_manifests(
        &self,
        _: Request<pb::WatchManifestsRequest>,
    ) -> Result<Response<Self::WatchManifestsStream>, Status> {
        let mut states = self.manifests.subscribe();
        states.mark_changed();
        let states = stream::unfold(states, |mut states| async {
            states.changed().await.ok()?;
            let manifests = states.borrow_and_update().clone();
            Some((Ok(pb::WatchManifestsResponse { generation: 1, manifests }), states))
        });
        Ok(Response::new(Box::pin(states)))
    }

    async fn fetch_file(
        &self,
        request: Request<pb::FetchFileRequest>,
    ) -> Result<Response<Self::FetchFileStream>, Status> {
        let pb::FetchFileRequest { sha256: wanted, offset } = request.into_inner();
        let mut script = self.script();
        let mut files = script.files.iter();
        let found = files.find(|content| sha256(content).0.as_slice() == wanted).cloned();
        let Some(content) = found else {
            return Err(rpc::status::refuse(ErrorClass::NotFound, "not here"));
        };
        script.offsets.push(offset);
        let silent_after = script.silent_after.take();
        let end = silent_after.unwrap_or(content.len());
        let data = content.slice(usize::try_from(offset).expect("small")..end);
        let pieces = stream::iter([Ok(pb::FetchFileResponse { data })]);
        match silent_after {
            Some(_) => Ok(Response::new(Box::pin(pieces.chain(stream::pending())))),
            None => Ok(Response::new(Box::pin(pieces))),
        }
    }

    async fn report_distribution(
        &self,
        request: Request<pb::ReportDistributionRequest>,
    ) -> Result<Response<pb::ReportDistributionResponse>, Status> {
        for told in request.into_inner().distributions {
            let pb::Distribution { version, state, files, bytes, reason, .. } = told;
            let told = format!("{version} {state} {files} files {bytes} bytes {reason}");
            self.script().reports.push(told.trim_end().to_owned());
        }
        self.reported.send_modify(|count| *count += 1);
        Ok(Response::new(pb::ReportDistributionResponse {}))
    }

    async fn upload_file(
        &self,
        _: Request<Streaming<pb::UploadFileRequest>>,
    ) -> Result<Response<pb::UploadFileResponse>, Status> {
        Err(rpc::status::refuse(ErrorClass::Denied, "a point uploads nothing"))
    }

    async fn send_status(
        &self,
        request: Request<pb::SendStatusRequest>,
    ) -> Result<Response<pb::SendStatusResponse>, Status> {
        let messages = request.into_inner().messages;
        let ids = messages.iter().map(|m| model::StatusMessage::decode(m).expect("a message").id);
        self.script().statuses.extend(ids);
        self.reported.send_modify(|count| *count += 1);
        Ok(Response::new(pb::SendStatusResponse {}))
    }
}

fn sha256(content: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(content).into())
}

/// A running point. Dropping `stop`ped points and starting again on the same directory is a restart.
struct Running {
    https: String,
    http: String,
    shutdown: CancellationToken,
    role: JoinHandle<()>,
    tasks: TaskTracker,
}

async fn start(site: &FakeSite, data: &Path, clock: &Arc<ManualClock>) -> Running {
    let (id, code) = (RoleId(Uuid::from_u128(9)), SiteCode::new("PR1").expect("a good code"));
    let identity = PeerIdentity {
        hierarchy: HierarchyId(Uuid::from_u128(7)),
        site: code,
        kind: PeerKind::Role(RoleKind::DistributionPoint),
        id: id.to_string(),
    };
    let (listener, connector) = memory(identity);
    let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
    let service = ContentServiceServer::new(site.clone());
    let server = Server {
        router: tonic::service::Routes::new(service).into_axum_router(),
        credentials: None,
        limits: Limits::default(),
        revoked: Arc::new(|_| false),
    };
    let ending = shutdown.clone();
    tasks.spawn(async move { server.run(Box::new(listener), ending).await.expect("serves") });
    let site = Connection::new(Arc::new(connector), "https://site", Security::Plain);
    let deps = Deps {
        ambient: Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1))),
        credentials: None,
        id,
        code,
        site: site.expect("a good URL"),
    };
    let config = Config {
        name: "PR1-DP".to_owned(),
        data: data.to_owned(),
        lease: Duration::from_secs(60),
        executor: Executor::Inline,
    };
    let point = DistributionPoint::new(config, deps).expect("opens");
    let listen = async || TcpListen::bind("127.0.0.1:0").await.expect("a port");
    let (https, http) = (listen().await, listen().await);
    let addresses = (https.local_address().to_string(), http.local_address().to_string());
    let ports = Ports {
        https: Some(Box::new(https)),
        http: Some(Box::new(http)),
        operations: axum::Router::new(),
        revoked: Arc::new(|_| false),
    };
    let ending = shutdown.clone();
    let role = tasks.spawn(async move { point.run(ports, ending).await.expect("runs") });
    Running { https: addresses.0, http: addresses.1, shutdown, role, tasks }
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// As a power cut does: nothing is told, nothing is finished.
    async fn kill(self) {
        self.role.abort();
        self.stop().await;
    }
}

/// A request over a socket of its own: status, headers in lower case, body.
async fn ask(address: &str, request: &str) -> (u16, String, Vec<u8>) {
    let mut socket = TcpStream::connect(address).await.expect("connected");
    let text = format!("{request}\r\nHost: dp\r\nConnection: close\r\n\r\n");
    socket.write_all(text.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.expect("answered");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).expect("text").to_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, head, answer[end + 4..].to_vec())
}
