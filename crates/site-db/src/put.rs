//! The one place where objects are written: entry, live row, digest and projection together.

use model::{StreamDigest, StreamId};
use replication::{TransactionEnd, bucket_of, chain, object_hash, sum_add, sum_subtract};
use sqlite_engine::params;

use crate::streams::{Stream, digest_column};
use crate::{Error, Writer};

/// One change of a stream, owner's or replicated.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) seq: u64,
    pub(crate) kind: u32,
    pub(crate) id: &'a [u8],
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) end: Option<&'a TransactionEnd>,
}

/// The live object of a kind and id.
pub(crate) struct Live {
    pub(crate) lsn: i64,
    pub(crate) owner: Vec<u8>,
    pub(crate) seq: u64,
    pub(crate) hash: StreamDigest,
    pub(crate) body: Option<Vec<u8>>,
}

impl Writer<'_> {
    pub(crate) fn live(&self, kind: u32, id: &[u8]) -> Result<Option<Live>, Error> {
        let sql = "SELECT e.lsn, e.owner, e.seq, e.hash, e.body
                   FROM live l JOIN entry e ON e.lsn = l.lsn WHERE l.kind = ?1 AND l.id = ?2";
        let found = self.tx.query_optional(sql, params![kind, id], |row| {
            Ok(Live {
                lsn: row.get(0)?,
                owner: row.get(1)?,
                seq: row.get(2)?,
                hash: digest_column(row, 3)?,
                body: row.get(4)?,
            })
        })?;
        Ok(found)
    }

    /// Applies one change to `stream`, whose row the caller saves. An object that is already
    /// newer stays as it is: that happens between the start and the end of a reconcile.
    pub(crate) fn put(&self, stream: &mut Stream, change: &Change<'_>) -> Result<(), Error> {
        let Change { seq, kind, id, body, end: _ } = *change;
        stream.local.position.seq = seq;
        let hash = object_hash(kind, id, seq, body);
        if stream.id.group.is_events() {
            self.insert_entry(stream.id, change, hash)?;
            stream.local.digest = chain(stream.local.digest, hash);
            return Ok(());
        }
        if let Some(old) = self.live(kind, id)? {
            self.check_owner(stream.id, id, &old)?;
            if old.seq >= seq {
                return Ok(());
            }
            stream.local.digest = sum_subtract(stream.local.digest, old.hash);
        }
        let lsn = self.insert_entry(stream.id, change, hash)?;
        if body.is_some() {
            stream.local.digest = sum_add(stream.local.digest, hash);
        }
        self.set_live(stream.id, (kind, id), body.map(|_| lsn))?;
        self.project(kind, id, body)
    }

    fn check_owner(&self, stream: StreamId, id: &[u8], old: &Live) -> Result<(), Error> {
        if old.owner == stream.owner.to_bytes() {
            return Ok(());
        }
        let owner = model::Owner::from_slice(&old.owner).map_err(Error::stored("owner"))?;
        let id = id.iter().map(|b| format!("{b:02x}")).collect();
        Err(Error::ForeignObject { stream, id, owner: owner.code.to_string() })
    }

    pub(crate) fn insert_entry(
        &self,
        stream: StreamId,
        change: &Change<'_>,
        hash: StreamDigest,
    ) -> Result<i64, Error> {
        let end = change.end;
        self.write.execute(
            "INSERT INTO entry
               (grp, owner, seq, kind, id, hash, body, digest_after, signature_after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                stream.group as u8,
                stream.owner.to_bytes(),
                change.seq,
                change.kind,
                change.id,
                hash.0,
                change.body,
                end.map(|e| e.digest.0),
                end.and_then(|e| e.signature.as_deref())
            ],
        )?;
        Ok(self.write.last_insert_id())
    }

    pub(crate) fn set_live(
        &self,
        stream: StreamId,
        (kind, id): (u32, &[u8]),
        lsn: Option<i64>,
    ) -> Result<(), Error> {
        let Some(lsn) = lsn else {
            self.write
                .execute("DELETE FROM live WHERE kind = ?1 AND id = ?2", params![kind, id])?;
            return Ok(());
        };
        let owner = stream.owner.to_bytes();
        self.write.execute(
            "INSERT INTO live VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (kind, id) DO UPDATE SET lsn = ?3",
            params![kind, id, lsn, stream.group as u8, owner, bucket_of(kind, id)],
        )?;
        Ok(())
    }
}
