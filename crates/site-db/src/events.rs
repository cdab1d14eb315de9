//! Status messages.

use model::{Group, Owner, Severity, StatusMessage, Timestamp};
use rpc::object::ObjectBody as _;
use sqlite_engine::{Row, params, parse_column};

use crate::{Error, Reader};

/// Which status messages are wanted.
#[derive(Clone, Debug, Default)]
pub struct StatusFilter {
    pub component: Option<String>,
    pub severity: Option<Severity>,
    pub since: Option<Timestamp>,
    pub site: Option<model::SiteCode>,
    /// Only messages this site stored after that row.
    pub after: i64,
}

/// Events that had left a sender's log before they came here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventGap {
    pub owner: Owner,
    pub from: u64,
    pub to: u64,
    pub at: Timestamp,
}

impl StatusFilter {
    fn admits(&self, message: &StatusMessage) -> bool {
        self.component.as_ref().is_none_or(|c| *c == message.component)
            && self.severity.is_none_or(|s| s == message.severity)
            && self.since.is_none_or(|since| message.at >= since)
            && self.site.is_none_or(|site| message.site == site)
    }
}

impl Reader<'_> {
    /// The newest `limit` status messages that pass the filter, oldest first, each with its row.
    pub fn status_messages(
        &self,
        filter: &StatusFilter,
        limit: usize,
    ) -> Result<Vec<(i64, StatusMessage)>, Error> {
        const PAGE: usize = 512;
        let sql = "SELECT lsn, body FROM entry
                   WHERE grp = ?1 AND lsn > ?2 AND lsn < ?3 ORDER BY lsn DESC LIMIT ?4";
        let (mut found, mut before) = (Vec::new(), i64::MAX);
        while found.len() < limit {
            let key = params![Group::Status as u8, filter.after, before, PAGE];
            let page: Vec<(i64, Option<Vec<u8>>)> =
                self.tx.query_all(sql, key, |row| Ok((row.get(0)?, row.get(1)?)))?;
            let Some((last, _)) = page.last() else { break };
            before = *last;
            // A message of a later version that cannot be read is passed over, not fatal.
            let messages = page.into_iter().filter_map(|(lsn, body)| {
                let message = StatusMessage::decode(&body?).ok()?;
                filter.admits(&message).then_some((lsn, message))
            });
            found.extend(messages);
        }
        found.truncate(limit);
        found.reverse();
        Ok(found)
    }

    pub fn event_gaps(&self) -> Result<Vec<EventGap>, Error> {
        let sql = "SELECT owner, from_seq, to_seq, at FROM event_gap ORDER BY at";
        let map = |row: &Row<'_>| {
            Ok(EventGap {
                owner: parse_column(row, 0, |b: Vec<u8>| Owner::from_slice(&b))?,
                from: row.get(1)?,
                to: row.get(2)?,
                at: Timestamp(row.get(3)?),
            })
        };
        Ok(self.tx.query_all(sql, [], map)?)
    }
}
