//! Everything around one client, for tests: a site's keys, and a management point, software
//! update points and distribution points that speak the real protocols on loopback.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Ambient, ManualClock, SeededEntropy};
use axum::Router;
use model::{
    AssignedWindow, Assignment, ClientKind, ClientSettings, ItemFile, PeerIdentity, PeerKind,
    PolicyHead, RoleKind, ServerList, ServerRef, Sha1, Timestamp, WindowList,
};
use rpc::convert::Part;
use sqlite_engine::Executor;
use tempfile::TempDir;
use testkit::pki::Pki;
use testkit::policy::{PolicySite, SignedPolicy};
pub(crate) use testkit::policy::{pr1, software, update_id};
use testkit::serving::serve_anybody;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transport::{Credentials, Limits, Server, TcpConnect, TcpListen};
use update_metadata::{CommandLine, Document, Installer, Outcome, linux};

use crate::{Agent, Config, Deps, Machine};
use client::digest::sha256;
use client::policy::Offer;

mod log;
mod servers;

pub(crate) use log::Log;
pub(crate) use servers::{FakeDp, FakeMp, FakeSup};

pub(crate) const NOW: Timestamp = Timestamp(1_795_168_800_000);
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Writes `installed` where its argument says, and leaves a line per run beside it.
pub(crate) const SCRIPT: &str = "#!/bin/sh\necho run >> \"$1.runs\"\nprintf installed > \"$1\"\n";

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ambient: Ambient,
    pub(crate) site: PolicySite,
    pub(crate) mp: Arc<FakeMp>,
    pub(crate) servers: Vec<ServerRef>,
    pub(crate) settings: ClientSettings,
    pub(crate) windows: Vec<AssignedWindow>,
    pub(crate) update_service: Option<crate::ForeignServer>,
    pub(crate) public_roots: PathBuf,
    pub(crate) scan_spread: Duration,
    pub(crate) log: Log,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    pub(crate) async fn new() -> World {
        World::seeded(1).await
    }

    /// One in which what happens by chance follows from `seed`.
    pub(crate) async fn seeded(seed: u64) -> World {
        let clock = Arc::new(ManualClock::at(NOW.0));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(seed)));
        let log = Log::new(clock.clone());
        let site = PolicySite::new(Pki::new(&ambient), NOW);
        let mut world = World {
            directory: TempDir::new().expect("a directory"),
            clock,
            ambient,
            site,
            mp: Arc::new(FakeMp::new(log.clone())),
            servers: Vec::new(),
            settings: ClientSettings {
                policy_poll_ms: 3_600_000,
                state_batch_ms: 0,
                scan_interval_ms: 86_400_000,
                catalog_version: 1,
            },
            windows: Vec::new(),
            update_service: None,
            public_roots: PathBuf::new(),
            scan_spread: Duration::ZERO,
            log,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let router = world.mp.clone().router();
        world.serve(RoleKind::ManagementPoint, router).await;
        world
    }

    pub(crate) async fn serve(&mut self, kind: RoleKind, router: Router) -> String {
        let is_plain = kind == RoleKind::DistributionPoint;
        let own = (!is_plain)
            .then(|| self.site.pki.credentials(&self.site.keys, PeerKind::Role(kind), "role"));
        let address = self.listen(router, own).await;
        let url = format!("{}://{address}", if is_plain { "http" } else { "https" });
        if !is_plain {
            self.servers.push(ServerRef {
                kind,
                site: pr1(),
                url: url.clone(),
                http_url: String::new(),
                after_minutes: 0,
            });
        }
        url
    }

    /// Serves whoever asks, or with credentials only members; answers with the address.
    async fn listen(&self, router: Router, credentials: Option<Credentials>) -> SocketAddr {
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_address();
        let (limits, revoked) = (Limits::default(), Arc::new(|_: &PeerIdentity| false));
        let server = Server { router, credentials, limits, revoked };
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            server.run(Box::new(listener), shutdown).await.expect("runs");
        });
        address
    }

    /// One more software update point that has these documents.
    pub(crate) async fn add_sup(&mut self, documents: &[Document]) -> Arc<FakeSup> {
        let number = self.servers.len() as u128;
        let sup = Arc::new(FakeSup::new(number, documents, self.log.clone()));
        let url = self.serve(RoleKind::SoftwareUpdatePoint, sup.clone().router()).await;
        self.log.call(&url, &format!("SUP{number}"));
        sup
    }

    /// An update point in the place of the last one, which answers whoever asks over an open
    /// connection.
    pub(crate) async fn open_sup(&mut self, documents: &[Document]) -> String {
        let sup = Arc::new(FakeSup::new(9, documents, self.log.clone()));
        let (url, serving) = serve_anybody(sup.router()).await;
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            shutdown.cancelled().await;
            drop(serving);
        });
        self.servers.last_mut().expect("there is one").url.clone_from(&url);
        url
    }

    /// One more distribution point; locations name it after the others.
    pub(crate) async fn add_dp(&mut self) -> Arc<FakeDp> {
        let name = format!("DP{}", self.mp.lock().points.len() + 1);
        let dp = Arc::new(FakeDp::new(name, self.log.clone()));
        let url = self.serve(RoleKind::DistributionPoint, dp.clone().router()).await;
        self.mp.lock().points.push(url);
        dp
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.directory.path().join("target")
    }

    /// How often the script has run.
    pub(crate) fn script_runs(&self) -> usize {
        let runs = std::fs::read_to_string(self.directory.path().join("target.runs"));
        runs.map_or(0, |runs| runs.lines().count())
    }

    /// An update whose installer is [`SCRIPT`], detected by what it writes.
    pub(crate) fn script_update(&self, number: u128) -> Document {
        let target = self.target();
        let target = target.to_str().expect("a plain path");
        let mut document = software(number);
        document.rules.is_installed = Some(linux::file_exists(target, Some(sha256(b"installed"))));
        document.files = vec![ItemFile {
            name: "install.sh".to_owned(),
            size: SCRIPT.len() as u64,
            sha1: Sha1([0; 20]),
            sha256: Some(sha256(SCRIPT.as_bytes())),
        }];
        document.installer = Some(Installer::CommandLine(CommandLine {
            program: "install.sh".to_owned(),
            arguments: format!("\"{target}\""),
            return_codes: [(3, Outcome::FAILED)].into(),
            default_outcome: Outcome::FAILED,
        }));
        document
    }

    /// Publishes policy with one required deployment.
    pub(crate) fn assign(&self, version: u64, documents: &[Document], deadline: Timestamp) {
        let parts = vec![
            Part::Settings(self.settings),
            Part::Servers(ServerList { servers: self.servers.clone() }),
            Part::Windows(WindowList { windows: self.windows.clone() }),
            Part::Assignment(assignment(documents, deadline)),
        ];
        let incarnation = self.mp.lock().incarnation;
        let head = self.head(incarnation, version, &parts);
        self.mp.lock().offer = Some(self.sign(&head, &parts));
    }

    pub(crate) fn head(&self, incarnation: u64, version: u64, parts: &[Part]) -> PolicyHead {
        self.site.head(incarnation, version, parts)
    }

    pub(crate) fn sign(&self, head: &PolicyHead, parts: &[Part]) -> Offer {
        let SignedPolicy { head, signature, statement, parts } = self.site.sign(head, parts);
        Offer { head, signature, statement, parts }
    }

    pub(crate) async fn agent(&self, machine: impl Machine + 'static) -> Agent {
        let config = Config {
            data: self.directory.path().join("data"),
            kind: ClientKind::Agent,
            name: "host".to_owned(),
            management_point: self.servers[0].clone(),
            scan_spread: self.scan_spread,
            executor: Executor::Inline,
            local: None,
            update_service: self.update_service.clone(),
            public_roots: self.public_roots.clone(),
        };
        let deps = Deps {
            ambient: self.ambient.clone(),
            connect: Arc::new(TcpConnect),
            public: Arc::new(TcpConnect),
            downloader: crate::Downloader::Inside,
            credentials: self.site.pki.credentials(
                &self.site.keys,
                PeerKind::Client,
                &self.site.client.to_string(),
            ),
            machine: Arc::new(machine),
        };
        let agent = Box::pin(Agent::new(config, deps)).await.expect("starts");
        self.mp.lock().incarnation = agent.incarnation();
        agent
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) fn assignment(documents: &[Document], deadline: Timestamp) -> Assignment {
    testkit::policy::assignment(documents, NOW, deadline)
}
