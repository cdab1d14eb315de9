//! What computers are told of a revision: texts derived from its document.
//!
//! Owns keeping them, so that each is derived once, when it is first asked for. Refuses to know
//! how they are derived and what they say: that is handed in. A revision that is not here has
//! none.

use sqlite_engine::{ReadTx, SqliteError, WriteTx, params, parse_column};
use zstd::bulk::{Compressor, Decompressor};

use crate::catalog::Catalog;
use crate::documents::{Shelf, StoredDocument};
use crate::{Error, limits};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Core,
    Extended,
    Localized,
    Eula,
}

/// Which parts are asked for, and derived, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The core, which every computer needs of nearly every revision.
    Scan,
    /// The other parts, which only a few revisions are ever asked for.
    Details,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub part: Part,
    /// Empty where the part has none.
    pub language: String,
    pub text: String,
}

/// What is told of one revision, in the order of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragments {
    pub local_id: i64,
    pub fragments: Vec<Fragment>,
}

/// Makes the fragments of a document; it gives at least a core and an extended one, if need be
/// empty.
pub type Derive = fn(&StoredDocument) -> Vec<Fragment>;

const PARTS: [(Part, &str); 4] = [
    (Part::Core, "core"),
    (Part::Extended, "extended"),
    (Part::Localized, "localized"),
    (Part::Eula, "eula"),
];

/// The fragments of a revision, packed, that were not here yet.
struct Packed {
    local_id: i64,
    fragments: Vec<(&'static str, String, usize, Vec<u8>)>,
}

impl Scope {
    fn holds(self, part: Part) -> bool {
        (self == Scope::Scan) == (part == Part::Core)
    }
}

impl Catalog {
    /// The fragments of these revisions in this order, until their texts exceed `bytes_max`; at
    /// least those of the first.
    pub async fn fragments(
        &self,
        local_ids: Vec<i64>,
        scope: Scope,
        bytes_max: usize,
        derive: Derive,
    ) -> Result<Vec<Fragments>, Error> {
        let read = move |tx: &ReadTx| read(tx, &local_ids, (scope, bytes_max), derive);
        let (found, derived) = self.database.read(read).await?;
        if !derived.is_empty() {
            self.write(move |tx| keep(tx, &derived)).await?;
        }
        Ok(found)
    }
}

fn read(
    tx: &ReadTx,
    local_ids: &[i64],
    (scope, bytes_max): (Scope, usize),
    derive: Derive,
) -> Result<(Vec<Fragments>, Vec<Packed>), Error> {
    let failed = |source| Error::Compression { source };
    let mut unpacker = Decompressor::new().map_err(failed)?;
    let mut packer = Compressor::new(limits::COMPRESSION_LEVEL).map_err(failed)?;
    let (mut found, mut derived, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut shelf = Shelf::open(tx)?;
    for &local_id in local_ids {
        if bytes > bytes_max {
            break;
        }
        let mut fragments = stored(tx, local_id, scope, &mut unpacker)?;
        if let Some(document) = fragments.is_empty().then(|| shelf.document_of(local_id)) {
            fragments = document?.map(|document| derive(&document)).unwrap_or_default();
            fragments.retain(|fragment| scope.holds(fragment.part));
            derived.extend(pack(local_id, &fragments, &mut packer)?);
        }
        bytes += fragments.iter().map(|fragment| fragment.text.len()).sum::<usize>();
        found.push(Fragments { local_id, fragments });
    }
    Ok((found, derived))
}

fn stored(
    tx: &ReadTx,
    local_id: i64,
    scope: Scope,
    unpacker: &mut Decompressor<'_>,
) -> Result<Vec<Fragment>, Error> {
    let sql = "SELECT part, language, size, text FROM fragment
               WHERE revision = ?1 AND (part = 'core') = ?2 ORDER BY revision, part, position";
    let fragments = tx.query_all(sql, params![local_id, scope == Scope::Scan], |row| {
        let part = parse_column(row, 0, |name: String| {
            let known = PARTS.iter().find(|(_, known)| *known == name);
            known.map(|(part, _)| *part).ok_or(SqliteError::InvalidQuery)
        })?;
        let size: usize = row.get(2)?;
        let text = unpacker.decompress(row.get_ref(3)?.as_blob()?, size);
        Ok((part, row.get(1)?, text))
    })?;
    let unpacked = fragments.into_iter().map(|(part, language, text)| {
        let text = String::from_utf8(text.map_err(|source| Error::Compression { source })?);
        let text = text.map_err(|_| Error::ReadFragment { local_id })?;
        Ok(Fragment { part, language, text })
    });
    unpacked.collect()
}

fn pack(
    local_id: i64,
    fragments: &[Fragment],
    packer: &mut Compressor<'_>,
) -> Result<Option<Packed>, Error> {
    let pack = |Fragment { part, language, text }: &Fragment| {
        let (_, name) = PARTS.iter().find(|(known, _)| known == part)?;
        let bytes = packer.compress(text.as_bytes());
        Some(bytes.map(|bytes| (*name, language.clone(), text.len(), bytes)))
    };
    let packed = fragments.iter().filter_map(pack).collect::<Result<Vec<_>, _>>();
    let fragments = packed.map_err(|source| Error::Compression { source })?;
    Ok((!fragments.is_empty()).then_some(Packed { local_id, fragments }))
}

/// Somebody else may have kept them already, or the revision may be gone.
fn keep(tx: &WriteTx, derived: &[Packed]) -> Result<(), Error> {
    let sql = "INSERT OR IGNORE INTO fragment (revision, part, position, language, size, text)
               SELECT id, ?2, ?3, ?4, ?5, ?6 FROM revision
               WHERE id = ?1 AND document IS NOT NULL";
    for Packed { local_id, fragments } in derived {
        for (position, (part, language, size, text)) in fragments.iter().enumerate() {
            tx.execute(sql, params![local_id, part, position, language, size, text])?;
        }
    }
    Ok(())
}
