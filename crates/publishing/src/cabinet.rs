//! Cabinets that are signed: what is written, where the signature lies, and what it covers.
//!
//! A cabinet with room for a signature has twenty reserved bytes behind its header; in them stand
//! the place and the size of the signature, which comes behind the cabinet.

use std::io::{self, Read, Seek, SeekFrom, Write};

use cab::{CabinetBuilder, CompressionType};
use model::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};

use crate::Error;

/// A folder of a cabinet has at most 65,535 blocks of 32 KiB.
pub const FILES_BYTES_MAX: u64 = 65_535 * 32 * 1024;

/// Certificates of publishers and of those who stamp times; real ones have 10 KiB.
const SIGNATURE_BYTES_MAX: u32 = 1 << 20;

const HEADER: usize = 60;
const RESERVED: u16 = 20;
const PLACE_OF_SIGNATURE: u64 = 44;
const HAS_RESERVE: u16 = 4;
const BUFFER: usize = 64 * 1024;

/// Writes a cabinet of these files and their sizes, with room for a signature, and says what a
/// signature covers. Files are not packed: installers are packed already.
pub fn write<R: Read>(
    files: Vec<(String, u64, R)>,
    mut out: impl Read + Write + Seek,
) -> Result<Sha256, Error> {
    let bytes = files.iter().map(|(_, size, _)| size).sum::<u64>();
    if bytes > FILES_BYTES_MAX {
        return Err(Error::LargeCabinet { bytes, max: FILES_BYTES_MAX });
    }
    let failed = |source| Error::Cabinet { source };
    fill(files, &mut out).map_err(failed)?;
    let size = out.seek(SeekFrom::End(0)).map_err(failed)?;
    digest(&mut out, size).map_err(failed)
}

fn fill<R: Read>(files: Vec<(String, u64, R)>, out: &mut (impl Write + Seek)) -> io::Result<()> {
    let mut builder = CabinetBuilder::new();
    let mut reserve = vec![0; usize::from(RESERVED)];
    reserve[2] = 0x10;
    builder.set_reserve_data(reserve);
    let folder = builder.add_folder(CompressionType::None);
    for (name, ..) in &files {
        folder.add_file(name.as_str());
    }
    let mut cabinet = builder.build(out)?;
    let mut contents = files.into_iter();
    while let Some(mut file) = cabinet.next_file()? {
        let (_, _, mut content) = contents.next().expect("each file was added once");
        io::copy(&mut content, &mut file)?;
    }
    cabinet.finish()?.flush()
}

/// Puts a signature behind a cabinet that [`write`] wrote.
pub fn append_signature(signature: &[u8], mut cabinet: impl Write + Seek) -> Result<(), Error> {
    let padding = signature.len().next_multiple_of(8) - signature.len();
    let mut append = || -> io::Result<()> {
        let place = cabinet.seek(SeekFrom::End(0))?;
        cabinet.write_all(signature)?;
        cabinet.write_all(&[0; 8][..padding])?;
        let sizes = [place, (signature.len() + padding) as u64];
        cabinet.seek(SeekFrom::Start(PLACE_OF_SIGNATURE))?;
        for size in sizes {
            let size = u32::try_from(size).map_err(io::Error::other)?;
            cabinet.write_all(&size.to_le_bytes())?;
        }
        cabinet.flush()
    };
    append().map_err(|source| Error::Cabinet { source })
}

/// The signature of a cabinet and the digest of what it covers; none if it is not signed, or is no
/// cabinet at all.
pub(crate) fn signature(
    cabinet: &mut (impl Read + Seek),
) -> Result<Option<(Vec<u8>, Sha256)>, Error> {
    let failed = |source| Error::ReadCabinet { source };
    let refuse = |reason: &str| Error::Signature { reason: reason.to_owned() };
    let size = cabinet.seek(SeekFrom::End(0)).map_err(failed)?;
    let Some(header) = header(cabinet, size).map_err(failed)? else { return Ok(None) };
    let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    if half(30) & HAS_RESERVE != 0 && half(36) == RESERVED && half(38) != 0 {
        // Nothing covers what says how folders and blocks are read.
        return Err(refuse("its folders or blocks have reserves"));
    }
    if half(30) & HAS_RESERVE == 0 || half(36) != RESERVED || word(40) != 0x0010_0000 {
        return Ok(None);
    }
    let (place, length) = (word(44), word(48));
    if (place, length) == (0, 0) {
        return Ok(None);
    }
    if length > SIGNATURE_BYTES_MAX {
        return Err(refuse("it is larger than any signature"));
    }
    if u64::from(place) + u64::from(length) != size || (place as usize) < HEADER {
        return Err(refuse("it does not lie behind the cabinet"));
    }
    let mut signature = vec![0; length as usize];
    cabinet.seek(SeekFrom::Start(u64::from(place))).map_err(failed)?;
    cabinet.read_exact(&mut signature).map_err(failed)?;
    let digest = digest(cabinet, u64::from(place)).map_err(failed)?;
    Ok(Some((signature, digest)))
}

fn header(cabinet: &mut (impl Read + Seek), size: u64) -> io::Result<Option<[u8; HEADER]>> {
    if size < HEADER as u64 {
        return Ok(None);
    }
    let mut header = [0; HEADER];
    cabinet.seek(SeekFrom::Start(0))?;
    cabinet.read_exact(&mut header)?;
    Ok(header.starts_with(b"MSCF").then_some(header))
}

/// Of everything up to `end` but a checksum, the cabinet's number in a set, and what the signature
/// itself changes.
fn digest(cabinet: &mut (impl Read + Seek), end: u64) -> io::Result<Sha256> {
    let mut header = [0; HEADER];
    cabinet.seek(SeekFrom::Start(0))?;
    cabinet.read_exact(&mut header)?;
    let mut hasher = Hasher::new();
    for covered in [0..4, 8..34, 56..HEADER] {
        hasher.update(&header[covered]);
    }
    let mut rest = cabinet.take(end.saturating_sub(HEADER as u64));
    let mut buffer = vec![0; BUFFER];
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(Sha256(hasher.finalize().into())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests;
