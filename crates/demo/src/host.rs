//! Everything that runs: site servers and roles as their processes would run them, each on ports
//! of its own, all of them in this process.
//!
//! Owns directories, ports and tasks. Refuses to know what is done with the servers. A server that
//! ends before it is told to ends the demonstration.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use axum::Router;
use daemon::{Health, Joining, Metrics, Pki};
use model::{PeerIdentity, PeerKind, RoleKind, SiteCode, SiteKind};
use software_update_point::{PlainHttp, Ports, Site, SoftwareUpdatePoint};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use transport::{Connection, Credentials, Expect, Listen, Security, TcpConnect, TcpListen};
use trust::JoinToken;

use crate::Error;
use crate::plan::SitePlan;
use crate::report::{Endpoints, RoleEndpoint, SiteEndpoint};

const ADDRESS: &str = "127.0.0.1";

/// Clients of a demonstration do not collect what they have to say.
const STATE_BATCH: Duration = Duration::from_millis(200);

/// Content nobody names any more outlives every demonstration.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Ports tried from `--port-base` on.
const PORTS_TRIED: u16 = 1_000;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type BoxListen = Box<dyn Listen>;

/// Which server, and how it ended.
type Ended = (String, Result<(), BoxError>);

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) ambient: Ambient,
    pub(crate) directory: PathBuf,
    pub(crate) endpoints: Endpoints,
    pub(crate) shutdown: CancellationToken,
    metrics: Metrics,
    port: Option<u16>,
    servers: JoinSet<Ended>,
}

/// Somebody who has joined a site.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) data: PathBuf,
    pub(crate) credentials: Credentials,
    pub(crate) identity: PeerIdentity,
    site: Connection,
}

impl Host {
    pub(crate) fn open(directory: PathBuf, port: Option<u16>) -> Result<Host, Error> {
        Ok(Host {
            ambient: Ambient::system(),
            directory,
            endpoints: Endpoints::default(),
            shutdown: CancellationToken::new(),
            metrics: Metrics::install().map_err(Error::start("metrics"))?,
            port,
            servers: JoinSet::new(),
        })
    }

    /// Starts a site server; the top-level site needs no token.
    pub(crate) async fn start_site(
        &mut self,
        plan: &SitePlan,
        token: Option<String>,
    ) -> Result<String, Error> {
        let name = plan.code;
        let (listener, url) = self.listen("https").await?;
        let data = self.place(name)?;
        let pki = Pki::open(&data).map_err(Error::start(name))?;
        if let Some(token) = token {
            let site_kind = Some(plan.kind);
            let joining = Joining { site_kind, ..joining(PeerKind::Site, name, &url, "") };
            self.join(&pki, &token, &joining).await?;
        }
        let mut config = site::Config {
            code: SiteCode::new(name).map_err(Error::start(name))?,
            kind: plan.kind,
            name: name.to_owned(),
            data,
            url: url.clone(),
            names: vec![ADDRESS.to_owned()],
            is_top: plan.kind == SiteKind::Central,
            policy: Default::default(),
        };
        config.policy.state_batch = STATE_BATCH;
        let deps = site::Deps {
            ambient: self.ambient.clone(),
            pki,
            health: Health::default(),
            metrics: self.metrics.clone(),
            connect: Arc::new(TcpConnect),
        };
        let server = site::SiteServer::open(config, deps).await.map_err(Error::start(name))?;
        self.spawn(name, server.run(listener, self.shutdown.clone()));
        self.endpoints.sites.push(SiteEndpoint { code: name.to_owned(), url: url.clone() });
        Ok(url)
    }

    /// Starts the upstream update server, which belongs to no site.
    pub(crate) async fn start_upstream(&mut self) -> Result<SoftwareUpdatePoint, Error> {
        let (http, url) = self.listen("http").await?;
        self.endpoints.upstream = url;
        let data = self.place("upstream")?;
        self.start_sup("upstream", data, None, (None, Some(http))).await
    }

    /// Starts a role of a site; whoever starts an update point may look into it.
    pub(crate) async fn start_role(
        &mut self,
        site: &str,
        kind: RoleKind,
        token: &str,
    ) -> Result<Option<SoftwareUpdatePoint>, Error> {
        let name = format!("{site}-{}", kind.as_str().to_uppercase());
        let (https, url) = self.listen("https").await?;
        let (http, http_url) = match kind {
            RoleKind::ManagementPoint => (None, String::new()),
            RoleKind::SoftwareUpdatePoint | RoleKind::DistributionPoint => {
                let (http, url) = self.listen("http").await?;
                (Some(http), url)
            }
        };
        let member =
            self.member(token, &joining(PeerKind::Role(kind), &name, &url, &http_url)).await?;
        let site = site.to_owned();
        let endpoint = RoleEndpoint { site, name: name.clone(), http: http_url, https: url };
        match kind {
            RoleKind::SoftwareUpdatePoint => {
                self.endpoints.sups.push(endpoint);
                let (data, ports) = (member.data.clone(), (Some(https), http));
                self.start_sup(&name, data, Some(member), ports).await.map(Some)
            }
            RoleKind::ManagementPoint => {
                self.endpoints.mps.push(endpoint);
                self.start_mp(&name, member, https).map(|()| None)
            }
            RoleKind::DistributionPoint => {
                self.endpoints.dps.push(endpoint);
                self.start_dp(&name, member, (https, http)).map(|()| None)
            }
        }
    }

    /// The update protocols are open on plain HTTP: nobody but this machine can reach them.
    async fn start_sup(
        &mut self,
        name: &str,
        data: PathBuf,
        member: Option<Member>,
        (https, http): (Option<BoxListen>, Option<BoxListen>),
    ) -> Result<SoftwareUpdatePoint, Error> {
        let (plain_http, executor) = (PlainHttp::All, Default::default());
        let name_given = name.to_owned();
        let config = software_update_point::Config {
            name: name_given,
            data,
            plain_http,
            installed_max: software_update_point::INSTALLED_MAX,
            outside: Default::default(),
            following: Default::default(),
            executor,
        };
        let deps = software_update_point::Deps {
            ambient: self.ambient.clone(),
            connect: Arc::new(TcpConnect),
            credentials: member.as_ref().map(|member| member.credentials.clone()),
            site: member.map(|m| Site { code: m.identity.site, connection: m.site }),
        };
        let point = SoftwareUpdatePoint::new(config, deps).await.map_err(Error::start(name))?;
        let operations = self.operations();
        let ports = Ports { https, http, operations, revoked: Arc::new(|_| false) };
        self.spawn(name, point.clone().run(ports, self.shutdown.clone()));
        Ok(point)
    }

    fn start_mp(&mut self, name: &str, member: Member, listener: BoxListen) -> Result<(), Error> {
        use management_point::{Config, Deps, ManagementPoint, Ports};
        let Member { data, credentials, site, .. } = member;
        let config = Config { data, executor: Default::default() };
        let (ambient, credentials) = (self.ambient.clone(), Some(credentials));
        let point = ManagementPoint::new(config, Deps { ambient, credentials, site });
        let operations = self.operations();
        let ports = Ports { listener, operations, revoked: Arc::new(|_| false) };
        let point = point.map_err(Error::start(name))?;
        self.spawn(name, point.run(ports, self.shutdown.clone()));
        Ok(())
    }

    fn start_dp(
        &mut self,
        name: &str,
        member: Member,
        (https, http): (BoxListen, Option<BoxListen>),
    ) -> Result<(), Error> {
        use distribution_point::{Config, Deps, DistributionPoint, Ports};
        let Member { data, credentials, identity, site } = member;
        let (lease, executor) = (LEASE, Default::default());
        let config = Config { name: name.to_owned(), data, lease, executor };
        let (ambient, credentials) = (self.ambient.clone(), Some(credentials));
        let (id, code) = (identity.id.parse().map_err(Error::start(name))?, identity.site);
        let point = DistributionPoint::new(config, Deps { ambient, credentials, id, code, site });
        let (https, operations) = (Some(https), self.operations());
        let ports = Ports { https, http, operations, revoked: Arc::new(|_| false) };
        let point = point.map_err(Error::start(name))?;
        self.spawn(name, point.run(ports, self.shutdown.clone()));
        Ok(())
    }

    fn operations(&self) -> Router {
        daemon::routes(Health::default(), self.metrics.clone())
    }

    /// Joins with a token, in a directory of its own.
    pub(crate) async fn member(&self, token: &str, joining: &Joining) -> Result<Member, Error> {
        let name = &joining.name;
        let data = self.place(name)?;
        let pki = Pki::open(&data).map_err(Error::start(name))?;
        let url = self.join(&pki, token, joining).await?;
        let credentials = pki.credentials(&self.ambient).map_err(Error::start(name))?;
        let credentials = credentials.ok_or(Error::Answer { what: "certificate" })?;
        let identity = credentials.identity().clone();
        let expect = Expect { kind: PeerKind::Site, site: identity.site, id: None };
        let security = Security::Mutual { credentials: credentials.clone(), expect };
        let site = Connection::new(Arc::new(TcpConnect), &url, security);
        let site = site.map_err(Error::start(name))?;
        Ok(Member { data, credentials, identity, site })
    }

    /// Says where the site it joined answers.
    async fn join(&self, pki: &Pki, token: &str, joining: &Joining) -> Result<String, Error> {
        let name = &joining.name;
        let token: JoinToken = token.parse().map_err(Error::start(name))?;
        let joined = daemon::join(&self.ambient, Arc::new(TcpConnect), pki, &token, joining).await;
        let parent = joined.map_err(Error::start(name))?.parent;
        Ok(parent.ok_or(Error::Answer { what: "parent" })?.url)
    }

    pub(crate) fn spawn<E: Into<BoxError>>(
        &mut self,
        name: &str,
        running: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let name = name.to_owned();
        self.servers.spawn(async move { (name, running.await.map_err(Into::into)) });
    }

    /// A server that ended before its time.
    pub(crate) fn ended(&mut self) -> Option<Error> {
        self.servers.try_join_next().map(early)
    }

    /// Ends only if a server does.
    pub(crate) async fn watch(&mut self) -> Error {
        match self.servers.join_next().await {
            Some(ended) => early(ended),
            None => std::future::pending().await,
        }
    }

    /// Ends all servers in order.
    pub(crate) async fn stop(mut self) -> Result<(), Error> {
        self.shutdown.cancel();
        while let Some(ended) = self.servers.join_next().await {
            let (what, ended) = ended.map_err(Error::start("the end"))?;
            ended.map_err(|source| Error::Ended { what, source: Some(source) })?;
        }
        Ok(())
    }

    pub(crate) fn place(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.directory.join(name);
        make_private(&path).map(|()| path)
    }

    async fn listen(&mut self, scheme: &str) -> Result<(BoxListen, String), Error> {
        let listener = self.bind().await?;
        let url = format!("{scheme}://{}", listener.local_address());
        Ok((Box::new(listener), url))
    }

    async fn bind(&mut self) -> Result<TcpListen, Error> {
        let Some(base) = self.port else {
            let listener = TcpListen::bind(&format!("{ADDRESS}:0")).await;
            return listener.map_err(Error::start("a port"));
        };
        for port in base..base.saturating_add(PORTS_TRIED) {
            if let Ok(listener) = TcpListen::bind(&format!("{ADDRESS}:{port}")).await {
                self.port = Some(port.saturating_add(1));
                return Ok(listener);
            }
        }
        Err(Error::NoPort { base })
    }
}

fn early(ended: Result<Ended, JoinError>) -> Error {
    match ended {
        Ok((what, ended)) => Error::Ended { what, source: ended.err() },
        Err(error) => Error::Ended { what: "a server".to_owned(), source: Some(error.into()) },
    }
}

/// Whoever could write there would decide what is run.
pub(crate) fn make_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(Error::files("make", path))
}

pub(crate) fn joining(kind: PeerKind, name: &str, url: &str, http_url: &str) -> Joining {
    Joining {
        kind,
        site_kind: None,
        name: name.to_owned(),
        url: url.to_owned(),
        http_url: http_url.to_owned(),
        names: vec![ADDRESS.to_owned()],
    }
}
