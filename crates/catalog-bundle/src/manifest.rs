//! The manifest: which catalog, which part of its history, and every part by its digest. JSON, so
//! that other programs can read it.

use model::{Invalid, Sha1, Sha256, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256 as Hasher};
use uuid::Uuid;

use crate::{Error, limits};

/// What a bundle holds, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Anchors mean something to this server alone.
    pub server_id: Uuid,
    /// For people.
    pub server_name: String,
    pub made_at: Timestamp,
    /// It holds what changed after this; zero: everything.
    pub since: u64,
    /// The last change it holds.
    pub anchor: u64,
    /// Of the catalog at `anchor`: its version, and how many updates it holds and which.
    pub version: u64,
    pub items: u64,
    pub set_digest: Sha256,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub content: Content,
    pub size: u64,
    pub sha256: Sha256,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Documents {
        count: u64,
    },
    Removed {
        count: u64,
    },
    /// Where files can be had.
    Sources {
        count: u64,
    },
    /// A file that an update names: its payload or its license text.
    File {
        name: String,
        sha1: Sha1,
    },
}

impl Content {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Content::Documents { .. } => "documents",
            Content::Removed { .. } => "removed",
            Content::Sources { .. } => "sources",
            Content::File { .. } => "file",
        }
    }

    fn size_max(&self) -> u64 {
        let list = limits::LIST_BYTES_MAX as u64;
        match self {
            Content::Documents { .. } => limits::PART_BYTES_MAX as u64,
            Content::Removed { .. } | Content::Sources { .. } => list,
            Content::File { .. } => limits::BUNDLE_BYTES_MAX,
        }
    }
}

impl Part {
    /// The part that these bytes are.
    #[must_use]
    pub fn of(content: Content, bytes: &[u8]) -> Part {
        let sha256 = Sha256(Hasher::digest(bytes).into());
        Part { content, size: bytes.len() as u64, sha256 }
    }

    /// The same bytes as were signed?
    pub fn check(&self, (number, offset): (usize, u64), found: Sha256) -> Result<(), Error> {
        if found == self.sha256 {
            return Ok(());
        }
        Err(Error::Altered { number, what: self.content.name(), offset })
    }
}

impl Manifest {
    /// Documents, removed updates and files in it.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        self.parts.iter().fold((0, 0, 0), |(documents, removed, files), part| match part.content {
            Content::Documents { count } => (documents + count, removed, files),
            Content::Removed { count } => (documents, removed + count, files),
            Content::Sources { .. } => (documents, removed, files),
            Content::File { .. } => (documents, removed, files + 1),
        })
    }

    /// Bytes of all parts.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.size).fold(0, u64::saturating_add)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&Written::from(self)).expect("texts and numbers are JSON")
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Manifest, Error> {
        let bad = |reason: String| Error::Manifest { reason };
        let written: Written =
            serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
        let manifest = written.read().map_err(|error| bad(error.to_string()))?;
        if manifest.parts.len() > limits::PARTS_MAX {
            let (found, max) = (manifest.parts.len(), limits::PARTS_MAX);
            return Err(bad(format!("it names {found} parts, at most {max}")));
        }
        for part in &manifest.parts {
            let (found, max) = (part.size, part.content.size_max());
            if found > max {
                return Err(Error::TooLarge { what: part.content.name(), found, max });
            }
        }
        if manifest.since > manifest.anchor {
            let Manifest { since, anchor, .. } = manifest;
            return Err(bad(format!("it begins after {since} and ends at {anchor}")));
        }
        Ok(manifest)
    }
}

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    server_id: String,
    server_name: String,
    made_at: String,
    since: u64,
    anchor: u64,
    version: u64,
    items: u64,
    set_digest: String,
    parts: Vec<WrittenPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPart {
    kind: String,
    size: u64,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha1: Option<String>,
}

impl From<&Manifest> for Written {
    fn from(manifest: &Manifest) -> Written {
        Written {
            server_id: manifest.server_id.to_string(),
            server_name: manifest.server_name.clone(),
            made_at: manifest.made_at.to_string(),
            since: manifest.since,
            anchor: manifest.anchor,
            version: manifest.version,
            items: manifest.items,
            set_digest: manifest.set_digest.to_string(),
            parts: manifest.parts.iter().map(WrittenPart::from).collect(),
        }
    }
}

impl From<&Part> for WrittenPart {
    fn from(Part { content, size, sha256 }: &Part) -> WrittenPart {
        let (count, name, sha1) = match content {
            Content::Documents { count }
            | Content::Removed { count }
            | Content::Sources { count } => (Some(*count), None, None),
            Content::File { name, sha1 } => (None, Some(name.clone()), Some(sha1.to_string())),
        };
        let (kind, sha256) = (content.name().to_owned(), sha256.to_string());
        WrittenPart { kind, size: *size, sha256, count, name, sha1 }
    }
}

impl Written {
    fn read(self) -> Result<Manifest, Invalid> {
        let id = Uuid::try_parse(&self.server_id)
            .map_err(|_| Invalid::new("server_id", format!("\"{}\" is none", self.server_id)))?;
        let parts = self.parts.into_iter().map(WrittenPart::read);
        Ok(Manifest {
            server_id: id,
            server_name: self.server_name,
            made_at: self.made_at.parse()?,
            since: self.since,
            anchor: self.anchor,
            version: self.version,
            items: self.items,
            set_digest: self.set_digest.parse()?,
            parts: parts.collect::<Result<_, _>>()?,
        })
    }
}

impl WrittenPart {
    fn read(self) -> Result<Part, Invalid> {
        let WrittenPart { kind, size, sha256, count, name, sha1 } = self;
        let content = match (kind.as_str(), count, name, sha1) {
            ("documents", Some(count), None, None) => Content::Documents { count },
            ("removed", Some(count), None, None) => Content::Removed { count },
            ("sources", Some(count), None, None) => Content::Sources { count },
            ("file", None, Some(name), Some(sha1)) if name.len() <= limits::NAME_BYTES_MAX => {
                Content::File { name, sha1: sha1.parse()? }
            }
            _ => {
                return Err(Invalid::new("part", format!("\"{kind}\" is none this version knows")));
            }
        };
        Ok(Part { content, size, sha256: sha256.parse()? })
    }
}
