//! A management point and an update point that know nothing but what a site in the process says,
//! each behind mutual TLS on a port of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use client::policy::Offer;
use model::{
    ClientId, ErrorClass, PeerIdentity, PeerKind, RoleKind, ServerRef, SiteCode, StateReport,
    Timestamp,
};
use rpc::pb::client as pb;
use rpc::pb::client::client_service_server::{ClientService, ClientServiceServer};
use rpc::pb::management::{Outcome, SignedHead};
use rpc::pb::metadata::metadata_service_server::{MetadataService, MetadataServiceServer};
use rpc::pb::metadata::{
    Document as WireDocument, FindFilesRequest, FindFilesResponse, FollowDocumentsRequest,
    FollowDocumentsResponse,
};
use rpc::status::refuse;
use testkit::pki::{Pki, SiteKeys};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::codegen::tokio_stream::{Stream, empty, once};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use transport::{Limits, Server, TcpListen};
use update_metadata::Document;

use crate::Short;

/// What came.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) registered: BTreeSet<String>,
    pub(super) reports: BTreeMap<ClientId, Vec<StateReport>>,
    pub(super) catalogs: u32,
}

#[derive(Clone)]
pub(super) struct Points {
    short: Arc<Mutex<Option<Short>>>,
    documents: Arc<Vec<Document>>,
    seen: Arc<Mutex<Seen>>,
    now: Timestamp,
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Points {
    pub(super) fn new(documents: Vec<Document>, now: Timestamp) -> Points {
        let (short, seen) = Default::default();
        Points { short, documents: Arc::new(documents), seen, now }
    }

    pub(super) fn answer_with(&self, short: Short) {
        *self.short.lock().expect("a test") = Some(short);
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("a test")
    }

    /// Starts a point of this kind and says where it is.
    pub(super) async fn start(
        &self,
        kind: RoleKind,
        (pki, keys): (&Pki, &SiteKeys),
        tasks: &mut JoinSet<()>,
    ) -> ServerRef {
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("https://{}", listener.local_address());
        let routes = match kind {
            RoleKind::SoftwareUpdatePoint => Routes::new(MetadataServiceServer::new(self.clone())),
            _ => Routes::new(ClientServiceServer::new(self.clone())),
        };
        let credentials = Some(pki.credentials(keys, PeerKind::Role(kind), "role"));
        let (limits, revoked) = (Limits::default(), Arc::new(|_: &PeerIdentity| false));
        let server = Server { router: routes.into_axum_router(), credentials, limits, revoked };
        tasks.spawn(async move {
            let ended = server.run(Box::new(listener), CancellationToken::new()).await;
            ended.expect("it runs");
        });
        let site = SiteCode::new("PR1").expect("a good code");
        ServerRef { kind, site, url, http_url: String::new(), after_minutes: 0 }
    }
}

fn caller<T>(request: &Request<T>) -> ClientId {
    let peer = transport::peer(request).expect("it has a certificate");
    assert_eq!(peer.kind, PeerKind::Client);
    peer.id.parse().expect("a client's id")
}

fn nothing<T>() -> Result<Response<T>, Status> {
    Err(refuse(ErrorClass::NotFound, "nobody asks for this"))
}

#[tonic::async_trait]
impl ClientService for Points {
    async fn register(
        &self,
        request: Request<pb::RegisterRequest>,
    ) -> Result<Response<pb::RegisterResponse>, Status> {
        self.seen().registered.insert(request.into_inner().name);
        Ok(Response::new(pb::RegisterResponse {}))
    }

    async fn get_policy(
        &self,
        request: Request<pb::GetPolicyRequest>,
    ) -> Result<Response<pb::GetPolicyResponse>, Status> {
        let client = caller(&request);
        let pb::GetPolicyRequest { incarnation, have_version, .. } = request.into_inner();
        let short = self.short.lock().expect("a test");
        let short = short.as_ref().expect("it has been told what to say");
        let Some(offer) = short.offer(client, (incarnation, have_version), self.now) else {
            return Ok(Response::new(pb::GetPolicyResponse::default()));
        };
        let Offer { head, signature, statement: key_statement, parts } = offer;
        let head = Some(SignedHead { head, signature, key_statement });
        Ok(Response::new(pb::GetPolicyResponse { head, parts }))
    }

    async fn send_state(
        &self,
        request: Request<pb::SendStateRequest>,
    ) -> Result<Response<pb::SendStateResponse>, Status> {
        let client = caller(&request);
        let report = request.into_inner().report.expect("there is one");
        let report = StateReport::try_from(report).expect("it can be read");
        assert_eq!(report.client, client);
        self.seen().reports.entry(client).or_default().push(report);
        let outcome = Outcome::Unspecified.into();
        Ok(Response::new(pb::SendStateResponse { outcome, known_serial: 0 }))
    }

    type WakeStream = Streamed<pb::WakeResponse>;

    async fn wake(
        &self,
        _: Request<pb::WakeRequest>,
    ) -> Result<Response<Self::WakeStream>, Status> {
        Ok(Response::new(Box::pin(empty())))
    }

    async fn get_locations(
        &self,
        _: Request<pb::GetLocationsRequest>,
    ) -> Result<Response<pb::GetLocationsResponse>, Status> {
        nothing()
    }

    async fn send_inventory(
        &self,
        _: Request<pb::SendInventoryRequest>,
    ) -> Result<Response<pb::SendInventoryResponse>, Status> {
        nothing()
    }
}

#[tonic::async_trait]
impl MetadataService for Points {
    type FollowDocumentsStream = Streamed<FollowDocumentsResponse>;

    async fn follow_documents(
        &self,
        request: Request<FollowDocumentsRequest>,
    ) -> Result<Response<Self::FollowDocumentsStream>, Status> {
        caller(&request);
        self.seen().catalogs += 1;
        let document = |document: &Document| WireDocument {
            id: document.update.id.as_bytes().to_vec(),
            revision: document.update.revision,
            xml: document.to_xml(),
        };
        let page = FollowDocumentsResponse {
            server_id: vec![3; 16],
            documents: self.documents.iter().map(document).collect(),
            anchor: 1,
            done: true,
            version: 1,
            ..FollowDocumentsResponse::default()
        };
        Ok(Response::new(Box::pin(once(Ok(page)))))
    }

    async fn find_files(
        &self,
        _: Request<FindFilesRequest>,
    ) -> Result<Response<FindFilesResponse>, Status> {
        nothing()
    }
}
