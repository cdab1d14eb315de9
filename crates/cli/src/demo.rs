//! `tierline demo`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use demo::Account;
use serde_json::json;

use crate::Outcome;
use crate::context::{Context, Server};
use crate::failure::Failure;
use crate::output::Format;

/// Builds a whole hierarchy on this machine and takes an update through it
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tierline demo --once -o json > report.json")]
pub(crate) struct Demo {
    /// Ends by itself; the exit code says whether every check holds
    #[arg(long)]
    once: bool,
    /// A new directory, which is kept [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Simulated computers beside the real agent
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=500))]
    clients: u32,
    /// Clients more, in virtual time in this process, with the decisions of the real agent
    #[arg(long, value_name = "N", default_value_t = 0)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=150_000))]
    fleet: u32,
    /// Catalogs for the upstream server beside the sample: SDP, SCUP cabinet or zip, documents
    #[arg(long, value_name = "PATH", num_args = 1..)]
    catalog: Vec<PathBuf>,
    /// An upstream server that is there already
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Ports from here on, skipping busy ones [default: the system chooses]
    #[arg(long, value_name = "PORT")]
    port_base: Option<u16>,
}

impl Demo {
    pub(crate) async fn run(self, format: Format) -> Outcome {
        if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_default_env() {
            let logs = tracing_subscriber::fmt().with_env_filter(filter);
            // Nobody else in this program has started any.
            let _ = logs.with_writer(std::io::stderr).try_init();
        }
        let Demo { once, dir: directory, clients, fleet, catalog: catalogs, upstream, port_base } =
            self;
        let options = demo::Options { directory, clients, fleet, catalogs, upstream, port_base };
        let start = Box::pin(demo::Demo::start(options));
        let mut demo = tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::FAILURE),
            started = start => started.map_err(failed)?,
        };
        if format != Format::Json {
            print!("{}", demo.report);
        }
        if !once {
            announce(&demo, format)?;
            tokio::select! {
                biased;
                _ = tokio::signal::ctrl_c() => {}
                error = demo.watch() => return Err(failed(error)),
            }
        }
        let report = demo.report.clone();
        demo.stop().await.map_err(failed)?;
        if format == Format::Json {
            println!("{}", json!(report));
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn failed(error: demo::Error) -> Failure {
    Failure::of(&error, "the demonstration", "RUST_LOG=info tells more")
}

/// Says that everything is there to be looked at, and how.
fn announce(demo: &demo::Demo, format: Format) -> Result<(), Failure> {
    let (endpoints, ca_file) = (demo.endpoints(), demo.ca_file());
    let home = demo.directory().join("login");
    let Account { url, site, anchor, chain, key } = &demo.account;
    let server = Server { url: url.clone(), site: *site };
    Context::at(home.join("tierline")).enter(&server, anchor, chain, key)?;
    if format == Format::Json {
        let ready = json!({
            "event": "ready", "report": demo.report, "endpoints": endpoints,
            "ca_file": ca_file, "login": null,
        });
        println!("{ready}");
        return Ok(());
    }
    let sups = endpoints.sups.iter().map(|sup| format!("{} {}", sup.name, sup.http));
    println!("\nEverything runs below {}", demo.directory().display());
    println!("  console: there is none yet");
    println!("  for a Windows computer: {}", sups.collect::<Vec<_>>().join(", "));
    println!("\nTry, in another terminal:\n  export XDG_CONFIG_HOME={}", home.display());
    println!("  tierline compliance summary\n  tierline update list --severity critical");
    println!("  tierline replication status\n\nCtrl-C ends it.");
    Ok(())
}
