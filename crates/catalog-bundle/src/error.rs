//! Why a file is no bundle, or not a whole one.

use model::ErrorClass;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is no bundle; give a file that `tierline catalog export` wrote")]
    NoBundle,
    #[error(
        "it is a bundle of format {found:?}, this version reads {}; export it with the version \
         that is here, or upgrade this one",
        char::from(crate::MAGIC[7])
    )]
    Format { found: char },
    #[error(
        "it ends at byte {found}, before its footer or in it: it is cut off, or not a bundle \
         alone; copy it again"
    )]
    NoFooter { found: u64 },
    #[error("it has {found} bytes and was made with {made}; copy it again")]
    OtherLength { made: u64, found: u64 },
    #[error("its {what} has {found} bytes, at most {max} are taken; export less at a time")]
    TooLarge { what: &'static str, found: u64, max: u64 },
    #[error("its manifest is not usable: {reason}; export it again")]
    Manifest { reason: String },
    #[error("its seal is not usable; export it again")]
    Seal,
    #[error(
        "part {number} ({what}) at byte {offset} is not the one that was signed; copy it again"
    )]
    Altered { number: usize, what: &'static str, offset: u64 },
    #[error("its {what} cannot be read: {reason}; export it again")]
    Content { what: &'static str, reason: String },
    #[error("cannot pack documents")]
    Pack { source: std::io::Error },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::NoBundle
            | Error::Format { .. }
            | Error::NoFooter { .. }
            | Error::OtherLength { .. }
            | Error::TooLarge { .. }
            | Error::Manifest { .. }
            | Error::Seal
            | Error::Altered { .. }
            | Error::Content { .. } => ErrorClass::Invalid,
            Error::Pack { .. } => ErrorClass::Internal,
        }
    }
}
