//! Looking after something that changes with objects of administration, and with time alone.

use std::time::Duration;

use model::{Group, error_chain};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::limits::PAUSE_FACTOR;
use crate::{DeploymentManager, Error};

/// Nothing has to change for a deadline or a waiting day to pass.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl DeploymentManager {
    /// Looks at once, whenever an object changes and every so often, until `shutdown`. What fails
    /// is said, and looked at again.
    pub(crate) async fn look_after<F: Future<Output = Result<usize, Error>>>(
        &self,
        what: &'static str,
        shutdown: &CancellationToken,
        look: impl Fn() -> F,
    ) {
        let mut objects = self.deps.db.watch(&[Group::Control]);
        loop {
            let started = Instant::now();
            if let Err(error) = look().await {
                tracing::error!(error = %error_chain(&error), "{what} were not looked at");
            }
            let pause = started.elapsed() * PAUSE_FACTOR;
            let next = async {
                sleep(pause).await;
                let _ = timeout(LOOK_EVERY, objects.changed()).await;
            };
            if shutdown.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }
}
