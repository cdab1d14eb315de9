//! What cannot be published, and what to do about it.

use std::io;

use model::ErrorClass;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{name} is no installer that can be published; publish .msi, .msp or .exe for Windows, \
         .deb, .rpm or a script for Linux"
    )]
    Kind { name: String },
    #[error("{name} cannot be read")]
    Read { name: String, source: io::Error },
    #[error("{name} is damaged: {reason}")]
    Damaged { name: String, reason: String },
    #[error(
        "{name} may ask questions, and an update that does cannot be used; name what makes it \
         silent, as in --arguments \"/q\", or --arguments \"\" if it never asks"
    )]
    NotSilent { name: String },
    #[error("{name} does not say what it is; name it with --title")]
    NoTitle { name: String },
    #[error("{option} \"{text}\": {reason}")]
    Answer { option: &'static str, text: String, reason: &'static str },
    #[error(
        "{name}: it cannot be seen whether it is installed, because its arguments hold a single \
         quote; name a rule with --detect, or write the arguments with double quotes"
    )]
    Unmarkable { name: String },
    #[error("{name} cannot be written as a package: {reason}")]
    Package { name: String, reason: String },
    #[error("the cabinet cannot be written")]
    Cabinet { source: io::Error },
    #[error("the files have {bytes} bytes; a cabinet holds at most {max}")]
    LargeCabinet { bytes: u64, max: u64 },
    #[error("the cabinet cannot be read")]
    ReadCabinet { source: io::Error },
    #[error("the signature of the cabinet is not usable: {reason}")]
    Signature { reason: String },
    #[error("the signature cannot be made")]
    Sign(#[from] trust::Error),
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Kind { .. }
            | Error::NotSilent { .. }
            | Error::NoTitle { .. }
            | Error::Answer { .. }
            | Error::Unmarkable { .. }
            | Error::Package { .. }
            | Error::LargeCabinet { .. } => ErrorClass::Invalid,
            Error::Damaged { .. } | Error::Signature { .. } => ErrorClass::Corrupt,
            Error::Read { .. } | Error::ReadCabinet { .. } => ErrorClass::Unavailable,
            Error::Cabinet { source } => match source.kind() {
                io::ErrorKind::StorageFull => ErrorClass::Exhausted,
                _ => ErrorClass::Unavailable,
            },
            Error::Sign(error) => error.class(),
        }
    }
}
