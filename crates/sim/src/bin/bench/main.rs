//! `cargo xtask bench [import|processes]`: what docs/benchmarks.md tells, measured again.
//!
//! Owns the choice of what is measured. Refuses to judge: it prints numbers and the load they were
//! measured under, and fails only where the work itself went wrong.
#![expect(clippy::print_stdout, reason = "a tool for people")]

mod documents;
mod import;
mod machine;
mod processes;

use anyhow::ensure;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chosen = std::env::args().nth(1);
    let chosen = chosen.as_deref().unwrap_or("all");
    ensure!(["all", "import", "processes"].contains(&chosen), "usage: bench [import|processes]");
    println!("machine: {}; {}", machine::class()?, machine::load()?);
    if chosen != "processes" {
        import::run().await?;
    }
    if chosen != "import" {
        processes::run().await?;
    }
    println!("\n{}", machine::load()?);
    Ok(())
}
