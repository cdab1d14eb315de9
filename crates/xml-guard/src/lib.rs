//! The one hardened way to read XML, and the small writer that goes with it.
//!
//! Owns well-formedness and limits: [`XmlGuard`] pulls namespace-resolved events out of any
//! `BufRead` (UTF-8, or UTF-16 told by its first bytes) and [`Element`] holds a small message as
//! a tree. quick-xml finds the tokens; everything it is lenient about is refused here, so that
//! what passes also passes a strict parser: DTDs, entities beyond the predefined five, second
//! roots, undeclared prefixes, repeated attributes, characters XML forbids. Memory stays within
//! [`Limits`] whatever arrives. Refuses to know any vocabulary. Fails with an [`Error`] that
//! names line, column and reason; a guard that failed once goes on failing.

mod error;
mod grammar;
mod metered;
mod numbers;
mod reader;
mod tree;
mod writer;

pub use error::{Error, Refusal};
pub use metered::Position;
pub use reader::{Attribute, Event, Tag, XmlGuard};
pub use tree::Element;
pub use writer::XmlWriter;

/// What one document may cost. The defaults suit an update document or a vendor's catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open elements at any moment; real documents stay below 20.
    pub depth: usize,
    /// Attributes of one element, and namespace declarations in scope.
    pub attributes: usize,
    /// Bytes of one event (a tag, a run of text, a comment) and of the text of one element.
    pub event_bytes: usize,
    /// Bytes kept for [`XmlGuard::take_source`].
    pub kept_bytes: usize,
    /// Elements plus attributes of one tree, which costs some 200 bytes for each.
    pub tree_nodes: usize,
    /// Bytes of the whole document, counted as UTF-8.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            depth: 64,
            attributes: 256,
            event_bytes: 4 << 20,
            kept_bytes: 16 << 20,
            tree_nodes: 100_000,
            total_bytes: 256 << 20,
        }
    }
}

#[cfg(test)]
mod tests;
