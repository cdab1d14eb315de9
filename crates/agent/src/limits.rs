//! The bounds of this crate, each with its reason.

use std::time::Duration;

/// A server that answers nothing for so long, or whose stream brings nothing, is given up; servers
/// answer from a cache or a database, and streams go on where they were.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// An installer that runs longer is ended (the documented default of a maximum run time).
pub(crate) const INSTALL_MAX: Duration = Duration::from_secs(60 * 60);

/// Waits after something could not be reached.
pub(crate) const RETRY_MIN: Duration = Duration::from_secs(5);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(15 * 60);

/// Wall time may jump; deadlines are looked at no more seldom than this.
pub(crate) const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Connections kept open. A client talks to a handful of servers; locations could name any number.
pub(crate) const CONNECTIONS_MAX: usize = 32;

/// Distribution points of one file that are remembered until the next attempt; more boundary groups
/// than that lead nowhere better.
pub(crate) const POINTS_MAX: usize = 64;

/// An address that a publisher's file has; servers and proxies take no longer ones for granted.
pub(crate) const ADDRESS_BYTES_MAX: usize = 2_048;

/// How often a public server may send us on: real ones do so once or twice.
pub(crate) const REDIRECTS_MAX: usize = 5;

/// Files fetched at once: enough that a slow point does not hold up the others, few enough that a
/// client is one reader among thousands.
pub(crate) const FETCHES_MAX: usize = 3;

/// A source that sends less in [`SILENCE_MAX`] is left: a file would come in weeks. It is less than
/// the slowest modem.
pub(crate) const FLOW_BYTES_MIN: u64 = 16 << 10;

/// A source that sends less in [`BRISK_TIME`] is left for others that may have the file, and gone
/// back to once none of them gave it. Three files at once still fill a line of 84 kbit/s.
pub(crate) const BRISK_BYTES_MIN: u64 = 1 << 20;
pub(crate) const BRISK_TIME: Duration = Duration::from_secs(5 * 60);

/// Refusals kept for the summary; all of them are in the log.
pub(crate) const REFUSALS_MAX: usize = 100;

/// A larger file that a rule asks the digest of stays unknown: hashing would stop everything else.
pub(crate) const HASHED_BYTES_MAX: u64 = 1 << 30;

/// What a copy of an update point's catalog holds at most: eight times the documents of a site that
/// synchronizes all that there is, each of which costs memory at every scan; their bytes, at ten
/// thousand each.
pub(crate) const DOCUMENTS_MAX: u64 = 200_000;
pub(crate) const CATALOG_BYTES_MAX: u64 = 2 << 30;

/// A whole catalog over a line of 1 Mbit/s takes half of it. Nothing else is done meanwhile.
pub(crate) const FOLLOW_MAX: Duration = Duration::from_secs(60 * 60);

/// Documents leave so much of the disk free: the system has to write logs and the agent its own
/// database.
pub(crate) const DISK_RESERVE_BYTES: u64 = 64 << 20;

/// Of what an installer wrote, its end is kept: errors stand there.
pub(crate) const TRANSCRIPT_BYTES: u64 = 256 << 10;

/// Kept outputs of installers: a year of monthly updates.
pub(crate) const TRANSCRIPTS_MAX: usize = 100;

/// A pipe holds no more (pipe(7)): whatever an installer had written when it ended.
pub(crate) const PIPE_BYTES: usize = 1 << 20;

/// No update can be given more: 9,999 minutes (SUPX-08), rounded up to whole days.
pub(crate) const RUN_TIME_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An installer that ignores a request to end holds up everything else.
pub(crate) const STOP_GRACE: Duration = Duration::from_secs(30);
pub(crate) const STOP_GRACE_MAX: Duration = Duration::from_secs(10 * 60);

/// How often it is looked whether processes that are not children have ended.
pub(crate) const GONE_POLL: Duration = Duration::from_millis(100);

/// How many looks it takes to believe that a process is not there.
pub(crate) const LOOKS: usize = 3;

/// A program that an earlier process still holds open for writing is tried again (ETXTBSY); forked
/// children let go of it within milliseconds.
pub(crate) const BUSY_TRIES: u32 = 100;
pub(crate) const BUSY_WAIT: Duration = Duration::from_millis(10);

/// A package manager that is at work for somebody else is waited for so long, and looked at so
/// often; it may take minutes, in which others could be installed.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(30);
pub(crate) const LOCK_POLL: Duration = Duration::from_secs(1);

/// A file that a rule asks for is looked at for so long: a gigabyte is hashed at 20 MB/s meanwhile.
pub(crate) const FILE_TIME: Duration = Duration::from_secs(60);

/// Files that have not answered yet, each of which holds a thread.
pub(crate) const FILE_THREADS_MAX: usize = 16;

/// An explanation is waited for by somebody, and by whatever else the agent has to do.
pub(crate) const EXPLAINING_MAX: Duration = Duration::from_secs(5);

/// Commands that only tell somebody something: restart, notices, a write filter.
pub(crate) const TOOL_TIME: Duration = Duration::from_secs(60);

/// Of what such a command answers.
pub(crate) const TOOL_BYTES: u64 = 64 << 10;

/// Names of people who are logged on; a terminal server has hundreds.
pub(crate) const USERS_MAX: usize = 10_000;

/// Notices that a pretended computer remembers: whoever looks wants the last ones.
pub(crate) const NOTICES_MAX: usize = 100;

/// Answers about files can raise new questions, of folders that other answers name; documents nest
/// them once or twice.
pub(crate) const QUESTION_ROUNDS_MAX: usize = 4;

/// Who is logged on, and whether the system asks for a restart, is looked at this often.
pub(crate) const OBSERVED_MS: i64 = 60_000;

/// A file that describes the computer is read so far, and so much is heard of a program that lists
/// packages: three times what the largest distribution has.
pub(crate) const INVENTORY_BYTES_MAX: u64 = 16 << 20;

/// How long that program may take; it waits for package managers that are at work.
pub(crate) const INVENTORY_TOOL_TIME: Duration = Duration::from_secs(60);

/// A version of the agent that has neither policy nor a report taken after so long gives way to the
/// one before; a management point that is away for a while is no fault of it.
pub(crate) const TRIAL: &str = "30m";

/// A version on trial that ends so often by itself gives way.
pub(crate) const TRIAL_STARTS_MAX: u32 = 3;

/// Between two starts of it.
pub(crate) const TRIAL_PAUSE: Duration = Duration::from_secs(1);

/// Damaged files that are kept for whoever looks for the reason, their bytes, and how often it is
/// remembered that something was damaged: a disk that goes bad damages everything again and again.
pub(crate) const SET_ASIDE_FILES_MAX: usize = 20;
pub(crate) const SET_ASIDE_BYTES_MAX: u64 = 256 << 20;
pub(crate) const SET_ASIDE_ENTRIES_MAX: usize = 100;

/// How often it is tried again to remember something on a disk that is full or fails.
pub(crate) const FULL_RETRY: Duration = Duration::from_secs(10);

/// Events that wait for room on the disk; what is not in the history then is in the log.
pub(crate) const WAITING_EVENTS_MAX: usize = 1_000;

/// A disk with less room than this is full for a database.
pub(crate) const FULL_BYTES: u64 = 1 << 20;
