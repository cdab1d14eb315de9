//! Several update documents in one operation (SYNC-34): they go as one archive, so that the update
//! point takes them together and says what became of each.

use std::fs::File;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::name_of;
use crate::arguments::unreadable;
use crate::failure::Failure;

/// What a document may have to go into a basket; the largest real ones have a few megabytes.
const DOCUMENT_BYTES_MAX: u64 = 32 << 20;

/// What goes into one basket, unpacked; beyond it there is another one.
const BASKET_BYTES_MAX: usize = 64 << 20;

/// What is handed in as one.
pub(super) enum Given {
    File(PathBuf),
    Basket { name: String, archive: Vec<u8> },
}

/// Files in the order given; documents beside each other become baskets.
pub(super) fn given(files: &[PathBuf]) -> Result<Vec<Given>, Failure> {
    let (mut given, mut basket) = (Vec::new(), Vec::new());
    for path in files {
        match document(path)? {
            Some(text) => {
                let held: usize = basket.iter().map(|(_, text): &(_, Vec<u8>)| text.len()).sum();
                if held + text.len() > BASKET_BYTES_MAX {
                    given.extend(close(&mut basket)?);
                }
                basket.push((path.clone(), text));
            }
            None => {
                given.extend(close(&mut basket)?);
                given.push(Given::File(path.clone()));
            }
        }
    }
    given.extend(close(&mut basket)?);
    Ok(given)
}

/// The text, if the file is a small XML document.
fn document(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let failed = |error| unreadable(&error, path.display().to_string());
    let mut file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > DOCUMENT_BYTES_MAX {
        return Ok(None);
    }
    let mut beginning = Vec::new();
    (&mut file).take(64).read_to_end(&mut beginning).map_err(failed)?;
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&beginning);
    if text.trim_ascii_start().first() != Some(&b'<') {
        return Ok(None);
    }
    file.read_to_end(&mut beginning).map_err(failed)?;
    Ok(Some(beginning))
}

/// One document goes as it is; several go packed.
fn close(basket: &mut Vec<(PathBuf, Vec<u8>)>) -> Result<Option<Given>, Failure> {
    let documents = std::mem::take(basket);
    if let [] | [_] = documents.as_slice() {
        return Ok(documents.into_iter().next().map(|(path, _)| Given::File(path)));
    }
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(error.to_string(), "the documents", "hand them in one by one")
    };
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, (path, text)) in documents.iter().enumerate() {
        // Files of several directories may have one name.
        let name = format!("{}/{}.xml", number + 1, name_of(path).trim_end_matches(".xml"));
        archive.start_file(name, SimpleFileOptions::default()).map_err(|error| failed(&error))?;
        archive.write_all(text).map_err(|error| failed(&error))?;
    }
    let archive = archive.finish().map_err(|error| failed(&error))?.into_inner();
    let name = format!("{} documents", documents.len());
    Ok(Some(Given::Basket { name, archive }))
}

#[cfg(test)]
mod tests;
