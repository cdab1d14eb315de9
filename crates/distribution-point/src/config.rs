//! The configuration of `tierline-dp`, and what its process does with it.

use std::net::SocketAddr;

use daemon::config::units::duration;
use daemon::role::{self, Member};
use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process};
use model::{PeerKind, RoleKind};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;

use crate::{Config, Deps, DistributionPoint, Ports};

/// An address and port.
const EXAMPLE: &str = "0.0.0.0:7442";

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
            https: EXAMPLE.to_owned(),
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
        let data = role::check_machine(&file.data, &file.name, problems);
        let https = problems.check("https", role::address(&file.https, EXAMPLE));
        let http = problems.check("http", role::address_if_any(&file.http, EXAMPLE));
        let lease = problems.check("content.lease", duration(&file.content.lease));
        let log = Log::validate(&file.log, problems);
        let (name, https, http) = (file.name.clone(), https?, http?);
        let joining = Joining {
            kind: PeerKind::Role(RoleKind::DistributionPoint),
            site_kind: None,
            url: role::url(&file.url, "https", &name, Some(https)),
            http_url: role::url(&file.http_url, "http", &name, http),
            names: file.names.clone(),
            name: name.clone(),
        };
        let executor = Executor::Thread;
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
        let Process { ambient, pki, health, metrics, shutdown, lock: _ } = process;
        let Settings { role, https, http, joining: Joining { names, .. }, .. } = config;
        let Some(member) = Member::of(&pki, &ambient)? else {
            return Err(
                "this distribution point has not joined: run `tierline-dp join TOKEN`".into()
            );
        };
        let ports = Ports {
            https: Some(role::listen(https, "distribution point").await?),
            http: role::listen_if_any(http, "distribution point").await?,
            operations: daemon::routes(health.clone(), metrics),
            revoked: member.revocations.check(),
        };
        let Member { credentials, site, .. } = member.clone();
        let identity = credentials.identity().clone();
        let (id, code) = (identity.id.parse()?, identity.site);
        let deps = Deps { ambient, credentials: Some(credentials), id, code, site };
        let point = DistributionPoint::new(role, deps)?;
        health.ready("distribution point");
        Ok(member.beside(names, shutdown.clone(), point.run(ports, shutdown)).await?)
    }

    async fn check(config: Settings) -> Outcome {
        let problems = crate::point::check(ambient::Ambient::system(), &config.base.data).await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}
