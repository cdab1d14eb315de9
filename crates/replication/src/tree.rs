//! The tree of sites, and who takes what from whom.

use std::collections::BTreeMap;

use model::{Direction, Group, SiteCode, SiteKind, SiteRecord, StreamId};

/// A site at the other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbor {
    pub code: SiteCode,
    pub kind: SiteKind,
}

/// The sites one site knows of, seen from itself.
#[derive(Clone, Debug)]
pub struct Tree {
    me: Neighbor,
    parent: Option<SiteCode>,
    sites: BTreeMap<SiteCode, (SiteKind, Option<SiteCode>)>,
}

impl Tree {
    #[must_use]
    pub fn new(me: Neighbor, parent: Option<SiteCode>, sites: &[SiteRecord]) -> Tree {
        let sites = sites.iter().map(|s| (s.code, (s.kind, s.parent))).collect();
        Tree { me, parent, sites }
    }

    #[must_use]
    pub fn parent(&self) -> Option<SiteCode> {
        self.parent
    }

    #[must_use]
    pub fn children(&self) -> Vec<Neighbor> {
        let mine = self.sites.iter().filter(|(_, (_, parent))| *parent == Some(self.me.code));
        mine.map(|(code, (kind, _))| Neighbor { code: *code, kind: *kind }).collect()
    }

    /// Whether `site` is `root` or stands below it. Bounded by the depth of a hierarchy.
    #[must_use]
    pub fn is_below(&self, site: SiteCode, root: SiteCode) -> bool {
        const DEPTH_MAX: usize = 3;
        let mut at = Some(site);
        for _ in 0..DEPTH_MAX {
            match at {
                Some(code) if code == root => return true,
                Some(code) => at = self.sites.get(&code).and_then(|(_, parent)| *parent),
                None => return false,
            }
        }
        false
    }

    /// The one neighbor a stream of `owner` is taken from: the child above the owner, else the
    /// parent; nobody for one's own.
    #[must_use]
    pub fn route(&self, owner: SiteCode) -> Option<SiteCode> {
        if owner == self.me.code {
            return None;
        }
        let child = self.children().into_iter().find(|c| self.is_below(owner, c.code));
        child.map(|c| c.code).or(self.parent)
    }

    /// Whether this site takes `stream` from `peer`.
    #[must_use]
    pub fn takes(&self, stream: StreamId, peer: Neighbor) -> bool {
        let from_above = self.parent == Some(peer.code);
        let direction = match stream.group.direction() {
            Direction::All => true,
            Direction::Down => from_above,
            Direction::Up => !from_above,
        };
        let mine = stream.group.subscribes(self.me.kind);
        direction && mine && self.route(stream.owner.code) == Some(peer.code)
    }

    /// Whether this site offers `stream` to `peer`.
    #[must_use]
    pub fn offers(&self, stream: StreamId, peer: Neighbor) -> bool {
        if peer.code == stream.owner.code || self.route(stream.owner.code) == Some(peer.code) {
            return false;
        }
        let to_parent = self.parent == Some(peer.code);
        match stream.group.direction() {
            Direction::All => stream.group.subscribes(peer.kind),
            Direction::Down => !to_parent && stream.group.subscribes(peer.kind),
            Direction::Up => to_parent,
        }
    }

    /// The groups of which this site owns a stream.
    #[must_use]
    pub fn own_groups(&self) -> Vec<Group> {
        let top = self.parent.is_none();
        let mut groups = Group::ALL.to_vec();
        groups.retain(|g| g.owned_by(self.me.kind) && (top || g.direction() != Direction::Down));
        groups
    }
}

#[cfg(test)]
mod tests;
