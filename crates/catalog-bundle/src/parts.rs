//! The bytes of parts: documents packed together, removed updates, and where files can be had.

use std::fmt::Write as _;

use model::{Sha1, UpdateId};
use zstd::bulk::{Compressor, Decompressor};

use crate::{Error, limits};

/// Each document is its length in four bytes, little end first, and its text; all of them zstd.
pub fn encode_documents<'a>(
    documents: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<u8>, Error> {
    let mut plain = Vec::new();
    for document in documents {
        let size = u32::try_from(document.len()).unwrap_or(u32::MAX);
        plain.extend(size.to_le_bytes());
        plain.extend(document.as_bytes());
    }
    pack(&plain)
}

pub fn decode_documents(packed: &[u8]) -> Result<Vec<String>, Error> {
    let bad = |reason: &str| Error::Content { what: "documents", reason: reason.to_owned() };
    let plain = unpack("documents", packed, limits::PART_BYTES_MAX)?;
    let (mut rest, mut documents) = (plain.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (size, after) = rest.split_first_chunk().ok_or_else(|| bad("a length is cut off"))?;
        let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
        let (text, after) = after.split_at_checked(size).ok_or_else(|| bad("one is cut off"))?;
        if documents.len() == limits::PART_DOCUMENTS_MAX {
            return Err(bad("there are too many in one part"));
        }
        let text = std::str::from_utf8(text).map_err(|_| bad("one is not UTF-8"))?;
        documents.push(text.to_owned());
        rest = after;
    }
    Ok(documents)
}

/// Sixteen bytes for each.
#[must_use]
pub fn encode_removed(ids: &[UpdateId]) -> Vec<u8> {
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

pub fn decode_removed(bytes: &[u8]) -> Result<Vec<UpdateId>, Error> {
    let chunks = bytes.chunks(16).map(UpdateId::from_slice);
    chunks.collect::<Result<_, _>>().map_err(|error| {
        let reason = error.to_string();
        Error::Content { what: "removed updates", reason }
    })
}

/// A line for each: SHA-1 in hex, a blank, the URL; all of them zstd.
pub fn encode_sources(sources: &[(Sha1, String)]) -> Result<Vec<u8>, Error> {
    let mut text = String::new();
    for (sha1, url) in sources {
        // A URL has no line ends; one that has any is no URL.
        if !url.contains(['\r', '\n']) {
            writeln!(text, "{sha1} {url}").expect("a string takes everything");
        }
    }
    pack(text.as_bytes())
}

pub fn decode_sources(packed: &[u8]) -> Result<Vec<(Sha1, String)>, Error> {
    let what = "sources";
    let plain = unpack(what, packed, limits::LIST_BYTES_MAX)?;
    let bad = |reason: String| Error::Content { what, reason };
    let text = String::from_utf8(plain).map_err(|error| bad(error.to_string()))?;
    let source = |line: &str| {
        let (sha1, url) = line.split_once(' ').ok_or_else(|| bad("a line has no URL".into()))?;
        Ok((sha1.parse().map_err(|error: model::Invalid| bad(error.to_string()))?, url.to_owned()))
    };
    text.lines().map(source).collect()
}

fn pack(plain: &[u8]) -> Result<Vec<u8>, Error> {
    let mut packer =
        Compressor::new(limits::COMPRESSION_LEVEL).map_err(|source| Error::Pack { source })?;
    packer.compress(plain).map_err(|source| Error::Pack { source })
}

fn unpack(what: &'static str, packed: &[u8], max: usize) -> Result<Vec<u8>, Error> {
    let bad = |error: std::io::Error| Error::Content { what, reason: error.to_string() };
    Decompressor::new().map_err(bad)?.decompress(packed, max).map_err(bad)
}
