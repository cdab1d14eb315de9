//! The bounds of this crate, each with its reason.

use std::time::Duration;

use sqlite_engine::spool;

/// A week of a site's reports: 15,000 clients, one report in 15 minutes, most of them small.
pub(crate) const SPOOL: spool::Limits =
    spool::Limits { entries_max: 10_000_000, bytes_max: 4 << 30 };

/// Who is missed where no answer comes.
pub(crate) const SITE: &str = "the site server";

/// How long a client's question waits for the site server before the cache answers.
pub(crate) const SITE_WAIT: Duration = Duration::from_secs(5);

/// How long a submission may take; the site folds hundreds of reports in one transaction.
pub(crate) const SUBMIT_WAIT: Duration = Duration::from_secs(60);

/// How long a lost site server is left before it is tried again.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(250);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(60);

/// Parts in one answer to a client; it asks again for the others.
pub(crate) const PARTS_BYTES: usize = rpc::limits::MESSAGE_BYTES_MAX / 2;

/// Digests in one question to the site server, as the site server has it.
pub(crate) const PARTS_MAX: usize = 1_000;

/// Files in one question for locations, as the site server has it.
pub(crate) const FILES_MAX: usize = 1_000;

/// Answers of where a file is that are remembered, one for each address that asked, and files of
/// which the last answer is: some megabytes each.
pub(crate) const LOCATIONS_MAX: usize = 10_000;
pub(crate) const FILES_REMEMBERED: usize = 10_000;

/// Wake-ups a client's stream may lie behind before it is told to ask for policy instead.
pub(crate) const WAKE_UPS_WAITING: usize = 256;

/// What a client says of its computer, each; it becomes part of a replicated record.
pub(crate) const TEXT_BYTES_MAX: usize = 256;

/// Heads and parts that were not renewed for so long belong to clients that are gone.
pub(crate) const CACHE_MS: i64 = 90 * 24 * 60 * 60 * 1000;
