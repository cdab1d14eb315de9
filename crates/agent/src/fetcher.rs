//! The downloader: a process without rights that reads what sources of content answer.
//!
//! The agent is root, and whoever is on the line writes the answers of plain HTTP. So a child of
//! the same program reads them: it is given a connection and an order, asks, judges the head of
//! the answer, and hands the body on in pieces ([`Frame`]). It has no user of the agent's, no
//! capability, no file, no key, no network but the connection it was given, and memory for one
//! answer. What it hands on is believed no more than the answer itself.
//!
//! Owns both ends' language and how the child gives up its rights. Refuses to know where
//! connections come from, how long an answer may take, and what becomes of pieces: the agent's
//! side is `download::connection`. A child that fails ends; its parent sees that nothing more
//! comes.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

mod child;
mod confine;
mod frames;
mod speak;

pub(crate) use confine::{Missing, User};
pub(crate) use frames::{Frame, Frames, Unread, order_bytes};
pub(crate) use speak::speak;

/// The verb by which this program is the downloader. It is for the agent alone.
const VERB: &str = "fetch-content";

/// Who reads the answers of sources of content.
#[derive(Clone, Debug)]
pub enum Downloader {
    /// A process of its own for each answer.
    Process(Program),
    /// The agent itself, where it has no rights that others lack.
    Inside,
}

/// A program that understands the downloader's verb, and who it is from then on.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) path: PathBuf,
    /// None: whoever runs the agent.
    pub(crate) user: Option<User>,
}

impl Downloader {
    /// This very program, also when another one has taken its place on disk, as the user with that
    /// name if this process is root.
    pub fn confined(user: &str) -> Result<Downloader, String> {
        let is_root = rustix::process::geteuid().is_root();
        let user = is_root.then(|| User::named(user)).transpose()?;
        Ok(Downloader::Process(Program { path: PathBuf::from("/proc/self/exe"), user }))
    }
}

impl Program {
    /// What it is started with.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let numbers = self.user.map(|User { uid, gid }| [uid.to_string(), gid.to_string()]);
        let words = std::iter::once(VERB.to_owned()).chain(numbers.into_iter().flatten());
        words.map(OsString::from).collect()
    }
}

/// Who reads, for the log and for people.
impl fmt::Display for Downloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Downloader::Inside => write!(f, "the agent itself"),
            Downloader::Process(Program { user: None, .. }) => write!(f, "a process"),
            Downloader::Process(Program { user: Some(User { uid, gid }), .. }) => {
                write!(f, "a process of user {uid} and group {gid}")
            }
        }
    }
}

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// As the source calls itself: host and port.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) path: String,
    /// The first byte that is wanted, and how many the whole file has.
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// Runs as the downloader if the arguments of this process say so: before anything else happens.
#[must_use]
pub fn fetch_content(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let is_called = arguments.next().is_some_and(|verb| verb == VERB);
    is_called.then(|| child::main(arguments))
}

#[cfg(test)]
mod tests;
