//! The configuration of `tierline-dp`, and what its process does with it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process, RenewFrom, Renewal};
use model::{PeerKind, RoleKind};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;
use transport::{Connection, Expect, Listen, Security, TcpConnect, TcpListen};

use crate::{Config, Deps, DistributionPoint, Ports};

/// The TOML file; deploy/dp.example.toml says what each key means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    pub data: String,
    pub name: String,
    pub https: String,
    pub http: String,
    pub url: String,
    pub http_url: String,
    pub names: Vec<String>,
    pub content: ContentSection,
    pub log: LogSection,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ContentSection {
    pub lease: String,
}

impl Default for File {
    fn default() -> File {
        File {
            data: "/var/lib/tierline/dp".to_owned(),
            name: "tierline-dp".to_owned(),
            https: "0.0.0.0:7442".to_owned(),
            http: "0.0.0.0:7443".to_owned(),
            url: String::new(),
            http_url: String::new(),
            names: Vec::new(),
            content: ContentSection::default(),
            log: LogSection::default(),
        }
    }
}

impl Default for ContentSection {
    fn default() -> ContentSection {
        ContentSection { lease: "1d".to_owned() }
    }
}

/// A validated [`File`].
#[derive(Clone, Debug)]
pub struct Settings {
    base: Base,
    role: Config,
    https: SocketAddr,
    http: Option<SocketAddr>,
    joining: Joining,
}

/// The process.
#[derive(Debug)]
pub struct Program;

impl daemon::Program for Program {
    const NAME: &'static str = "tierline-dp";
    type File = File;
    type Config = Settings;

    fn validate(file: &File, problems: &mut Problems) -> Option<Settings> {
        let data = PathBuf::from(&file.data);
        if !data.is_absolute() {
            problems.note("data", format!("\"{}\" is not an absolute path", file.data));
        }
        if file.name.is_empty() {
            problems.note("name", "is empty; give the name of this machine");
        }
        let https = problems.check("https", address(&file.https));
        let plain = if file.http.is_empty() { Ok(None) } else { address(&file.http).map(Some) };
        let http = problems.check("http", plain);
        let lease = daemon::config::units::duration(&file.content.lease);
        let lease = problems.check("content.lease", lease);
        let log = Log::validate(&file.log, problems);
        let (https, http) = (https?, http?);
        let url = |given: &str, scheme: &str, port: u16| match given {
            "" => format!("{scheme}://{}:{port}", file.name),
            given => given.to_owned(),
        };
        let joining = Joining {
            kind: PeerKind::Role(RoleKind::DistributionPoint),
            site_kind: None,
            name: file.name.clone(),
            url: url(&file.url, "https", https.port()),
            http_url: http
                .map_or_else(String::new, |http| url(&file.http_url, "http", http.port())),
            names: file.names.clone(),
        };
        let (name, executor) = (file.name.clone(), Executor::Thread);
        let role = Config { name, data: data.clone(), lease: lease?, executor };
        Some(Settings { base: Base { data, log: log? }, role, https, http, joining })
    }

    fn base(config: &Settings) -> Base {
        config.base.clone()
    }

    fn joining(config: &Settings) -> Joining {
        config.joining.clone()
    }

    async fn run(config: Settings, process: Process) -> Outcome {
        let Process { ambient, pki, health, metrics, shutdown } = process;
        let Settings { role, https, http, joining, .. } = config;
        let parent = pki.membership()?.and_then(|membership| membership.parent);
        let (Some(credentials), Some(parent)) = (pki.credentials(&ambient)?, parent) else {
            return Err(
                "this distribution point has not joined: run `tierline-dp join TOKEN`".into()
            );
        };
        let expect = Expect { kind: PeerKind::Site, site: parent.site, id: None };
        let security = Security::Mutual { credentials: credentials.clone(), expect };
        let site = Connection::new(Arc::new(TcpConnect), &parent.url, security)?;
        let http = match http {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let operations = daemon::routes(health.clone(), metrics);
        // Content is public by hash; the site server refuses points it has revoked.
        let revoked = Arc::new(|_: &model::PeerIdentity| false);
        let ports = Ports { https: Some(listen(https).await?), http, operations, revoked };
        let renewal = Renewal {
            ambient: ambient.clone(),
            pki,
            credentials: credentials.clone(),
            from: RenewFrom::Site(site.clone()),
            names: joining.names,
        };
        let identity = credentials.identity().clone();
        let (id, code) = (identity.id.parse()?, identity.site);
        let deps = Deps { ambient, credentials: Some(credentials), id, code, site };
        let point = DistributionPoint::new(role, deps)?;
        health.ready("distribution point");
        let renewing = async {
            renewal.run(shutdown.clone()).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            outcome = point.run(ports, shutdown.clone()) => Ok(outcome?),
            () = renewing => Ok(()),
        }
    }

    async fn check(config: Settings) -> Outcome {
        let problems = crate::point::check(ambient::Ambient::system(), &config.base.data).await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}

async fn listen(address: SocketAddr) -> Result<Box<dyn Listen>, transport::Error> {
    let listener = TcpListen::bind(&address.to_string()).await?;
    tracing::info!(address = %listener.local_address(), "the distribution point listens");
    Ok(Box::new(listener))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let bad = |_| format!("\"{text}\" is not an address and port such as 0.0.0.0:7442");
    text.parse().map_err(bad)
}
