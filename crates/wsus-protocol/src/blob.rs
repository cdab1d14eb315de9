//! Document blobs: plain text, or a cabinet with one member "blob" holding UTF-16LE without a
//! byte order mark (MS-WSUSSS 2.2.4.14 and observed servers).

use std::io::{Cursor, Read, Write};

use cab::{Cabinet, CabinetBuilder, CompressionType};

use crate::Error;
use crate::cabinet::Layout;
use crate::limits::{
    DOCUMENT_BYTES_MAX, DOCUMENT_HARMLESS_BYTES, DOCUMENT_RATIO_MAX, PLAIN_DOCUMENT_BYTES_MAX,
};

const MEMBER: &str = "blob";
const BYTE_ORDER_MARK: u16 = 0xFEFF;
/// Where a cabinet's header tells the place of the first file entry.
const FIRST_ENTRY_AT: usize = 16;
/// Where a file entry holds date and time.
const ENTRY_DATE_AT: usize = 10;
/// 1980-01-01 00:00:00, so that equal documents make equal cabinets.
const FIXED_DATE: [u8; 4] = [0x21, 0, 0, 0];

/// An update document as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    Plain(String),
    /// A cabinet, not looked into before [`Blob::unpack`].
    Compressed(Vec<u8>),
}

impl Blob {
    /// Compressed (MSZIP) if the document is large, unless its reader would take it for a bomb.
    pub fn pack(document: &str) -> Result<Blob, Error> {
        let wide: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
        if wide.len() <= PLAIN_DOCUMENT_BYTES_MAX {
            return Ok(Blob::Plain(document.to_owned()));
        }
        let cabinet = write_cabinet(&wide).map_err(Error::WriteCabinet)?;
        let readable = is_size_allowed(wide.len(), cabinet.len());
        Ok(if readable { Blob::Compressed(cabinet) } else { Blob::Plain(document.to_owned()) })
    }

    /// The document; nothing is unpacked beyond the limits.
    pub fn unpack(&self) -> Result<String, Error> {
        match self {
            Blob::Plain(document) => Ok(document.clone()),
            Blob::Compressed(cabinet) => from_utf16(&read_cabinet(cabinet)?),
        }
    }
}

fn read_cabinet(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let refused = |reason| Error::UnpackDocument { reason };
    let mut input = Cursor::new(bytes);
    let layout = Layout::read(&mut input).map_err(Error::ReadCabinet)?;
    let ([unpacked], [member]) = (layout.folders.as_slice(), layout.files.as_slice()) else {
        return Err(refused("the cabinet must hold one file and nothing else"));
    };
    if (member.offset, member.size) != (0, *unpacked) {
        return Err(refused("the cabinet must hold one file and nothing else"));
    }
    let size = usize::try_from(*unpacked).unwrap_or(usize::MAX);
    if !is_size_allowed(size, bytes.len()) {
        return Err(refused("it is too large, or too large for its compressed size"));
    }
    input.set_position(0);
    let mut cabinet = Cabinet::new(input).map_err(Error::ReadCabinet)?;
    if cabinet.get_file_entry(MEMBER).is_none() {
        return Err(refused("the file is not named \"blob\""));
    }
    let mut wide = Vec::with_capacity(size);
    let mut reader = cabinet.read_file(MEMBER).map_err(Error::ReadCabinet)?;
    reader.read_to_end(&mut wide).map_err(Error::ReadCabinet)?;
    if wide.len() != size {
        return Err(refused("it is shorter than announced"));
    }
    Ok(wide)
}

fn is_size_allowed(size: usize, packed: usize) -> bool {
    let by_ratio = packed.saturating_mul(DOCUMENT_RATIO_MAX).max(DOCUMENT_HARMLESS_BYTES);
    size <= by_ratio.min(DOCUMENT_BYTES_MAX)
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

pub(crate) fn write_cabinet(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut builder = CabinetBuilder::new();
    builder.add_folder(CompressionType::MsZip).add_file(MEMBER);
    let mut cabinet = builder.build(Cursor::new(Vec::new()))?;
    while let Some(mut member) = cabinet.next_file()? {
        member.write_all(content)?;
    }
    let mut bytes = cabinet.finish()?.into_inner();
    // The builder stamps the current time, and no checksum covers the entry.
    if let Some(entry) = number_at(&bytes, FIRST_ENTRY_AT) {
        let date = entry as usize + ENTRY_DATE_AT;
        bytes[date..date + FIXED_DATE.len()].copy_from_slice(&FIXED_DATE);
    }
    Ok(bytes)
}

fn from_utf16(bytes: &[u8]) -> Result<String, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut units = pairs.iter().copied().map(u16::from_le_bytes).peekable();
    units.next_if_eq(&BYTE_ORDER_MARK);
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(Error::UnpackDocument { reason: "the file is not UTF-16" }),
    }
}
