//! The components of a site: made, joined to the listener, run.

use std::path::PathBuf;
use std::sync::Arc;

use client_manager::{ClientManager, Heads, Reason, WakeUps};
use deployment_manager::{DeploymentManager, Wake};
use model::{SiteKind, error_chain};
use site_db::SiteDb;
use site_link::Hints;
use sync_manager::SyncManager;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::RoutesBuilder;

/// What runs at a site besides its links and its front door.
#[derive(Debug)]
pub(crate) struct Components {
    sync: SyncManager,
    /// Not at a secondary: it relays to its primary.
    clients: Option<(ClientManager, DeploymentManager)>,
}

impl Components {
    pub(crate) fn new(
        db: &SiteDb,
        hints: &Hints,
        inbox: PathBuf,
        policy: deployment_manager::Config,
    ) -> Components {
        let sync = SyncManager::new(sync_manager::Deps {
            db: db.clone(),
            from_parent: hints.from_parent.subscribe(),
            to_children: hints.to_children.clone(),
            inbox: Some(inbox),
        });
        let has_clients = db.identity().kind != SiteKind::Secondary;
        let clients = has_clients.then(|| client_components(db, policy));
        Components { sync, clients }
    }

    pub(crate) fn add_services(
        &self,
        grpc: &mut RoutesBuilder,
        (tasks, shutdown): (&TaskTracker, &CancellationToken),
    ) {
        grpc.add_service(self.sync.service(tasks.clone(), shutdown.clone()));
        if let Some((clients, _)) = &self.clients {
            grpc.add_service(clients.service(shutdown.clone()));
        }
    }

    pub(crate) fn spawn(self, (tasks, shutdown): (&TaskTracker, &CancellationToken)) {
        let Components { sync, clients } = self;
        let running = sync.run(shutdown.clone());
        tasks.spawn(async move {
            if let Err(error) = running.await {
                tracing::error!(error = %error_chain(&error), "synchronization was given up");
            }
        });
        if let Some((clients, deployments)) = clients {
            tasks.spawn(clients.run(shutdown.clone()));
            tasks.spawn(deployments.run(shutdown.clone()));
        }
    }
}

fn client_components(
    db: &SiteDb,
    policy: deployment_manager::Config,
) -> (ClientManager, DeploymentManager) {
    let wake_ups = WakeUps::default();
    let waker = wake_ups.clone();
    let wake: Wake = Arc::new(move |clients| waker.wake(clients, Reason::Policy));
    let deps = deployment_manager::Deps { db: db.clone(), wake };
    let deployments = DeploymentManager::new(policy, deps);
    let planner = deployments.clone();
    let heads: Heads = Arc::new(move |client, incarnation| {
        let planner = planner.clone();
        Box::pin(async move { planner.head(client, incarnation).await })
    });
    let deps = client_manager::Deps { db: db.clone(), heads, wake_ups };
    (ClientManager::new(deps), deployments)
}
