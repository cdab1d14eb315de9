//! The pass: read the world, plan, keep the parts, say which clients have new policy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deployment::plan_assignments;
use model::{ClientId, Group, error_chain};
use site_db::{HeadPart, Writer};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::heads::Planned;
use crate::limits::{FAILURE_PAUSE, LOOK_EVERY, PARTS_KEPT_MS, PAUSE_FACTOR};
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

impl DeploymentManager {
    /// Plans whenever something changed, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let groups = [Group::Control, Group::Topology, Group::Catalog, Group::Clients];
        let mut objects = self.deps.db.watch(&groups);
        let mut settings = self.deps.db.watch(&[]);
        let mut look_at = Instant::now();
        loop {
            let pause = self.pass(&mut look_at).await;
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
                let _ = timeout(LOOK_EVERY, changed).await;
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

    /// Makes one pass.
    pub async fn step(&self) -> Result<Step, Error> {
        let (db, config) = (&self.deps.db, self.config);
        // What changes after this brings the next pass.
        let map = db.boundary_map().await.map_err(Error::ReadWorld)?;
        let read = db.read(move |r| Ok((read_world(r, config, &map)?, r.head_parts()?)));
        let (world, heads) = read.await.map_err(Error::ReadWorld)?;
        let plan = match world {
            Ok(world) => plan_assignments(&world),
            Err(group) => return Ok(Step::Waiting(group)),
        };
        if self.planned().is_some_and(|before| before.plan == plan) {
            return Ok(Step::Unchanged);
        }
        let (planned, bytes) = Planned::new(plan);
        let (planned, kept) = (Arc::clone(&planned), planned);
        db.write(move |w| keep(w, &kept, &bytes)).await.map_err(Error::KeepPlan)?;
        let outdated = outdated(&planned, &heads);
        self.set_planned(planned);
        (self.deps.wake)(&outdated);
        Ok(Step::Planned { woken: outdated.len() })
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
    for (name, bytes) in planned.names.iter().zip(bytes) {
        w.put_part(name, bytes)?;
    }
    let outcomes = planned.plan.deployments.iter();
    w.set_outcomes(&outcomes.map(|(id, outcome)| (*id, outcome.to_string())).collect())
}

/// The clients whose newest head is not what the plan says.
fn outdated(planned: &Planned, heads: &BTreeMap<ClientId, Vec<HeadPart>>) -> Vec<ClientId> {
    let differs = |client: &&deployment::ClientPlan| {
        let old = heads.get(&client.client).map_or(&[][..], Vec::as_slice);
        planned.parts(client, old) != old
    };
    planned.plan.clients.iter().filter(differs).map(|client| client.client).collect()
}
