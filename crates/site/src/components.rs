//! The components of a site: made, joined to the listener, run.

use std::path::Path;
use std::sync::Arc;

use client_manager::{ClientManager, Heads, Reason, WakeUps};
use compliance::BoardWriter;
use content_library::ContentLibrary;
use deployment_manager::{DeploymentManager, Wake};
use distribution_manager::DistributionManager;
use model::{SiteKind, error_chain};
use site_db::{Executor, SiteDb};
use site_link::{Hints, ManagementRelay};
use sqlite_engine::spool::{Limits, Spool};
use sync_manager::SyncManager;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::RoutesBuilder;
use transport::Connection;

use crate::Error;

/// State of clients that waits for the primary: weeks of a secondary's largest site.
const RELAY_SPOOL: Limits = Limits { entries_max: 1_000_000, bytes_max: 4 * 1024 * 1024 * 1024 };

/// The site's side of clients: here, or passed on to the primary.
#[derive(Debug)]
enum Clients {
    Here { manager: ClientManager, deployments: DeploymentManager, wake_ups: WakeUps },
    Relayed(ManagementRelay),
}

/// What runs at a site besides its links and its front door.
#[derive(Debug)]
pub(crate) struct Components {
    sync: SyncManager,
    content: DistributionManager,
    library: ContentLibrary,
    clients: Clients,
}

impl Components {
    pub(crate) async fn open(
        db: &SiteDb,
        hints: &Hints,
        (data, policy): (&Path, deployment_manager::Config),
        parent: Option<&Connection>,
    ) -> Result<Components, Error> {
        let sync = SyncManager::new(sync_manager::Deps {
            db: db.clone(),
            from_parent: hints.from_parent.subscribe(),
            to_children: hints.to_children.clone(),
            inbox: Some(data.join("inbox")),
        });
        let ambient = db.ambient().clone();
        let library = ContentLibrary::open(ambient, &data.join("content"), Executor::Thread)?;
        let deps = distribution_manager::Deps {
            db: db.clone(),
            library: library.clone(),
            parent: parent.cloned(),
        };
        let content = DistributionManager::new(deps);
        let clients = match (db.identity().kind, parent) {
            (SiteKind::Secondary, Some(primary)) => {
                let path = data.join("spool").join("management.db");
                let spool = Spool::open(&path, Executor::Thread, RELAY_SPOOL)?;
                Clients::Relayed(ManagementRelay::new(db.clone(), spool, primary))
            }
            _ => client_components(db, policy),
        };
        Ok(Components { sync, content, library, clients })
    }

    /// For administration: the board and the way to wake clients, where clients are managed.
    pub(crate) fn for_administration(&self) -> Option<administration::Clients> {
        match &self.clients {
            Clients::Here { manager, wake_ups, .. } => {
                let nudge = |reason| -> administration::Nudge {
                    let wake_ups = wake_ups.clone();
                    Arc::new(move |clients| wake_ups.wake(clients, reason))
                };
                Some(administration::Clients {
                    board: manager.board(),
                    scan: nudge(Reason::Scan),
                    report: nudge(Reason::State),
                })
            }
            Clients::Relayed(_) => None,
        }
    }

    /// Where files that updates are published from go.
    pub(crate) fn library(&self) -> ContentLibrary {
        self.library.clone()
    }

    pub(crate) fn add_services(
        &self,
        grpc: &mut RoutesBuilder,
        (tasks, shutdown): (&TaskTracker, &CancellationToken),
    ) {
        grpc.add_service(self.sync.service(tasks.clone(), shutdown.clone()));
        grpc.add_service(self.content.service(shutdown.clone()));
        match &self.clients {
            Clients::Here { manager, .. } => {
                grpc.add_service(manager.service(shutdown.clone()));
            }
            Clients::Relayed(relay) => {
                grpc.add_service(relay.service(shutdown.clone()));
            }
        }
    }

    pub(crate) fn spawn(self, (tasks, shutdown): (&TaskTracker, &CancellationToken)) {
        let Components { sync, content, library: _, clients } = self;
        spawn(tasks, "synchronization", sync.run(shutdown.clone()));
        spawn(tasks, "distribution", content.run(shutdown.clone()));
        match clients {
            Clients::Here { manager, deployments, .. } => {
                tasks.spawn(manager.run(shutdown.clone()));
                tasks.spawn(deployments.run(shutdown.clone()));
            }
            Clients::Relayed(relay) => spawn(tasks, "the relay", relay.run(shutdown.clone())),
        }
    }
}

fn spawn<E: std::error::Error + Send + Sync + 'static>(
    tasks: &TaskTracker,
    what: &'static str,
    running: impl Future<Output = Result<(), E>> + Send + 'static,
) {
    tasks.spawn(async move {
        if let Err(error) = running.await {
            tracing::error!(error = %error_chain(&error), "{what} was given up");
        }
    });
}

fn client_components(db: &SiteDb, policy: deployment_manager::Config) -> Clients {
    let wake_ups = WakeUps::default();
    let waker = wake_ups.clone();
    let wake: Wake = Arc::new(move |clients| waker.wake(clients, Reason::Policy));
    let board = BoardWriter::default();
    let deps = deployment_manager::Deps { db: db.clone(), wake, board: board.handle() };
    let deployments = DeploymentManager::new(policy, deps);
    let planner = deployments.clone();
    let heads: Heads = Arc::new(move |client, incarnation| {
        let planner = planner.clone();
        Box::pin(async move { planner.head(client, incarnation).await })
    });
    let deps = client_manager::Deps { db: db.clone(), heads, wake_ups: wake_ups.clone() };
    Clients::Here { manager: ClientManager::new(deps, board), deployments, wake_ups }
}
