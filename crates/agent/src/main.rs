//! `tierline-agent`.

use std::process::ExitCode;
use std::sync::Arc;

use agent::Agent;
use agent::config::{File, Settings};
use daemon::{Base, Joining, Outcome, Problems, Process, Program, RenewFrom, Renewal};
use model::PeerKind;
use tokio::task::JoinSet;
use transport::{Connection, Security, TcpConnect};

struct TierlineAgent;

impl Program for TierlineAgent {
    const NAME: &'static str = "tierline-agent";
    type File = File;
    type Config = Settings;

    fn validate(file: &File, problems: &mut Problems) -> Option<Settings> {
        Settings::validate(file, problems)
    }

    fn base(settings: &Settings) -> Base {
        Base { data: settings.data.clone(), log: settings.log.clone() }
    }

    fn joining(settings: &Settings) -> Joining {
        let (name, (url, http_url, names)) = (settings.name.clone(), Default::default());
        Joining { kind: PeerKind::Client, site_kind: None, name, url, http_url, names }
    }

    async fn run(settings: Settings, process: Process) -> Outcome {
        let Process { ambient, pki, shutdown, .. } = process;
        let credentials = pki.credentials(&ambient)?.ok_or("join a hierarchy first")?;
        let (config, deps) = settings.assemble(&ambient, &credentials, Arc::new(TcpConnect))?;
        let (own, expect) = (credentials.clone(), agent::expected(&config.management_point));
        let security = Security::Mutual { credentials: own, expect };
        let relay = Connection::new(Arc::new(TcpConnect), &settings.mp_url, security)?;
        let (from, names) = (RenewFrom::Site(relay), Vec::new());
        let renewal = Renewal { ambient, pki, credentials, from, names };
        let agent = Agent::new(config, deps).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(renewal.run(shutdown.clone()));
        Ok(agent.run(shutdown).await?)
    }

    async fn check(settings: Settings) -> Outcome {
        let problems = agent::check(&settings.data).await?;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
    }
}

fn main() -> ExitCode {
    daemon::main::<TierlineAgent>()
}
