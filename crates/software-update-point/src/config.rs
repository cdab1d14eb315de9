//! The configuration of `tierline-sup`, and what its process does with it.

mod outside;

use std::net::SocketAddr;
use std::sync::Arc;

use daemon::role::{self, Member};
use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process};
use model::{PeerKind, RoleKind};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;
use transport::TcpConnect;

pub use self::outside::{ProxySection, UpstreamSection};
use crate::computers::limits::INSTALLED_MAX_HIGHEST;
use crate::{Config, Deps, Error, INSTALLED_MAX, PlainHttp, Ports, Site, SoftwareUpdatePoint};

/// An address and port.
const EXAMPLE: &str = "0.0.0.0:8531";

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
    pub proxy: ProxySection,
    pub upstream: UpstreamSection,
    pub log: LogSection,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct SupSection {
    pub stand_alone: bool,
    pub plain_http: String,
    pub installed_max: usize,
    pub roots: String,
}

impl Default for File {
    fn default() -> File {
        File {
            data: "/var/lib/tierline/sup".to_owned(),
            name: "tierline-sup".to_owned(),
            https: EXAMPLE.to_owned(),
            http: "0.0.0.0:8530".to_owned(),
            url: String::new(),
            http_url: String::new(),
            names: Vec::new(),
            sup: SupSection::default(),
            proxy: ProxySection::default(),
            upstream: UpstreamSection::default(),
            log: LogSection::default(),
        }
    }
}

impl Default for SupSection {
    fn default() -> SupSection {
        SupSection {
            stand_alone: false,
            plain_http: "content".to_owned(),
            installed_max: INSTALLED_MAX,
            roots: "/etc/ssl/certs/ca-certificates.crt".to_owned(),
        }
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
        let data = role::check_machine(&file.data, &file.name, problems);
        let plain_http = problems.check("sup.plain_http", plain_http(&file.sup.plain_http));
        let installed_max = installed_max(file.sup.installed_max);
        let installed_max = problems.check("sup.installed_max", installed_max);
        let https = problems.check("https", role::address_if_any(&file.https, EXAMPLE));
        let http = problems.check("http", role::address_if_any(&file.http, EXAMPLE));
        let outside = outside::outside(&file.sup.roots, &file.proxy, problems);
        let following = outside::following(&file.upstream, file.sup.stand_alone, problems);
        let log = Log::validate(&file.log, problems);
        let (name, plain_http, https) = (file.name.clone(), plain_http?, https?);
        let installed_max = installed_max?;
        let http = http?.filter(|_| plain_http != PlainHttp::Off);
        let joining = Joining {
            kind: PeerKind::Role(RoleKind::SoftwareUpdatePoint),
            site_kind: None,
            url: role::url(&file.url, "https", &name, https),
            http_url: role::url(&file.http_url, "http", &name, http),
            names: file.names.clone(),
            name: name.clone(),
        };
        let executor = Executor::Thread;
        let (outside, following) = (outside?, following?);
        let role = Config {
            name,
            data: data.clone(),
            plain_http,
            installed_max,
            outside,
            following,
            executor,
        };
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
        let Process { ambient, pki, health, metrics, shutdown, lock: _ } = process;
        let Settings { role, is_stand_alone, https, http, joining, .. } = config;
        let member = if is_stand_alone { None } else { Member::of(&pki, &ambient)? };
        if member.is_none() && !is_stand_alone {
            return Err("this update point has not joined: run `tierline-sup join TOKEN`, \
                         or set sup.stand_alone = true"
                .into());
        }
        let revocations = member.as_ref().map(|member| member.revocations.clone());
        let revocations = revocations.unwrap_or_default();
        let ports = Ports {
            // Without certificates there is nothing to serve over TLS with.
            https: role::listen_if_any(https.filter(|_| member.is_some()), "update point").await?,
            http: role::listen_if_any(http, "update point").await?,
            operations: daemon::routes(health.clone(), metrics),
            revoked: revocations.check(),
        };
        let credentials = member.as_ref().map(|member| member.credentials.clone());
        let site = member.as_ref().map(|member| Site {
            code: member.credentials.identity().site,
            connection: member.site.clone(),
        });
        let deps = Deps { ambient, connect: Arc::new(TcpConnect), credentials, site };
        let point = SoftwareUpdatePoint::new(role, deps).await?;
        health.ready("update point");
        let work = point.run(ports, shutdown.clone());
        match member {
            Some(member) => Ok(member.beside(joining.names, shutdown, work).await?),
            None => Ok(work.await?),
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

fn installed_max(number: usize) -> Result<usize, String> {
    match number {
        1..=INSTALLED_MAX_HIGHEST => Ok(number),
        _ => Err(format!("{number} is not between 1 and {INSTALLED_MAX_HIGHEST}")),
    }
}

fn plain_http(text: &str) -> Result<PlainHttp, String> {
    match text {
        "off" => Ok(PlainHttp::Off),
        "content" => Ok(PlainHttp::Content),
        "all" => Ok(PlainHttp::All),
        other => Err(format!("\"{other}\" is not off, content or all")),
    }
}
