//! Which computers have registered, and what they are.
//!
//! Owns a small database of its own. What computers say is kept as they say it, shortened. Fails
//! when the database does.

use std::path::Path;

use sqlite_engine::{Database, Error, Options, Schema, WriteTx, params};
use uuid::Uuid;
use wsus_protocol::client::ComputerInfo;

use super::limits;

const SCHEMA: Schema = Schema {
    name: "computers",
    application_id: 0x544c_5743, // "TLWC"
    migrations: &[include_str!("../../schema/0001_create_computers.sql")],
};

#[derive(Clone, Debug)]
pub(crate) struct Register {
    database: Database,
}

impl Register {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Register, Error> {
        Ok(Register { database: Database::open(path, SCHEMA, options)? })
    }

    pub(crate) async fn knows(&self, id: Uuid) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM computer WHERE id = ?1";
        let read =
            move |tx: &sqlite_engine::ReadTx| tx.query_optional(sql, [id.as_bytes()], |_| Ok(()));
        Ok(self.database.read(read).await?.is_some())
    }

    /// Whether there was room for it.
    pub(crate) async fn register(
        &self,
        id: Uuid,
        computer: ComputerInfo,
        now_ms: i64,
    ) -> Result<bool, Error> {
        self.database.write(move |tx| register(tx, id, &computer, now_ms)).await
    }

    pub(crate) async fn note_contact(&self, id: Uuid, now_ms: i64) -> Result<(), Error> {
        let sql = "UPDATE computer SET last_contact = ?2 WHERE id = ?1";
        let write = move |tx: &WriteTx| tx.execute(sql, params![id.as_bytes(), now_ms]);
        self.database.write(write).await.map(drop)
    }

    #[cfg(test)]
    pub(crate) async fn describe(&self, id: Uuid) -> Result<Option<String>, Error> {
        let sql = "SELECT name || ' | ' || os_version || ' | ' || os_description || ' | ' || model
                     || ' | ' || architecture || ' | ' || client_version || ' | ' || last_contact
                   FROM computer WHERE id = ?1";
        let read = move |tx: &sqlite_engine::ReadTx| {
            tx.query_optional(sql, [id.as_bytes()], |row| row.get(0))
        };
        self.database.read(read).await
    }
}

fn register(tx: &WriteTx, id: Uuid, computer: &ComputerInfo, now_ms: i64) -> Result<bool, Error> {
    let sql = "SELECT count(*) FROM computer WHERE id <> ?1";
    let others: u64 = tx.query_row(sql, [id.as_bytes()], |row| row.get(0))?;
    if others >= limits::COMPUTERS_MAX {
        return Ok(false);
    }
    let c = computer;
    let os = format!("{}.{}.{}", c.os_major, c.os_minor, c.os_build);
    let client =
        format!("{}.{}.{}.{}", c.client_major, c.client_minor, c.client_build, c.client_qfe);
    let sql = "INSERT OR REPLACE INTO computer (id, name, os_version, os_description,
                 manufacturer, model, architecture, client_version, last_contact)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let values = params![
        id.as_bytes(),
        shortened(&c.dns_name),
        os,
        shortened(&c.os_description),
        shortened(&c.manufacturer),
        shortened(&c.model),
        shortened(&c.processor_architecture),
        client,
        now_ms
    ];
    tx.execute(sql, values)?;
    Ok(true)
}

fn shortened(text: &str) -> String {
    text.chars().take(limits::TEXT_CHARS_MAX).collect()
}
