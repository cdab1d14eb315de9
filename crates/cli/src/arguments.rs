//! The grammar: what every command takes, and the nouns.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ambient::Ambient;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::context::Context;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Format;
use crate::{
    Outcome, catalog, category, client, collection, compliance, content, db, demo, deployment, dp,
    group, login, package, replication, role, site, status_message, sync, update,
};

/// Operates a Tierline hierarchy.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  tierline login --token-file admin.token\n  \
    tierline site status"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) noun: Noun,
}

#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The site server to call, instead of the one logged in to
    #[arg(long, global = true, env = "TIERLINE_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// How answers are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// How long a command may take, as in 30s, 15m or 2h
    #[arg(long, global = true, value_parser = duration, value_name = "TIME")]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Noun {
    Demo(demo::Demo),
    Login(login::Login),
    /// Sites of the hierarchy
    #[command(subcommand)]
    Site(site::Verb),
    /// Software update, management and distribution points
    #[command(subcommand)]
    Role(role::Verb),
    /// Links between sites and what travels over them
    #[command(subcommand)]
    Replication(replication::Verb),
    /// Synchronization of updates
    #[command(subcommand)]
    Sync(sync::Verb),
    /// Companies, products and classifications
    #[command(subcommand)]
    Category(category::Verb),
    /// Software updates
    #[command(subcommand)]
    Update(update::Verb),
    /// Catalog files of publishers
    #[command(subcommand)]
    Catalog(catalog::Verb),
    /// Deployment packages
    #[command(subcommand)]
    Package(package::Verb),
    /// Distribution points
    #[command(subcommand)]
    Dp(dp::Verb),
    /// Where packages are
    #[command(subcommand)]
    Content(content::Verb),
    /// Groups of software updates
    #[command(subcommand)]
    Group(group::Verb),
    /// Collections of managed computers
    #[command(subcommand)]
    Collection(collection::Verb),
    /// Deployments of groups to collections
    #[command(subcommand)]
    Deployment(deployment::Verb),
    /// What clients say of their updates
    #[command(subcommand)]
    Compliance(compliance::Verb),
    /// The site database
    #[command(subcommand)]
    Db(db::Verb),
    /// Status messages and audit
    #[command(subcommand)]
    StatusMessage(status_message::Verb),
    /// Managed computers
    #[command(subcommand)]
    Client(client::Verb),
    /// Prints the completions of a shell
    #[command(after_help = "Example:\n  tierline completions bash > \
        ~/.local/share/bash-completion/completions/tierline")]
    Completions {
        shell: clap_complete::Shell,
    },
}

impl Arguments {
    pub(crate) async fn run(self) -> Outcome {
        if let Noun::Completions { shell } = self.noun {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "tierline", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        if let Noun::Demo(demo) = self.noun {
            return demo.run(self.global.output).await;
        }
        let desk = Desk::new(Ambient::system(), Context::of_user()?, &self.global);
        self.noun.run(&desk).await
    }
}

impl Noun {
    pub(crate) async fn run(self, desk: &Desk) -> Outcome {
        let work = async {
            match self {
                Noun::Login(login) => login.run(desk).await,
                Noun::Site(verb) => verb.run(desk).await,
                Noun::Role(verb) => verb.run(desk).await,
                Noun::Replication(verb) => verb.run(desk).await,
                Noun::Sync(verb) => verb.run(desk).await,
                Noun::Category(verb) => verb.run(desk).await,
                Noun::Update(verb) => verb.run(desk).await,
                Noun::Catalog(verb) => verb.run(desk).await,
                Noun::Package(verb) => verb.run(desk).await,
                Noun::Dp(verb) => verb.run(desk).await,
                Noun::Content(verb) => verb.run(desk).await,
                Noun::Group(verb) => verb.run(desk).await,
                Noun::Collection(verb) => verb.run(desk).await,
                Noun::Deployment(verb) => verb.run(desk).await,
                Noun::Compliance(verb) => verb.run(desk).await,
                Noun::Db(verb) => verb.run(desk).await,
                Noun::StatusMessage(verb) => verb.run(desk).await,
                Noun::Client(verb) => verb.run(desk).await,
                Noun::Demo(_) | Noun::Completions { .. } => Ok(ExitCode::SUCCESS),
            }
        };
        match desk.timeout {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                let what = format!("not done within {limit:?}");
                Err(Failure::new(what, "--timeout", "wait longer, or look at what holds it up"))
            }),
        }
    }
}

/// `90s`, `15m`, `2h` or `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let shape = || format!("\"{text}\" is not a time such as 90s, 15m, 2h or 7d");
    let unit = text.chars().last().ok_or_else(shape)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(shape()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| shape())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(shape)
}

/// How long a new token is good.
#[derive(Args, Debug)]
pub(crate) struct Valid {
    /// How long the token is good
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "1h")]
    valid: Duration,
}

impl Valid {
    pub(crate) fn seconds(&self) -> u64 {
        self.valid.as_secs()
    }
}

/// A file argument, read whole; standard input if there is none.
pub(crate) fn read_input(file: Option<&PathBuf>) -> Result<String, Failure> {
    let (name, text) = match file {
        Some(path) => (path.display().to_string(), std::fs::read_to_string(path)),
        None => ("standard input".to_owned(), std::io::read_to_string(std::io::stdin())),
    };
    text.map_err(|error| Failure::new(error.to_string(), name, "name a file that can be read"))
}
