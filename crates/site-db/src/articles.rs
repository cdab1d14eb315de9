//! Updates by the knowledge base articles that describe them.
//!
//! Owns the projection. An article may describe several updates, one for each architecture. Refuses
//! to know what is asked about them.

use std::collections::{BTreeMap, BTreeSet};

use compliance::LiveItem;
use model::{Item, UpdateId};
use sqlite_engine::{params, parse_column};

use crate::{Error, Reader, Writer};

impl Reader<'_> {
    /// The items that are counted, of updates by their ids or by the numbers of articles. What is
    /// not here is left out.
    pub fn live_items_of(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Vec<LiveItem>>, Error> {
        let mut found = BTreeMap::new();
        for key in keys {
            let updates = match key.parse::<UpdateId>() {
                Ok(update) => vec![update],
                Err(_) => self.updates_of_article(key)?,
            };
            let mut items = Vec::new();
            for update in updates {
                let item = self.item_by_id(update)?.filter(|item| !item.hidden);
                items.extend(item.map(|i| LiveItem { number: i.number, since: i.since }));
            }
            if !items.is_empty() {
                found.insert(key.clone(), items);
            }
        }
        Ok(found)
    }

    fn updates_of_article(&self, article: &str) -> Result<Vec<UpdateId>, Error> {
        let sql = "SELECT id FROM article WHERE article = ?1 ORDER BY id";
        let update = |row: &sqlite_engine::Row<'_>| {
            parse_column(row, 0, |bytes: Vec<u8>| UpdateId::from_slice(&bytes))
        };
        Ok(self.tx.query_all(sql, [article], update)?)
    }
}

impl Writer<'_> {
    /// Of an item whose rows were deleted.
    pub(crate) fn project_articles(&self, item: &Item) -> Result<(), Error> {
        for article in &item.kb_articles {
            let lower = article.to_lowercase();
            let article = lower.strip_prefix("kb").unwrap_or(&lower);
            self.write.execute(
                "INSERT OR IGNORE INTO article VALUES (?1, ?2)",
                params![article, item.update.id.as_bytes()],
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
