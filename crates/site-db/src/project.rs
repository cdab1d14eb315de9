//! Projections: tables for queries, made from bodies and rebuilt when the software learns more.

use model::{Item, Kind};
use rpc::object::ObjectBody as _;
use sqlite_engine::params;

use crate::{Error, Writer};

impl Writer<'_> {
    /// Brings the projections of one object up to date. A kind without a projection, or one this
    /// version does not know, is stored and relayed all the same; so is a body it cannot read.
    pub(crate) fn project(&self, kind: u32, id: &[u8], body: Option<&[u8]>) -> Result<(), Error> {
        match Kind::from_number(kind) {
            Some(Kind::Item) => self.project_item(id, body),
            Some(Kind::Ruling) => self.project_ruling(id, body),
            Some(Kind::SoftwareTitle) => self.project_title(id, body),
            _ => Ok(()),
        }
    }

    fn project_item(&self, id: &[u8], body: Option<&[u8]>) -> Result<(), Error> {
        self.write.execute("DELETE FROM supersedes WHERE id = ?1", [id])?;
        self.write.execute("DELETE FROM article WHERE id = ?1", [id])?;
        let Some(Ok(item)) = body.map(Item::decode) else {
            self.write.execute("DELETE FROM item WHERE id = ?1", [id])?;
            return Ok(());
        };
        // It replaces the row of this id as well as that of this number.
        self.write.execute(
            "INSERT OR REPLACE INTO item VALUES (?1, ?2, ?3, ?4, ?5)",
            params![item.number, id, item.since, item.expired, item.hidden],
        )?;
        for superseded in &item.supersedes {
            self.write.execute(
                "INSERT OR IGNORE INTO supersedes VALUES (?1, ?2)",
                params![id, superseded.as_bytes()],
            )?;
        }
        self.project_articles(&item)?;
        self.apply_parked(item.update.id)
    }
}
