//! How a file is asked for and answered over HTTP (RFC 9110 sections 13 and 14).
//!
//! The plan of an answer is pure: headers in, status, headers and byte ranges out. The entity tag
//! is the digest, so it is strong and the same on every server, and a client may change servers in
//! the middle of a file.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::request::{self, Request};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use model::Sha256;

use crate::error::Error;
use crate::library::FileReader;
use crate::limits;

/// Asks for what `path` names, from byte `offset` on.
pub fn ask_from(path: &str, offset: u64) -> request::Builder {
    match offset {
        0 => Request::get(path),
        offset => Request::get(path).header(RANGE, format!("bytes={offset}-")),
    }
}

/// The byte of the file with which the answer to [`ask_from`] begins, if it brings the file: a
/// server that knows no ranges sends all of it.
pub fn first_byte<B>(answer: &Response<B>, offset: u64) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let continues = range.is_some_and(|range| range.starts_with(&format!("bytes {offset}-")));
    match answer.status() {
        StatusCode::OK => Some(0),
        StatusCode::PARTIAL_CONTENT if continues => Some(offset),
        _ => None,
    }
}

impl FileReader {
    /// The answer to a request for this file. A file that cannot be read any more ends the body
    /// early, which the client notices.
    pub fn answer(
        &self,
        request: &request::Parts,
    ) -> Response<impl Stream<Item = Result<Bytes, Error>> + use<>> {
        let file = ServedFile { size: self.size(), sha256: self.sha256() };
        let plan = plan_answer(&request.method, &request.headers, file);
        let Answer { status, headers, parts } = plan;
        let reader = self.clone();
        let mut response = Response::new(stream::iter(parts).flat_map(move |part| {
            let head = (!part.head.is_empty()).then_some(Ok(part.head));
            stream::iter(head).chain(reader.pieces(part.range))
        }));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// The file a request names.
#[derive(Clone, Copy, Debug)]
struct ServedFile {
    size: u64,
    sha256: Sha256,
}

/// What to send.
#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// The body: for each part `head`, then the bytes of `range` of the file.
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// Empty but in a multipart answer.
    head: Bytes,
    range: Range<u64>,
}

/// What the Range header asks for.
enum Wanted {
    Whole,
    Ranges(Vec<Range<u64>>),
    Unsatisfiable,
    Malformed,
}

/// Plans the answer to `method` with `headers` for `file`.
fn plan_answer(method: &Method, headers: &HeaderMap, file: ServedFile) -> Answer {
    let tag = format!("\"{}\"", file.sha256);
    if method != Method::GET && method != Method::HEAD {
        let mut answer = Answer::new(StatusCode::METHOD_NOT_ALLOWED, &tag, 0);
        answer.set(ALLOW, "GET, HEAD");
        return answer;
    }
    if is_known(headers, &tag) {
        let mut answer = Answer::new(StatusCode::NOT_MODIFIED, &tag, 0);
        answer.headers.remove(CONTENT_LENGTH);
        return answer;
    }
    if method == Method::HEAD {
        return Answer::new(StatusCode::OK, &tag, file.size);
    }
    match wanted(headers, &tag, file.size) {
        Wanted::Whole => {
            let mut answer = Answer::new(StatusCode::OK, &tag, file.size);
            answer.parts = vec![Part { head: Bytes::new(), range: 0..file.size }];
            answer
        }
        Wanted::Ranges(ranges) => partial(&tag, file, &ranges),
        Wanted::Unsatisfiable => {
            let mut answer = Answer::new(StatusCode::RANGE_NOT_SATISFIABLE, &tag, 0);
            answer.set(CONTENT_RANGE, &format!("bytes */{}", file.size));
            answer
        }
        Wanted::Malformed => Answer::new(StatusCode::BAD_REQUEST, &tag, 0),
    }
}

impl Answer {
    fn new(status: StatusCode, tag: &str, length: u64) -> Answer {
        let mut answer = Answer { status, headers: HeaderMap::new(), parts: Vec::new() };
        answer.set(ACCEPT_RANGES, "bytes");
        answer.set(ETAG, tag);
        answer.set(CONTENT_TYPE, "application/octet-stream");
        answer.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        answer
    }

    fn set(&mut self, name: HeaderName, value: &str) {
        let value = HeaderValue::from_str(value).expect("made of digits, hex and fixed text");
        self.headers.insert(name, value);
    }
}

fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    // If-Range compares strongly, and a date is never ours: then the client's part is of another
    // file, and it needs the whole of this one.
    if headers.get(IF_RANGE).is_some_and(|value| value.as_bytes() != tag.as_bytes()) {
        return Wanted::Whole;
    }
    let Some(value) = headers.get(RANGE) else { return Wanted::Whole };
    let Ok(value) = value.to_str() else { return Wanted::Malformed };
    match value.split_once('=') {
        Some((unit, specs)) if unit.trim().eq_ignore_ascii_case("bytes") => parse(specs, size),
        // Another unit is to be ignored.
        Some(_) => Wanted::Whole,
        None => Wanted::Malformed,
    }
}

fn parse(specs: &str, size: u64) -> Wanted {
    let specs = specs.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let specs: Vec<&str> = specs.take(limits::RANGES_MAX + 1).collect();
    if specs.is_empty() {
        return Wanted::Malformed;
    }
    if specs.len() > limits::RANGES_MAX {
        return Wanted::Whole;
    }
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for spec in specs {
        match parse_range(spec, size) {
            Some(range) if range.is_empty() => {}
            Some(range) => ranges.push(range),
            None => return Wanted::Malformed,
        }
    }
    let total = ranges.iter().fold(0, |sum: u64, r| sum.saturating_add(r.end - r.start));
    if ranges.is_empty() {
        Wanted::Unsatisfiable
    } else if total > size {
        // Ranges that overlap ask for more than there is; the whole file is shorter.
        Wanted::Whole
    } else {
        Wanted::Ranges(ranges)
    }
}

/// `FIRST-LAST`, `FIRST-` or `-SUFFIX`; empty if nothing of it is in the file.
fn parse_range(spec: &str, size: u64) -> Option<Range<u64>> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More than 64 bits are beyond every file.
        is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (first, last) = spec.split_once('-')?;
    if first.is_empty() {
        return Some(size.saturating_sub(number(last)?)..size);
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    (first <= last).then(|| first.min(size)..last.saturating_add(1).min(size))
}

fn partial(tag: &str, file: ServedFile, ranges: &[Range<u64>]) -> Answer {
    let content_range = |r: &Range<u64>| format!("bytes {}-{}/{}", r.start, r.end - 1, file.size);
    if let [range] = ranges {
        let length = range.end - range.start;
        let mut answer = Answer::new(StatusCode::PARTIAL_CONTENT, tag, length);
        answer.set(CONTENT_RANGE, &content_range(range));
        answer.parts = vec![Part { head: Bytes::new(), range: range.clone() }];
        return answer;
    }
    // A file that contains its own digest cannot be made, so this never occurs in the content.
    let boundary = &tag.trim_matches('"')[..32];
    let head = |(index, range): (usize, &Range<u64>)| {
        let start = if index == 0 { "" } else { "\r\n" };
        let kind = "Content-Type: application/octet-stream";
        let line = content_range(range);
        format!("{start}--{boundary}\r\n{kind}\r\nContent-Range: {line}\r\n\r\n").into()
    };
    let parts = ranges.iter().enumerate();
    let mut parts: Vec<Part> =
        parts.map(|part| Part { head: head(part), range: part.1.clone() }).collect();
    parts.push(Part { head: format!("\r\n--{boundary}--\r\n").into(), range: 0..0 });
    let length = |part: &Part| part.head.len() as u64 + part.range.end - part.range.start;
    let length = parts.iter().map(length).sum();
    let mut answer = Answer::new(StatusCode::PARTIAL_CONTENT, tag, length);
    answer.set(CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    answer.parts = parts;
    answer
}

/// If-None-Match compares weakly: a weak tag of ours still names these bytes.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let names_it = |t: &str| t == "*" || t.strip_prefix("W/").unwrap_or(t) == tag;
    let tags = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    tags.is_some_and(|tags| tags.split(',').map(str::trim).any(names_it))
}

#[cfg(test)]
mod tests;
