//! What a site does by itself once an hour and once a day.

use std::time::Duration;

use model::error_chain;
use site_db::SiteDb;
use tokio_util::sync::CancellationToken;

/// How long a log is kept for neighbors that are away; whoever is away longer reconciles.
const KEEP_MS: i64 = 7 * 24 * 60 * 60 * 1000;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Every stream is recomputed after so many hours.
const VERIFY_HOURS: u32 = 24;

/// Ages the logs every hour and verifies every stream once a day, until `shutdown`.
pub(crate) async fn run(db: SiteDb, shutdown: CancellationToken) {
    let mut hours = 0;
    while shutdown.run_until_cancelled(tokio::time::sleep(HOUR)).await.is_some() {
        hours += 1;
        if let Err(error) = site_db::age_logs(&db, KEEP_MS).await {
            tracing::warn!(error = %error_chain(&error), "the logs were not aged");
        }
        if hours % VERIFY_HOURS == 0 {
            verify(&db).await;
        }
    }
}

async fn verify(db: &SiteDb) {
    match site_db::verify_all(db).await {
        Ok(checks) => {
            for check in checks.iter().filter(|check| !check.is_sound()) {
                let stream = check.stream;
                tracing::error!(%stream, "the copy here is damaged and is taken again");
            }
        }
        Err(error) => {
            tracing::warn!(error = %error_chain(&error), "the streams were not verified");
        }
    }
}
