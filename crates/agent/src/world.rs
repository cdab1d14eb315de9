//! Everything around one client, for tests: a site's keys, and a management point, software
//! update points and distribution points that speak the real protocols on loopback.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ambient::{Ambient, ManualClock, SeededEntropy};
use axum::Router;
use model::{
    AssignedFile, AssignedUpdate, AssignedWindow, Assignment, ClientId, ClientKind, ClientSettings,
    DeploymentId, Intent, ItemFile, PeerIdentity, PeerKind, PolicyHead, RoleKind, ServerList,
    ServerRef, Sha1, SiteCode, Timestamp, UpdateId, UpdateRef, WindowList,
};
use rpc::convert::{Part, encode_head, encode_part};
use sqlite_engine::Executor;
use tempfile::TempDir;
use testkit::pki::{Pki, SiteKeys};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use transport::{Limits, Server, TcpConnect, TcpListen};
use trust::Purpose;
use update_metadata::{CommandLine, Document, Installer, Outcome, Rule, UpdateKind, linux};
use uuid::Uuid;

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
    pub(crate) client: ClientId,
    pub(crate) pki: Pki,
    keys: SiteKeys,
    pub(crate) mp: Arc<FakeMp>,
    pub(crate) servers: Vec<ServerRef>,
    pub(crate) settings: ClientSettings,
    pub(crate) windows: Vec<AssignedWindow>,
    pub(crate) update_service: Option<crate::ForeignServer>,
    pub(crate) scan_spread: Duration,
    pub(crate) log: Log,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

pub(crate) fn pr1() -> SiteCode {
    SiteCode::new("PR1").expect("a good code")
}

pub(crate) fn update_id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

/// A visible update that may be installed anywhere.
pub(crate) fn software(number: u128) -> Document {
    let update = UpdateRef { id: update_id(number), revision: 1 };
    let mut document = Document::new(update, UpdateKind::Software, &format!("update {number}"));
    document.properties.is_explicitly_deployable = true;
    document.rules.is_installable = Some(Rule::True);
    document
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
        let pki = Pki::new(&ambient);
        let keys = pki.site(pr1());
        let mut world = World {
            directory: TempDir::new().expect("a directory"),
            clock,
            ambient,
            client: ClientId(Uuid::from_u128(0xc)),
            pki,
            keys,
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
            scan_spread: Duration::ZERO,
            log,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let router = world.mp.clone().router();
        world.serve(RoleKind::ManagementPoint, router).await;
        world
    }

    async fn serve(&mut self, kind: RoleKind, router: Router) -> String {
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_address();
        let is_plain = kind == RoleKind::DistributionPoint;
        let own =
            (!is_plain).then(|| self.pki.credentials(&self.keys, PeerKind::Role(kind), "role"));
        let (limits, revoked) = (Limits::default(), Arc::new(|_: &PeerIdentity| false));
        let server = Server { router, credentials: own, limits, revoked };
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            server.run(Box::new(listener), shutdown).await.expect("runs");
        });
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

    /// One more software update point that has these documents.
    pub(crate) async fn add_sup(&mut self, documents: &[Document]) -> Arc<FakeSup> {
        let number = self.servers.len() as u128;
        let sup = Arc::new(FakeSup::new(number, documents, self.log.clone()));
        let url = self.serve(RoleKind::SoftwareUpdatePoint, sup.clone().router()).await;
        self.log.call(&url, &format!("SUP{number}"));
        sup
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
        PolicyHead {
            hierarchy: self.pki.anchor().hierarchy(),
            site: pr1(),
            client: self.client,
            incarnation,
            version,
            signed_at: NOW,
            expires: NOW.plus_ms(30 * 24 * HOUR_MS),
            parts: parts.iter().map(|part| sha256(&encode_part(part))).collect(),
        }
    }

    pub(crate) fn sign(&self, head: &PolicyHead, parts: &[Part]) -> Offer {
        let head = encode_head(head);
        Offer {
            signature: self.keys.signer.sign(Purpose::PolicyHead, &head),
            head,
            statement: self.keys.statement.clone(),
            parts: parts.iter().map(encode_part).collect(),
        }
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
        };
        let deps = Deps {
            ambient: self.ambient.clone(),
            connect: Arc::new(TcpConnect),
            credentials: self.pki.credentials(
                &self.keys,
                PeerKind::Client,
                &self.client.to_string(),
            ),
            machine: Arc::new(machine),
        };
        let agent = Agent::new(config, deps).await.expect("starts");
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
    let updates = documents.iter().map(|document| AssignedUpdate {
        update: document.update,
        document: sha256(document.to_xml().as_bytes()),
        files: document
            .files
            .iter()
            .filter_map(|file| {
                let ItemFile { name, size, sha256, .. } = file;
                Some(AssignedFile { name: name.clone(), size: *size, sha256: (*sha256)? })
            })
            .collect(),
        max_run_minutes: 60,
    });
    Assignment {
        deployment: DeploymentId(Uuid::from_u128(0xd)),
        name: "November".to_owned(),
        intent: Intent::Required,
        available_at: NOW.plus_ms(-HOUR_MS),
        deadline: Some(deadline),
        basis: model::TimeBasis::Utc,
        experience: model::Experience::default(),
        download: model::Download::default(),
        detail: model::DetailLevel::All,
        wakes: false,
        spread_minutes: 0,
        updates: updates.collect(),
    }
}
