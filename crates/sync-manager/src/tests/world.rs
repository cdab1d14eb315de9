//! A site with a real database and the real service; its update points are fakes that speak the
//! session.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ambient::{Ambient, ManualClock, SeededEntropy};
use expect_test::Expect;
use model::{
    CatalogVersion, Category, HierarchyId, Item, ItemFile, KeyStatement, Owner, PeerIdentity,
    PeerKind, RoleId, RoleKind, RoleRecord, Sha1, Sha256, SiteCode, SiteKind, Timestamp, UpdateId,
};
use rpc::object::ObjectBody as _;
use rpc::pb::update_point as pb;
use rpc::pb::update_point::session_request::Frame as Said;
use rpc::pb::update_point::session_response::Frame as Told;
use rpc::pb::update_point::update_point_service_client::UpdatePointServiceClient;
use site_db::{Executor, Found, Identity, StatusFilter, SyncRequest};
use testkit::pki::Pki;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use transport::{Connection, Limits, Security, Server, memory};
use uuid::Uuid;

use super::super::*;

pub(super) fn site(code: &str) -> SiteCode {
    code.parse().expect("a good code")
}

pub(super) fn item(number: u32, revision: u32) -> Item {
    let mut item = testkit::objects::item(number);
    (item.number, item.since, item.update.revision) = (0, 0, revision);
    item.document = Sha256([revision as u8; 32]);
    item
}

pub(super) fn file(number: u8) -> ItemFile {
    ItemFile { name: format!("{number}.exe"), size: 4, sha1: Sha1([number; 20]), sha256: None }
}

/// What an update point holds, how it misbehaves, and the orders it got.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) items: Vec<Item>,
    pub(super) version: u64,
    /// Break the connection at this order, counted from one.
    pub(super) breaks_at: Option<usize>,
    /// Break it at every order that is called so.
    pub(super) breaks_on: &'static str,
    /// What happens at the site while it synchronizes.
    pub(super) meanwhile: Option<fn(&SiteDb)>,
    /// What the next import adds to its catalog.
    pub(super) brings: Option<Item>,
    /// How often it still refuses to hear what is ruled.
    pub(super) deaf: u32,
    pub(super) refusals: Vec<String>,
    /// Files that it can get.
    pub(super) files: Vec<Sha1>,
    /// Files that are for languages alone that the site does not want.
    pub(super) foreign: Vec<Sha1>,
    pub(super) orders: Vec<String>,
    /// The last synchronization it was told to make.
    pub(super) told: pb::Synchronize,
    pub(super) is_replica: bool,
    pub(super) imported: Vec<u8>,
    /// The manifest that came with the last import, and whether it need not be signed.
    pub(super) warrant: (Vec<u8>, bool),
    /// Documents of a bundle, as many parts as there are.
    pub(super) exported: Vec<String>,
    pub(super) categories: Vec<Category>,
    /// What it was told is ruled, by update.
    pub(super) rulings: BTreeMap<UpdateId, pb::Ruling>,
}

impl Catalog {
    fn set(&self) -> Vec<u8> {
        model::set_digest(self.items.iter().map(|item| item.update)).0.to_vec()
    }

    /// Answers an order; nothing breaks the connection.
    fn answer(&mut self, db: &SiteDb, told: Told) -> Option<Vec<Said>> {
        self.orders.push(format!("{told:?}").split('(').next().unwrap_or_default().to_owned());
        if self.breaks_at == Some(self.orders.len()) || self.orders.last()? == self.breaks_on {
            return None;
        }
        Some(match told {
            Told::Synchronize(told) => {
                self.told = told.clone();
                let pb::Synchronize { order, set_digest, .. } = told;
                if let Some(reason) = self.refusals.pop() {
                    return Some(vec![failure(order, reason)]);
                }
                if let Some(meanwhile) = self.meanwhile.take() {
                    meanwhile(db);
                }
                let (updates, phase) = (self.items.len() as u64, "updates".to_owned());
                let progress = pb::Progress { order, phase, done: updates, total: updates };
                // A child's point takes over whatever it was told to reach.
                let set_digest = set_digest.unwrap_or_else(|| self.set());
                let done = pb::Synchronized { order, updates, set_digest, ..Default::default() };
                vec![Said::Progress(progress), Said::Synchronized(done)]
            }
            Told::GetChanges(pb::GetChanges { order, .. }) => {
                let page = |items: &[Item], done| {
                    let items = items.iter().map(|item| item.encode()).collect();
                    let categories = self.categories.iter().map(|c| c.encode()).collect();
                    let (anchor, extractor, rest) = (9, 1, Default::default());
                    let page = pb::Changes { order, categories, items, anchor, extractor, ..rest };
                    Said::Changes(pb::Changes { done, ..page })
                };
                let (first, rest) = self.items.split_at(self.items.len() / 2);
                vec![page(first, false), page(rest, true)]
            }
            Told::CompleteVersion(pb::CompleteVersion { order, version, set_digest }) => {
                self.version = version;
                let done = pb::Synchronized { order, set_digest, ..Default::default() };
                vec![Said::Synchronized(done)]
            }
            Told::Import(pb::Import { order, data, last, manifest, unsigned, .. }) => {
                self.imported.extend(data);
                self.warrant = (manifest, unsigned);
                let report = pb::ImportReport { order, imported: 2, ..Default::default() };
                self.items.extend(self.brings.take_if(|_| last));
                if last { vec![Said::ImportReport(report)] } else { Vec::new() }
            }
            Told::Export(pb::Export { order, since, .. }) => self.export(order, since),
            Told::FetchFiles(pb::FetchFiles { order, files, .. }) => {
                let failures = files.iter().filter_map(|wanted| self.fetch(db, wanted)).collect();
                vec![Said::FilesReport(pb::FilesReport { order, failures })]
            }
            Told::SetRulings(told) => self.rule(told),
            Told::Cancel(pb::Cancel { order }) => vec![failure(order, "cancelled".to_owned())],
            // What this fake does not do.
            _ => Vec::new(),
        })
    }

    /// Knows what the last word on each update of a range is, and drops what is dropped.
    fn rule(&mut self, told: pb::SetRulings) -> Vec<Said> {
        let pb::SetRulings { order, from, to, rulings } = told;
        if self.deaf > 0 {
            self.deaf -= 1;
            return vec![failure(order, "its disk is full".to_owned())];
        }
        let is_inside = |id: &UpdateId| {
            id.as_bytes()[..] >= from[..] && (to.is_empty() || id.as_bytes()[..] < to[..])
        };
        self.rulings.retain(|id, _| !is_inside(id));
        for ruling in rulings {
            let id = UpdateId::from_slice(&ruling.update).expect("an id");
            let dropped = |item: &Item| ruling.dropped >= Some(item.update.revision);
            self.items.retain(|item| item.update.id != id || !dropped(item));
            self.rulings.insert(id, ruling);
        }
        let set_digest = self.set();
        vec![Said::Synchronized(pb::Synchronized { order, set_digest, ..Default::default() })]
    }

    fn export(&self, order: u64, since: u64) -> Vec<Said> {
        let part = |text: &String| {
            let bytes = catalog_bundle::encode_documents([text.as_str()]).expect("packs");
            let content = catalog_bundle::Content::Documents { count: 1 };
            (catalog_bundle::Part::of(content, &bytes), bytes)
        };
        let (parts, bytes): (Vec<_>, Vec<_>) = self.exported.iter().map(part).unzip();
        let manifest = catalog_bundle::Manifest {
            server_id: Uuid::from_u128(5),
            server_name: "CAS-SUP1".to_owned(),
            made_at: Timestamp(1_795_168_800_000),
            since,
            anchor: 9,
            version: self.version,
            items: self.items.len() as u64,
            set_digest: model::set_digest(self.items.iter().map(|item| item.update)),
            parts,
        };
        let data = [vec![catalog_bundle::MAGIC.to_vec()], bytes].concat();
        let data = data.into_iter().map(|data| Said::ExportPart(pb::ExportPart { order, data }));
        let (manifest, missing) = (manifest.to_bytes(), Vec::new());
        data.chain([Said::Exported(pb::Exported { order, manifest, missing })]).collect()
    }

    /// As if it were uploaded; meanwhile somebody looks for what nobody has looked for yet.
    fn fetch(&self, db: &SiteDb, wanted: &pb::WantedFile) -> Option<pb::FileFailure> {
        let held = self.files.iter().find(|sha1| sha1.0 == wanted.sha1[..]).map(|s| file(s.0[0]));
        let note = move |w: &site_db::Writer<'_>| {
            for demand in w.demands()?.into_iter().filter(|d| d.found == Found::Unknown) {
                w.note_found(&demand.file, Found::Missing)?;
            }
            let stored = Found::Stored { sha256: Sha256([1; 32]), is_weak: false };
            held.map(|file| w.note_found(&file, stored)).transpose()
        };
        match db.write_blocking(note).expect("written") {
            Some(()) => None,
            None => {
                let is_foreign = self.foreign.iter().any(|sha1| sha1.0 == wanted.sha1[..]);
                let reason =
                    if is_foreign { String::new() } else { format!("{} is gone", wanted.name) };
                Some(pb::FileFailure { sha1: wanted.sha1.clone(), reason })
            }
        }
    }
}

fn failure(order: u64, reason: String) -> Said {
    Said::Failure(pb::Failure { order, reason, transient: false })
}

#[derive(Clone, Debug)]
pub(super) struct FakePoint {
    identity: PeerIdentity,
    catalog: Arc<Mutex<Catalog>>,
    /// Of the site, where what it uploads would be recorded.
    pub(super) db: SiteDb,
}

impl FakePoint {
    pub(super) fn catalog(&self) -> std::sync::MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a session until it breaks.
    async fn session(&self, connection: &Connection) {
        let (sender, receiver) = mpsc::channel(16);
        let (server_id, version) = (self.identity.id.clone().into_bytes(), self.catalog().version);
        let say = async |frame| {
            let _ = sender.send(pb::SessionRequest { frame: Some(frame) }).await;
        };
        let replica = self.catalog().is_replica;
        say(Said::Ready(pb::Ready { server_id, version, replica })).await;
        let mut client = UpdatePointServiceClient::new(connection.channel());
        let Ok(answer) = client.session(ReceiverStream::new(receiver)).await else { return };
        let mut orders = answer.into_inner();
        while let Ok(Some(pb::SessionResponse { frame: Some(told) })) = orders.message().await {
            let Some(answers) = self.catalog().answer(&self.db, told) else { return };
            for answer in answers {
                say(answer).await;
            }
        }
    }
}

/// A site with its update points. The component can be stopped and started again.
pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) db: SiteDb,
    pub(super) points: Vec<FakePoint>,
    pub(super) from_parent: watch::Sender<u64>,
    pub(super) to_children: watch::Sender<u64>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    pub(super) async fn new(code: &str, parent: Option<&str>, points: usize) -> World {
        World::of_kind(SiteKind::Primary, code, parent, points).await
    }

    pub(super) async fn of_kind(
        kind: SiteKind,
        code: &str,
        parent: Option<&str>,
        points: usize,
    ) -> World {
        let clock = Arc::new(ManualClock::at(1_795_168_800_000));
        let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
        let pki = Pki::new(&ambient);
        let hierarchy = pki.anchor().hierarchy();
        let owner = Owner { code: site(code), uuid: Uuid::from_u128(5) };
        let identity = Identity { hierarchy, owner, kind, parent: parent.map(site) };
        let own = pki.site(site(code));
        let keys = (own.signer, pki.anchor().clone());
        let db = SiteDb::open(Path::new(":memory:"), Executor::Inline, identity, keys, ambient);
        let db = db.expect("a new database");
        let statement = KeyStatement::decode(&own.statement).expect("as it was encoded");
        db.write(move |w| w.put_own(&statement)).await.expect("written");
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
        let (catalog, db) = (Arc::default(), self.db.clone());
        self.points.push(FakePoint { identity, catalog, db });
    }

    /// Starts the component and connects its update points.
    pub(super) fn start(&mut self) {
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

    pub(super) async fn stop(&mut self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks = TaskTracker::new();
    }

    pub(super) async fn ask(&self, is_full: bool) -> Result<(), site_db::Error> {
        let request = SyncRequest { is_full, reason: "ann".to_owned() };
        self.db.write(move |w| w.request_sync(&request)).await
    }

    /// Once something about the local tables holds.
    pub(super) async fn until(
        &self,
        holds: impl Fn(&site_db::Reader<'_>) -> bool + Send + Copy + 'static,
    ) {
        let mut changes = self.db.watch(&[]);
        while !self.db.read(move |r| Ok::<_, site_db::Error>(holds(r))).await.expect("read") {
            changes.changed().await;
        }
    }

    pub(super) async fn until_ended(&self, number: u64) {
        self.until(move |r| {
            let run = r.sync_run().expect("read");
            run.is_some_and(|run| run.number >= number && run.step.is_ended())
        })
        .await;
    }

    pub(super) async fn check_messages(&self, expected: Expect) {
        let all = self.db.read(|r| r.status_messages(&StatusFilter::default(), 100)).await;
        let line = |(_, m): (i64, model::StatusMessage)| {
            format!("{} {} {}\n", m.id, m.machine, m.strings.join(" | "))
        };
        expected.assert_eq(&all.expect("read").into_iter().map(line).collect::<String>());
    }

    pub(super) async fn version(&self) -> CatalogVersion {
        let version = self.db.read(|r| r.catalog_version()).await;
        version.expect("read").expect("there is one")
    }
}
