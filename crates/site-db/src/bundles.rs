//! Catalogs that traveled as files: what was taken in and what was made here, and the hierarchies
//! whose signatures are believed.
//!
//! Owns the two tables. Refuses to know the format and to verify anything: who signed a bundle is
//! what the caller found out.

use model::{HierarchyId, Sha256, SiteCode, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};
use trust::{Anchor, SigningKey};

use crate::{Error, Reader, Writer};

/// Rows kept of each direction: years of weekly bundles.
const BUNDLES_KEPT: i64 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Import,
    Export,
}

impl Direction {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Import => "import",
            Direction::Export => "export",
        }
    }
}

/// What a file said of the catalog it was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogFacts {
    /// `bundle` or `wsus`.
    pub kind: String,
    pub server_id: String,
    pub since: u64,
    pub anchor: u64,
    pub version: u64,
    pub set_digest: Option<Sha256>,
    pub documents: u64,
    pub removed: u64,
    pub files: u64,
    /// After an import: the updates here are the exporter's, no more and no less.
    pub is_same_set: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    pub hierarchy: HierarchyId,
    pub site: SiteCode,
    /// SHA-256 of the hierarchy's root key.
    pub pin: Sha256,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBundle {
    pub direction: Direction,
    pub file: String,
    pub facts: CatalogFacts,
    /// None: nobody signed it.
    pub signer: Option<Signer>,
    pub imported: u64,
    pub unchanged: u64,
    pub at: Timestamp,
    pub account: String,
}

/// Another hierarchy whose bundles are believed, by the key of its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    pub pin: Sha256,
    pub hierarchy: HierarchyId,
    pub at: Timestamp,
    pub account: String,
}

const BUNDLE: &str = "SELECT direction, file, kind, server_id, hierarchy, site, pin, since, anchor,
    version, set_digest, documents, removed, files, imported, unchanged, is_same_set, at, account
    FROM catalog_bundle";

impl Reader<'_> {
    /// What the signatures of this hierarchy are verified under.
    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.context.anchor
    }

    /// This site's own key.
    #[must_use]
    pub fn signer(&self) -> &SigningKey {
        &self.context.signer
    }

    /// Newest first.
    pub fn bundles(&self, limit: u32) -> Result<Vec<StoredBundle>, Error> {
        let sql = format!("{BUNDLE} ORDER BY at DESC, direction, number DESC LIMIT ?1");
        Ok(self.tx.query_all(&sql, [limit], bundle_row)?)
    }

    /// What came of an import or export, if it was a whole catalog.
    pub fn bundle(&self, direction: Direction, number: i64) -> Result<Option<StoredBundle>, Error> {
        let sql = format!("{BUNDLE} WHERE direction = ?1 AND number = ?2");
        Ok(self.tx.query_optional(&sql, params![direction.as_str(), number], bundle_row)?)
    }

    pub fn trusted_roots(&self) -> Result<Vec<TrustedRoot>, Error> {
        let sql = "SELECT pin, hierarchy, at, account FROM trusted_root ORDER BY at";
        Ok(self.tx.query_all(sql, [], |row| {
            Ok(TrustedRoot {
                pin: digest(row, 0)?,
                hierarchy: hierarchy(row, 1)?,
                at: Timestamp(row.get(2)?),
                account: row.get(3)?,
            })
        })?)
    }
}

impl Writer<'_> {
    /// `number` is that of the import or export.
    pub fn note_bundle(&self, number: i64, bundle: &StoredBundle) -> Result<(), Error> {
        let StoredBundle { direction, file, facts, signer, imported, unchanged, at, account } =
            bundle;
        let CatalogFacts { kind, server_id, since, anchor, version, .. } = facts;
        let set_digest = facts.set_digest.map(|digest| digest.0);
        let CatalogFacts { documents, removed, files, is_same_set, .. } = facts;
        let hierarchy = signer.as_ref().map(|signer| signer.hierarchy.0.as_bytes().to_vec());
        let site = signer.as_ref().map(|signer| signer.site.to_string());
        let pin = signer.as_ref().map(|signer| signer.pin.0);
        let sql = "INSERT OR REPLACE INTO catalog_bundle
                     (direction, number, file, kind, server_id, hierarchy, site, pin, since, anchor,
                      version, set_digest, documents, removed, files, imported, unchanged,
                      is_same_set, at, account)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                           ?17, ?18, ?19, ?20)";
        let values = params![
            direction.as_str(),
            number,
            file,
            kind,
            server_id,
            hierarchy,
            site,
            pin,
            since,
            anchor,
            version,
            set_digest,
            documents,
            removed,
            files,
            imported,
            unchanged,
            is_same_set,
            at.0,
            account
        ];
        self.write.execute(sql, values)?;
        let sql = "DELETE FROM catalog_bundle WHERE direction = ?1 AND number <= ?2";
        self.write.execute(sql, params![direction.as_str(), number - BUNDLES_KEPT])?;
        Ok(())
    }

    /// Believes a hierarchy from now on; again changes nothing.
    pub fn trust_root(&self, root: &TrustedRoot) -> Result<(), Error> {
        let TrustedRoot { pin, hierarchy, at, account } = root;
        let sql = "INSERT INTO trusted_root (pin, hierarchy, at, account)
                   VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        self.write.execute(sql, params![pin.0, hierarchy.0.as_bytes(), at.0, account])?;
        Ok(())
    }

    /// The hierarchy that is not believed any more; none: it was not.
    pub fn distrust_root(&self, pin: Sha256) -> Result<Option<HierarchyId>, Error> {
        let sql = "DELETE FROM trusted_root WHERE pin = ?1 RETURNING hierarchy";
        Ok(self.write.query_optional(sql, [pin.0], |row| hierarchy(row, 0))?)
    }
}

fn bundle_row(row: &Row<'_>) -> RowResult<StoredBundle> {
    let direction = match row.get::<_, String>(0)?.as_str() {
        "import" => Direction::Import,
        _ => Direction::Export,
    };
    let signer = match row.get::<_, Option<Vec<u8>>>(4)? {
        None => None,
        Some(_) => Some(Signer {
            hierarchy: hierarchy(row, 4)?,
            site: parse_column(row, 5, |code: String| code.parse())?,
            pin: digest(row, 6)?,
        }),
    };
    let optional = |bytes: Option<Vec<u8>>| bytes.map(|b| Sha256::from_slice(&b)).transpose();
    Ok(StoredBundle {
        direction,
        file: row.get(1)?,
        facts: CatalogFacts {
            kind: row.get(2)?,
            server_id: row.get(3)?,
            since: row.get(7)?,
            anchor: row.get(8)?,
            version: row.get(9)?,
            set_digest: parse_column(row, 10, optional)?,
            documents: row.get(11)?,
            removed: row.get(12)?,
            files: row.get(13)?,
            is_same_set: row.get(16)?,
        },
        signer,
        imported: row.get(14)?,
        unchanged: row.get(15)?,
        at: Timestamp(row.get(17)?),
        account: row.get(18)?,
    })
}

fn digest(row: &Row<'_>, column: usize) -> RowResult<Sha256> {
    parse_column(row, column, |bytes: Vec<u8>| Sha256::from_slice(&bytes))
}

fn hierarchy(row: &Row<'_>, column: usize) -> RowResult<HierarchyId> {
    parse_column(row, column, |bytes: Vec<u8>| HierarchyId::from_slice(&bytes))
}
