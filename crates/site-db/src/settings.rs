//! Local counters and settings of components.

use sqlite_engine::params;

use crate::{Error, Reader, Writer};

impl Reader<'_> {
    pub fn counter(&self, name: &str) -> Result<u64, Error> {
        let sql = "SELECT value FROM counter WHERE name = ?1";
        Ok(self.tx.query_optional(sql, [name], |row| row.get(0))?.unwrap_or(0))
    }

    pub fn setting(&self, component: &str, name: &str) -> Result<Option<String>, Error> {
        let sql = "SELECT value FROM setting WHERE component = ?1 AND name = ?2";
        Ok(self.tx.query_optional(sql, [component, name], |row| row.get(0))?)
    }
}

impl Writer<'_> {
    /// The next value of a counter, starting with 1.
    pub fn next(&self, name: &str) -> Result<u64, Error> {
        let sql = "INSERT INTO counter VALUES (?1, 1)
                   ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value";
        Ok(self.write.query_row(sql, [name], |row| row.get(0))?)
    }

    /// Raises a counter to at least `value`; after a restore, numbers others have seen are not
    /// given again.
    pub fn raise_counter(&self, name: &str, value: u64) -> Result<(), Error> {
        let sql = "INSERT INTO counter VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = max(value, ?2)";
        self.write.execute(sql, params![name, value])?;
        Ok(())
    }

    pub fn set_setting(&self, component: &str, name: &str, value: &str) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO setting VALUES (?1, ?2, ?3)";
        self.write.execute(sql, params![component, name, value])?;
        self.wake(None);
        Ok(())
    }
}
