//! Keeping streams: verifying, trimming, new epochs.

use model::{Epoch, Position, StreamDigest, StreamId};
use replication::{StreamState, object_hash, sum_add};
use sqlite_engine::{Row, params};

use crate::streams::{Stream, digest_column, stream_column};
use crate::{Error, Reader, SiteDb, Writer};

/// The digest of a stream recomputed from what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCheck {
    pub stream: StreamId,
    pub position: Position,
    pub stored: StreamDigest,
    pub computed: StreamDigest,
    /// Objects whose body does not match its hash.
    pub damaged: u64,
}

impl StreamCheck {
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.stored == self.computed && self.damaged == 0
    }
}

/// Recomputes every stream that claims a digest.
pub async fn check_all(db: &SiteDb) -> Result<Vec<StreamCheck>, Error> {
    db.read(|r| {
        let streams = r.streams()?.into_values().filter(|s| s.local.is_settled());
        streams.map(|stream| r.check_stream(&stream)).collect()
    })
    .await
}

/// [`check_all`]; copies that are damaged are marked, so that they are taken again.
pub async fn verify_all(db: &SiteDb) -> Result<Vec<StreamCheck>, Error> {
    let checks = check_all(db).await?;
    let damaged: Vec<StreamId> =
        checks.iter().filter(|check| !check.is_sound()).map(|check| check.stream).collect();
    if !damaged.is_empty() {
        db.write(move |w| {
            damaged.into_iter().try_for_each(|id| w.set_state(id, StreamState::Damaged))
        })
        .await?;
    }
    Ok(checks)
}

/// Notes where every stream stands now and forgets log entries older than `keep_ms`.
pub async fn age_logs(db: &SiteDb, keep_ms: i64) -> Result<(), Error> {
    db.write(move |w| w.age_logs(keep_ms)).await
}

impl Reader<'_> {
    /// Recomputes a stream from its bodies. Of events only what the log still holds is checked.
    pub fn check_stream(&self, stream: &Stream) -> Result<StreamCheck, Error> {
        let key = params![stream.id.group as u8, stream.id.owner.to_bytes()];
        let events = stream.id.group.is_events();
        let sql = if events {
            "SELECT kind, id, seq, body, hash FROM entry WHERE grp = ?1 AND owner = ?2
             ORDER BY seq"
        } else {
            "SELECT e.kind, e.id, e.seq, e.body, e.hash FROM live l JOIN entry e ON e.lsn = l.lsn
             WHERE l.grp = ?1 AND l.owner = ?2"
        };
        let start = if events { stream.floor_digest } else { StreamDigest::default() };
        let (mut computed, mut damaged) = (start, 0);
        let floor = stream.local.floor;
        let map = |row: &Row<'_>| {
            let body: Option<Vec<u8>> = row.get(3)?;
            let (kind, id, seq): (u32, Vec<u8>, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let hash = object_hash(kind, &id, seq, body.as_deref());
            Ok((seq, hash, digest_column(row, 4)?))
        };
        self.tx.for_each::<_, Error>(sql, key, map, |(seq, hash, stored)| {
            if events && seq <= floor {
                return Ok(());
            }
            damaged += u64::from(hash != stored);
            computed =
                if events { replication::chain(computed, hash) } else { sum_add(computed, hash) };
            Ok(())
        })?;
        let (id, position) = (stream.id, stream.local.position);
        Ok(StreamCheck { stream: id, position, stored: stream.local.digest, computed, damaged })
    }

    /// The newest end of a transaction at or below `seq`, where a log may be cut.
    pub fn transaction_end(&self, id: StreamId, seq: u64) -> Result<Option<u64>, Error> {
        let sql = "SELECT max(seq) FROM entry
                   WHERE grp = ?1 AND owner = ?2 AND seq <= ?3 AND digest_after IS NOT NULL";
        let key = params![id.group as u8, id.owner.to_bytes(), seq];
        Ok(self.tx.query_row(sql, key, |row| row.get(0))?)
    }

    /// Objects that reconciles overwrote or deleted, newest first.
    pub fn repairs(&self, limit: u32) -> Result<Vec<(StreamId, u64)>, Error> {
        let sql = "SELECT grp, owner, seq FROM repair_report ORDER BY id DESC LIMIT ?1";
        Ok(self.tx.query_all(sql, [limit], |row| Ok((stream_column(row, 0)?, row.get(2)?)))?)
    }
}

impl Writer<'_> {
    /// Forgets the log of a stream up to the newest end of a transaction at or below `seq`. Live
    /// objects stay. Streams that are being reconciled are left alone.
    pub fn trim(&self, id: StreamId, seq: u64) -> Result<(), Error> {
        let Some(mut stream) = self.stream(id)? else { return Ok(()) };
        let Some(floor) = self.transaction_end(id, seq.min(stream.local.position.seq))? else {
            return Ok(());
        };
        if !stream.local.is_settled() || floor <= stream.local.floor {
            return Ok(());
        }
        let at = Position { epoch: stream.local.position.epoch, seq: floor };
        stream.floor_digest = self.boundary(&stream, at)?.unwrap_or_default();
        stream.local.floor = floor;
        self.write.execute(
            "DELETE FROM entry WHERE grp = ?1 AND owner = ?2 AND seq <= ?3 AND NOT EXISTS
               (SELECT 1 FROM live l WHERE l.kind = entry.kind AND l.id = entry.id
                  AND l.lsn = entry.lsn)",
            params![id.group as u8, id.owner.to_bytes(), floor],
        )?;
        self.save_stream(&stream)
    }

    fn age_logs(&self, keep_ms: i64) -> Result<(), Error> {
        let now = self.now().0;
        for (id, stream) in self.streams()? {
            let key = params![id.group as u8, id.owner.to_bytes(), now - keep_ms];
            let sql = "SELECT max(seq) FROM log_mark WHERE grp = ?1 AND owner = ?2 AND at <= ?3";
            let old: Option<u64> = self.tx.query_row(sql, key, |row| row.get(0))?;
            if let Some(seq) = old {
                self.trim(id, seq)?;
                let sql = "DELETE FROM log_mark WHERE grp = ?1 AND owner = ?2 AND at <= ?3";
                self.write.execute(sql, key)?;
            }
            let sql = "INSERT INTO log_mark VALUES (?1, ?2, ?3, ?4)";
            let seq = stream.local.position.seq;
            self.write.execute(sql, params![id.group as u8, id.owner.to_bytes(), seq, now])?;
        }
        Ok(())
    }

    /// Brings stored hashes to what the bodies are now, so that a reconcile finds what differs.
    pub(crate) fn rehash(&self, id: StreamId) -> Result<(), Error> {
        let sql = "SELECT e.lsn, e.kind, e.id, e.seq, e.body, e.hash
                   FROM live l JOIN entry e ON e.lsn = l.lsn WHERE l.grp = ?1 AND l.owner = ?2";
        let key = params![id.group as u8, id.owner.to_bytes()];
        let mut wrong: Vec<(i64, StreamDigest)> = Vec::new();
        let map = |row: &Row<'_>| {
            let (kind, object, body): (u32, Vec<u8>, Option<Vec<u8>>) =
                (row.get(1)?, row.get(2)?, row.get(4)?);
            let hash = object_hash(kind, &object, row.get(3)?, body.as_deref());
            Ok((row.get::<_, i64>(0)?, hash, digest_column(row, 5)?))
        };
        self.tx.for_each::<_, Error>(sql, key, map, |(lsn, hash, stored)| {
            if hash != stored {
                wrong.push((lsn, hash));
            }
            Ok(())
        })?;
        for (lsn, hash) in wrong {
            self.write
                .execute("UPDATE entry SET hash = ?2 WHERE lsn = ?1", params![lsn, hash.0])?;
        }
        Ok(())
    }

    /// Begins a new history of a stream of one's own, above everything anybody has seen of it.
    pub fn begin_epoch(&self, id: StreamId) -> Result<(), Error> {
        let Some(mut stream) = self.stream(id)? else { return Ok(()) };
        let highest = stream.local.seen.max(stream.local.position);
        let number = highest.epoch.number + 1;
        let seq = highest.seq.max(stream.local.position.seq) + 1;
        let epoch = Epoch { number, id: self.context.ambient.random_u64() };
        self.write.execute(
            "DELETE FROM entry WHERE grp = ?1 AND owner = ?2
               AND lsn NOT IN (SELECT lsn FROM live WHERE grp = ?1 AND owner = ?2)",
            params![id.group as u8, id.owner.to_bytes()],
        )?;
        stream.local.position = Position { epoch, seq };
        stream.local.floor = seq;
        stream.local.settle_at = None;
        stream.local.state = StreamState::Sound;
        stream.floor_digest = stream.local.digest;
        stream.signature = self.sign_head(&stream);
        self.save_stream(&stream)
    }

    /// Gives up a copy that was left half taken: it starts empty, to be taken again.
    pub fn forget_stream(&self, id: StreamId) -> Result<(), Error> {
        for bucket in self.buckets(id)?.into_keys() {
            for object in self.bucket(id, bucket)? {
                self.set_live(id, (object.kind, &object.id), None)?;
                self.project(object.kind, &object.id, None)?;
            }
        }
        for table in ["entry", "walk", "stream"] {
            let sql = format!("DELETE FROM {table} WHERE grp = ?1 AND owner = ?2");
            self.write.execute(&sql, params![id.group as u8, id.owner.to_bytes()])?;
        }
        Ok(())
    }
}
