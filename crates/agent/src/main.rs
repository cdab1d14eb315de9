//! `tierline-agent`: the client agent in a process of its own.

use std::process::ExitCode;

use agent::config::{Program, Verb};

fn main() -> ExitCode {
    agent::fetch_content(std::env::args_os())
        .or_else(|| agent::run_installer(std::env::args_os()))
        .unwrap_or_else(daemon::main_with::<Program, Verb>)
}
