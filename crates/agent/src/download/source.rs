//! One source of a file, and one answer of it.

use std::time::Duration;

use content_library::{Receipt, ask_from};
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use model::{AssignedFile, ServerRef, Timestamp};
use tonic::body::Body;
use tower::ServiceExt as _;

use super::Downloads;
use super::answer::{Unfit, begins_at};
use super::pace::Flow;
use crate::{Error, limits};

#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) point: &'a ServerRef,
    pub(super) url: &'a str,
}

impl Source<'_> {
    /// Takes in what is missing of a file.
    pub(super) async fn receive(
        self,
        with: Downloads<'_>,
        file: &AssignedFile,
        receipt: &mut Receipt,
    ) -> Result<(), Error> {
        let offset = receipt.offset();
        if offset == file.size {
            return Ok(());
        }
        let url = || self.url.to_owned();
        let request = ask_from(&format!("/content/sha256/{}", file.sha256), offset);
        let request = request.body(Body::empty()).expect("a digest makes a good path");
        let channel = with.servers.connection(self.point, self.url)?.channel();
        let answer = with.servers.bounded(self.url, channel.oneshot(request)).await?;
        let answer = answer.map_err(|source| Error::Reach { url: url(), source })?;
        let start = begins_at(&answer, offset, file.size).map_err(|unfit| match unfit {
            Unfit::Elsewhere(to) => Error::Redirected { url: url(), to },
            Unfit::Status(status) => Error::Fetch { url: url(), status },
            Unfit::Other(source) => Error::Answer { url: url(), source },
        })?;
        let body = answer.into_body().into_data_stream();
        let reading = (body, Flow::default(), Duration::ZERO);
        let pieces = stream::try_unfold(reading, async |(mut body, mut flow, owed)| {
            if !owed.is_zero() {
                let waited = with.servers.stop.run_until_cancelled(tokio::time::sleep(owed)).await;
                waited.ok_or(Error::Stopping)?;
            }
            let asked = with.servers.now();
            let piece = with.servers.bounded(self.url, body.next()).await?;
            let Some(piece) = piece.transpose().map_err(Error::call(self.url))? else {
                return Ok(None);
            };
            let (came, bytes) = (with.servers.now(), piece.len() as u64);
            self.flows(&mut flow, bytes, (asked, came))?;
            Ok::<_, Error>(Some((piece, (body, flow, with.servers.pace.spend(bytes, came)))))
        });
        receipt.receive(start, pieces).await?;
        match receipt.offset() {
            offset if offset < file.size => {
                Err(Error::CutOff { url: url(), name: file.name.clone(), offset })
            }
            _ => Ok(()),
        }
    }

    fn flows(
        self,
        flow: &mut Flow,
        bytes: u64,
        times: (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        if flow.goes_on(bytes, times) {
            return Ok(());
        }
        let (url, limit) = (self.url.to_owned(), limits::SILENCE_MAX);
        Err(Error::Dripping { url, least: limits::FLOW_BYTES_MIN, limit })
    }
}
