//! Why a message could not be decoded or a document not packed or unpacked.

use crate::Fault;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the message is not acceptable XML")]
    ReadXml(#[from] xml_guard::Error),
    #[error("the message has no element {element}")]
    FindElement { element: &'static str },
    #[error("element {element} holds {value:?}, which is not {expected}")]
    ReadElement { element: String, value: String, expected: &'static str },
    #[error("the revision list names more than {max} revisions")]
    ReadRevisionList { max: usize },
    #[error("list {element} has more than {max} items")]
    ReadList { element: String, max: usize },
    #[error("the server answered with a fault")]
    Fault(#[source] Box<Fault>),
    #[error("the document gives no fragments: line {line}, column {column}: {reason}")]
    DeriveFragments { line: u64, column: u64, reason: &'static str },
    #[error("the compressed body cannot be unpacked: {reason} at byte {at}")]
    UnpackBody { at: usize, reason: &'static str },
    #[error("the compressed document cannot be unpacked: {reason}")]
    UnpackDocument { reason: &'static str },
    #[error("the cabinet of the compressed document cannot be read")]
    ReadCabinet(#[source] std::io::Error),
    #[error("the document cannot be packed into a cabinet")]
    WriteCabinet(#[source] std::io::Error),
}

impl Error {
    /// The parameter to blame in a fault of code `InvalidParameters`.
    #[must_use]
    pub fn parameter(&self) -> &str {
        match self {
            Error::FindElement { element } => element,
            Error::ReadElement { element, .. } | Error::ReadList { element, .. } => element,
            Error::ReadXml(_)
            | Error::ReadRevisionList { .. }
            | Error::Fault(_)
            | Error::DeriveFragments { .. }
            | Error::UnpackBody { .. }
            | Error::UnpackDocument { .. }
            | Error::ReadCabinet(_)
            | Error::WriteCabinet(_) => "message",
        }
    }
}
