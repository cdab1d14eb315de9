//! Streams, positions and groups: the terms of replication (docs/replication.md, section 1).

use std::fmt;

use uuid::Uuid;

use crate::{Invalid, SiteCode, SiteKind};

/// Which way the objects of a group travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From each owner to every subscriber.
    All,
    /// From each owner to the sites above it.
    Up,
    /// From the top-level site to every subscriber.
    Down,
}

macro_rules! groups {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// A fixed list of kinds with one direction, one priority and one list of subscribers.
        /// The number is the priority: the lower goes first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Group { $($(#[$doc])* $name = $number),* }

        impl Group {
            pub const ALL: [Group; 6] = [$(Group::$name),*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Group::$name => $text),* }
            }
        }
    };
}

groups! {
    /// What administrators decide.
    Control = 1, "control";
    /// Sites, roles, keys and content manifests.
    Topology = 2, "topology";
    /// Status messages and audit, append-only.
    Status = 3, "status";
    /// Categories, configuration items, catalog versions.
    Catalog = 4, "catalog";
    /// Client records.
    Clients = 5, "clients";
    /// One state vector per client.
    State = 6, "state";
}

impl Group {
    pub fn from_number(number: u32) -> Result<Group, Invalid> {
        let found = Group::ALL.into_iter().find(|g| u32::from(*g as u8) == number);
        found.ok_or_else(|| Invalid::new("group", format!("there is no group {number}")))
    }

    pub fn from_name(name: &str) -> Result<Group, Invalid> {
        let found = Group::ALL.into_iter().find(|g| g.as_str() == name);
        found.ok_or_else(|| Invalid::new("group", format!("there is no group \"{name}\"")))
    }

    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Group::Control | Group::Topology => Direction::All,
            Group::Catalog => Direction::Down,
            Group::Status | Group::Clients | Group::State => Direction::Up,
        }
    }

    /// Append-only groups have chains instead of sums and no reconcile.
    #[must_use]
    pub fn is_events(self) -> bool {
        self == Group::Status
    }

    /// Whether each transaction of an owner carries the owner's signature.
    #[must_use]
    pub fn is_signed(self) -> bool {
        matches!(self, Group::Control | Group::Topology | Group::Catalog)
    }

    /// Whether a site of this kind holds the group's streams of owners other than itself and the
    /// sites below it.
    #[must_use]
    pub fn subscribes(self, kind: SiteKind) -> bool {
        match self {
            Group::Control => kind != SiteKind::Secondary,
            Group::Topology | Group::Catalog => true,
            Group::Status | Group::Clients | Group::State => kind != SiteKind::Secondary,
        }
    }

    /// Whether a site of this kind can own a stream of the group. Secondaries own only status.
    #[must_use]
    pub fn owned_by(self, kind: SiteKind) -> bool {
        kind != SiteKind::Secondary || self == Group::Status
    }
}

macro_rules! kinds {
    ($($name:ident = $number:literal, $group:ident, $text:literal;)*) => {
        /// What an object is. A number that is not in this list is stored and relayed all the same.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Kind { $($name = $number),* }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            #[must_use]
            pub fn group(self) -> Group {
                match self { $(Kind::$name => Group::$group),* }
            }

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$name => $text),* }
            }

            #[must_use]
            pub fn from_number(number: u32) -> Option<Kind> {
                match number { $($number => Some(Kind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    Collection = 101, Control, "collection";
    UpdateGroup = 102, Control, "update_group";
    Deployment = 103, Control, "deployment";
    Package = 104, Control, "package";
    Rule = 105, Control, "rule";
    Phased = 106, Control, "phased";
    SettingsProfile = 107, Control, "settings_profile";
    Window = 108, Control, "window";
    Hold = 109, Control, "hold";
    UpdateSetting = 110, Control, "update_setting";
    Site = 201, Topology, "site";
    Role = 202, Topology, "role";
    Revocation = 203, Topology, "revocation";
    KeyStatement = 204, Topology, "key_statement";
    ContentManifest = 205, Topology, "content_manifest";
    Boundary = 206, Topology, "boundary";
    BoundaryGroup = 207, Topology, "boundary_group";
    StatusMessage = 301, Status, "status_message";
    Category = 401, Catalog, "category";
    Item = 402, Catalog, "item";
    CatalogVersion = 403, Catalog, "catalog_version";
    Ruling = 404, Catalog, "ruling";
    Client = 501, Clients, "client";
    Inventory = 502, Clients, "inventory";
    InstalledSoftware = 503, Clients, "installed_software";
    SoftwareTitle = 504, Clients, "software_title";
    Vector = 601, State, "vector";
}

/// The site that created an object; only it writes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    pub code: SiteCode,
    pub uuid: Uuid,
}

impl Owner {
    /// The form stored and sent: three bytes of code and sixteen of uuid.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 19] {
        let mut bytes = [0; 19];
        bytes[..3].copy_from_slice(self.code.as_str().as_bytes());
        bytes[3..].copy_from_slice(self.uuid.as_bytes());
        bytes
    }

    pub fn from_slice(bytes: &[u8]) -> Result<Owner, Invalid> {
        let bad = || Invalid::new("owner", "is not a site code and a uuid");
        let (code, uuid) = bytes.split_at_checked(3).ok_or_else(bad)?;
        Ok(Owner {
            code: SiteCode::new(std::str::from_utf8(code).map_err(|_| bad())?)?,
            uuid: Uuid::from_slice(uuid).map_err(|_| bad())?,
        })
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.code, f)
    }
}

/// All objects of one group and owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    pub group: Group,
    pub owner: Owner,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group.as_str(), self.owner.code)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which history of a stream; raised only by its owner, who draws the id at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch {
    pub number: u32,
    pub id: u64,
}

/// How far a site has come in a stream: an end of one of its owner's transactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub epoch: Epoch,
    pub seq: u64,
}

/// The digest of a stream at a position: a sum over live objects, or a chain over events.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamDigest(pub [u8; 32]);

impl StreamDigest {
    pub fn from_slice(bytes: &[u8]) -> Result<StreamDigest, Invalid> {
        let bytes = bytes.try_into().map_err(|_| {
            Invalid::new("stream digest", format!("{} bytes instead of 32", bytes.len()))
        })?;
        Ok(StreamDigest(bytes))
    }
}

impl fmt::Display for StreamDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StreamDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
