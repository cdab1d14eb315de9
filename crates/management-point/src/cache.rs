//! Signed heads and immutable parts, as the site server gave them.
//!
//! Owns that a head never gives way to an older one and that a part is what its name says. Refuses
//! to know what they mean; clients check the signatures themselves.

use std::path::Path;

use model::{ClientId, Sha256};
use sha2::Digest as _;
use sqlite_engine::{Database, Error, Options, ReadTx, Row, RowResult, Schema, params};

use crate::limits::CACHE_MS;

const SCHEMA: Schema = Schema {
    name: "policy cache",
    application_id: 0x544c_5043, // "TLPC"
    migrations: &[include_str!("../schema/0001_create_cache.sql")],
};

/// A head with everything a client needs to believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) incarnation: u64,
    pub(crate) version: u64,
    pub(crate) head: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) key_statement: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct Cache(Database);

impl Cache {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Cache, Error> {
        Ok(Cache(Database::open(path, SCHEMA, options)?))
    }

    pub(crate) async fn check(&self) -> Result<Vec<String>, Error> {
        self.0.check().await
    }

    /// The newest head for a client in an incarnation.
    pub(crate) async fn head(
        &self,
        client: ClientId,
        incarnation: u64,
    ) -> Result<Option<Head>, Error> {
        let head = self.0.read(move |tx| read_head(tx, client)).await?;
        Ok(head.filter(|head| head.incarnation == incarnation))
    }

    /// Keeps a head that names `parts`, unless a newer one of the incarnation is here.
    pub(crate) async fn keep_head(
        &self,
        client: ClientId,
        head: Head,
        parts: Vec<Sha256>,
        now_ms: i64,
    ) -> Result<(), Error> {
        self.0
            .write(move |tx| {
                let newer =
                    |old: Head| old.incarnation == head.incarnation && old.version >= head.version;
                if read_head(tx, client)?.is_some_and(newer) {
                    return Ok(());
                }
                tx.execute(
                    "INSERT OR REPLACE INTO head VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        client.as_bytes(),
                        head.incarnation.cast_signed(),
                        head.version.cast_signed(),
                        head.head,
                        head.signature,
                        head.key_statement,
                        now_ms
                    ],
                )?;
                for part in parts {
                    let sql = "UPDATE part SET named_at = ?2 WHERE sha256 = ?1";
                    tx.execute(sql, params![part.0, now_ms])?;
                }
                tx.execute("DELETE FROM head WHERE stored_at < ?1", [now_ms - CACHE_MS])?;
                tx.execute("DELETE FROM part WHERE named_at < ?1", [now_ms - CACHE_MS]).map(drop)
            })
            .await
    }

    /// The parts that are here, in the order asked.
    pub(crate) async fn parts(
        &self,
        digests: Vec<Sha256>,
    ) -> Result<Vec<(Sha256, Option<Vec<u8>>)>, Error> {
        let sql = "SELECT bytes FROM part WHERE sha256 = ?1";
        self.0
            .read(move |tx| {
                let part = |digest: Sha256| {
                    Ok((digest, tx.query_optional(sql, [digest.0], |row| row.get(0))?))
                };
                digests.into_iter().map(part).collect()
            })
            .await
    }

    /// Keeps parts under the names that their bytes give them.
    pub(crate) async fn keep_parts(&self, parts: Vec<Vec<u8>>, now_ms: i64) -> Result<(), Error> {
        self.0
            .write(move |tx| {
                for part in parts {
                    let name: [u8; 32] = sha2::Sha256::digest(&part).into();
                    let sql = "INSERT OR IGNORE INTO part VALUES (?1, ?2, ?3)";
                    tx.execute(sql, params![name, part, now_ms])?;
                }
                Ok(())
            })
            .await
    }
}

fn read_head(tx: &ReadTx, client: ClientId) -> Result<Option<Head>, Error> {
    let sql = "SELECT incarnation, version, head, signature, key_statement
               FROM head WHERE client = ?1";
    tx.query_optional(sql, [client.as_bytes()], head_row)
}

fn head_row(row: &Row<'_>) -> RowResult<Head> {
    Ok(Head {
        incarnation: row.get::<_, i64>(0)?.cast_unsigned(),
        version: row.get::<_, i64>(1)?.cast_unsigned(),
        head: row.get(2)?,
        signature: row.get(3)?,
        key_statement: row.get(4)?,
    })
}
