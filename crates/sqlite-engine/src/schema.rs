//! Schemas: who a database file belongs to, and how it came to its layout.
//!
//! `PRAGMA application_id` says whose file it is, `PRAGMA user_version` how many of the schema's
//! migrations it has seen. Migrations only go forward, each in one transaction; a file from the
//! future is refused untouched. Who wants a way back keeps a copy beforehand, `<file>.v<version>`.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::backup;

use crate::error::Error;
use crate::transaction::{ReadTx, RowResult};

/// The layout of one kind of database.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Named in messages: "the {name} database".
    pub name: &'static str,
    /// Tells this kind of database from any other SQLite file.
    pub application_id: i32,
    /// One script per schema version, released ones never changed.
    pub migrations: &'static [&'static str],
}

impl Schema {
    /// Copies the file at `path`, if there is one and opening it would change its layout. Nobody
    /// else may be at work with it.
    pub fn keep_older(&self, path: &Path) -> Result<(), Error> {
        if !path.exists() {
            return Ok(());
        }
        let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = opened.map_err(|source| Error::open(self.name, path, source))?;
        match self.identify(&connection, path)? {
            found if (1..self.migrations.len()).contains(&found) => {
                backup::copy_to(&connection, &older(path, found))
            }
            _ => Ok(()),
        }
    }

    /// Puts the newest copy that this schema can open in the place of the file at `path`, which is
    /// gone; whether there was one.
    pub fn put_older_back(&self, path: &Path) -> Result<bool, Error> {
        let copies = (1..=self.migrations.len()).rev().map(|version| older(path, version));
        let Some(copy) = copies.into_iter().find(|copy| copy.exists()) else { return Ok(false) };
        let placed = |source| Error::PlaceBackup { path: path.to_owned(), source };
        backup::place(&copy, path).map_err(placed)?;
        Ok(true)
    }

    /// Brings the file at `path`, open as `connection`, to the newest layout.
    pub(crate) fn apply(&self, connection: &mut Connection, path: &Path) -> Result<(), Error> {
        let found = self.identify(connection, path)?;
        let known = self.migrations.len();
        if found > known {
            let path = path.to_owned();
            return Err(Error::NewerDatabase { schema: self.name, path, found, known });
        }
        for (step, script) in self.migrations.iter().enumerate().skip(found) {
            self.migrate(connection, step + 1, script)?;
        }
        Ok(())
    }

    fn identify(&self, connection: &Connection, path: &Path) -> Result<usize, Error> {
        let failed = |source| Error::open(self.name, path, source);
        let found = connection.pragma_query_one(None, "application_id").map_err(failed)?;
        let version: usize = connection.pragma_query_one(None, "user_version").map_err(failed)?;
        let objects: usize = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(failed)?;
        let is_new = found == 0 && version == 0 && objects == 0;
        if found == self.application_id || is_new {
            return Ok(version);
        }
        Err(Error::ForeignDatabase { schema: self.name, path: path.to_owned(), found })
    }

    fn migrate(
        &self,
        connection: &mut Connection,
        version: usize,
        script: &str,
    ) -> Result<(), Error> {
        let failed = |source| Error::Migrate { schema: self.name, version, source };
        let tx =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        tx.execute_batch(script).map_err(failed)?;
        if let Some(table) = first_loose_table(&tx).map_err(failed)? {
            return Err(Error::LooseTable { schema: self.name, table });
        }
        tx.pragma_update(None, "application_id", self.application_id).map_err(failed)?;
        tx.pragma_update(None, "user_version", version).map_err(failed)?;
        tx.commit().map_err(failed)
    }
}

/// Where the file at `path` is kept as it was with a layout of before.
fn older(path: &Path, version: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".v{version}"));
    PathBuf::from(name)
}

fn first_loose_table(connection: &Connection) -> RowResult<Option<String>> {
    let sql = "SELECT name FROM pragma_table_list
               WHERE schema = 'main' AND type = 'table' AND NOT strict
                 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT 1";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.next().transpose()
}

/// The layout as SQL text in a stable order, for a checked-in `latest.sql`.
pub(crate) fn dump(tx: &ReadTx) -> Result<String, Error> {
    let version: usize = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let sql = "SELECT sql || ';' FROM sqlite_schema
               WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
               ORDER BY tbl_name, type DESC, name";
    let statements: Vec<String> = tx.query_all(sql, [], |row| row.get(0))?;
    Ok(format!("-- schema version {version}\n\n{}\n", statements.join("\n\n")))
}

#[cfg(test)]
mod tests;
