//! Clients of this site that shall say everything again (STATE-16).
//!
//! Owns who was asked and has not answered yet. Refuses to know how clients hear of it.

use model::ClientId;
use sqlite_engine::params;

use crate::{Error, Reader, Writer};

impl Reader<'_> {
    pub fn wants_everything(&self, client: ClientId) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM refresh_wanted WHERE client = ?1)";
        Ok(self.tx.query_row(sql, [client.as_bytes()], |row| row.get(0))?)
    }
}

impl Writer<'_> {
    pub fn want_everything(&self, client: ClientId) -> Result<(), Error> {
        let sql = "INSERT INTO refresh_wanted VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.write.execute(sql, params![client.as_bytes(), self.now().0])?;
        Ok(())
    }

    pub fn everything_came(&self, client: ClientId) -> Result<(), Error> {
        let sql = "DELETE FROM refresh_wanted WHERE client = ?1";
        self.write.execute(sql, [client.as_bytes()])?;
        Ok(())
    }
}
