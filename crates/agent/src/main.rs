//! `tierline-agent`: the client agent in a process of its own.

use std::process::ExitCode;

use agent::config::{Program, Verb};

fn main() -> ExitCode {
    daemon::main_with::<Program, Verb>()
}
