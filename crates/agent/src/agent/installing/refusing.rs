//! Why an installer was not even begun.
//!
//! Owns the codes for that. They are codes of the platform and never the system's own numbers,
//! which would be taken for what an installer ends with.

use std::io::{self, ErrorKind};

use client::Ended;
use client::plan::BUSY;

use super::{NO_INSTALLER, UNSPECIFIED, WRONG_DIGEST};

const FILE_NOT_FOUND: i32 = 0x8007_0002_u32.cast_signed();
const ACCESS_DENIED: i32 = 0x8007_0005_u32.cast_signed();
const OUT_OF_MEMORY: i32 = 0x8007_000E_u32.cast_signed();
const WRITE_PROTECTED: i32 = 0x8007_0013_u32.cast_signed();
const DISK_FULL: i32 = 0x8007_0070_u32.cast_signed();
const BAD_PROGRAM: i32 = 0x8007_00C1_u32.cast_signed();

/// ENOEXEC, for which there is no kind.
const NO_EXECUTABLE: i32 = 8;

pub(super) fn not_run(error: &io::Error) -> Ended {
    let reason = error.to_string();
    tracing::warn!(reason, "an installer could not be run");
    let code = match (error.kind(), error.raw_os_error()) {
        (_, Some(NO_EXECUTABLE)) => BAD_PROGRAM,
        (ErrorKind::InvalidData, _) => WRONG_DIGEST,
        (ErrorKind::Unsupported | ErrorKind::InvalidInput, _) => NO_INSTALLER,
        (ErrorKind::ResourceBusy, _) => BUSY,
        (ErrorKind::NotFound | ErrorKind::NotADirectory, _) => FILE_NOT_FOUND,
        (ErrorKind::PermissionDenied, _) => ACCESS_DENIED,
        (ErrorKind::OutOfMemory | ErrorKind::WouldBlock, _) => OUT_OF_MEMORY,
        (ErrorKind::ReadOnlyFilesystem, _) => WRITE_PROTECTED,
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => DISK_FULL,
        _ => UNSPECIFIED,
    };
    Ended::NotRun { code, reason }
}

#[cfg(test)]
mod tests;
