//! `tierline-central`: the server of the central administration site.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<site::Central>()
}
