//! Packages of Debian and its kin (deb(5)).
//!
//! Owns the way to the control file: an `ar` archive, in it a compressed `tar`, in it the fields.
//! A package whose control file is packed with xz, which is not read here, says by its name what it
//! is: dpkg names packages NAME_VERSION_ARCHITECTURE.deb.

use std::io::{self, Read, Seek, SeekFrom};

use crate::{Architecture, Error, Identity, Installer};

/// Of the packed control archive, and of what it unpacks to. Scripts of maintainers are in it.
const CONTROL_BYTES_MAX: u64 = 8 << 20;

/// Members before the control archive; there is one.
const MEMBERS_MAX: usize = 8;

const AR_HEADER: usize = 60;
const TAR_BLOCK: usize = 512;

pub(crate) fn read<F: Read + Seek>(name: &str, mut file: F) -> Result<Installer, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other => {
            Error::Damaged { name: name.to_owned(), reason: source.to_string() }
        }
        _ => Error::Read { name: name.to_owned(), source },
    };
    let control = control(&mut file).map_err(failed)?;
    let found = match control {
        Some(control) => from_fields(&control),
        None => from_name(name),
    };
    found.ok_or_else(|| {
        let reason = "it does not say what package it is, and its name is not of the form \
                      NAME_VERSION_ARCHITECTURE.deb";
        Error::Damaged { name: name.to_owned(), reason: reason.to_owned() }
    })
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

/// The text of the control file; none if it is packed in a way that is not read here.
fn control<F: Read + Seek>(file: &mut F) -> io::Result<Option<String>> {
    file.seek(SeekFrom::Start(8))?;
    for _ in 0..MEMBERS_MAX {
        let mut header = [0; AR_HEADER];
        file.read_exact(&mut header)?;
        let field = |range: std::ops::Range<usize>| {
            std::str::from_utf8(&header[range]).unwrap_or_default().trim()
        };
        let (name, size) = (field(0..16).trim_end_matches('/'), field(48..58).parse::<u32>());
        let size = size.map_err(|_| invalid("a member of the archive has no size"))?;
        let Some(packing) = name.strip_prefix("control.tar") else {
            // Members begin at even offsets.
            file.seek(SeekFrom::Current(i64::from(size) + i64::from(size % 2)))?;
            continue;
        };
        let packed = file.take(u64::from(size).min(CONTROL_BYTES_MAX));
        return match packing {
            "" => in_tar(packed).map(Some),
            ".gz" => in_tar(flate2::read::GzDecoder::new(packed)).map(Some),
            ".zst" => in_tar(zstd::stream::read::Decoder::new(packed)?).map(Some),
            _ => Ok(None),
        };
    }
    Err(invalid("it holds no control archive"))
}

fn in_tar(archive: impl Read) -> io::Result<String> {
    let mut archive = archive.take(CONTROL_BYTES_MAX);
    loop {
        let mut header = [0; TAR_BLOCK];
        archive.read_exact(&mut header)?;
        let text = |range: std::ops::Range<usize>| {
            let bytes = &header[range];
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            std::str::from_utf8(&bytes[..end]).unwrap_or_default().trim().to_owned()
        };
        let (name, size) = (text(0..100), u64::from_str_radix(&text(124..136), 8));
        let size = size.map_err(|_| invalid("its control archive holds no control file"))?;
        if name.trim_start_matches("./") == "control" {
            let mut control = Vec::new();
            archive.take(size).read_to_end(&mut control)?;
            return Ok(String::from_utf8_lossy(&control).into_owned());
        }
        let blocks = size.div_ceil(TAR_BLOCK as u64).saturating_mul(TAR_BLOCK as u64);
        io::copy(&mut archive.by_ref().take(blocks), &mut io::sink())?;
    }
}

fn from_fields(control: &str) -> Option<Installer> {
    let field = |key: &str| {
        let line = control.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let maintainer = field("Maintainer");
    let vendor = maintainer.split('<').next().unwrap_or_default().trim().to_owned();
    let found = package(&field("Package"), &field("Version"), &field("Architecture"))?;
    Some(Installer { description: field("Description"), url: field("Homepage"), vendor, ..found })
}

fn from_name(name: &str) -> Option<Installer> {
    let stem = name.strip_suffix(".deb")?;
    let mut parts = stem.split('_');
    let (name, version, architecture) = (parts.next()?, parts.next()?, parts.next()?);
    // An epoch's colon does not stand in a file's name.
    package(name, &version.replace("%3a", ":"), architecture)
}

fn package(name: &str, version: &str, architecture: &str) -> Option<Installer> {
    let is_word = |text: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.~:".contains(c);
        !text.is_empty() && text.len() <= 200 && text.chars().all(is_plain)
    };
    (is_word(name) && is_word(version)).then(|| Installer {
        title: format!("{name} {version}"),
        product: name.to_owned(),
        version: version.to_owned(),
        architecture: match architecture {
            "amd64" => Some(Architecture::X64),
            "i386" => Some(Architecture::X86),
            _ => None,
        },
        identity: Identity::Package { name: name.to_owned(), version: version.to_owned() },
        ..Installer::default()
    })
}

#[cfg(test)]
mod tests;
