//! `tierline-sup`: a software update point in a process of its own.

use std::process::ExitCode;

use software_update_point::config::Program;

fn main() -> ExitCode {
    daemon::main::<Program>()
}
