//! Waiting for work that the server does by itself (`--wait`).

use std::time::Duration;

use prost::{Message, Name};
use serde_json::json;

use crate::desk::{Answer, Desk, write};
use crate::failure::Failure;
use crate::output::{Format, Part};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a look saw.
pub(crate) enum Look {
    Done,
    /// Told when it changes.
    Going(String),
}

/// How programs are told of changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// A line that says how far it is; the last look is printed whole.
    Texts,
    /// The rows of the look, one line each, also of the last one.
    Rows,
}

/// Looks until the work is done, and tells each change on the way: a line for people, JSON lines
/// for programs. Prints the last look and gives it back.
pub(crate) async fn wait<M: Message + Default>(
    desk: &Desk,
    events: Events,
    request: &impl Name,
    look: impl Fn(&M) -> Look,
) -> Result<M, Failure> {
    let mut told = String::new();
    loop {
        let answer = desk.call(request).await?;
        let seen = answer.read();
        let is_rows = events == Events::Rows && desk.global.output == Format::Json;
        let part = if is_rows { Part::More } else { Part::Whole };
        let Look::Going(text) = look(&seen) else {
            desk.print(&answer, part)?;
            return Ok(seen);
        };
        let text = match desk.global.output {
            Format::Json if is_rows => answer.render(desk.global.output, part),
            Format::Json => format!("{}\n", json!({ "event": "progress", "text": text })),
            Format::Table | Format::Csv => format!("waiting: {text}\n"),
        };
        if text != told {
            match desk.global.output {
                Format::Json => write(&text)?,
                Format::Table | Format::Csv => eprint!("{text}"),
            }
            told = text;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same without printing the last look; it is given back with what was made of it.
pub(crate) async fn until<M: Message + Default>(
    desk: &Desk,
    request: &impl Name,
    look: impl Fn(&M) -> Look,
) -> Result<(Answer, M), Failure> {
    let mut told = String::new();
    loop {
        let answer = desk.call(request).await?;
        let seen = answer.read();
        let Look::Going(text) = look(&seen) else { return Ok((answer, seen)) };
        if text != told {
            desk.tell(&text)?;
            told = text;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
