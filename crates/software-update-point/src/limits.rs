//! The bounds of this crate, each with its reason.

use std::time::Duration;

/// Updates of one GetUpdateData request, as the original server has it.
pub(crate) const UPDATES_PER_REQUEST: u32 = 100;

/// Requests for documents under way at once: enough to hide the latency of a far server.
pub(crate) const REQUESTS_PARALLEL: usize = 4;

/// Batches on their way into the catalog at once: one is read and packed while another is written.
pub(crate) const IMPORTS_PARALLEL: usize = 2;

/// A request to an update service, as the protocol's reader has it for computers, which name all
/// updates they have; servers ask for less.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 20;

/// Revisions of a list that is made before it is sent: more than two megabytes are not.
pub(crate) const LIST_WHOLE_MAX: usize = 16_000;

/// Files that downstream servers wait for; whoever asks for more asks again.
pub(crate) const DOWNLOADS_WAITING: usize = 10_000;

/// The answer to a batch; the original server stops at 2,000,000 bytes. A larger batch is asked
/// for in halves, so that several of them stay within the memory of a small machine.
pub(crate) const BATCH_ANSWER_BYTES_MAX: usize = 8 << 20;

/// Revisions a server may fail to give before the synchronization gives up.
pub(crate) const REJECTED_MAX: usize = 1_000;

/// Rejections that a report names; the others are counted.
pub(crate) const REPORTED_MAX: usize = 100;

/// Documents of a basket that a report names one by one.
pub(crate) const DOCUMENTS_REPORTED_MAX: usize = 1_000;

/// A server that takes longer to take a connection is not there.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(10);

/// How often a download is sent elsewhere: public servers do so once or twice.
pub(crate) const REDIRECTS_MAX: u32 = 5;

/// An answer of a slow server over a slow line.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(180);

/// A download that gives nothing for so long is not coming.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Attempts at a request before its failure is that of the synchronization.
pub(crate) const ATTEMPTS_MAX: u32 = 4;
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(250);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(10);

/// How long a lost session with the site server is left before it is dialed again.
pub(crate) const REDIAL_MIN: Duration = Duration::from_millis(500);
pub(crate) const REDIAL_MAX: Duration = Duration::from_secs(60);

/// How soon a stand-alone update point tries a failed synchronization again.
pub(crate) const FOLLOW_RETRY_MIN: Duration = Duration::from_secs(60);
pub(crate) const FOLLOW_RETRY_MAX: Duration = Duration::from_secs(60 * 60);

/// A cookie's life, as the original server has it; it is renewed when so much of it is left.
pub(crate) const COOKIE_MS: i64 = 240 * 60 * 1_000;
pub(crate) const COOKIE_MARGIN_MS: i64 = 2 * 60 * 1_000;

/// Frames to the site server that wait to be sent.
pub(crate) const FRAMES_WAITING: usize = 16;

/// Of the end of a bundle, enough for its footer.
pub(crate) const BUNDLE_TAIL_BYTES: usize = 4_096;

/// Of a file's name in a bundle, characters; the name is for messages only.
pub(crate) const EXPORTED_NAME_MAX: usize = 60;

/// Sources in one part of a bundle, of some hundred bytes each.
pub(crate) const EXPORTED_SOURCES_MAX: usize = 5_000;

/// License texts that an export looks for in vain before it takes only those that are here.
pub(crate) const EXPORT_MISSED_MAX: usize = 8;

/// The export package of a WSUS, unpacked: twice what a server with every product writes.
pub(crate) const WSUS_BYTES_MAX: u64 = 16 << 30;

/// Addresses of files stored together.
pub(crate) const SOURCES_PER_BATCH: usize = 5_000;

/// A catalog file, packed or not; the largest public ones have 100 MB.
pub(crate) const CATALOG_BYTES_MAX: u64 = 512 << 20;

/// Files in an archive; the largest public catalogs hold some thousands.
pub(crate) const MEMBERS_MAX: usize = 20_000;

/// How many times larger than its archive the content may be; real catalogs reach 20.
pub(crate) const ARCHIVE_RATIO_MAX: u64 = 200;

/// Up to this size the ratio does not matter.
pub(crate) const ARCHIVE_HARMLESS_BYTES: u64 = 1 << 20;

/// An update document given as a file, as the reader of documents has it.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 32 << 20;

/// Packages stored together: one transaction of a fraction of a second.
pub(crate) const PACKAGES_PER_BATCH: usize = 100;

/// Files that landed in the inbox and wait to be looked at; beyond it the watcher waits.
pub(crate) const INBOX_WAITING: usize = 1_024;

/// Status messages kept while the site server is away.
pub(crate) const SPOOL: sqlite_engine::spool::Limits =
    sqlite_engine::spool::Limits { entries_max: 10_000, bytes_max: 16 << 20 };
pub(crate) const STATUS_BATCH: usize = 100;

/// Obsolete documents dropped in one transaction: scans and imports wait for it a moment.
pub(crate) const OBSOLETE_PER_WRITE: usize = 100;
