//! What can be wrong with a document or a catalog.

use model::ErrorClass;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Ill-formed or too large; the source names line and column.
    #[error("the XML is refused")]
    ReadXml(#[from] xml_guard::Error),
    /// Well-formed, but not an update document.
    #[error("line {line}, column {column}: {path}: {reason}")]
    DecodeDocument { line: u64, column: u64, path: String, reason: String },
    #[error(
        "<{root}> is not a catalog: give a SystemsManagementCatalog or a \
         SoftwareDistributionPackage"
    )]
    ReadCatalog { root: String },
    #[error("{place}: {reason}; export it again")]
    ReadExport { place: String, reason: String },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::ReadXml(error) if matches!(error.refusal, xml_guard::Refusal::Read(_)) => {
                ErrorClass::Unavailable
            }
            Error::ReadXml(_)
            | Error::DecodeDocument { .. }
            | Error::ReadCatalog { .. }
            | Error::ReadExport { .. } => ErrorClass::Invalid,
        }
    }
}
