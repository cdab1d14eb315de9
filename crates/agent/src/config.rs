//! The configuration of `tierline-agent`, and what its process does with it.

use std::error::Error as StdError;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use client::agent_update::Limits;
use daemon::config::units;
use daemon::{
    Base, Joining, Log, LogSection, Outcome, Problems, Process, RenewFrom, Renewal,
    join_when_approved,
};
use model::{ClientKind, PeerKind, RoleKind, ServerRef, SiteCode, error_chain};
use serde::{Deserialize, Serialize};
use sqlite_engine::Executor;
use tokio_util::sync::CancellationToken;
use transport::{Connection, PublicConnect, Security, TcpConnect};
use trust::JoinToken;

use crate::agent_update::{self, Launcher, Ran, Releases, Turn};
use crate::servers::expected;
pub use crate::verbs::Verb;
use crate::{
    Agent, Config, Deps, Downloader, ForeignServer, HandlersSection, LinuxMachine, Local, Machine,
    MachineSection, PretendedMachine, Setup, limits,
};

/// As written. `deploy/agent.example.toml` says what each key means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    pub data_dir: String,
    pub mp_url: String,
    pub mp_site: String,
    pub name: String,
    pub invitation: String,
    pub facts_file: String,
    pub scan_spread: String,
    pub update_trial: String,
    pub wsus_url: String,
    pub wsus_ca: String,
    pub public_roots: String,
    pub control_socket: String,
    pub admin_groups: Vec<String>,
    pub primary_users: Vec<String>,
    pub machine: MachineSection,
    pub handlers: HandlersSection,
    pub download: DownloadSection,
    pub log: LogSection,
}

/// Where Debian, Red Hat and SUSE keep the roots that the machine believes.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// The first of them that is there; a configuration may name another file.
fn system_roots() -> &'static str {
    let found = SYSTEM_ROOTS.into_iter().find(|path| Path::new(path).is_file());
    found.unwrap_or(SYSTEM_ROOTS[0])
}

impl Default for File {
    fn default() -> File {
        File {
            data_dir: "/var/lib/tierline-agent".to_owned(),
            mp_url: "https://localhost:7441".to_owned(),
            mp_site: String::new(),
            name: String::new(),
            invitation: String::new(),
            facts_file: String::new(),
            scan_spread: "2h".to_owned(),
            update_trial: limits::TRIAL.to_owned(),
            wsus_url: String::new(),
            wsus_ca: String::new(),
            public_roots: system_roots().to_owned(),
            control_socket: String::new(),
            admin_groups: ["sudo", "wheel"].map(str::to_owned).to_vec(),
            primary_users: Vec::new(),
            machine: MachineSection::default(),
            handlers: HandlersSection::default(),
            download: DownloadSection::default(),
            log: LogSection::default(),
        }
    }
}

/// `[download]` as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct DownloadSection {
    pub user: String,
}

impl Default for DownloadSection {
    fn default() -> DownloadSection {
        DownloadSection { user: "nobody".to_owned() }
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
    /// With which it asks to be enrolled as long as it is not.
    invitation: Option<JoinToken>,
    /// A computer to pretend instead of the real one.
    facts_file: Option<PathBuf>,
    scan_spread: Duration,
    update_trial: Duration,
    update_service: Option<ForeignServer>,
    public_roots: PathBuf,
    /// None: in the data directory.
    control_socket: Option<PathBuf>,
    admin_groups: Vec<String>,
    primary_users: Vec<String>,
    setup: Setup,
    downloader: Downloader,
}

impl Settings {
    fn local(&self) -> Local {
        let within = || Local::within(&self.base.data);
        Local {
            path: self.control_socket.clone().unwrap_or_else(within),
            admin_groups: self.admin_groups.clone(),
            primary_users: self.primary_users.clone(),
        }
    }
}

/// The process.
#[derive(Debug)]
pub struct Program;

impl daemon::Program for Program {
    const NAME: &'static str = "tierline-agent";
    const UNUSED: &'static [&'static str] = &["migrate", "restore"];
    type File = File;
    type Config = Settings;

    fn validate(file: &File, problems: &mut Problems) -> Option<Settings> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mp_url = problems.check("mp_url", https(&file.mp_url));
        let mp_site = given(&file.mp_site).map(|code| SiteCode::new(&code)).transpose();
        let mp_site = problems.check("mp_site", mp_site);
        let invitation = given(&file.invitation).map(|text| invited(&text)).transpose();
        let invitation = problems.check("invitation", invitation);
        let scan_spread = problems.check("scan_spread", units::duration(&file.scan_spread));
        let update_trial = problems.check("update_trial", units::duration(&file.update_trial));
        let update_service = update_service(&file.wsus_url, &file.wsus_ca);
        let update_service = problems.check("wsus_url", update_service);
        let public_roots = problems.check("public_roots", absolute(&file.public_roots));
        let control_socket = given(&file.control_socket).map(|path| absolute(&path)).transpose();
        let control_socket = problems.check("control_socket", control_socket);
        let downloader = Downloader::confined(&file.download.user);
        let downloader = problems.check("download.user", downloader);
        let run_time_max = units::duration(&file.machine.run_time_max);
        let run_time_max = run_time_max.and_then(|most| match most.is_zero() {
            true => Err("would end every installer at once; write 12h".to_owned()),
            false => Ok(most),
        });
        let run_time_max = problems.check("machine.run_time_max", run_time_max);
        let grace = units::duration(&file.machine.stop_grace);
        let grace = problems.check("machine.stop_grace", grace);
        let mut note = |key: &str, reason: String| problems.note(key, reason);
        let setup = Setup::validate(&file.machine, &file.handlers, &mut note);
        let log = Log::validate(&file.log, problems);
        Some(Settings {
            base: Base { data: PathBuf::from(&file.data_dir), log: log? },
            mp_url: mp_url?,
            mp_site: mp_site?,
            name: given(&file.name).unwrap_or_else(host_name),
            invitation: invitation?,
            facts_file: given(&file.facts_file).map(PathBuf::from),
            scan_spread: scan_spread?,
            update_trial: update_trial?,
            update_service: update_service?,
            public_roots: public_roots?,
            control_socket: control_socket?,
            admin_groups: file.admin_groups.clone(),
            primary_users: file.primary_users.clone(),
            downloader: downloader?,
            setup: setup?.running_for(run_time_max?).stopping_after(grace?),
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
        let Process { ambient, pki, shutdown, lock, .. } = process;
        let launcher = Launcher {
            turn: Box::new(lock),
            releases: Releases::within(&settings.base.data),
            limits: Limits {
                trial_ms: i64::try_from(settings.update_trial.as_millis()).unwrap_or(i64::MAX),
                starts: limits::TRIAL_STARTS_MAX,
            },
            ambient: ambient.clone(),
            shutdown: shutdown.clone(),
        };
        match launcher.run().await? {
            Ran::Here => {}
            Ran::Elsewhere(Some(status)) if !status.success() => {
                return Err(
                    format!("the version of the agent that ran here has failed: {status}").into()
                );
            }
            Ran::Elsewhere(_) => return Ok(()),
        }
        if let (None, Some(invitation)) = (pki.membership()?, &settings.invitation) {
            let joining = Program::joining(&settings);
            let asked = join_when_approved(&ambient, &pki, invitation, &joining, &shutdown);
            if asked.await?.is_none() {
                return Ok(());
            }
        }
        let local = Some(settings.local());
        let Settings { base: Base { data, .. }, mp_url: url, name, scan_spread, setup, .. } =
            settings;
        let (update_service, public_roots) = (settings.update_service, settings.public_roots);
        let downloader = settings.downloader;
        let credentials = pki.credentials(&ambient)?.ok_or("join a hierarchy first")?;
        let (kind, machine) = machine(settings.facts_file.as_deref(), &data, setup)?;
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
        let config = Config {
            data,
            kind,
            name,
            management_point,
            scan_spread,
            executor,
            local,
            update_service,
            public_roots,
        };
        let public = Arc::new(PublicConnect);
        let deps = Deps { ambient, connect, public, downloader, credentials, machine };
        let Some(agent) = opened(&config, &deps, &shutdown).await? else { return Ok(()) };
        let work = Box::pin(agent.run(shutdown.clone()));
        renewal.beside(shutdown.clone(), work).await?;
        if shutdown.is_cancelled() { Ok(()) } else { Ok(agent_update::start_anew()?) }
    }

    async fn check(settings: Settings) -> Outcome {
        let problems = crate::agent::check(&settings.base.data).await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}

impl Turn for daemon::Lock {
    fn take(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(daemon::Lock::take(self)?)
    }

    fn let_go(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(daemon::Lock::let_go(self)?)
    }
}

/// What is cared for: this computer, or the one that a file describes.
fn machine(
    facts: Option<&Path>,
    data: &Path,
    setup: Setup,
) -> std::io::Result<(ClientKind, Arc<dyn Machine>)> {
    match facts {
        Some(file) => Ok((ClientKind::Simulated, Arc::new(PretendedMachine::open(file)?))),
        None => {
            let machine = LinuxMachine::with(data, setup).waiting_apart();
            Ok((ClientKind::Agent, Arc::new(machine)))
        }
    }
}

/// An agent, as soon as there is room for what it has to write; none: it shall stop before.
async fn opened(
    config: &Config,
    deps: &Deps,
    shutdown: &CancellationToken,
) -> Result<Option<Agent>, crate::Error> {
    loop {
        let error = match Agent::new(config.clone(), deps.clone()).await {
            Err(error) if error.is_of_disk() && is_full(&config.data) => error,
            opened => return opened.map(Some),
        };
        let (reason, path) = (error_chain(&error), config.data.display());
        tracing::error!(reason, %path, "the disk is full; the agent begins once there is room");
        let pause = tokio::time::sleep(limits::FULL_RETRY);
        if shutdown.run_until_cancelled(pause).await.is_none() {
            return Ok(None);
        }
    }
}

fn is_full(data: &Path) -> bool {
    let room = rustix::fs::statvfs(data).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    room.is_ok_and(|bytes| bytes < limits::FULL_BYTES)
}

impl daemon::Verbs<Program> for Verb {
    type Options = crate::verbs::Output;

    async fn perform(
        self,
        options: Self::Options,
        settings: Settings,
        output: &mut dyn Write,
    ) -> Outcome {
        let Settings { base, control_socket, .. } = settings;
        let places = options.places(&base.data, control_socket.as_deref());
        Ok(self.ask(&places, &options, output).await?)
    }
}

/// Where scans go instead of the site's update points.
fn update_service(url: &str, ca: &str) -> Result<Option<ForeignServer>, String> {
    let roots = match ca {
        "" => None,
        path => {
            let pem = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            Some(pem.into())
        }
    };
    match (url, &roots) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err("wsus_ca is for the https address that it names".to_owned()),
        _ => ForeignServer::new(url, roots).map(Some).map_err(|error| error.to_string()),
    }
}

fn invited(text: &str) -> Result<JoinToken, String> {
    let invitation: JoinToken = text.parse().map_err(|error: trust::Error| error.to_string())?;
    match (invitation.is_invitation(), invitation.kind) {
        (true, PeerKind::Client) => Ok(invitation),
        _ => Err("is no invitation; see `tierline client invitation`".to_owned()),
    }
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    let is_absolute = path.starts_with('/');
    is_absolute.then(|| path.into()).ok_or_else(|| format!("\"{path}\" is not an absolute path"))
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
