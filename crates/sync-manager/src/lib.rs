//! Synchronization: the component of a site server that brings updates in.
//!
//! Owns *when* and *in what order* update points synchronize, and what a site records of it: a run
//! whose step is in the site database before its effect begins, so that a crash at any point goes
//! on from there. Takes items from the first update point of the top-level site, ends them in a
//! catalog version, tells the child sites, and follows with the other update points one by one; a
//! child site does the same with its parent's update point as the source. Also carries to update
//! points what others left in the site database: catalog files, files that packages want, and what
//! administrators or the supersedence rule declined; deletes what expired long ago; and carries
//! whole catalogs as bundles, which it signs, and judges by who signed them.
//!
//! Refuses to know update documents and the update protocols. What fails is one status message
//! (6703) with its cause, and is tried again with back-off.

mod bundles;
mod cleanup;
mod error;
mod exports;
mod grpc;
mod inbox;
mod items;
mod limits;
mod machine;
mod messages;
mod outlook;
mod rulings;
mod session;
mod supersedence;
mod synchronizer;
mod wishes;

use std::path::PathBuf;
use std::sync::Arc;

use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::update_point::update_point_service_server::UpdatePointServiceServer;
use site_db::SiteDb;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use cleanup::Cleaner;
pub use error::Error;
use exports::Exports;
pub use grpc::UpdatePoints;
use inbox::Inbox;
use rulings::Rulings;
use session::Sessions;
use synchronizer::Synchronizer;
use wishes::Wishes;

/// What whoever waits for a bundle is told when the process ended meanwhile.
const EXPORT_BROKE_OFF: &str = "the site server was started again meanwhile; export again";

/// What the component is given.
#[derive(Debug)]
pub struct Deps {
    pub db: SiteDb,
    /// The catalog version the parent site asks for. Hints, not state.
    pub from_parent: watch::Receiver<u64>,
    /// The catalog version child sites shall have.
    pub to_children: watch::Sender<u64>,
    /// Where trigger files are dropped (STAT-10).
    pub inbox: Option<PathBuf>,
}

/// The component.
#[derive(Debug)]
pub struct SyncManager {
    deps: Deps,
    sessions: Arc<Sessions>,
}

impl SyncManager {
    #[must_use]
    pub fn new(deps: Deps) -> SyncManager {
        SyncManager { deps, sessions: Arc::default() }
    }

    /// What update points call. Sessions run in `tasks` and end with `shutdown`.
    #[must_use]
    pub fn service(
        &self,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> UpdatePointServiceServer<UpdatePoints> {
        let sessions = Arc::clone(&self.sessions);
        let points = UpdatePoints { db: self.deps.db.clone(), sessions, tasks, shutdown };
        UpdatePointServiceServer::new(points)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let SyncManager { deps: Deps { db, from_parent, to_children, inbox }, sessions } = self;
        db.write(|w| w.abandon_imports(None)).await?;
        db.write(|w| w.fail_exports(EXPORT_BROKE_OFF)).await?;
        let inbox = inbox.map(|path| Inbox::open(&path, db.clone())).transpose()?;
        let wishes = Wishes::new(db.clone(), Arc::clone(&sessions))?;
        let rulings = Arc::new(Rulings::new(db.clone(), Arc::clone(&sessions)));
        let cleaner = Cleaner::new(db.clone());
        let exports = Exports::new(db.clone(), Arc::clone(&sessions));
        let links = (from_parent, to_children);
        let synchronizer = Synchronizer::new(db, sessions, Arc::clone(&rulings), links)?;
        let watch = async {
            if let Some(inbox) = inbox {
                inbox.run(shutdown.clone()).await;
            }
        };
        let (.., told) = tokio::join!(
            Box::pin(synchronizer.run(shutdown.clone())),
            wishes.run(shutdown.clone()),
            watch,
            cleaner.run(shutdown.clone()),
            exports.run(shutdown.clone()),
            rulings.run(shutdown.clone()),
        );
        told
    }
}

#[cfg(test)]
mod tests;
