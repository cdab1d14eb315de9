//! Packages of rpm (rpm(8), the format of version 3 and 4).
//!
//! Owns the way to the header: a lead, a header of signatures that is skipped, and the header of
//! the package, an index of tags and a store of their values. What the file installs is not read.

use std::io::{self, Read, Seek, SeekFrom};

use crate::{Architecture, Error, Identity, Installer};

const LEAD_BYTES: u64 = 96;

const HEADER_MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 0x01];

/// Tags of a header, as rpm limits them.
const TAGS_MAX: u32 = 65_535;

/// Values of a header. Those of packages with tens of thousands of files stay below.
const STORE_BYTES_MAX: u32 = 64 << 20;

const INDEX_ENTRY_BYTES: u32 = 16;

const INT32: u32 = 4;
const STRING: u32 = 6;
const TRANSLATED: u32 = 9;

pub(crate) fn read<F: Read + Seek>(name: &str, mut file: F) -> Result<Installer, Error> {
    let header = header(&mut file).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            Error::Damaged { name: name.to_owned(), reason: source.to_string() }
        }
        _ => Error::Read { name: name.to_owned(), source },
    })?;
    header.installer().ok_or_else(|| {
        let reason = "it does not say what package it is".to_owned();
        Error::Damaged { name: name.to_owned(), reason }
    })
}

fn header<F: Read + Seek>(file: &mut F) -> io::Result<Header> {
    file.seek(SeekFrom::Start(LEAD_BYTES))?;
    let (tags, store) = sizes(file)?;
    let signatures = i64::from(tags * INDEX_ENTRY_BYTES) + i64::from(store);
    // The next header begins at a multiple of eight.
    file.seek(SeekFrom::Current(signatures + i64::from(store.wrapping_neg() % 8)))?;
    let (tags, store) = sizes(file)?;
    let mut header = Header { index: Vec::new(), store: Vec::new() };
    file.take(u64::from(tags * INDEX_ENTRY_BYTES)).read_to_end(&mut header.index)?;
    file.take(u64::from(store)).read_to_end(&mut header.store)?;
    Ok(header)
}

/// How many tags a header has, and how many bytes their values take.
fn sizes(file: &mut impl Read) -> io::Result<(u32, u32)> {
    let mut begin = [0; 16];
    file.read_exact(&mut begin)?;
    let (tags, store) = (number(&begin[8..12]), number(&begin[12..16]));
    if begin[..4] != HEADER_MAGIC || tags > TAGS_MAX || store > STORE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no header of a package"));
    }
    Ok((tags, store))
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

struct Header {
    index: Vec<u8>,
    store: Vec<u8>,
}

impl Header {
    /// Where the value of a tag of this type begins.
    fn value(&self, tag: u32, types: &[u32]) -> Option<&[u8]> {
        let entries = self.index.chunks_exact(INDEX_ENTRY_BYTES as usize);
        let mut found = entries.filter(|entry| number(&entry[..4]) == tag);
        let entry = found.find(|entry| types.contains(&number(&entry[4..8])))?;
        self.store.get(number(&entry[8..12]) as usize..)
    }

    /// Of a translated text, the first one, which is not translated.
    fn text(&self, tag: u32) -> String {
        let value = self.value(tag, &[STRING, TRANSLATED]).unwrap_or_default();
        let value = value.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(value).trim().to_owned()
    }

    fn installer(&self) -> Option<Installer> {
        let [name, version, release, summary, vendor, url, architecture] =
            [1000, 1001, 1002, 1004, 1011, 1020, 1022].map(|tag| self.text(tag));
        let is_word = |text: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-._~^".contains(c);
            !text.is_empty() && text.len() <= 200 && text.chars().all(is_plain)
        };
        if ![&name, &version, &release].into_iter().all(|text| is_word(text))
            || name.starts_with('-')
        {
            return None;
        }
        let epoch = self.value(1003, &[INT32]).map_or(0, number);
        let title = format!("{name} {version}-{release}");
        let version = format!("{epoch}:{version}-{release}");
        Some(Installer {
            title,
            description: summary,
            vendor,
            product: name.clone(),
            version: version.clone(),
            url,
            architecture: match &*architecture {
                "x86_64" => Some(Architecture::X64),
                "i386" | "i486" | "i586" | "i686" => Some(Architecture::X86),
                _ => None,
            },
            identity: Identity::Package { name, version },
            ..Installer::default()
        })
    }
}

#[cfg(test)]
mod tests;
