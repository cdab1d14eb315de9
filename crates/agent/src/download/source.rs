//! One source of a file, and one answer of it.
//!
//! Owns whom a request goes to, whether a redirect is followed, and the reading of an answer, no
//! faster than allowed and no slower than sensible. Refuses to know how HTTP is spoken.

use std::time::Duration;

use content_library::Receipt;
use futures_util::stream;
use http::Uri;
use model::{AssignedFile, Invalid, ServerRef, Timestamp};
use transport::BoxStream;

use super::Downloads;
use super::answer::Unfit;
use super::connection::Connection;
use super::pace::Flow;
use super::public::{self, shown};
use crate::fetcher::Order;
use crate::{Error, limits};

#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// A distribution point, at one of its addresses.
    Point { point: &'a ServerRef, url: &'a str },
    /// Where the publisher offers the file to everybody.
    Public(&'a str),
}

/// Where exactly is asked: of a public server, perhaps where it has sent us.
struct Place {
    /// For messages.
    url: String,
    uri: Uri,
    path: String,
}

impl<'a> Source<'a> {
    /// As it is named to people.
    pub(super) fn url(self) -> &'a str {
        match self {
            Source::Point { url, .. } | Source::Public(url) => url,
        }
    }

    /// Takes in what is missing of a file; one that `is_hurried` is left when it is slow.
    pub(super) async fn receive(
        self,
        with: Downloads<'_>,
        (file, is_hurried): (&AssignedFile, bool),
        receipt: &mut Receipt,
    ) -> Result<(), Error> {
        let offset = receipt.offset();
        if offset == file.size {
            return Ok(());
        }
        let mut place = self.place(file)?;
        for _ in 0..=limits::REDIRECTS_MAX {
            let Place { url, uri, path } = &place;
            let host = uri.authority().map_or_else(String::new, ToString::to_string);
            let order = Order { host, path: path.clone(), offset, size: file.size };
            let stream = with.servers.bounded(url, self.open(with, uri)).await??;
            let asked = Connection::ask(with.downloader, url, stream, &order);
            let unfit = match with.servers.bounded(url, asked).await?? {
                Ok(answer) => return read(with, url, answer, (file, is_hurried), receipt).await,
                Err(unfit) => unfit,
            };
            let url = url.clone();
            place = match unfit {
                Unfit::Elsewhere(to) => self.follow(&place, &to)?,
                Unfit::Status(status) => return Err(Error::Fetch { url, status }),
                Unfit::Other(source) => return Err(Error::Answer { url, source }),
            };
        }
        let (url, to, reason) = (shown(self.url()), place.url, "it has led on too often");
        Err(Error::Astray { url, to, reason })
    }

    fn place(self, file: &AssignedFile) -> Result<Place, Error> {
        match self {
            Source::Point { url, .. } => {
                let bad = |_| Error::answer(url)(Invalid::new("url", "it is no address"));
                let path = format!("/content/sha256/{}", file.sha256);
                Ok(Place { url: url.to_owned(), uri: url.parse().map_err(bad)?, path })
            }
            Source::Public(url) => Ok(Place::public(public::address(url)?)),
        }
    }

    async fn open(self, with: Downloads<'_>, uri: &Uri) -> Result<BoxStream, Error> {
        match self {
            Source::Point { point, url } => with.servers.open(point, url).await,
            Source::Public(_) => with.public.open(uri).await,
        }
    }

    /// Servers of publishers lead to other servers of theirs; points have the files themselves.
    fn follow(self, at: &Place, to: &str) -> Result<Place, Error> {
        match self {
            Source::Point { url, .. } => {
                Err(Error::Redirected { url: url.to_owned(), to: shown(to) })
            }
            Source::Public(_) => Ok(Place::public(public::next(&at.uri, to)?)),
        }
    }
}

impl Place {
    fn public(uri: Uri) -> Place {
        Place { url: shown(&uri.to_string()), path: public::path(&uri), uri }
    }
}

/// Reads an answer that begins at a byte of the file.
async fn read(
    with: Downloads<'_>,
    url: &str,
    (start, connection): (u64, Connection),
    (file, is_hurried): (&AssignedFile, bool),
    receipt: &mut Receipt,
) -> Result<(), Error> {
    let flows = (Flow::steady(), is_hurried.then(Flow::brisk));
    let reading = (connection, flows, Duration::ZERO);
    let pieces = stream::try_unfold(reading, async |(mut connection, mut flows, owed)| {
        if !owed.is_zero() {
            let waited = with.servers.stop.run_until_cancelled(tokio::time::sleep(owed)).await;
            waited.ok_or(Error::Stopping)?;
        }
        let asked = with.servers.now();
        let Some(piece) = with.servers.bounded(url, connection.piece()).await?? else {
            return Ok(None);
        };
        let (came, bytes) = (with.servers.now(), piece.len() as u64);
        watch(url, &mut flows, bytes, (asked, came))?;
        Ok::<_, Error>(Some((piece, (connection, flows, with.servers.pace.spend(bytes, came)))))
    });
    receipt.receive(start, pieces).await?;
    match receipt.offset() {
        offset if offset < file.size => {
            Err(Error::CutOff { url: url.to_owned(), name: file.name.clone(), offset })
        }
        _ => Ok(()),
    }
}

fn watch(
    url: &str,
    (steady, brisk): &mut (Flow, Option<Flow>),
    bytes: u64,
    times: (Timestamp, Timestamp),
) -> Result<(), Error> {
    let url = || url.to_owned();
    if !steady.goes_on(bytes, times) {
        let (least, limit) = (limits::FLOW_BYTES_MIN, limits::SILENCE_MAX);
        return Err(Error::Dripping { url: url(), least, limit });
    }
    if brisk.as_mut().is_some_and(|brisk| !brisk.goes_on(bytes, times)) {
        let (least, limit) = (limits::BRISK_BYTES_MIN, limits::BRISK_TIME);
        return Err(Error::Slow { url: url(), least, limit });
    }
    Ok(())
}
