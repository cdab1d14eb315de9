//! The configuration of the three site servers, and what their processes do with it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use daemon::{Base, Joining, Log, LogSection, Outcome, Problems, Process, Program, Restore};
use model::{PeerKind, SiteCode, SiteKind};
use serde::{Deserialize, Serialize};
use site_db::{Losses, Recovering, SiteDb};
use transport::{TcpConnect, TcpListen};

use crate::server::database_path;
use crate::{Config, Deps, Error, SiteServer};

/// The TOML file; deploy/site.example.toml says what each key means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct File {
    pub data: String,
    pub listen: String,
    pub url: String,
    pub names: Vec<String>,
    pub site: SiteSection,
    pub clients: ClientSection,
    pub log: LogSection,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteSection {
    pub code: String,
    pub name: String,
    pub top_level: bool,
}

/// How clients of this site behave, as far as no client setting says otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientSection {
    pub policy_poll: String,
    pub state_batch: String,
    pub scan_interval: String,
}

impl Default for ClientSection {
    fn default() -> ClientSection {
        ClientSection {
            policy_poll: "1h".to_owned(),
            state_batch: "15m".to_owned(),
            scan_interval: "7d".to_owned(),
        }
    }
}

impl Default for File {
    fn default() -> File {
        File {
            data: "/var/lib/tierline".to_owned(),
            listen: "0.0.0.0:7440".to_owned(),
            url: String::new(),
            names: Vec::new(),
            site: SiteSection::default(),
            clients: ClientSection::default(),
            log: LogSection::default(),
        }
    }
}

/// A validated [`File`].
#[derive(Clone, Debug)]
pub struct Settings {
    base: Base,
    listen: SocketAddr,
    site: Config,
}

fn validate(kind: SiteKind, file: &File, problems: &mut Problems) -> Option<Settings> {
    let data = PathBuf::from(&file.data);
    if !data.is_absolute() {
        problems.note("data", format!("\"{}\" is not an absolute path", file.data));
    }
    let bad = |_| format!("\"{}\" is not an address and port such as 0.0.0.0:7440", file.listen);
    let listen = problems.check("listen", file.listen.parse::<SocketAddr>().map_err(bad));
    let code = problems.check("site.code", SiteCode::new(&file.site.code));
    let name_fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !file.site.name.chars().all(name_fits) {
        problems.note("site.name", "has characters other than A-Z, a-z, 0-9 and - (SITE-02)");
    }
    if file.site.top_level && kind == SiteKind::Secondary {
        problems.note("site.top_level", "a secondary site cannot be the top of a hierarchy");
    }
    let mut duration = |key, text: &str| problems.check(key, daemon::config::units::duration(text));
    let policy_poll = duration("clients.policy_poll", &file.clients.policy_poll);
    let state_batch = duration("clients.state_batch", &file.clients.state_batch);
    let scan_interval = duration("clients.scan_interval", &file.clients.scan_interval);
    let log = Log::validate(&file.log, problems);
    let (listen, code, log) = (listen?, code?, log?);
    let url = match file.url.as_str() {
        "" => format!("https://{listen}"),
        url => url.to_owned(),
    };
    let name = match file.site.name.as_str() {
        "" => code.to_string(),
        name => name.to_owned(),
    };
    let is_top = kind == SiteKind::Central || file.site.top_level;
    let names = file.names.clone();
    let policy = deployment_manager::Config {
        policy_poll: policy_poll?,
        state_batch: state_batch?,
        scan_interval: scan_interval?,
    };
    let site = Config { code, kind, name, data: data.clone(), url, names, is_top, policy };
    Some(Settings { base: Base { data, log }, listen, site })
}

fn joining(settings: &Settings) -> Joining {
    Joining {
        kind: PeerKind::Site,
        site_kind: Some(settings.site.kind),
        name: settings.site.name.clone(),
        url: settings.site.url.clone(),
        http_url: String::new(),
        names: settings.site.names.clone(),
    }
}

async fn run(settings: Settings, process: Process) -> Outcome {
    let Process { ambient, pki, health, metrics, shutdown, lock: _ } = process;
    health.waiting("site", "is being opened");
    let connect = Arc::new(TcpConnect);
    let server =
        SiteServer::open(settings.site, Deps { ambient, pki, health, metrics, connect }).await?;
    let listener = TcpListen::bind(&settings.listen.to_string()).await?;
    tracing::info!(address = %listener.local_address(), "the address is bound");
    Ok(server.run(Box::new(listener), shutdown).await?)
}

/// Opens the database as the site would, and checks file and streams.
async fn check(settings: Settings) -> Outcome {
    let db = crate::identity::open_offline(&settings.site)?;
    let mut problems = db.check_file().await?;
    for check in site_db::check_all(&db).await? {
        if !check.is_sound() {
            problems.push(format!(
                "{}: digest {} is stored, {} computed, {} damaged objects",
                check.stream, check.stored, check.computed, check.damaged
            ));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Unsound { problems }.into()) }
}

/// Puts a backup in place. The site recovers when it starts: it takes from its neighbors what the
/// backup lacks, and then begins a new epoch.
async fn restore(settings: Settings, restore: Restore) -> Outcome {
    let path = database_path(&settings.site.data);
    let db = crate::identity::open_backup(&settings.site, &restore.file)?;
    db.backup(&path).await?;
    db.close().await;
    let losses = if restore.accept_loss { Losses::Accepted } else { Losses::Refused };
    SiteDb::mark_recovering(&path, Recovering::Yes(losses))?;
    Ok(())
}

macro_rules! programs {
    ($($(#[$doc:meta])* $name:ident = $kind:ident, $binary:literal;)*) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl Program for $name {
            const NAME: &'static str = $binary;
            type File = File;
            type Config = Settings;

            fn validate(file: &File, problems: &mut Problems) -> Option<Settings> {
                validate(SiteKind::$kind, file, problems)
            }

            fn base(config: &Settings) -> Base {
                config.base.clone()
            }

            fn joining(config: &Settings) -> Joining {
                joining(config)
            }

            async fn run(config: Settings, process: Process) -> Outcome {
                run(config, process).await
            }

            async fn check(config: Settings) -> Outcome {
                check(config).await
            }

            async fn migrate(config: Settings) -> Outcome {
                crate::identity::open_offline(&config.site)?.close().await;
                Ok(())
            }

            async fn restore(config: Settings, backup: Restore) -> Outcome {
                restore(config, backup).await
            }
        })*
    };
}

programs! {
    /// The central administration site server.
    Central = Central, "tierline-central";
    /// A primary site server.
    Primary = Primary, "tierline-primary";
    /// A secondary site server.
    Secondary = Secondary, "tierline-secondary";
}

#[cfg(test)]
mod tests;
