//! Alerts of deployments of which too few computers comply in time.
//!
//! Owns when that is looked at, and says it once: a status message when an alert is raised, none
//! while it stands or when it ends. Refuses to know who reads it. While the board is warming up
//! nothing is counted. A look that fails is logged and made again.
//!
//! | number | meaning | strings |
//! | --- | --- | --- |
//! | 60140 | fewer computers comply than its alert says | id, name, compliant, targeted, percent |

use std::collections::{BTreeMap, BTreeSet};

use compliance::{Board, LiveItem};
use deployment::Memberships;
use model::{Deployment, DeploymentId, Severity, StatusMessage, TimeBasis, Timestamp};
use site_db::{Reader, Writer};
use tokio_util::sync::CancellationToken;

use crate::census::read_census;
use crate::{DeploymentManager, Error};

const COMPONENT: &str = "SMS_DEPLOYMENT_MANAGER";

const FALLS_SHORT: u32 = 60_140;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// By when the last clock on earth shows a time, after it is that time in UTC.
const LAST_CLOCK_MS: i64 = 12 * 60 * 60 * 1000;

/// A deployment of this site with an alert, and the updates that count.
struct Watched {
    deployment: Deployment,
    /// None: not everything that says so is here.
    items: Option<Vec<LiveItem>>,
}

/// What a look at a deployment found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    compliant: u64,
    targeted: u64,
}

/// When an alert may be raised.
fn due_at(deployment: &Deployment) -> Option<Timestamp> {
    let days = i64::from(deployment.alert?.after_days);
    let local = match deployment.basis {
        TimeBasis::Utc => 0,
        TimeBasis::ClientLocal => LAST_CLOCK_MS,
    };
    let from = deployment.deadline.unwrap_or(deployment.available_at);
    Some(from.plus_ms(days * DAY_MS + local))
}

/// Whether fewer comply than it says. Of nobody, none fails.
fn falls_short(deployment: &Deployment, Count { compliant, targeted }: Count) -> bool {
    let percent = deployment.alert.map_or(0, |alert| u64::from(alert.below_percent));
    compliant * 100 < percent * targeted
}

impl DeploymentManager {
    /// Looks at the alerts of this site's deployments, until `shutdown`.
    pub(crate) async fn run_alerts(&self, shutdown: &CancellationToken) {
        self.look_after("alerts", shutdown, || self.step_alerts()).await;
    }

    /// Looks at each of them once; says how many alerts were raised.
    pub async fn step_alerts(&self) -> Result<usize, Error> {
        let db = &self.deps.db;
        let now = Timestamp(db.ambient().now_ms());
        let read = move |r: &Reader<'_>| {
            let (due, raised) = (due(r, now)?, r.deployment_alerts()?);
            // Mostly there is none, and the rest need not be read.
            let census = match due.is_empty() {
                true => None,
                false => Some(read_census(r)?),
            };
            Ok((due, raised, census))
        };
        let (due, raised, census) = db.read(read).await.map_err(Error::ReadWorld)?;
        let counted = match census {
            None => Some(Vec::new()),
            Some(all) => self.deps.board.read(|board| {
                let members = all.on(board);
                due.iter().map(|watched| count(watched, board, &members)).collect()
            }),
        };
        let Some(counted) = counted else { return Ok(0) };
        let (news, over) = changes(due, counted, &raised);
        let made = news.len();
        if made > 0 || !over.is_empty() {
            db.write(move |w| keep(w, &news, &over)).await.map_err(Error::KeepPlan)?;
        }
        Ok(made)
    }
}

/// What to raise and what is over. What cannot be counted stays as it is.
fn changes(
    due: Vec<Watched>,
    counted: Vec<Option<Count>>,
    raised: &BTreeMap<DeploymentId, Timestamp>,
) -> (Vec<(Deployment, Count)>, Vec<DeploymentId>) {
    let (mut news, mut standing) = (Vec::new(), BTreeSet::new());
    for (Watched { deployment, .. }, count) in due.into_iter().zip(counted) {
        let Some(count) = count else {
            standing.insert(deployment.id);
            continue;
        };
        if falls_short(&deployment, count) {
            standing.insert(deployment.id);
            if !raised.contains_key(&deployment.id) {
                news.push((deployment, count));
            }
        }
    }
    (news, raised.keys().filter(|id| !standing.contains(id)).copied().collect())
}

/// The deployments of this site whose alerts are due.
fn due(r: &Reader<'_>, now: Timestamp) -> Result<Vec<Watched>, site_db::Error> {
    let own = r.identity().owner;
    let all = r.list::<Deployment>()?.into_iter();
    let is_due = |d: &Deployment| d.enabled && due_at(d).is_some_and(|due| due <= now);
    let due = all.filter(|(owner, deployment)| *owner == own && is_due(deployment));
    let with_items = due.map(|(_, deployment)| {
        let items = r.deployable_group(&deployment.group)?;
        Ok(Watched { deployment, items })
    });
    with_items.collect()
}

/// None while its collections or its updates are not here.
fn count(watched: &Watched, board: &Board, members: &Memberships) -> Option<Count> {
    let mut targets = members.of(&watched.deployment.collection).ok()?.clone();
    for except in &watched.deployment.except {
        targets = targets.minus(members.of(except).ok()?);
    }
    let counts = board.deployment_sets(watched.items.as_ref()?, &targets).counts();
    Some(Count { compliant: counts.compliant, targeted: counts.targeted })
}

fn keep(
    w: &Writer<'_>,
    news: &[(Deployment, Count)],
    over: &[DeploymentId],
) -> Result<(), site_db::Error> {
    for (deployment, Count { compliant, targeted }) in news {
        w.raise_alert(deployment.id, *compliant, *targeted)?;
        let percent = deployment.alert.map_or(0, |alert| alert.below_percent);
        let site = w.identity().code();
        let numbers = [*compliant, *targeted, u64::from(percent)].map(|n| n.to_string());
        let named = [deployment.id.to_string(), deployment.name.clone()];
        w.append_status(&StatusMessage {
            id: FALLS_SHORT,
            severity: Severity::Warning,
            component: COMPONENT.to_owned(),
            site,
            machine: site.to_string(),
            at: w.now(),
            strings: named.into_iter().chain(numbers).collect(),
        })?;
    }
    over.iter().try_for_each(|id| w.clear_alert(*id))
}
