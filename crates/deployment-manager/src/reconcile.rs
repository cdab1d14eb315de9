//! The pass: read the world, plan, keep the parts, say which clients have new policy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deployment::Planner;
use model::{ClientId, Group, Timestamp, error_chain};
use site_db::{HeadPart, Writer};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::follow::{Few, Trail, unsettled};
use crate::heads::Planned;
use crate::limits::{
    COUNTS_AWAITED, FAILURE_PAUSE, LOOK_EVERY, PARTS_KEPT_MS, PAUSE_FACTOR, STATES_EVERY,
};
use crate::world::read_world;
use crate::{DeploymentManager, Error};

/// What a pass did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This group is not settled here: everything stays as it is.
    Waiting(Group),
    /// The plan is what it was.
    Unchanged,
    /// There is another plan, and this many clients have new policy.
    Planned { woken: usize },
}

impl Step {
    fn of(is_same: bool, woken: &[ClientId]) -> Step {
        if is_same { Step::Unchanged } else { Step::Planned { woken: woken.len() } }
    }
}

impl DeploymentManager {
    /// Plans policy, runs rules, leads phased deployments and watches alerts, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        tokio::join!(
            self.run_policy(&shutdown),
            self.run_collections(&shutdown),
            self.run_rules(&shutdown),
            self.run_phases(&shutdown),
            self.run_alerts(&shutdown),
        );
    }

    /// Plans whenever something changed.
    async fn run_policy(&self, shutdown: &CancellationToken) {
        let groups = [Group::Control, Group::Topology, Group::Catalog, Group::Clients];
        let mut objects = self.deps.db.watch(&groups);
        let mut settings = self.deps.db.watch(&[]);
        let mut look_at = Instant::now();
        loop {
            let pause = self.pass(&mut look_at).await;
            let rest = self.rest();
            let changed = async {
                tokio::select! {
                    biased;
                    () = objects.changed() => {}
                    () = settings.changed() => {}
                }
            };
            let next = async {
                sleep(pause).await;
                // Nothing has to change for the next pass.
                let _ = timeout(rest, changed).await;
            };
            if shutdown.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    /// Makes a pass, and from `look_at` on looks after the parts; answers how long to rest.
    async fn pass(&self, look_at: &mut Instant) -> Duration {
        let started = Instant::now();
        let mut step = self.step().await.map(drop);
        if step.is_ok() && started >= *look_at {
            *look_at = started + LOOK_EVERY;
            step = self.drop_parts().await;
        }
        match step {
            Ok(()) => started.elapsed() * PAUSE_FACTOR,
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "policy was not planned");
                FAILURE_PAUSE
            }
        }
    }

    /// Makes one pass: of clients that changed alone if nothing else did.
    pub async fn step(&self) -> Result<Step, Error> {
        if let Some((planned, mut few)) = self.changed().await? {
            few.gone.retain(|client| planned.client(*client).is_some());
            if few.is_nobody() {
                self.follow(few);
                return Ok(Step::Unchanged);
            }
            let mut planned = Planned::clone(&planned);
            let woken = planned.planner.apply(&few.audience, &few.gone);
            let is_same = woken.as_ref().is_some_and(Vec::is_empty) && few.gone.is_empty();
            if let Some(woken) = woken {
                if !is_same {
                    self.put_to_use(planned, &woken).await?;
                }
                self.follow(few);
                return Ok(Step::of(is_same, &woken));
            }
        }
        self.step_whole().await
    }

    fn follow(&self, few: Few) {
        if let Some(trail) = self.trail().as_mut() {
            trail.follow(few);
        }
    }

    /// Who changed since the last pass; None: everything has to be planned.
    async fn changed(&self) -> Result<Option<(Arc<Planned>, Few)>, Error> {
        let (Some(planned), Some(trail)) = (self.planned(), self.trail().take()) else {
            return Ok(None);
        };
        let (db, board) = (&self.deps.db, self.deps.board.clone());
        let map = db.boundary_map().await.map_err(Error::ReadWorld)?;
        let read = db.read(move |r| Ok((trail.changed(r, &map, &board)?, trail)));
        let (few, trail) = read.await.map_err(Error::ReadWorld)?;
        *self.trail() = Some(trail);
        Ok(few.map(|few| (planned, few)))
    }

    async fn step_whole(&self) -> Result<Step, Error> {
        let (db, config, board) = (&self.deps.db, self.config, self.deps.board.clone());
        let before = self.trail().as_ref().map(Trail::row);
        // What changes after this brings the next pass.
        let map = db.boundary_map().await.map_err(Error::ReadWorld)?;
        let read = db.read(move |r| match unsettled(r)? {
            Some(group) => Ok(Err(group)),
            None => Ok(Ok((read_world(r, config, &map, &board, before)?, r.head_parts()?))),
        });
        let ((world, trail), heads) = match read.await.map_err(Error::ReadWorld)? {
            Ok(read) => read,
            Err(group) => return Ok(Step::Waiting(group)),
        };
        let mut planned = Planned::new(Planner::new(&world));
        let trail = trail.until(planned.plan().next_change);
        if let Some(before) = self.planned().filter(|before| before.plan() == planned.plan()) {
            // The same for whoever is here. Who comes is planned by what the world is now.
            planned.names.clone_from(&before.names);
            self.set_planned(Arc::new(planned));
            *self.trail() = Some(trail);
            return Ok(Step::Unchanged);
        }
        let bytes = planned.name_parts();
        let outdated = outdated(&planned, &heads);
        self.keep_plan(planned, bytes).await?;
        *self.trail() = Some(trail);
        (self.deps.wake)(&outdated);
        Ok(Step::Planned { woken: outdated.len() })
    }

    async fn put_to_use(&self, mut planned: Planned, woken: &[ClientId]) -> Result<(), Error> {
        let bytes = planned.name_parts();
        self.keep_plan(planned, bytes).await?;
        (self.deps.wake)(woken);
        Ok(())
    }

    /// Keeps the parts that are new, whose bytes these are, before any head names them.
    async fn keep_plan(&self, planned: Planned, bytes: Vec<Vec<u8>>) -> Result<(), Error> {
        let planned = Arc::new(planned);
        let kept = Arc::clone(&planned);
        self.deps.db.write(move |w| keep(w, &kept, &bytes)).await.map_err(Error::KeepPlan)?;
        self.set_planned(planned);
        Ok(())
    }

    /// How long nothing has to be planned again if nothing changes.
    fn rest(&self) -> Duration {
        let now = self.deps.db.ambient().now_ms();
        let change = self.planned().and_then(|planned| planned.plan().next_change);
        let until = |at: Timestamp| u64::try_from(at.0.saturating_sub(now)).unwrap_or(0);
        let rest = change.map_or(LOOK_EVERY, |at| Duration::from_millis(until(at)).min(LOOK_EVERY));
        // What could not be planned when it was due is tried again, but not without a rest.
        let rest = rest.max(COUNTS_AWAITED);
        match self.trail().as_ref() {
            Some(trail) if trail.awaits_board() => rest.min(COUNTS_AWAITED),
            Some(trail) if trail.asks_states() => rest.min(STATES_EVERY),
            _ => rest,
        }
    }

    /// Notes which parts are in use and drops those that were not for long.
    async fn drop_parts(&self) -> Result<(), Error> {
        let planned = self.planned();
        let dropped = self.deps.db.write(move |w| {
            w.touch_parts(planned.as_ref().map_or(&[], |planned| planned.names.as_slice()))?;
            w.drop_parts(w.now().plus_ms(-PARTS_KEPT_MS))
        });
        dropped.await.map(drop).map_err(Error::KeepPlan)
    }
}

fn keep(w: &Writer<'_>, planned: &Planned, bytes: &[Vec<u8>]) -> Result<(), site_db::Error> {
    let new = &planned.names[planned.names.len() - bytes.len()..];
    for (name, bytes) in new.iter().zip(bytes) {
        w.put_part(name, bytes)?;
    }
    let outcomes = planned.plan().deployments.iter();
    w.set_outcomes(&outcomes.map(|(id, outcome)| (*id, outcome.to_string())).collect())
}

/// The clients whose newest head is not what the plan says.
fn outdated(planned: &Planned, heads: &BTreeMap<ClientId, Vec<HeadPart>>) -> Vec<ClientId> {
    let differs = |client: &&deployment::ClientPlan| {
        let old = heads.get(&client.client).map_or(&[][..], Vec::as_slice);
        planned.parts(client, old) != old
    };
    planned.plan().clients.iter().filter(differs).map(|client| client.client).collect()
}
