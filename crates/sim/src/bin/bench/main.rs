//! `cargo xtask bench [PART]...`: what docs/benchmarks.md tells, measured again.
//!
//! Owns the choice of what is measured. Refuses to judge: it prints numbers and the load they were
//! measured under, and fails only where the work itself went wrong.
#![expect(clippy::print_stdout, reason = "a tool for people")]

mod agents;
mod catalog;
mod child;
mod documents;
mod fleets;
mod import;
mod lists;
mod load;
mod machine;
mod peer;
mod policy;
mod primary;
mod processes;
mod resync;
mod rules;
mod scans;
mod supersedence;

use anyhow::bail;

const PARTS: [&str; 11] = [
    "import",
    "catalog",
    "scans",
    "lists",
    "resync",
    "supersedence",
    "rules",
    "policy",
    "fleet",
    "processes",
    "agent",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let chosen = match arguments.as_slice() {
        [catalog::OURS, path] => return catalog::ours(path).await,
        [catalog::FLOOR, path] => return catalog::floor(path),
        [scans::SERVE, data] => return scans::serve(data).await,
        [primary::SERVE, data] => return primary::serve(data).await,
        [agents::floor::FLOOR, path] => return agents::floor::run(path),
        [fleets::CORE] => return fleets::core().await,
        [] => &PARTS[..],
        chosen if chosen.iter().all(|part| PARTS.contains(part)) => chosen,
        _ => bail!("usage: bench [{}]...", PARTS.join("|")),
    };
    println!("machine: {}; {}", machine::class()?, machine::load()?);
    for part in chosen {
        match *part {
            "import" => import::run().await?,
            "catalog" => catalog::run()?,
            "scans" => scans::run().await?,
            "lists" => lists::run().await?,
            "resync" => resync::run().await?,
            "supersedence" => supersedence::run()?,
            "rules" => rules::run()?,
            "policy" => policy::run()?,
            "fleet" => fleets::run().await?,
            "processes" => processes::run().await?,
            _ => agents::run().await?,
        }
    }
    println!("\n{}", machine::load()?);
    Ok(())
}
