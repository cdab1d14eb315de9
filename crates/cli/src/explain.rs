//! `tierline explain`: what a code means, answered here without a server, and why a client has an
//! update or has not, answered by one.

mod messages;

use std::process::ExitCode;

use clap::Args;
use model::{Hresult, Invalid, Retry};
use rpc::pb::admin as pb;
use serde_json::json;

use crate::Outcome;
use crate::desk::{Desk, write};
use crate::failure::Failure;
use crate::output::{Format, csv_line, pretty};

/// What a code of a Windows computer or a status message means, or why a client has an update or
/// has not
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  tierline explain 0x8024401C\n  tierline explain 6703\n  \
    tierline explain 01939c3e-7f00-7000-8000-000000000001 01939c3e-7f00-7000-8000-000000000002")]
pub(crate) struct Explain {
    /// A code, hexadecimal or as the decimal number that other tools print; the number of a status
    /// message; or the id of an update
    #[arg(allow_negative_numbers = true, value_name = "CODE|UPDATE")]
    what: String,
    /// The id of a client: every step between the update and it, and what stops it
    #[arg(value_name = "CLIENT")]
    client: Option<String>,
}

impl Explain {
    /// Whether a server has to be asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.client.is_some()
    }

    pub(crate) async fn ask(self, desk: &Desk) -> Outcome {
        let (update, client) = (self.what, self.client.unwrap_or_default());
        desk.show(pb::ExplainUpdateRequest { update, client }).await
    }

    pub(crate) fn run(self, format: Format) -> Outcome {
        if let Some(message) = messages::find(&self.what) {
            write(&message.render(format))?;
            return Ok(ExitCode::SUCCESS);
        }
        let remedy = "write the code as in the event, such as 0x8024401C; of an update, name the \
                      client, too";
        let code: Hresult =
            self.what.parse().map_err(|error: Invalid| Failure::of(&error, "CODE", remedy))?;
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
        let said = match format {
            Format::Json => {
                let retry = retry == "yes";
                pretty(&json!({
                    "code": text, "name": name, "meaning": meaning, "remedy": remedy,
                    "retry": retry,
                }))
            }
            Format::Csv => {
                let names = csv_line(fields.iter().map(|(name, _)| (*name).to_owned()));
                names + &csv_line(fields.iter().map(|(_, value)| (*value).to_owned()))
            }
            Format::Table => {
                fields.iter().map(|(name, value)| format!("{name:7}  {value}\n")).collect()
            }
        };
        write(&said)?;
        Ok(ExitCode::SUCCESS)
    }
}
