//! `tierline-dp`: a distribution point in a process of its own.

use std::process::ExitCode;

use distribution_point::config::Program;

fn main() -> ExitCode {
    daemon::main::<Program>()
}
