//! `tierline explain`: what a code of a Windows computer means. Answered here, without a server.

use std::process::ExitCode;

use clap::Args;
use model::{Hresult, Invalid, Retry};
use serde_json::json;

use crate::Outcome;
use crate::failure::Failure;
use crate::output::Format;

/// What a code of a Windows computer means, and what helps
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  tierline explain 0x8024401C")]
pub(crate) struct Explain {
    /// Hexadecimal, or the decimal number that other tools print
    #[arg(allow_negative_numbers = true)]
    code: String,
}

impl Explain {
    pub(crate) fn run(self, format: Format) -> Outcome {
        let remedy = "write the code as in the event, such as 0x8024401C";
        let code: Hresult =
            self.code.parse().map_err(|error: Invalid| Failure::of(&error, "CODE", remedy))?;
        let text = format!("0x{:08X}", code.0);
        let unknown = || {
            let reason = "nothing is known of this code here";
            Failure::new(reason, text.clone(), "look for it in the computer's own log")
        };
        let name = code.name().ok_or_else(unknown)?;
        let (meaning, remedy) = (code.meaning().unwrap_or(""), code.remedy().unwrap_or(""));
        let retry = match code.retry() {
            Retry::Yes => "yes",
            Retry::No => "no",
        };
        let fields = [
            ("code", text.as_str()),
            ("name", name),
            ("meaning", meaning),
            ("remedy", remedy),
            ("retry", retry),
        ];
        match format {
            Format::Json => {
                let retry = retry == "yes";
                let object = json!({
                    "code": text, "name": name, "meaning": meaning, "remedy": remedy,
                    "retry": retry,
                });
                println!("{object:#}");
            }
            Format::Csv => {
                println!("code,name,meaning,remedy,retry");
                println!("{}", fields.map(|(_, value)| format!("\"{value}\"")).join(","));
            }
            Format::Table => fields.iter().for_each(|(name, value)| println!("{name:7}  {value}")),
        }
        Ok(ExitCode::SUCCESS)
    }
}
