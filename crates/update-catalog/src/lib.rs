//! The catalog of update documents: a software update point's, and an agent's cache.
//!
//! Owns the documents byte-exact with their digests, the graph between them, where their files
//! can be had, how far synchronization with upstream has come, and the catalog versions. It
//! answers revision lists as the server protocol defines them, says which updates a computer that
//! scans has to be told of, and serves changes in pages, as documents to agents and as extracted
//! items to a site.
//!
//! Refuses to know sockets, protocols and time. Chance is handed in: the `server_id` is drawn by
//! the caller. References to updates that are not here are kept as they are and stop nothing.
//!
//! Every write is one transaction. A document that cannot be read, or that contradicts the same
//! revision already here, is rejected and reported; the rest of its batch goes on. Documents are
//! checked against their digest whenever they are read.

mod catalog;
mod changes;
mod cores;
mod documents;
mod error;
mod export;
mod fragments;
mod import;
pub mod limits;
mod obsolete;
mod prepare;
mod replica;
mod revision_list;
mod rulings;
mod scan;

pub use catalog::{Catalog, CatalogState};
pub use changes::{Change, Page};
pub use documents::{CatalogFile, FileName, StoredDocument};
pub use error::Error;
pub use export::{Exported, LastBundle};
pub use fragments::{Derive, Fragment, Fragments, Part, Scope};
pub use import::{Batch, Imported};
pub use replica::{Decisions, Taken, TakenDeployment, TakenGroup};
pub use revision_list::{Listed, RevisionFilter, RevisionList, Spoken};
pub use rulings::{Changed, IdRange, Ruling};
pub use scan::{Held, Needed, Offer, ScanEntry, ScanGraph};
