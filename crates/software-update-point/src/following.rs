//! A stand-alone update point below an update service: it synchronizes by itself, at its start and
//! every so often.
//!
//! Refuses to know what comes. A failure is logged and tried again with back-off; what was
//! committed before it stays.

use std::time::Duration;

use model::error_chain;
use tokio_util::sync::CancellationToken;
use transport::{Backoff, Belief};

use crate::choice::Choice;
use crate::point::Point;
use crate::replica::Mode;
use crate::synchronize::{Plan, Source};
use crate::{Error, limits};

/// Whom an update point follows on its own account.
#[derive(Clone, Debug)]
pub struct Following {
    /// Of the update service; empty: nobody. With a site its orders count instead.
    pub url: String,
    /// Of an https one; none: the roots in the file.
    pub belief: Option<Belief>,
    pub every: Duration,
    pub mode: Mode,
}

impl Default for Following {
    fn default() -> Following {
        let every = Duration::from_secs(24 * 60 * 60);
        Following { url: String::new(), belief: None, every, mode: Mode::default() }
    }
}

/// Synchronizes until `shutdown`.
pub(crate) async fn run(point: &Point, shutdown: &CancellationToken) -> Result<(), Error> {
    let Following { url, belief, every, .. } = point.config.following.clone();
    if url.is_empty() {
        return Ok(());
    }
    let source = Source::Foreign { url, belief };
    let plan = Plan { source, is_full: false, choice: Choice::default() };
    let mut backoff = Backoff::new(limits::FOLLOW_RETRY_MIN, limits::FOLLOW_RETRY_MAX, 20)?;
    loop {
        let Some(followed) = shutdown.run_until_cancelled(follow(point, &plan)).await else {
            return Ok(());
        };
        let wait = match followed {
            Ok(()) => {
                backoff.reset();
                every
            }
            Err(error) => {
                let source = &plan.source;
                tracing::warn!(%source, error = %error_chain(&error), "synchronization failed");
                backoff.wait(&point.ambient)
            }
        };
        if shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return Ok(());
        }
    }
}

/// One synchronization, which makes a version of its own.
async fn follow(point: &Point, plan: &Plan) -> Result<(), Error> {
    let synced = Box::pin(point.synchronize(plan, &|_, _, _| ())).await?;
    point.complete_by_itself().await?;
    let (revisions_new, rejected) = (synced.revisions_new, synced.rejected);
    tracing::info!(source = %plan.source, revisions_new, ?rejected, "synchronized");
    Ok(())
}
