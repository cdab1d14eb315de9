//! What the top-level site ruled of updates, for queries and for update points.
//!
//! Owns the projection of rulings and what each update point of this site was told of them. Refuses
//! to know who rules what, and why.

use std::collections::BTreeSet;

use model::{Kind, RoleId, Ruled, Ruling, Sha256, UpdateId};
use rpc::object::ObjectBody as _;
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Own, Reader, Writer};

/// What a catalog has to know of a ruling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CatalogRuling {
    pub update: UpdateId,
    pub is_declined: bool,
    /// It was dropped at this revision.
    pub dropped: Option<u32>,
}

impl CatalogRuling {
    /// Over a whole list, so that two of them can be compared.
    #[must_use]
    pub fn digest(all: &[CatalogRuling]) -> Sha256 {
        let mut bytes = Vec::with_capacity(all.len() * 22);
        for CatalogRuling { update, is_declined, dropped } in all {
            bytes.extend(update.as_bytes());
            bytes.extend([u8::from(*is_declined), u8::from(dropped.is_some())]);
            bytes.extend(dropped.unwrap_or(0).to_le_bytes());
        }
        Sha256(*blake3::hash(&bytes).as_bytes())
    }
}

fn catalog_ruling(row: &Row<'_>) -> RowResult<CatalogRuling> {
    Ok(CatalogRuling {
        update: parse_column(row, 0, |bytes: Vec<u8>| UpdateId::from_slice(&bytes))?,
        is_declined: row.get(1)?,
        dropped: row.get(2)?,
    })
}

impl Reader<'_> {
    pub fn is_declined(&self, update: UpdateId) -> Result<bool, Error> {
        let sql = "SELECT is_declined FROM ruling WHERE id = ?1";
        let found = self.tx.query_optional(sql, [update.as_bytes()], |row| row.get(0))?;
        Ok(found.unwrap_or(false))
    }

    /// Every update that nobody shall be offered.
    pub fn declined_updates(&self) -> Result<BTreeSet<UpdateId>, Error> {
        let id = |row: &Row<'_>| parse_column(row, 0, |b: Vec<u8>| UpdateId::from_slice(&b));
        let all = self.tx.query_all("SELECT id FROM ruling WHERE is_declined", [], id)?;
        Ok(all.into_iter().collect())
    }

    /// What the catalog that is at `version`, or on its way there, has to know, in order of id:
    /// what was cleaned up later is still in it.
    pub fn catalog_rulings(&self, version: u64) -> Result<Vec<CatalogRuling>, Error> {
        let sql =
            "SELECT id, is_declined, iif(dropped_version <= ?1, dropped_revision, NULL) AS gone
                   FROM ruling WHERE is_declined OR gone IS NOT NULL ORDER BY id";
        Ok(self.tx.query_all(sql, [version], catalog_ruling)?)
    }
}

impl Writer<'_> {
    /// The digest of what an update point was told last, and for which catalog version.
    pub fn set_point_rulings(&self, role: RoleId, told: Sha256, version: u64) -> Result<(), Error> {
        let sql = "UPDATE sync_point SET rulings = ?2, ruled_for = ?3 WHERE role = ?1";
        self.write.execute(sql, params![role.as_bytes(), told.0, version])?;
        Ok(())
    }

    pub(crate) fn project_ruling(&self, id: &[u8], body: Option<&[u8]>) -> Result<(), Error> {
        let Some(Ok(ruling)) = body.map(Ruling::decode) else {
            self.write.execute("DELETE FROM ruling WHERE id = ?1", [id])?;
            return Ok(());
        };
        let dropped = ruling.dropped();
        self.write.execute(
            "INSERT OR REPLACE INTO ruling VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                id,
                ruling.is_declined(),
                dropped.map(|cleaned| cleaned.revision),
                dropped.map(|cleaned| cleaned.version),
                ruling.cleaned.map(|cleaned| cleaned.number)
            ],
        )?;
        Ok(())
    }
}

/// The change of an owner's transaction that a ruling makes.
#[must_use]
pub fn own_ruling(update: UpdateId, ruled: Ruled) -> Option<Own> {
    match ruled {
        Ruled::Unchanged => None,
        Ruled::Put(ruling) => Some(Own::put(&ruling)),
        Ruled::Removed => Some(Own::delete(Kind::Ruling, update.as_bytes().to_vec())),
    }
}
