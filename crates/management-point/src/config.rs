//! The configuration of `tierline-mp`, and what its process does with it.

use std::net::SocketAddr;

use daemon::role::{self, Member};
use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process};
use model::{PeerKind, RoleKind};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;

use crate::{Config, Deps, ManagementPoint, Ports};

/// An address and port.
const EXAMPLE: &str = "0.0.0.0:7441";

/// The TOML file; deploy/mp.example.toml says what each key means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    pub data: String,
    pub name: String,
    pub listen: String,
    pub url: String,
    pub log: LogSection,
}

impl Default for File {
    fn default() -> File {
        File {
            data: "/var/lib/tierline/mp".to_owned(),
            name: "tierline-mp".to_owned(),
            listen: EXAMPLE.to_owned(),
            url: String::new(),
            log: LogSection::default(),
        }
    }
}

/// A validated [`File`].
#[derive(Clone, Debug)]
pub struct Settings {
    base: Base,
    listen: SocketAddr,
    joining: Joining,
}

/// The process.
#[derive(Debug)]
pub struct Program;

impl daemon::Program for Program {
    const NAME: &'static str = "tierline-mp";
    type File = File;
    type Config = Settings;

    fn validate(file: &File, problems: &mut Problems) -> Option<Settings> {
        let data = role::check_machine(&file.data, &file.name, problems);
        let log = Log::validate(&file.log, problems);
        let listen = problems.check("listen", role::address(&file.listen, EXAMPLE))?;
        let name = file.name.clone();
        let joining = Joining {
            kind: PeerKind::Role(RoleKind::ManagementPoint),
            site_kind: None,
            url: role::url(&file.url, "https", &name, Some(listen)),
            name,
            http_url: String::new(),
            names: Vec::new(),
        };
        Some(Settings { base: Base { data, log: log? }, listen, joining })
    }

    fn base(config: &Settings) -> Base {
        config.base.clone()
    }

    fn joining(config: &Settings) -> Joining {
        config.joining.clone()
    }

    async fn run(config: Settings, process: Process) -> Outcome {
        let Process { ambient, pki, health, metrics, shutdown, lock: _ } = process;
        let Some(member) = Member::of(&pki, &ambient)? else {
            return Err("this management point has not joined: run `tierline-mp join TOKEN`".into());
        };
        let operations = daemon::routes(health.clone(), metrics);
        let listener = role::listen(config.listen, "management point").await?;
        let ports = Ports { listener, operations, revoked: member.revocations.check() };
        let Member { credentials, site, .. } = member.clone();
        let deps = Deps { ambient, credentials: Some(credentials), site };
        let role = Config { data: config.base.data, executor: Executor::Thread };
        let point = ManagementPoint::new(role, deps)?;
        health.ready("management point");
        let work = point.run(ports, shutdown.clone());
        Ok(member.beside(Vec::new(), shutdown, work).await?)
    }

    async fn check(config: Settings) -> Outcome {
        let problems = crate::point::check(&config.base.data).await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}
