//! The configuration of `tierline-sup`, and what its process does with it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process, RenewFrom, Renewal};
use model::{PeerKind, RoleKind};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;
use transport::{Connection, Expect, Listen, Security, TcpConnect, TcpListen};

use crate::{Config, Deps, Error, PlainHttp, Ports, Site, SoftwareUpdatePoint};

/// The TOML file; deploy/sup.example.toml says what each key means.
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
    pub sup: SupSection,
    pub log: LogSection,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct SupSection {
    pub stand_alone: bool,
    pub plain_http: String,
}

impl Default for File {
    fn default() -> File {
        File {
            data: "/var/lib/tierline/sup".to_owned(),
            name: "tierline-sup".to_owned(),
            https: "0.0.0.0:8531".to_owned(),
            http: "0.0.0.0:8530".to_owned(),
            url: String::new(),
            http_url: String::new(),
            names: Vec::new(),
            sup: SupSection::default(),
            log: LogSection::default(),
        }
    }
}

impl Default for SupSection {
    fn default() -> SupSection {
        SupSection { stand_alone: false, plain_http: "content".to_owned() }
    }
}

/// A validated [`File`].
#[derive(Clone, Debug)]
pub struct Settings {
    base: Base,
    role: Config,
    is_stand_alone: bool,
    https: Option<SocketAddr>,
    http: Option<SocketAddr>,
    joining: Joining,
}

/// The process.
#[derive(Debug)]
pub struct Program;

impl daemon::Program for Program {
    const NAME: &'static str = "tierline-sup";
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
        let plain_http = problems.check("sup.plain_http", plain_http(&file.sup.plain_http));
        let https = problems.check("https", address(&file.https));
        let http = problems.check("http", address(&file.http));
        let log = Log::validate(&file.log, problems);
        let (plain_http, https, http) = (plain_http?, https?, http?);
        let http = http.filter(|_| plain_http != PlainHttp::Off);
        let url = |given: &str, scheme: &str, port: Option<SocketAddr>| match (given, port) {
            ("", Some(port)) => format!("{scheme}://{}:{}", file.name, port.port()),
            (given, _) => given.to_owned(),
        };
        let joining = Joining {
            kind: PeerKind::Role(RoleKind::SoftwareUpdatePoint),
            site_kind: None,
            name: file.name.clone(),
            url: url(&file.url, "https", https),
            http_url: url(&file.http_url, "http", http),
            names: file.names.clone(),
        };
        let (name, executor) = (file.name.clone(), Executor::Thread);
        let role = Config { name, data: data.clone(), plain_http, executor };
        let (base, is_stand_alone) = (Base { data, log: log? }, file.sup.stand_alone);
        Some(Settings { base, role, is_stand_alone, https, http, joining })
    }

    fn base(config: &Settings) -> Base {
        config.base.clone()
    }

    fn joining(config: &Settings) -> Joining {
        config.joining.clone()
    }

    async fn run(config: Settings, process: Process) -> Outcome {
        let Process { ambient, pki, health, metrics, shutdown } = process;
        let Settings { role, is_stand_alone, https, http, joining, .. } = config;
        let credentials = if is_stand_alone { None } else { pki.credentials(&ambient)? };
        let parent = pki.membership()?.and_then(|membership| membership.parent);
        let site = match (&credentials, parent) {
            (Some(credentials), Some(parent)) => {
                let expect = Expect { kind: PeerKind::Site, site: parent.site, id: None };
                let security = Security::Mutual { credentials: credentials.clone(), expect };
                let connection = Connection::new(Arc::new(TcpConnect), &parent.url, security)?;
                Some(Site { code: parent.site, connection })
            }
            _ if is_stand_alone => None,
            _ => {
                return Err("this update point has not joined: run `tierline-sup join TOKEN`, \
                             or set sup.stand_alone = true"
                    .into());
            }
        };
        // Without certificates there is nothing to serve over TLS with.
        let https = https.filter(|_| credentials.is_some());
        let operations = daemon::routes(health.clone(), metrics);
        let revoked = Arc::new(|_: &model::PeerIdentity| false);
        let (https, http) = (listen(https).await?, listen(http).await?);
        let ports = Ports { https, http, operations, revoked };
        let connect = Arc::new(TcpConnect);
        let renewal = site.clone().zip(credentials.clone()).map(|(site, credentials)| {
            let (from, ambient) = (RenewFrom::Site(site.connection), ambient.clone());
            Renewal { ambient, pki, credentials, from, names: joining.names }
        });
        let deps = Deps { ambient, connect, credentials, site };
        let point = SoftwareUpdatePoint::new(role, deps).await?;
        health.ready("update point");
        let renewing = async {
            if let Some(renewal) = renewal {
                renewal.run(shutdown.clone()).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            outcome = point.run(ports, shutdown.clone()) => Ok(outcome?),
            () = renewing => Ok(()),
        }
    }

    async fn check(config: Settings) -> Outcome {
        let problems = open(config).await?.check().await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }

    async fn migrate(config: Settings) -> Outcome {
        open(config).await.map(drop).map_err(Into::into)
    }
}

/// The stores alone.
async fn open(config: Settings) -> Result<SoftwareUpdatePoint, Error> {
    let (ambient, connect) = (ambient::Ambient::system(), Arc::new(TcpConnect));
    let deps = Deps { ambient, connect, credentials: None, site: None };
    SoftwareUpdatePoint::new(config.role, deps).await
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<Box<dyn Listen>>, transport::Error> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListen::bind(&address.to_string()).await?;
    tracing::info!(address = %listener.local_address(), "the update point listens");
    Ok(Some(Box::new(listener)))
}

fn plain_http(text: &str) -> Result<PlainHttp, String> {
    match text {
        "off" => Ok(PlainHttp::Off),
        "content" => Ok(PlainHttp::Content),
        "all" => Ok(PlainHttp::All),
        other => Err(format!("\"{other}\" is not off, content or all")),
    }
}

/// Empty: this port is not opened.
fn address(text: &str) -> Result<Option<SocketAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let bad = |_| format!("\"{text}\" is not an address and port such as 0.0.0.0:8531");
    text.parse().map(Some).map_err(bad)
}
