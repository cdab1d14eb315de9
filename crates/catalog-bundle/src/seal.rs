//! The beginning and the end of a bundle: what says that it is one, and how it is closed.

use model::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};

use crate::{Error, Manifest, limits};

/// What a bundle begins with. The last byte is the number of its format.
pub const MAGIC: &[u8; 8] = b"TLBUNDL1";

const END: &[u8; 8] = b"TLBNDEND";

/// Lengths of the manifest, of the seal and of the whole file, and `END`.
const FOOTER_BYTES: usize = 4 + 4 + 8 + 8;

/// Who answers for the manifest, as a site makes and judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Which key is the site's, with the certificates that say so.
    pub statement: Vec<u8>,
    /// The root of the site's hierarchy.
    pub root: Vec<u8>,
    /// With that key, over [`Seal::message`].
    pub signature: Vec<u8>,
}

impl Seal {
    /// What is signed: the digests of the manifest and of what the seal itself says, so that
    /// nothing of a bundle is without an answer.
    #[must_use]
    pub fn message(manifest: &[u8], statement: &[u8], root: &[u8]) -> Vec<u8> {
        [manifest, statement, root].iter().flat_map(Hasher::digest).collect()
    }
}

/// The end of a bundle, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub manifest: Manifest,
    /// What was signed.
    pub manifest_bytes: Vec<u8>,
    pub seal: Seal,
}

/// Whether a file that begins like this is a bundle; of a format that is not known here, too.
#[must_use]
pub fn is_bundle(beginning: &[u8]) -> bool {
    beginning.starts_with(&MAGIC[..7])
}

/// What follows the parts of a bundle whose parts have `parts_bytes` in all.
#[must_use]
pub fn close(manifest: &[u8], seal: &Seal, parts_bytes: u64) -> Vec<u8> {
    let mut trailer = manifest.to_vec();
    for field in [&seal.statement, &seal.root, &seal.signature] {
        trailer.extend(length(field).to_le_bytes());
        trailer.extend(field.as_slice());
    }
    let seal_bytes = u32::try_from(trailer.len() - manifest.len()).unwrap_or(u32::MAX);
    let total = (MAGIC.len() + trailer.len() + FOOTER_BYTES) as u64 + parts_bytes;
    trailer.extend(length(manifest).to_le_bytes());
    trailer.extend(seal_bytes.to_le_bytes());
    trailer.extend(total.to_le_bytes());
    trailer.extend(END);
    trailer
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

struct Footer {
    manifest: usize,
    seal: usize,
    total: u64,
}

impl Footer {
    /// Of a file of `found` bytes that ends with `tail`.
    fn read(tail: &[u8], found: u64) -> Result<Footer, Error> {
        let no_footer = || Error::NoFooter { found };
        let footer = tail.last_chunk::<FOOTER_BYTES>().ok_or_else(no_footer)?;
        if !footer.ends_with(END) {
            return Err(no_footer());
        }
        let number = |from: usize| {
            let bytes: [u8; 4] = footer[from..from + 4].try_into().expect("it is four bytes");
            u32::from_le_bytes(bytes)
        };
        let (manifest, seal) = (number(0), number(4));
        let total = u64::from(number(8)) | u64::from(number(12)) << 32;
        if total != found {
            return Err(Error::OtherLength { made: total, found });
        }
        if total > limits::BUNDLE_BYTES_MAX {
            let max = limits::BUNDLE_BYTES_MAX;
            return Err(Error::TooLarge { what: "whole", found, max });
        }
        let bounded = |what, size: u32, max: usize| {
            let (found, max) = (u64::from(size), max as u64);
            if found > max { Err(Error::TooLarge { what, found, max }) } else { Ok(size as usize) }
        };
        let manifest = bounded("manifest", manifest, limits::MANIFEST_BYTES_MAX)?;
        let seal = bounded("seal", seal, limits::SEAL_BYTES_MAX)?;
        Ok(Footer { manifest, seal, total })
    }

    fn trailer_bytes(&self) -> usize {
        self.manifest + self.seal + FOOTER_BYTES
    }
}

/// How many bytes at the end of a file of `total` bytes have to be read for [`Bundle::read`]; the
/// file ends with `tail`.
pub fn trailer_length(tail: &[u8], total: u64) -> Result<usize, Error> {
    Ok(Footer::read(tail, total)?.trailer_bytes())
}

impl Bundle {
    /// Reads the end of a file of `total` bytes that begins with `beginning`.
    pub fn read(beginning: &[u8], trailer: &[u8], total: u64) -> Result<Bundle, Error> {
        if !is_bundle(beginning) {
            return Err(Error::NoBundle);
        }
        match beginning.get(7) {
            Some(format) if *format == MAGIC[7] => {}
            Some(format) => return Err(Error::Format { found: char::from(*format) }),
            None => return Err(Error::NoBundle),
        }
        let footer = Footer::read(trailer, total)?;
        let cut_off = || Error::NoFooter { found: total };
        let start = trailer.len().checked_sub(footer.trailer_bytes()).ok_or_else(cut_off)?;
        let (manifest_bytes, rest) = trailer[start..].split_at(footer.manifest);
        let manifest = Manifest::from_bytes(manifest_bytes)?;
        let around = (MAGIC.len() + footer.trailer_bytes()) as u64;
        let made = manifest.size().saturating_add(around);
        if made != footer.total {
            return Err(Error::OtherLength { made, found: footer.total });
        }
        let seal = read_seal(&rest[..footer.seal]).ok_or(Error::Seal)?;
        Ok(Bundle { manifest, manifest_bytes: manifest_bytes.to_vec(), seal })
    }

    /// What names a bundle among all.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256(Hasher::digest(&self.manifest_bytes).into())
    }
}

fn read_seal(mut bytes: &[u8]) -> Option<Seal> {
    let mut field = || {
        let (size, rest) = bytes.split_first_chunk()?;
        let (field, rest) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
        bytes = rest;
        Some(field.to_vec())
    };
    let seal = Seal { statement: field()?, root: field()?, signature: field()? };
    bytes.is_empty().then_some(seal)
}
