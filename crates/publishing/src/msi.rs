//! Databases of Windows Installer: products (.msi) and patches (.msp).
//!
//! Owns the few tables that say what a file is. They are read straight from their streams, column
//! by column: what the rest of a database holds cannot cost anything. Every stream is read up to a
//! limit, so that a file that lies about its sizes is refused early.

use std::io::{self, Read, Seek};

use cfb::CompoundFile;

use crate::codepage::decode;
use crate::{Architecture, Error, Identity, Installer, Kind};

/// Strings of a database: hundreds of thousands in the largest.
const STRINGS_BYTES_MAX: u64 = 32 << 20;

/// Of one of the tables that are read: a few hundred rows.
const TABLE_BYTES_MAX: u64 = 1 << 20;

/// Of the summary, and of a text that is shown.
const SUMMARY_BYTES_MAX: u64 = 1 << 20;
const TEXT_CHARACTERS_MAX: usize = 2_000;

/// Products that one patch is for.
const PRODUCTS_MAX: usize = 1_000;

/// Where the summary has what (MS-OLEPS, and Windows Installer's meaning of it).
const CODEPAGE: u32 = 1;
const TITLE: u32 = 2;
const SUBJECT: u32 = 3;
const AUTHOR: u32 = 4;
const COMMENTS: u32 = 6;
const TEMPLATE: u32 = 7;
const REVISION: u32 = 9;

pub(crate) fn read<F: Read + Seek>(kind: Kind, name: &str, file: F) -> Result<Installer, Error> {
    let damaged = |reason: String| Error::Damaged { name: name.to_owned(), reason };
    let mut database = Database::open(file).map_err(|error| damaged(error.to_string()))?;
    let read = match kind {
        Kind::Msp => patch(&mut database),
        _ => product(&mut database),
    };
    let mut found = read.map_err(|error| damaged(error.to_string()))?;
    let is_known = match &found.identity {
        Identity::Product { code } => is_guid(code),
        Identity::Patch { code, products } => {
            is_guid(code) && !products.is_empty() && products.iter().all(|code| is_guid(code))
        }
        Identity::Unknown | Identity::Package { .. } => false,
    };
    if !is_known {
        let what = if kind == Kind::Msp { "no patch code or no target" } else { "no ProductCode" };
        return Err(damaged(format!("it has {what}")));
    }
    for text in [&mut found.title, &mut found.description, &mut found.vendor, &mut found.product] {
        *text = shortened(text);
    }
    Ok(found)
}

fn product<F: Read + Seek>(database: &mut Database<F>) -> io::Result<Installer> {
    let rows = database.table("Property", 2)?;
    let property = |name: &str| {
        let row = rows.iter().find(|row| row[0] == name);
        row.map_or_else(String::new, |row| row[1].trim().to_owned())
    };
    let (name, version) = (property("ProductName"), property("ProductVersion"));
    let comments = property("ARPCOMMENTS");
    let template = database.summary.text(TEMPLATE);
    Ok(Installer {
        title: [&*name, &version].join(" ").trim().to_owned(),
        description: if comments.is_empty() { database.summary.text(COMMENTS) } else { comments },
        vendor: property("Manufacturer"),
        url: property("ARPURLINFOABOUT"),
        language: property("ProductLanguage").parse().map_or_else(|_| String::new(), language),
        architecture: match template.split(';').next() {
            Some("x64" | "AMD64") => Some(Architecture::X64),
            // Both kinds of Windows take it.
            _ => None,
        },
        identity: Identity::Product { code: property("ProductCode").to_uppercase() },
        product: name,
        version,
    })
}

fn patch<F: Read + Seek>(database: &mut Database<F>) -> io::Result<Installer> {
    let rows = match database.has_table("MsiPatchMetadata") {
        true => database.table("MsiPatchMetadata", 3)?,
        false => Vec::new(),
    };
    let property = |name: &str| {
        let row = rows.iter().find(|row| row[1] == name);
        row.map_or_else(String::new, |row| row[2].trim().to_owned())
    };
    let or = |text: String, id: u32| match text.is_empty() {
        true => database.summary.text(id),
        false => text,
    };
    // The revision begins with the patch's own code; those it replaces come after it.
    let code: String = database.summary.text(REVISION).chars().take(38).collect();
    let template = database.summary.text(TEMPLATE);
    let products = template.split(';').map(|code| code.trim().to_uppercase());
    let products = products.filter(|code| !code.is_empty()).take(PRODUCTS_MAX);
    Ok(Installer {
        title: or(or(property("DisplayName"), TITLE), SUBJECT),
        description: or(property("Description"), COMMENTS),
        vendor: or(property("ManufacturerName"), AUTHOR),
        product: property("TargetProductName"),
        url: property("MoreInfoURL"),
        identity: Identity::Patch { code: code.to_uppercase(), products: products.collect() },
        ..Installer::default()
    })
}

fn shortened(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARACTERS_MAX).collect()
}

/// In braces, as Windows Installer writes them.
pub(crate) fn is_guid(text: &str) -> bool {
    let is_inside = |(place, character): (usize, char)| match place {
        0 => character == '{',
        9 | 14 | 19 | 24 => character == '-',
        37 => character == '}',
        _ => character.is_ascii_hexdigit(),
    };
    text.len() == 38 && text.char_indices().all(is_inside)
}

/// The primary languages of Windows, by their numbers; others are left out.
fn language(lcid: u16) -> String {
    const LANGUAGES: [(u16, &str); 24] = [
        (0x01, "ar"),
        (0x02, "bg"),
        (0x04, "zh"),
        (0x05, "cs"),
        (0x06, "da"),
        (0x07, "de"),
        (0x08, "el"),
        (0x09, "en"),
        (0x0a, "es"),
        (0x0b, "fi"),
        (0x0c, "fr"),
        (0x0d, "he"),
        (0x0e, "hu"),
        (0x10, "it"),
        (0x11, "ja"),
        (0x12, "ko"),
        (0x13, "nl"),
        (0x14, "nb"),
        (0x15, "pl"),
        (0x16, "pt"),
        (0x18, "ro"),
        (0x19, "ru"),
        (0x1d, "sv"),
        (0x1f, "tr"),
    ];
    let found = LANGUAGES.iter().find(|(primary, _)| *primary == lcid & 0x3ff);
    found.map_or("", |(_, tag)| tag).to_owned()
}

struct Database<F> {
    file: CompoundFile<F>,
    strings: Vec<String>,
    /// Bytes of a reference to a string.
    reference: usize,
    summary: Summary,
}

impl<F: Read + Seek> Database<F> {
    fn open(file: F) -> io::Result<Database<F>> {
        let mut file = CompoundFile::open(file)?;
        let summary = stream(&mut file, "\u{5}SummaryInformation", SUMMARY_BYTES_MAX)?;
        let pool = stream(&mut file, &stream_name("_StringPool"), STRINGS_BYTES_MAX)?;
        let data = stream(&mut file, &stream_name("_StringData"), STRINGS_BYTES_MAX)?;
        let (strings, reference) = strings(&pool, &data)?;
        Ok(Database { file, strings, reference, summary: Summary::read(&summary) })
    }

    fn has_table(&self, table: &str) -> bool {
        self.file.is_stream(stream_name(table))
    }

    /// The rows of a table whose columns all are strings.
    fn table(&mut self, table: &str, columns: usize) -> io::Result<Vec<Vec<String>>> {
        let bytes = stream(&mut self.file, &stream_name(table), TABLE_BYTES_MAX)?;
        let rows = bytes.len() / (columns * self.reference);
        let cell = |row: usize, column: usize| {
            let at = (column * rows + row) * self.reference;
            let mut reference = [0; 4];
            reference[..self.reference].copy_from_slice(&bytes[at..at + self.reference]);
            let index = u32::from_le_bytes(reference) as usize;
            // Zero is no string, and what is not there says nothing.
            self.strings.get(index.wrapping_sub(1)).cloned().unwrap_or_default()
        };
        let row = |row| (0..columns).map(|column| cell(row, column)).collect();
        Ok((0..rows).map(row).collect())
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

fn stream<F: Read + Seek>(file: &mut CompoundFile<F>, name: &str, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.open_stream(name)?.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(invalid("a table is larger than any installer needs"));
    }
    Ok(bytes)
}

/// Names of tables are packed, two characters in one, behind a mark.
fn stream_name(table: &str) -> String {
    const ALPHABET: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._";
    let value = |character: char| ALPHABET.find(character).and_then(|at| u32::try_from(at).ok());
    let characters: Vec<char> = table.chars().collect();
    let packed = characters.chunks(2).flat_map(|pair| {
        let values: Vec<u32> = pair.iter().filter_map(|&character| value(character)).collect();
        match values[..] {
            [first, second] => char::from_u32(0x3800 + (second << 6) + first),
            [first] => char::from_u32(0x4800 + first),
            _ => None,
        }
    });
    std::iter::once('\u{4840}').chain(packed).collect()
}

/// The strings of the database, the first of them number 1, and how many bytes a reference has.
fn strings(pool: &[u8], data: &[u8]) -> io::Result<(Vec<String>, usize)> {
    let (head, entries) = pool.split_first_chunk().ok_or_else(|| invalid("it has no strings"))?;
    let head = u32::from_le_bytes(*head);
    let reference = if head & 0x8000_0000 == 0 { 2 } else { 3 };
    let codepage = (head & 0xffff) as u16;
    let mut strings = Vec::new();
    let mut data = data;
    let mut entries = entries.as_chunks::<4>().0.iter();
    while let Some(&[low, high, count_low, count_high]) = entries.next() {
        let short = u16::from_le_bytes([low, high]);
        let is_long = short == 0 && (count_low, count_high) != (0, 0);
        let length = match is_long {
            false => usize::from(short),
            true => {
                let long = entries.next().ok_or_else(|| invalid("its strings end early"))?;
                u32::from_le_bytes(*long) as usize
            }
        };
        let text = data.split_at_checked(length);
        let (text, rest) = text.ok_or_else(|| invalid("its strings are shorter than they say"))?;
        strings.push(decode(text, codepage));
        data = rest;
    }
    Ok((strings, reference))
}

/// The texts of a property set (MS-OLEPS). What is not where it says is left out.
#[derive(Debug, Default)]
struct Summary {
    texts: Vec<(u32, String)>,
}

impl Summary {
    fn read(bytes: &[u8]) -> Summary {
        Summary::sections(bytes).unwrap_or_default()
    }

    fn text(&self, id: u32) -> String {
        let found = self.texts.iter().find(|(known, _)| *known == id);
        found.map_or_else(String::new, |(_, text)| text.trim().to_owned())
    }

    fn sections(bytes: &[u8]) -> Option<Summary> {
        // The first set begins where the header says.
        let set = bytes.get(number(bytes, 44)? as usize..)?;
        let count = number(set, 4)?.min(100);
        let place = |index: u32| {
            let at = 8 + 8 * index as usize;
            Some((number(set, at)?, number(set, at + 4)? as usize))
        };
        let places: Vec<(u32, usize)> = (0..count).filter_map(place).collect();
        let codepage = places.iter().find(|(id, _)| *id == CODEPAGE);
        let codepage = codepage.and_then(|(_, at)| number(set, at + 4)).unwrap_or(1252);
        let text = |&(id, at): &(u32, usize)| {
            // VT_LPSTR: a length, then so many bytes, the last of them zero.
            (number(set, at)? == 30).then_some(())?;
            let length = number(set, at + 4)? as usize;
            let bytes = set.get(at + 8..)?.get(..length)?;
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            Some((id, decode(&bytes[..end], (codepage & 0xffff) as u16)))
        };
        Some(Summary { texts: places.iter().filter_map(text).collect() })
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
