//! Which revisions a downstream server lists (MS-WSUSSS 3.1.4.5, GetRevisionIdList).

use model::{Languages, UpdateId, UpdateRef};
use sqlite_engine::{ReadTx, params};

use crate::Error;
use crate::catalog::{Catalog, state, update_ref};

/// What a downstream server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionFilter {
    /// Categories, classifications and detectoids.
    Config,
    /// Updates that belong to a listed category and to a listed classification, with the members
    /// of such bundles. Without both lists all updates, with only one of them none.
    Updates { categories: Option<Vec<Listed>>, classifications: Option<Vec<Listed>> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: UpdateId,
    /// Only what changed since the anchor; otherwise everything, as for a newly chosen id.
    pub is_delta: bool,
}

/// The highest revision of each update, in the order in which they changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionList {
    /// The anchor to ask with next time.
    pub anchor: u64,
    pub revisions: Vec<UpdateRef>,
}

/// Of updates that are for some languages only, those wanted; all others are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    pub languages: Languages,
    /// Those of them newly chosen, whose updates are listed whatever the anchor is.
    pub new: Option<Languages>,
}

const CONFIG: &str = "SELECT update_id, revision FROM revision
    WHERE changed > ?1 AND NOT is_item AND is_latest AND document IS NOT NULL ORDER BY changed";

const ALL_UPDATES: &str = "SELECT update_id, revision FROM revision
    WHERE (changed > ?1 OR languages & ?3) AND (languages = 0 OR languages & ?2)
      AND is_item AND is_latest AND document IS NOT NULL ORDER BY changed";

/// Both lists come as JSON arrays of `[hex id, is_delta]`; an id that comes twice counts once.
/// `floor` is the change after which an update counts: the anchor if both ids it matches by are
/// deltas, else zero. Members follow their bundle, and a new bundle brings members that are not
/// new.
const MATCHING_UPDATES: &str = "WITH RECURSIVE
    category(id, is_delta) AS (
        SELECT unhex(value ->> 0), min(value ->> 1) FROM json_each(?2) GROUP BY 1),
    classification(id, is_delta) AS (
        SELECT unhex(value ->> 0), min(value ->> 1) FROM json_each(?3) GROUP BY 1),
    matching(revision, floor) AS (
        SELECT a.revision, min(iif(category.is_delta AND classification.is_delta, ?1, 0))
        FROM category
        JOIN relation AS a ON a.target = category.id AND a.kind = 'category'
        JOIN relation AS b ON b.revision = a.revision AND b.kind = 'category'
        JOIN classification ON classification.id = b.target
        GROUP BY a.revision),
    reached(revision, floor, is_new) AS (
        SELECT u.id, floor, u.changed > floor
        FROM matching JOIN revision AS u ON u.id = matching.revision
        WHERE u.is_item AND u.is_latest
        UNION
        SELECT m.id, floor, is_new OR m.changed > floor
        FROM reached
        JOIN relation AS b ON b.revision = reached.revision AND b.kind = 'bundled'
        JOIN revision AS m ON m.update_id = b.target
        WHERE m.is_latest AND m.document IS NOT NULL)
    SELECT DISTINCT u.update_id, u.revision
    FROM reached JOIN revision AS u ON u.id = reached.revision
    WHERE (is_new OR u.languages & ?5) AND (u.languages = 0 OR u.languages & ?4)
    ORDER BY u.changed";

impl Catalog {
    /// What changed after `anchor`; without one everything.
    pub async fn revision_list(
        &self,
        filter: RevisionFilter,
        anchor: Option<u64>,
    ) -> Result<RevisionList, Error> {
        self.revision_list_in(Spoken::default(), filter, anchor).await
    }

    /// The same of what is for some languages.
    pub async fn revision_list_in(
        &self,
        spoken: Spoken,
        filter: RevisionFilter,
        anchor: Option<u64>,
    ) -> Result<RevisionList, Error> {
        self.database.read(move |tx| revision_list(tx, spoken, &filter, anchor.unwrap_or(0))).await
    }
}

fn revision_list(
    tx: &ReadTx,
    spoken: Spoken,
    filter: &RevisionFilter,
    floor: u64,
) -> Result<RevisionList, Error> {
    let Spoken { languages, new } = spoken;
    // Every bit that is stored, if all languages are wanted.
    let wanted = if languages.is_all() { i64::MAX.unsigned_abs() } else { languages.bits() };
    let new = new.map_or(0, Languages::bits);
    let revisions = match filter {
        RevisionFilter::Config => tx.query_all(CONFIG, [floor], update_ref)?,
        RevisionFilter::Updates { categories: None, classifications: None } => {
            tx.query_all(ALL_UPDATES, [floor, wanted, new], update_ref)?
        }
        RevisionFilter::Updates { categories: Some(a), classifications: Some(b) } => {
            let values = params![floor, json(a), json(b), wanted, new];
            tx.query_all(MATCHING_UPDATES, values, update_ref)?
        }
        RevisionFilter::Updates { .. } => Vec::new(),
    };
    Ok(RevisionList { anchor: state(tx)?.changes, revisions })
}

fn json(listed: &[Listed]) -> String {
    let pair = |l: &Listed| format!("[\"{}\",{}]", l.id.0.simple(), u8::from(l.is_delta));
    format!("[{}]", listed.iter().map(pair).collect::<Vec<_>>().join(","))
}
