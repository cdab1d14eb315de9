//! The role over real sockets and files; its site server is a fake that speaks the content service.

mod config;
mod serving;
mod transfer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Ambient, ManualClock, SeededEntropy};
use axum::body::Bytes;
use model::{HierarchyId, PeerIdentity, PeerKind, RoleId, RoleKind, SiteCode};
use rpc::pb::content::content_service_server::ContentServiceServer;
use sqlite_engine::Executor;
use testkit::distribution::FakeContents;
use testkit::sample::sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transport::{Connection, Limits, Security, Server, TcpListen, memory};
use uuid::Uuid;

use crate::*;

async fn until_reported(site: &FakeContents, report: &str) {
    site.until(|script| script.reports.iter().any(|told| told == report)).await;
}

/// A running point. Dropping `stop`ped points and starting again on the same directory is a restart.
struct Running {
    https: String,
    http: String,
    shutdown: CancellationToken,
    role: JoinHandle<()>,
    tasks: TaskTracker,
}

async fn start(site: &FakeContents, data: &Path, clock: &Arc<ManualClock>) -> Running {
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
