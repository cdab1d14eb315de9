//! From what administrators decided to the signed policy of each client of this site.
//!
//! Owns when policy is planned, which servers a client is told of, and the making and signing of
//! heads. Refuses to know how clients are reached and what they answer. Planning waits until
//! everything it depends on is settled here, and a reference to something that is not here makes a
//! deployment wait; meanwhile clients keep what they have. A pass that fails is logged and made
//! again.

mod alerts;
mod census;
mod collections;
mod error;
mod follow;
mod heads;
mod limits;
mod looking;
mod neighborhoods;
mod phases;
mod reconcile;
mod rules;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use compliance::BoardHandle;
use model::ClientId;
use site_db::SiteDb;

pub use collections::Evaluated;
pub use error::Error;
pub use reconcile::Step;
pub use rules::{Rules, RulesStep};

use follow::Trail;
use heads::Planned;

/// Told which clients have new policy; a hint.
pub type Wake = Arc<dyn Fn(&[ClientId]) + Send + Sync>;

/// What clients are told of how to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    pub policy_poll: Duration,
    /// How long a client collects states before it reports.
    pub state_batch: Duration,
    pub scan_interval: Duration,
}

impl Default for Config {
    /// The documented defaults: policy every hour, states every 15 minutes, a scan a week.
    fn default() -> Config {
        const MINUTE: u64 = 60;
        Config {
            policy_poll: Duration::from_secs(60 * MINUTE),
            state_batch: Duration::from_secs(15 * MINUTE),
            scan_interval: Duration::from_secs(7 * 24 * 60 * MINUTE),
        }
    }
}

pub struct Deps {
    pub db: SiteDb,
    pub wake: Wake,
    pub board: BoardHandle,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("db", &self.db).finish_non_exhaustive()
    }
}

/// The component. Clones share it.
#[derive(Clone, Debug)]
pub struct DeploymentManager {
    config: Config,
    deps: Arc<Deps>,
    /// None before the first plan after a start.
    planned: Arc<RwLock<Option<Arc<Planned>>>>,
    /// What the plan was made from; the passes, which are one after the other, keep it.
    trail: Arc<Mutex<Option<Trail>>>,
}

impl DeploymentManager {
    #[must_use]
    pub fn new(config: Config, deps: Deps) -> DeploymentManager {
        let (deps, planned, trail) = (Arc::new(deps), Arc::default(), Arc::default());
        DeploymentManager { config, deps, planned, trail }
    }

    fn trail(&self) -> MutexGuard<'_, Option<Trail>> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn planned(&self) -> Option<Arc<Planned>> {
        self.planned.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_planned(&self, planned: Arc<Planned>) {
        *self.planned.write().unwrap_or_else(PoisonError::into_inner) = Some(planned);
    }
}

#[cfg(test)]
mod tests;
