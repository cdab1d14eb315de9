//! Waiting for work that the server does by itself (`--wait`).

use std::time::Duration;

use prost::Message;

use crate::desk::{Answer, Desk};
use crate::failure::Failure;
use crate::output::Format;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a look saw.
pub(crate) enum Look {
    Done,
    /// Told when it changes.
    Going(String),
}

/// Looks until the work is done, and tells each change on the way: a line for people, a JSON line
/// for programs. Answers with the last look.
pub(crate) async fn wait<M: Message + Default>(
    desk: &Desk,
    (method, request): (&str, &impl Message),
    look: impl Fn(&M) -> Look,
) -> Result<Answer, Failure> {
    let mut told = String::new();
    loop {
        let answer = desk.call(method, request).await?;
        let Look::Going(text) = look(&answer.read()) else { return Ok(answer) };
        if text != told {
            match desk.format {
                Format::Json => {
                    println!("{}", serde_json::json!({ "event": "progress", "text": text }));
                }
                Format::Table | Format::Csv => eprintln!("waiting: {text}"),
            }
            told = text;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
