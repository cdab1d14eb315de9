//! The least that can be done with documents that are to be judged: each is read from the agent's
//! file, unpacked, and looked through once by an XML reader that keeps nothing.

use anyhow::{Context, Result, ensure};
use quick_xml::Reader;
use quick_xml::events::Event;
use rusqlite::{Connection, OpenFlags};
use zstd::bulk::Decompressor;

use crate::child;
use crate::machine::Meter;

pub(crate) const FLOOR: &str = "agent-floor";

/// A process of its own.
pub(crate) fn run(path: &str) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let meter = Meter::start()?;
    let sql = "SELECT size, document FROM revision
               WHERE is_latest AND document IS NOT NULL ORDER BY changed";
    let mut select = connection.prepare(sql)?;
    let (mut rows, mut unpacker) = (select.query([])?, Decompressor::new()?);
    let (mut documents, mut events) = (0, 0);
    while let Some(row) = rows.next()? {
        let bytes = unpacker.decompress(row.get_ref(1)?.as_blob()?, row.get(0)?)?;
        let mut reader = Reader::from_str(std::str::from_utf8(&bytes).context("text")?);
        while !matches!(reader.read_event()?, Event::Eof) {
            events += 1;
        }
        documents += 1;
    }
    let cost = meter.stop()?;
    ensure!(documents >= super::UPDATES && events > documents, "{documents} documents");
    child::tell(cost)
}
