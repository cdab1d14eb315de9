//! What is told about links, and which links there should be.
//!
//! Owns the form in which the state of links is handed in. Refuses to know how a link is kept up
//! and when it counts as degraded or failed.

use std::sync::Arc;

use model::{LinkState, Position, SiteCode, StreamDigest, StreamId, Timestamp};
use site_db::Reader;

use crate::Error;

/// What a neighbor last said it holds of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHead {
    pub stream: StreamId,
    pub position: Position,
    /// None while it is not settled.
    pub digest: Option<StreamDigest>,
}

/// A link as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    pub neighbor: SiteCode,
    pub state: LinkState,
    pub failed_attempts: u32,
    pub last_contact: Option<Timestamp>,
    pub lag_changes: u64,
    pub problem: String,
    pub heads: Vec<KnownHead>,
}

/// Tells the state of every link of this site.
pub type Links = Arc<dyn Fn() -> Vec<LinkStatus> + Send + Sync>;

/// Every link there should be, and to whom: a neighbor that never came is a link, too.
pub(crate) fn expected_links(
    r: &Reader<'_>,
    told: &[LinkStatus],
) -> Result<Vec<(&'static str, LinkStatus)>, Error> {
    let tree = r.tree()?;
    let parent = tree.parent().map(|code| ("parent", code));
    let children = tree.children().into_iter().map(|child| ("child", child.code));
    let link = |code: SiteCode| {
        let found = told.iter().find(|link| link.neighbor == code).cloned();
        found.unwrap_or_else(|| LinkStatus {
            neighbor: code,
            state: LinkState::Degraded,
            failed_attempts: 0,
            last_contact: None,
            lag_changes: 0,
            problem: "no contact since this server started".to_owned(),
            heads: Vec::new(),
        })
    };
    Ok(parent.into_iter().chain(children).map(|(side, code)| (side, link(code))).collect())
}
