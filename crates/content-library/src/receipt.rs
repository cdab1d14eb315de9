//! Receiving one file, in parts, across interruptions.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::pin::pin;
use std::sync::Arc;

use ambient::failpoint;
use bytes::{Buf as _, Bytes};
use futures_util::stream::{Stream, TryStreamExt as _};
use model::{AssignedFile, ContentFile, ItemFile, Sha1, Sha256};

use crate::error::Error;
use crate::index::FileRecord;
use crate::library::ContentLibrary;
use crate::limits;
use crate::shelf::Claim;
use crate::store::Digests;

/// What is known of a file before it is here. Everything given is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// For messages only.
    pub name: String,
    pub size: Option<u64>,
    pub sha256: Option<Sha256>,
    pub sha1: Option<Sha1>,
}

impl From<&ContentFile> for Expected {
    fn from(ContentFile { name, size, sha256 }: &ContentFile) -> Expected {
        Expected { name: name.clone(), size: Some(*size), sha256: Some(*sha256), sha1: None }
    }
}

impl From<&AssignedFile> for Expected {
    fn from(AssignedFile { name, size, sha256 }: &AssignedFile) -> Expected {
        Expected { name: name.clone(), size: Some(*size), sha256: Some(*sha256), sha1: None }
    }
}

impl From<&ItemFile> for Expected {
    fn from(ItemFile { name, size, sha1, sha256 }: &ItemFile) -> Expected {
        Expected { name: name.clone(), size: Some(*size), sha256: *sha256, sha1: Some(*sha1) }
    }
}

impl Expected {
    pub(crate) fn size_max(&self) -> u64 {
        self.size.unwrap_or(limits::FILE_BYTES_MAX)
    }

    /// Names the partial, so that an interrupted receipt of the same file is found again.
    pub(crate) fn key(&self) -> Result<String, Error> {
        match (self.sha256, self.sha1) {
            (Some(sha256), _) => Ok(sha256.to_string()),
            (None, Some(sha1)) => Ok(format!("sha1-{sha1}")),
            (None, None) => Err(Error::NoDigest { name: self.name.clone() }),
        }
    }

    pub(crate) fn check(&self, found: &Digests) -> Result<(), Error> {
        let (name, actual) = (self.name.clone(), *found);
        match *self {
            Expected { size: Some(expected), .. } if expected != actual.size => {
                Err(Error::WrongSize { name, expected, actual: actual.size })
            }
            Expected { sha256: Some(expected), .. } if expected != actual.sha256 => {
                Err(Error::WrongSha256 { name, expected, actual: actual.sha256 })
            }
            Expected { sha1: Some(expected), .. } if expected != actual.sha1 => {
                Err(Error::WrongSha1 { name, expected, actual: actual.sha1 })
            }
            _ => Ok(()),
        }
    }
}

/// A file on its way. Dropping it keeps what was received; the next receipt goes on from there.
#[derive(Debug)]
pub struct Receipt {
    pub(crate) library: ContentLibrary,
    pub(crate) expected: Expected,
    pub(crate) claim: Claim,
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
}

impl Receipt {
    /// How many bytes are here; the next one to fetch.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes in what a source sends, which begins with byte `start` of the file.
    pub async fn receive<E: From<Error>>(
        &mut self,
        mut start: u64,
        pieces: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), E> {
        let mut pieces = pin!(pieces);
        while let Some(bytes) = pieces.try_next().await? {
            let next = start.saturating_add(bytes.len() as u64);
            self.write(start, bytes).await?;
            start = next;
        }
        Ok(())
    }

    /// Appends `bytes`, which start at `start` of the file; those that are here already are passed
    /// over. More than expected is refused and what was received is dropped.
    pub async fn write(&mut self, start: u64, mut bytes: Bytes) -> Result<(), Error> {
        let (name, offset) = (|| self.expected.name.clone(), self.offset);
        let Some(known) = offset.checked_sub(start) else {
            return Err(Error::WrongOffset { name: name(), expected: offset, actual: start });
        };
        bytes.advance(usize::try_from(known).map_or(bytes.len(), |known| known.min(bytes.len())));
        if bytes.is_empty() {
            return Ok(());
        }
        let (end, allowed) = (offset.saturating_add(bytes.len() as u64), self.expected.size_max());
        let path = self.claim.path().to_owned();
        if end > allowed {
            self.library.on_shelf(move |shelf| shelf.store.remove(&path)).await?;
            return Err(Error::TooLarge { name: name(), actual: end, allowed });
        }
        let file = Arc::clone(&self.file);
        let append = move || file.write_all_at(&bytes, offset).map_err(Error::file("write", &path));
        self.library.on_shelf(move |_| append()).await?;
        failpoint("content.partial");
        self.offset = end;
        Ok(())
    }

    /// Verifies the whole file from disk, makes it durable and visible. If it is not what was
    /// expected it is dropped, and the error says how it differs.
    pub async fn finish(self) -> Result<FileRecord, Error> {
        let Receipt { library, expected, claim, file, .. } = self;
        library.on_shelf(move |shelf| shelf.place(claim.path(), &file, &expected)).await
    }
}
