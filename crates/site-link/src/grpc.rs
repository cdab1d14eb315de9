//! Links over gRPC: the parent serves them, the child dials.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use model::{PeerIdentity, PeerKind, SiteCode, SiteKind, error_chain};
use replication::Neighbor;
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::replication as pb;
use rpc::pb::replication::replication_service_client::ReplicationServiceClient;
use rpc::pb::replication::replication_service_server::{
    ReplicationService, ReplicationServiceServer,
};
use site_db::Recovering;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use transport::{Backoff, Connection};

use crate::link::FRAMES_WAITING;
use crate::{Error, Exchange, Link, wire};

/// The parent's side: one session per child.
#[derive(Clone, Debug)]
pub struct LinkServer {
    link: Link,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl LinkServer {
    /// Sessions run in `tasks` and end with `shutdown`.
    #[must_use]
    pub fn new(link: Link, tasks: TaskTracker, shutdown: CancellationToken) -> LinkServer {
        LinkServer { link, tasks, shutdown }
    }

    #[must_use]
    pub fn service(self) -> ReplicationServiceServer<LinkServer> {
        ReplicationServiceServer::new(self)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// The child that a certificate names. A site that lost its memory does not know its children;
    /// whoever holds a certificate of the hierarchy may then tell it what it knew.
    async fn child(&self, peer: &PeerIdentity) -> Result<Neighbor, Error> {
        let code = peer.site;
        let read = |r: &site_db::Reader<'_>| Ok::<_, Error>((r.tree()?, r.recovering()?));
        let (tree, recovering) = self.link.db.read(read).await?;
        let child = tree.children().into_iter().find(|child| child.code == code);
        let kind = match self.link.db.identity().kind {
            SiteKind::Central => SiteKind::Primary,
            SiteKind::Primary | SiteKind::Secondary => SiteKind::Secondary,
        };
        let unknown = (recovering != Recovering::No).then_some(Neighbor { code, kind });
        let child = child.or(unknown).filter(|_| peer.kind == PeerKind::Site);
        child.ok_or_else(|| Error::WrongNeighbor {
            found: peer.to_string(),
            expected: "a child of this site".to_owned(),
        })
    }
}

#[tonic::async_trait]
impl ReplicationService for LinkServer {
    type LinkStream = Pin<Box<dyn Stream<Item = Result<pb::LinkResponse, Status>> + Send>>;

    async fn link(
        &self,
        request: Request<Streaming<pb::LinkRequest>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let peer = transport::peer(&request)?.clone();
        let refuse = |e: Error| rpc::status::from_error(e.class(), &e);
        let child = self.child(&peer).await.map_err(refuse)?;
        let incoming = request.into_inner().map(|message| {
            let pb::LinkRequest { frame } = message?;
            Ok(wire::decode(frame)?)
        });
        let (sender, receiver) = mpsc::channel(FRAMES_WAITING);
        let (link, shutdown) = (self.link.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            let exchange = link.exchange(child);
            link.session(exchange, incoming, sender, shutdown).await;
        });
        let outgoing = ReceiverStream::new(receiver)
            .map(|frame| Ok(pb::LinkResponse { frame: Some(wire::encode(frame)) }));
        Ok(Response::new(Box::pin(outgoing)))
    }
}

impl Link {
    fn exchange(&self, neighbor: Neighbor) -> Exchange {
        self.board.update(neighbor.code, |view| {
            view.sessions += 1;
            view.failed_attempts = 0;
        });
        let (board, hints) = (Arc::clone(&self.board), self.hints.clone());
        Exchange::new(self.boot, neighbor, self.limits, board, hints)
    }
}

/// The child's side: holds a session with the parent, again and again, until `shutdown`.
pub async fn dial(
    link: Link,
    parent: Neighbor,
    connection: Connection,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    const WAIT_MIN: Duration = Duration::from_millis(200);
    const WAIT_MAX: Duration = Duration::from_secs(60);
    let mut backoff = Backoff::new(WAIT_MIN, WAIT_MAX, 50)?;
    link.board.expect_neighbor(parent.code, true);
    while !shutdown.is_cancelled() {
        let error = match open(&connection).await {
            Ok((sender, incoming)) => {
                backoff.reset();
                let exchange = link.exchange(parent);
                link.session(exchange, incoming, sender, shutdown.clone()).await
            }
            Err(error) => {
                note_failure(&link, parent.code, &error);
                error
            }
        };
        // A session that ends to begin anew is no failure.
        if matches!(error, Error::Renew { .. }) {
            continue;
        }
        let wait = tokio::time::sleep(backoff.wait(link.db.ambient()));
        shutdown.run_until_cancelled(wait).await;
    }
    Ok(())
}

fn note_failure(link: &Link, parent: SiteCode, error: &Error) {
    let problem = error_chain(error);
    tracing::warn!(peer.site = %parent, error = %problem, "the parent site was not reached");
    link.board.update(parent, |view| {
        view.failed_attempts += 1;
        view.problem = problem;
    });
}

type Incoming = Pin<Box<dyn Stream<Item = Result<replication::Frame, Error>> + Send>>;

async fn open(
    connection: &Connection,
) -> Result<(mpsc::Sender<replication::Frame>, Incoming), Error> {
    let (sender, receiver) = mpsc::channel(FRAMES_WAITING);
    let outgoing = ReceiverStream::new(receiver)
        .map(|frame| pb::LinkRequest { frame: Some(wire::encode(frame)) });
    let mut client = ReplicationServiceClient::new(connection.channel())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let answers = client.link(outgoing).await?.into_inner();
    let incoming = answers.map(|message| {
        let pb::LinkResponse { frame } = message?;
        Ok(wire::decode(frame)?)
    });
    Ok((sender, Box::pin(incoming)))
}
