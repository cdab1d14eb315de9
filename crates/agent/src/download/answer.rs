//! Whether an answer to a request for a file can be the file, judged before any of it is read.
//!
//! Owns no decision about who is asked next. Sizes are policy's: whoever announces another one
//! has another file.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION};
use http::{HeaderMap, Response, StatusCode};
use model::Invalid;

use crate::limits;

/// Of an address in an answer, enough to recognize it.
const SHOWN_CHARS: usize = 200;

/// Why an answer is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It leads to this address, which is as it came, but for its length.
    Elsewhere(String),
    Status(u16),
    /// It is about something else than the file.
    Other(Invalid),
}

/// The byte of the file with which the body begins, if the bytes from `offset` on of a file of
/// `size` were asked for.
pub(crate) fn begins_at<B>(answer: &Response<B>, offset: u64, size: u64) -> Result<u64, Unfit> {
    let headers = answer.headers();
    let status = answer.status();
    if status.is_redirection() && headers.contains_key(LOCATION) {
        let to = value(headers, &LOCATION).unwrap_or("an address that is none");
        return Err(Unfit::Elsewhere(to.chars().take(limits::ADDRESS_BYTES_MAX + 1).collect()));
    }
    let (start, length) = match status {
        StatusCode::OK => (0, size),
        StatusCode::PARTIAL_CONTENT => range(headers, offset, size)?,
        _ => return Err(Unfit::Status(status.as_u16())),
    };
    let encoding = text(headers, &CONTENT_ENCODING).unwrap_or_default();
    if headers.contains_key(CONTENT_ENCODING) && !encoding.eq_ignore_ascii_case("identity") {
        return Err(other("content-encoding", format!("{encoding:?} was not asked for")));
    }
    let announced = headers.get_all(CONTENT_LENGTH).iter();
    for announced in announced.map(|value| value.to_str().unwrap_or_default()) {
        if announced != length.to_string() {
            let reason = format!("announces {announced} bytes instead of {length}");
            return Err(other("content-length", reason));
        }
    }
    Ok(start)
}

/// `bytes 20-99/100`: the first byte, and how many.
fn range(headers: &HeaderMap, offset: u64, size: u64) -> Result<(u64, u64), Unfit> {
    let said = text(headers, &CONTENT_RANGE).unwrap_or_default();
    let read = || {
        let (range, total) = said.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| text.parse::<u64>().ok();
        Some((number(first)?, number(last)?, number(total)?))
    };
    match read() {
        Some((first, last, total))
            if first == offset && first <= last && last < total && total == size =>
        {
            Ok((first, last - first + 1))
        }
        _ => {
            let wanted = size.saturating_sub(1);
            let reason = format!("is {said:?}; asked for was bytes {offset}-{wanted}/{size}");
            Err(other("content-range", reason))
        }
    }
}

/// The one value of a header, as far as it can be shown.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(value(headers, name)?.chars().take(SHOWN_CHARS).collect())
}

/// The one value of a header.
fn value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next()?, values.next()) {
        (value, None) => Some(value.to_str().unwrap_or("no text")),
        (_, Some(_)) => Some("several"),
    }
}

fn other(field: &'static str, reason: String) -> Unfit {
    Unfit::Other(Invalid::new(field, reason))
}

#[cfg(test)]
mod tests;
