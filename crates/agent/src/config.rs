//! The configuration file of `tierline-agent`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use daemon::config::units;
use daemon::{Log, LogSection, Problems};
use model::{ClientKind, RoleKind, ServerRef, SiteCode};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;
use transport::{Connect, Credentials};

use crate::{Config, Deps, LinuxMachine, Machine, PretendedMachine};

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
    pub data: PathBuf,
    pub mp_url: String,
    /// The client's own site, if absent.
    pub mp_site: Option<SiteCode>,
    pub name: String,
    /// A computer to pretend instead of the real one.
    pub facts_file: Option<PathBuf>,
    pub scan_spread: Duration,
    pub log: Log,
}

impl Settings {
    pub fn validate(file: &File, problems: &mut Problems) -> Option<Settings> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mp_url = problems.check("mp_url", https(&file.mp_url));
        let mp_site = given(&file.mp_site).map(|code| SiteCode::new(&code)).transpose();
        let mp_site = problems.check("mp_site", mp_site);
        let scan_spread = problems.check("scan_spread", units::duration(&file.scan_spread));
        let log = Log::validate(&file.log, problems);
        Some(Settings {
            data: PathBuf::from(&file.data_dir),
            mp_url: mp_url?,
            mp_site: mp_site?,
            name: given(&file.name).unwrap_or_else(host_name),
            facts_file: given(&file.facts_file).map(PathBuf::from),
            scan_spread: scan_spread?,
            log: log?,
        })
    }

    /// What the agent is made of, once it is known who it is.
    pub fn assemble(
        &self,
        ambient: &Ambient,
        credentials: &Credentials,
        connect: Arc<dyn Connect>,
    ) -> std::io::Result<(Config, Deps)> {
        let (kind, machine): (_, Arc<dyn Machine>) = match &self.facts_file {
            Some(file) => (ClientKind::Simulated, Arc::new(PretendedMachine::open(file)?)),
            None => (ClientKind::Agent, Arc::new(LinuxMachine::new(&self.data))),
        };
        let management_point = ServerRef {
            kind: RoleKind::ManagementPoint,
            site: self.mp_site.unwrap_or(credentials.identity().site),
            url: self.mp_url.clone(),
            http_url: String::new(),
        };
        let config = Config {
            data: self.data.clone(),
            kind,
            name: self.name.clone(),
            management_point,
            scan_spread: self.scan_spread,
            executor: Executor::Thread,
        };
        let (ambient, credentials) = (ambient.clone(), credentials.clone());
        Ok((config, Deps { ambient, connect, credentials, machine }))
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
