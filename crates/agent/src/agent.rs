//! The agent itself: one pass after another over policy, scan, deployments and reports.
//!
//! Owns the order of a pass and when the next one is due. What cannot be reached is tried again
//! later and stops nothing else; only a failing database ends the agent.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use content_library::ContentLibrary;
use model::{
    ClientId, ClientKind, EnforcementState, PeerKind, ServerRef, Sha256, Timestamp, UpdateId,
};
use sqlite_engine::Executor;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use transport::{Connect, Credentials};

use crate::cache::{Cache, Copy};
use crate::client::fallback::Search;
use crate::client::ledger::{Progress, Record, States};
use crate::client::plan::Run;
use crate::client::policy::Policy;
use crate::client::scan::Scan;
use crate::machine::Machine;
use crate::servers::Servers;
use crate::store::Store;
use crate::summary::{Refusals, View};
use crate::wake::{self, Wakes};
use crate::{Error, limits};

mod enforcing;
mod obeying;
mod reporting;
mod scanning;
mod turn;

use scanning::Reach;
use turn::Turn;

/// What an agent is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    pub data: PathBuf,
    pub kind: ClientKind,
    /// Shown to administrators.
    pub name: String,
    /// Asked for policy until policy names others.
    pub management_point: ServerRef,
    /// A scan that nobody waits for starts at a random moment within this time (SCAN-02).
    pub scan_spread: Duration,
    pub executor: Executor,
}

/// What an agent works with.
#[derive(Debug)]
pub struct Deps {
    pub ambient: Ambient,
    pub connect: Arc<dyn Connect>,
    pub credentials: Credentials,
    pub machine: Arc<dyn Machine>,
}

/// What one pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Newer policy was accepted.
    pub policy: bool,
    /// Documents were evaluated.
    pub scanned: bool,
    pub fetched: usize,
    /// Installers that were run.
    pub installed: usize,
    /// Reports that a management point has acknowledged.
    pub sent: usize,
    /// When there may be more to do.
    pub next: Duration,
}

#[derive(Debug)]
pub struct Agent {
    config: Config,
    ambient: Ambient,
    machine: Arc<dyn Machine>,
    client: ClientId,
    servers: Arc<Servers>,
    wakes: Arc<Wakes>,
    store: Store,
    library: ContentLibrary,
    cache: Cache,
    refusals: Refusals,
    /// As stored.
    record: Record,
    said: States,
    runs: BTreeMap<UpdateId, Run>,
    policy: Policy,
    /// Of documents in use; none before the first one is complete.
    copy: Option<Copy>,
    /// The one they came from; another would send all of them again.
    update_point: Option<String>,
    refreshed: Option<Instant>,
    /// None until documents were evaluated since the start.
    scan: Option<Scan>,
    progress: Progress,
    troubles: BTreeMap<Sha256, (EnforcementState, i32)>,
    /// Files that no distribution point has given.
    searches: Search<Sha256>,
    /// Of the last plan: files to fetch, and the next deadline.
    awaits_content: bool,
    wake_at: Option<Timestamp>,
    register_at: Instant,
    polls: Turn,
    scans: Turn,
    fetches: Turn,
    sends: Turn,
    step: Step,
}

impl Agent {
    /// Opens what the agent remembers. Blocks; meant for the start of a process.
    pub async fn new(config: Config, deps: Deps) -> Result<Agent, Error> {
        let Deps { ambient, connect, credentials, machine } = deps;
        let identity = credentials.identity().clone();
        let client = match (identity.kind, identity.id.parse()) {
            (PeerKind::Client, Ok(client)) => client,
            _ => return Err(Error::NotAClient { identity }),
        };
        prepare(&config.data)?;
        let store = Store::open(&ambient, &config.data.join("agent.db"), config.executor)?;
        let library =
            ContentLibrary::open(ambient.clone(), &config.data.join("content"), config.executor)?;
        let cache = Cache::new(&config.data, config.executor)?;
        let record = store.record().await?;
        let copy = record.catalog.map(|server| cache.open(server)).transpose()?;
        let first = config.management_point.clone();
        let servers = Arc::new(Servers::new(ambient.clone(), connect, credentials, first));
        let now = Instant::now();
        let mut agent = Agent {
            said: store.states().await?,
            runs: store.runs().await?,
            config,
            ambient,
            machine,
            client,
            servers,
            wakes: Arc::default(),
            store,
            library,
            cache,
            refusals: Refusals::default(),
            record,
            policy: Policy::default(),
            copy,
            update_point: None,
            refreshed: None,
            scan: None,
            progress: Progress::default(),
            troubles: BTreeMap::new(),
            searches: Search::default(),
            awaits_content: false,
            wake_at: None,
            register_at: now,
            polls: Turn::at(Some(now)),
            scans: Turn::at(None),
            fetches: Turn::at(Some(now)),
            sends: Turn::at(Some(now)),
            step: Step::default(),
        };
        agent.recall_policy().await?;
        Ok(agent)
    }

    /// What others may ask of this agent while it runs.
    #[must_use]
    pub fn view(&self) -> View {
        View { client: self.client, store: self.store.clone(), refusals: self.refusals.clone() }
    }

    /// Passes until `shutdown`. An installer that is running is waited for.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let stop = self.servers.stop.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(wake::listen(self.ambient.clone(), self.servers.clone(), self.wakes.clone()));
        tasks.spawn(async move {
            shutdown.cancelled().await;
            stop.cancel();
        });
        let (stop, wakes) = (self.servers.stop.clone(), self.wakes.clone());
        loop {
            let step = match self.step().await {
                Ok(step) => step,
                Err(Error::Stopping) => break,
                Err(error) => return Err(error),
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = wakes.any() => {}
                () = tokio::time::sleep(step.next) => {}
            }
        }
        tasks.shutdown().await;
        Ok(())
    }

    /// One pass over whatever is due.
    pub async fn step(&mut self) -> Result<Step, Error> {
        self.step = Step::default();
        if self.wakes.take_policy() || self.polls.is_due() {
            self.poll_policy().await?;
        }
        if let Some(reach) = self.reach() {
            self.scan(reach).await?;
        }
        self.enforce().await?;
        self.send().await?;
        self.step.next = self.rest();
        Ok(self.step)
    }

    /// How far the scan that is due goes, if one is.
    fn reach(&mut self) -> Option<Reach> {
        // Policy names the servers, so that a wish to scan waits for it.
        if self.policy.version == 0 {
            return None;
        }
        if self.wakes.take_scan() {
            return Some(Reach::Forced);
        }
        if self.scans.is_due() {
            return Some(Reach::Online);
        }
        // After a restart: what was decided before goes on from what is here (SCAN-18).
        (self.scan.is_none() && self.copy.is_some()).then_some(Reach::Offline)
    }

    /// How long nothing is due.
    fn rest(&self) -> Duration {
        let now = Instant::now();
        let fetch = self.fetches.due.filter(|_| self.awaits_content);
        let deadline = self
            .wake_at
            .map(|at| now + Duration::from_millis(u64::try_from(at.0 - self.now().0).unwrap_or(0)));
        let due = [self.polls.due, self.scans.due, self.sends.due, fetch, deadline];
        let due = due.into_iter().flatten().min().unwrap_or(now);
        due.saturating_duration_since(now).min(limits::SLEEP_MAX)
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.ambient.now_ms())
    }

    /// A random moment within `spread` from now.
    fn within(&self, spread: Duration) -> Instant {
        let millis = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        Instant::now() + Duration::from_millis(self.ambient.random_u64() % millis.max(1))
    }
}

/// Problems of what an agent remembers, and files of its cache that are damaged; those are taken
/// out and fetched again.
pub(crate) async fn check(data: &Path) -> Result<Vec<String>, Error> {
    let (ambient, executor) = (Ambient::system(), Executor::Inline);
    let mut problems = Store::open(&ambient, &data.join("agent.db"), executor)?.check().await?;
    let library = ContentLibrary::open(ambient, &data.join("content"), executor)?;
    problems.extend(library.check().await?.iter().map(ToString::to_string));
    Ok(problems)
}

/// Whoever may write into the data directory decides what is run.
fn prepare(data: &Path) -> Result<(), Error> {
    let files = |operation| {
        let path = data.to_owned();
        move |source| Error::Files { operation, path, source }
    };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(files("make"))?;
    let found = std::fs::metadata(data).map_err(files("look at"))?;
    if found.permissions().mode() & 0o022 != 0 {
        return Err(Error::OpenToOthers { path: data.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
