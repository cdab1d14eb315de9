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
        let (start, end) = (format!("<{name}>"), format!("</{name}>"));
        while self.is_between_tags() {
            self.source_mut().begin_event();
            // What is wrong with the source shows in the event that comes next.
            let Ok(bytes) = self.source_mut().fill_buf() else { return Ok(()) };
            let mut taken = 0;
            while let Some((number, length)) = plain(&bytes[taken..], &start, &end) {
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

/// The number of the element at the beginning, and the bytes of the element.
fn plain(bytes: &[u8], start: &str, end: &str) -> Option<(i32, usize)> {
    let rest = bytes.strip_prefix(start.as_bytes())?;
    let mut number = 0;
    let digits = rest.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    for digit in &rest[..digits] {
        number = number * 10 + i32::from(digit - b'0');
    }
    let is_plain = digits > 0 && rest[digits..].starts_with(end.as_bytes());
    is_plain.then_some((number, start.len() + digits + end.len()))
}
