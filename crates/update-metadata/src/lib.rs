//! What an update document says, and what it means for a computer.
//!
//! Owns [`Document`], the typed form of an update document, both ways ([`Document::parse`],
//! [`Document::to_xml`]); its applicability rules ([`Rule`]) and their three-valued [`evaluate`]
//! over [`Facts`], with the [`questions`] that facts leave open; [`extract`], which makes the item
//! an administrator sees; [`sdp`], which translates publishers' packages into documents of our own
//! writing and back; and [`wsus_export`], the package in which the original server hands over its
//! catalog.
//!
//! Refuses to know where documents are kept, sent or signed: whoever stores one keeps its bytes,
//! since a document written again need not equal the one that was read. No sockets, files, clock.
//!
//! Reading is total over hostile input: it fails with an [`Error`] that names line, column and
//! path. A rule that cannot be understood is no error: it is [`Truth::Unknown`] when evaluated.

mod asked;
pub mod authoring;
pub mod categories;
mod document;
mod error;
mod evaluate;
mod extract;
mod facts;
pub mod linux;
mod namespaces;
mod question;
mod rule;
pub mod sdp;
mod version;
mod windows;
mod wql;
pub mod wsus_export;

pub use document::{
    CommandLine, Document, InstallResult, Installer, Outcome, Prerequisite, Properties, Relations,
    Rules, UpdateKind, license_files,
};
pub use error::Error;
pub use evaluate::{Applicability, Finding, Truth, evaluate, findings, questions};
pub use extract::{CategoryNode, EXTRACTOR_VERSION, Extracted, extract};
pub use facts::{
    Architecture, CbsPackage, CbsState, Cluster, Device, Direct3d, Driver, Facts, FileFact,
    GenericAnswer, Hardware, Languages, LinuxFacts, MsiPatchState, MsiProduct, Name, Named, Names,
    PackageOrder, Processors, RegistryValue, System, WindowsFacts, WmiValue,
};
pub use question::{Question, Subject};
pub use rule::Rule;
pub use version::{Comparison, Version};

#[cfg(test)]
mod tests;
