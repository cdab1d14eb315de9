//! Why a document was refused, and where.

/// A refusal with the place where the refused event begins (both count from 1, columns in
/// characters; input that is not valid UTF-8 is noticed at most 8 KiB ahead).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {refusal}")]
pub struct Error {
    pub line: u64,
    pub column: u64,
    pub refusal: Refusal,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not well-formed: {0}")]
    NotWellFormed(String),
    #[error("document type declarations are not accepted; remove the DOCTYPE")]
    Doctype,
    #[error("entity {0:?} is not accepted; write the characters it stands for")]
    Entity(String),
    #[error("the bytes are not {0}, or it is not accepted; save the document as UTF-8")]
    Encoding(String),
    #[error("elements are nested more than {0} deep")]
    Depth(usize),
    #[error("more than {0} attributes on an element, or namespaces in scope")]
    Attributes(usize),
    #[error("a tag or the text of an element is larger than {0} bytes")]
    EventBytes(usize),
    #[error("an element is larger than {0} bytes")]
    KeptBytes(usize),
    #[error("more than {0} elements and attributes in one message")]
    TreeNodes(usize),
    #[error("the document is larger than {0} bytes")]
    TotalBytes(u64),
    #[error("the document could not be read: {0}")]
    Read(String),
}

impl Refusal {
    pub(crate) fn malformed(what: impl Into<String>) -> Refusal {
        Refusal::NotWellFormed(what.into())
    }
}
