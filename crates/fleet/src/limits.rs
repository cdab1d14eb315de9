//! The bounds of this crate, each with its reason.

use std::time::Duration;

pub(crate) const MINUTE_MS: i64 = 60 * 1000;

/// Connections that stay open, each with the memory of TLS and HTTP/2 at both ends; the client
/// that has been silent for longest gives way.
pub(crate) const CONNECTIONS_MAX: usize = 2_000;

/// Questions on their way at once; a management point answers 256 clients at a time.
pub(crate) const ASKED_MAX: usize = 200;

/// A server that answers nothing for so long is given up, as a real client does.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A client that has nothing to do although it said so is looked at again then.
pub(crate) const PAUSE_MS: i64 = 1_000;

/// How long a pretended computer is away when it restarts.
pub(crate) const RESTART_MS: i64 = 3 * MINUTE_MS;

/// Bundles in bundles; as many turns settle what they are.
pub(crate) const NESTING_MAX: usize = 64;

/// How long policy holds that a site in the process signs: longer than any day that is simulated.
pub(crate) const POLICY_MS: i64 = 30 * 24 * 60 * MINUTE_MS;

/// Rounds in which a document asks for files: each answer can bring another question.
pub(crate) const QUESTION_ROUNDS_MAX: usize = 8;
