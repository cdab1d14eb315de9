//! A site server's content service that does what a test says.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use model::{ErrorClass, StatusMessage};
use rpc::object::ObjectBody as _;
use rpc::pb::content as pb;
use rpc::pb::content::content_service_server::ContentService;
use rpc::pb::content::upload_file_request::Part;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _, iter, pending};
use tonic::{Request, Response, Status, Streaming};

use crate::sample::sha256;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The fake; clones share what happens.
#[derive(Clone, Debug, Default)]
pub struct FakeContents {
    script: Arc<Mutex<Script>>,
    pub manifests: watch::Sender<Vec<pb::Manifest>>,
    told: watch::Sender<()>,
}

/// What the fake has, and was told.
#[derive(Debug, Default)]
pub struct Script {
    pub files: Vec<Bytes>,
    /// After this many bytes of the next file, silence.
    pub silent_after: Option<usize>,
    /// Where files were asked for from.
    pub offsets: Vec<u64>,
    /// What became of packages, in words.
    pub reports: Vec<String>,
    /// Numbers of status messages.
    pub statuses: Vec<u32>,
    pub uploads: Vec<Vec<u8>>,
}

impl FakeContents {
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wants a package of the files it has and of `absent`.
    pub fn distribute(&self, version: u32, names: &[&str], absent: &[&Bytes]) {
        let mut contents = self.script().files.clone();
        contents.extend(absent.iter().copied().cloned());
        let file = |(content, name): (Bytes, &&str)| pb::File {
            sha256: sha256(&content).0.to_vec().into(),
            size: content.len() as u64,
            name: (*name).to_owned(),
        };
        let files = contents.into_iter().zip(names).map(file).collect();
        let package = "CAS00001".to_owned();
        self.manifests.send_replace(vec![pb::Manifest { package, version, files }]);
    }

    /// Waits until it was told what is waited for.
    pub async fn until(&self, is_told: impl Fn(&Script) -> bool) {
        let mut told = self.told.subscribe();
        let waited = told.wait_for(|()| is_told(&self.script())).await;
        drop(waited.expect("the fake is there"));
    }

    fn note(&self, note: impl FnOnce(&mut Script)) {
        note(&mut self.script());
        self.told.send_replace(());
    }
}

#[tonic::async_trait]
impl ContentService for FakeContents {
    type WatchManifestsStream = Answers<pb::WatchManifestsResponse>;
    type FetchFileStream = Answers<pb::FetchFileResponse>;

    async fn watch_manifests(
        &self,
        _: Request<pb::WatchManifestsRequest>,
    ) -> Result<Response<Self::WatchManifestsStream>, Status> {
        let states = WatchStream::new(self.manifests.subscribe());
        let states =
            states.map(|manifests| Ok(pb::WatchManifestsResponse { generation: 1, manifests }));
        Ok(Response::new(Box::pin(states)))
    }

    async fn fetch_file(
        &self,
        request: Request<pb::FetchFileRequest>,
    ) -> Result<Response<Self::FetchFileStream>, Status> {
        let pb::FetchFileRequest { sha256: wanted, offset } = request.into_inner();
        let mut script = self.script();
        let mut files = script.files.iter();
        let found = files.find(|content| sha256(content).0.as_slice() == wanted).cloned();
        let Some(content) = found else {
            return Err(rpc::status::refuse(ErrorClass::NotFound, "not here"));
        };
        script.offsets.push(offset);
        let silent_after = script.silent_after.take();
        let end = silent_after.unwrap_or(content.len());
        let data = content.slice(usize::try_from(offset).expect("small")..end);
        let pieces = iter([Ok(pb::FetchFileResponse { data })]);
        match silent_after {
            Some(_) => Ok(Response::new(Box::pin(pieces.chain(pending())))),
            None => Ok(Response::new(Box::pin(pieces))),
        }
    }

    async fn report_distribution(
        &self,
        request: Request<pb::ReportDistributionRequest>,
    ) -> Result<Response<pb::ReportDistributionResponse>, Status> {
        let line = |told: pb::Distribution| {
            let pb::Distribution { version, state, files, bytes, reason, .. } = told;
            let line = format!("{version} {state} {files} files {bytes} bytes {reason}");
            line.trim_end().to_owned()
        };
        let told = request.into_inner().distributions;
        self.note(|script| script.reports.extend(told.into_iter().map(line)));
        Ok(Response::new(pb::ReportDistributionResponse {}))
    }

    async fn upload_file(
        &self,
        request: Request<Streaming<pb::UploadFileRequest>>,
    ) -> Result<Response<pb::UploadFileResponse>, Status> {
        let (mut parts, mut size, mut content) = (request.into_inner(), 0, Vec::new());
        while let Some(pb::UploadFileRequest { part: Some(part) }) = parts.message().await? {
            match part {
                Part::Header(header) => size = header.size,
                Part::Data(data) => content.extend(data),
            }
        }
        assert_eq!(size, content.len() as u64);
        self.note(|script| script.uploads.push(content));
        Ok(Response::new(pb::UploadFileResponse::default()))
    }

    async fn send_status(
        &self,
        request: Request<pb::SendStatusRequest>,
    ) -> Result<Response<pb::SendStatusResponse>, Status> {
        let messages = request.into_inner().messages;
        let ids = messages.iter().map(|m| StatusMessage::decode(m).expect("a message").id);
        self.note(|script| script.statuses.extend(ids));
        Ok(Response::new(pb::SendStatusResponse {}))
    }
}
