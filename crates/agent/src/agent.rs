//! The agent itself: it asks the client's machine what to do, does it, and tells what came of it.
//!
//! Owns the order around it: what is to be kept is durable before work begins, and lanes go on
//! side by side. What cannot be reached is tried again later and stops nothing else; what cannot be
//! remembered begins nothing, and only a memory that is found damaged ends the agent.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ambient::{Ambient, failpoint};
use client::plan::{BUSY, Phase};
use client::{Answer, Answered, Client, Ended, EventKind, Keep, Outcome, Profile, Scanned, Work};
use model::{ClientKind, PeerKind, ServerRef, Timestamp, error_chain};
use sqlite_engine::Executor;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{Connect, Credentials};
use update_metadata::Applicability;

use crate::agent_update::Releases;
use crate::content::Room;
use crate::control::Local;
use crate::download::Public;
use crate::download::survey;
use crate::fetcher::Downloader;
use crate::foreign::{Foreign, ForeignServer};
use crate::machine::Machine;
use crate::servers::Servers;
use crate::store::Store;
use crate::summary::View;
use crate::wake::{self, Wakes};
use crate::{Error, limits};

mod answering;
mod asking;
mod backlog;
mod carrying;
mod describing;
mod installing;
mod moments;
mod opening;
mod planning;
mod proving;
mod scanning;

use backlog::Backlog;
use carrying::Hands;
use moments::Moment;
use opening::Opened;
pub(crate) use opening::check;
use proving::Proof;
#[cfg(test)]
pub(crate) use scanning::code_of;

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
    /// Where people at this computer find the agent; none: nowhere.
    pub local: Option<Local>,
    /// An update service outside of the hierarchy: scanned against and reported to, instead of the
    /// site's update points; nothing is installed upon what it says.
    pub update_service: Option<ForeignServer>,
    /// A PEM file with what publishers' https servers are believed by.
    pub public_roots: PathBuf,
}

/// What an agent works with.
#[derive(Clone, Debug)]
pub struct Deps {
    pub ambient: Ambient,
    pub connect: Arc<dyn Connect>,
    /// To publishers' servers.
    pub public: Arc<dyn Connect>,
    /// What reads the answers of all who have files.
    pub downloader: Downloader,
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

impl Step {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Policy(Some(Answered { answer: Answer::New(_), .. })) => self.policy = true,
            Outcome::Sent(_, Some(_)) => self.sent += 1,
            Outcome::Scanned(scanned) => {
                let Scanned { end, .. } = &**scanned;
                self.scanned |= end.is_ok();
            }
            Outcome::Fetched { files, .. } => self.fetched += files.len(),
            Outcome::Installed(_, Ended::Succeeded { .. } | Ended::Failed(_), _) => {
                self.installed += 1;
            }
            _ => {}
        }
    }
}

#[derive(Debug)]
pub struct Agent {
    client: Box<Client>,
    hands: Arc<Hands>,
    store: Store,
    wakes: Arc<Wakes>,
    observed: Option<Timestamp>,
    step: Step,
    /// As long as this version of the agent is on trial.
    proof: Option<Proof>,
    /// What the client was told, and others may forget as soon as it remembers.
    handed: Handed,
    backlog: Backlog,
}

#[derive(Clone, Copy, Debug, Default)]
struct Handed {
    /// How an installer ended.
    ending: bool,
    /// Which versions of the agent were given up.
    given_up: bool,
    /// What was set aside, up to this.
    set_aside: u64,
}

impl Agent {
    /// Opens what the agent remembers. Blocks; meant for the start of a process.
    pub async fn new(config: Config, deps: Deps) -> Result<Agent, Error> {
        let Deps { ambient, connect, public, downloader, credentials, machine } = deps;
        let identity = credentials.identity().clone();
        let client = match (identity.kind, identity.id.parse()) {
            (PeerKind::Client, Ok(client)) => client,
            _ => return Err(Error::NotAClient { identity }),
        };
        let opened = Opened::of(&config, &ambient, &identity, client).await?;
        let Opened { store, mut memory, library, cache, told, quarantine } = opened;
        let has_begun = memory.runs.values().any(|run| run.phase == Phase::Installing);
        let copy = memory.record.catalog.and_then(|server| cache.recall(server));
        memory.record.catalog = copy.as_ref().map(|copy| copy.server);
        let spread_ms = i64::try_from(config.scan_spread.as_millis()).unwrap_or(i64::MAX);
        let profile = Profile {
            client,
            site: identity.site,
            anchor: credentials.anchor().clone().into(),
            scan_spread_ms: spread_ms,
        };
        let filter = carrying::filter(&*machine).await;
        let first = config.management_point.clone();
        let outside = |server: ForeignServer| {
            let (name, connect) = (config.name.clone(), connect.clone());
            Foreign::new(server, client.0, name, ambient.clone(), connect)
        };
        let foreign = config.update_service.clone().map(outside).transpose()?;
        let public = Public::new(ambient.clone(), public, config.public_roots.clone());
        let reader = Box::pin(survey(&downloader)).await;
        let servers = Arc::new(Servers::new(ambient.clone(), connect, credentials, first));
        let refusals = servers.refusals.clone();
        let releases = Releases::within(&config.data);
        let hands = Hands {
            releases,
            makes_way: AtomicBool::new(false),
            leaves: CancellationToken::new(),
            config,
            told: tokio::sync::Mutex::new(told),
            ambient,
            client,
            machine,
            servers,
            public,
            downloader,
            reader,
            library,
            cache,
            quarantine,
            copy: std::sync::Mutex::new(copy),
            stale: std::sync::Mutex::new(None),
            refusals,
            room: Room::default(),
            boot: std::sync::Mutex::new(memory.notes.boot.clone()),
            filter,
            foreign: foreign.map(tokio::sync::Mutex::new),
        };
        let (now, seed) = (hands.now(), hands.ambient.random_u64());
        let mut client = Client::new(profile, memory, hands.surroundings(), seed, now);
        let proof = Proof::wanted(&hands.releases, &mut client, now);
        let given_up = proof.is_none() && proving::tell_given_up(&hands.releases, &mut client, now);
        // Of an installer whose end is known, nothing is asked.
        let handed = Handed { ending: !has_begun, given_up, set_aside: 0 };
        hands.follow(client.policy());
        let (wakes, step) = (Arc::default(), Step::default());
        let (hands, observed) = (Arc::new(hands), Some(now));
        let backlog = Backlog::default();
        let client = Box::new(client);
        Ok(Agent { client, hands, store, wakes, observed, step, proof, handed, backlog })
    }

    /// What others may ask of this agent while it runs.
    #[must_use]
    pub fn view(&self) -> View {
        let refusals = self.hands.refusals.clone();
        View { client: self.hands.client, store: self.store.clone(), refusals }
    }

    /// Works until `shutdown`, or until a new version of the agent is to take its place. A running
    /// installer is left to the next life, or waited for where the machine does not leave any.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let (servers, wakes) = (self.hands.servers.clone(), self.wakes.clone());
        let stop = servers.stop.clone();
        let mut aside = JoinSet::new();
        aside.spawn(wake::listen(self.hands.ambient.clone(), servers, wakes.clone()));
        let stopping = stop.clone();
        aside.spawn(async move {
            shutdown.cancelled().await;
            stopping.cancel();
        });
        let mut local = JoinSet::new();
        let mut questions = self.open_socket(&mut local, &stop);
        let mut going = JoinSet::new();
        let ended = loop {
            if self.hands.makes_way.load(Ordering::Relaxed) {
                break Ok(());
            }
            match self.begin().await {
                Ok(works) => {
                    for work in works {
                        going.spawn(self.hands.clone().carry_out(work));
                    }
                }
                Err(error) => break Err(error),
            }
            let rest = self.rest();
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(ended) = going.join_next() => match ended {
                    Ok(Ok(outcomes)) => self.take(outcomes),
                    Ok(Err(Error::Stopping)) => break Ok(()),
                    Ok(Err(error)) => break Err(error),
                    // Work that panicked has no outcome; the next start finds out.
                    Err(failed) => break Err(Error::Work(failed)),
                },
                Some(asked) = questions.recv() => {
                    if let Err(error) = self.answer(asked).await {
                        break Err(error);
                    }
                }
                () = wakes.any() => {}
                () = tokio::time::sleep(rest) => {}
            }
        };
        if let Err(error) = &ended {
            let (reason, going) = (error_chain(error), going.len());
            tracing::error!(reason, going, "the agent ends, whatever goes on");
        }
        stop.cancel();
        let makes_way = self.hands.makes_way.load(Ordering::Relaxed);
        if self.hands.machine.leaves_installers() && !makes_way {
            self.hands.leaves.cancel();
        }
        while let Some(ended) = going.join_next().await {
            if let Ok(Ok(outcomes)) = ended {
                self.take(outcomes);
            }
        }
        // What came of the last work is kept for the next life, whatever ended this one.
        self.client.flush(self.hands.now());
        let kept = self.keep().await;
        while local.join_next().await.is_some() {}
        aside.shutdown().await;
        ended.and(kept)
    }

    /// One pass over whatever is due.
    pub async fn step(&mut self) -> Result<Step, Error> {
        self.step = Step::default();
        loop {
            let works = self.begin().await?;
            if works.is_empty() {
                break;
            }
            for work in works {
                let outcomes = self.hands.clone().carry_out(work).await?;
                self.take(outcomes);
            }
        }
        self.step.next = self.rest();
        Ok(self.step)
    }

    /// Work that may begin: what it relies on is durable.
    async fn begin(&mut self) -> Result<Vec<Work>, Error> {
        let now = self.hands.now();
        if self.wakes.take_policy() {
            self.client.want_policy(now);
        }
        if self.wakes.take_scan() {
            self.client.want_scan_soon(now);
        }
        if self.wakes.take_state() {
            self.client.want_everything();
        }
        let is_old = |at: Timestamp| !(0..limits::OBSERVED_MS).contains(&(now.0 - at.0));
        if self.observed.is_none_or(is_old) {
            self.client.observe(self.hands.surroundings(), now);
            self.observed = Some(now);
        }
        if self.backlog.failing().is_none() {
            self.tell_set_aside(now);
            self.backlog.wait(self.client.next(now));
        }
        self.keep().await?;
        let outdated = self.backlog.outdated();
        if !outdated.is_empty() {
            for work in outdated {
                self.client.tell(put_off(work), now);
            }
            self.backlog.wait(self.client.next(now));
            self.keep().await?;
        }
        Ok(self.backlog.ready())
    }

    fn tell_set_aside(&mut self, now: Timestamp) {
        for set_aside in self.hands.quarantine.untold(self.handed.set_aside) {
            self.handed.set_aside = set_aside.count;
            self.client.tell(Outcome::SetAside(set_aside), now);
        }
    }

    /// Makes durable what the client wants to be.
    pub(super) async fn keep(&mut self) -> Result<(), Error> {
        self.keep_with(Vec::new()).await
    }

    /// The same with something that the client does not know. What the disk does not take now
    /// waits, and nothing begins meanwhile.
    pub(super) async fn keep_with(&mut self, more: Vec<Keep>) -> Result<(), Error> {
        let mut keeps = self.client.take_keeps();
        keeps.extend(more);
        let keeps = self.backlog.take(keeps);
        if !keeps.is_empty()
            && let Err(error) = self.remember(keeps.clone()).await
        {
            if !error.is_of_disk() {
                return Err(error);
            }
            self.backlog.put_back(&keeps, error_chain(&error), self.hands.now());
            return Ok(());
        }
        self.backlog.written();
        self.let_forget();
        Ok(())
    }

    async fn remember(&mut self, keeps: Arc<[Keep]>) -> Result<(), Error> {
        let moments: Vec<Moment> = keeps.iter().map(Moment::of).collect();
        let is_policy = keeps.iter().any(|keep| matches!(keep, Keep::Policy(_)));
        let expired = keeps.iter().find_map(|keep| match keep {
            Keep::Event(event) if event.kind == EventKind::Policy => Some(event.text.clone()),
            _ => None,
        });
        moments.iter().for_each(|moment| failpoint(moment.before));
        self.store.keep(keeps).await?;
        if let Some(text) = expired {
            tracing::warn!(text, "the policy has expired");
        }
        if is_policy {
            let policy = self.client.policy();
            let (version, deployments) = (policy.version, policy.assignments.len());
            tracing::info!(version, deployments, "policy was accepted");
        }
        moments.iter().for_each(|moment| failpoint(moment.after));
        Ok(())
    }

    /// Others need not remember any more what the client does.
    fn let_forget(&mut self) {
        let Handed { ending, given_up, set_aside } = std::mem::take(&mut self.handed);
        self.hands.quarantine.told(set_aside);
        if ending {
            match self.hands.machine.forget_settled() {
                Ok(()) => failpoint("agent.ending_forgotten"),
                Err(error) => tracing::warn!(%error, "how an installer ended cannot be removed"),
            }
        }
        if given_up && let Err(error) = self.hands.releases.told() {
            let reason = error_chain(&error);
            tracing::warn!(reason, "that versions were given up is told again");
        }
    }

    fn take(&mut self, outcomes: Vec<Outcome>) {
        let now = self.hands.now();
        for outcome in outcomes {
            self.step.count(&outcome);
            if self.proof.as_mut().is_some_and(|proof| proof.is_given(&outcome)) {
                self.proof = None;
            }
            let is_policy = matches!(&outcome, Outcome::Policy(Some(_)));
            self.handed.ending |= matches!(&outcome, Outcome::Settled(_) | Outcome::Installed(..));
            if matches!(&outcome, Outcome::Restarting(_) | Outcome::Installed(..)) {
                self.observed = None;
            }
            self.client.tell(outcome, now);
            if is_policy {
                self.hands.follow(self.client.policy());
            }
        }
        for refused in self.hands.refusals.take_untold() {
            self.client.tell(Outcome::Refused(refused), now);
        }
    }

    /// How long nothing is due.
    fn rest(&self) -> Duration {
        let wait = |at: Timestamp| u64::try_from(at.0 - self.hands.now().0).unwrap_or(0);
        let rest = self.client.wake_at().map(|at| Duration::from_millis(wait(at)));
        let most = match self.backlog.failing() {
            Some(_) => return limits::FULL_RETRY,
            None => limits::SLEEP_MAX,
        };
        rest.unwrap_or(most).min(most)
    }
}

/// It is decided anew whether it is time for it.
fn put_off(work: Work) -> Outcome {
    let reason = "the disk took nothing when it was time".to_owned();
    match work {
        Work::Install(assigned) => {
            let ended = Ended::NotRun { code: BUSY, reason };
            Outcome::Installed(assigned, ended, Applicability::Applicable)
        }
        _ => Outcome::Restarting(Err(reason)),
    }
}

#[cfg(test)]
mod tests;
