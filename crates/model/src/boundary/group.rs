//! Boundary groups: boundaries, the servers used from there, and links to other groups (BG-01).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::{Invalid, ObjectCode, RoleId, RoleKind, SiteCode};

/// Before the name of its site: the default group that every site has (BG-03).
const DEFAULT_GROUP: &str = "Default-Site-Boundary-Group";

/// Minutes of a link that nobody gave another number, and of the links nobody made (BG-03).
const FALLBACK_MINUTES: u32 = 120;

/// A week: whoever waits longer than that wants `never`.
const FALLBACK_MINUTES_MAX: u32 = 7 * 24 * 60;

/// A group is one object, and an object fits a transaction with room to spare: 200 KB of codes.
const BOUNDARIES_MAX: usize = 20_000;

/// More than a site has of all kinds of servers.
const SYSTEMS_MAX: usize = 1_000;

/// Every group a client is in is asked for its neighbors with every location.
const LINKS_MAX: usize = 100;

const NAME_BYTES_MAX: usize = 256;

/// What a link leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Neighbor {
    Group(ObjectCode),
    /// The default group of a site: its servers, and those of its secondary sites, that are in no
    /// group. There is no object of it.
    Default(SiteCode),
}

impl fmt::Display for Neighbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Neighbor::Group(code) => code.fmt(f),
            Neighbor::Default(site) => write!(f, "{DEFAULT_GROUP}{site}"),
        }
    }
}

impl FromStr for Neighbor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Neighbor, Invalid> {
        match text.strip_prefix(DEFAULT_GROUP) {
            Some(site) => Ok(Neighbor::Default(SiteCode::new(site)?)),
            None => Ok(Neighbor::Group(ObjectCode::new(text)?)),
        }
    }
}

/// After how many minutes the servers of a neighbor are used; none: never (BG-02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    pub dp: Option<u32>,
    pub sup: Option<u32>,
    pub mp: Option<u32>,
}

impl Fallback {
    #[must_use]
    pub fn of(&self, kind: RoleKind) -> Option<u32> {
        match kind {
            RoleKind::DistributionPoint => self.dp,
            RoleKind::SoftwareUpdatePoint => self.sup,
            RoleKind::ManagementPoint => self.mp,
        }
    }
}

impl Default for Fallback {
    fn default() -> Fallback {
        let minutes = Some(FALLBACK_MINUTES);
        Fallback { dp: minutes, sup: minutes, mp: minutes }
    }
}

/// A one-way link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundaryLink {
    pub to: Neighbor,
    pub fallback: Fallback,
}

/// What computers in a group may do (BG-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent check boxes")]
pub struct BoundaryOptions {
    /// Fetch content from each other.
    pub peers: bool,
    /// But only within a subnet.
    pub subnet_peers_only: bool,
    pub points_before_peers: bool,
    pub prefer_cloud: bool,
}

impl Default for BoundaryOptions {
    fn default() -> BoundaryOptions {
        BoundaryOptions {
            peers: true,
            subnet_peers_only: false,
            points_before_peers: false,
            prefer_cloud: false,
        }
    }
}

impl BoundaryOptions {
    /// Of a computer in several groups: one that forbids peers wins, and one that asks for
    /// anything else does.
    #[must_use]
    pub fn union(self, other: BoundaryOptions) -> BoundaryOptions {
        BoundaryOptions {
            peers: self.peers && other.peers,
            subnet_peers_only: self.subnet_peers_only || other.subnet_peers_only,
            points_before_peers: self.points_before_peers || other.points_before_peers,
            prefer_cloud: self.prefer_cloud || other.prefer_cloud,
        }
    }
}

/// The servers of some boundaries. What it names may be of other sites, and not here yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundaryGroup {
    pub code: ObjectCode,
    pub name: String,
    pub boundaries: BTreeSet<ObjectCode>,
    pub systems: BTreeSet<RoleId>,
    /// To which new computers in it are assigned (BG-05).
    pub assigned_site: Option<SiteCode>,
    /// One per neighbor.
    pub links: Vec<BoundaryLink>,
    pub options: BoundaryOptions,
}

impl BoundaryGroup {
    /// An empty one.
    #[must_use]
    pub fn new(code: ObjectCode, name: String) -> BoundaryGroup {
        BoundaryGroup {
            code,
            name,
            boundaries: BTreeSet::new(),
            systems: BTreeSet::new(),
            assigned_site: None,
            links: Vec::new(),
            options: BoundaryOptions::default(),
        }
    }

    /// Makes a link, or makes it anew.
    pub fn relate(&mut self, link: BoundaryLink) {
        self.unrelate(&link.to);
        self.links.push(link);
        self.links.sort_by(|a, b| a.to.cmp(&b.to));
    }

    /// Says whether there was such a link.
    pub fn unrelate(&mut self, to: &Neighbor) -> bool {
        let before = self.links.len();
        self.links.retain(|link| link.to != *to);
        before != self.links.len()
    }

    /// Refuses what nobody may write.
    pub fn check(&self) -> Result<(), Invalid> {
        let refuse = |what, why: String| Err(Invalid::new(what, why));
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            return refuse("name", format!("give one of 1 to {NAME_BYTES_MAX} bytes"));
        }
        let counts = [
            ("boundaries", self.boundaries.len(), BOUNDARIES_MAX),
            ("systems", self.systems.len(), SYSTEMS_MAX),
            ("links", self.links.len(), LINKS_MAX),
        ];
        if let Some((what, count, max)) = counts.into_iter().find(|(_, count, max)| count > max) {
            let why = format!("{count} in one group, at most {max}; make another group");
            return refuse(what, why);
        }
        for BoundaryLink { to, fallback } in &self.links {
            if *to == Neighbor::Group(self.code.clone()) {
                return refuse("link", format!("{to} is the group itself; name another one"));
            }
            let Fallback { dp, sup, mp } = *fallback;
            let most = [dp, sup, mp].into_iter().flatten().max().unwrap_or(0);
            if most > FALLBACK_MINUTES_MAX {
                let why =
                    format!("{most} minutes to {to}, at most {FALLBACK_MINUTES_MAX}; or say never");
                return refuse("link", why);
            }
        }
        Ok(())
    }
}
