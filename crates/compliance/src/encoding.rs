//! The bytes of a state vector: canonical, so that equal content is equal bytes and a vector that
//! did not change writes nothing.
//!
//! ```text
//! version 1 | client 16 | incarnation 8 LE | serial v | covered v | scanned_at z | flags 1
//! [flag 1: scan_error: length v, UTF-8] | required list | installed list | unjudged list |
//! detail list
//! ```
//! `v` is an unsigned LEB128 number in its shortest form, `z` the same after zigzag. A list is its
//! length and, for each entry, the difference of its item number to the one before (the first to
//! zero); an entry of the detail list goes on with state 1, code z, at z. Flag 2 is the gap.
//! Whatever deviates is refused: longer forms, unknown flags, bytes after the end.

use model::{ClientId, Detail, EnforcementState, Timestamp, Vector};

use crate::Error;
use crate::limits::{CELLS_MAX, SCAN_ERROR_BYTES_MAX};

const VERSION: u8 = 1;
const FLAG_SCAN_ERROR: u8 = 1;
const FLAG_GAP: u8 = 2;

/// Fails only for a vector whose lists break the rules of the format, which [`crate::fold`] never
/// makes.
pub fn encode_vector(vector: &Vector) -> Result<Vec<u8>, Error> {
    check(vector).map_err(|reason| Error::EncodeVector { client: vector.client, reason })?;
    let cells = vector.required.len() + vector.installed.len() + vector.unjudged.len();
    let mut out = Vec::with_capacity(48 + 2 * cells + 12 * vector.detail.len());
    out.push(VERSION);
    out.extend_from_slice(vector.client.as_bytes());
    out.extend_from_slice(&vector.incarnation.to_le_bytes());
    put_number(&mut out, vector.serial);
    put_number(&mut out, vector.covered);
    put_signed(&mut out, vector.scanned_at.0);
    let scan_error = if vector.scan_error.is_some() { FLAG_SCAN_ERROR } else { 0 };
    out.push(scan_error | if vector.gap { FLAG_GAP } else { 0 });
    if let Some(text) = &vector.scan_error {
        put_number(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    for list in [&vector.required, &vector.installed, &vector.unjudged] {
        put_number(&mut out, list.len() as u64);
        let mut last = 0;
        for &item in list {
            put_number(&mut out, u64::from(item - last));
            last = item;
        }
    }
    put_number(&mut out, vector.detail.len() as u64);
    let mut last = 0;
    for detail in &vector.detail {
        put_number(&mut out, u64::from(detail.item - last));
        out.push(detail.state as u8);
        put_signed(&mut out, i64::from(detail.code));
        put_signed(&mut out, detail.at.0);
        last = detail.item;
    }
    Ok(out)
}

/// Reads what [`encode_vector`] wrote, and nothing else.
pub fn decode_vector(bytes: &[u8]) -> Result<Vector, Error> {
    let mut reader = Reader { bytes, at: 0 };
    let version = reader.byte()?;
    if version != VERSION {
        return Err(Error::UnknownVersion { version });
    }
    let client = ClientId::from_slice(reader.take(16)?).expect("a client id is 16 bytes");
    let incarnation = reader.take(8)?.try_into().expect("eight bytes were taken");
    let (serial, covered) = (reader.number()?, reader.number()?);
    let scanned_at = Timestamp(reader.signed()?);
    let flags = reader.byte()?;
    if flags & !(FLAG_SCAN_ERROR | FLAG_GAP) != 0 {
        return Err(reader.fail("unknown flag"));
    }
    let scan_error = if flags & FLAG_SCAN_ERROR == 0 { None } else { Some(reader.text()?) };
    let vector = Vector {
        client,
        incarnation: u64::from_le_bytes(incarnation),
        serial,
        covered,
        scanned_at,
        scan_error,
        gap: flags & FLAG_GAP != 0,
        required: reader.list(|_, item| Ok(item))?,
        installed: reader.list(|_, item| Ok(item))?,
        unjudged: reader.list(|_, item| Ok(item))?,
        detail: reader.list(Reader::detail)?,
    };
    if reader.at != bytes.len() {
        return Err(reader.fail("bytes after the end"));
    }
    check(&vector).map_err(|reason| reader.fail(reason))?;
    Ok(vector)
}

/// The rules of the format that its bytes alone do not enforce; asserted on both sides.
pub(crate) fn check(vector: &Vector) -> Result<(), &'static str> {
    let Vector { required, installed, unjudged, detail, .. } = vector;
    let lists = [required, installed, unjudged];
    if detail.len() > CELLS_MAX || lists.iter().any(|list| list.len() > CELLS_MAX) {
        return Err("a list is too long");
    }
    let ascends = |list: &&Vec<u32>| list.is_sorted_by(|a, b| a < b);
    if !lists.iter().all(ascends) || !detail.is_sorted_by(|a, b| a.item < b.item) {
        return Err("a list is not ascending");
    }
    let shared = |a: &[u32], b: &[u32]| a.iter().any(|item| b.binary_search(item).is_ok());
    if shared(installed, required) || shared(unjudged, required) || shared(unjudged, installed) {
        return Err("an item is in two lists");
    }
    if detail.iter().any(|detail| required.binary_search(&detail.item).is_err()) {
        return Err("a detail is about an item that is not required");
    }
    if vector.scan_error.as_ref().is_some_and(|text| text.len() > SCAN_ERROR_BYTES_MAX) {
        return Err("the scan error is too long");
    }
    Ok(())
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail(&self, reason: &'static str) -> Error {
        Error::DecodeVector { at: self.at, reason }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or_else(|| self.fail("ends too early"))?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u64, Error> {
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

    fn signed(&mut self) -> Result<i64, Error> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A length, checked before anything is allocated for it.
    fn length(&mut self, length_max: usize) -> Result<usize, Error> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if length > length_max {
            return Err(self.fail("a length is over its limit"));
        }
        Ok(length)
    }

    fn text(&mut self) -> Result<String, Error> {
        let length = self.length(SCAN_ERROR_BYTES_MAX)?;
        let text = std::str::from_utf8(self.take(length)?);
        text.map(str::to_owned).map_err(|_| self.fail("the scan error is not UTF-8"))
    }

    fn list<T>(
        &mut self,
        entry: impl Fn(&mut Reader<'a>, u32) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let length = self.length(CELLS_MAX)?;
        let mut list = Vec::with_capacity(length.min(self.bytes.len() - self.at));
        let mut last = 0_u32;
        for _ in 0..length {
            let step = u32::try_from(self.number()?).ok();
            let item = step.and_then(|step| last.checked_add(step));
            last = item.ok_or_else(|| self.fail("an item number is too large"))?;
            list.push(entry(self, last)?);
        }
        Ok(list)
    }

    fn detail(&mut self, item: u32) -> Result<Detail, Error> {
        let state = EnforcementState::from_number(u32::from(self.byte()?));
        Ok(Detail {
            item,
            state: state.map_err(|_| self.fail("unknown enforcement state"))?,
            code: i32::try_from(self.signed()?).map_err(|_| self.fail("a code is too large"))?,
            at: Timestamp(self.signed()?),
        })
    }
}

#[cfg(test)]
mod tests;
