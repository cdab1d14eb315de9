//! `tierline-mp`: a management point in a process of its own.

use std::process::ExitCode;

use management_point::config::Program;

fn main() -> ExitCode {
    daemon::main::<Program>()
}
