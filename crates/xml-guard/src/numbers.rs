//! Long lists of numbers, without an event for each.
//!
//! A request can hold two hundred thousand elements of one number each. Where they stand plainly
//! one after the other, `<int>1</int><int>2</int>`, their bytes are read as they are; whatever
//! else comes is left to events. All limits hold as if every element had been an event.

use std::io::BufRead;

use crate::{Error, XmlGuard};

/// More digits are left to whoever reads texts.
const DIGITS_MAX: usize = 9;

impl<R: BufRead> XmlGuard<R> {
    /// After a start or end tag: takes the elements `name` that follow at once and hold nothing
    /// but a number, as far as they are written plainly. Maybe none: events tell the rest.
    pub fn take_numbers(&mut self, name: &str, numbers: &mut Vec<i32>) -> Result<(), Error> {
        let (Some(start), Some(end)) = (Mark::of("<", name), Mark::of("</", name)) else {
            return Ok(());
        };
        while self.is_between_tags() {
            self.source_mut().begin_event();
            // What is wrong with the source shows in the event that comes next.
            let Ok(bytes) = self.source_mut().fill_buf() else { return Ok(()) };
            let mut taken = 0;
            while let Some((number, length)) = plain(&bytes[taken..], start, end) {
                numbers.push(number);
                taken += length;
            }
            if taken == 0 {
                return Ok(());
            }
            self.source_mut().consume(taken);
        }
        Ok(())
    }
}

/// A short tag as the number that its bytes make, so that looking for it is one comparison.
#[derive(Clone, Copy)]
struct Mark {
    bytes: u64,
    mask: u64,
    length: usize,
}

impl Mark {
    /// None for a tag that is too long.
    fn of(before: &str, name: &str) -> Option<Mark> {
        let length = before.len() + name.len() + 1;
        let mut bytes = [0; size_of::<u64>()];
        let mut mask = [0; size_of::<u64>()];
        let tag = before.bytes().chain(name.bytes()).chain([b'>']);
        tag.zip(bytes.get_mut(..length)?).for_each(|(byte, place)| *place = byte);
        mask[..length].fill(0xff);
        let (bytes, mask) = (u64::from_le_bytes(bytes), u64::from_le_bytes(mask));
        Some(Mark { bytes, mask, length })
    }

    /// Says no near the end of what is read: events tell the rest.
    fn begins(self, bytes: &[u8]) -> bool {
        let first = bytes.first_chunk().copied();
        first.is_some_and(|first| u64::from_le_bytes(first) & self.mask == self.bytes)
    }
}

/// The number of the element at the beginning, and the bytes of the element.
fn plain(bytes: &[u8], start: Mark, end: Mark) -> Option<(i32, usize)> {
    let rest = bytes.get(start.length..).filter(|_| start.begins(bytes))?;
    let (mut number, mut digits) = (0, 0);
    for byte in rest.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()) {
        number = number * 10 + i32::from(byte - b'0');
        digits += 1;
    }
    let is_plain = digits > 0 && end.begins(&rest[digits..]);
    is_plain.then_some((number, start.length + digits + end.length))
}
