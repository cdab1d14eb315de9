//! `tierline-primary`: the server of a primary site.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<site::Primary>()
}
