//! What an import is given beside the file, and what it says of it.

use model::{Sha256, UpdateRef};

/// What an import did; packages and plain documents are counted, not what they bring along.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ImportReport {
    pub(crate) imported: u64,
    /// Here already, with the same content.
    pub(crate) unchanged: u64,
    /// Here already with other content: the next revision.
    pub(crate) revised: Vec<String>,
    /// Left out, with the place and the reason.
    pub(crate) rejected: Vec<String>,
    /// Why nothing of the file was taken.
    pub(crate) refused: Option<String>,
    /// What became of each plain document.
    pub(crate) documents: Vec<Given>,
    /// The file was another server's catalog.
    pub(crate) foreign: Option<Foreign>,
}

/// An update document that was given by itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: String,
    /// None if it could not be read so far.
    pub(crate) update: Option<UpdateRef>,
    pub(crate) fate: Fate,
    /// Why it was refused.
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Imported,
    Unchanged,
    Refused,
}

impl Fate {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Fate::Imported => "imported",
            Fate::Unchanged => "unchanged",
            Fate::Refused => "refused",
        }
    }
}

/// What another server's catalog says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) kind: &'static str,
    pub(crate) server_id: String,
    pub(crate) since: u64,
    pub(crate) anchor: u64,
    pub(crate) version: u64,
    pub(crate) set_digest: Option<Sha256>,
    pub(crate) documents: u64,
    pub(crate) removed: u64,
    pub(crate) files: u64,
    /// The updates here are the same now, no more and no less.
    pub(crate) is_same_set: bool,
}

/// Why another server's catalog may be taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Warrant {
    /// The manifest whose signature the site believes.
    pub(crate) manifest: Option<Sha256>,
    /// An administrator answers for what nobody signed.
    pub(crate) is_unsigned: bool,
}
