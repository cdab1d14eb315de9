//! Numbers and pieces of canonical bytes, written and read.

use crate::Error;

pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

pub(super) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads from the front; knows how far it is when it fails.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    pub(super) fn fail(&self, reason: &'static str) -> Error {
        Error::DecodeVector { at: self.at, reason }
    }

    pub(super) fn end(&self) -> Result<(), Error> {
        if self.at != self.bytes.len() {
            return Err(self.fail("bytes after the end"));
        }
        Ok(())
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let taken = self.bytes[self.at..].first_chunk();
        let taken = taken.ok_or_else(|| self.fail("ends too early"))?;
        self.at += N;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take::<1>()?[0])
    }

    pub(super) fn number(&mut self) -> Result<u64, Error> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift > 0 && byte == 0 || shift == 63 && byte > 1 {
                return Err(self.fail("a number is not in its shortest form"));
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.fail("a number is too long"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, Error> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn code(&mut self) -> Result<i32, Error> {
        i32::try_from(self.signed()?).map_err(|_| self.fail("a code is too large"))
    }

    pub(super) fn text(&mut self, length_max: usize) -> Result<String, Error> {
        let length = self.length(length_max)?;
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or_else(|| self.fail("ends too early"))?;
        self.at += length;
        let text = std::str::from_utf8(taken);
        text.map(str::to_owned).map_err(|_| self.fail("a text is not UTF-8"))
    }

    /// A list of at most `length_max` entries, checked before anything is allocated for it.
    pub(super) fn list<T>(
        &mut self,
        length_max: usize,
        mut entry: impl FnMut(&mut Reader<'a>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let length = self.length(length_max)?;
        let mut list = Vec::with_capacity(length.min(self.bytes.len() - self.at));
        for _ in 0..length {
            list.push(entry(self)?);
        }
        Ok(list)
    }

    fn length(&mut self, length_max: usize) -> Result<usize, Error> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > length_max {
            return Err(self.fail("a length is over its limit"));
        }
        Ok(length)
    }
}
