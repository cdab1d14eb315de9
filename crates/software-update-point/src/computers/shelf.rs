//! Policy as it lies here: what each computer has, the parts that all share, and the sets of
//! decisions that computers were told.
//!
//! Owns that policy is replaced only by policy all of whose parts are here, and that no part goes
//! which policy names, so that a part that is missing never takes a deployment away. Refuses to
//! know what parts mean.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{Invalid, Sha256, Timestamp, UpdateId};
use sha2::Digest as _;
use sqlite_engine::{Error, ReadTx, Row, RowResult, WriteTx, params, parse_column};
use uuid::Uuid;

use super::audience::{self, Audience, Decisions};
use super::limits;
use super::register::Register;

/// What is known here of a computer that asks for updates.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) incarnation: u64,
    /// Whether the site knows it.
    pub(crate) is_known: bool,
    /// 0: none yet.
    pub(crate) version: u64,
    pub(crate) parts: Vec<Sha256>,
}

/// A part, and when it first came.
#[derive(Clone, Debug)]
pub(crate) struct StoredPart {
    pub(crate) bytes: Vec<u8>,
    pub(crate) seen_at: Timestamp,
}

impl Register {
    pub(crate) async fn kept(&self, id: Uuid) -> Result<Option<Kept>, Error> {
        let sql = "SELECT incarnation, standing = 'known', coalesce(version, 0),
                     coalesce(parts, x'')
                   FROM computer LEFT JOIN policy ON policy.computer = computer.id
                   WHERE id = ?1";
        let kept = move |tx: &ReadTx| {
            tx.query_optional(sql, [id.as_bytes()], |row| {
                Ok(Kept {
                    incarnation: row.get::<_, i64>(0)?.cast_unsigned(),
                    is_known: row.get(1)?,
                    version: row.get::<_, i64>(2)?.cast_unsigned(),
                    parts: parse_column(row, 3, |bytes: Vec<u8>| digests(&bytes))?,
                })
            })
        };
        self.database.read(kept).await
    }

    /// Which of these parts are not here.
    pub(crate) async fn absent_parts(&self, parts: Vec<Sha256>) -> Result<Vec<Sha256>, Error> {
        let sql = "SELECT 1 FROM part WHERE sha256 = ?1";
        let absent = move |tx: &ReadTx| {
            let mut absent = Vec::new();
            for part in parts {
                if tx.query_optional(sql, [part.0], |_| Ok(()))?.is_none() {
                    absent.push(part);
                }
            }
            Ok(absent)
        };
        self.database.read(absent).await
    }

    /// Keeps parts under the names that their bytes give them, then the policy that names them,
    /// unless newer policy is here or one of the parts is not. Says whether it is here now.
    pub(crate) async fn keep_policy(
        &self,
        id: Uuid,
        kept: Kept,
        parts: Vec<Vec<u8>>,
        now_ms: i64,
    ) -> Result<bool, Error> {
        self.database.write(move |tx: &WriteTx| keep_policy(tx, id, &kept, &parts, now_ms)).await
    }

    pub(crate) async fn parts(&self, digests: Vec<Sha256>) -> Result<Vec<StoredPart>, Error> {
        let sql = "SELECT bytes, seen_at FROM part WHERE sha256 = ?1";
        let stored =
            |row: &Row<'_>| Ok(StoredPart { bytes: row.get(0)?, seen_at: Timestamp(row.get(1)?) });
        let parts = move |tx: &ReadTx| {
            let found = digests.iter().map(|digest| tx.query_optional(sql, [digest.0], stored));
            found.filter_map(Result::transpose).collect()
        };
        self.database.read(parts).await
    }

    #[cfg(test)]
    pub(crate) async fn lose_parts(&self) {
        let lose = |tx: &WriteTx| tx.execute("DELETE FROM part", []);
        self.database.write(lose).await.expect("writes");
    }

    /// The audience that is told exactly this; made now, if it is new.
    pub(crate) async fn audience(
        &self,
        decisions: Decisions,
        now_ms: i64,
    ) -> Result<Arc<Audience>, Error> {
        let digest = audience::digest(&decisions);
        let sql = "SELECT id, made_at, decisions FROM audience WHERE digest = ?1";
        let find = move |tx: &ReadTx| tx.query_optional(sql, [digest.0], audience_row);
        if let Some(found) = self.database.read(find).await? {
            return Ok(Arc::new(found));
        }
        let make = move |tx: &WriteTx| {
            // Somebody else may have been quicker.
            if let Some(found) = find(tx)? {
                return Ok(Arc::new(found));
            }
            let insert = "INSERT INTO audience (digest, decisions, made_at) VALUES (?1, ?2, ?3)";
            tx.execute(insert, params![digest.0, audience::encode(&decisions), now_ms])?;
            let id = tx.last_insert_id().cast_unsigned();
            for update in decisions.keys() {
                tx.execute("INSERT OR IGNORE INTO decided VALUES (?1)", [update.as_bytes()])?;
            }
            let sql = "DELETE FROM audience WHERE id <= ?1";
            tx.execute(sql, [id.saturating_sub(limits::AUDIENCES_MAX)])?;
            Ok(Arc::new(Audience { id, made_at: Timestamp(now_ms), decisions }))
        };
        self.database.write(make).await
    }

    /// The audience of this number, if it is still known.
    pub(crate) async fn audience_of(&self, id: u64) -> Result<Option<Arc<Audience>>, Error> {
        let sql = "SELECT id, made_at, decisions FROM audience WHERE id = ?1";
        let find = move |tx: &ReadTx| tx.query_optional(sql, [id], audience_row);
        Ok(self.database.read(find).await?.map(Arc::new))
    }

    /// Every update that any audience was ever told to install; none if that is not known.
    pub(crate) async fn ever_decided(&self) -> Result<Option<BTreeSet<UpdateId>>, Error> {
        let update =
            |row: &Row<'_>| parse_column(row, 0, |bytes: Vec<u8>| UpdateId::from_slice(&bytes));
        let all = move |tx: &ReadTx| {
            let sql = "SELECT knows_all FROM progress";
            if tx.query_row(sql, [], |row| row.get::<_, Option<bool>>(0))? != Some(true) {
                return Ok(None);
            }
            let decided = tx.query_all("SELECT update_id FROM decided", [], update)?;
            Ok(Some(decided.into_iter().collect()))
        };
        self.database.read(all).await
    }

    /// Notes, once, whether there was a catalog before this database: then it may be in the place
    /// of one that was lost, and computers may have been told what is not known here.
    pub(crate) async fn note_catalog(&self, version: Option<u64>) -> Result<(), Error> {
        let sql = "UPDATE progress SET knows_all = ?1 WHERE knows_all IS NULL";
        let write = move |tx: &WriteTx| tx.execute(sql, [version.is_none()]).map(drop);
        self.database.write(write).await
    }
}

fn keep_policy(
    tx: &WriteTx,
    id: Uuid,
    Kept { version, parts: named, .. }: &Kept,
    parts: &[Vec<u8>],
    now_ms: i64,
) -> Result<bool, Error> {
    for bytes in parts {
        let name: [u8; 32] = sha2::Sha256::digest(bytes).into();
        let sql = "INSERT OR IGNORE INTO part VALUES (?1, ?2, ?3, ?3, 0)";
        tx.execute(sql, params![name, bytes, now_ms])?;
    }
    let sql = "SELECT 1 FROM part WHERE sha256 = ?1";
    for part in named {
        if tx.query_optional(sql, [part.0], |_| Ok(()))?.is_none() {
            return Ok(false);
        }
    }
    let sql = "SELECT version FROM policy WHERE computer = ?1";
    let held = tx.query_optional(sql, [id.as_bytes()], |row| row.get::<_, i64>(0))?;
    if held.is_some_and(|held| held.cast_unsigned() > *version) {
        return Ok(false);
    }
    drop_policy(tx, id)?;
    for part in named {
        let sql = "UPDATE part SET named_at = ?2, names = names + 1 WHERE sha256 = ?1";
        tx.execute(sql, params![part.0, now_ms])?;
    }
    let names: Vec<u8> = named.iter().flat_map(|part| part.0).collect();
    let sql = "INSERT INTO policy VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![id.as_bytes(), version.cast_signed(), names])?;
    let sql = "DELETE FROM part WHERE names = 0 AND named_at < ?1";
    tx.execute(sql, [now_ms - limits::PARTS_KEPT_MS])?;
    Ok(true)
}

/// Parts that nobody names any more stay for a while: policy may name them again.
pub(super) fn drop_policy(tx: &WriteTx, id: Uuid) -> Result<(), Error> {
    let sql = "SELECT parts FROM policy WHERE computer = ?1";
    let named = tx.query_optional(sql, [id.as_bytes()], |row| {
        parse_column(row, 0, |bytes: Vec<u8>| digests(&bytes))
    })?;
    for part in named.iter().flatten() {
        tx.execute("UPDATE part SET names = names - 1 WHERE sha256 = ?1", [part.0])?;
    }
    tx.execute("DELETE FROM policy WHERE computer = ?1", [id.as_bytes()]).map(drop)
}

fn audience_row(row: &Row<'_>) -> RowResult<Audience> {
    let decisions = parse_column(row, 2, |bytes: Vec<u8>| audience::decode(&bytes))?;
    Ok(Audience { id: row.get(0)?, made_at: Timestamp(row.get(1)?), decisions })
}

fn digests(bytes: &[u8]) -> Result<Vec<Sha256>, Invalid> {
    bytes.chunks(32).map(Sha256::from_slice).collect()
}

#[cfg(test)]
mod tests;
