//! The bounds of this crate, each with its reason.

/// Documents in one batch: a transaction that others wait for no longer than about a second.
pub const BATCH_DOCUMENTS_MAX: usize = 1_000;

/// Documents in one answer: servers are asked for a hundred at a time.
pub const DOCUMENTS_MAX: usize = 500;

/// Ids in one question: the list of everything that a public service offers is a fourth of it.
pub const IDS_MAX: usize = 100_000;

/// Rulings taken over at once: a transaction of less than a second.
pub const RULINGS_MAX: usize = 20_000;

/// Changes in one page, and the size of the documents behind them, so that whatever is in the
/// catalog a page fits into a few messages. A single larger document makes a page of its own.
pub const PAGE_CHANGES_MAX: usize = 500;
pub const PAGE_BYTES_MAX: u64 = 4 << 20;

/// The same where no message is filled: a look at the index for so many documents costs little
/// beside reading them.
pub const FEW_CHANGES_MAX: usize = 64;
pub const FEW_BYTES_MAX: u64 = 512 << 10;

/// Takes real documents to less than a quarter; a level that takes them to a fifth makes the import
/// of a catalog a tenth slower.
pub(crate) const COMPRESSION_LEVEL: i32 = -1;

/// Threads that read and pack documents beside the one that stores them: storing takes about
/// half as long.
pub(crate) const LANES: usize = 2;

/// Documents that one of them hands over together, and how many times as many it may be ahead.
pub(crate) const CHUNK_DOCUMENTS: usize = 16;
pub(crate) const CHUNKS_PREPARED_MAX: usize = 32;

/// Core fragments kept in memory: those of a hundred thousand updates as small ones are.
pub(crate) const CORES_BYTES_MAX: usize = 160 << 20;
