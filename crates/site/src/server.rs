//! One site server: opening, joining the services on one listener, running.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use administration::{Admin, Enrolment, Home, KnownHead, LinkStatus, Links, Relay};
use ambient::Ambient;
use daemon::{Health, Metrics, Pki, RenewFrom, Renewal, Revocations};
use model::{PeerKind, SiteCode, SiteKind, SiteRecord, error_chain};
use rpc::limits::{BATCH_BYTES, TRANSACTION_OBJECTS_MAX};
use rpc::pb::admin::admin_service_server::AdminServiceServer;
use rpc::pb::enrolment::enrolment_service_server::EnrolmentServiceServer;
use rpc::pb::enrolment::revocation_service_server::RevocationServiceServer;
use site_db::{BatchLimits, Executor, Losses, Neighbor, Recovering, SiteDb};
use site_link::{Hints, Link, LinkBoard, LinkServer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::RoutesBuilder;
use transport::{Connect, Connection, Credentials, Expect, Limits, Listen, Security, Server};

use crate::Error;
use crate::components::Components;
use crate::identity::{authority, identity, membership, parent_of, publishing, state_key};
use crate::revocations;

/// A validated configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub code: SiteCode,
    pub kind: SiteKind,
    pub name: String,
    pub data: PathBuf,
    pub url: String,
    pub names: Vec<String>,
    /// Founds a hierarchy instead of joining one.
    pub is_top: bool,
    /// How the site's clients shall behave.
    pub policy: deployment_manager::Config,
}

/// What a site server is given.
#[derive(Debug)]
pub struct Deps {
    pub ambient: Ambient,
    pub pki: Pki,
    pub health: Health,
    pub metrics: Metrics,
    pub connect: Arc<dyn Connect>,
}

/// An open site server.
#[derive(Debug)]
pub struct SiteServer {
    deps: Deps,
    config: Config,
    db: SiteDb,
    credentials: Credentials,
    revocations: Revocations,
    board: Arc<LinkBoard>,
    hints: Hints,
    parent: Option<(Neighbor, Connection)>,
}

/// The database file of a site.
pub(crate) fn database_path(data: &Path) -> PathBuf {
    data.join("site.db")
}

impl SiteServer {
    /// Opens the site, founding its hierarchy if it is the top and new.
    pub async fn open(config: Config, deps: Deps) -> Result<SiteServer, Error> {
        let Deps { ambient, pki, .. } = &deps;
        let membership = membership(&config, ambient, pki)?;
        let identity = identity(config.kind, &membership)?;
        let anchor = pki.anchor()?.ok_or(Error::Membership { what: "the root certificate" })?;
        let path = database_path(&config.data);
        let lost = pki.had_database()? && !path.exists();
        let trust = (pki.signing_key(ambient)?, anchor);
        let db = SiteDb::open(&path, Executor::Thread, identity, trust, ambient.clone())?;
        if lost {
            tracing::warn!(path = %path.display(), "the site database is gone; recovering");
            db.write(|w| w.set_recovering(Recovering::Yes(Losses::Refused))).await?;
        }
        pki.note_database()?;
        let credentials =
            pki.credentials(ambient)?.ok_or(Error::Membership { what: "the certificate" })?;
        let chain = pki.chain()?.ok_or(Error::Membership { what: "the certificate" })?;
        state_key(&db, &pki.own_key()?, &chain).await?;
        let parent = parent_of(&membership)
            .map(|(neighbor, parent)| {
                let expect = Expect { kind: PeerKind::Site, site: neighbor.code, id: None };
                let security = Security::Mutual { credentials: credentials.clone(), expect };
                let connect = Arc::clone(&deps.connect);
                Ok::<_, Error>((neighbor, Connection::new(connect, &parent.url, security)?))
            })
            .transpose()?;
        let revocations = Revocations::default();
        revocations::load(&revocations, &db).await?;
        let (board, hints) = (Arc::new(LinkBoard::default()), Hints::default());
        Ok(SiteServer { deps, config, db, credentials, revocations, board, hints, parent })
    }

    #[must_use]
    pub fn db(&self) -> &SiteDb {
        &self.db
    }

    /// Serves until `shutdown`.
    pub async fn run(
        self,
        listener: Box<dyn Listen>,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let tasks = TaskTracker::new();
        let home = Home { name: self.config.name.clone(), url: self.config.url.clone() };
        let authority = self.authority().await?;
        let admin_token = administration::bootstrap(&self.db, &authority, &home).await?;
        if let Some((token, until)) = admin_token {
            self.deps.pki.write_admin_token(&token)?;
            tracing::info!(%until, "pki/admin.token is for `tierline login`");
        }
        let link = self.link();
        self.expect_neighbors().await?;
        site_link::recover_alone(&self.db, Arc::clone(&self.board)).await?;
        let own = (self.config.data.as_path(), self.config.policy);
        let parent = self.parent.as_ref().map(|(_, connection)| connection);
        let components = Components::open(&self.db, &self.hints, own, parent).await?;
        let mut grpc = tonic::service::Routes::builder();
        components.add_services(&mut grpc, (&tasks, &shutdown));
        let admin = Admin::new(
            self.db.clone(),
            Arc::clone(&authority),
            home.clone(),
            link_report(Arc::clone(&self.board)),
        );
        let admin = match components.for_administration() {
            Some(clients) => admin.with_clients(clients),
            None => admin,
        };
        let admin = match publishing(&self.db, &self.deps.pki, components.library())? {
            Some(publishing) => admin.with_publishing(publishing),
            None => admin,
        };
        grpc.add_service(AdminServiceServer::new(admin));
        self.add_services(&mut grpc, &link, (authority, home), (&tasks, &shutdown));
        let operations = daemon::routes(self.deps.health.clone(), self.deps.metrics.clone());
        let router = grpc.routes().into_axum_router().merge(operations.reset_fallback());
        self.spawn_background(&link, (&tasks, &shutdown));
        components.spawn((&tasks, &shutdown));
        self.deps.health.ready("site");
        tracing::info!(site.code = %self.config.code, "the site listens");
        let server = Server {
            router,
            credentials: Some(self.credentials.clone()),
            limits: Limits::default(),
            revoked: self.revocations.check(),
        };
        let outcome = server.run(listener, shutdown.clone()).await;
        shutdown.cancel();
        tasks.close();
        tasks.wait().await;
        self.db.close().await;
        Ok(outcome?)
    }

    async fn authority(&self) -> Result<Arc<administration::Authority>, Error> {
        let mut codes = vec![self.config.code];
        let sites = self.db.read(|r| r.list::<SiteRecord>()).await?;
        codes.extend(
            sites.into_iter().map(|(_, site)| site.code).filter(|c| *c != self.config.code),
        );
        authority(&self.deps.pki, &codes)
    }

    fn link(&self) -> Link {
        Link {
            db: self.db.clone(),
            board: Arc::clone(&self.board),
            hints: self.hints.clone(),
            limits: BatchLimits { bytes: BATCH_BYTES, transactions: TRANSACTION_OBJECTS_MAX },
            boot: self.deps.ambient.random_u64(),
        }
    }

    async fn expect_neighbors(&self) -> Result<(), Error> {
        let tree = self.db.read(|r| r.tree()).await?;
        for child in tree.children() {
            self.board.expect_neighbor(child.code, false);
        }
        if let Some((parent, _)) = &self.parent {
            self.board.expect_neighbor(parent.code, true);
        }
        Ok(())
    }

    fn add_services(
        &self,
        grpc: &mut RoutesBuilder,
        link: &Link,
        (authority, home): (Arc<administration::Authority>, Home),
        (tasks, shutdown): (&TaskTracker, &CancellationToken),
    ) {
        let parent = self.parent.as_ref().map(|(_, connection)| connection.channel());
        let links = LinkServer::new(link.clone(), tasks.clone(), shutdown.clone());
        grpc.add_service(links.service());
        grpc.add_service(RevocationServiceServer::new(self.revocations.clone()));
        match (self.config.kind, parent) {
            (SiteKind::Secondary, Some(parent)) => {
                grpc.add_service(EnrolmentServiceServer::new(Relay::new(parent)));
            }
            (_, parent) => {
                let enrolment = Enrolment::new(self.db.clone(), authority, home, parent);
                grpc.add_service(EnrolmentServiceServer::new(enrolment));
            }
        }
    }

    fn spawn_background(&self, link: &Link, (tasks, shutdown): (&TaskTracker, &CancellationToken)) {
        tasks.spawn(crate::upkeep::run(self.db.clone(), shutdown.clone()));
        let list = self.revocations.clone();
        tasks.spawn(revocations::follow(list, self.db.clone(), shutdown.clone()));
        if let Some((parent, connection)) = &self.parent {
            let (link, connection, shutdown) = (link.clone(), connection.clone(), shutdown.clone());
            let parent = *parent;
            tasks.spawn(async move {
                if let Err(error) = site_link::dial(link, parent, connection, shutdown).await {
                    tracing::error!(error = %error_chain(&error), "the link was given up");
                }
            });
        }
        let from = match (self.config.kind, &self.parent) {
            (SiteKind::Secondary, Some((_, connection))) => RenewFrom::Site(connection.clone()),
            _ => RenewFrom::Own,
        };
        let renewal = Renewal {
            ambient: self.deps.ambient.clone(),
            pki: self.deps.pki.clone(),
            credentials: self.credentials.clone(),
            from,
            names: self.config.names.clone(),
        };
        tasks.spawn(renewal.run(shutdown.clone()));
    }
}

/// Links as administration shows them.
fn link_report(board: Arc<LinkBoard>) -> Links {
    Arc::new(move || {
        let heads = board.heads();
        let links = board.links().into_iter().map(|(neighbor, view)| LinkStatus {
            neighbor,
            state: view.state(),
            failed_attempts: view.failed_attempts,
            last_contact: view.last_contact,
            lag_changes: view.lag_changes,
            problem: view.problem,
            heads: heads
                .get(&neighbor)
                .into_iter()
                .flatten()
                .map(|head| KnownHead {
                    stream: head.stream,
                    position: head.position,
                    digest: head.digest,
                })
                .collect(),
        });
        links.collect()
    })
}
