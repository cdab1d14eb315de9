//! The bounds of what computers are answered and of what is kept of them, each with its reason.

use std::time::Duration;

use sqlite_engine::spool;

/// A cookie's life, as the original server has it for computers.
pub(crate) const COOKIE_MS: i64 = 60 * 60 * 1_000;

/// Prerequisites that a computer may say are installed unless the configuration says otherwise, as
/// the original server has it; real ones name about 90.
pub const INSTALLED_MAX: usize = 400;

/// What the configuration can lift it to: as many as a request has room for.
pub(crate) const INSTALLED_MAX_HIGHEST: usize = 200_000;

/// No honest ledger comes as far, and what is added to it stays a number.
pub(crate) const SERIAL_MAX: u64 = 1 << 62;

/// Updates in one step of a scan, and the bytes of their texts: with what stands around them a
/// message stays near the megabyte that computers are known to take. A computer gives up after
/// 200 steps.
pub(crate) const STEP_UPDATES_MAX: usize = 800;
pub(crate) const STEP_BYTES_MAX: usize = 768 << 10;

/// Written steps of scans kept in memory: all that new computers are told of a hundred thousand
/// small updates; and how many that are not kept are remembered.
pub(crate) const PAGES_BYTES_MAX: usize = 128 << 20;
pub(crate) const PAGES_ASKED: usize = 1_024;

/// Changed deployments in one step, of 300 bytes each.
pub(crate) const CHANGES_MAX: usize = 2_000;

/// Updates whose details are asked for at once, as the configuration says.
pub(crate) const DETAILS_MAX: usize = 50;

/// Bytes of details, in all languages, that are read at once.
pub(crate) const DETAILS_BYTES: usize = 4 << 20;

/// Files of one question; an update of servicing has some hundreds.
pub(crate) const FILES_MAX: usize = 1_000;

/// Updates of one question for their numbers; computers ask for everything they know.
pub(crate) const REFRESHED_MAX: usize = 50_000;

/// A DNS name.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Characters kept of what a computer says of itself.
pub(crate) const TEXT_CHARS_MAX: usize = 200;

/// Computers of one update point: twice what the largest sites have.
pub(crate) const COMPUTERS_MAX: u64 = 300_000;

/// How long a computer is kept that does not come any more, and one that the site does not know;
/// whoever is forgotten registers again. As many go when a new one comes.
pub(crate) const COMPUTERS_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1_000;
pub(crate) const UNKNOWN_KEPT_MS: i64 = 14 * 24 * 60 * 60 * 1_000;
pub(crate) const FORGOTTEN_AT_ONCE: usize = 100;

/// Events that wait to be taken into account, which takes seconds unless the disk is slow: a day
/// of the largest site, in which a computer says some kilobytes.
pub(crate) const EVENTS: spool::Limits =
    spool::Limits { entries_max: 1_000_000, bytes_max: 2 << 30 };

/// Bytes of one batch of events: a status that names 25,000 updates.
pub(crate) const BATCH_BYTES_MAX: usize = 1 << 20;

/// Batches of events in one transaction, and about how many bytes of them.
pub(crate) const BATCHES_PER_FOLD: usize = 64;
pub(crate) const FOLD_BYTES: u64 = 4 << 20;

/// Updates that are not required any more and of which the site is told one by one; more are told
/// by telling everything.
pub(crate) const GONE_MAX: usize = 2_000;

/// Changes of states that are read for one submission: twice what a full report may hold, 2 MB.
pub(crate) const CHANGES_PER_SUBMISSION: usize = 40_000;

/// Events kept of a computer: the last weeks of a usual one, and more than come twice.
pub(crate) const EVENTS_KEPT: u64 = 100;

/// How far a computer's clock may step between an event and its report without the event being
/// taken for an older one.
pub(crate) const CLOCK_STEP_MS: i64 = 1_000;

/// How long after the last time the site hears that a computer was here.
pub(crate) const CONTACT_MS: i64 = 24 * 60 * 60 * 1_000;

/// How long after the last time the site hears that a computer calls from another address; it is
/// shown, and decides nothing.
pub(crate) const ADDRESS_MS: i64 = 4 * 60 * 60 * 1_000;

/// Computers that are read at once to tell the site of them.
pub(crate) const NEWCOMERS_AT_ONCE: usize = 256;

/// Questions to the site server at once, so that a storm of scans leaves it room.
pub(crate) const QUESTIONS_PARALLEL: usize = 32;

/// Who is missed where no answer comes.
pub(crate) const SITE: &str = "the site server";

/// How long a computer's question waits for the site server before what is kept here answers.
pub(crate) const SITE_WAIT: Duration = Duration::from_secs(5);

/// How long a submission may take; the site folds hundreds of reports in one transaction.
pub(crate) const SUBMIT_WAIT: Duration = Duration::from_secs(60);

/// How long a lost site server is left before it is tried again.
pub(crate) const RETRY_MIN: Duration = Duration::from_millis(250);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(60);

/// How long policy is taken for fresh: as long as the documented poll of other clients, because
/// wake-ups may be lost.
pub(crate) const POLICY_MS: i64 = 60 * 60 * 1_000;

/// How long the absence of the site, or of a computer's registration there, is taken for granted.
pub(crate) const ABSENCE_MS: i64 = 30 * 1_000;

/// Digests in one question to the site server, as the site server has it.
pub(crate) const PARTS_PER_QUESTION: usize = 1_000;

/// Parts that nobody has named for so long belong to policy that is gone.
pub(crate) const PARTS_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// Sets of decisions that cookies can name. There is one for each combination of deployments that
/// computers have; a computer whose set was forgotten is told everything again.
pub(crate) const AUDIENCES_MAX: u64 = 1_000;

/// Of these, as many in memory: those from which computers come just now.
pub(crate) const AUDIENCES_REMEMBERED: usize = 64;

/// Changed decisions in one step of a scan, of 300 bytes each.
pub(crate) const DECISIONS_MAX: usize = 1_000;

/// How long the place of a file is remembered, and for how many files and addresses.
pub(crate) const PLACES_MS: i64 = 60 * 1_000;
pub(crate) const PLACES_MAX: usize = 20_000;
