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

#[derive(Debug)]
pub(crate) struct Metered<R> {
    pub(crate) inner: R,
    /// Where the last event begins.
    pub(crate) start: Position,
    /// Why the last read failed, if a budget was the reason.
    pub(crate) refusal: Option<Refusal>,
    limits: Limits,
    here: Position,
    source: Vec<u8>,
    start_in_source: usize,
    keeping: bool,
}

impl<R: BufRead> Metered<R> {
    pub(crate) fn new(inner: R, limits: Limits) -> Metered<R> {
        let here = Position { offset: 0, line: 1, column: 1 };
        Metered {
            inner,
            start: here,
            refusal: None,
            limits,
            here,
            source: Vec::new(),
            start_in_source: 0,
            keeping: false,
        }
    }

    pub(crate) fn begin_event(&mut self) {
        self.start = self.here;
        if !self.keeping {
            self.source.clear();
        }
        self.start_in_source = self.source.len();
    }

    /// The source of the last event.
    pub(crate) fn event_source(&self) -> &[u8] {
        &self.source[self.start_in_source..]
    }

    pub(crate) fn keep(&mut self) {
        self.source.drain(..self.start_in_source);
        self.start_in_source = 0;
        self.keeping = true;
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.keeping = false;
        self.start_in_source = 0;
        std::mem::take(&mut self.source)
    }

    /// Bytes that may still be handed out, and what to say when there are none.
    fn room(&self) -> (usize, Refusal) {
        let Limits { event_bytes, kept_bytes, total_bytes, .. } = self.limits;
        let event = event_bytes.saturating_sub(self.source.len() - self.start_in_source);
        let kept = kept_bytes.saturating_sub(self.source.len());
        let total =
            usize::try_from(total_bytes.saturating_sub(self.here.offset)).unwrap_or(usize::MAX);
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
        for byte in taken {
            if *byte == b'\n' {
                self.here.line += 1;
                self.here.column = 1;
            } else if byte & 0xC0 != 0x80 {
                self.here.column += 1;
            }
        }
        self.here.offset += count as u64;
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
