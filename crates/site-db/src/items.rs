//! Configuration items by number.

use model::UpdateId;
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader};

/// What compliance needs to know of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberedItem {
    pub number: u32,
    pub id: UpdateId,
    pub since: u64,
    pub expired: bool,
    pub hidden: bool,
    /// Ruled out: it counts nowhere.
    pub declined: bool,
}

const NUMBERED: &str = "SELECT item.*, coalesce(is_declined, 0)
    FROM item LEFT JOIN ruling ON ruling.id = item.id";

fn numbered(row: &Row<'_>) -> RowResult<NumberedItem> {
    Ok(NumberedItem {
        number: row.get(0)?,
        id: parse_column(row, 1, |b: Vec<u8>| UpdateId::from_slice(&b))?,
        since: row.get(2)?,
        expired: row.get(3)?,
        hidden: row.get(4)?,
        declined: row.get(5)?,
    })
}

impl Reader<'_> {
    pub fn item_by_id(&self, id: UpdateId) -> Result<Option<NumberedItem>, Error> {
        let sql = format!("{NUMBERED} WHERE item.id = ?1");
        Ok(self.tx.query_optional(&sql, [id.as_bytes()], numbered)?)
    }

    pub fn item_by_number(&self, number: u32) -> Result<Option<NumberedItem>, Error> {
        let sql = format!("{NUMBERED} WHERE item.number = ?1");
        Ok(self.tx.query_optional(&sql, params![number], numbered)?)
    }

    /// Every live item, by number.
    pub fn numbered_items(&self) -> Result<Vec<NumberedItem>, Error> {
        Ok(self.tx.query_all(&format!("{NUMBERED} ORDER BY item.number"), [], numbered)?)
    }

    /// How many updates this site has, without bundle children (contract, section 2).
    pub fn update_count(&self) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM item WHERE NOT hidden";
        Ok(self.tx.query_row(sql, [], |row| row.get(0))?)
    }
}
