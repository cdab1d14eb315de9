//! Catalog files as they are given: bare XML, packed with gzip or not, or a zip or cabinet of such.
//!
//! Owns unpacking under limits: how many members, how large in all, how much larger than the
//! archive. Names in an archive are for messages only; what is unpacked gets names of our own.
//! Refuses to know what the XML says. Fails with the archive's name and the reason.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use cab::Cabinet;
use flate2::bufread::GzDecoder;
use wsus_protocol::cabinet::Layout;
use zip::ZipArchive;

use crate::{Error, limits};

/// A document of a catalog file.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Files of a cabinet are reached by reading their folder from its start; beyond this many bytes
/// in all that would take minutes.
const CABINET_WORK_MAX: u64 = 8 << 30;

/// The end of a zip whose directory may have more than 65,535 entries, all of which are held in
/// memory: the locator of the larger directory, and right behind it the end of the smaller.
const ZIP64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const ZIP_END: &[u8; 4] = b"PK\x05\x06";
const ZIP64_LOCATOR_BYTES: usize = 20;

/// The documents of the file at `path`, called `name`; those of an archive are put into `work`.
pub(crate) fn unpack(path: &Path, name: &str, work: &Path) -> Result<Vec<Member>, Error> {
    let mut file = File::open(path).map_err(Error::files("open", path))?;
    let size = file.metadata().map_err(Error::files("inspect", path))?.len();
    if size > limits::CATALOG_BYTES_MAX {
        let reason = format!("it is larger than {} bytes", limits::CATALOG_BYTES_MAX);
        return Err(Error::Archive { name: name.to_owned(), reason });
    }
    let mut magic = [0; 4];
    // What is shorter than four bytes is no archive.
    let is_long = file.read_exact(&mut magic).is_ok();
    file.seek(SeekFrom::Start(0)).map_err(Error::files("read", path))?;
    let allowed = size.saturating_mul(limits::ARCHIVE_RATIO_MAX);
    let allowed = allowed.clamp(limits::ARCHIVE_HARMLESS_BYTES, limits::CATALOG_BYTES_MAX);
    let mut unpacking = Unpacking { name, work, members: Vec::new(), left: allowed };
    match &magic {
        b"PK\x03\x04" if is_long => unpacking.zip(BufReader::new(file))?,
        b"MSCF" if is_long => unpacking.cabinet(BufReader::new(file))?,
        [0x1f, 0x8b, ..] => {
            let member = name.trim_end_matches(".gz").to_owned();
            unpacking.take(member, GzDecoder::new(BufReader::new(file)))?;
        }
        _ => return Ok(vec![Member { name: name.to_owned(), path: path.to_owned() }]),
    }
    if unpacking.members.is_empty() {
        return Err(unpacking.refuse("it holds no .sdp or .xml file"));
    }
    Ok(unpacking.members)
}

struct Unpacking<'a> {
    name: &'a str,
    work: &'a Path,
    members: Vec<Member>,
    /// Bytes that may still be unpacked.
    left: u64,
}

impl Unpacking<'_> {
    fn refuse(&self, reason: impl ToString) -> Error {
        Error::Archive { name: self.name.to_owned(), reason: reason.to_string() }
    }

    fn zip(&mut self, mut file: BufReader<File>) -> Result<(), Error> {
        if is_zip64(&mut file).map_err(|error| self.refuse(error))? {
            return Err(self.refuse(format!("it holds more than {} files", limits::MEMBERS_MAX)));
        }
        let mut archive = ZipArchive::new(file).map_err(|error| self.refuse(error))?;
        for index in 0..archive.len() {
            let member = archive.by_index(index).map_err(|error| self.refuse(error))?;
            let name = member.name().map_err(|error| self.refuse(error))?.into_owned();
            if is_document(&name) {
                self.take(name, member)?;
            }
        }
        Ok(())
    }

    fn cabinet(&mut self, mut file: BufReader<File>) -> Result<(), Error> {
        let layout = Layout::read(&mut file).map_err(|error| self.refuse(error))?;
        if layout.work() > CABINET_WORK_MAX || layout.files.len() > limits::MEMBERS_MAX {
            return Err(self.refuse("it holds too many files; pack them as a zip"));
        }
        file.seek(SeekFrom::Start(0)).map_err(|error| self.refuse(error))?;
        let mut cabinet = Cabinet::new(file).map_err(|error| self.refuse(error))?;
        let entries = cabinet.folder_entries().flat_map(|folder| folder.file_entries());
        let names: Vec<String> = entries.map(|entry| entry.name().to_owned()).collect();
        for name in names.into_iter().filter(|name| is_document(name)) {
            let member = cabinet.read_file(&name).map_err(|error| self.refuse(error))?;
            self.take(name, member)?;
        }
        Ok(())
    }

    fn take(&mut self, name: String, content: impl Read) -> Result<(), Error> {
        if self.members.len() == limits::MEMBERS_MAX {
            return Err(self.refuse(format!("it holds more than {} files", limits::MEMBERS_MAX)));
        }
        let path = self.work.join(format!("{}.xml", self.members.len()));
        let mut file = File::create(&path).map_err(Error::files("make", &path))?;
        let copied = io::copy(&mut content.take(self.left + 1), &mut file);
        let copied = copied.map_err(|error| self.refuse(format!("{name}: {error}")))?;
        self.left = self.left.checked_sub(copied).ok_or_else(|| {
            self.refuse("unpacked it is too large, or too large for its packed size")
        })?;
        self.members.push(Member { name, path });
        Ok(())
    }
}

/// Looks at the whole file, since the end of a zip may be followed by anything.
fn is_zip64(file: &mut (impl BufRead + Seek)) -> io::Result<bool> {
    let mut found = false;
    let mut kept: Vec<u8> = Vec::new();
    loop {
        let read = file.fill_buf()?;
        if read.is_empty() || found {
            file.seek(SeekFrom::Start(0))?;
            return Ok(found);
        }
        kept.extend_from_slice(read);
        let count = read.len();
        file.consume(count);
        let whole = ZIP64_LOCATOR_BYTES + ZIP_END.len();
        found = kept.windows(whole).any(|w| w.starts_with(ZIP64_LOCATOR) && w.ends_with(ZIP_END));
        kept.drain(..kept.len().saturating_sub(whole - 1));
    }
}

fn is_document(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".sdp") || name.ends_with(".xml")
}
