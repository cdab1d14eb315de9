//! The managed computers: the real agent on this machine and on pretended ones.
//!
//! Owns what each of them is told at its start, and remembers what was handed to installers: the
//! files are hashed there once more, so that a check need not believe the agent.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::{Agent, Ended, Job, LinuxMachine, Machine, Wanted};
use model::{ClientKind, PeerKind, RoleKind, ServerRef, Sha256, SiteCode};
use testkit::facts::{Computer, Facts, FileFact};
use transport::{BoxFuture, PublicConnect, TcpConnect};

use crate::Error;
use crate::host::{Host, joining};
use crate::report::RoleEndpoint;

/// The first scan starts when the operator asks for it, or at once if policy comes later.
const SCAN_SPREAD: Duration = Duration::from_millis(100);

/// What publishers' servers are believed by; it is read if one of them is asked.
const PUBLIC_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A client under way.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) kind: ClientKind,
    pub(crate) view: agent::View,
    pub(crate) machine: Arc<Watched>,
}

/// A machine, and what its installers were given.
#[derive(Debug)]
pub(crate) struct Watched {
    body: Body,
    given: Mutex<Vec<Given>>,
    /// A demonstration never restarts the computer it runs on.
    pretended_restarts: AtomicU64,
}

#[derive(Debug)]
enum Body {
    Real(Box<LinuxMachine>),
    Pretended(Mutex<Computer>),
}

/// A file in the hands of an installer.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) policy: Sha256,
    pub(crate) found: Sha256,
}

impl Client {
    /// Joins through the management point at `point` and starts. `number` names a pretended
    /// computer; without it this one is meant.
    pub(crate) async fn start(
        host: &mut Host,
        token: &str,
        point: &RoleEndpoint,
        number: Option<u32>,
    ) -> Result<Client, Error> {
        let name = number.map_or_else(|| "agent".to_owned(), |number| format!("client-{number}"));
        let member = host.member(token, &joining(PeerKind::Client, &name, "", "")).await?;
        let (kind, body) = match number {
            Some(number) => {
                (ClientKind::Simulated, Body::Pretended(Mutex::new(Computer::new(number))))
            }
            None => (ClientKind::Agent, Body::Real(Box::new(LinuxMachine::new(&member.data)))),
        };
        let machine = Arc::new(Watched {
            body,
            given: Mutex::default(),
            pretended_restarts: AtomicU64::default(),
        });
        let config = agent::Config {
            data: member.data,
            kind,
            name: name.clone(),
            management_point: ServerRef {
                kind: RoleKind::ManagementPoint,
                site: SiteCode::new(&point.site).map_err(Error::start(&name))?,
                url: point.https.clone(),
                http_url: String::new(),
                after_minutes: 0,
            },
            scan_spread: SCAN_SPREAD,
            executor: Default::default(),
            local: None,
            update_service: None,
            public_roots: PathBuf::from(PUBLIC_ROOTS),
        };
        let deps = agent::Deps {
            ambient: host.ambient.clone(),
            connect: Arc::new(TcpConnect),
            public: Arc::new(PublicConnect),
            downloader: agent::Downloader::Inside,
            credentials: member.credentials,
            machine: machine.clone(),
        };
        let agent = Agent::new(config, deps).await.map_err(Error::start(&name))?;
        let view = agent.view();
        host.spawn(&name, agent.run(host.shutdown.clone()));
        Ok(Client { id: member.identity.id, kind, view, machine })
    }

    pub(crate) fn is_real(&self) -> bool {
        self.kind == ClientKind::Agent
    }

    pub(crate) async fn summary(&self) -> Result<agent::Summary, Error> {
        self.view.summary().await.map_err(Error::start(&self.id))
    }
}

impl Watched {
    /// What its installers were given so far.
    pub(crate) fn given(&self) -> Vec<Given> {
        lock(&self.given).clone()
    }

    async fn run(&self, job: &Job<'_>) -> io::Result<Ended> {
        for (file, reader) in &job.files {
            let mut content = Vec::new();
            while (content.len() as u64) < reader.size() {
                let rest = content.len() as u64..reader.size();
                content.extend(reader.read(rest).await.map_err(io::Error::other)?);
            }
            let found = testkit::sample::sha256(&content);
            let given = Given { name: file.name.clone(), policy: file.sha256, found };
            lock(&self.given).push(given);
        }
        match &self.body {
            Body::Real(machine) => machine.install(job).await,
            Body::Pretended(computer) => {
                lock(computer).install(job.document);
                Ok(Ended::Exited(0))
            }
        }
    }
}

impl Machine for Watched {
    fn facts(&self) -> BoxFuture<'_, io::Result<Facts>> {
        match &self.body {
            Body::Real(machine) => machine.facts(),
            Body::Pretended(computer) => Box::pin(async { Ok(lock(computer).facts().clone()) }),
        }
    }

    fn file<'a>(
        &'a self,
        path: &'a str,
        digest: Wanted,
    ) -> BoxFuture<'a, io::Result<Option<FileFact>>> {
        match &self.body {
            Body::Real(machine) => machine.file(path, digest),
            Body::Pretended(computer) => Box::pin(async { Ok(lock(computer).file(path)) }),
        }
    }

    fn boot(&self) -> io::Result<String> {
        let life = match &self.body {
            Body::Real(machine) => machine.boot()?,
            Body::Pretended(_) => "pretended".to_owned(),
        };
        let restarts = self.pretended_restarts.load(Ordering::Relaxed);
        Ok(format!("{life} {restarts}"))
    }

    fn restart(&self) -> BoxFuture<'_, io::Result<()>> {
        self.pretended_restarts.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<Ended>> {
        Box::pin(self.run(job))
    }
}

/// Whether the file at `path` is there with this content.
pub(crate) fn has_content(path: &Path, digest: Sha256) -> bool {
    std::fs::read(path).is_ok_and(|bytes| testkit::sample::sha256(&bytes) == digest)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
