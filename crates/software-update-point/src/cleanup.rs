//! Documents that nobody needs any more leave the catalog by themselves (SUPX-06).
//!
//! Looks at start and after every complete version, and goes on in small transactions until none is
//! left, so that scans and synchronizations wait for none of it. What a crash leaves goes with the
//! next look. Which documents these are is the catalog's knowledge.

use model::error_chain;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::point::Point;
use crate::{Error, limits};

/// Wakes the cleanup.
#[derive(Debug, Default)]
pub(crate) struct Cleanup(Notify);

impl Cleanup {
    pub(crate) fn look(&self) {
        self.0.notify_one();
    }
}

pub(crate) async fn run(point: &Point, stop: &CancellationToken) -> Result<(), Error> {
    loop {
        match stop.run_until_cancelled(drop_all(point)).await {
            None => return Ok(()),
            Some(Ok(0)) => {}
            Some(Ok(count)) => tracing::info!(count, "obsolete documents were dropped"),
            // They stay until the next look.
            Some(Err(error)) => {
                tracing::warn!(error = %error_chain(&error), "obsolete documents stay for now");
            }
        }
        if stop.run_until_cancelled(point.cleanup.0.notified()).await.is_none() {
            return Ok(());
        }
    }
}

async fn drop_all(point: &Point) -> Result<u64, Error> {
    let total = point.catalog.obsolete().await?;
    let mut done = 0;
    loop {
        let dropped = point.catalog.drop_obsolete(limits::OBSOLETE_PER_WRITE).await?;
        if dropped == 0 {
            return Ok(done);
        }
        ambient::failpoint("sup.obsolete_dropped");
        done += dropped as u64;
        if done < total {
            tracing::info!(done, total, "obsolete documents are being dropped");
        }
    }
}
