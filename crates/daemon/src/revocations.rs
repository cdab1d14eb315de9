//! Whose certificates count no longer, for the acceptors of a process.
//!
//! Owns the list, at a site and at its roles alike: a site puts in what its topology says and
//! hands it to its roles, which keep it in `<data>/pki/revoked` for the time when their site is
//! not reached. Refuses to know why somebody was revoked.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ambient::Ambient;
use model::error_chain;
use rpc::pb::enrolment::revocation_service_client::RevocationServiceClient;
use rpc::pb::enrolment::revocation_service_server::RevocationService;
use rpc::pb::enrolment::{FollowRevocationsRequest, FollowRevocationsResponse};
use tokio::sync::watch;
use tokio_stream::Stream;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use transport::{Backoff, Connection, Revoked};

use crate::{Error, Pki};

/// Identities in one message; a few dozen bytes each.
const IDENTITIES_PER_MESSAGE: usize = 10_000;
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(60);

type List = Arc<BTreeSet<String>>;

/// The list; clones share it.
#[derive(Clone, Debug)]
pub struct Revocations(watch::Sender<List>);

impl Default for Revocations {
    fn default() -> Revocations {
        Revocations(watch::Sender::new(List::default()))
    }
}

impl Revocations {
    /// What an acceptor asks.
    #[must_use]
    pub fn check(&self) -> Revoked {
        let list = self.0.clone();
        Arc::new(move |peer| list.borrow().contains(&peer.to_string()))
    }

    /// Puts another list in the place of the one there is; says whether they differ.
    pub fn replace(&self, list: BTreeSet<String>) -> bool {
        self.0.send_if_modified(|held| {
            let differs = **held != list;
            *held = Arc::new(list);
            differs
        })
    }

    /// Follows a site's list beside the work of a role, until `shutdown`. While the site is not
    /// reached, what it said last stands.
    pub(crate) async fn follow(
        &self,
        pki: &Pki,
        site: &Connection,
        ambient: &Ambient,
        shutdown: &CancellationToken,
    ) {
        let backoff = Backoff::new(WAIT_MIN, WAIT_MAX, 50);
        let mut backoff = backoff.expect("the bounds are constants in order");
        while !shutdown.is_cancelled() {
            let listening = self.listen(pki, site, &mut backoff);
            if let Some(Err(error)) = shutdown.run_until_cancelled(listening).await {
                let error = error_chain(&error);
                tracing::debug!(error, "the site's revocations are not followed");
            }
            let wait = tokio::time::sleep(backoff.wait(ambient));
            shutdown.run_until_cancelled(wait).await;
        }
    }

    async fn listen(
        &self,
        pki: &Pki,
        site: &Connection,
        backoff: &mut Backoff,
    ) -> Result<(), Error> {
        let mut client = RevocationServiceClient::new(site.channel());
        let answer = client.follow_revocations(FollowRevocationsRequest {}).await;
        let mut parts = answer.map_err(Error::Follow)?.into_inner();
        let mut list = BTreeSet::new();
        while let Some(part) = parts.message().await.map_err(Error::Follow)? {
            list.extend(part.identities);
            if part.last {
                backoff.reset();
                pki.write_revoked(&list)?;
                let count = list.len();
                if self.replace(std::mem::take(&mut list)) {
                    tracing::info!(count, "the list of revoked certificates has changed");
                }
            }
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl RevocationService for Revocations {
    type FollowRevocationsStream = Lists;

    async fn follow_revocations(
        &self,
        _request: Request<FollowRevocationsRequest>,
    ) -> Result<Response<Lists>, Status> {
        let lists = WatchStream::new(self.0.subscribe());
        Ok(Response::new(Lists { lists, waiting: Vec::new().into_iter() }))
    }
}

/// Every list, in parts.
#[derive(Debug)]
pub struct Lists {
    lists: WatchStream<List>,
    waiting: std::vec::IntoIter<FollowRevocationsResponse>,
}

impl Stream for Lists {
    type Item = Result<FollowRevocationsResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(part) = self.waiting.next() {
                return Poll::Ready(Some(Ok(part)));
            }
            match ready!(Pin::new(&mut self.lists).poll_next(context)) {
                Some(list) => self.waiting = parts(&list).into_iter(),
                None => return Poll::Ready(None),
            }
        }
    }
}

fn parts(list: &BTreeSet<String>) -> Vec<FollowRevocationsResponse> {
    let identities: Vec<String> = list.iter().cloned().collect();
    let chunks = identities.chunks(IDENTITIES_PER_MESSAGE).map(<[String]>::to_vec);
    let part = |identities| FollowRevocationsResponse { identities, last: false };
    let mut parts: Vec<_> = chunks.map(part).collect();
    match parts.last_mut() {
        Some(last) => last.last = true,
        None => parts.push(FollowRevocationsResponse { identities: Vec::new(), last: true }),
    }
    parts
}
