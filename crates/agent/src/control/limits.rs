//! The bounds of the local socket, each with its reason.

use std::time::Duration;

/// A request names a thousand updates at most, of 39 bytes each.
pub(crate) const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// Updates named in one request; a deployment has no more.
pub(crate) const NAMED_UPDATES_MAX: usize = 1_000;

/// Rows of one list in an answer; whoever has more looks at the site.
pub(crate) const ROWS_MAX: usize = 5_000;

/// What a command reads of an answer: twice the longest rows there are.
pub(crate) const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A line that is typed takes longer; one that a program sends does not.
pub(super) const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// Whoever does not read must not hold a conversation.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(30);

/// The agent answers between two steps of its work; a step of evaluation takes seconds.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// What a command waits for altogether: longer than the agent lets it.
pub(crate) const COMMAND_WAIT: Duration = Duration::from_secs(120);

/// Conversations at once, and of one user, so that nobody takes all of them.
pub(super) const CONVERSATIONS_MAX: usize = 64;
pub(super) const CONVERSATIONS_OF_USER_MAX: usize = 8;

/// Questions that wait; each is a conversation.
pub(crate) const ASKED_MAX: usize = CONVERSATIONS_MAX;

/// After a failure to accept, such as too many open files.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Questions of a user that are let through at once, and how often after that: a person types no
/// faster, and each costs the agent up to a second of evaluation.
pub(super) const QUESTIONS_AT_ONCE: u32 = 20;
pub(super) const QUESTION_EVERY: Duration = Duration::from_secs(1);

/// Users who are held apart from each other; real computers have fewer that ask.
pub(super) const USERS_ASKING_MAX: usize = 1_000;

/// Whoever knows users and groups: how long that is waited for, how much of an answer is read, and
/// how long and how many of them are remembered.
pub(super) const NAME_WAIT: Duration = Duration::from_secs(5);
pub(super) const NAME_BYTES_MAX: u64 = 64 << 10;
pub(super) const NAME_REMEMBERED: Duration = Duration::from_secs(60);
pub(super) const NAMES_MAX: usize = 1_000;
