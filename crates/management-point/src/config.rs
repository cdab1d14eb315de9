//! The configuration of `tierline-mp`, and what its process does with it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process, RenewFrom, Renewal};
use model::{PeerKind, RoleKind};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;
use transport::{Connection, Expect, Security, TcpConnect, TcpListen};

use crate::{Config, Deps, ManagementPoint, Ports};

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
            listen: "0.0.0.0:7441".to_owned(),
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
        let data = PathBuf::from(&file.data);
        if !data.is_absolute() {
            problems.note("data", format!("\"{}\" is not an absolute path", file.data));
        }
        if file.name.is_empty() {
            problems.note("name", "is empty; give the name of this machine");
        }
        let log = Log::validate(&file.log, problems);
        let bad =
            |_| format!("\"{}\" is not an address and port such as 0.0.0.0:7441", file.listen);
        let listen = problems.check("listen", file.listen.parse::<SocketAddr>().map_err(bad))?;
        let url = match file.url.as_str() {
            "" => format!("https://{}:{}", file.name, listen.port()),
            given => given.to_owned(),
        };
        let joining = Joining {
            kind: PeerKind::Role(RoleKind::ManagementPoint),
            site_kind: None,
            name: file.name.clone(),
            url,
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
        let Process { ambient, pki, health, metrics, shutdown } = process;
        let parent = pki.membership()?.and_then(|membership| membership.parent);
        let (Some(credentials), Some(parent)) = (pki.credentials(&ambient)?, parent) else {
            return Err("this management point has not joined: run `tierline-mp join TOKEN`".into());
        };
        let expect = Expect { kind: PeerKind::Site, site: parent.site, id: None };
        let security = Security::Mutual { credentials: credentials.clone(), expect };
        let site = Connection::new(Arc::new(TcpConnect), &parent.url, security)?;
        let listener = TcpListen::bind(&config.listen.to_string()).await?;
        tracing::info!(address = %listener.local_address(), "the management point listens");
        let operations = daemon::routes(health.clone(), metrics);
        // The site server refuses whom it has revoked; it is asked for everything that is new.
        let revoked = Arc::new(|_: &model::PeerIdentity| false);
        let ports = Ports { listener: Box::new(listener), operations, revoked };
        let renewal = Renewal {
            ambient: ambient.clone(),
            pki,
            credentials: credentials.clone(),
            from: RenewFrom::Site(site.clone()),
            names: Vec::new(),
        };
        let deps = Deps { ambient, credentials: Some(credentials), site };
        let role = Config { data: config.base.data, executor: Executor::Thread };
        let point = ManagementPoint::new(role, deps)?;
        health.ready("management point");
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
        let problems = crate::point::check(&config.base.data).await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}
