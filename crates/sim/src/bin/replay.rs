//! Replays one run of the replication model: `replay links|announced|silent|keys SEED`.

use sim::{Mode, run_model};

#[expect(clippy::print_stdout, reason = "a tool for people")]
fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mode = match arguments.next().as_deref() {
        Some("links") => Mode::Links,
        Some("announced") => Mode::Announced,
        Some("silent") => Mode::Silent,
        Some("keys") => Mode::KeysOnly,
        _ => return std::process::ExitCode::from(2),
    };
    let Some(seed) = arguments.next().and_then(|text| text.parse().ok()) else {
        return std::process::ExitCode::from(2);
    };
    println!("{:#?}", run_model(seed, mode, 400));
    std::process::ExitCode::SUCCESS
}
