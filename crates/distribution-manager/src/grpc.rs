//! The content service: manifests and files down, uploads and reports up.

use std::collections::BTreeSet;
use std::pin::Pin;

use bytes::Bytes;
use content_library::{Begun, ContentLibrary, FileRecord};
use futures_util::stream::{self, Stream, StreamExt as _};
use model::{
    ContentManifest, DistributionState, Group, Invalid, ItemFile, PeerIdentity, PeerKind, RoleId,
    Sha1, Sha256, SiteCode, StatusMessage, UpdateId,
};
use rpc::object::ObjectBody as _;
use rpc::pb::content as pb;
use rpc::pb::content::content_service_server::ContentService;
use rpc::pb::content::upload_file_request::Part;
use site_db::{Changes, Found, Reader, SiteDb};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::Error;
use crate::limits::STATUS_MAX;

/// The service.
#[derive(Clone, Debug)]
pub struct Contents {
    pub(crate) db: SiteDb,
    pub(crate) library: ContentLibrary,
    pub(crate) shutdown: CancellationToken,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ContentService for Contents {
    type WatchManifestsStream = Answers<pb::WatchManifestsResponse>;
    type FetchFileStream = Answers<pb::FetchFileResponse>;

    async fn watch_manifests(
        &self,
        request: Request<pb::WatchManifestsRequest>,
    ) -> Result<Response<Self::WatchManifestsStream>, Status> {
        let audience = Audience::of(transport::peer(&request)?).map_err(Error::from)?;
        let watch = Watch {
            local: self.db.watch(&[]),
            topology: self.db.watch(&[Group::Topology]),
            db: self.db.clone(),
            shutdown: self.shutdown.clone(),
            audience,
            told: None,
        };
        Ok(Response::new(Box::pin(stream::unfold(watch, Watch::next))))
    }

    async fn fetch_file(
        &self,
        request: Request<pb::FetchFileRequest>,
    ) -> Result<Response<Self::FetchFileStream>, Status> {
        let pb::FetchFileRequest { sha256, offset } = request.into_inner();
        let sha256 = Sha256::from_slice(&sha256).map_err(Error::from)?;
        let reader = self.library.open_file(sha256).await.map_err(Error::from)?;
        let pieces = reader.pieces(offset..reader.size());
        let message = |data| pb::FetchFileResponse { data };
        Ok(Response::new(Box::pin(
            pieces.map(move |piece| Ok(piece.map(message).map_err(Error::from)?)),
        )))
    }

    async fn report_distribution(
        &self,
        request: Request<pb::ReportDistributionRequest>,
    ) -> Result<Response<pb::ReportDistributionResponse>, Status> {
        let peer = transport::peer(&request)?.clone();
        let pb::ReportDistributionRequest { distributions } = request.into_inner();
        let states = distributions.into_iter().map(DistributionState::try_from);
        let states: Vec<_> = states.collect::<Result<_, _>>().map_err(Error::from)?;
        self.keep_states(peer, states).await?;
        Ok(Response::new(pb::ReportDistributionResponse {}))
    }

    async fn upload_file(
        &self,
        request: Request<Streaming<pb::UploadFileRequest>>,
    ) -> Result<Response<pb::UploadFileResponse>, Status> {
        let mut parts = request.into_inner();
        let header = parts.message().await?.and_then(|first| first.part);
        let file = decode_header(header).map_err(Error::from)?;
        let record = self.take_in(&file, parts).await?;
        let sha256 = Bytes::copy_from_slice(&record.sha256.0);
        Ok(Response::new(pb::UploadFileResponse { sha256 }))
    }

    async fn send_status(
        &self,
        request: Request<pb::SendStatusRequest>,
    ) -> Result<Response<pb::SendStatusResponse>, Status> {
        let site = transport::peer(&request)?.site;
        let pb::SendStatusRequest { messages } = request.into_inner();
        let decode = |bytes: &Bytes| StatusMessage::decode(bytes);
        let messages = messages.iter().take(STATUS_MAX).map(decode);
        let messages: Vec<_> = messages.collect::<Result<_, _>>().map_err(Error::from)?;
        self.keep_status(site, messages).await?;
        Ok(Response::new(pb::SendStatusResponse {}))
    }
}

impl Contents {
    /// Of a site, only what is at or below it; of a distribution point, only itself.
    async fn keep_states(
        &self,
        peer: PeerIdentity,
        states: Vec<DistributionState>,
    ) -> Result<(), Error> {
        let keep = move |w: &site_db::Writer<'_>| {
            let tree = w.tree()?;
            for state in &states {
                let own = match peer.kind {
                    PeerKind::Site => tree.is_below(state.site, peer.site),
                    _ => peer.site == state.site && peer.id == state.point.to_string(),
                };
                if !own {
                    let what = format!("distribution point {}", state.point);
                    return Err(Error::Foreign { peer: peer.to_string(), what });
                }
            }
            Ok(w.save_content_states(&states)?)
        };
        self.db.write(keep).await
    }

    async fn keep_status(&self, site: SiteCode, messages: Vec<StatusMessage>) -> Result<(), Error> {
        if let Some(foreign) = messages.iter().find(|message| message.site != site) {
            let (peer, what) = (site.to_string(), format!("site {}", foreign.site));
            return Err(Error::Foreign { peer, what });
        }
        let keep = move |w: &site_db::Writer<'_>| {
            messages.iter().try_for_each(|message| w.append_status(message))
        };
        Ok(self.db.write(keep).await?)
    }

    /// Takes in a file that a package of this site wants, and only such a file.
    async fn take_in(
        &self,
        file: &ItemFile,
        parts: Streaming<pb::UploadFileRequest>,
    ) -> Result<FileRecord, Error> {
        let demands = self.db.read(|r| r.demands()).await?;
        if !demands.iter().any(|d| (d.file.sha1, d.file.size) == (file.sha1, file.size)) {
            return Err(Error::Unwanted { sha1: file.sha1 });
        }
        let upload = |source| Error::Upload { source };
        let record = match self.library.begin(file.into()).await.map_err(upload)? {
            Begun::Present(record) => record,
            Begun::Receiving(receipt) => receive(receipt, parts).await?,
        };
        let (file, sha256, is_weak) = (file.clone(), record.sha256, record.is_weak);
        let found = Found::Stored { sha256, is_weak };
        self.db.write(move |w| w.note_found(&file, found)).await?;
        Ok(record)
    }
}

/// An upload always begins with the first byte; what an earlier one left is not written again.
async fn receive(
    mut receipt: content_library::Receipt,
    mut parts: Streaming<pb::UploadFileRequest>,
) -> Result<FileRecord, Error> {
    let mut start = 0;
    while let Some(pb::UploadFileRequest { part }) = parts.message().await? {
        let Some(Part::Data(data)) = part else { continue };
        let next = start + data.len() as u64;
        receipt.write(start, data).await.map_err(|source| Error::Upload { source })?;
        start = next;
    }
    receipt.finish().await.map_err(|source| Error::Upload { source })
}

/// Whose manifests are wanted.
#[derive(Clone, Copy, Debug)]
enum Audience {
    Site(SiteCode),
    Point(RoleId),
}

impl Audience {
    fn of(peer: &PeerIdentity) -> Result<Audience, Invalid> {
        match peer.kind {
            PeerKind::Site => Ok(Audience::Site(peer.site)),
            _ => peer.id.parse().map(Audience::Point),
        }
    }

    /// What it shall hold, and how many files have arrived here so far.
    fn state(self, r: &Reader<'_>) -> Result<(u64, State), Error> {
        let targets = match self {
            Audience::Site(site) => r.points_below(site)?,
            Audience::Point(point) => BTreeSet::from([point]),
        };
        let arrivals = r.counter("content_arrival")?;
        Ok((r.content_generation()?, State { arrivals, manifests: r.manifests_for(&targets)? }))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    arrivals: u64,
    manifests: Vec<ContentManifest>,
}

struct Watch {
    db: SiteDb,
    audience: Audience,
    told: Option<State>,
    local: Changes,
    topology: Changes,
    shutdown: CancellationToken,
}

impl Watch {
    /// The whole state, each time it differs from what was told.
    async fn next(mut self) -> Option<(Result<pb::WatchManifestsResponse, Status>, Watch)> {
        loop {
            let audience = self.audience;
            match self.db.read(move |r| audience.state(r)).await {
                Ok((generation, state)) if self.told.as_ref() != Some(&state) => {
                    let manifests = state.manifests.iter().map(Into::into).collect();
                    self.told = Some(state);
                    let message = pb::WatchManifestsResponse { generation, manifests };
                    return Some((Ok(message), self));
                }
                Ok(_) => {}
                Err(error) => return Some((Err(error.into()), self)),
            }
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                () = self.local.changed() => {}
                () = self.topology.changed() => {}
            }
        }
    }
}

fn decode_header(part: Option<Part>) -> Result<ItemFile, Invalid> {
    let Some(Part::Header(pb::UploadHeader { update, sha1, size, sha256 })) = part else {
        return Err(Invalid::new("upload", "does not begin with a header"));
    };
    let name = format!("a file of update {}", UpdateId::from_slice(&update)?);
    let sha256 = sha256.map(|digest| Sha256::from_slice(&digest)).transpose()?;
    Ok(ItemFile { name, size, sha1: Sha1::from_slice(&sha1)?, sha256 })
}
