//! How far a server's stream of documents may go.
//!
//! Owns what the stream has cost: the time in which the server was waited for, documents, their
//! bytes; and that each page leads on from the last. A stream that costs too much is an error, and
//! the lane of scans and installations is free again. Refuses to know what documents say.

use std::time::Duration;

use model::{Invalid, Timestamp};
use rpc::pb::metadata::FollowDocumentsResponse;
use update_catalog::limits::BATCH_DOCUMENTS_MAX;

use crate::Error;
use crate::download::Flow;
use crate::limits::{CATALOG_BYTES_MAX, DOCUMENTS_MAX, FLOW_BYTES_MIN, FOLLOW_MAX, SILENCE_MAX};

/// What a copy has already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    pub(super) documents: u64,
    pub(super) bytes: u64,
}

#[derive(Debug)]
pub(super) struct Course<'a> {
    url: &'a str,
    /// Of the last page.
    anchor: u64,
    held: Held,
    /// Of documents that came.
    pub(super) bytes: u64,
    waited: Duration,
    flow: Flow,
}

impl<'a> Course<'a> {
    /// From `anchor` on, into a copy that has so much.
    pub(super) fn new(url: &'a str, anchor: u64, held: Held) -> Course<'a> {
        let (bytes, waited, flow) = (0, Duration::ZERO, Flow::steady());
        Course { url, anchor, held, bytes, waited, flow }
    }

    /// Takes one more page into account, which was waited for so long.
    pub(super) fn take(
        &mut self,
        page: &FollowDocumentsResponse,
        (asked, came): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        let url = self.url;
        let refused = |field, reason| Err(Error::answer(url)(Invalid::new(field, reason)));
        let FollowDocumentsResponse { documents, removed, anchor, done, .. } = page;
        let count = documents.len() + removed.len();
        if count > BATCH_DOCUMENTS_MAX {
            return refused("documents", format!("are {count} in one page"));
        }
        if !done && *anchor <= self.anchor {
            return refused("anchor", format!("{anchor} does not lead on from {}", self.anchor));
        }
        self.anchor = *anchor;
        let bytes = documents.iter().map(|document| document.xml.len() as u64).sum::<u64>();
        self.bytes = self.bytes.saturating_add(bytes);
        self.held.bytes = self.held.bytes.saturating_add(bytes);
        self.held.documents = self.held.documents.saturating_add(count as u64);
        if self.held.bytes > CATALOG_BYTES_MAX {
            return refused("documents", format!("are more than {CATALOG_BYTES_MAX} bytes"));
        }
        if self.held.documents > DOCUMENTS_MAX {
            return refused("documents", format!("are more than {DOCUMENTS_MAX}"));
        }
        let waited_ms = (came.0 - asked.0).max(0).unsigned_abs();
        self.waited += Duration::from_millis(waited_ms);
        if self.waited > FOLLOW_MAX && !done {
            return Err(Error::Endless { url: url.to_owned(), limit: FOLLOW_MAX });
        }
        if !self.flow.goes_on(bytes, (asked, came)) && !done {
            let (url, limit) = (url.to_owned(), SILENCE_MAX);
            return Err(Error::Dripping { url, least: FLOW_BYTES_MIN, limit });
        }
        Ok(())
    }

    /// Whether the copy is as large as one may become.
    pub(super) fn is_full(&self) -> bool {
        self.held.documents > DOCUMENTS_MAX || self.held.bytes > CATALOG_BYTES_MAX
    }
}

#[cfg(test)]
mod tests;
