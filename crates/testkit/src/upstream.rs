//! An upstream update service that answers from the specification, or with whatever bytes a test
//! gives it: what a real server was seen to send, or what no server should.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ambient::Ambient;
use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Response, StatusCode, Uri};
use tokio::task::JoinSet;
use update_metadata::Document;
use uuid::Uuid;
use wsus_protocol::server::{Deployments, GetDeployments};
use wsus_protocol::{
    AuthConfig, AuthPlugIn, AuthorizationCookie, Blob, ConfigData, Cookie, ErrorCode, Fault,
    FileUrl, Filter, GetConfigData, GetRevisionIdList, GetUpdateData, Message, Operation,
    RevisionIdList, UpdateData, UpdateIdentity, UpdateRecord, WireTime, content_path, decode,
    encode,
};

use crate::serving::serve;
use crate::tls::TlsServer;

/// A running fake; it ends with this value.
#[derive(Debug)]
pub struct FakeUpstream {
    pub url: String,
    script: Arc<Mutex<Script>>,
    _tasks: JoinSet<()>,
}

/// What the fake offers, and what it was asked.
#[derive(Debug, Default)]
pub struct Script {
    offers: Vec<Offer>,
    /// Raw answers to every call of an operation, and to the next calls only.
    replayed: BTreeMap<&'static str, Reply>,
    queued: BTreeMap<&'static str, VecDeque<Reply>>,
    files: BTreeMap<String, Vec<u8>>,
    /// Revisions that fail the whole call.
    pub broken: BTreeSet<UpdateIdentity>,
    /// Cookies made before this one are refused.
    pub cookie: u8,
    /// Part of every anchor; another one means the server was replaced.
    pub server: u32,
    /// How long cookies last; for ever, if nothing is said. Those that end are all good.
    pub expires: Option<WireTime>,
    /// Cookies given so far.
    pub cookies_given: usize,
    /// What replicas are told, and what they asked: the anchors of the last time and of the list.
    pub deployments: Deployments,
    pub deployments_asked: Vec<(Option<String>, Option<String>)>,
    /// What revisions were asked for.
    pub filters: Vec<Filter>,
    /// Every GetUpdateData call, and the anchors of every GetRevisionIdList call.
    pub asked: Vec<Vec<UpdateIdentity>>,
    pub anchors: Vec<Option<String>>,
    /// Range headers of requests for files.
    pub ranges: Vec<Option<String>>,
}

/// HTTP status and body.
pub type Reply = (u16, Vec<u8>);

#[derive(Debug)]
struct Offer {
    identity: UpdateIdentity,
    is_item: bool,
    record: UpdateRecord,
    file_urls: Vec<FileUrl>,
    /// The whole captured answer for this revision alone.
    captured: Option<Vec<u8>>,
}

impl FakeUpstream {
    /// Starts on a free port of this machine.
    pub async fn start() -> FakeUpstream {
        FakeUpstream::start_on(None).await
    }

    /// The same over TLS; `server` is the one asked for as 127.0.0.1, whatever its name is.
    pub async fn start_tls(server: &TlsServer) -> FakeUpstream {
        FakeUpstream::start_on(Some(server)).await
    }

    async fn start_on(tls: Option<&TlsServer>) -> FakeUpstream {
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let (url, tasks) = serve(router, tls).await;
        FakeUpstream { url, script, _tasks: tasks }
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Script {
    /// Offers a document as this server would send it.
    pub fn offer(&mut self, xml: &str) {
        let document = Document::parse(xml.as_bytes()).expect("an offered document is sound");
        let blob = Blob::pack(xml).expect("packs");
        let identity = identity(&document);
        let file_digests = document.files.iter().map(|file| file.sha1.0).collect();
        let record = UpdateRecord { identity, document: blob, file_digests };
        let is_item = document.is_item();
        let (file_urls, captured) = (Vec::new(), None);
        self.offers.push(Offer { identity, is_item, record, file_urls, captured });
    }

    /// Offers a revision whose document is what the test says, sound or not.
    pub fn offer_blob(&mut self, identity: UpdateIdentity, document: Blob) {
        let record = UpdateRecord { identity, document, file_digests: Vec::new() };
        let (file_urls, captured) = (Vec::new(), None);
        self.offers.push(Offer { identity, is_item: true, record, file_urls, captured });
    }

    /// Offers what a captured answer holds, byte for byte when it is asked for alone.
    pub fn offer_captured(&mut self, answer: Vec<u8>) {
        let data: UpdateData = decode(answer.as_slice()).expect("a captured answer is sound");
        let record = data.updates.into_iter().next().expect("it holds an update");
        let (identity, file_urls) = (record.identity, data.file_urls);
        let captured = Some(answer);
        self.offers.push(Offer { identity, is_item: true, record, file_urls, captured });
    }

    /// Serves a file under its content path, with whatever bytes.
    pub fn serve_file(&mut self, sha1: [u8; 20], name: &str, content: Vec<u8>) {
        self.files.insert(content_path(&sha1, name), content);
    }

    /// Answers every call of an operation with these bytes.
    pub fn replay(&mut self, operation: Operation, status: u16, body: Vec<u8>) {
        self.replayed.insert(operation.name(), (status, body));
    }

    pub fn stop_replaying(&mut self, operation: Operation) {
        self.replayed.remove(operation.name());
    }

    /// Answers the next call of an operation with these bytes.
    pub fn reply_once(&mut self, operation: Operation, status: u16, body: Vec<u8>) {
        self.queued.entry(operation.name()).or_default().push_back((status, body));
    }

    fn respond(&mut self, operation: Operation, body: &[u8]) -> Reply {
        let queued = self.queued.get_mut(operation.name()).and_then(VecDeque::pop_front);
        if let Some(reply) = queued.or_else(|| self.replayed.get(operation.name()).cloned()) {
            return reply;
        }
        match self.by_the_book(operation, body) {
            Ok(text) => (200, text.into_bytes()),
            Err((code, parameter)) => {
                let id = Ambient::seeded(1, 0).random_id();
                (500, Fault::new(code, parameter, id, operation).encode("http://fake").into_bytes())
            }
        }
    }

    fn by_the_book(
        &mut self,
        operation: Operation,
        body: &[u8],
    ) -> Result<String, (ErrorCode, &'static str)> {
        match operation {
            Operation::GetAuthConfig => {
                let service = Operation::GetAuthorizationCookie.path().trim_start_matches('/');
                let (id, parameter) = ("DssTargeting".to_owned(), String::new());
                let plug_in = AuthPlugIn { id, service_url: service.to_owned(), parameter };
                let last_change = WireTime::from_millis(0);
                Ok(encode(&AuthConfig { last_change, plug_ins: vec![plug_in] }))
            }
            Operation::GetAuthorizationCookie => {
                Ok(encode(&AuthorizationCookie { plug_in: "DssTargeting".into(), data: vec![1] }))
            }
            Operation::GetCookie => {
                self.cookies_given += 1;
                let expires = self.expires.unwrap_or(WireTime::NEVER);
                Ok(encode(&Cookie { expires, data: vec![self.cookie] }))
            }
            Operation::GetConfigData => {
                self.admit(read::<GetConfigData>(body)?.cookie)?;
                Ok(encode(&config_data()))
            }
            Operation::GetRevisionIdList => self.revision_list(read(body)?).map(|l| encode(&l)),
            Operation::GetUpdateData => self.update_data(read(body)?),
        }
    }

    /// A replayed GetCookie gives a cookie that is not of our making; it is good.
    fn admit(&self, cookie: Option<Cookie>) -> Result<(), (ErrorCode, &'static str)> {
        let cookie = cookie.ok_or((ErrorCode::InvalidCookie, ""))?;
        let is_ours = cookie.expires == WireTime::NEVER;
        if is_ours && cookie.data != [self.cookie] {
            return Err((ErrorCode::InvalidCookie, ""));
        }
        Ok(())
    }

    fn revision_list(
        &mut self,
        request: GetRevisionIdList,
    ) -> Result<RevisionIdList, (ErrorCode, &'static str)> {
        self.admit(request.cookie)?;
        let filter = request.filter;
        self.anchors.push(filter.anchor.clone());
        self.filters.push(filter.clone());
        let since = match filter.anchor.as_deref().map(|anchor| anchor.split_once(',')) {
            None => 0,
            Some(Some((server, _))) if server != self.server.to_string() => {
                return Err((ErrorCode::ServerChanged, ""));
            }
            Some(Some((_, count))) => {
                count.parse().map_err(|_| (ErrorCode::InvalidParameters, "filter"))?
            }
            Some(None) => return Err((ErrorCode::InvalidParameters, "filter")),
        };
        let listed = self.offers.iter().skip(since).filter(|o| o.is_item != filter.get_config);
        Ok(RevisionIdList {
            revisions: listed.map(|offer| offer.identity).collect(),
            anchor: format!("{},{}", self.server, self.offers.len()),
        })
    }

    fn update_data(&mut self, request: GetUpdateData) -> Result<String, (ErrorCode, &'static str)> {
        self.admit(request.cookie)?;
        self.asked.push(request.updates.clone());
        let mut data = UpdateData::default();
        for identity in &request.updates {
            let offer = self.offers.iter().find(|offer| offer.identity == *identity);
            let offer = offer.filter(|_| !self.broken.contains(identity));
            let Some(offer) = offer else { return Err((ErrorCode::InternalServerError, "")) };
            if let (Some(captured), 1) = (&offer.captured, request.updates.len()) {
                return Ok(String::from_utf8_lossy(captured).into_owned());
            }
            data.updates.push(offer.record.clone());
            data.file_urls.extend(offer.file_urls.iter().cloned());
        }
        Ok(encode(&data))
    }

    fn file(&mut self, path: &str, headers: &HeaderMap) -> Response<Body> {
        let range = headers.get("range").and_then(|range| range.to_str().ok()).map(str::to_owned);
        self.ranges.push(range.clone());
        let Some(content) = self.files.get(path) else { return plain(404, Vec::new()) };
        let from = range.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let Some(from) = from.filter(|from| *from < content.len()) else {
            return plain(200, content.clone());
        };
        let mut response = plain(206, content[from..].to_vec());
        let range = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
        response.headers_mut().insert("content-range", range.parse().expect("plain text"));
        response
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
    let action = headers.get("soapaction").and_then(|action| action.to_str().ok());
    match Operation::find(uri.path(), action.unwrap_or_default()) {
        Some(operation) => {
            let (status, body) = script.respond(operation, &body);
            plain(status, body)
        }
        None if action.is_some_and(|action| action.contains("/GetDeployments")) => {
            let GetDeployments { cookie: _, deployment_anchor, sync_anchor } =
                decode(&body[..]).expect("a sound request");
            script.deployments_asked.push((deployment_anchor, sync_anchor));
            plain(200, encode(&script.deployments).into_bytes())
        }
        None => script.file(uri.path(), &headers),
    }
}

fn plain(status: u16, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("tests give real codes");
    response
}

fn read<M: Message>(body: &[u8]) -> Result<M, (ErrorCode, &'static str)> {
    decode(body).map_err(|_| (ErrorCode::InvalidParameters, "message"))
}

fn identity(document: &Document) -> UpdateIdentity {
    let update_id: Uuid = document.update.id.0;
    UpdateIdentity { update_id, revision: document.update.revision }
}

/// What a current Windows server says, with batches small enough to be seen.
fn config_data() -> ConfigData {
    ConfigData {
        catalog_only_sync: false,
        lazy_sync: true,
        server_hosts_psf_files: false,
        computer_ids_max: 0,
        driver_sets_max: 0,
        hardware_ids_max: 0,
        updates_max: 4,
        anchor: "1".to_owned(),
        protocol_version: "1.20".to_owned(),
        languages: Vec::new(),
        decryption_updates_max: 100,
    }
}
