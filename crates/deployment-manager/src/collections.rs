//! Full evaluations: collections whose members change only then, on their schedules.
//!
//! Owns when one is due. Refuses to know what rules mean: `deployment` does. What cannot be told
//! yet keeps the members it has, and is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{ClientId, Collection, Group, ObjectCode, Timestamp, error_chain};
use recurrence::Recurrence;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::census::read_census;
use crate::follow::unsettled;
use crate::limits::{COUNTS_AWAITED, FAILURE_PAUSE, LOOK_EVERY, PAUSE_FACTOR};
use crate::{DeploymentManager, Error};

/// What a look at the schedules did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// Collections that were evaluated.
    pub codes: Vec<ObjectCode>,
    /// When the next one is due, if nothing changes before.
    pub next: Option<Timestamp>,
}

type Members = Vec<(ObjectCode, Vec<ClientId>)>;

impl DeploymentManager {
    /// Evaluates what is due, until `shutdown`.
    pub(crate) async fn run_collections(&self, shutdown: &CancellationToken) {
        let mut objects = self.deps.db.watch(&[Group::Control]);
        loop {
            let started = tokio::time::Instant::now();
            let wait = match self.step_collections().await {
                Ok(evaluated) => self.until(evaluated.next),
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(error, "collections were not evaluated");
                    FAILURE_PAUSE
                }
            };
            let pause = started.elapsed() * PAUSE_FACTOR;
            let next = async {
                sleep(pause).await;
                // Nothing has to change for the next look.
                let _ = timeout(wait, objects.changed()).await;
            };
            if shutdown.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    /// Evaluates what is due.
    pub async fn step_collections(&self) -> Result<Evaluated, Error> {
        let db = &self.deps.db;
        let read = db.read(|r| match unsettled(r)? {
            Some(_) => Ok(None),
            None => Ok(Some((read_census(r)?, r.kept_at()?))),
        });
        let now = Timestamp(db.ambient().now_ms());
        let soon = now.plus_ms(i64::try_from(COUNTS_AWAITED.as_millis()).unwrap_or(i64::MAX));
        let Some((mut census, mut kept_at)) = read.await.map_err(Error::ReadWorld)? else {
            return Ok(Evaluated { codes: Vec::new(), next: Some(soon) });
        };
        let times = due_times(census.rulebook.collections(), &kept_at);
        let due: Vec<ObjectCode> =
            times.iter().filter(|(_, at)| **at <= now).map(|(code, _)| code.clone()).collect();
        census.forget(&due);
        let found = self.deps.board.read(|board| {
            let (members, roster) = (census.on(board), board.roster());
            let told = due.iter().filter_map(|code| Some((code.clone(), members.of(code).ok()?)));
            told.map(|(code, set)| (code, roster.clients(set).collect())).collect::<Members>()
        });
        let found = found.unwrap_or_default();
        let codes: Vec<ObjectCode> = found.iter().map(|(code, _)| code.clone()).collect();
        let gone = kept_at.keys().filter(|code| !times.contains_key(code)).cloned().collect();
        if !self.keep(census.rulebook.collections(), found, gone).await? {
            return Ok(Evaluated { codes: Vec::new(), next: Some(soon) });
        }
        kept_at.extend(codes.iter().map(|code| (code.clone(), now)));
        let times = due_times(census.rulebook.collections(), &kept_at);
        let next = times.into_values().map(|at| if at <= now { soon } else { at }).min();
        Ok(Evaluated { codes, next: next.filter(|at| at.0 < i64::MAX) })
    }

    /// Says whether they were kept: not if rules have changed since they were read.
    async fn keep(
        &self,
        read: &BTreeMap<ObjectCode, Collection>,
        found: Members,
        gone: Vec<ObjectCode>,
    ) -> Result<bool, Error> {
        if found.is_empty() && gone.is_empty() {
            return Ok(true);
        }
        let read = read.clone();
        let kept = self.deps.db.write(move |w| {
            let listed = w.list::<Collection>()?.into_iter();
            let now: BTreeMap<_, _> =
                listed.map(|(_, collection)| (collection.code.clone(), collection)).collect();
            if now != read {
                return Ok(false);
            }
            found.iter().try_for_each(|(code, members)| w.keep_members(code, members))?;
            gone.iter().try_for_each(|code| w.drop_members(code))?;
            Ok(true)
        });
        kept.await.map_err(Error::KeepPlan)
    }

    fn until(&self, next: Option<Timestamp>) -> Duration {
        let now = self.deps.db.ambient().now_ms();
        let ms = next.map(|next| u64::try_from(next.0.saturating_sub(now)).unwrap_or(0));
        ms.map_or(LOOK_EVERY, |ms| Duration::from_millis(ms).min(LOOK_EVERY))
    }
}

/// When collections that are evaluated on a schedule are due: at once if they never were.
fn due_times(
    collections: &BTreeMap<ObjectCode, Collection>,
    kept_at: &BTreeMap<ObjectCode, Timestamp>,
) -> BTreeMap<ObjectCode, Timestamp> {
    let scheduled = collections.iter().filter(|(_, one)| !one.is_incremental);
    let times = scheduled.map(|(code, one)| {
        let at = match kept_at.get(code) {
            None => Timestamp(i64::MIN),
            Some(last) => after(one, *last).unwrap_or(Timestamp(i64::MAX)),
        };
        (code.clone(), at)
    });
    times.collect()
}

/// None: never again, or by a rule that this version cannot read.
fn after(collection: &Collection, last: Timestamp) -> Option<Timestamp> {
    let rule: Recurrence = collection.full_at.as_ref()?.parse().ok()?;
    rule.after(last)
}
