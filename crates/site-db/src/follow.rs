//! Following: reading batches from the log and applying them.

use std::collections::BTreeMap;

use model::{Epoch, Group, Owner, Position, StreamId};
use replication::{Batch, Entry, TransactionEnd};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::db::PlantedFault;
use crate::put::Change;
use crate::streams::{Stream, digest_column};
use crate::{Error, Reader, Writer};

/// When a batch is closed.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    pub bytes: usize,
    pub transactions: usize,
}

/// What reading a batch gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchRead {
    /// Nothing is newer than the positions; where to read on.
    Nothing { cursor: i64 },
    /// Whole transactions; where each stream stands after them; where to read on.
    Entries { entries: Vec<Entry>, positions: BTreeMap<Owner, Position>, cursor: i64 },
    /// The log does not continue this stream from where the receiver stands.
    Broken(Owner),
}

/// Rows looked at in one step.
const PAGE_ROWS: u32 = 256;

struct LogRow {
    lsn: i64,
    owner: Owner,
    entry: Entry,
}

impl Reader<'_> {
    /// Where reading on from a position has to begin: before the first row beyond it, or at the end
    /// of the log.
    pub fn cursor(&self, group: Group, stream: Owner, position: Position) -> Result<i64, Error> {
        let sql = "SELECT coalesce(
                     (SELECT min(lsn) - 1 FROM entry WHERE grp = ?1 AND owner = ?2 AND seq > ?3),
                     (SELECT max(lsn) FROM entry), 0)";
        let key = params![group as u8, stream.to_bytes(), position.seq];
        Ok(self.tx.query_row(sql, key, |row| row.get(0))?)
    }

    /// Reads whole transactions of one group in commit order, beyond `cursor` and `positions`.
    pub fn read_batch(
        &self,
        group: Group,
        (mut cursor, positions): (i64, &BTreeMap<Owner, Position>),
        limits: BatchLimits,
    ) -> Result<BatchRead, Error> {
        let (mut at, mut entries) = (positions.clone(), Vec::new());
        let (mut bytes, mut transactions) = (0, 0);
        loop {
            let page = self.log_page(group, cursor)?;
            let Some(last) = page.last() else { break };
            let page_end = last.lsn;
            for LogRow { lsn, owner, entry } in page {
                cursor = lsn;
                let Some(position) = at.get_mut(&owner) else { continue };
                if entry.seq <= position.seq {
                    continue;
                }
                if entry.seq != position.seq + 1 {
                    return Ok(BatchRead::Broken(owner));
                }
                position.seq = entry.seq;
                bytes += entry.id.len() + entry.body.as_ref().map_or(0, Vec::len);
                transactions += usize::from(entry.end.is_some());
                let ends = entry.end.is_some();
                entries.push(self.with_fault(entry)?);
                if ends && (bytes >= limits.bytes || transactions >= limits.transactions) {
                    return Ok(BatchRead::Entries { entries, positions: at, cursor });
                }
            }
            cursor = page_end;
        }
        if entries.is_empty() {
            return Ok(BatchRead::Nothing { cursor });
        }
        Ok(BatchRead::Entries { entries, positions: at, cursor })
    }

    fn log_page(&self, group: Group, cursor: i64) -> Result<Vec<LogRow>, Error> {
        let sql = "SELECT lsn, owner, seq, kind, id, body, digest_after, signature_after,
                     digest_after IS NOT NULL
                   FROM entry WHERE grp = ?1 AND lsn > ?2 ORDER BY lsn LIMIT ?3";
        let map = |row: &Row<'_>| log_row(group, row);
        Ok(self.tx.query_all(sql, params![group as u8, cursor, PAGE_ROWS], map)?)
    }

    #[cfg(not(feature = "planted-faults"))]
    fn with_fault(&self, entry: Entry) -> Result<Entry, Error> {
        Ok(entry)
    }

    /// With the planted fault, the body a key has now instead of the one it had.
    #[cfg(feature = "planted-faults")]
    fn with_fault(&self, mut entry: Entry) -> Result<Entry, Error> {
        if self.context.fault == PlantedFault::KeysOnly {
            let sql = "SELECT e.body FROM live l JOIN entry e ON e.lsn = l.lsn
                       WHERE l.kind = ?1 AND l.id = ?2";
            let key = params![entry.kind, entry.id];
            entry.body = self.tx.query_optional(sql, key, |row| row.get(0))?.flatten();
        }
        Ok(entry)
    }
}

fn log_row(group: Group, row: &Row<'_>) -> RowResult<LogRow> {
    let owner = parse_column(row, 1, |b: Vec<u8>| Owner::from_slice(&b))?;
    let ends: bool = row.get(8)?;
    let end = if ends {
        Some(TransactionEnd { digest: digest_column(row, 6)?, signature: row.get(7)? })
    } else {
        None
    };
    let entry = Entry {
        stream: StreamId { group, owner },
        seq: row.get(2)?,
        kind: row.get(3)?,
        id: row.get(4)?,
        body: row.get(5)?,
        end,
    };
    Ok(LogRow { lsn: row.get(0)?, owner, entry })
}

impl Writer<'_> {
    /// Begins to hold a stream from the start of its history.
    pub fn begin_stream(&self, id: StreamId, epoch: Epoch) -> Result<(), Error> {
        if self.stream(id)?.is_none() {
            self.save_stream(&Stream::new(id, epoch))?;
        }
        Ok(())
    }

    /// Applies a batch whole, or nothing of it. A position is committed only if the digest here is
    /// the one the sender says.
    pub fn apply_batch(&self, batch: &Batch) -> Result<(), Error> {
        let mut streams = BTreeMap::new();
        for (id, start) in &batch.from {
            let stream = self.stream(*id)?.ok_or(Error::BatchStream { stream: *id })?;
            if stream.local.position != *start {
                let at = stream.local.position;
                return Err(Error::BatchStart { stream: *id, at, start: *start });
            }
            streams.insert(*id, stream);
        }
        for entry in &batch.entries {
            let stream = streams
                .get_mut(&entry.stream)
                .ok_or(Error::BatchStream { stream: entry.stream })?;
            self.apply_entry(stream, entry)?;
        }
        ambient::failpoint("replication.batch_applied");
        for stream in streams.values() {
            self.save_stream(stream)?;
        }
        Ok(())
    }

    fn apply_entry(&self, stream: &mut Stream, entry: &Entry) -> Result<(), Error> {
        let expected = stream.local.position.seq + 1;
        if entry.seq != expected {
            return Err(Error::BatchOrder { stream: stream.id, expected, found: entry.seq });
        }
        let change = Change {
            seq: entry.seq,
            kind: entry.kind,
            id: &entry.id,
            body: entry.body.as_deref(),
            end: entry.end.as_ref(),
        };
        self.put(stream, &change)?;
        let Some(end) = &entry.end else { return Ok(()) };
        if self.context.fault != PlantedFault::None {
            return Ok(());
        }
        if stream.local.is_settled() && stream.local.digest != end.digest {
            return Err(Error::Digest { stream: stream.id, seq: entry.seq });
        }
        let claim = (end.digest, end.signature.as_deref());
        self.check_signature(stream.id, stream.local.position, claim)?;
        stream.signature.clone_from(&end.signature);
        Ok(())
    }

    /// Records that events left the sender's log before they came here, and goes on behind them.
    pub fn skip_events(
        &self,
        id: StreamId,
        (position, digest): (Position, model::StreamDigest),
    ) -> Result<(), Error> {
        let mut stream = match self.stream(id)? {
            Some(stream) => stream,
            None => Stream::new(id, position.epoch),
        };
        let from = stream.local.position.seq;
        self.write.execute(
            "INSERT INTO event_gap VALUES (?1, ?2, ?3, ?4)",
            params![id.owner.to_bytes(), from, position.seq, self.now().0],
        )?;
        stream.local.position = position;
        stream.local.digest = digest;
        stream.local.floor = position.seq;
        stream.floor_digest = digest;
        self.save_stream(&stream)
    }
}
