//! Where a server keeps a file: `/Content/<last byte>/<SHA-1>.<extension>`, hex in upper case.

use std::fmt::Write;

use crate::normalize_path;

const ROOT: &str = "/content/";
/// Longer endings of a file name are no extension.
const EXTENSION_BYTES_MAX: usize = 16;

#[must_use]
pub fn content_path(sha1: &[u8; 20], file_name: &str) -> String {
    let mut path = format!("/Content/{:02X}/", sha1[19]);
    for byte in sha1 {
        // Writing into a String cannot fail.
        let _written = write!(path, "{byte:02X}");
    }
    let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_plain = extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain && (1..=EXTENSION_BYTES_MAX).contains(&extension.len()) {
        path.push('.');
        path.push_str(extension);
    }
    path
}

/// The digest a request asks for; letter case, doubled slashes and the extension do not matter,
/// the folder must be the right one.
#[must_use]
pub fn parse_content_path(path: &str) -> Option<[u8; 20]> {
    let path = normalize_path(path);
    let (folder, name) = path.strip_prefix(ROOT)?.split_once('/')?;
    let hex = name.split_once('.').map_or(name, |(stem, _)| stem);
    if hex.len() != 40 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut sha1 = [0; 20];
    for (byte, pair) in sha1.iter_mut().zip(hex.as_bytes().as_chunks::<2>().0) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (folder == &hex[38..]).then_some(sha1)
}
