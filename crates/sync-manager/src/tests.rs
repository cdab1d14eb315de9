//! The component over its real service and a real database; update points are fakes that speak the
//! session.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ambient::{Ambient, ManualClock, SeededEntropy};
use expect_test::{Expect, expect};
use model::{
    CatalogVersion, HierarchyId, Item, ItemFile, LocalizedText, Owner, PeerIdentity, PeerKind,
    RoleId, RoleKind, RoleRecord, Sha1, Sha256, SiteCode, SiteKind, SiteRecord, Timestamp,
    UpdateId, UpdateRef,
};
use rpc::object::ObjectBody as _;
use rpc::pb::update_point as pb;
use rpc::pb::update_point::session_request::Frame as Said;
use rpc::pb::update_point::session_response::Frame as Told;
use rpc::pb::update_point::update_point_service_client::UpdatePointServiceClient;
use site_db::{Executor, Found, Identity, StatusFilter, SyncRequest, SyncStep};
use testkit::pki::Pki;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use transport::{Connection, Limits, Security, Server, memory};
use uuid::Uuid;

use super::*;

fn site(code: &str) -> SiteCode {
    code.parse().expect("a good code")
}

fn item(number: u128, revision: u32) -> Item {
    let update = UpdateRef { id: UpdateId(Uuid::from_u128(number)), revision };
    let title = format!("Update {number}");
    let text = LocalizedText { language: "en".to_owned(), title, description: String::new() };
    let file =
        ItemFile { name: "setup.exe".to_owned(), size: 4, sha1: Sha1([1; 20]), sha256: None };
    Item {
        number: 0,
        update,
        since: 0,
        document: Sha256([revision as u8; 32]),
        texts: vec![text],
        classification: None,
        products: Vec::new(),
        company: None,
        severity: None,
        kb_articles: Vec::new(),
        bulletins: Vec::new(),
        cves: Vec::new(),
        created_at: Timestamp(0),
        expired: false,
        hidden: false,
        linux_only: false,
        may_restart: false,
        supersedes: Vec::new(),
        bundles: Vec::new(),
        files: vec![file],
    }
}

/// What an update point holds, how it misbehaves, and the orders it got.
#[derive(Debug, Default)]
struct Catalog {
    items: Vec<Item>,
    version: u64,
    /// Break the connection at this order, counted from one.
    breaks_at: Option<usize>,
    refusals: Vec<String>,
    orders: Vec<String>,
    imported: Vec<u8>,
}

impl Catalog {
    fn set(&self) -> Vec<u8> {
        model::set_digest(self.items.iter().map(|item| item.update)).0.to_vec()
    }

    /// Answers an order; nothing breaks the connection.
    fn answer(&mut self, told: Told) -> Option<Vec<Said>> {
        self.orders.push(format!("{told:?}").split('(').next().unwrap_or_default().to_owned());
        if self.breaks_at == Some(self.orders.len()) {
            return None;
        }
        Some(match told {
            Told::Synchronize(pb::Synchronize { order, set_digest, .. }) => {
                if let Some(reason) = self.refusals.pop() {
                    return Some(vec![failure(order, reason)]);
                }
                // A child's point takes over whatever it was told to reach.
                let (total, digest) = (self.items.len() as u64, set_digest);
                let phase = "updates".to_owned();
                let progress = pb::Progress { order, phase, done: total, total };
                let done = pb::Synchronized {
                    order,
                    set_digest: digest.unwrap_or_else(|| self.set()),
                    updates: total,
                    ..Default::default()
                };
                vec![Said::Progress(progress), Said::Synchronized(done)]
            }
            Told::GetChanges(pb::GetChanges { order, .. }) => {
                let items: Vec<_> = self.items.iter().map(|item| item.encode()).collect();
                let page = |items: &[Vec<u8>], done| {
                    let items = items.to_vec();
                    let changes = pb::Changes {
                        order,
                        items,
                        anchor: 9,
                        extractor: 1,
                        done,
                        ..Default::default()
                    };
                    Said::Changes(changes)
                };
                let (first, rest) = items.split_at(items.len() / 2);
                vec![page(first, false), page(rest, true)]
            }
            Told::CompleteVersion(pb::CompleteVersion { order, version, set_digest }) => {
                self.version = version;
                let done = pb::Synchronized { order, set_digest, ..Default::default() };
                vec![Said::Synchronized(done)]
            }
            Told::Import(pb::Import { order, data, last, .. }) => {
                self.imported.extend(data);
                let report = pb::ImportReport { order, imported: 2, ..Default::default() };
                if last { vec![Said::ImportReport(report)] } else { Vec::new() }
            }
            Told::FetchFiles(pb::FetchFiles { order, files }) => {
                let gone = |file: &pb::WantedFile| pb::FileFailure {
                    sha1: file.sha1.clone(),
                    reason: format!("{} is gone", file.name),
                };
                let failures = files.iter().map(gone).collect();
                vec![Said::FilesReport(pb::FilesReport { order, failures })]
            }
            Told::Cancel(pb::Cancel { order }) => vec![failure(order, "cancelled".to_owned())],
        })
    }
}

fn failure(order: u64, reason: String) -> Said {
    Said::Failure(pb::Failure { order, reason, transient: false })
}

#[derive(Clone, Debug)]
struct FakePoint {
    identity: PeerIdentity,
    catalog: Arc<Mutex<Catalog>>,
}

impl FakePoint {
    fn catalog(&self) -> std::sync::MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a session until it breaks.
    async fn session(&self, connection: &Connection) {
        let (sender, receiver) = mpsc::channel(16);
        let (server_id, version) = (self.identity.id.clone().into_bytes(), self.catalog().version);
        let say = async |frame| {
            let _ = sender.send(pb::SessionRequest { frame: Some(frame) }).await;
        };
        say(Said::Ready(pb::Ready { server_id, version })).await;
        let mut client = UpdatePointServiceClient::new(connection.channel());
        let Ok(answer) = client.session(ReceiverStream::new(receiver)).await else { return };
        let mut orders = answer.into_inner();
        while let Ok(Some(pb::SessionResponse { frame: Some(told) })) = orders.message().await {
            let Some(answers) = self.catalog().answer(told) else { return };
            for answer in answers {
                say(answer).await;
            }
        }
    }
}

/// A site with its update points. The component can be stopped and started again.
struct World {
    clock: Arc<ManualClock>,
    db: SiteDb,
    points: Vec<FakePoint>,
    from_parent: watch::Sender<u64>,
    to_children: watch::Sender<u64>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    async fn new(code: &str, parent: Option<&str>, points: usize) -> World {
        let clock = Arc::new(ManualClock::at(1_795_168_800_000));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
        let pki = Pki::new(&ambient);
        let (kind, hierarchy) = (SiteKind::Primary, pki.anchor().hierarchy());
        let owner = Owner { code: site(code), uuid: Uuid::from_u128(5) };
        let identity = Identity { hierarchy, owner, kind, parent: parent.map(site) };
        let keys = (pki.site(site(code)).signer, pki.anchor().clone());
        let db = SiteDb::open(Path::new(":memory:"), Executor::Inline, identity, keys, ambient);
        let db = db.expect("a new database");
        let mut world = World {
            clock,
            db,
            points: Vec::new(),
            from_parent: watch::Sender::new(0),
            to_children: watch::Sender::new(0),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        for number in 1..=points {
            world.add_point(code, number, hierarchy).await;
        }
        if let Some(parent) = parent {
            world.add_record(parent, 9).await;
        }
        world
    }

    async fn add_record(&self, code: &str, number: usize) -> RoleId {
        let id = RoleId(Uuid::from_u128(number as u128));
        let role = RoleRecord {
            id,
            site: site(code),
            kind: RoleKind::SoftwareUpdatePoint,
            name: format!("{code}-SUP{number}"),
            url: format!("https://sup{number}.example:8531"),
            http_url: String::new(),
            joined_at: Timestamp(number as i64),
        };
        self.db.write(move |w| w.put_own(&role)).await.expect("written");
        id
    }

    async fn add_point(&mut self, code: &str, number: usize, hierarchy: HierarchyId) {
        let id = self.add_record(code, number).await.to_string();
        let kind = PeerKind::Role(RoleKind::SoftwareUpdatePoint);
        let identity = PeerIdentity { hierarchy, site: site(code), kind, id };
        self.points.push(FakePoint { identity, catalog: Arc::default() });
    }

    /// Starts the component and connects its update points.
    fn start(&mut self) {
        self.shutdown = CancellationToken::new();
        let deps = Deps {
            db: self.db.clone(),
            from_parent: self.from_parent.subscribe(),
            to_children: self.to_children.clone(),
            inbox: None,
        };
        let manager = SyncManager::new(deps);
        for point in &self.points {
            let (listener, connector) = memory(point.identity.clone());
            let service = manager.service(self.tasks.clone(), self.shutdown.clone());
            let server = Server {
                router: tonic::service::Routes::new(service).into_axum_router(),
                credentials: None,
                limits: Limits::default(),
                revoked: Arc::new(|_| false),
            };
            let (shutdown, point) = (self.shutdown.clone(), point.clone());
            let served = shutdown.clone();
            self.tasks.spawn(async move { server.run(Box::new(listener), served).await });
            self.tasks.spawn(async move {
                let connection =
                    Connection::new(Arc::new(connector), "https://site", Security::Plain);
                let connection = connection.expect("a good URL");
                while !shutdown.is_cancelled() {
                    shutdown.run_until_cancelled(point.session(&connection)).await;
                    tokio::task::yield_now().await;
                }
            });
        }
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move { manager.run(shutdown).await.expect("runs") });
    }

    async fn stop(&mut self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks = TaskTracker::new();
    }

    async fn ask(&self, is_full: bool) {
        let request = SyncRequest { is_full, reason: "ann".to_owned() };
        self.db.write(move |w| w.request_sync(&request)).await.expect("at the top");
    }

    /// Once something about the local tables holds.
    async fn until(&self, holds: impl Fn(&site_db::Reader<'_>) -> bool + Send + Copy + 'static) {
        let mut changes = self.db.watch(&[]);
        while !self.db.read(move |r| Ok::<_, site_db::Error>(holds(r))).await.expect("read") {
            changes.changed().await;
        }
    }

    async fn until_ended(&self, number: u64) {
        self.until(move |r| {
            let run = r.sync_run().expect("read");
            run.is_some_and(|run| run.number >= number && run.step.is_ended())
        })
        .await;
    }

    async fn messages(&self) -> String {
        let all = self.db.read(|r| r.status_messages(&StatusFilter::default(), 100)).await;
        let line = |(_, m): (i64, model::StatusMessage)| {
            format!("{} {} {}\n", m.id, m.machine, m.strings.join(" | "))
        };
        all.expect("read").into_iter().map(line).collect()
    }

    async fn check_messages(&self, expected: Expect) {
        expected.assert_eq(&self.messages().await);
    }

    async fn version(&self) -> CatalogVersion {
        let version = self.db.read(|r| r.catalog_version()).await;
        version.expect("read").expect("there is one")
    }
}

#[tokio::test(start_paused = true)]
async fn a_top_level_site_takes_items_tells_its_children_and_follows_with_other_points() {
    let mut world = World::new("CAS", None, 2).await;
    world.points[0].catalog().items = vec![item(1, 100), item(2, 100), item(3, 100)];
    world.db.write(|w| w.set_sync_source("http://upstream:8530")).await.expect("at the top");
    world.start();
    world.ask(false).await;
    world.until_ended(1).await;
    world
        .check_messages(expect![[r#"
        6701 CAS-SUP1 ann | delta | http://upstream:8530
        6704 CAS-SUP1 synchronizing categories | http://upstream:8530
        6705 CAS-SUP1 synchronizing updates
        6702 CAS-SUP1 1 | 3 | 0d00h00m00s
        6706 CAS-SUP2 https://sup1.example:8531
        6702 CAS-SUP2 1 | 3 | 0d00h00m00s
    "#]])
        .await;
    assert_eq!((world.version().await.version, world.version().await.items), (1, 3));
    assert_eq!(*world.to_children.borrow(), 1);
    assert_eq!([0, 1].map(|n: usize| world.points[n].catalog().version), [1, 1]);
    assert_eq!(world.points[1].catalog().orders, ["Synchronize", "CompleteVersion"]);

    // Nothing new: no version. A new revision: the number stays, the version is new.
    world.ask(false).await;
    world.until_ended(2).await;
    assert_eq!(world.version().await.version, 1);
    world.points[0].catalog().items[1] = item(2, 101);
    world.points[0].catalog().items.remove(0);
    world.ask(true).await;
    world.until_ended(3).await;
    assert_eq!((world.version().await.version, world.version().await.items), (2, 2));
    let items = world.db.read(|r| r.numbered_items()).await.expect("read");
    assert_eq!(items.iter().map(|i| (i.number, i.since)).collect::<Vec<_>>(), [(2, 2), (3, 1)]);
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_after_a_crash_at_any_order_and_a_lost_connection() {
    for crash_at in 1..=4 {
        let mut world = World::new("CAS", None, 1).await;
        world.points[0].catalog().items = (1..=5).map(|n| item(n, 100)).collect();
        world.points[0].catalog().breaks_at = Some(crash_at);
        world.start();
        world.ask(false).await;
        while world.points[0].catalog().orders.len() < crash_at {
            if world
                .db
                .read(|r| r.sync_run())
                .await
                .expect("read")
                .is_some_and(|r| r.step.is_ended())
            {
                break;
            }
            tokio::task::yield_now().await;
        }
        world.stop().await;
        world.to_children = watch::Sender::new(0);
        world.start();
        world.until_ended(1).await;
        let ids: Vec<String> =
            world.messages().await.lines().map(|line| line[..4].to_owned()).collect();
        assert_eq!(ids, ["6701", "6704", "6705", "6702"], "crash at order {crash_at}");
        assert_eq!(world.version().await.version, 1);
        let mut told = world.to_children.subscribe();
        told.wait_for(|version| *version == 1).await.expect("the sender is here");
        world.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_with_its_cause_and_tried_again() {
    let mut world = World::new("CAS", None, 1).await;
    world.points[0].catalog().items = vec![item(1, 100)];
    world.points[0].catalog().refusals = vec!["http://upstream: connection refused".to_owned()];
    world.start();
    world.ask(false).await;
    world.until_ended(1).await;
    world.clock.advance_ms(10_000);
    world.until_ended(2).await;
    world
        .check_messages(expect![[r#"
        6701 CAS-SUP1 ann | delta | 
        6704 CAS-SUP1 synchronizing categories | 
        6703 CAS-SUP1 http://upstream: connection refused
        6701 CAS-SUP1 retry | delta | 
        6704 CAS-SUP1 synchronizing categories | 
        6705 CAS-SUP1 synchronizing updates
        6702 CAS-SUP1 1 | 1 | 0d00h00m00s
    "#]])
        .await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_child_waits_for_the_catalog_and_compares_sets() {
    let mut world = World::new("PR1", Some("CAS"), 1).await;
    let record = SiteRecord {
        code: site("CAS"),
        uuid: Uuid::from_u128(1),
        kind: SiteKind::Central,
        parent: None,
        name: "Central".to_owned(),
        url: "https://cas".to_owned(),
    };
    world.db.write(move |w| w.put_own(&record)).await.expect("written");
    let refused = world
        .db
        .write(|w| w.request_sync(&SyncRequest { is_full: false, reason: "ann".to_owned() }));
    expect!["synchronization is started at the top-level site CAS, not here"]
        .assert_eq(&refused.await.expect_err("a child").to_string());
    world.start();
    world.from_parent.send_replace(34);
    world.until(|r| r.sync_run().expect("read").is_some()).await;
    assert!(world.points[0].catalog().orders.is_empty(), "version 34 is not here yet");
    let set_digest = Sha256([7; 32]);
    let version = CatalogVersion { version: 34, items: 412, set_digest };
    world.db.write(move |w| w.put_own(&version)).await.expect("written");
    world.until_ended(1).await;
    world
        .check_messages(expect![[r#"
        6701 PR1-SUP1 the parent site has catalog version 34 | delta | https://sup9.example:8531
        6704 PR1-SUP1 synchronizing categories | https://sup9.example:8531
        6702 PR1-SUP1 34 | 0 | 0d00h00m00s
    "#]])
        .await;
    assert_eq!(world.db.read(|r| r.complete_version()).await.expect("read"), 34);
    assert_eq!((*world.to_children.borrow(), world.points[0].catalog().version), (34, 34));
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn imports_and_wanted_files_reach_the_update_point() {
    let mut world = World::new("CAS", None, 1).await;
    let prepare = |w: &site_db::Writer<'_>| {
        let id = w.begin_import("vendor.cab")?;
        for (part, data) in [b"one ".as_slice(), b"two"].into_iter().enumerate() {
            w.add_import_part(id, part as u32, data)?;
        }
        w.end_import(id, 2)?;
        let package = w.create_package("Patches")?;
        let wanted = item(1, 100);
        w.demand_files(&package.code, &[(wanted.update.id, wanted.files[0].clone())])?;
        w.note_found(&wanted.files[0], Found::Missing)?;
        Ok::<_, site_db::Error>(id)
    };
    let id = world.db.write(prepare).await.expect("written");
    world.start();
    world.until(move |r| r.import_report(id).expect("read").is_some()).await;
    assert_eq!(world.points[0].catalog().imported, b"one two");
    world.until(|r| r.demands().expect("read")[0].reason == "setup.exe is gone").await;
    world.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_cancelled() {
    let mut world = World::new("CAS", None, 1).await;
    // It has a record, but never connects.
    world.points.clear();
    world.start();
    world.ask(false).await;
    world.until(|r| r.sync_run().expect("read").is_some()).await;
    world.db.write(|w| w.request_sync_cancel("ann")).await.expect("under way");
    world.until_ended(1).await;
    let run = world.db.read(|r| r.sync_run()).await.expect("read").expect("there is one");
    assert_eq!((run.step, run.cause.as_str()), (SyncStep::Cancelled, "cancelled by ann"));
    world.stop().await;
}

#[tokio::test]
async fn a_trigger_file_asks_for_a_synchronization() {
    let inbox = tempfile::tempdir().expect("a directory");
    let world = World::new("CAS", None, 0).await;
    let watched = Inbox::open(inbox.path(), world.db.clone()).expect("watched");
    let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(watched.run(shutdown.clone()));
    std::fs::write(inbox.path().join("FULL.SYN"), "").expect("written");
    world.until(|r| r.sync_request().expect("read").is_some_and(|r| r.is_full)).await;
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
}
