//! The byte budget under quick-xml, which would buffer an event of any size whole.
//!
//! Owns counting: bytes of the event and of the document, lines and columns, and the source of
//! the element being kept. Refuses to know what the bytes mean.

use std::io::{self, BufRead, Read};

use crate::{Limits, Refusal};

/// A place in the document; the offset counts bytes of its UTF-8 form, after a byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub offset: u64,
    pub line: u64,
    pub column: u64,
}

impl Position {
    /// Where `bytes` from here end.
    fn after(self, bytes: &[u8]) -> Position {
        let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
        let last_line = &bytes[memchr::memrchr(b'\n', bytes).map_or(0, |newline| newline + 1)..];
        // Of a character in several bytes only the first counts.
        let is_first = |byte: &&u8| **byte & 0xC0 != 0x80;
        let characters = match last_line.is_ascii() {
            true => last_line.len(),
            false => last_line.iter().filter(is_first).count(),
        };
        Position {
            offset: self.offset + bytes.len() as u64,
            line: self.line + lines,
            column: characters as u64 + if lines == 0 { self.column } else { 1 },
        }
    }
}

/// Source that is held before its lines are counted: counting a stretch costs less than counting
/// every event.
const STRETCH_BYTES: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Metered<R> {
    pub(crate) inner: R,
    /// Why the last read failed, if a budget was the reason.
    pub(crate) refusal: Option<Refusal>,
    limits: Limits,
    source: Vec<u8>,
    /// Where `source` begins in the document, and the last event in `source`.
    here: Position,
    event: usize,
    keeping: bool,
}

impl<R: BufRead> Metered<R> {
    pub(crate) fn new(inner: R, limits: Limits) -> Metered<R> {
        let here = Position { offset: 0, line: 1, column: 1 };
        Metered { inner, refusal: None, limits, source: Vec::new(), here, event: 0, keeping: false }
    }

    pub(crate) fn begin_event(&mut self) {
        self.event = self.source.len();
        if !self.keeping && self.event > STRETCH_BYTES {
            self.forget();
        }
    }

    /// Where the last event begins.
    pub(crate) fn start(&self) -> Position {
        self.here.after(&self.source[..self.event])
    }

    /// Whether the last event is an element without an end tag of its own.
    pub(crate) fn is_empty_element(&self) -> bool {
        self.source[self.event..].ends_with(b"/>")
    }

    /// The source of the last event if the document begins with it.
    pub(crate) fn first_event(&self) -> Option<&[u8]> {
        (self.here.offset == 0 && self.event == 0).then_some(&self.source)
    }

    pub(crate) fn keep(&mut self) {
        self.forget();
        self.keeping = true;
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        let taken = self.source.clone();
        self.keeping = false;
        self.forget();
        taken
    }

    /// Lets go of what came before the last event.
    fn forget(&mut self) {
        self.here = self.start();
        self.source.drain(..self.event);
        self.event = 0;
    }

    /// Bytes that may still be handed out, and what to say when there are none.
    fn room(&self) -> (usize, Refusal) {
        let Limits { event_bytes, kept_bytes, total_bytes, .. } = self.limits;
        let event = event_bytes.saturating_sub(self.source.len() - self.event);
        let kept = kept_bytes.saturating_sub(self.source.len());
        let total = total_bytes.saturating_sub(self.here.offset + self.source.len() as u64);
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        if total <= event {
            (total, Refusal::TotalBytes(total_bytes))
        } else if self.keeping && kept < event {
            (kept, Refusal::KeptBytes(kept_bytes))
        } else {
            (event, Refusal::EventBytes(event_bytes))
        }
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (room, refusal) = self.room();
        let available = self.inner.fill_buf()?;
        if room == 0 && !available.is_empty() {
            self.refusal = Some(refusal);
            return Err(io::Error::other("a budget is used up"));
        }
        Ok(&available[..available.len().min(room)])
    }

    fn consume(&mut self, count: usize) {
        // The bytes were handed out by `fill_buf`, so asking again returns them from memory.
        let bytes = self.inner.fill_buf().unwrap_or_default();
        let taken = bytes.get(..count).unwrap_or_default();
        self.source.extend_from_slice(taken);
        self.inner.consume(count);
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(target)?;
        self.consume(count);
        Ok(count)
    }
}
