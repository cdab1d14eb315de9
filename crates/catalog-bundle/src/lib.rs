//! A catalog of updates as one file: the format of bundles (docs/data-model.md).
//!
//! A bundle is a magic number, the bytes of its parts one after another, a manifest that names
//! every part with its length and SHA-256, a seal over the manifest, and a footer that says how
//! long these are. So it is made in one pass, and nothing in it is believed before the seal is.
//!
//! Owns the bytes, both ways, and that no byte of a file is left that the manifest does not answer
//! for. Refuses to know files, keys and what documents say: the seal is carried, never judged.
//! Whatever is read is refused with an [`Error`] that names the place; nothing is allocated for
//! what a foreign file merely claims.

mod error;
pub mod limits;
mod manifest;
mod parts;
mod seal;

pub use error::Error;
pub use manifest::{Content, Manifest, Part};
pub use parts::{
    decode_documents, decode_removed, decode_sources, encode_documents, encode_removed,
    encode_sources,
};
pub use seal::{Bundle, MAGIC, Seal, close, is_bundle, trailer_length};

#[cfg(test)]
mod tests;
