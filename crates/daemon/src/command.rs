//! The command line and the life of a process.
//!
//! Owns the fixed order: arguments, configuration, logs, pki, serve until a signal, bounded end,
//! exit code. Refuses to know what is served; [`Program`] says.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::fmt::Debug;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ambient::Ambient;
use clap::builder::Resettable;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use model::error_chain;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use transport::TcpConnect;
use trust::JoinToken;

use crate::{Error, Health, Joining, Lock, Log, Metrics, Pki, Problems, config, custody, join};

/// A signal is followed by this much time to end in order; service managers allow 90 seconds.
const END_MAX: Duration = Duration::from_secs(30);

/// Histograms are folded this often, so that they do not grow while nobody reads them.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// How a command ended.
pub type Outcome = Result<(), Box<dyn StdError + Send + Sync>>;

/// What every configuration holds.
#[derive(Clone, Debug)]
pub struct Base {
    pub data: PathBuf,
    pub log: Log,
}

/// What a running process is given.
#[derive(Debug)]
pub struct Process {
    pub ambient: Ambient,
    pub pki: Pki,
    pub health: Health,
    pub metrics: Metrics,
    /// Cancelled by SIGTERM or SIGINT.
    pub shutdown: CancellationToken,
    /// Held as long as the process lives, unless it is let go of.
    pub lock: Lock,
}

/// What to restore, offline.
#[derive(Clone, Debug)]
pub struct Restore {
    pub file: PathBuf,
    /// Whether changes nobody else has may be given up.
    pub accept_loss: bool,
}

/// A server binary.
pub trait Program {
    /// Of the binary, such as `tierline-primary`.
    const NAME: &'static str;
    /// Commands that it has no use for, which its help does not name.
    const UNUSED: &'static [&'static str] = &[];
    type File: Serialize + DeserializeOwned + Default;
    type Config;

    /// The file as a configuration; every problem is noted, not only the first.
    fn validate(file: &Self::File, problems: &mut Problems) -> Option<Self::Config>;
    fn base(config: &Self::Config) -> Base;
    fn joining(config: &Self::Config) -> Joining;

    /// Serves until `process.shutdown`.
    fn run(config: Self::Config, process: Process) -> impl Future<Output = Outcome>;

    /// Checks what is stored.
    fn check(_config: Self::Config) -> impl Future<Output = Outcome> {
        async { Err("this process stores nothing that could be checked".into()) }
    }

    fn migrate(_config: Self::Config) -> impl Future<Output = Outcome> {
        async { Err("this process has no database to migrate".into()) }
    }

    fn restore(_config: Self::Config, _restore: Restore) -> impl Future<Output = Outcome> {
        async { Err("this process has no backups; let it join anew".into()) }
    }
}

/// What a binary can be told besides what every binary understands: to talk to the one that runs.
pub trait Verbs<P: Program>: Subcommand + Debug {
    /// What may stand before and after any of them.
    type Options: Args + Debug;

    /// Carries it out; what is to be read goes to `output`.
    fn perform(
        self,
        options: Self::Options,
        config: P::Config,
        output: &mut dyn Write,
    ) -> impl Future<Output = Outcome>;
}

#[derive(Args, Debug)]
struct NoOptions {}

/// Of a binary that serves and nothing else.
#[derive(Debug, Subcommand)]
enum NoVerbs {}

impl<P: Program> Verbs<P> for NoVerbs {
    type Options = NoOptions;

    async fn perform(self, _: NoOptions, _: P::Config, _: &mut dyn Write) -> Outcome {
        match self {}
    }
}

#[derive(Debug, Parser)]
struct Arguments<V: Subcommand, O: Args> {
    /// The TOML file; without one, defaults and environment apply.
    #[arg(long, global = true, env = "TIERLINE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: O,
    #[command(subcommand)]
    command: Option<Command<V>>,
}

#[derive(Debug, Subcommand)]
enum Command<V: Subcommand> {
    /// Serve until stopped (the default).
    Run,
    /// Join a hierarchy with a token, or ask for it with an invitation; write <data>/pki and exit.
    Join {
        #[arg(required_unless_present = "token_file")]
        token: Option<String>,
        /// Read the token from a file, so that it stands in no process list.
        #[arg(long, value_name = "FILE", conflicts_with = "token")]
        token_file: Option<PathBuf>,
    },
    /// Check the configuration and print what is in effect, secrets hidden.
    CheckConfig,
    /// Check the database and content.
    Check,
    /// Bring the database to this release's form.
    Migrate,
    /// Restore the database from a backup; the process must be stopped.
    Restore {
        file: PathBuf,
        /// Go on even if changes that nobody else has are lost.
        #[arg(long)]
        accept_loss: bool,
    },
    /// Print the release.
    Version,
    #[command(flatten)]
    Verb(V),
}

/// All of a binary's `main`.
pub fn main<P: Program>() -> ExitCode {
    main_with::<P, NoVerbs>()
}

/// The same, of a binary that understands more.
pub fn main_with<P: Program, V: Verbs<P>>() -> ExitCode {
    // Our own TLS names its provider; this is for whatever else in the process speaks TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    execute::<P, V>(std::env::args_os(), environment, &mut std::io::stdout())
}

fn grammar<P: Program, V: Verbs<P>>() -> clap::Command {
    // What the documentation says of the verbs is not what the binary is about.
    let command = Arguments::<V, V::Options>::command().about(Resettable::Reset);
    let hide = |command: clap::Command, name: &&'static str| {
        command.mut_subcommand(*name, |unused| unused.hide(true))
    };
    P::UNUSED.iter().fold(command.name(P::NAME).bin_name(P::NAME), hide)
}

fn execute<P: Program, V: Verbs<P>>(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (String, String)>,
    output: &mut dyn Write,
) -> ExitCode {
    let parsed = grammar::<P, V>()
        .try_get_matches_from(arguments)
        .and_then(|m| Arguments::from_arg_matches(&m));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help is no failure; nothing is left to do if even the terminal is gone.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match perform::<P, V>(arguments, environment, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}: {}", P::NAME, error_chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn perform<P: Program, V: Verbs<P>>(
    arguments: Arguments<V, V::Options>,
    environment: impl IntoIterator<Item = (String, String)>,
    output: &mut dyn Write,
) -> Outcome {
    let load = || config::load(arguments.config.as_deref(), environment, P::validate);
    match arguments.command.unwrap_or(Command::Run) {
        Command::Version => writeln!(output, "{} {}", P::NAME, env!("CARGO_PKG_VERSION"))?,
        Command::CheckConfig => write!(output, "{}", toml::to_string(&load()?.0)?)?,
        Command::Run => {
            let Prepared { config, data, lock, runtime } = prepare::<P>(load()?, custody::make)?;
            let process = Process {
                ambient: Ambient::system(),
                pki: Pki::open(&data)?,
                health: Health::default(),
                metrics: Metrics::install()?,
                shutdown: CancellationToken::new(),
                lock: lock.clone(),
            };
            let ended = runtime.block_on(serve::<P>(config, process));
            // Work that did not end in time must not hold the process.
            runtime.shutdown_background();
            ended?;
        }
        Command::Join { token, token_file } => {
            let text = match token_file {
                Some(path) => std::fs::read_to_string(path)?,
                None => token.unwrap_or_default(),
            };
            let token: JoinToken = text.parse().map_err(Error::Token)?;
            let prepared = prepare::<P>(load()?, custody::make)?;
            let Prepared { config, data, lock: _held, runtime } = prepared;
            let (ambient, pki, joining) =
                (Ambient::system(), Pki::open(&data)?, P::joining(&config));
            if token.is_invitation() {
                let fingerprint = pki.own_key()?.public_key().fingerprint();
                writeln!(output, "the fingerprint of this computer's key is {fingerprint}")?;
            }
            let joined = join(&ambient, Arc::new(TcpConnect), &pki, &token, &joining);
            writeln!(output, "joined as {}", runtime.block_on(joined)?.identity)?;
        }
        Command::Check => {
            let prepared = prepare::<P>(load()?, custody::find)?;
            let Prepared { config, data: _, lock: _held, runtime } = prepared;
            runtime.block_on(P::check(config))?;
        }
        Command::Migrate => {
            let prepared = prepare::<P>(load()?, custody::find)?;
            let Prepared { config, data: _, lock: _held, runtime } = prepared;
            runtime.block_on(P::migrate(config))?;
        }
        Command::Restore { file, accept_loss } => {
            let prepared = prepare::<P>(load()?, custody::make)?;
            let Prepared { config, data: _, lock: _held, runtime } = prepared;
            runtime.block_on(P::restore(config, Restore { file, accept_loss }))?;
        }
        // It has no part in the life of the process that serves, and logs nothing.
        Command::Verb(verb) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(verb.perform(arguments.options, load()?.1, output))?;
        }
    }
    Ok(())
}

struct Prepared<Config> {
    config: Config,
    data: PathBuf,
    lock: Lock,
    runtime: Runtime,
}

/// `place` refuses a data directory that others can change, before anything there is believed.
fn prepare<P: Program>(
    (_, config): (P::File, P::Config),
    place: fn(&Path) -> Result<(), Error>,
) -> Result<Prepared<P::Config>, Box<dyn StdError + Send + Sync>> {
    let Base { data, log } = P::base(&config);
    log.start()?;
    place(&data)?;
    let lock = Lock::of(&data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(Prepared { config, data, lock, runtime })
}

/// Runs until done or, after a signal, for a bounded time.
async fn serve<P: Program>(config: P::Config, process: Process) -> Outcome {
    let (shutdown, metrics) = (process.shutdown.clone(), process.metrics.clone());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut upkeep = interval(METRICS_UPKEEP);
    let mut running = Box::pin(P::run(config, process));
    tracing::info!(program = P::NAME, version = env!("CARGO_PKG_VERSION"), "the process started");
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = upkeep.tick() => metrics.upkeep(),
            ended = &mut running => return ended,
        }
    }
    tracing::info!("the process is asked to end");
    shutdown.cancel();
    let late = |_| format!("requests did not end within {END_MAX:?} and were given up");
    timeout(END_MAX, running).await.map_err(late)?
}

#[cfg(test)]
mod tests;
