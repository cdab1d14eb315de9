//! The configuration of `tierline-agent`, and what its process does with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use daemon::config::units;
use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process, RenewFrom, Renewal};
use model::{ClientKind, PeerKind, RoleKind, ServerRef, SiteCode};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;
use transport::{Connection, Security, TcpConnect};

use crate::servers::expected;
use crate::{Agent, Config, Deps, LinuxMachine, Machine, PretendedMachine};

/// As written. `deploy/agent.example.toml` says what each key means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    pub data_dir: String,
    pub mp_url: String,
    pub mp_site: String,
    pub name: String,
    pub facts_file: String,
    pub scan_spread: String,
    pub log: LogSection,
}

impl Default for File {
    fn default() -> File {
        File {
            data_dir: "/var/lib/tierline-agent".to_owned(),
            mp_url: "https://localhost:7441".to_owned(),
            mp_site: String::new(),
            name: String::new(),
            facts_file: String::new(),
            scan_spread: "2h".to_owned(),
            log: LogSection::default(),
        }
    }
}

/// As checked.
#[derive(Clone, Debug)]
pub struct Settings {
    base: Base,
    mp_url: String,
    /// The client's own site, if absent.
    mp_site: Option<SiteCode>,
    name: String,
    /// A computer to pretend instead of the real one.
    facts_file: Option<PathBuf>,
    scan_spread: Duration,
}

/// The process.
#[derive(Debug)]
pub struct Program;

impl daemon::Program for Program {
    const NAME: &'static str = "tierline-agent";
    type File = File;
    type Config = Settings;

    fn validate(file: &File, problems: &mut Problems) -> Option<Settings> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mp_url = problems.check("mp_url", https(&file.mp_url));
        let mp_site = given(&file.mp_site).map(|code| SiteCode::new(&code)).transpose();
        let mp_site = problems.check("mp_site", mp_site);
        let scan_spread = problems.check("scan_spread", units::duration(&file.scan_spread));
        let log = Log::validate(&file.log, problems);
        Some(Settings {
            base: Base { data: PathBuf::from(&file.data_dir), log: log? },
            mp_url: mp_url?,
            mp_site: mp_site?,
            name: given(&file.name).unwrap_or_else(host_name),
            facts_file: given(&file.facts_file).map(PathBuf::from),
            scan_spread: scan_spread?,
        })
    }

    fn base(settings: &Settings) -> Base {
        settings.base.clone()
    }

    fn joining(settings: &Settings) -> Joining {
        let (name, (url, http_url, names)) = (settings.name.clone(), Default::default());
        Joining { kind: PeerKind::Client, site_kind: None, name, url, http_url, names }
    }

    async fn run(settings: Settings, process: Process) -> Outcome {
        let Process { ambient, pki, shutdown, .. } = process;
        let Settings { base: Base { data, .. }, mp_url: url, name, scan_spread, .. } = settings;
        let credentials = pki.credentials(&ambient)?.ok_or("join a hierarchy first")?;
        let (kind, machine): (_, Arc<dyn Machine>) = match &settings.facts_file {
            Some(file) => (ClientKind::Simulated, Arc::new(PretendedMachine::open(file)?)),
            None => (ClientKind::Agent, Arc::new(LinuxMachine::new(&data))),
        };
        let site = settings.mp_site.unwrap_or(credentials.identity().site);
        let (role, http_url) = (RoleKind::ManagementPoint, String::new());
        let management_point = ServerRef { kind: role, site, url, http_url, after_minutes: 0 };
        let (connect, expect) = (Arc::new(TcpConnect), expected(&management_point));
        let security = Security::Mutual { credentials: credentials.clone(), expect };
        let relay = Connection::new(connect.clone(), &management_point.url, security)?;
        let renewal = Renewal {
            ambient: ambient.clone(),
            pki,
            credentials: credentials.clone(),
            from: RenewFrom::Site(relay),
            names: Vec::new(),
        };
        let executor = Executor::Thread;
        let config = Config { data, kind, name, management_point, scan_spread, executor };
        let agent = Agent::new(config, Deps { ambient, connect, credentials, machine }).await?;
        let work = Box::pin(agent.run(shutdown.clone()));
        Ok(renewal.beside(shutdown, work).await?)
    }

    async fn check(settings: Settings) -> Outcome {
        let problems = crate::agent::check(&settings.base.data).await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}

fn https(url: &str) -> Result<String, String> {
    let is_https = url.strip_prefix("https://").is_some_and(|host| !host.is_empty());
    is_https.then(|| url.to_owned()).ok_or_else(|| format!("\"{url}\" is not https://host:port"))
}

fn host_name() -> String {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname"));
    name.map_or_else(|_| "unnamed".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests;
