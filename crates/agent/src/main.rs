//! `tierline-agent`: the client agent in a process of its own.

use std::process::ExitCode;

use agent::config::Program;

fn main() -> ExitCode {
    daemon::main::<Program>()
}
