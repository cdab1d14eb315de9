//! The role itself: what it is made of, its ports and its tasks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use content_library::ContentLibrary;
use model::{RoleId, SiteCode, error_chain};
use sqlite_engine::Executor;
use sqlite_engine::spool::Spool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use transport::{Connection, Credentials, Ports, TaskGroup};

use crate::limits::{COLLECT_EVERY, SPOOL};
use crate::manifests::Manifests;
use crate::status::Statuses;
use crate::{Error, follow, http};

#[derive(Clone, Debug)]
pub struct Config {
    /// Shown to administrators.
    pub name: String,
    pub data: PathBuf,
    /// How long content stays after the last manifest that named it.
    pub lease: Duration,
    pub executor: Executor,
}

#[derive(Debug)]
pub struct Deps {
    pub ambient: Ambient,
    /// None where the links themselves know the peers.
    pub credentials: Option<Credentials>,
    /// Who this point is, and of which site.
    pub id: RoleId,
    pub code: SiteCode,
    /// To the site server.
    pub site: Connection,
}

/// A distribution point.
#[derive(Debug)]
pub struct DistributionPoint {
    point: Arc<Point>,
    credentials: Option<Credentials>,
}

/// What the parts of the role share.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) ambient: Ambient,
    pub(crate) id: RoleId,
    pub(crate) site: Connection,
    pub(crate) library: ContentLibrary,
    pub(crate) manifests: Manifests,
    pub(crate) statuses: Statuses,
    /// A file was found missing or damaged.
    pub(crate) wake: Notify,
    lease_ms: i64,
}

impl DistributionPoint {
    /// Opens the stores below `config.data`.
    pub fn new(config: Config, deps: Deps) -> Result<DistributionPoint, Error> {
        let Config { name: machine, data, lease, executor } = config;
        let Deps { ambient, credentials, id, code: site_code, site } = deps;
        // First, because it makes the directory.
        let library = ContentLibrary::open(ambient.clone(), &data.join("content"), executor)?;
        let spool = Spool::open(&data.join("status.db"), executor, SPOOL).map_err(Error::Spool)?;
        let statuses = Statuses {
            ambient: ambient.clone(),
            site: site_code,
            machine,
            spool,
            wake: Notify::new(),
        };
        let point = Point {
            manifests: Manifests::open(&data.join("manifests.db"), executor)?,
            ambient,
            id,
            site,
            library,
            statuses,
            wake: Notify::new(),
            lease_ms: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX),
        };
        Ok(DistributionPoint { point: Arc::new(point), credentials })
    }

    /// Serves, and follows the site server, until `shutdown`.
    pub async fn run(self, ports: Ports, shutdown: CancellationToken) -> Result<(), Error> {
        let DistributionPoint { point, credentials } = self;
        let mut tasks = TaskGroup::new(&shutdown);
        let routers = [http::tls_router(point.clone()), http::plain_router(point.clone())];
        tasks.serve(ports, credentials, routers);
        let follower = point.clone();
        tasks.spawn(|stop| async move { follow::run(&follower, &stop).await });
        let sender = point.clone();
        tasks.spawn(|stop| async move { sender.statuses.run(&sender.site, &stop).await });
        tasks.spawn(|stop| async move { collect(&point, &stop).await });
        tasks.join().await
    }
}

/// Problems of the stores below `data`; empty if they are sound.
pub(crate) async fn check(ambient: Ambient, data: &Path) -> Result<Vec<String>, Error> {
    let library = ContentLibrary::open(ambient, &data.join("content"), Executor::Inline)?;
    let manifests = Manifests::open(&data.join("manifests.db"), Executor::Inline)?;
    let mut problems = manifests.check().await?;
    problems.extend(library.check().await?.iter().map(ToString::to_string));
    Ok(problems)
}

/// Deletes what no manifest has named for a lease.
async fn collect(point: &Point, shutdown: &CancellationToken) -> Result<(), Error> {
    loop {
        match point.library.collect_garbage(point.lease_ms).await {
            Ok(collected) if collected.files == 0 => {}
            Ok(collected) => tracing::info!(?collected, "content was deleted"),
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "content was not collected");
            }
        }
        let wait = tokio::time::sleep(COLLECT_EVERY);
        if shutdown.run_until_cancelled(wait).await.is_none() {
            return Ok(());
        }
    }
}
