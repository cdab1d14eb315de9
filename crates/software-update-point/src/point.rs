//! The role itself: what it is made of, its ports and its tasks.
//!
//! Owns the life of the role. With a site it follows the orders of its site server; without one it
//! is a stand-alone upstream that imports what lands in its inbox. Fails at start if its stores
//! cannot be opened; later failures of one task end the role.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ambient::Ambient;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use content_library::ContentLibrary;
use http::{Request, Response, StatusCode};
use model::{Sha256, SiteCode, UpdateRef, set_digest};
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::management::management_service_client::ManagementServiceClient;
use rpc::pb::metadata::metadata_service_server::MetadataServiceServer;
use sqlite_engine::spool::Spool;
use sqlite_engine::{Durability, Executor, Options};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use transport::{Connect, Connection, Credentials, Ports, TaskGroup};
use update_catalog::{Catalog, RevisionFilter};
use update_metadata::Document;
use uuid::Uuid;
use wsus_protocol::{CookieKey, normalize_path};

use crate::cleanup::{self, Cleanup};
use crate::computers::intake::{self, Intake};
use crate::computers::policies::{self, Policies};
use crate::computers::registrar::{self, Registrar};
use crate::computers::{self, Pages, Places, Register};
use crate::downloads::{self, Downloads};
use crate::following::{self, Following};
use crate::grpc::Metadata;
use crate::languages::Chosen;
use crate::outside::{Outside, Roots};
use crate::status::{self, Statuses};
use crate::synchronize::Source;
use crate::{Error, content, inbox, limits, session, soap};

/// What the plain HTTP port answers (trust.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    Off,
    /// Files, which are checked by digests that came over TLS.
    Content,
    /// The update protocols too; raises a lasting alert.
    All,
}

#[derive(Clone, Debug)]
pub struct Config {
    /// Shown to administrators and given to upstream servers; like a host name.
    pub name: String,
    pub data: PathBuf,
    pub plain_http: PlainHttp,
    /// Prerequisites that a scanning computer may say are installed.
    pub installed_max: usize,
    pub outside: Outside,
    pub following: Following,
    pub executor: Executor,
}

#[derive(Debug)]
pub struct Deps {
    pub ambient: Ambient,
    /// Reaches update services and file servers.
    pub connect: Arc<dyn Connect>,
    /// None where the links themselves know the peers, or stand-alone.
    pub credentials: Option<Credentials>,
    /// None: stand-alone.
    pub site: Option<Site>,
}

/// The site server of the update point.
#[derive(Clone, Debug)]
pub struct Site {
    pub code: SiteCode,
    pub connection: Connection,
}

/// A software update point; clones share it.
#[derive(Clone, Debug)]
pub struct SoftwareUpdatePoint {
    pub(crate) point: Arc<Point>,
    pub(crate) site: Option<Site>,
}

/// What the parts of the role share.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) config: Config,
    pub(crate) ambient: Ambient,
    pub(crate) connect: Arc<dyn Connect>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) catalog: Catalog,
    pub(crate) server_id: Uuid,
    pub(crate) library: ContentLibrary,
    /// Drawn at every start: peers with older cookies authorize again.
    pub(crate) cookie_key: CookieKey,
    pub(crate) statuses: Statuses,
    pub(crate) downloads: Downloads,
    pub(crate) computers: Register,
    pub(crate) intake: Intake,
    pub(crate) registrar: Registrar,
    pub(crate) policies: Policies,
    pub(crate) pages: Pages,
    pub(crate) places: Places,
    pub(crate) roots: Roots,
    pub(crate) cleanup: Cleanup,
    pub(crate) languages: Chosen,
    source: Mutex<Option<Source>>,
}

/// What a catalog holds, for whoever compares two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The digest of every document's bytes.
    pub documents: BTreeMap<UpdateRef, Sha256>,
    /// Documents that are updates of their own, rather than categories or members of bundles.
    pub updates: u64,
}

/// The software and driver updates of the catalog as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UpdateSet {
    pub(crate) anchor: u64,
    pub(crate) updates: u64,
    pub(crate) digest: Sha256,
}

impl SoftwareUpdatePoint {
    /// Opens the stores below `config.data`.
    pub async fn new(config: Config, deps: Deps) -> Result<SoftwareUpdatePoint, Error> {
        let Deps { ambient, connect, credentials, site } = deps;
        let work = config.data.join("import");
        if work.exists() {
            fs::remove_dir_all(&work).map_err(Error::files("empty", &work))?;
        }
        fs::create_dir_all(&work).map_err(Error::files("make", &work))?;
        let (executor, durability) = (config.executor, Durability::Full);
        let options = Options { executor, durability };
        let catalog = config.data.join("catalog.db");
        let catalog = Catalog::open(&catalog, ambient.random_id(), options)?;
        let state = catalog.state().await?;
        let server_id = state.server_id;
        let languages = Chosen::load(&catalog).await?;
        let computers = Register::open(&config.data.join("computers.db"), options)?;
        computers.note_catalog(state.version.map(|(version, _)| version.version)).await?;
        let library = config.data.join("content");
        let library = ContentLibrary::open(ambient.clone(), &library, executor)?;
        let path = config.data.join("spool");
        fs::create_dir_all(&path).map_err(Error::files("make", &path))?;
        let events = Spool::open(&path.join("events.db"), executor, computers::limits::EVENTS)?;
        let spool = match &site {
            Some(site) => {
                let spool = Spool::open(&path.join("status.db"), executor, limits::SPOOL)?;
                Some((site.code, spool))
            }
            None => None,
        };
        let management = site.as_ref().map(|site| {
            ManagementServiceClient::new(site.connection.channel())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX)
        });
        let machine = config.name.clone();
        let statuses = Statuses { ambient: ambient.clone(), machine, spool, wake: Notify::new() };
        let cookie_key = CookieKey::new(&ambient.bytes());
        let source = Mutex::default();
        let point = Point {
            config,
            ambient,
            connect,
            credentials,
            catalog,
            server_id,
            library,
            cookie_key,
            statuses,
            downloads: Downloads::default(),
            computers,
            intake: Intake::new(events),
            registrar: Registrar::default(),
            policies: Policies::new(management),
            pages: Pages::default(),
            places: Places::default(),
            roots: Roots::default(),
            cleanup: Cleanup::default(),
            languages,
            source,
        };
        Ok(SoftwareUpdatePoint { point: Arc::new(point), site })
    }

    /// The TLS port: the update protocols, files, and documents for agents.
    pub(crate) fn https_router(&self) -> Router {
        let metadata = MetadataServiceServer::new(Metadata(self.point.clone()));
        let grpc = tonic::service::Routes::new(metadata).into_axum_router();
        grpc.reset_fallback().merge(self.router(Port::Tls))
    }

    /// The plain port: files, and the update protocols if they are open there.
    pub(crate) fn http_router(&self) -> Router {
        self.router(Port::Plain)
    }

    fn router(&self, port: Port) -> Router {
        Router::new().fallback(answer).with_state((self.point.clone(), port))
    }

    /// Serves, and follows the site server or the inbox, until `shutdown`.
    pub async fn run(self, mut ports: Ports, shutdown: CancellationToken) -> Result<(), Error> {
        let mut tasks = TaskGroup::new(&shutdown);
        let routers = [self.https_router(), self.http_router()];
        let SoftwareUpdatePoint { point, site } = self;
        match point.config.plain_http {
            PlainHttp::Off => ports.http = None,
            PlainHttp::Content => {}
            PlainHttp::All => {
                let point = point.clone();
                tasks.spawn(|stop| async move { alert(&point, &stop).await });
            }
        }
        tasks.serve(ports, point.credentials.clone(), routers);
        let downloader = point.clone();
        tasks.spawn(|stop| async move { downloads::run(&downloader, &stop).await });
        let cleaner = point.clone();
        tasks.spawn(|stop| async move { cleanup::run(&cleaner, &stop).await });
        let reader = point.clone();
        tasks.spawn(|stop| async move { intake::run(&reader, &stop).await });
        match site {
            Some(Site { connection, code }) => {
                let (teller, listener) = (point.clone(), point.clone());
                tasks.spawn(|stop| async move { registrar::run(&teller, code, &stop).await });
                tasks.spawn(|stop| async move { policies::run(&listener, &stop).await });
                let (sender, site) = (point.clone(), connection.clone());
                tasks.spawn(|stop| async move { sender.statuses.run(&site, &stop).await });
                tasks.spawn(|stop| async move { session::run(&point, &connection, &stop).await });
            }
            None => {
                let follower = point.clone();
                tasks.spawn(|stop| async move {
                    following::run(&follower, &stop).await?;
                    // The role ends with its first task; without anybody to follow it goes on.
                    stop.cancelled().await;
                    Ok(())
                });
                tasks.spawn(|stop| async move { inbox::run(&point, &stop).await });
            }
        }
        tasks.join().await
    }

    pub async fn holding(&self) -> Result<Holding, Error> {
        let (mut holding, mut since) = (Holding::default(), 0);
        loop {
            let page = self.point.catalog.changed_documents(since).await?;
            for change in page.changes {
                since = change.number;
                let Some(stored) = change.content else { continue };
                // The catalog takes only documents that can be read.
                let document = Document::parse(stored.xml.as_bytes());
                let is_own = |d: &Document| d.is_item() && d.properties.is_explicitly_deployable;
                holding.updates += u64::from(document.as_ref().is_ok_and(is_own));
                holding.documents.insert(stored.update, stored.sha256);
            }
            if page.is_last {
                return Ok(holding);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Problems of the stores; empty if they are sound.
    pub async fn check(&self) -> Result<Vec<String>, Error> {
        let mut problems = self.point.catalog.check().await?;
        problems.extend(self.point.computers.check().await?);
        problems.extend(self.point.library.check().await?.iter().map(ToString::to_string));
        Ok(problems)
    }
}

impl Point {
    pub(crate) async fn update_set(&self) -> Result<UpdateSet, Error> {
        let all = RevisionFilter::Updates { categories: None, classifications: None };
        let mut list = self.catalog.revision_list(all, None).await?;
        list.revisions.sort_unstable();
        let updates = list.revisions.len() as u64;
        Ok(UpdateSet { anchor: list.anchor, updates, digest: set_digest(list.revisions) })
    }

    /// Without a site nobody else says when a version is complete.
    pub(crate) async fn complete_by_itself(&self) -> Result<(), Error> {
        let state = self.catalog.state().await?;
        let (version, held) = state.version.map_or((0, 0), |(v, held)| (v.version, held));
        if self.statuses.spool.is_none() && held < state.changes {
            self.catalog.complete_version(version + 1).await?;
            self.cleanup.look();
        }
        Ok(())
    }

    pub(crate) fn remember_source(&self, source: &Source) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source.clone());
    }

    pub(crate) fn remembered_source(&self) -> Option<Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn alert(point: &Point, stop: &CancellationToken) -> Result<(), Error> {
    loop {
        let text = "plain_http is \"all\": whoever is on the network can alter what is scanned for";
        point.statuses.warn(status::PLAIN_HTTP_OPEN, vec![text.to_owned()]).await;
        let wait = tokio::time::sleep(status::PLAIN_HTTP_ALERT_EVERY);
        if stop.run_until_cancelled(wait).await.is_none() {
            return Ok(());
        }
    }
}

/// What kind of port a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Tls,
    Plain,
}

impl Port {
    fn scheme(self) -> &'static str {
        match self {
            Port::Tls => "https",
            Port::Plain => "http",
        }
    }
}

async fn answer(
    State((point, port)): State<(Arc<Point>, Port)>,
    request: Request<Body>,
) -> Response<Body> {
    let path = normalize_path(request.uri().path());
    let is_open = port == Port::Tls || point.config.plain_http == PlainHttp::All;
    match (path.starts_with("/content/"), path.ends_with(".asmx")) {
        (true, _) => content::serve(&point, request.into_parts().0).await,
        (false, true) if is_open => soap::serve(&point, port.scheme(), request).await,
        (false, true) => {
            soap::plain(StatusCode::FORBIDDEN, "the update protocols are served over https only")
        }
        (false, false) => soap::plain(StatusCode::NOT_FOUND, "there is nothing at this address"),
    }
}
