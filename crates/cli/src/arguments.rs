//! The grammar: what every command takes, and the nouns.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ambient::Ambient;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use model::{Invalid, Sha256, Timestamp};

use crate::context::Context;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::output::Format;
use crate::{
    Outcome, approvals, boundaries, catalog, client_settings, clients, collections, content, demo,
    deploying, explain, hierarchy, login, phased, publishing, rules, server, updates, windows,
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
    Site(hierarchy::Site),
    /// Software update, management and distribution points
    #[command(subcommand)]
    Role(hierarchy::Role),
    /// Links between sites and what travels over them
    #[command(subcommand)]
    Replication(hierarchy::Replication),
    /// Synchronization of updates
    #[command(subcommand)]
    Sync(updates::Sync),
    /// Companies, products and classifications
    #[command(subcommand)]
    Category(updates::Category),
    /// Software updates
    #[command(subcommand)]
    Update(updates::Update),
    /// Catalogs of publishers and of other servers, as files
    #[command(subcommand)]
    Catalog(catalog::Catalog),
    /// The certificate that signs what is published here
    #[command(subcommand)]
    Signing(publishing::Signing),
    /// Deployment packages
    #[command(subcommand)]
    Package(content::Package),
    /// Distribution points
    #[command(subcommand)]
    Dp(content::Dp),
    /// Where packages are
    #[command(subcommand)]
    Content(content::Content),
    /// Parts of the network
    #[command(subcommand)]
    Boundary(boundaries::Boundary),
    /// Which servers are used from where
    #[command(subcommand)]
    BoundaryGroup(boundaries::BoundaryGroup),
    /// Groups of software updates
    #[command(subcommand)]
    Group(deploying::Group),
    /// Collections of managed computers
    #[command(subcommand)]
    Collection(collections::Collection),
    /// Deployments of groups to collections
    #[command(subcommand)]
    Deployment(deploying::Deployment),
    /// Rules that deploy updates without being asked
    #[command(subcommand)]
    Rule(rules::Rule),
    /// Deployments of a group to one collection after another
    #[command(subcommand)]
    Phased(phased::Phased),
    /// What collections shall do with updates
    #[command(subcommand)]
    Approval(approvals::Approval),
    /// How clients behave
    #[command(subcommand)]
    ClientSettings(client_settings::ClientSettings),
    /// When clients may install
    #[command(subcommand)]
    Window(windows::Window),
    /// How long updates take to install, and how grave they are held to be
    #[command(subcommand)]
    UpdateSettings(windows::UpdateSettings),
    /// What clients say of their updates
    #[command(subcommand)]
    Compliance(clients::Compliance),
    /// The site database
    #[command(subcommand)]
    Db(server::Db),
    /// Status messages and audit
    #[command(subcommand)]
    StatusMessage(server::StatusMessage),
    /// Managed computers
    #[command(subcommand)]
    Client(clients::Client),
    Explain(explain::Explain),
    /// Prints the completions of a shell
    #[command(after_help = "Example:\n  tierline completions bash > \
        ~/.local/share/bash-completion/completions/tierline")]
    Completions {
        shell: clap_complete::Shell,
    },
}

impl Arguments {
    pub(crate) async fn run(self) -> Outcome {
        let Arguments { global, noun } = self;
        if let Noun::Completions { shell } = noun {
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "tierline", &mut std::io::stdout());
            return Ok(ExitCode::SUCCESS);
        }
        if let Noun::Explain(explain) = noun {
            if !explain.is_asked() {
                return explain.run(global.output);
            }
            let (ambient, context) = (Ambient::system(), Context::of_user()?);
            return Noun::Explain(explain).run(&Desk { ambient, context, global }).await;
        }
        if let Noun::Demo(demo) = noun {
            return demo.run(global.output).await;
        }
        let (ambient, context) = (Ambient::system(), Context::of_user()?);
        noun.run(&Desk { ambient, context, global }).await
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
                Noun::Signing(verb) => verb.run(desk).await,
                Noun::Package(verb) => verb.run(desk).await,
                Noun::Dp(verb) => verb.run(desk).await,
                Noun::Content(verb) => verb.run(desk).await,
                Noun::Boundary(verb) => verb.run(desk).await,
                Noun::BoundaryGroup(verb) => verb.run(desk).await,
                Noun::Group(verb) => verb.run(desk).await,
                Noun::Collection(verb) => verb.run(desk).await,
                Noun::Deployment(verb) => verb.run(desk).await,
                Noun::Rule(verb) => verb.run(desk).await,
                Noun::Phased(verb) => verb.run(desk).await,
                Noun::Approval(verb) => verb.run(desk).await,
                Noun::ClientSettings(verb) => verb.run(desk).await,
                Noun::Window(verb) => verb.run(desk).await,
                Noun::UpdateSettings(verb) => verb.run(desk).await,
                Noun::Compliance(verb) => verb.run(desk).await,
                Noun::Db(verb) => verb.run(desk).await,
                Noun::StatusMessage(verb) => verb.run(desk).await,
                Noun::Client(verb) => verb.run(desk).await,
                Noun::Explain(explain) => explain.ask(desk).await,
                Noun::Demo(_) | Noun::Completions { .. } => Ok(ExitCode::SUCCESS),
            }
        };
        match desk.global.timeout {
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

/// The same, as the wire has it.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    duration(text).map(|time| time.as_secs())
}

/// A fingerprint: 64 hex digits, perhaps with colons between them, as other tools print them.
pub(crate) fn fingerprint(text: &str) -> Result<Sha256, String> {
    text.replace(':', "").parse().map_err(|error: Invalid| error.to_string())
}

/// How long a new token is good.
#[derive(Args, Debug)]
pub(crate) struct Valid {
    /// How long the token is good
    #[arg(long = "valid", value_parser = seconds, value_name = "TIME", default_value = "1h")]
    pub(crate) valid_seconds: u64,
}

/// Where a time lies that is written as a duration.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Toward {
    Past,
    Future,
}

/// The time given with `option`, if it is: in RFC 3339, or as a duration from now.
pub(crate) fn moment(
    desk: &Desk,
    toward: Toward,
    option: &str,
    text: Option<String>,
) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let (sign, way) = match toward {
        Toward::Past => (-1, "ago"),
        Toward::Future => (1, "from now"),
    };
    let moment = match duration(&text) {
        Ok(time) => {
            let ms = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            Ok(Timestamp(desk.ambient.now_ms()).plus_ms(sign * ms))
        }
        Err(_) => text.parse(),
    };
    let remedy = || format!("write 2026-11-20T08:00:00Z, or how long {way}, as in 2h");
    moment.map(Some).map_err(|error: Invalid| Failure::of(&error, option, remedy()))
}

/// A file argument, read whole; standard input if there is none.
pub(crate) fn read_input(file: Option<&PathBuf>) -> Result<String, Failure> {
    let (name, text) = match file {
        Some(path) => (path.display().to_string(), std::fs::read_to_string(path)),
        None => ("standard input".to_owned(), std::io::read_to_string(std::io::stdin())),
    };
    text.map_err(|error| unreadable(&error, name))
}

pub(crate) fn unreadable(error: &std::io::Error, name: String) -> Failure {
    Failure::new(error.to_string(), name, "name a file that can be read")
}
