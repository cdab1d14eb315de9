//! Fetching files: from distribution points and from publishers, each in its turn.
//!
//! Owns resuming, the pace, and who is to blame. Refuses to know what files are for, which sources
//! there are and in which order they are asked. A file is in the content cache only if size and
//! SHA-256 are those of policy; a source that serves or announces anything else is cut off there,
//! named, and left for the next one, which goes on where it was. What a source sends is never held
//! in memory beyond what the connection keeps in flight.

use std::collections::VecDeque;
use std::fmt;

use client::fallback::Carrier;
use content_library::{Begun, ContentLibrary};
use futures_util::{StreamExt as _, stream};
use model::{AssignedFile, EnforcementState, ErrorClass, error_chain};

use crate::fetcher::Downloader;
use crate::servers::Servers;
use crate::summary::Refusals;
use crate::{Error, limits};

mod answer;
mod connection;
mod pace;
mod public;
mod source;

pub(crate) use answer::{Unfit, begins_at};
pub(crate) use connection::survey;
pub(crate) use pace::{Flow, Pace};
pub(crate) use public::Public;
use public::shown;
use source::Source;

/// What a download works with.
#[derive(Clone, Copy)]
pub(crate) struct Downloads<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) public: &'a Public,
    pub(crate) downloader: &'a Downloader,
    pub(crate) library: &'a ContentLibrary,
    pub(crate) refusals: &'a Refusals,
}

/// How the fetching of one file ended.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) file: AssignedFile,
    pub(crate) end: End,
    /// The sources that did not give it, in the order in which they were asked.
    pub(crate) tried: Vec<Tried>,
}

#[derive(Debug)]
pub(crate) enum End {
    /// It is in the cache. None: it was before.
    Here { from: Option<String> },
    /// There is nobody to ask.
    Nobody,
    /// Nobody gave it. Of several reasons the one that tells most.
    Failed(Error),
    /// The agent stops; what came is kept.
    Stopped,
}

/// A source that did not give a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) url: String,
    pub(crate) class: ErrorClass,
    pub(crate) reason: String,
}

/// For the log and the history.
impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fetched { file, end, tried } = self;
        match end {
            End::Here { from: Some(url) } => write!(f, "{} came from {url}", file.name)?,
            End::Here { from: None } => write!(f, "{} was here", file.name)?,
            End::Nobody => write!(f, "{}: there is nobody to ask for it", file.name)?,
            End::Failed(error) if is_own(error) => {
                write!(f, "{}: there is no place for it: {}", file.name, error_chain(error))?;
            }
            End::Failed(_) => write!(f, "{}: nobody gave it", file.name)?,
            End::Stopped => write!(f, "{}: the agent stops", file.name)?,
        }
        tried.iter().try_for_each(|Tried { url, class, reason }| {
            write!(f, "; not {url} ({class:?}): {reason}")
        })
    }
}

impl Fetched {
    /// What an update that needs the file is in, and its code; nothing if the file is here.
    pub(crate) fn trouble(&self) -> Option<(EnforcementState, i32)> {
        match &self.end {
            End::Here { .. } => None,
            End::Nobody | End::Stopped => Some((EnforcementState::WaitingForContent, 0)),
            End::Failed(error) => Some((EnforcementState::DownloadFailed, code(error))),
        }
    }

    /// It was not fetched because there is no room for it here.
    pub(crate) fn lacks_room(&self) -> bool {
        matches!(&self.end, End::Failed(error) if is_own(error))
    }
}

impl Downloads<'_> {
    /// Fetches files from those who may be asked for each, some at a time. One without a place on
    /// this disk ends those that have not begun.
    pub(crate) async fn fetch_all(self, wanted: Vec<(AssignedFile, Vec<Carrier>)>) -> Vec<Fetched> {
        let fetch = |(file, carriers): (AssignedFile, Vec<Carrier>)| async move {
            self.fetch(&file, &carriers).await
        };
        stream::iter(wanted).map(fetch).buffer_unordered(limits::FETCHES_MAX).collect().await
    }

    /// Fetches one file from the first that gives it.
    pub(crate) async fn fetch(self, file: &AssignedFile, carriers: &[Carrier]) -> Fetched {
        let mut tried: Vec<Tried> = Vec::new();
        let mut worst: Option<Error> = None;
        let mut end = None;
        let mut ahead: VecDeque<Source<'_>> = carriers.iter().flat_map(sources).collect();
        let mut slow = VecDeque::new();
        // Slow ones have their time once nobody else gave it.
        while let Some((source, is_hurried)) = next(&mut ahead, &mut slow) {
            let url = shown(source.url());
            let error = match self.give(source, (file, is_hurried)).await {
                Ok(Given::Before) => {
                    end = Some(End::Here { from: None });
                    break;
                }
                Ok(Given::Now) => {
                    end = Some(End::Here { from: Some(url) });
                    break;
                }
                Err(Error::Stopping) => {
                    end = Some(End::Stopped);
                    break;
                }
                Err(error) => error,
            };
            if is_own(&error) {
                self.forget(file).await;
                end = Some(End::Failed(error));
                break;
            }
            if matches!(error, Error::Slow { .. }) {
                slow.push_back(source);
            }
            let reason = error_chain(&error);
            if is_dishonest(&error) {
                self.refusals.note(&url, &reason, self.servers.now());
            }
            tried.push(Tried { url, class: error.class(), reason });
            // That one serves other bytes is more to know than that another is away.
            worst = worst.filter(is_dishonest).or(Some(error));
        }
        let end = end.or(worst.map(End::Failed)).unwrap_or(End::Nobody);
        let fetched = Fetched { file: file.clone(), end, tried };
        tracing::info!(%file.sha256, "{fetched}");
        fetched
    }

    async fn give(
        self,
        source: Source<'_>,
        (file, is_hurried): (&AssignedFile, bool),
    ) -> Result<Given, Error> {
        loop {
            let Begun::Receiving(mut receipt) = self.library.begin(file.into()).await? else {
                return Ok(Given::Before);
            };
            let is_resumed = receipt.offset() > 0;
            let received = match source.receive(self, (file, is_hurried), &mut receipt).await {
                Ok(()) => receipt.finish().await.map(drop).map_err(Error::from),
                failed => failed,
            };
            match received {
                Ok(()) => return Ok(Given::Now),
                // What was here before may have come from somebody else, and is dropped now: this
                // one is asked for all of it before it is blamed.
                Err(Error::Content(error)) if is_resumed && is_corrupt(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A full disk is not kept full by the half of a file; it comes again when there is room.
    async fn forget(self, file: &AssignedFile) {
        if let Err(error) = self.library.drop_partial(file.into()).await {
            let reason = error_chain(&error);
            tracing::warn!(file.name, reason, "what has come of a file cannot be removed");
        }
    }
}

/// Who is asked next, and whether it is left when it is slow: only at first, for others.
fn next<'a>(
    ahead: &mut VecDeque<Source<'a>>,
    slow: &mut VecDeque<Source<'a>>,
) -> Option<(Source<'a>, bool)> {
    match ahead.pop_front() {
        Some(source) => Some((source, !ahead.is_empty() || !slow.is_empty())),
        None => slow.pop_front().map(|source| (source, false)),
    }
}

/// A point may have two addresses.
fn sources<'a>(carrier: &'a Carrier) -> impl Iterator<Item = Source<'a>> {
    let sources = match carrier {
        Carrier::Point(point) => {
            let source = |url: &'a str| (!url.is_empty()).then_some(Source::Point { point, url });
            [source(&point.http_url), source(&point.url)]
        }
        Carrier::Public(url) => [Some(Source::Public(url)), None],
    };
    sources.into_iter().flatten()
}

enum Given {
    Before,
    Now,
}

/// The fault of this computer, which no other source mends.
fn is_own(error: &Error) -> bool {
    matches!(error, Error::Content(error) if !is_corrupt(error))
}

/// It gave, or meant to give, what is not the file.
fn is_dishonest(error: &Error) -> bool {
    match error {
        Error::Content(error) => is_corrupt(error),
        Error::Answer { .. } | Error::Redirected { .. } | Error::Astray { .. } => true,
        // Somebody else speaks through it.
        Error::Downloader { .. } => true,
        _ => false,
    }
}

fn is_corrupt(error: &content_library::Error) -> bool {
    error.class() == ErrorClass::Corrupt
}

/// As an administrator knows them.
fn code(error: &Error) -> i32 {
    /// The digest is not that of policy.
    const WRONG_DIGEST: u32 = 0x8009_1007;
    /// The disk is full.
    const DISK_FULL: u32 = 0x8007_0070;
    /// Nothing more is known.
    const UNSPECIFIED: u32 = 0x8000_4005;
    let code = match error {
        Error::Fetch { status, .. } => return i32::from(*status),
        Error::Content(error) if is_corrupt(error) => WRONG_DIGEST,
        Error::Answer { .. } | Error::Redirected { .. } | Error::Astray { .. } => WRONG_DIGEST,
        Error::Content(_) if error.class() == ErrorClass::Exhausted => DISK_FULL,
        _ => UNSPECIFIED,
    };
    code.cast_signed()
}

#[cfg(test)]
mod tests;
