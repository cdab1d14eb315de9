//! What happened on this computer, for whoever asks it.
//!
//! Owns the table `history`. Nothing is decided by it, and no server is told. What is old goes
//! with each new event, so that the table is bounded without anybody's care.

use client::{Event, EventKind};
use model::{Invalid, Timestamp, UpdateId, UpdateRef};
use sqlite_engine::{Error as EngineError, Row, RowResult, WriteTx, params, parse_column};

use super::Store;

/// A month of patching and the two before it; older things are at the site.
const KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1000;

/// Each event makes two old ones go: enough that what is old goes in the end, and so few that a
/// clock that is wrong for a while takes the past from nobody.
const OLD_AT_ONCE: i64 = 2;

/// A dozen a day for those ninety days. Each kind has its own share: what people here can cause at
/// will, scans and requests, must not take the place of what was installed.
const EVENTS_OF_KIND_MAX: i64 = 1_250;

/// Texts come from servers and installers, too.
const TEXT_CHARACTERS_MAX: usize = 500;

const KINDS: [EventKind; 8] = [
    EventKind::Scan,
    EventKind::Fetch,
    EventKind::Install,
    EventKind::Restart,
    EventKind::Refusal,
    EventKind::User,
    EventKind::Damage,
    EventKind::Policy,
];

/// Which events are wanted; the newest first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    All,
    Kind(EventKind),
    Of(UpdateId),
}

impl Store {
    /// At most `limit`, the newest first.
    pub(crate) async fn history(
        &self,
        wanted: Wanted,
        limit: u32,
    ) -> Result<Vec<Event>, EngineError> {
        let sql = "SELECT at, kind, update_id, revision, code, duration_ms, size_bytes, what
                   FROM history WHERE (?1 IS NULL OR update_id = ?1) AND (?2 IS NULL OR kind = ?2)
                   ORDER BY number DESC LIMIT ?3";
        let (update, kind) = match wanted {
            Wanted::All => (None, None),
            Wanted::Kind(kind) => (None, Some(number(kind))),
            Wanted::Of(id) => (Some(*id.as_bytes()), None),
        };
        self.database.read(move |tx| tx.query_all(sql, params![update, kind, limit], event)).await
    }
}

/// Adds an event; the oldest go.
pub(super) fn put_event(tx: &WriteTx, event: &Event) -> Result<(), EngineError> {
    let Event { at, kind, update, code, duration_ms, bytes, text } = event;
    let sql = "INSERT INTO history VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let text: String = text.chars().take(TEXT_CHARACTERS_MAX).collect();
    let (id, revision) = (update.as_ref().map(|u| u.id.as_bytes()), update.map(|u| u.revision));
    let kind = number(*kind);
    tx.execute(sql, params![at.0, kind, id, revision, code, duration_ms, bytes, text])?;
    let many = "DELETE FROM history WHERE kind = ?1 AND number <= (
                    SELECT number FROM history WHERE kind = ?1
                    ORDER BY number DESC LIMIT 1 OFFSET ?2)";
    tx.execute(many, params![kind, EVENTS_OF_KIND_MAX])?;
    let old = "DELETE FROM history WHERE number IN
               (SELECT number FROM history WHERE at < ?1 ORDER BY number LIMIT ?2)";
    tx.execute(old, [at.0.saturating_sub(KEPT_MS), OLD_AT_ONCE]).map(drop)
}

/// As stored.
fn number(kind: EventKind) -> u8 {
    match kind {
        EventKind::Scan => 1,
        EventKind::Fetch => 2,
        EventKind::Install => 3,
        EventKind::Restart => 4,
        EventKind::Refusal => 5,
        EventKind::User => 6,
        EventKind::Damage => 7,
        EventKind::Policy => 8,
    }
}

fn event(row: &Row<'_>) -> RowResult<Event> {
    let kind = |stored: u8| {
        let known = KINDS.into_iter().find(|kind| number(*kind) == stored);
        known.ok_or_else(|| Invalid::new("kind", format!("there is no kind {stored}")))
    };
    let id = |bytes: Option<Vec<u8>>| bytes.map(|bytes| UpdateId::from_slice(&bytes)).transpose();
    let (id, revision) = (parse_column(row, 2, id)?, row.get::<_, Option<u32>>(3)?);
    Ok(Event {
        at: Timestamp(row.get(0)?),
        kind: parse_column(row, 1, kind)?,
        update: id.zip(revision).map(|(id, revision)| UpdateRef { id, revision }),
        code: row.get(4)?,
        duration_ms: row.get(5)?,
        bytes: row.get(6)?,
        text: row.get(7)?,
    })
}

#[cfg(test)]
mod tests;
