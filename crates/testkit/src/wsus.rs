//! An update service as computers see it, made from the text of MS-WUSP alone: it shares no code
//! with ours, writes its answers by hand and reads requests as plain XML.
//!
//! Answers by the book (3.1.5), or with whatever bytes a test gives it: what a real server was
//! seen to send, or what no server should.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use http::{HeaderMap, Response, StatusCode, Uri};
use tokio::task::JoinSet;
use uuid::Uuid;
use xml_guard::Element;

use crate::serving::serve;
use crate::tls::TlsServer;

mod answers;
mod requests;
mod revision;

pub use revision::Told;

use requests::Call;

/// A running fake; it ends with this value.
#[derive(Debug)]
pub struct FakeWsus {
    pub url: String,
    script: Arc<Mutex<Script>>,
    _tasks: JoinSet<()>,
}

/// What the fake tells, and what it was asked.
#[derive(Debug)]
pub struct Script {
    revisions: Vec<Told>,
    /// When the deployment of each was last changed, counted in changes.
    changed: BTreeMap<i32, u64>,
    changes: u64,
    replayed: BTreeMap<String, Reply>,
    queued: BTreeMap<String, VecDeque<Reply>>,
    /// New updates in one answer.
    pub page: usize,
    pub wants_registration: bool,
    is_registered: bool,
    /// Another one is another server: it knows neither cookies nor numbers of the last.
    pub server: u32,
    /// Another one is another configuration.
    pub configuration: u32,
    /// The names of the operations that were asked for, in their order.
    pub asked: Vec<String>,
    /// Whoever registered, as it was written.
    pub registered: Option<Element>,
    pub events: Vec<Event>,
}

/// An event that a computer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub number: i32,
    pub update: Uuid,
    pub hresult: i32,
    pub computer: String,
    pub instance: String,
    pub strings: Vec<String>,
    pub misc: Vec<String>,
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Of the type that the protocol has.
    Soap(u16, String),
    /// A fault with this code.
    Fault(&'static str),
    /// Of another type, or with other headers.
    Raw { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// The same piece so many times, or for ever if that is more than fits into a disk.
    Stream { piece: &'static str, times: u64, announced: Option<u64> },
}

/// The code of a fault and the parameter to blame.
type Refused = (&'static str, &'static str);

impl FakeWsus {
    /// Starts on a free port of this machine.
    pub async fn start() -> FakeWsus {
        FakeWsus::start_on(None).await
    }

    /// The same over TLS; `server` is the one asked for as 127.0.0.1, whatever its name is.
    pub async fn start_tls(server: &TlsServer) -> FakeWsus {
        FakeWsus::start_on(Some(server)).await
    }

    async fn start_on(tls: Option<&TlsServer>) -> FakeWsus {
        let script = Arc::new(Mutex::new(Script::default()));
        let router = Router::new().fallback(answer).with_state(script.clone());
        let (url, tasks) = serve(router, tls).await;
        FakeWsus { url, script, _tasks: tasks }
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Script {
    fn default() -> Script {
        let (revisions, changed, changes, replayed, queued) = Default::default();
        let (is_registered, asked, registered, events) = Default::default();
        Script {
            revisions,
            changed,
            changes,
            replayed,
            queued,
            page: 30,
            wants_registration: true,
            is_registered,
            server: 1,
            configuration: 1,
            asked,
            registered,
            events,
        }
    }
}

impl Script {
    /// Tells of a revision from now on; of one with the number of another, instead of that.
    pub fn tell(&mut self, told: Told) {
        self.changes += 1;
        self.changed.insert(told.id, self.changes);
        self.revisions.retain(|other| other.id != told.id);
        self.revisions.push(told);
    }

    /// Deploys a revision in another way.
    pub fn deploy(&mut self, id: i32, action: &'static str) {
        let mut told = self.revisions.iter().find(|told| told.id == id).expect("is told").clone();
        told.action = action;
        self.tell(told);
    }

    /// Deploys a revision no more.
    pub fn withdraw(&mut self, id: i32) {
        self.revisions.retain(|told| told.id != id);
    }

    /// Gives every revision another number, as a server does that was set up anew.
    pub fn renumber(&mut self, by: i32) {
        self.server += 1;
        self.is_registered = false;
        self.revisions.iter_mut().for_each(|told| told.id += by);
        self.changed = self.changed.iter().map(|(id, change)| (id + by, *change)).collect();
    }

    /// Answers every call of an operation so.
    pub fn replay(&mut self, operation: &str, reply: Reply) {
        self.replayed.insert(operation.to_owned(), reply);
    }

    pub fn stop_replaying(&mut self, operation: &str) {
        self.replayed.remove(operation);
    }

    /// Answers the next call of an operation so, and after that the one after it.
    pub fn reply_once(&mut self, operation: &str, reply: Reply) {
        self.queued.entry(operation.to_owned()).or_default().push_back(reply);
    }

    /// What was asked since this was last called.
    pub fn take_asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.asked)
    }

    fn respond(&mut self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
        let call = match Call::read(uri.path(), headers, body) {
            Ok(call) => call,
            Err(reason) => return respond(400, &[], Body::from(reason)),
        };
        self.asked.push(call.operation.clone());
        let queued = self.queued.get_mut(&call.operation).and_then(VecDeque::pop_front);
        let reply = queued.or_else(|| self.replayed.get(&call.operation).cloned());
        let reply = reply.unwrap_or_else(|| match self.by_the_book(&call) {
            Ok(text) => Reply::Soap(200, text),
            Err((code, parameter)) => Reply::Soap(500, call.fault(code, parameter)),
        });
        reply.response(&call)
    }

    fn by_the_book(&mut self, call: &Call) -> Result<String, Refused> {
        let content = match call.operation.as_str() {
            "GetConfig" => self.config(),
            "GetAuthorizationCookie" => {
                let client = call.text("clientId");
                client.parse::<Uuid>().map_err(|_| ("InvalidParameters", "clientId"))?;
                answers::authorization()
            }
            "GetCookie" => self.give_cookie(call)?,
            "RegisterComputer" => {
                self.admit(call)?;
                self.registered = call.request.child("computerInfo").cloned();
                self.is_registered = true;
                String::new()
            }
            "SyncUpdates" => {
                let seen = self.admit_registered(call)?;
                self.sync(call, seen)?
            }
            "RefreshCache" => {
                self.admit_registered(call)?;
                self.refresh(call)?
            }
            "GetExtendedUpdateInfo" => {
                self.admit_registered(call)?;
                self.details(call)?
            }
            "ReportEventBatch" => {
                self.admit_registered(call)?;
                self.take_events(call)?;
                "<ReportEventBatchResult>true</ReportEventBatchResult>".to_owned()
            }
            _ => return Err(("InternalServerError", "")),
        };
        Ok(call.frame(&content))
    }

    fn admit_registered(&self, call: &Call) -> Result<u64, Refused> {
        let seen = self.admit(call)?;
        match self.wants_registration && !self.is_registered {
            true => Err(("RegistrationRequired", "")),
            false => Ok(seen),
        }
    }

    /// The changes that a computer knew when it got its cookie.
    fn admit(&self, call: &Call) -> Result<u64, Refused> {
        let cookie = call.request.child("cookie").ok_or(("InvalidCookie", ""))?;
        let data = cookie.child("EncryptedData").map(|data| data.text.as_str());
        let field = |at: usize| data?.get(at * 8..at * 8 + 8)?.parse::<u64>().ok();
        let (server, configuration, seen) =
            (field(0).ok_or(("InvalidCookie", ""))?, field(1), field(2));
        if server != u64::from(self.server) {
            return Err(("ServerChanged", ""));
        }
        if configuration != Some(u64::from(self.configuration)) {
            return Err(("ConfigChanged", ""));
        }
        seen.ok_or(("InvalidCookie", ""))
    }
}

impl Reply {
    fn response(self, call: &Call) -> Response<Body> {
        let soap = ("content-type", "text/xml; charset=utf-8".to_owned());
        match self {
            Reply::Soap(status, text) => respond(status, &[soap], Body::from(text)),
            Reply::Fault(code) => respond(500, &[soap], Body::from(call.fault(code, ""))),
            Reply::Raw { status, headers, body } => respond(status, &headers, Body::from(body)),
            Reply::Stream { piece, times, announced } => {
                let pieces = (0..times).map(move |_| Ok::<_, std::io::Error>(piece));
                let length = announced.map(|bytes| ("content-length", bytes.to_string()));
                let headers: Vec<_> = [soap].into_iter().chain(length).collect();
                respond(200, &headers, Body::from_stream(tokio_stream::iter(pieces)))
            }
        }
    }
}

/// The revisions that a list of the request names.
fn ids(list: Option<&Element>) -> BTreeSet<i32> {
    let items = list.iter().flat_map(|list| list.children_named("int"));
    items.filter_map(|item| item.text.trim().parse().ok()).collect()
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
    script.respond(&uri, &headers, &body)
}

fn respond(status: u16, headers: &[(&'static str, String)], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("tests give real codes");
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().expect("plain text"));
    }
    response
}
