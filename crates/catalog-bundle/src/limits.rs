//! The bounds of this crate, each with its reason.

/// A whole bundle: the largest file that a site takes in.
pub const BUNDLE_BYTES_MAX: u64 = 4 << 30;

/// All parts together: what stands around them has room beside them.
pub const PARTS_BYTES_MAX: u64 = BUNDLE_BYTES_MAX - (32 << 20);

/// A part of documents, plain and packed: a page of a catalog, or one document, of which the
/// largest has 32 MiB.
pub const PART_BYTES_MAX: usize = 40 << 20;

/// Documents in one part: a page of a catalog.
pub const PART_DOCUMENTS_MAX: usize = 1_000;

/// A part of removed updates or of sources: a hundred times what a page has.
pub const LIST_BYTES_MAX: usize = 8 << 20;

/// Parts of a bundle: a thousand of documents and the files of a large catalog.
pub const PARTS_MAX: usize = 100_000;

/// The manifest: 200 bytes for each of its parts.
pub const MANIFEST_BYTES_MAX: usize = 20 << 20;

/// A certificate chain of three and two signatures take a tenth of it.
pub const SEAL_BYTES_MAX: usize = 64 << 10;

/// A file's name, as file systems have it.
pub const NAME_BYTES_MAX: usize = 255;

/// The level that real documents are taken to an eighth with, at a few hundred MB/s.
pub(crate) const COMPRESSION_LEVEL: i32 = 3;
