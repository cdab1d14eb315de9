//! Reconciling: comparing a stream bucket by bucket and taking over what differs.

use std::collections::BTreeMap;

use model::{Position, SiteCode, StreamDigest, StreamId};
use replication::{BUCKETS, ObjectRef, StreamState, object_hash, sum_add};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::put::Change;
use crate::streams::{Stream, bits, digest_column, position_column, unbits};
use crate::{Error, Reader, Writer};

/// A reconcile under way at its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    pub source: SiteCode,
    /// The source's start: its restart ends the walk.
    pub boot: u64,
    /// The source's position when the walk began.
    pub from: Position,
    done: Vec<u8>,
}

impl Walk {
    /// A walk of which nothing is done.
    #[must_use]
    pub fn new(source: SiteCode, boot: u64, from: Position) -> Walk {
        Walk { source, boot, from, done: vec![0; BUCKETS as usize / 8] }
    }

    #[must_use]
    pub fn is_done(&self, bucket: u32) -> bool {
        self.done.get(bucket as usize / 8).is_some_and(|byte| byte & (1 << (bucket % 8)) != 0)
    }

    fn mark(&mut self, bucket: u32) {
        if let Some(byte) = self.done.get_mut(bucket as usize / 8) {
            *byte |= 1 << (bucket % 8);
        }
    }
}

fn object_row(row: &Row<'_>) -> RowResult<ObjectRef> {
    let (kind, id, seq) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(ObjectRef { kind, id, seq, hash: digest_column(row, 3)? })
}

const OBJECTS: &str = "SELECT l.kind, l.id, e.seq, e.hash, e.body, e.lsn
     FROM live l JOIN entry e ON e.lsn = l.lsn";

impl Reader<'_> {
    pub fn walk(&self, id: StreamId) -> Result<Option<Walk>, Error> {
        let sql = "SELECT source, boot, epoch, epoch_id, seq, done FROM walk
                   WHERE grp = ?1 AND owner = ?2";
        let key = params![id.group as u8, id.owner.to_bytes()];
        let walk = self.tx.query_optional(sql, key, |row| {
            Ok(Walk {
                source: parse_column(row, 0, |s: String| SiteCode::new(&s))?,
                boot: unbits(row.get(1)?),
                from: position_column(row, 2)?,
                done: row.get(5)?,
            })
        })?;
        Ok(walk)
    }

    /// Digests of the buckets of a stream that are not empty.
    pub fn buckets(&self, id: StreamId) -> Result<BTreeMap<u32, StreamDigest>, Error> {
        let sql = "SELECT l.bucket, e.hash FROM live l JOIN entry e ON e.lsn = l.lsn
                   WHERE l.grp = ?1 AND l.owner = ?2";
        let mut buckets: BTreeMap<u32, StreamDigest> = BTreeMap::new();
        let key = params![id.group as u8, id.owner.to_bytes()];
        let map = |row: &Row<'_>| Ok((row.get(0)?, digest_column(row, 1)?));
        self.tx.for_each::<_, Error>(sql, key, map, |(bucket, hash): (u32, _)| {
            let sum = buckets.entry(bucket).or_default();
            *sum = sum_add(*sum, hash);
            Ok(())
        })?;
        Ok(buckets)
    }

    /// The objects of one bucket, without bodies.
    pub fn bucket(&self, id: StreamId, bucket: u32) -> Result<Vec<ObjectRef>, Error> {
        let sql = format!("{OBJECTS} WHERE l.grp = ?1 AND l.owner = ?2 AND l.bucket = ?3");
        let key = params![id.group as u8, id.owner.to_bytes(), bucket];
        Ok(self.tx.query_all(&sql, key, object_row)?)
    }

    /// The bodies of one bucket's objects that `have` lacks or has otherwise.
    pub fn bucket_bodies(
        &self,
        id: StreamId,
        bucket: u32,
        have: &[ObjectRef],
    ) -> Result<Vec<(ObjectRef, Vec<u8>)>, Error> {
        let sql = format!("{OBJECTS} WHERE l.grp = ?1 AND l.owner = ?2 AND l.bucket = ?3");
        let key = params![id.group as u8, id.owner.to_bytes(), bucket];
        let all = self.tx.query_all(&sql, key, |row| Ok((object_row(row)?, row.get(4)?)))?;
        Ok(all.into_iter().filter(|(object, _)| !have.contains(object)).collect())
    }
}

impl Writer<'_> {
    /// Begins a reconcile, or goes on with one from the same source and start.
    pub fn begin_walk(&self, id: StreamId, walk: &Walk) -> Result<(), Error> {
        if self.stream(id)?.is_none() {
            self.save_stream(&Stream::new(id, model::Epoch::default()))?;
        }
        // The log of what was held before is of no use to anybody who follows from here.
        self.write.execute(
            "DELETE FROM entry WHERE grp = ?1 AND owner = ?2
               AND lsn NOT IN (SELECT lsn FROM live WHERE grp = ?1 AND owner = ?2)",
            params![id.group as u8, id.owner.to_bytes()],
        )?;
        self.save_walk(id, walk)?;
        self.set_state(id, StreamState::Sound)
    }

    fn save_walk(&self, id: StreamId, walk: &Walk) -> Result<(), Error> {
        self.write.execute(
            "INSERT OR REPLACE INTO walk VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                id.group as u8,
                id.owner.to_bytes(),
                walk.source.as_str(),
                bits(walk.boot),
                walk.from.epoch.number,
                bits(walk.from.epoch.id),
                walk.from.seq,
                walk.done
            ],
        )?;
        Ok(())
    }

    /// Makes one bucket what the source says it is.
    pub fn take_bucket(
        &self,
        id: StreamId,
        bucket: u32,
        have: &[ObjectRef],
        bodies: &[(ObjectRef, Vec<u8>)],
    ) -> Result<(), Error> {
        for mine in self.bucket(id, bucket)? {
            if !have.contains(&mine) {
                self.remove_object(id, &mine)?;
            }
        }
        for (object, body) in bodies {
            let ObjectRef { kind, id: object_id, seq, hash } = object;
            if object_hash(*kind, object_id, *seq, Some(body)) != *hash || !have.contains(object) {
                return Err(Error::WalkObject { stream: id });
            }
            if let Some(other) = self.live(*kind, object_id)? {
                let owner =
                    model::Owner::from_slice(&other.owner).map_err(Error::stored("owner"))?;
                let id_text = object_id.iter().map(|b| format!("{b:02x}")).collect();
                return Err(Error::ForeignObject {
                    stream: id,
                    id: id_text,
                    owner: owner.code.to_string(),
                });
            }
            let change =
                Change { seq: *seq, kind: *kind, id: object_id, body: Some(body), end: None };
            let lsn = self.insert_entry(id, &change, *hash)?;
            self.set_live(id, (*kind, object_id), Some(lsn))?;
            self.project(*kind, object_id, Some(body))?;
        }
        if self.bucket(id, bucket)?.len() != have.len() {
            return Err(Error::WalkObject { stream: id });
        }
        if let Some(mut walk) = self.walk(id)? {
            walk.mark(bucket);
            self.save_walk(id, &walk)?;
        }
        ambient::failpoint("replication.bucket_taken");
        Ok(())
    }

    /// Takes an object out, keeping what it was in the repair report.
    fn remove_object(&self, id: StreamId, object: &ObjectRef) -> Result<(), Error> {
        let Some(old) = self.live(object.kind, &object.id)? else { return Ok(()) };
        self.write.execute(
            "INSERT INTO repair_report (at, grp, owner, kind, object, seq, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.now().0,
                id.group as u8,
                id.owner.to_bytes(),
                object.kind,
                object.id,
                old.seq,
                old.body
            ],
        )?;
        self.write.execute("DELETE FROM entry WHERE lsn = ?1", [old.lsn])?;
        self.set_live(id, (object.kind, &object.id), None)?;
        self.project(object.kind, &object.id, None)
    }

    /// Ends a reconcile: the stream stands at the walk's start and is settled at `ended`. Answers
    /// whether it was ended; a source that changed epoch or went back makes it start over.
    pub fn end_walk(
        &self,
        id: StreamId,
        ended: Position,
        (digest, signature): (StreamDigest, Option<&[u8]>),
    ) -> Result<bool, Error> {
        let (Some(walk), Some(mut stream)) = (self.walk(id)?, self.stream(id)?) else {
            return Ok(false);
        };
        if walk.from.epoch != ended.epoch || ended.seq < walk.from.seq {
            return Ok(false);
        }
        let key = params![id.group as u8, id.owner.to_bytes()];
        let sum = self.buckets(id)?.into_values().fold(StreamDigest::default(), sum_add);
        if walk.from == ended && sum != digest {
            return Ok(false);
        }
        self.check_signature(id, ended, (digest, signature))?;
        self.write.execute("DELETE FROM walk WHERE grp = ?1 AND owner = ?2", key)?;
        stream.local.position = walk.from;
        stream.local.digest = sum;
        stream.local.floor = ended.seq;
        stream.local.settle_at = Some(ended.seq);
        stream.local.state = StreamState::Sound;
        stream.signature = (walk.from == ended).then(|| signature.map(<[u8]>::to_vec)).flatten();
        self.save_stream(&stream)?;
        Ok(true)
    }
}
