//! The compression of bodies that Windows calls xpress (MS-WUSP 2.1.1, MS-XCA 2.3 and 2.4).
//!
//! A body is a row of blocks, each with its size before and after; a block that does not shrink is
//! stored. Blocks do not refer to each other, so bodies compressed one by one can be joined.
//! Within a block 32 flags precede 32 elements, which are bytes or references into the 8 KiB
//! before. Refuses to know headers. Fails with the place in the body; what is unpacked never
//! exceeds what the caller allows.

use crate::Error;
use crate::limits::{XPRESS_BLOCK_BYTES, XPRESS_BLOCK_BYTES_MAX};

const WINDOW: usize = 8_192;
const MATCH_MIN: usize = 3;
/// Earlier places with the same beginning that are compared: more find little more.
const TRIES_MAX: usize = 16;
const HASH_BITS: u32 = 12;
/// Longest lengths that fit into the reference, the nibble and the byte after it.
const IN_REFERENCE: usize = 7;
const IN_NIBBLE: usize = 15;
const IN_BYTE: usize = 255;

#[must_use]
pub fn compress(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() / 4);
    for block in body.chunks(XPRESS_BLOCK_BYTES) {
        let packed = compress_block(block);
        let payload = if packed.len() < block.len() { packed.as_slice() } else { block };
        for size in [block.len(), payload.len()] {
            out.extend_from_slice(&(size as u32).to_le_bytes());
        }
        out.extend_from_slice(payload);
    }
    out
}

/// How large a body says it is, as far as its blocks can be followed; nothing is checked.
#[must_use]
pub fn announced_bytes(packed: &[u8]) -> usize {
    let mut input = Input { bytes: packed, at: 0 };
    let mut bytes = 0_usize;
    while let (Ok(size), Ok(packed_size)) = (input.size(), input.size()) {
        bytes = bytes.saturating_add(size);
        input.at = input.at.saturating_add(packed_size);
    }
    bytes
}

/// The body, which may have `max` bytes.
pub fn decompress(packed: &[u8], max: usize) -> Result<Vec<u8>, Error> {
    let mut input = Input { bytes: packed, at: 0 };
    let mut out = Vec::new();
    while input.at < packed.len() {
        let (size, packed_size) = (input.size()?, input.size()?);
        if size == 0 || size.max(packed_size) > XPRESS_BLOCK_BYTES_MAX {
            return Err(input.refused("a block is empty or too large"));
        }
        if out.len() + size > max {
            return Err(input.refused("it is larger than allowed"));
        }
        let start = out.len();
        let end = input.at + packed_size;
        let block = packed.get(..end).ok_or_else(|| input.refused("it is cut short"))?;
        if size == packed_size {
            out.extend_from_slice(&block[input.at..]);
        } else {
            let mut block = Input { bytes: block, at: input.at };
            decompress_block(&mut block, &mut out, start + size)?;
        }
        input.at = end;
    }
    Ok(out)
}

#[derive(Debug)]
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk()).copied();
        let taken = taken.ok_or_else(|| self.refused("it is cut short"))?;
        self.at += N;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<usize, Error> {
        self.take().map(|[byte]| byte.into())
    }

    fn half(&mut self) -> Result<usize, Error> {
        self.take().map(|bytes| u16::from_le_bytes(bytes).into())
    }

    fn size(&mut self) -> Result<usize, Error> {
        self.take().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn refused(&self, reason: &'static str) -> Error {
        Error::UnpackBody { at: self.at, reason }
    }
}

/// Appends the block to `out`, which then has `end` bytes.
fn decompress_block(input: &mut Input<'_>, out: &mut Vec<u8>, end: usize) -> Result<(), Error> {
    let start = out.len();
    let (mut flags, mut flags_left) = (0, 0_u32);
    let mut nibble = None;
    while out.len() < end {
        if flags_left == 0 {
            flags = input.size()?;
            flags_left = 32;
        }
        flags_left -= 1;
        if flags >> flags_left & 1 == 0 {
            out.push(input.byte()? as u8);
            continue;
        }
        let reference = input.half()?;
        let offset = (reference >> 3) + 1;
        let length = read_length(input, reference & 7, &mut nibble)?;
        if offset > out.len() - start || length > end - out.len() {
            return Err(input.refused("a reference leads out of its block"));
        }
        for _ in 0..length {
            out.push(out[out.len() - offset]);
        }
    }
    Ok(())
}

/// Two long lengths share a byte for their nibbles: the first takes the lower one.
fn read_length(
    input: &mut Input<'_>,
    in_reference: usize,
    nibble: &mut Option<usize>,
) -> Result<usize, Error> {
    if in_reference < IN_REFERENCE {
        return Ok(in_reference + MATCH_MIN);
    }
    let in_nibble = match nibble.take() {
        Some(upper) => upper,
        None => {
            let shared = input.byte()?;
            *nibble = Some(shared >> 4);
            shared & 15
        }
    };
    if in_nibble < IN_NIBBLE {
        return Ok(in_nibble + IN_REFERENCE + MATCH_MIN);
    }
    let in_byte = input.byte()?;
    if in_byte < IN_BYTE {
        return Ok(in_byte + IN_NIBBLE + IN_REFERENCE + MATCH_MIN);
    }
    let whole = match input.half()? {
        0 => input.size()?,
        whole => whole,
    };
    if whole < IN_NIBBLE + IN_REFERENCE {
        return Err(input.refused("a length is written too long"));
    }
    Ok(whole + MATCH_MIN)
}

/// What a block is written into.
#[derive(Debug)]
struct Output {
    bytes: Vec<u8>,
    flags: u32,
    flags_left: u32,
    flags_at: usize,
    /// Where the upper half of a byte is free for the next nibble.
    nibble_at: Option<usize>,
}

fn compress_block(block: &[u8]) -> Vec<u8> {
    let mut out =
        Output { bytes: vec![0; 4], flags: 0, flags_left: 32, flags_at: 0, nibble_at: None };
    let mut places = Places::new(block.len());
    let mut at = 0;
    while at < block.len() {
        let (offset, length) = places.longest(block, at);
        let step = if length < MATCH_MIN { 1 } else { length };
        if step == 1 {
            out.bytes.push(block[at]);
            out.flag(0);
        } else {
            out.reference(offset, length);
            out.flag(1);
        }
        for place in at..at + step {
            places.add(block, place);
        }
        at += step;
    }
    out.finish()
}

impl Output {
    fn flag(&mut self, flag: u32) {
        self.flags = self.flags << 1 | flag;
        self.flags_left -= 1;
        if self.flags_left == 0 {
            self.write_flags(self.flags);
            (self.flags, self.flags_left, self.flags_at) = (0, 32, self.bytes.len());
            self.bytes.extend_from_slice(&[0; 4]);
        }
    }

    fn write_flags(&mut self, flags: u32) {
        self.bytes[self.flags_at..self.flags_at + 4].copy_from_slice(&flags.to_le_bytes());
    }

    fn reference(&mut self, offset: usize, length: usize) {
        let length = length - MATCH_MIN;
        let reference = (offset - 1) << 3 | length.min(IN_REFERENCE);
        self.bytes.extend_from_slice(&(reference as u16).to_le_bytes());
        let Some(more) = length.checked_sub(IN_REFERENCE) else { return };
        self.nibble(more.min(IN_NIBBLE) as u8);
        let Some(more) = more.checked_sub(IN_NIBBLE) else { return };
        self.bytes.push(more.min(IN_BYTE) as u8);
        if more >= IN_BYTE {
            self.bytes.extend_from_slice(&(length as u16).to_le_bytes());
        }
    }

    fn nibble(&mut self, nibble: u8) {
        match self.nibble_at.take() {
            Some(at) => self.bytes[at] |= nibble << 4,
            None => {
                self.nibble_at = Some(self.bytes.len());
                self.bytes.push(nibble);
            }
        }
    }

    /// Flags without elements are set: the first of them ends the block.
    fn finish(mut self) -> Vec<u8> {
        let unused = u64::MAX >> (64 - self.flags_left);
        self.write_flags((u64::from(self.flags) << self.flags_left | unused) as u32);
        self.bytes
    }
}

/// Earlier places of a block by the three bytes that begin there.
#[derive(Debug)]
struct Places {
    /// The last place of each hash, and for each place the one before; counted from 1.
    last: Vec<u16>,
    before: Vec<u16>,
}

impl Places {
    fn new(block_bytes: usize) -> Places {
        Places { last: vec![0; 1 << HASH_BITS], before: vec![0; block_bytes] }
    }

    fn hash(block: &[u8], at: usize) -> Option<usize> {
        let [a, b, c] = *block.get(at..)?.first_chunk::<MATCH_MIN>()?;
        let key = u32::from(a) | u32::from(b) << 8 | u32::from(c) << 16;
        Some((key.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize)
    }

    fn add(&mut self, block: &[u8], at: usize) {
        if let Some(hash) = Places::hash(block, at) {
            self.before[at] = self.last[hash];
            self.last[hash] = at as u16 + 1;
        }
    }

    /// Offset and length of the longest match, (0, 0) if there is none.
    fn longest(&self, block: &[u8], at: usize) -> (usize, usize) {
        let Some(hash) = Places::hash(block, at) else { return (0, 0) };
        let mut best = (0, 0);
        let mut next = usize::from(self.last[hash]);
        for _ in 0..TRIES_MAX {
            let Some(place) = next.checked_sub(1).filter(|place| at - place <= WINDOW) else {
                break;
            };
            let pairs = block[place..].iter().zip(&block[at..]);
            let length = pairs.take_while(|(a, b)| a == b).count();
            if length > best.1 {
                best = (at - place, length);
            }
            next = usize::from(self.before[place]);
        }
        best
    }
}
