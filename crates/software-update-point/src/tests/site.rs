//! The session with a site server, and what agents follow.

use std::sync::Mutex;

use model::{Item, PeerIdentity, PeerKind, RoleKind, SiteCode};
use rpc::object::ObjectBody as _;
use rpc::pb::content::content_service_server::ContentServiceServer;
use rpc::pb::metadata::metadata_service_client::MetadataServiceClient;
use rpc::pb::metadata::{FindFilesRequest, FollowDocumentsRequest, WantedFile as Named};
use rpc::pb::update_point::session_request::Frame as Answer;
use rpc::pb::update_point::session_response::Frame as Order;
use rpc::pb::update_point::update_point_service_server::{
    UpdatePointService, UpdatePointServiceServer,
};
use rpc::pb::update_point::{
    Cancel, Changes, CompleteVersion, Export, FetchFiles, FilesReport, GetChanges, Import,
    SessionRequest, SessionResponse, Source as OrderedSource, Synchronize, Synchronized,
    WantedFile,
};
use rpc::status::refuse;
use testkit::distribution::FakeContents;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request as Call, Response as Reply, Status, Streaming};
use transport::{Connect, Connection, Security};
use update_metadata::sdp::FileSource;

use super::*;

/// A site server that passes on what the test orders.
struct FakeSite {
    orders: Mutex<Option<mpsc::Receiver<Result<SessionResponse, Status>>>>,
    answers: mpsc::Sender<Answer>,
}

#[tonic::async_trait]
impl UpdatePointService for FakeSite {
    type SessionStream = ReceiverStream<Result<SessionResponse, Status>>;

    async fn session(
        &self,
        call: Call<Streaming<SessionRequest>>,
    ) -> Result<Reply<Self::SessionStream>, Status> {
        let orders = self.orders.lock().expect("whole").take();
        let orders =
            orders.ok_or_else(|| refuse(model::ErrorClass::Conflict, "one session only"))?;
        let (answers, mut frames) = (self.answers.clone(), call.into_inner());
        let (sender, receiver) = mpsc::channel(1);
        let mut both = JoinSet::new();
        both.spawn(async move {
            while let Ok(Some(SessionRequest { frame: Some(frame) })) = frames.message().await {
                answers.send(frame).await.expect("the test listens");
            }
        });
        both.spawn(async move {
            let mut orders = orders;
            while let Some(order) = orders.recv().await {
                let _ = sender.send(order).await;
            }
        });
        both.detach_all();
        Ok(Reply::new(ReceiverStream::new(receiver)))
    }
}

fn identity(kind: PeerKind) -> PeerIdentity {
    let hierarchy = model::HierarchyId(Uuid::from_u128(1));
    PeerIdentity { hierarchy, site: site_code(), kind, id: "one".to_owned() }
}

fn site_code() -> SiteCode {
    SiteCode::new("PR1").expect("a site code")
}

/// What a test holds of a running site and its update point.
struct World {
    bench: Bench,
    orders: mpsc::Sender<Result<SessionResponse, Status>>,
    answers: mpsc::Receiver<Answer>,
    content: FakeContents,
    agent: Connection,
    _tasks: JoinSet<()>,
}

fn connection(connect: impl Connect + 'static) -> Connection {
    Connection::new(Arc::new(connect), "http://memory", Security::Plain).expect("a connection")
}

async fn world() -> World {
    let (orders, ordered) = mpsc::channel(8);
    let (answered, answers) = mpsc::channel(64);
    let (orders_to_come, content) = (Mutex::new(Some(ordered)), FakeContents::default());
    let site = FakeSite { orders: orders_to_come, answers: answered };
    let update_point = PeerKind::Role(RoleKind::SoftwareUpdatePoint);
    let (listen, connect) = transport::memory(identity(update_point));
    let routes = tonic::service::Routes::new(UpdatePointServiceServer::new(site));
    let routes = routes.add_service(ContentServiceServer::new(content.clone()));
    let mut tasks = JoinSet::new();
    let revoked: transport::Revoked = Arc::new(|_| false);
    let server = Server {
        router: routes.into_axum_router(),
        credentials: None,
        limits: Limits::default(),
        revoked: revoked.clone(),
    };
    let never = CancellationToken::new();
    let stop = never.clone();
    tasks.spawn(async move { server.run(Box::new(listen), stop).await.expect("serves") });
    let code = site_code();
    let bench =
        Bench::with(PlainHttp::All, Some(Site { code, connection: connection(connect) })).await;
    let (listen, connect) = transport::memory(identity(PeerKind::Client));
    let operations = axum::Router::new();
    let ports = Ports { https: Some(Box::new(listen)), http: None, operations, revoked };
    let role = bench.role.clone();
    tasks.spawn(async move { role.run(ports, never).await.expect("runs") });
    let agent = connection(connect);
    World { bench, orders, answers, content, agent, _tasks: tasks }
}

impl World {
    async fn order(&mut self, frame: Order) {
        self.orders.send(Ok(SessionResponse { frame: Some(frame) })).await.expect("it listens");
    }

    /// The next answer that is not progress.
    async fn answer(&mut self) -> Answer {
        loop {
            match self.answers.recv().await.expect("the session lives") {
                Answer::Progress(_) => {}
                answer => return answer,
            }
        }
    }

    async fn failure(&mut self) -> (String, bool) {
        match self.answer().await {
            Answer::Failure(failure) => (failure.reason, failure.transient),
            other => panic!("a failure was expected: {other:?}"),
        }
    }

    async fn synchronized(&mut self) -> Synchronized {
        match self.answer().await {
            Answer::Synchronized(answer) => answer,
            other => panic!("success was expected: {other:?}"),
        }
    }

    /// The updates of every document an agent gets, and the version it then holds.
    async fn follow(&self) -> (Vec<String>, u64) {
        let mut client = MetadataServiceClient::new(self.agent.channel());
        let request = FollowDocumentsRequest { server_id: vec![9; 16], anchor: 77 };
        let mut pages = client.follow_documents(request).await.expect("answers").into_inner();
        let (mut documents, mut version) = (Vec::new(), 0);
        while let Some(page) = pages.message().await.expect("a page") {
            documents.extend(page.documents.into_iter().map(|document| document.xml));
            if page.done {
                version = page.version;
            }
        }
        documents.sort_unstable();
        (documents, version)
    }
}

#[tokio::test]
async fn a_site_s_orders_are_carried_out() {
    let upstream = Bench::new().await;
    let named = file(&upstream, "a.cab", b"0123456789").await;
    let mut owner = update(1, "Anvil");
    owner.files.push(named.clone());
    upstream.import(&sample_categories()).await;
    upstream.import(&[owner, update(2, "Rocket")]).await;
    let (url, _tasks) = upstream.serve().await;
    let mut world = world().await;
    let Answer::Ready(ready) = world.answer().await else { panic!("it says who it is") };
    assert_eq!((ready.server_id.len(), ready.version), (16, 0));
    // Plain HTTP is open.
    world.content.until(|script| script.statuses == [60_100]).await;

    // As at a child site: the source is an update point of the parent.
    let source = OrderedSource { url, own: true, site: "CAS".to_owned(), ..Default::default() };
    let digest = upstream.point.update_set().await.expect("a set").digest.0.to_vec();
    let synchronize = |digest: Option<Vec<u8>>| {
        let (source, set_digest) = (Some(source.clone()), digest);
        let order = Synchronize { order: 1, source, version: 5, set_digest, ..Default::default() };
        Order::Synchronize(order)
    };
    world.order(synchronize(Some(vec![0; 32]))).await;
    let (reason, transient) = world.failure().await;
    assert!(transient && reason.contains("but the 2 updates here are the set "), "{reason}");
    assert_eq!(world.follow().await, (Vec::new(), 0), "nothing before a version is complete");
    world.order(synchronize(Some(digest.clone()))).await;
    let synchronized = world.synchronized().await;
    assert_eq!((synchronized.order, synchronized.updates), (1, 2));
    let complete = CompleteVersion { order: 2, version: 5, set_digest: digest };
    world.order(Order::CompleteVersion(complete)).await;
    assert_eq!(world.synchronized().await.order, 2);
    let mut expected = upstream.xml().await;
    expected.sort_unstable();
    assert_eq!(world.follow().await, (expected, 5));

    world.order(Order::GetChanges(GetChanges { order: 3, anchor: 99, extractor: 0 })).await;
    let Answer::Changes(changes) = world.answer().await else { panic!("changes") };
    let Changes { order: 3, done: true, anchor: 6, items, categories, .. } = changes else {
        panic!("{changes:?}")
    };
    let item = Item::decode(&items[0]).expect("an item");
    assert_eq!((item.number, item.since, items.len(), categories.len()), (0, 0, 2, 4));
    assert_eq!((item.files.len(), item.company.is_some()), (1, true));

    let wanted = |sha1: &Sha1| WantedFile {
        update: Uuid::from_u128(1).as_bytes().to_vec(),
        name: named.name.clone(),
        size: named.size,
        sha1: sha1.0.to_vec(),
        sha256: None,
    };
    let files = vec![wanted(&named.sha1), wanted(&Sha1([3; 20]))];
    world.order(Order::FetchFiles(FetchFiles { order: 4, files, ..Default::default() })).await;
    let Answer::FilesReport(report) = world.answer().await else { panic!("a report") };
    let FilesReport { failures, .. } = report;
    assert_eq!(world.content.script().uploads, [b"0123456789"]);
    assert!(failures.len() == 1 && failures[0].reason.contains("HTTP status 404"), "{failures:?}");
}

#[tokio::test]
async fn imports_arrive_in_parts_and_orders_can_be_cancelled() {
    let mut world = world().await;
    world.answer().await;
    let xml = update(9, "Anvil").to_xml().into_bytes();
    for (part, last) in [(&xml[..50], false), (&xml[50..], true)] {
        let (name, data) = ("document.xml".to_owned(), part.to_vec());
        world
            .order(Order::Import(Import { order: 1, name, data, last, ..Default::default() }))
            .await;
    }
    let Answer::ImportReport(report) = world.answer().await else { panic!("a report") };
    assert_eq!((report.imported, report.refused.as_str()), (1, ""));
    assert_eq!(world.bench.xml().await.len(), 1);

    // A listener that never answers keeps the order running.
    let silent = TcpListen::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", silent.local_address());
    let source = Some(OrderedSource { url, ..OrderedSource::default() });
    let order = Synchronize { order: 2, source, ..Synchronize::default() };
    world.order(Order::Synchronize(order)).await;
    world.order(Order::GetChanges(GetChanges { order: 3, ..GetChanges::default() })).await;
    assert_eq!(world.failure().await, ("order 2 is still running".to_owned(), false));
    let part = |order, last| {
        let (name, data) = ("document.xml".to_owned(), xml.clone());
        Order::Import(Import { order, name, data, last, ..Import::default() })
    };
    world.order(part(5, false)).await;
    assert_eq!(world.failure().await, ("order 2 is still running".to_owned(), false));
    world.order(Order::Cancel(Cancel { order: 2 })).await;
    assert_eq!(world.failure().await, ("the order was cancelled".to_owned(), false));
    world.order(Order::GetChanges(GetChanges { order: 4, ..GetChanges::default() })).await;
    assert!(matches!(world.answer().await, Answer::Changes(changes) if changes.items.len() == 1));

    // What comes after a part that was refused is no file, and one that is given up leaves nothing.
    world.order(part(5, true)).await;
    let reason = "document.xml is not taken: a part of it came while another order was running";
    assert_eq!(world.failure().await.0, reason);
    world.order(part(6, false)).await;
    world.order(Order::Cancel(Cancel { order: 6 })).await;
    world.order(Order::GetChanges(GetChanges { order: 7, ..GetChanges::default() })).await;
    assert!(matches!(world.answer().await, Answer::Changes(_)));
    let left = std::fs::read_dir(world.bench.directory.path().join("import")).expect("is listed");
    assert_eq!(left.count(), 0);
}

/// What the site would make of an export, and what another one hands to its update point, which
/// has no source.
#[tokio::test]
async fn a_bundle_goes_out_and_comes_in_over_the_session() {
    let (mut ours, mut theirs) = (world().await, world().await);
    ours.answer().await;
    theirs.answer().await;
    let documents: Vec<Document> = (1..40).map(|number| update(number, "Anvil")).collect();
    ours.bench.import(&documents).await;
    let set_digest = ours.bench.point.update_set().await.expect("reads").digest.0.to_vec();
    let complete = CompleteVersion { order: 1, version: 5, set_digest };
    ours.order(Order::CompleteVersion(complete.clone())).await;
    ours.synchronized().await;
    ours.order(Order::Export(Export { order: 2, ..Export::default() })).await;
    let mut file = Vec::new();
    let manifest = loop {
        match ours.answer().await {
            Answer::ExportPart(part) => file.extend(part.data),
            Answer::Exported(exported) => break exported.manifest,
            other => panic!("a part was expected: {other:?}"),
        }
    };
    let seal = catalog_bundle::Seal { statement: vec![1], root: vec![2], signature: vec![3] };
    let parts = (file.len() - 8) as u64;
    file.extend(catalog_bundle::close(&manifest, &seal, parts));
    let believed = <sha2::Sha256 as sha2::Digest>::digest(&manifest).to_vec();
    for (order, manifest) in [(1, Vec::new()), (2, believed)] {
        let count = file.chunks(999).count();
        for (number, data) in file.chunks(999).enumerate() {
            let (name, data, last) = ("may".to_owned(), data.to_vec(), number + 1 == count);
            let manifest = manifest.clone();
            let part = Import { order, name, data, last, manifest, ..Import::default() };
            theirs.order(Order::Import(part)).await;
        }
        let Answer::ImportReport(report) = theirs.answer().await else { panic!("a report") };
        assert_eq!(report.refused.is_empty(), order == 2, "{}", report.refused);
        assert_eq!(report.imported, if order == 2 { 39 } else { 0 });
        let catalog = report.catalog.unwrap_or_default();
        assert_eq!(
            (catalog.version, catalog.same_set),
            if order == 2 { (5, true) } else { (0, false) }
        );
    }
    let nothing = Synchronize { order: 3, ..Synchronize::default() };
    theirs.order(Order::Synchronize(nothing)).await;
    assert_eq!(theirs.synchronized().await.set_digest, complete.set_digest);
}

fn ruling(number: u128, declined: bool, dropped: Option<u32>) -> rpc::pb::update_point::Ruling {
    let update = Uuid::from_u128(number).as_bytes().to_vec();
    rpc::pb::update_point::Ruling { update, declined, dropped }
}

#[tokio::test]
async fn what_the_site_rules_reaches_agents_and_replicas_and_a_synchronization() {
    use rpc::pb::update_point::{Ruling, SetRulings};
    use wsus_protocol::server::{Deployments, GetDeployments};

    let upstream = Bench::new().await;
    upstream.import(&sample_categories()).await;
    upstream.import(&[update(1, "Anvil"), update(2, "Rocket"), update(3, "Magnet")]).await;
    let (url, _tasks) = upstream.serve().await;
    let mut world = world().await;
    world.answer().await;
    let synchronize = |order: u64, full: bool| {
        let source = OrderedSource {
            url: url.clone(),
            own: true,
            site: "CAS".to_owned(),
            ..Default::default()
        };
        let source = Some(source);
        Order::Synchronize(Synchronize { order, source, full, ..Default::default() })
    };
    let rule = |order: u64, from: Vec<u8>, rulings: Vec<Ruling>| {
        Order::SetRulings(SetRulings { order, from, to: Vec::new(), rulings })
    };
    world.order(synchronize(1, false)).await;
    let set_digest = world.synchronized().await.set_digest;
    world.order(Order::CompleteVersion(CompleteVersion { order: 2, version: 1, set_digest })).await;
    world.synchronized().await;

    world.order(rule(3, Vec::new(), vec![ruling(1, true, None), ruling(3, false, Some(1))])).await;
    let ruled = world.synchronized().await;
    assert_eq!((ruled.order, ruled.updates), (3, 2), "one is gone, one is kept");
    let mut client = MetadataServiceClient::new(world.agent.channel());
    let all = client.follow_documents(FollowDocumentsRequest::default()).await.expect("answers");
    let mut pages = all.into_inner();
    let (mut declined, mut documents) = (Vec::new(), 0);
    while let Some(page) = pages.message().await.expect("a page") {
        documents += page.documents.len();
        declined.extend(page.declined);
    }
    assert_eq!(declined, [Uuid::from_u128(1).as_bytes().to_vec()]);
    assert_eq!(documents, sample_categories().len() + 2);

    // A replica hides what is declined here.
    let (own_url, _own_tasks) = world.bench.serve().await;
    let cookie = protocol::cookie(&own_url, "1.20").await.expect("a cookie");
    let anchor = format!("1,{}", world.bench.point.server_id);
    let request =
        GetDeployments { cookie: Some(cookie), deployment_anchor: None, sync_anchor: Some(anchor) };
    let answer = protocol::call_for::<_, Deployments>(&own_url, &request).await;
    assert_eq!(answer.expect("deployments").hidden_updates, [Uuid::from_u128(1)]);

    // What was dropped is not fetched again, even with everything, until it is wanted.
    world.order(synchronize(4, true)).await;
    assert_eq!(world.synchronized().await.updates, 2);
    world.order(rule(5, Uuid::from_u128(2).as_bytes().to_vec(), Vec::new())).await;
    world.synchronized().await;
    world.order(synchronize(6, false)).await;
    assert_eq!(world.synchronized().await.updates, 3);
    assert_eq!(world.bench.point.catalog.declined().await.expect("reads").len(), 1);

    let outside = rule(7, Uuid::from_u128(2).as_bytes().to_vec(), vec![ruling(1, true, None)]);
    world.order(outside).await;
    let (reason, transient) = world.failure().await;
    assert!(!transient && reason.contains("outside of their range"), "{reason}");
}

/// Symptom looked for: a scan or a synchronization waits while obsolete documents go. They go in
/// small steps after a version is complete.
#[tokio::test]
async fn obsolete_documents_go_after_the_second_version_with_their_successor() {
    let mut world = world().await;
    world.answer().await;
    let complete = async |world: &mut World, order: u64| {
        let set_digest = world.bench.point.update_set().await.expect("a set").digest.0.to_vec();
        let version = order;
        world.order(Order::CompleteVersion(CompleteVersion { order, version, set_digest })).await;
        world.synchronized().await;
    };
    let revised = |revision: u32| {
        let mut document = update(1, "Anvil");
        document.update.revision = revision;
        document
    };
    world.bench.import(&[revised(1)]).await;
    complete(&mut world, 1).await;
    world.bench.import(&[revised(2)]).await;
    complete(&mut world, 2).await;
    let catalog = world.bench.point.catalog.clone();
    let old = vec![model::UpdateRef { id: revised(1).update.id, revision: 1 }];
    assert_eq!(catalog.documents(old.clone()).await.expect("reads").len(), 1);
    complete(&mut world, 3).await;
    while !catalog.documents(old.clone()).await.expect("reads").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(catalog.obsolete().await.expect("reads"), 0);
}

/// DEP-04, DEP-05: by the digest of a document or, where it has none, by the update whose file it
/// is; over TLS first.
#[tokio::test]
async fn agents_are_told_where_publishers_offer_files() {
    let world = world().await;
    let file = |name: &str, sha1: u8, sha256: Option<u8>| ItemFile {
        name: name.to_owned(),
        size: 10,
        sha1: model::Sha1([sha1; 20]),
        sha256: sha256.map(|digest| Sha256([digest; 32])),
    };
    let mut updates = [update(1, "Anvil"), update(2, "Anvil")];
    updates[0].files = vec![file("a.cab", 1, Some(1)), file("b.cab", 2, None)];
    updates[1].files = vec![file("b.cab", 3, None), file("c.cab", 4, None)];
    let urls = [
        (1, "http://dl/a.cab"),
        (1, "https://dl/a.cab"),
        (2, "http://dl/first/b.cab"),
        (3, "http://dl/second/b.cab"),
    ];
    let source = |&(sha1, url): &(u8, &str)| FileSource {
        sha1: model::Sha1([sha1; 20]),
        url: url.to_owned(),
    };
    let sources = urls.iter().map(source).collect();
    let documents = updates.iter().map(Document::to_xml).collect();
    let batch = Batch { documents, sources, anchor: None };
    let imported = world.bench.point.catalog.import(batch).await.expect("imports");
    assert_eq!(imported.rejected, []);
    let find = async |wanted: &[(u128, u32, &str, u8)]| {
        let named = |&(number, revision, name, digest): &(u128, u32, &str, u8)| Named {
            update: reference_to(number, revision).id.as_bytes().to_vec(),
            revision,
            name: name.to_owned(),
            size: 10,
            sha256: vec![digest; 32],
        };
        let request = FindFilesRequest { files: wanted.iter().map(named).collect() };
        let mut client = MetadataServiceClient::new(world.agent.channel());
        let answer = client.find_files(request).await.map_err(|status| status.to_string())?;
        let found = answer.into_inner().files;
        Ok::<_, String>(found.iter().map(|f| (f.sha256[0], f.urls.join(" "))).collect::<Vec<_>>())
    };
    let wanted = [
        (1, 1, "other name", 1),
        (1, 1, "b.cab", 7),
        (2, 1, "b.cab", 8),
        // Nobody offers it; nobody knows it; a later revision, of which only the digest is known.
        (2, 1, "c.cab", 9),
        (3, 1, "b.cab", 10),
        (1, 2, "a.cab", 1),
    ];
    let urls = |url: &str| url.to_owned();
    let expected = vec![
        (1, urls("https://dl/a.cab http://dl/a.cab")),
        (7, urls("http://dl/first/b.cab")),
        (8, urls("http://dl/second/b.cab")),
        (1, urls("https://dl/a.cab http://dl/a.cab")),
    ];
    assert_eq!(find(&wanted).await, Ok(expected));
    let refused = find(&vec![wanted[0]; 101]).await.expect_err("too many");
    assert!(refused.contains("are 101; ask for 100 at once"), "{refused}");
}
