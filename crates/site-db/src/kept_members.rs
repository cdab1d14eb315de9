//! Members of collections that change at full evaluations only, as the last one found them here.
//!
//! Owns the lists. Refuses to know rules and schedules. Local: every site has clients of its own.

use std::collections::BTreeMap;

use model::{ClientId, Invalid, ObjectCode, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader, Writer};

const ID_BYTES: usize = 16;

fn members(bytes: &[u8]) -> Result<Vec<ClientId>, Invalid> {
    bytes.chunks(ID_BYTES).map(ClientId::from_slice).collect()
}

fn code(row: &Row<'_>) -> RowResult<ObjectCode> {
    parse_column(row, 0, |text: String| ObjectCode::new(&text))
}

impl Reader<'_> {
    /// Everything that is kept.
    pub fn members_kept(&self) -> Result<BTreeMap<ObjectCode, Vec<ClientId>>, Error> {
        let all = self.tx.query_all("SELECT collection, members FROM kept_members", [], |row| {
            Ok((code(row)?, parse_column(row, 1, |bytes: Vec<u8>| members(&bytes))?))
        })?;
        Ok(all.into_iter().collect())
    }

    /// When each list was made.
    pub fn kept_at(&self) -> Result<BTreeMap<ObjectCode, Timestamp>, Error> {
        let sql = "SELECT collection, evaluated_at FROM kept_members";
        let all = self.tx.query_all(sql, [], |row| Ok((code(row)?, Timestamp(row.get(1)?))))?;
        Ok(all.into_iter().collect())
    }
}

impl Writer<'_> {
    pub fn keep_members(&self, collection: &ObjectCode, members: &[ClientId]) -> Result<(), Error> {
        let bytes: Vec<u8> = members.iter().flat_map(|client| *client.as_bytes()).collect();
        self.write.execute(
            "INSERT OR REPLACE INTO kept_members VALUES (?1, ?2, ?3)",
            params![collection.as_str(), bytes, self.now().0],
        )?;
        self.wake(None);
        Ok(())
    }

    /// The next look evaluates it anew.
    pub fn drop_members(&self, collection: &ObjectCode) -> Result<(), Error> {
        let sql = "DELETE FROM kept_members WHERE collection = ?1";
        self.write.execute(sql, [collection.as_str()])?;
        self.wake(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
