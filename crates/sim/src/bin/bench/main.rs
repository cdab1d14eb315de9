//! `cargo xtask bench [import|processes]`: what docs/benchmarks.md tells, measured again.
//!
//! Owns the choice of what is measured; says what the machine was like before and after. Refuses to
//! judge: it prints numbers, and fails only where the work itself went wrong.
#![expect(clippy::print_stdout, reason = "a tool for people")]

mod documents;
mod import;
mod machine;
mod processes;

use anyhow::bail;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (import, processes) = match arguments.as_slice() {
        [] => (true, true),
        ["import"] => (true, false),
        ["processes"] => (false, true),
        _ => bail!("usage: cargo xtask bench [import|processes]"),
    };
    println!("{}", machine::describe()?);
    if import {
        import::run().await?;
    }
    if processes {
        processes::run().await?;
    }
    println!("\n{}", machine::load()?);
    Ok(())
}
