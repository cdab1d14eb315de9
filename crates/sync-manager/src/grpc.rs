//! Update points over gRPC: they dial, and hold a session open.

use std::pin::Pin;
use std::sync::Arc;

use model::{Category, Invalid, Item, PeerIdentity, RoleId, Sha1, Sha256, UpdateId};
use rpc::object::ObjectBody as _;
use rpc::pb::update_point as pb;
use rpc::pb::update_point::session_request::Frame as Said;
use rpc::pb::update_point::session_response::Frame as Told;
use rpc::pb::update_point::update_point_service_server::UpdatePointService;
use site_db::{
    CatalogFacts, CatalogRuling, GivenDocument, ImportReport, SiteDb, Subscription, SyncPoint,
    SyncSource,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::Error;
use crate::items::Page;
use crate::rulings::RulingRange;
use crate::session::{Answer, Order, Sessions, Synchronized, Target};

/// The service that update points call.
#[derive(Clone, Debug)]
pub struct UpdatePoints {
    pub(crate) db: SiteDb,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

#[tonic::async_trait]
impl UpdatePointService for UpdatePoints {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<pb::SessionResponse, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<pb::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let refuse = |error: Error| rpc::status::from_error(error.class(), &error);
        let role = self.update_point(transport::peer(&request)?).map_err(refuse)?;
        let mut frames = request.into_inner();
        let ready = frames.message().await?.and_then(|first| first.frame);
        let Some(Said::Ready(ready)) = ready else { return Err(refuse(Error::NoGreeting)) };
        let is_replica = ready.replica;
        self.greet(role, ready).await.map_err(refuse)?;
        let (serial, orders) = self.sessions.open(role, is_replica);
        let (sessions, shutdown) = (Arc::clone(&self.sessions), self.shutdown.clone());
        tracing::info!(role.id = %role, "an update point connected");
        self.tasks.spawn(async move {
            let ended = shutdown.run_until_cancelled(listen(&sessions, role, frames)).await;
            let reason = ended.and_then(Result::err).map(|error| model::error_chain(&error));
            tracing::info!(role.id = %role, reason, "an update point disconnected");
            sessions.close(role, serial);
        });
        let told = |(order, what)| Ok(pb::SessionResponse { frame: Some(encode(order, what)) });
        Ok(Response::new(Box::pin(ReceiverStream::new(orders).map(told))))
    }
}

impl UpdatePoints {
    /// The update point that a certificate names.
    fn update_point(&self, peer: &PeerIdentity) -> Result<RoleId, Error> {
        let site = self.db.identity().code();
        if peer.site != site {
            return Err(Error::ForeignPoint { found: peer.id.clone(), site });
        }
        Ok(peer.id.parse()?)
    }

    /// Another catalog than before is taken in from its beginning.
    async fn greet(&self, role: RoleId, ready: pb::Ready) -> Result<(), Error> {
        let pb::Ready { server_id, version, replica: _ } = ready;
        let greet = move |w: &site_db::Writer<'_>| {
            let mut point = w.sync_point(role)?;
            if point.server_id != server_id {
                point = SyncPoint { server_id, ..SyncPoint::default() };
            }
            point.version = version;
            w.save_sync_point(role, &point)
        };
        Ok(self.db.write(greet).await?)
    }
}

async fn listen(
    sessions: &Sessions,
    role: RoleId,
    mut frames: Streaming<pb::SessionRequest>,
) -> Result<(), Status> {
    while let Some(pb::SessionRequest { frame }) = frames.message().await? {
        let (order, answer) = decode(frame).map_err(rpc::status::InvalidArgument::from)?;
        sessions.deliver(role, order, answer).await;
    }
    Ok(())
}

fn decode(frame: Option<Said>) -> Result<(u64, Answer), Invalid> {
    let unknown = |what| Invalid::new("session frame", what);
    match frame.ok_or_else(|| unknown("is empty or of a later version"))? {
        Said::Ready(_) => Err(unknown("greets a second time")),
        Said::Progress(pb::Progress { order, phase, done, total }) => {
            Ok((order, Answer::Progress { phase, done, total }))
        }
        Said::Synchronized(synchronized) => {
            let pb::Synchronized { order, revisions_rejected, rejected, .. } = &synchronized;
            if *revisions_rejected > 0 {
                tracing::warn!(order, revisions_rejected, ?rejected, "updates were passed over");
            }
            let set_digest = Sha256::from_slice(&synchronized.set_digest)?;
            let answer = Synchronized { updates: synchronized.updates, set_digest };
            Ok((*order, Answer::Synchronized(answer)))
        }
        Said::Changes(changes) => Ok((changes.order, decode_changes(changes))),
        Said::ImportReport(report) => Ok((report.order, decode_report(report))),
        Said::ExportPart(pb::ExportPart { order, data }) => Ok((order, Answer::ExportPart(data))),
        Said::Exported(pb::Exported { order, manifest, missing }) => {
            Ok((order, Answer::Exported { manifest, missing }))
        }
        Said::Failure(pb::Failure { order, reason, transient }) => {
            Ok((order, Answer::Failure { reason, is_transient: transient }))
        }
        Said::FilesReport(pb::FilesReport { order, failures }) => {
            let failure = |pb::FileFailure { sha1, reason }| Ok((Sha1::from_slice(&sha1)?, reason));
            let failures = failures.into_iter().map(failure).collect::<Result<_, _>>()?;
            Ok((order, Answer::Fetched { failures }))
        }
    }
}

/// A page that cannot be read fails its order alone.
fn decode_changes(changes: pb::Changes) -> Answer {
    let page = || -> Result<Page, Invalid> {
        let pb::Changes { order: _, categories, items, removed, anchor, extractor, done } = changes;
        let items = items.iter().map(|bytes| Item::decode(bytes));
        let categories = categories.iter().map(|bytes| Category::decode(bytes));
        let removed = removed.iter().map(|id| UpdateId::from_slice(id));
        Ok(Page {
            categories: categories.collect::<Result<_, _>>()?,
            items: items.collect::<Result<_, _>>()?,
            removed: removed.collect::<Result<_, _>>()?,
            anchor,
            extractor,
            is_last: done,
        })
    };
    page().map_or_else(
        |error| Answer::Failure { reason: error.to_string(), is_transient: false },
        Answer::Changes,
    )
}

/// A report that cannot be read fails its order alone.
fn decode_report(report: pb::ImportReport) -> Answer {
    let read = || -> Result<ImportReport, Invalid> {
        let pb::ImportReport { imported, unchanged, rejected, revised, refused, .. } = report;
        let documents = report.documents.into_iter().map(decode_document);
        let catalog = report.catalog.map(decode_catalog).transpose()?;
        let documents = documents.collect::<Result<_, _>>()?;
        Ok(ImportReport { imported, unchanged, rejected, revised, refused, documents, catalog })
    };
    read().map_or_else(
        |error| Answer::Failure { reason: error.to_string(), is_transient: false },
        Answer::Imported,
    )
}

fn decode_document(document: pb::GivenDocument) -> Result<GivenDocument, Invalid> {
    let pb::GivenDocument { name: file, update, revision, outcome, reason } = document;
    let update = match update.as_slice() {
        // It could not be read that far.
        [] => String::new(),
        id => UpdateId::from_slice(id)?.to_string(),
    };
    Ok(GivenDocument { file, update, revision, outcome, reason })
}

fn decode_catalog(catalog: pb::ImportedCatalog) -> Result<CatalogFacts, Invalid> {
    let pb::ImportedCatalog { kind, server_id, since, anchor, version, set_digest, .. } = catalog;
    let pb::ImportedCatalog { documents, removed, files, same_set: is_same_set, .. } = catalog;
    let set_digest = match set_digest.as_slice() {
        [] => None,
        digest => Some(Sha256::from_slice(digest)?),
    };
    Ok(CatalogFacts {
        kind,
        server_id,
        since,
        anchor,
        version,
        set_digest,
        documents,
        removed,
        files,
        is_same_set,
    })
}

fn encode_rulings(order: u64, range: RulingRange) -> pb::SetRulings {
    let RulingRange { from, to, rulings } = range;
    let bound = |id: Option<UpdateId>| id.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let ruling = |CatalogRuling { update, is_declined, dropped }| pb::Ruling {
        update: update.as_bytes().to_vec(),
        declined: is_declined,
        dropped,
    };
    let rulings = rulings.into_iter().map(ruling).collect();
    pb::SetRulings { order, from: bound(from), to: bound(to), rulings }
}

fn encode(order: u64, what: Order) -> Told {
    let ids = |ids: Vec<UpdateId>| ids.iter().map(|id| id.as_bytes().to_vec()).collect();
    match what {
        Order::Synchronize(target) => {
            let Target { source, site, is_full, products, classifications, languages, wanted } =
                target;
            let SyncSource { url, pin, roots } = source;
            let (own, pin) = (site.is_some(), pin.map(|pin| pin.0.to_vec()));
            let site = site.map(|site| site.to_string()).unwrap_or_default();
            Told::Synchronize(pb::Synchronize {
                order,
                source: Some(pb::Source { url, own, site, roots, pin }),
                full: is_full,
                products: ids(products),
                classifications: ids(classifications),
                version: wanted.map_or(0, |(version, _)| version),
                set_digest: wanted.map(|(_, digest)| digest.0.to_vec()),
                languages: languages.tags(),
            })
        }
        Order::Cancel { order } => Told::Cancel(pb::Cancel { order }),
        Order::GetChanges { anchor, extractor } => {
            Told::GetChanges(pb::GetChanges { order, anchor, extractor })
        }
        Order::SetRulings(range) => Told::SetRulings(encode_rulings(order, range)),
        Order::CompleteVersion { version, set_digest } => {
            let set_digest = set_digest.0.to_vec();
            Told::CompleteVersion(pb::CompleteVersion { order, version, set_digest })
        }
        Order::FetchFiles(files, languages) => {
            let wanted = |(update, file): (UpdateId, model::ItemFile)| pb::WantedFile {
                update: update.as_bytes().to_vec(),
                name: file.name,
                size: file.size,
                sha1: file.sha1.0.to_vec(),
                sha256: file.sha256.map(|sha256| sha256.0.to_vec()),
            };
            let files = files.into_iter().map(wanted).collect();
            Told::FetchFiles(pb::FetchFiles { order, files, languages: languages.tags() })
        }
        Order::Publish { name, package } => Told::Publish(pb::Publish { order, name, package }),
        Order::RefreshCatalog(Subscription { name, url, fingerprint, .. }) => {
            let fingerprint = fingerprint.map(|digest| digest.0.to_vec());
            Told::RefreshCatalog(pb::RefreshCatalog { order, name, url, fingerprint })
        }
        Order::PublishContent { update } => {
            let update = update.as_bytes().to_vec();
            Told::PublishContent(pb::PublishContent { order, update })
        }
        Order::ImportPart { name, data, is_last, warrant } => Told::Import(pb::Import {
            order,
            name,
            data,
            last: is_last,
            manifest: warrant.manifest.map(|digest| digest.0.to_vec()).unwrap_or_default(),
            unsigned: warrant.is_unsigned,
        }),
        Order::Export { since, has_content } => {
            Told::Export(pb::Export { order, since, content: has_content })
        }
    }
}
