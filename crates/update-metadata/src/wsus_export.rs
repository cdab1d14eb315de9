//! The export package of the original server: what its utility writes on a connected server for
//! one that is not (STAT-20).
//!
//! Owns its two members: [`PackageReader`] pulls what the package says of itself out of
//! `package.xml`, [`MetadataReader`] pulls the documents out of `metadata.txt`, both in bounded
//! memory. Refuses to know cabinets and compression: callers hand in readers. Nobody signs such a
//! package; whether it is taken is somebody else's decision.

use std::io::{BufRead, Read as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{Sha1, UpdateId, UpdateRef};
use xml_guard::{Event, Limits, Tag, XmlGuard};

use crate::Error;
use crate::sdp::FileSource;

/// All that a server of any size lists of its updates; 1,000 bytes for each of ten million.
const PACKAGE_BYTES_MAX: u64 = 10 << 30;

/// One document, as the reader of documents has it.
const DOCUMENT_BYTES_MAX: usize = 32 << 20;

/// What comes before a document on its line: an id, a revision, a length, and a comma after each.
const PREFIX_BYTES_MAX: u64 = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The server it was made on, and when.
    Header {
        server_id: String,
        created_at: String,
    },
    Listed(UpdateRef),
    Source(FileSource),
    /// A document that stands in the list itself.
    Document {
        update: UpdateRef,
        xml: String,
    },
}

/// Reads `package.xml`, entry by entry.
#[derive(Debug)]
pub struct PackageReader<R> {
    guard: XmlGuard<R>,
    /// Of the Update element that was opened last.
    update: Option<UpdateRef>,
    is_inside: bool,
}

impl<R: BufRead> PackageReader<R> {
    pub fn new(input: R) -> PackageReader<R> {
        let event_bytes = DOCUMENT_BYTES_MAX;
        let limits = Limits { total_bytes: PACKAGE_BYTES_MAX, event_bytes, ..Limits::default() };
        PackageReader { guard: XmlGuard::new(input, limits), update: None, is_inside: false }
    }

    /// None once the package has ended well.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            let entry = match self.guard.next_event()? {
                Event::Start(tag) if self.is_inside => self.element(&tag)?,
                Event::Start(tag) if tag.local == "ExportPackage" => {
                    self.is_inside = true;
                    let attribute = |name| tag.attribute(name).unwrap_or_default().to_owned();
                    let server_id = attribute("ServerID").to_lowercase();
                    Some(Entry::Header { server_id, created_at: attribute("CreationTime") })
                }
                Event::Start(tag) => {
                    return Err(self.damaged(format!("<{}> is no export package", tag.local)));
                }
                Event::Text(_) | Event::End => None,
                Event::Eof => return Ok(None),
            };
            if entry.is_some() {
                return Ok(entry);
            }
        }
    }

    fn element(&mut self, tag: &Tag) -> Result<Option<Entry>, Error> {
        match (tag.local.as_str(), self.update) {
            ("Update", _) => {
                let update = identity(
                    tag.attribute("UpdateId").unwrap_or_default(),
                    tag.attribute("RevisionNumber").and_then(|number| number.parse().ok()),
                );
                let update = update.ok_or_else(|| self.damaged("an update has no identity"))?;
                self.update = Some(update);
                Ok(Some(Entry::Listed(update)))
            }
            // Of every update its files are listed once more by digest alone.
            ("File", _) => Ok(source(tag).map(Entry::Source)),
            ("Updates" | "Files" | "Languages", None) => Ok(None),
            ("Files" | "Categories" | "Classifications" | "Languages", Some(_)) => Ok(None),
            ("Xml", Some(update)) => {
                let xml = self.guard.read_text()?;
                Ok(Some(Entry::Document { update, xml }))
            }
            _ => {
                self.guard.skip_element()?;
                Ok(None)
            }
        }
    }

    fn damaged(&self, reason: impl Into<String>) -> Error {
        let position = self.guard.position();
        let place = format!("line {}, column {}", position.line, position.column);
        Error::ReadExport { place, reason: reason.into() }
    }
}

fn identity(id: &str, revision: Option<u32>) -> Option<UpdateRef> {
    Some(UpdateRef { id: id.parse::<UpdateId>().ok()?, revision: revision? })
}

/// Where a file can be had; none if it says no address.
fn source(tag: &Tag) -> Option<FileSource> {
    let url = tag.attribute("MUUrl").filter(|url| !url.is_empty())?.to_owned();
    let digest = STANDARD.decode(tag.attribute("Digest")?).ok()?;
    Some(FileSource { sha1: Sha1::from_slice(&digest).ok()?, url })
}

/// Reads `metadata.txt`: for each update a line of its id, its revision and the length of its
/// document, both in eight hex digits, and the document, which may hold line ends itself. The
/// length counts UTF-16 units, as the original server's language does.
#[derive(Debug)]
pub struct MetadataReader<R> {
    input: R,
    /// Documents read so far, for messages.
    count: u64,
}

impl<R: BufRead> MetadataReader<R> {
    pub fn new(input: R) -> MetadataReader<R> {
        MetadataReader { input, count: 0 }
    }

    /// None at the end.
    pub fn next_document(&mut self) -> Result<Option<(UpdateRef, String)>, Error> {
        let Some((update, units)) = self.prefix()? else { return Ok(None) };
        let text = self.text(units)?;
        let mut rest = [0; 1];
        for expected in *b"\r\n" {
            let end = self.peek()?;
            if end == Some(expected) {
                self.input.read_exact(&mut rest).map_err(|error| self.unread(&error))?;
            } else if expected == b'\n' && end.is_some() {
                return Err(self.damaged("its document is longer than it says"));
            }
        }
        self.count += 1;
        Ok(Some((update, text)))
    }

    fn peek(&mut self) -> Result<Option<u8>, Error> {
        let count = self.count;
        let buffer = self.input.fill_buf().map_err(|error| unread(count, &error))?;
        Ok(buffer.first().copied())
    }

    /// Identity and length of the next document.
    fn prefix(&mut self) -> Result<Option<(UpdateRef, usize)>, Error> {
        let mut fields = Vec::new();
        for number in 0..3 {
            let mut field = Vec::new();
            let taken = self.input.by_ref().take(PREFIX_BYTES_MAX).read_until(b',', &mut field);
            taken.map_err(|error| self.unread(&error))?;
            if field.is_empty() && number == 0 {
                return Ok(None);
            }
            if field.pop() != Some(b',') {
                return Err(self.damaged("its id, revision and length are not there"));
            }
            fields.push(String::from_utf8_lossy(&field).into_owned());
        }
        let hex = |text: &str| u32::from_str_radix(text, 16).ok();
        let id = fields[0].trim_start_matches('\u{feff}');
        let update = identity(id, hex(&fields[1]));
        let update = update.ok_or_else(|| self.damaged("its id or revision is none"))?;
        let units = hex(&fields[2]).and_then(|units| usize::try_from(units).ok());
        match units.filter(|units| *units <= DOCUMENT_BYTES_MAX) {
            Some(units) => Ok(Some((update, units))),
            None => Err(self.damaged("its length is none, or more than 32 MiB")),
        }
    }

    /// So many UTF-16 units of text. In UTF-8 a byte that begins a character stands for one unit,
    /// or for two where it begins four bytes; those that go on stand for none.
    fn text(&mut self, units: usize) -> Result<String, Error> {
        let (mut bytes, mut left) = (Vec::new(), units);
        loop {
            let count = self.count;
            let buffer = self.input.fill_buf().map_err(|error| unread(count, &error))?;
            if buffer.is_empty() && left > 0 {
                return Err(self.damaged("its document is cut off"));
            }
            let mut used = 0;
            for byte in buffer {
                let units = match byte {
                    0x80..0xc0 => 0,
                    0xf0.. => 2,
                    _ => 1,
                };
                if units > left {
                    break;
                }
                left -= units;
                used += 1;
            }
            let is_over = used < buffer.len() || buffer.is_empty();
            if bytes.len() + used > DOCUMENT_BYTES_MAX {
                return Err(self.damaged("its document is larger than 32 MiB"));
            }
            bytes.extend_from_slice(&buffer[..used]);
            self.input.consume(used);
            if is_over {
                break;
            }
        }
        String::from_utf8(bytes).map_err(|_| self.damaged("its document is not UTF-8"))
    }

    fn unread(&self, error: &std::io::Error) -> Error {
        unread(self.count, error)
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::ReadExport { place: place(self.count), reason: reason.to_owned() }
    }
}

fn place(count: u64) -> String {
    format!("metadata.txt, document {}", count + 1)
}

fn unread(count: u64, error: &std::io::Error) -> Error {
    Error::ReadExport { place: place(count), reason: error.to_string() }
}

#[cfg(test)]
mod tests;
