//! `cargo xtask bench [import|supersedence|processes]`: what docs/benchmarks.md tells, measured
//! again.
//!
//! Owns the choice of what is measured. Refuses to judge: it prints numbers and the load they were
//! measured under, and fails only where the work itself went wrong.
#![expect(clippy::print_stdout, reason = "a tool for people")]

mod documents;
mod import;
mod machine;
mod processes;
mod supersedence;

use anyhow::ensure;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chosen = std::env::args().nth(1);
    let chosen = chosen.as_deref().unwrap_or("all");
    let parts = ["all", "import", "supersedence", "processes"];
    ensure!(parts.contains(&chosen), "usage: bench [import|supersedence|processes]");
    println!("machine: {}; {}", machine::class()?, machine::load()?);
    let is_chosen = |part| [part, "all"].contains(&chosen);
    if is_chosen("import") {
        import::run().await?;
    }
    if is_chosen("supersedence") {
        supersedence::run()?;
    }
    if is_chosen("processes") {
        processes::run().await?;
    }
    println!("\n{}", machine::load()?);
    Ok(())
}
