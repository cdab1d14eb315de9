//! What a cabinet says of itself, checked before anything of it is unpacked (MS-CAB 2.3 and 2.4).
//!
//! The reader beneath trusts the places and sizes that folders and files name, and reaches a file
//! by unpacking all that precedes it in its folder. Owns that none of this leads out of the
//! cabinet, into a loop or into memory without end. Refuses to know names and content. Fails as
//! reading fails, with `InvalidData` for what is not sound.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use crate::limits::{CABINET_BLOCKS_MAX, CABINET_WINDOW_BITS_MAX};

const SIGNATURE: &[u8; 4] = b"MSCF";
/// The header up to the place of the files, and from the numbers of folders and files on.
const FILES_AT: usize = 16;
const COUNTS_AT: usize = 26;
const HEADER_BYTES: usize = 36;
const HAS_NEIGHBORS: u16 = 0b011;
const HAS_RESERVES: u16 = 0b100;
/// What a block is unpacked to at most.
const BLOCK_BYTES_MAX: u16 = 32_768;
const NAME_BYTES_MAX: usize = 256;
const STORED: u16 = 0;
const LZX: u16 = 3;

/// Places and sizes that have been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Unpacked bytes of each folder.
    pub folders: Vec<u64>,
    pub files: Vec<Member>,
}

/// A file within its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub offset: u64,
    pub size: u64,
}

struct Folder {
    blocks_at: u32,
    blocks: u16,
    method: u16,
}

impl Layout {
    /// Reads everything but names and content.
    pub fn read(input: &mut (impl Read + Seek)) -> io::Result<Layout> {
        input.seek(SeekFrom::Start(0))?;
        let header: [u8; HEADER_BYTES] = take(input)?;
        if !header.starts_with(SIGNATURE) {
            return Err(unsound("it is no cabinet"));
        }
        let [folders, files, flags] = [0, 2, 4].map(|at| half(&header, COUNTS_AT + at));
        if flags & HAS_NEIGHBORS != 0 {
            return Err(unsound("it is one of several cabinets"));
        }
        let mut reserves = [0; 4];
        if flags & HAS_RESERVES != 0 {
            reserves = take(input)?;
            input.seek(SeekFrom::Current(half(&reserves, 0).into()))?;
        }
        let [_, _, of_folder, of_block] = reserves;
        let folders = read_folders(input, folders, of_folder)?;
        let folders = folders.iter().map(|folder| measure(input, folder, of_block));
        let folders = folders.collect::<io::Result<Vec<u64>>>()?;
        input.seek(SeekFrom::Start(whole(&header, FILES_AT).into()))?;
        let files = (0..files).map(|_| read_file(input, &folders)).collect::<io::Result<_>>()?;
        Ok(Layout { folders, files })
    }

    /// Bytes that are unpacked when every file is read once.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.files.iter().map(|file| file.offset + file.size).sum()
    }
}

fn read_folders(input: &mut impl Read, count: u16, reserve: u8) -> io::Result<Vec<Folder>> {
    let mut blocks = 0;
    let mut read = || {
        let entry: [u8; 8] = take(input)?;
        io::copy(&mut input.by_ref().take(reserve.into()), &mut io::sink())?;
        let (blocks_at, method) = (whole(&entry, 0), half(&entry, 6));
        let folder = Folder { blocks_at, blocks: half(&entry, 4), method };
        blocks += usize::from(folder.blocks);
        if blocks > CABINET_BLOCKS_MAX {
            return Err(unsound("it has too many blocks"));
        }
        if method & 0xF == LZX && method >> 8 > CABINET_WINDOW_BITS_MAX {
            return Err(unsound("it wants too much memory"));
        }
        Ok(folder)
    };
    (0..count).map(|_| read()).collect()
}

/// Bytes of an unpacked folder, by what its blocks say.
fn measure(input: &mut (impl Read + Seek), folder: &Folder, reserve: u8) -> io::Result<u64> {
    let (mut at, mut bytes) = (u64::from(folder.blocks_at), 0);
    for _ in 0..folder.blocks {
        input.seek(SeekFrom::Start(at))?;
        let block: [u8; 8] = take(input)?;
        let (packed, unpacked) = (half(&block, 4), half(&block, 6));
        let is_stored = folder.method & 0xF == STORED;
        if unpacked > BLOCK_BYTES_MAX || is_stored && packed != unpacked {
            return Err(unsound("a block lies about its size"));
        }
        at += 8 + u64::from(reserve) + u64::from(packed);
        bytes += u64::from(unpacked);
    }
    Ok(bytes)
}

fn read_file(input: &mut impl Read, folders: &[u64]) -> io::Result<Member> {
    let entry: [u8; 16] = take(input)?;
    let (size, offset) = (whole(&entry, 0).into(), whole(&entry, 4).into());
    let folder = folders.get(usize::from(half(&entry, 8)));
    if folder.is_none_or(|bytes| offset + size > *bytes) {
        return Err(unsound("a file lies outside of its folder"));
    }
    let mut name = 0;
    while take::<1>(input)? != [0] {
        name += 1;
        if name > NAME_BYTES_MAX {
            return Err(unsound("a name is too long"));
        }
    }
    Ok(Member { offset, size })
}

fn take<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn whole(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn unsound(reason: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, reason)
}
