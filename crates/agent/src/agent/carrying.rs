//! Carrying out what the client's machine asks for.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ambient::Ambient;
use client::cache_rules::Occasion;
use client::fallback::{Fetching, Known, Public as Publicly};
use client::policy::Policy;
use client::throttle::Throttle;
use client::{Arrived, Outcome, Surroundings, Work, WriteFilter};
use content_library::ContentLibrary;
use model::{AssignedFile, ClientId, Form, RoleKind, Timestamp, error_chain};
use tokio_util::sync::CancellationToken;

use super::Config;
use crate::Error;
use crate::agent_update::Releases;
use crate::cache::{Cache, Copy};
use crate::calls::{ManagementPoint, addresses, first_of, first_to_answer};
use crate::content::Room;
use crate::download::{Downloads, End, Public};
use crate::fetcher::Downloader;
use crate::foreign::Foreign;
use crate::inventory::Told;
use crate::machine::{Filter, FilterState, Machine};
use crate::quarantine::Quarantine;
use crate::servers::Servers;
use crate::summary::Refusals;

/// Everything work needs; lanes share it.
#[derive(Debug)]
pub(super) struct Hands {
    pub(super) config: Config,
    pub(super) releases: Releases,
    /// A new version of the agent is to take the place of this one.
    pub(super) makes_way: AtomicBool,
    /// The agent ends, and does not wait for installers.
    pub(super) leaves: CancellationToken,
    pub(super) ambient: Ambient,
    pub(super) client: ClientId,
    pub(super) machine: Arc<dyn Machine>,
    pub(super) servers: Arc<Servers>,
    pub(super) public: Public,
    pub(super) downloader: Downloader,
    /// What that is, and what it lacks, for people.
    pub(super) reader: String,
    pub(super) library: ContentLibrary,
    pub(super) cache: Cache,
    pub(super) quarantine: Quarantine,
    /// Of documents in use; none before the first one is complete. Only the lane of scans and
    /// installers touches it.
    pub(super) copy: Mutex<Option<Copy>>,
    /// Out of use; it goes once the client remembers the new one.
    pub(super) stale: Mutex<Option<Copy>>,
    pub(super) refusals: Refusals,
    pub(super) room: Room,
    /// Which start of the system it was last.
    pub(super) boot: Mutex<String>,
    /// As it was when the agent began.
    pub(super) filter: WriteFilter,
    /// The update service outside of the hierarchy that scans go to instead of an update point.
    pub(super) foreign: Option<tokio::sync::Mutex<Foreign>>,
    pub(super) told: tokio::sync::Mutex<Told>,
}

impl Hands {
    pub(super) async fn carry_out(self: Arc<Self>, work: Work) -> Result<Vec<Outcome>, Error> {
        let outcome = match work {
            Work::AskPolicy(asking) => Outcome::Policy(self.ask_policy(&asking).await?),
            Work::Send(report) => Outcome::Sent(report.serial_to, self.send(&report).await?),
            Work::Describe(incarnation) => Outcome::Described(self.describe(incarnation).await?),
            Work::Scan(scanning) => Outcome::Scanned(Box::new(self.scan(scanning).await?)),
            Work::Settle(updates, limit_ms) => {
                let limit = Duration::from_millis(limit_ms.unsigned_abs());
                Outcome::Settled(self.stay(self.settle(updates, limit)).await?)
            }
            Work::Inspect(asked) => {
                let missing = self.library.missing(asked.clone()).await?;
                Outcome::Inspected { asked, missing }
            }
            Work::Fetch(files) => self.fetch(files).await?,
            Work::Detect(assigned) => {
                let verdict = self.detect(&assigned).await;
                Outcome::Detected(assigned, verdict)
            }
            Work::Install(assigned) => {
                let (ended, detected) = self.stay(self.install(&assigned)).await?;
                Outcome::Installed(assigned, ended, detected)
            }
            Work::Notify(remaining) => {
                self.notify(remaining).await;
                Outcome::Notified
            }
            Work::SetFilter { is_open } => {
                let wish = if is_open { Filter::Open } else { Filter::Close };
                let result = self.machine.write_filter(wish).await;
                let result = result.map(drop).map_err(|error| error.to_string());
                Outcome::FilterSet { is_open, result }
            }
            Work::Restart => {
                tracing::info!("the system is told to restart");
                let result = self.machine.restart().await.map_err(|error| error.to_string());
                Outcome::Restarting(result)
            }
        };
        Ok(vec![outcome])
    }

    /// Until it is done, or the agent ends and an installer goes on without it. Whatever it is left
    /// in is what the end of the process leaves at any time.
    async fn stay<T>(&self, work: impl Future<Output = T>) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.leaves.cancelled() => Err(Error::Stopping),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.ambient.now_ms())
    }

    /// What policy means for servers and content.
    pub(super) fn follow(&self, policy: &Policy) {
        self.servers.list(&policy.servers);
        self.servers.pace.follow(Throttle::of(&policy.options), &self.machine.zone());
        self.room.follow(policy);
    }

    /// What cannot be removed is no reason to fetch nothing.
    async fn make_room(&self, occasion: Occasion) {
        if let Err(error) = self.room.make(&self.library, occasion, self.now()).await {
            let reason = error_chain(&error);
            tracing::warn!(reason, "the content cache cannot be looked through");
        }
    }

    pub(super) fn copy(&self) -> Option<Copy> {
        self.copy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the computer is now; what cannot be told is as if it were not so.
    pub(super) fn surroundings(&self) -> Surroundings {
        Surroundings {
            boot: self.boot(),
            zone: self.machine.zone(),
            is_server: self.machine.form() == Form::Server,
            has_users: self.machine.users().is_ok_and(|users| !users.is_empty()),
            asks_for_restart: self.machine.asks_for_restart().unwrap_or(false),
            filter: self.filter,
        }
    }

    /// Which start of the system it is; as before, where that cannot be read now.
    fn boot(&self) -> String {
        let mut known = self.boot.lock().unwrap_or_else(PoisonError::into_inner);
        match self.machine.boot() {
            Ok(boot) => boot.clone_into(&mut known),
            Err(error) => tracing::warn!(reason = %error, "the start of the system is not known"),
        }
        known.clone()
    }

    async fn fetch(&self, wanted: Vec<Fetching>) -> Result<Outcome, Error> {
        let known = self.find(&wanted).await?;
        let coming = wanted.iter().map(|wanted| wanted.file.size).fold(0, u64::saturating_add);
        self.make_room(Occasion::Coming(coming)).await;
        let carriers = |wanted: Fetching| {
            let carriers = wanted.carriers(&known);
            (wanted.file, carriers)
        };
        let wanted = wanted.into_iter().map(carriers).collect();
        let (mut fetched, mut troubles, mut is_full) = (Vec::new(), Vec::new(), false);
        let Hands { servers, public, downloader, library, refusals, .. } = self;
        let downloads = Downloads { servers, public, downloader, library, refusals };
        for file in downloads.fetch_all(wanted).await {
            is_full |= file.lacks_room();
            match (file.trouble(), file.end) {
                (_, End::Stopped) => return Err(Error::Stopping),
                (_, End::Here { from }) => fetched.push(Arrived { file: file.file, from }),
                (Some(trouble), _) => troubles.push((file.file.sha256, trouble)),
                (None, _) => {}
            }
        }
        if is_full {
            self.make_room(Occasion::DiskFull).await;
        }
        Ok(Outcome::Fetched { files: fetched, troubles })
    }

    /// Who has the files, as far as somebody knows.
    async fn find(&self, wanted: &[Fetching]) -> Result<Known, Error> {
        let (servers, mut known) = (&*self.servers, Known::default());
        let public: Vec<&Fetching> =
            wanted.iter().filter(|wanted| wanted.public != Publicly::Never).collect();
        if !public.is_empty() {
            let (kind, public) = (RoleKind::SoftwareUpdatePoint, &public[..]);
            let ask = |server| async move { addresses(servers, &server, public).await };
            known.addresses = first_of(servers, kind, "no addresses of content", ask).await?;
        }
        let files: Vec<AssignedFile> = wanted
            .iter()
            .filter(|wanted| wanted.needs_points(&known))
            .map(|wanted| wanted.file.clone())
            .collect();
        if !files.is_empty() {
            let files = &files[..];
            let locate = |server| async move {
                ManagementPoint::new(servers, &server)?.locations(files).await
            };
            known.points = first_to_answer(servers, "no locations of content", locate).await?;
        }
        Ok(known)
    }

    async fn notify(&self, remaining: Option<i64>) {
        let notice = match remaining {
            Some(ms) => format!(
                "Updates were installed. This computer restarts in {} minutes; save your work.",
                (ms + 59_999) / 60_000
            ),
            None => "Updates were installed that need a restart of this computer.".to_owned(),
        };
        if let Err(error) = self.machine.notify(&notice).await {
            tracing::info!(reason = %error_chain(&error), "nobody could be told of the restart");
        }
    }
}

/// How the write filter stands; without one, and where it cannot be told, what is written stays.
pub(super) async fn filter(machine: &dyn Machine) -> WriteFilter {
    match machine.write_filter(Filter::Ask).await {
        Ok(FilterState::Open) => WriteFilter::Open,
        Ok(FilterState::Closed) => WriteFilter::Closed,
        Ok(FilterState::Absent) => WriteFilter::Absent,
        Err(error) => {
            tracing::warn!(reason = %error, "the write filter cannot be asked; as if absent");
            WriteFilter::Absent
        }
    }
}
