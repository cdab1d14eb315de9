//! The loop that carries out what [`plan_due`] and [`plan_next`] decide.
//!
//! Owns the effects of each step and the memory that may be lost: which other update points had
//! their turn, and when to try again. Everything else is in the site database before it is acted
//! on.

mod effects;
mod errands;
mod imports;
mod replicas;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::{Group, RoleId, RoleRecord, Sha256, Timestamp, error_chain};
use site_db::{Changes, SiteDb, SyncRequest, SyncRun, SyncSchedule, SyncStep, Writer};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use transport::Backoff;

use crate::Error;
use crate::limits::{
    CANCELLED_MS, LOOK_EVERY, LOSSES_MAX, RETRY_JITTER_PERCENT, RETRY_MAX, RETRY_MIN,
};
use crate::machine::{Event, Place, opening, plan_next};
use crate::outlook::{Due, Outlook, plan_due};
use crate::rulings::Rulings;
use crate::session::{Order, Sessions};

#[derive(Debug)]
pub(crate) struct Synchronizer {
    db: SiteDb,
    sessions: Arc<Sessions>,
    rulings: Arc<Rulings>,
    from_parent: watch::Receiver<u64>,
    to_children: watch::Sender<u64>,
    place: Place,
    local: Changes,
    catalog: Changes,
    points: watch::Receiver<u64>,
    backoff: Backoff,
    hold_until: Option<Timestamp>,
    next_look: Instant,
    turn: Turn,
}

/// What is remembered of the run under way.
#[derive(Debug, Default)]
struct Turn {
    /// The order that a cancellation has to stop.
    order: Option<(RoleId, u64)>,
    /// The set the first update point says it holds.
    set: Option<(Sha256, u64)>,
    replica: Option<RoleRecord>,
    tried: BTreeSet<RoleId>,
    failures: usize,
    losses: u32,
    messaged_at: Option<Timestamp>,
}

impl Synchronizer {
    pub(crate) fn new(
        db: SiteDb,
        sessions: Arc<Sessions>,
        rulings: Arc<Rulings>,
        (from_parent, to_children): (watch::Receiver<u64>, watch::Sender<u64>),
    ) -> Result<Synchronizer, Error> {
        Ok(Synchronizer {
            place: if db.identity().is_top() { Place::Top } else { Place::Child },
            local: db.watch(&[]),
            catalog: db.watch(&[Group::Catalog, Group::Topology]),
            points: sessions.watch(),
            backoff: Backoff::new(RETRY_MIN, RETRY_MAX, RETRY_JITTER_PERCENT)?,
            hold_until: None,
            next_look: Instant::now() + LOOK_EVERY,
            turn: Turn::default(),
            db,
            sessions,
            rulings,
            from_parent,
            to_children,
        })
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let work = async {
            let mut started = self.start().await;
            loop {
                let done = match started {
                    Ok(()) => self.step().await,
                    Err(error) => Err(error),
                };
                started = Ok(());
                if let Err(error) = done {
                    tracing::error!(error = %error_chain(&error), "synchronization stumbled");
                    sleep(RETRY_MIN).await;
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
    }

    /// Child sites are told again what they shall have; a failure is tried again.
    async fn start(&mut self) -> Result<(), Error> {
        let (complete, last) =
            self.db.read(|r| Ok::<_, Error>((r.complete_version()?, r.sync_run()?))).await?;
        self.tell_children(complete);
        if last.is_some_and(|last| last.step == SyncStep::Failed) {
            self.hold_until = Some(self.after(self.backoff.clone().wait(self.db.ambient())));
        }
        Ok(())
    }

    /// One event of the run under way, one import or errand, or a wait until something is due.
    async fn step(&mut self) -> Result<(), Error> {
        let last = self.db.read(|r| r.sync_run()).await?;
        if let Some(run) = last.clone().filter(|run| !run.step.is_ended()) {
            return self.go_on(run).await;
        }
        // Only between runs: a run compares the catalog with what it brought, and this adds to it.
        if self.hand_over_import().await? || self.run_errand().await? {
            return Ok(());
        }
        match plan_due(&self.outlook(last).await?, self.now()) {
            Due::Now(request) => self.begin(request).await,
            Due::At(at) => {
                let wait = u64::try_from(at.0 - self.now().0).unwrap_or(0);
                self.wait(Duration::from_millis(wait)).await;
                Ok(())
            }
            Due::Never => {
                self.wait(LOOK_EVERY).await;
                Ok(())
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.db.ambient().now_ms())
    }

    fn after(&self, wait: Duration) -> Timestamp {
        self.now().plus_ms(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
    }

    async fn outlook(&self, last: Option<SyncRun>) -> Result<Outlook, Error> {
        let (place, hinted) = (self.place, *self.from_parent.borrow());
        let (hold_until, is_looking) = (self.hold_until, Instant::now() >= self.next_look);
        let sessions = Arc::clone(&self.sessions);
        let read = move |r: &site_db::Reader<'_>| {
            let points = r.update_points(r.identity().code())?;
            let connected = points.first().filter(|first| sessions.is_connected(first.id));
            let first = connected.map(|first| r.sync_point(first.id)).transpose()?;
            let settled = r.is_settled(Group::Catalog)?;
            let catalog = r.catalog_version()?.filter(|_| settled);
            Ok(Outlook {
                place,
                request: r.sync_request()?,
                schedule: schedule(r),
                last,
                complete: r.complete_version()?,
                catalog: catalog.map_or(0, |catalog| catalog.version),
                first: first.map(|first| first.version),
                has_points: !points.is_empty(),
                hinted,
                hold_until,
                is_looking,
            })
        };
        self.db.read(read).await
    }

    /// Until anything changes that a decision depends on, at most `longest`.
    async fn wait(&mut self, longest: Duration) {
        let now = Instant::now();
        if now >= self.next_look {
            self.next_look = now + LOOK_EVERY;
        }
        let wake = self.next_look.min(now + longest);
        let from_parent = &mut self.from_parent;
        let hinted = async {
            if from_parent.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = self.local.changed() => {}
            () = self.catalog.changed() => {}
            _ = self.points.changed() => {}
            () = hinted => {}
            () = sleep_until(wake) => {}
        }
    }

    async fn begin(&mut self, request: SyncRequest) -> Result<(), Error> {
        self.turn = Turn::default();
        let (point, source) = self.names().await?;
        let (place, full) = (self.place, request.is_full);
        let begin = move |w: &Writer<'_>| {
            let run = w.begin_sync(&request)?;
            for message in opening(&run, &point, &source) {
                w.append_status(&message.at(w.identity().code(), w.now()))?;
            }
            Ok::<_, Error>(run.number)
        };
        let number = self.db.write(begin).await?;
        tracing::info!(run = number, ?place, full, "synchronization started");
        Ok(())
    }

    /// Carries out the step a run stands at, and records what came of it.
    async fn go_on(&mut self, mut run: SyncRun) -> Result<(), Error> {
        let db = self.db.clone();
        let done = tokio::select! {
            biased;
            by = cancelled(&db) => Ok(Event::Cancelled { by: by? }),
            done = self.perform(&mut run) => done,
        };
        let event = match done {
            Ok(event) => event,
            // The update point comes back, and the step starts over.
            Err(Error::PointLost) if self.turn.losses < LOSSES_MAX => {
                self.turn.losses += 1;
                return Ok(());
            }
            Err(error) => Event::Failed { cause: error_chain(&error) },
        };
        if let (Event::Cancelled { .. }, Some((role, order))) = (&event, self.turn.order) {
            // If it is not connected any more, there is nothing to stop.
            let _ = self.sessions.send_more(role, order, Order::Cancel { order }).await;
        }
        let recorded = match self.record(run.clone(), event).await {
            Err(error @ Error::Sets { .. }) => {
                self.forget_anchor().await?;
                self.record(run, Event::Failed { cause: error_chain(&error) }).await
            }
            recorded => recorded,
        };
        self.conclude(&recorded?);
        Ok(())
    }

    /// The step after `event` and its message, in one transaction.
    async fn record(&self, mut run: SyncRun, event: Event) -> Result<SyncRun, Error> {
        let (point, _) = self.names().await?;
        let (place, set) = (self.place, self.turn.set);
        let record = move |w: &Writer<'_>| {
            if (run.step, &event) == (SyncStep::Database, &Event::Complete) {
                run.version = complete_catalog(w, set)?;
            }
            let elapsed_ms = w.now().0 - run.started_at.0;
            let next = plan_next((place, &point), &run, &event, elapsed_ms)?;
            if (run.step, next.step) != (next.step, SyncStep::Replicas)
                && next.step == SyncStep::Replicas
            {
                w.set_complete_version(run.version)?;
            }
            if run.step != next.step {
                (run.phase, run.done, run.total) = Default::default();
            }
            (run.step, run.cause) = (next.step, next.cause);
            run.ended_at = run.step.is_ended().then(|| w.now());
            w.save_sync(&run)?;
            if let Some(message) = next.message {
                w.append_status(&message.at(w.identity().code(), w.now()))?;
            }
            Ok(run)
        };
        self.db.write(record).await
    }

    fn conclude(&mut self, run: &SyncRun) {
        ambient::failpoint("sync.step");
        self.turn.losses = 0;
        self.turn.order = None;
        if !run.step.is_ended() {
            return;
        }
        tracing::info!(
            run = run.number,
            step = run.step.as_str(),
            version = run.version,
            updates_changed = run.updates_changed,
            cause = run.cause,
            "synchronization ended"
        );
        self.hold_until = match (run.step, self.place) {
            (SyncStep::Failed, _) => {
                let wait = self.backoff.wait(self.db.ambient());
                Some(self.after(wait))
            }
            (SyncStep::Cancelled, Place::Child) => Some(self.now().plus_ms(CANCELLED_MS)),
            _ => {
                self.backoff.reset();
                None
            }
        };
    }

    fn tell_children(&self, version: u64) {
        self.to_children.send_if_modified(|told| {
            let news = version > *told;
            *told = version.max(*told);
            news
        });
    }
}

/// The schedule, unless it cannot be read any more; requests and retries go on without it.
fn schedule(r: &site_db::Reader<'_>) -> Option<SyncSchedule> {
    r.sync_schedule().unwrap_or_else(|error| {
        tracing::error!(error = %error_chain(&error), "nothing synchronizes by itself");
        None
    })
}

/// The version of the items as they stand, if they are what the update point says it holds.
fn complete_catalog(w: &Writer<'_>, set: Option<(Sha256, u64)>) -> Result<u64, Error> {
    let version = w.complete_catalog()?;
    let Some((digest, found)) = set else { return Ok(version) };
    let (wanted, mine) = match w.catalog_version()? {
        Some(catalog) => (catalog.items, catalog.set_digest),
        None => (0, model::set_digest([])),
    };
    if mine != digest {
        return Err(Error::Sets { version, found, wanted });
    }
    Ok(version)
}

/// Returns once somebody wants the run under way to end.
async fn cancelled(db: &SiteDb) -> Result<String, Error> {
    let mut changes = db.watch(&[]);
    loop {
        if let Some(by) = db.read(|r| r.sync_cancel()).await? {
            return Ok(by);
        }
        changes.changed().await;
    }
}
