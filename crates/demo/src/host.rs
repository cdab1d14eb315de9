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
use daemon::{Health, Joining, Metrics, Pki};
use model::{PeerIdentity, PeerKind, RoleKind, SiteCode, SiteKind};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{Connection, Credentials, Expect, Listen, Security, TcpConnect, TcpListen};
use trust::JoinToken;

use crate::Error;
use crate::plan::SitePlan;
use crate::report::{Endpoints, RoleEndpoint, SiteEndpoint, SupEndpoint};

const ADDRESS: &str = "127.0.0.1";

/// Clients of a demonstration do not collect what they have to say.
const STATE_BATCH: Duration = Duration::from_millis(200);

/// Content nobody names any more outlives every demonstration.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// Ports tried from `--port-base` on.
const PORTS_TRIED: u16 = 1_000;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) ambient: Ambient,
    pub(crate) directory: PathBuf,
    pub(crate) endpoints: Endpoints,
    metrics: Metrics,
    port: Option<u16>,
    shutdown: CancellationToken,
    servers: JoinSet<(String, Result<(), BoxError>)>,
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
            metrics: Metrics::install().map_err(Error::start("metrics"))?,
            port,
            shutdown: CancellationToken::new(),
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
        let names = vec![ADDRESS.to_owned()];
        if let Some(token) = token {
            let (kind, site_kind) = (PeerKind::Site, Some(plan.kind));
            let joining = Joining { site_kind, ..joining(kind, name, &url, "") };
            self.join(&pki, name, &token, &joining).await?;
        }
        let mut config = site::Config {
            code: SiteCode::new(name).map_err(Error::start(name))?,
            kind: plan.kind,
            name: name.to_owned(),
            data,
            url: url.clone(),
            names,
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
        let running = server.run(Box::new(listener), self.shutdown.clone());
        self.spawn(name, running);
        self.endpoints.sites.push(SiteEndpoint { code: name.to_owned(), url: url.clone() });
        Ok(url)
    }

    /// Starts the upstream update server, which belongs to no site.
    pub(crate) async fn start_upstream(
        &mut self,
    ) -> Result<software_update_point::SoftwareUpdatePoint, Error> {
        let (http, http_url) = self.listen("http").await?;
        let deps = software_update_point::Deps {
            ambient: self.ambient.clone(),
            connect: Arc::new(TcpConnect),
            credentials: None,
            site: None,
        };
        self.endpoints.upstream = http_url;
        let data = self.place("upstream")?;
        self.run_sup("upstream", data, deps, (None, Box::new(http))).await
    }

    /// Starts a software update point.
    pub(crate) async fn start_sup(
        &mut self,
        site: &str,
        token: &str,
    ) -> Result<software_update_point::SoftwareUpdatePoint, Error> {
        let name = role_name(site, RoleKind::SoftwareUpdatePoint);
        let (https, url) = self.listen("https").await?;
        let (http, http_url) = self.listen("http").await?;
        let kind = PeerKind::Role(RoleKind::SoftwareUpdatePoint);
        let member = self.member(token, &joining(kind, &name, &url, &http_url)).await?;
        let deps = software_update_point::Deps {
            ambient: self.ambient.clone(),
            connect: Arc::new(TcpConnect),
            credentials: Some(member.credentials),
            site: Some(software_update_point::Site {
                code: member.identity.site,
                connection: member.site,
            }),
        };
        let site = site.to_owned();
        let endpoint = SupEndpoint { site, name: name.clone(), http: http_url, https: url };
        self.endpoints.sups.push(endpoint);
        let https: Box<dyn Listen> = Box::new(https);
        self.run_sup(&name, member.data, deps, (Some(https), Box::new(http))).await
    }

    /// The update protocols are open on plain HTTP: nobody but this machine can reach them.
    async fn run_sup(
        &mut self,
        name: &str,
        data: PathBuf,
        deps: software_update_point::Deps,
        (https, http): (Option<Box<dyn Listen>>, Box<dyn Listen>),
    ) -> Result<software_update_point::SoftwareUpdatePoint, Error> {
        use software_update_point::{Config, PlainHttp, Ports, SoftwareUpdatePoint};
        let plain_http = PlainHttp::All;
        let config =
            Config { name: name.to_owned(), data, plain_http, executor: Default::default() };
        let point = SoftwareUpdatePoint::new(config, deps).await.map_err(Error::start(name))?;
        let operations = daemon::routes(Health::default(), self.metrics.clone());
        let ports = Ports { https, http: Some(http), operations, revoked: Arc::new(|_| false) };
        self.spawn(name, point.clone().run(ports, self.shutdown.clone()));
        Ok(point)
    }

    /// Starts a management point.
    pub(crate) async fn start_mp(&mut self, site: &str, token: &str) -> Result<(), Error> {
        use management_point::{Config, Deps, ManagementPoint, Ports};
        let name = role_name(site, RoleKind::ManagementPoint);
        let (listener, url) = self.listen("https").await?;
        let kind = PeerKind::Role(RoleKind::ManagementPoint);
        let member = self.member(token, &joining(kind, &name, &url, "")).await?;
        let config = Config { data: member.data, executor: Default::default() };
        let deps = Deps {
            ambient: self.ambient.clone(),
            credentials: Some(member.credentials),
            site: member.site,
        };
        let point = ManagementPoint::new(config, deps).map_err(Error::start(&name))?;
        let operations = daemon::routes(Health::default(), self.metrics.clone());
        let listener = Box::new(listener);
        let ports = Ports { listener, operations, revoked: Arc::new(|_| false) };
        self.spawn(&name, point.run(ports, self.shutdown.clone()));
        let (site, http_url) = (site.to_owned(), String::new());
        self.endpoints.mps.push(RoleEndpoint { site, name, url, http_url });
        Ok(())
    }

    /// Starts a distribution point.
    pub(crate) async fn start_dp(&mut self, site: &str, token: &str) -> Result<(), Error> {
        use distribution_point::{Config, Deps, DistributionPoint, Ports};
        let name = role_name(site, RoleKind::DistributionPoint);
        let (https, url) = self.listen("https").await?;
        let (http, http_url) = self.listen("http").await?;
        let kind = PeerKind::Role(RoleKind::DistributionPoint);
        let member = self.member(token, &joining(kind, &name, &url, &http_url)).await?;
        let config = Config {
            name: name.clone(),
            data: member.data,
            lease: LEASE,
            executor: Default::default(),
        };
        let deps = Deps {
            ambient: self.ambient.clone(),
            credentials: Some(member.credentials),
            id: member.identity.id.parse().map_err(Error::start(&name))?,
            code: member.identity.site,
            site: member.site,
        };
        let point = DistributionPoint::new(config, deps).map_err(Error::start(&name))?;
        let operations = daemon::routes(Health::default(), self.metrics.clone());
        let (https, http): (Box<dyn Listen>, Box<dyn Listen>) = (Box::new(https), Box::new(http));
        let revoked = Arc::new(|_: &PeerIdentity| false);
        let ports = Ports { https: Some(https), http: Some(http), operations, revoked };
        self.spawn(&name, point.run(ports, self.shutdown.clone()));
        let site = site.to_owned();
        self.endpoints.dps.push(RoleEndpoint { site, name, url, http_url });
        Ok(())
    }

    /// Joins with a token, in a directory of its own.
    pub(crate) async fn member(&self, token: &str, joining: &Joining) -> Result<Member, Error> {
        let name = &joining.name;
        let data = self.place(name)?;
        let pki = Pki::open(&data).map_err(Error::start(name))?;
        let url = self.join(&pki, name, token, joining).await?;
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
    async fn join(
        &self,
        pki: &Pki,
        name: &str,
        token: &str,
        joining: &Joining,
    ) -> Result<String, Error> {
        let token: JoinToken = token.parse().map_err(Error::start(name))?;
        let connect = Arc::new(TcpConnect);
        let joined = daemon::join(&self.ambient, connect, pki, &token, joining).await;
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

    pub(crate) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Ends only if a server does.
    pub(crate) async fn watch(&mut self) -> Error {
        match self.servers.join_next().await {
            Some(Ok((what, ended))) => Error::Ended { what, source: ended.err() },
            Some(Err(error)) => {
                Error::Ended { what: "a server".to_owned(), source: Some(error.into()) }
            }
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

    async fn listen(&mut self, scheme: &str) -> Result<(TcpListen, String), Error> {
        let listener = self.bind().await?;
        let url = format!("{scheme}://{}", listener.local_address());
        Ok((listener, url))
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

/// As in `PR1-DP`.
pub(crate) fn role_name(site: &str, kind: RoleKind) -> String {
    format!("{site}-{}", kind.as_str().to_uppercase())
}
