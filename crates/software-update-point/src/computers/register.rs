//! Which computers have registered, what they are, and whether the site knows them.
//!
//! Owns a small database of its own, in which the ledger and the shelf of policy lie, too. What
//! computers say is kept as they say it, shortened. Fails when the database does.

use std::net::IpAddr;
use std::path::Path;

use model::{ClientId, ClientKind, ClientRecord, SiteCode, Timestamp};
use rpc::convert::{read_address, wire_address};
use sqlite_engine::{Database, Error, Options, ReadTx, Row, RowResult, Schema, WriteTx};
use sqlite_engine::{params, parse_column};
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
    pub(super) database: Database,
}

/// A computer that its site has to be told of.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) record: ClientRecord,
    pub(crate) incarnation: u64,
}

/// When a computer called, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact {
    pub(crate) at_ms: i64,
    pub(crate) address: Option<IpAddr>,
}

/// What the site made of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reception {
    Known,
    Refused,
}

impl Register {
    pub(crate) fn open(path: &Path, options: Options) -> Result<Register, Error> {
        Ok(Register { database: Database::open(path, SCHEMA, options)? })
    }

    pub(crate) async fn check(&self) -> Result<Vec<String>, Error> {
        self.database.check().await
    }

    pub(crate) async fn knows(&self, id: Uuid) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM computer WHERE id = ?1";
        let read = move |tx: &ReadTx| tx.query_optional(sql, [id.as_bytes()], |_| Ok(()));
        Ok(self.database.read(read).await?.is_some())
    }

    /// Whether there was room for it. `incarnation` is that of a computer that is new.
    pub(crate) async fn register(
        &self,
        id: Uuid,
        computer: ComputerInfo,
        incarnation: u64,
        contact: Contact,
    ) -> Result<bool, Error> {
        let write = move |tx: &WriteTx| register(tx, id, &computer, (incarnation, contact));
        self.database.write(write).await
    }

    /// Notes that a computer was here. The site hears of that once a day, and when the computer
    /// came from elsewhere; then it is asked again about those it refused, too.
    pub(crate) async fn note_contact(&self, id: Uuid, contact: Contact) -> Result<(), Error> {
        let sql = "UPDATE computer SET last_contact = ?2, address = ?3,
                     is_due = is_due OR standing_since <= ?4 OR address <> ?3
                   WHERE id = ?1";
        let Contact { at_ms, address } = contact;
        let before = at_ms - limits::CONTACT_MS;
        let address = wire_address(address);
        let write =
            move |tx: &WriteTx| tx.execute(sql, params![id.as_bytes(), at_ms, address, before]);
        self.database.write(write).await.map(drop)
    }

    /// Computers that the site has to be told of, the longest waiting first. The site fills in
    /// when it heard of them.
    pub(crate) async fn newcomers(
        &self,
        site: SiteCode,
        count_max: usize,
    ) -> Result<Vec<Newcomer>, Error> {
        let sql = "SELECT id, name, os_version, os_description, architecture, client_version,
                     manufacturer, model, incarnation, address
                   FROM computer WHERE is_due ORDER BY standing_since LIMIT ?1";
        let newcomers =
            move |tx: &ReadTx| tx.query_all(sql, [count_max], |row| newcomer(row, site));
        self.database.read(newcomers).await
    }

    pub(crate) async fn received(
        &self,
        id: Uuid,
        reception: Reception,
        now_ms: i64,
    ) -> Result<(), Error> {
        let sql =
            "UPDATE computer SET standing = ?2, standing_since = ?3, is_due = 0 WHERE id = ?1";
        let standing = match reception {
            Reception::Known => "known",
            Reception::Refused => "refused",
        };
        let write =
            move |tx: &WriteTx| tx.execute(sql, params![id.as_bytes(), standing, now_ms]).map(drop);
        self.database.write(write).await
    }

    #[cfg(test)]
    pub(crate) async fn describe(&self, id: Uuid) -> Result<Option<String>, Error> {
        let sql = "SELECT name || ' | ' || os_version || ' | ' || os_description || ' | ' || model
                     || ' | ' || architecture || ' | ' || client_version || ' | ' || last_contact
                   FROM computer WHERE id = ?1";
        let read = move |tx: &ReadTx| tx.query_optional(sql, [id.as_bytes()], |row| row.get(0));
        self.database.read(read).await
    }
}

fn register(
    tx: &WriteTx,
    id: Uuid,
    computer: &ComputerInfo,
    (incarnation, contact): (u64, Contact),
) -> Result<bool, Error> {
    let sql = "SELECT count(*) FROM computer WHERE id <> ?1";
    let others: u64 = tx.query_row(sql, [id.as_bytes()], |row| row.get(0))?;
    if others >= limits::COMPUTERS_MAX {
        return Ok(false);
    }
    let c = computer;
    let os = format!("{}.{}.{}", c.os_major, c.os_minor, c.os_build);
    let client =
        format!("{}.{}.{}.{}", c.client_major, c.client_minor, c.client_build, c.client_qfe);
    let sql = "INSERT INTO computer (id, name, os_version, os_description, manufacturer, model,
                 architecture, client_version, last_contact, standing, standing_since, is_due,
                 incarnation, serial, reported, wants_full, covered, scanned_at, address)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'new', ?9, 1, ?10, 0, 0, 0, 0, 0, ?11)
               ON CONFLICT DO UPDATE SET name = excluded.name, os_version = excluded.os_version,
                 os_description = excluded.os_description, manufacturer = excluded.manufacturer,
                 model = excluded.model, architecture = excluded.architecture,
                 client_version = excluded.client_version, last_contact = excluded.last_contact,
                 address = excluded.address, is_due = 1";
    let values = params![
        id.as_bytes(),
        shortened(&c.dns_name),
        os,
        shortened(&c.os_description),
        shortened(&c.manufacturer),
        shortened(&c.model),
        shortened(&c.processor_architecture),
        client,
        contact.at_ms,
        incarnation.cast_signed(),
        wire_address(contact.address)
    ];
    tx.execute(sql, values)?;
    Ok(true)
}

fn newcomer(row: &Row<'_>, site: SiteCode) -> RowResult<Newcomer> {
    let (version, description): (String, String) = (row.get(2)?, row.get(3)?);
    let architecture: String = row.get(4)?;
    let record = ClientRecord {
        id: ClientId(uuid(row, 0)?),
        kind: ClientKind::Windows,
        name: row.get(1)?,
        site,
        os: format!("windows {version} {description}").trim_end().to_owned(),
        architecture: usual_architecture(&architecture).to_owned(),
        agent_version: row.get(5)?,
        manufacturer: row.get(6)?,
        model: row.get(7)?,
        address: parse_column(row, 9, |bytes: Vec<u8>| read_address(&bytes))?,
        seen_on: Timestamp(0),
    };
    Ok(Newcomer { record, incarnation: row.get::<_, i64>(8)?.cast_unsigned() })
}

/// In the words that other clients have for it.
fn usual_architecture(name: &str) -> &str {
    match name {
        "AMD64" | "amd64" => "x86_64",
        "X86" | "x86" => "x86",
        "ARM64" | "arm64" => "aarch64",
        other => other,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(limits::TEXT_CHARS_MAX).collect()
}

pub(super) fn uuid(row: &Row<'_>, column: usize) -> RowResult<Uuid> {
    parse_column(row, column, |bytes: Vec<u8>| Uuid::from_slice(&bytes))
}
