//! `tierline-secondary`: the server of a secondary site.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::main::<site::Secondary>()
}
