//! Two sites with real databases, libraries and services; update point and distribution point are
//! clients that say what a test wants.

use std::path::Path;
use std::sync::Arc;

use ambient::{Ambient, ManualClock, SeededEntropy};
use bytes::Bytes;
use content_library::{Begun, Expected};
use expect_test::expect;
use model::{
    ContentFile, ContentManifest, ContentState, HierarchyId, ItemFile, ObjectCode, Owner, Package,
    PeerIdentity, PeerKind, RoleId, RoleKind, RoleRecord, Severity, Sha1, Sha256, SiteCode,
    SiteKind, SiteRecord, StatusMessage, Timestamp, UpdateId,
};
use rpc::object::ObjectBody as _;
use rpc::pb::content as pb;
use rpc::pb::content::content_service_client::ContentServiceClient;
use rpc::pb::content::upload_file_request::Part;
use sha1::Digest as _;
use site_db::{ContentDemand, ErrandKind, ErrandReport, Executor, Identity, StatusFilter};
use tempfile::TempDir;
use testkit::pki::Pki;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::transport::Channel;
use transport::{Connection, Limits, Security, Server, memory};
use uuid::Uuid;

use super::*;

/// Larger than a piece, so that it arrives in several.
const CONTENT_BYTES: usize = 600 * 1024;

fn site(code: &str) -> SiteCode {
    code.parse().expect("a good code")
}

fn content() -> Bytes {
    (0..CONTENT_BYTES).map(|n| (n * 7 % 251) as u8).collect()
}

fn file(content: &[u8]) -> ItemFile {
    ItemFile {
        name: "setup.exe".to_owned(),
        size: content.len() as u64,
        sha1: Sha1(sha1::Sha1::digest(content).into()),
        sha256: None,
    }
}

fn sha256(content: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(content).into())
}

struct Site {
    deps: Deps,
    hierarchy: HierarchyId,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    _directory: TempDir,
}

impl Site {
    fn new(pki: &Pki, ambient: &Ambient, code: &str, parent: Option<Connection>) -> Site {
        let directory = tempfile::tempdir().expect("a directory");
        let hierarchy = pki.anchor().hierarchy();
        let owner = Owner { code: site(code), uuid: Uuid::from_u128(5) };
        let identity = Identity {
            hierarchy,
            owner,
            kind: SiteKind::Primary,
            parent: parent.is_some().then(|| site("CAS")),
        };
        let keys = (pki.site(site(code)).signer, pki.anchor().clone());
        let (inline, ambient) = (Executor::Inline, ambient.clone());
        let db = SiteDb::open(Path::new(":memory:"), inline, identity, keys, ambient.clone());
        let library = ContentLibrary::open(ambient, directory.path(), inline).expect("opens");
        let deps = Deps { db: db.expect("opens"), library, parent };
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let made = Site { deps, hierarchy, tasks, shutdown, _directory: directory };
        made.write(|w| {
            for (code, kind, parent) in
                [("CAS", SiteKind::Central, None), ("PR1", SiteKind::Primary, Some(site("CAS")))]
            {
                let code = site(code);
                let (name, url) = (code.to_string(), String::new());
                w.put_own(&SiteRecord { code, uuid: Uuid::nil(), kind, parent, name, url })?;
            }
            w.put_own(&RoleRecord {
                id: point(),
                site: site("PR1"),
                kind: RoleKind::DistributionPoint,
                name: "PR1-DP".to_owned(),
                url: "https://dp".to_owned(),
                http_url: String::new(),
                joined_at: Timestamp(0),
            })
        });
        made
    }

    fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&site_db::Writer<'_>) -> Result<T, site_db::Error> + Send + 'static,
    ) -> T {
        self.deps.db.write_blocking(write).expect("written")
    }

    fn start(&self) {
        let running = DistributionManager::new(self.deps.clone()).run(self.shutdown.clone());
        self.tasks.spawn(async move { running.await.expect("runs") });
    }

    /// A connection of a peer that belongs to site `code`.
    fn connect(&self, code: &str, kind: PeerKind, id: &str) -> Connection {
        let identity =
            PeerIdentity { hierarchy: self.hierarchy, site: site(code), kind, id: id.to_owned() };
        let (listener, connector) = memory(identity);
        let service = DistributionManager::new(self.deps.clone()).service(self.shutdown.clone());
        let server = Server {
            router: tonic::service::Routes::new(service).into_axum_router(),
            credentials: None,
            limits: Limits::default(),
            revoked: Arc::new(|_| false),
        };
        let shutdown = self.shutdown.clone();
        self.tasks
            .spawn(async move { server.run(Box::new(listener), shutdown).await.expect("serves") });
        Connection::new(Arc::new(connector), "https://site", Security::Plain).expect("a good URL")
    }

    /// Once something about the local tables holds.
    async fn until(&self, holds: impl Fn(&site_db::Reader<'_>) -> bool + Send + Copy + 'static) {
        let mut changes = self.deps.db.watch(&[]);
        let check = move |r: &site_db::Reader<'_>| Ok::<_, site_db::Error>(holds(r));
        while !self.deps.db.read(check).await.expect("read") {
            changes.changed().await;
        }
    }

    /// Its distribution point.
    fn point(&self) -> ContentServiceClient<Channel> {
        let kind = PeerKind::Role(RoleKind::DistributionPoint);
        ContentServiceClient::new(self.connect("PR1", kind, &point().to_string()).channel())
    }

    async fn messages(&self) -> Vec<(u32, Vec<String>)> {
        let all = self.deps.db.read(|r| r.status_messages(&StatusFilter::default(), 9)).await;
        all.expect("read").into_iter().map(|(_, message)| (message.id, message.strings)).collect()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn point() -> RoleId {
    RoleId(Uuid::from_u128(9))
}

async fn upload(
    client: &mut ContentServiceClient<Channel>,
    file: &ItemFile,
    content: Bytes,
) -> Result<Bytes, Status> {
    let header = pb::UploadHeader {
        update: vec![1; 16].into(),
        sha1: file.sha1.0.to_vec().into(),
        size: file.size,
        sha256: None,
    };
    let pieces = content.chunks(100_000).map(|piece| Part::Data(Bytes::copy_from_slice(piece)));
    let parts: Vec<_> = [Part::Header(header)].into_iter().chain(pieces).collect();
    let parts = parts.into_iter().map(|part| pb::UploadFileRequest { part: Some(part) });
    Ok(client.upload_file(futures_util::stream::iter(parts)).await?.into_inner().sha256)
}

fn report(point: RoleId) -> pb::ReportDistributionRequest {
    let distribution = pb::Distribution {
        package: "CAS00001".to_owned(),
        version: 2,
        point: point.as_bytes().to_vec().into(),
        site: "PR1".to_owned(),
        state: "installed".to_owned(),
        files: 1,
        bytes: CONTENT_BYTES as u64,
        reason: String::new(),
        at_ms: 5,
    };
    pb::ReportDistributionRequest { distributions: vec![distribution] }
}

fn sites() -> (Site, Site) {
    let ambient = Ambient::seeded(1, 1_795_168_800_000);
    let pki = Pki::new(&ambient);
    let cas = Site::new(&pki, &ambient, "CAS", None);
    let parent = cas.connect("PR1", PeerKind::Site, "PR1");
    (cas, Site::new(&pki, &ambient, "PR1", Some(parent)))
}

fn package() -> ObjectCode {
    ObjectCode::new("CAS00001").expect("a good code")
}

#[tokio::test]
async fn an_upload_that_a_package_wants_makes_its_next_version() {
    let (cas, pr1) = sites();
    let (content, wanted) = (content(), file(&content()));
    let asked = wanted.clone();
    let made: Package = cas.write(move |w| {
        let package = w.create_package("Patches", "")?;
        let update = UpdateId(Uuid::from_u128(1));
        assert_eq!(w.demand_files(&package.code, &[(update, asked)])?, 1);
        Ok(package)
    });
    assert_eq!((made.code, made.version), (package(), 1));
    cas.start();
    let role = PeerKind::Role(RoleKind::SoftwareUpdatePoint);
    let mut sup = ContentServiceClient::new(cas.connect("CAS", role, "sup").channel());
    let unwanted = upload(&mut sup, &file(b"other"), Bytes::from_static(b"other")).await;
    expect![
        "no package of this site wants a file with SHA-1 d0941e68da8f38151ff86a61fc59f7c5cf9fcaa2"
    ]
    .assert_eq(unwanted.expect_err("nobody asked").message());
    let altered = Bytes::from(vec![0; CONTENT_BYTES]);
    let refused = upload(&mut sup, &wanted, altered).await.expect_err("altered");
    assert!(refused.message().contains("its SHA-1 is"), "{}", refused.message());
    let uploaded = upload(&mut sup, &wanted, content.clone()).await.expect("what is wanted");
    assert_eq!(uploaded, sha256(&content).0.as_slice());
    cas.until(|r| r.demands().expect("read").is_empty()).await;
    let (made, manifest): (Package, ContentManifest) = cas.write(|w| {
        w.add_targets(&package(), &[point()])?;
        let id = package().as_str().as_bytes().to_vec();
        Ok((w.require(&id)?, w.require(&id)?))
    });
    assert_eq!((made.version, made.files[0].weak), (2, true));
    assert_eq!((manifest.version, manifest.targets), (2, vec![point()]));
    assert_eq!(manifest.files[0].sha256, sha256(&content));
    let version = ["CAS00001", "2", "1"].map(str::to_owned).to_vec();
    assert_eq!(cas.messages().await, [(60_110, version)]);
    drop(sup);
    pr1.stop().await;
    cas.stop().await;
}

#[tokio::test]
async fn a_child_fetches_for_the_points_below_it_and_passes_on_what_they_say() {
    let (cas, pr1) = sites();
    let content = content();
    let wanted = Expected {
        name: "setup.exe".to_owned(),
        size: Some(CONTENT_BYTES as u64),
        sha256: Some(sha256(&content)),
        sha1: None,
    };
    // The child holds the first bytes already, and they are wrong: verified, dropped, fetched anew.
    let begun = pr1.deps.library.begin(wanted.clone()).await.expect("begins");
    let Begun::Receiving(mut receipt) = begun else { panic!("it is not here") };
    receipt.write(0, Bytes::from_static(b"wrong")).await.expect("written");
    drop(receipt);
    let source = std::io::Cursor::new(content.clone());
    cas.deps.library.import(wanted, source).await.expect("taken in");
    for site in [&cas, &pr1] {
        let file = ContentFile {
            sha256: sha256(&content),
            size: CONTENT_BYTES as u64,
            name: "setup.exe".to_owned(),
        };
        let (files, targets) = (vec![file], vec![point()]);
        let manifest = ContentManifest { package: package(), version: 2, files, targets };
        site.write(move |w| w.put_own(&manifest));
        site.start();
    }
    pr1.until(|r| r.counter("content_arrival").expect("read") > 0).await;

    let mut dp = pr1.point();
    let states = dp.watch_manifests(pb::WatchManifestsRequest {}).await.expect("admitted");
    let state = states.into_inner().message().await.expect("a state").expect("the first");
    assert_eq!((state.manifests[0].package.as_str(), state.manifests[0].version), ("CAS00001", 2));
    let sha256_bytes = state.manifests[0].files[0].sha256.clone();
    let request = pb::FetchFileRequest { sha256: sha256_bytes, offset: 300_000 };
    let mut pieces = dp.fetch_file(request).await.expect("it is there").into_inner();
    let mut fetched = Vec::new();
    while let Some(piece) = pieces.message().await.expect("a piece") {
        fetched.extend(piece.data);
    }
    assert_eq!(fetched, content[300_000..]);
    dp.report_distribution(report(point())).await.expect("its own");
    cas.until(|r| !r.content_states().expect("read").is_empty()).await;
    let wanted = [sha256(&content)].into();
    let locations = cas.deps.db.read(move |r| r.content_locations(&wanted)).await.expect("read");
    assert_eq!(locations[&sha256(&content)][0].name, "PR1-DP");
    let states = cas.deps.db.read(|r| r.content_states()).await.expect("read");
    assert_eq!((states[0].state, states[0].version), (ContentState::Installed, 2));
    drop(dp);
    pr1.stop().await;
    cas.stop().await;
}

#[tokio::test]
async fn nobody_speaks_for_others() {
    let (cas, pr1) = sites();
    let mut dp = pr1.point();
    let foreign = dp.report_distribution(report(RoleId(Uuid::nil()))).await;
    assert_eq!(foreign.expect_err("another point").code(), tonic::Code::PermissionDenied);
    let message = StatusMessage {
        id: 60_111,
        severity: Severity::Information,
        component: "SMS_DISTRIBUTION_POINT".to_owned(),
        site: site("PR1"),
        machine: "PR1-DP".to_owned(),
        at: Timestamp(5),
        strings: Vec::new(),
    };
    let status =
        |message: &StatusMessage| pb::SendStatusRequest { messages: vec![message.encode().into()] };
    dp.send_status(status(&message)).await.expect("its own");
    let foreign = dp.send_status(status(&StatusMessage { site: site("CAS"), ..message })).await;
    assert_eq!(foreign.expect_err("another site").code(), tonic::Code::PermissionDenied);
    assert_eq!(pr1.messages().await, [(60_111, Vec::new())]);
    drop(dp);
    pr1.stop().await;
    cas.stop().await;
}

/// Symptom: every file that was ever published stayed for good, also of packages that were refused.
/// Cause: the reference was made for each file before anything was published, and ended by nothing.
/// Repair: the list of publications says what is kept.
#[tokio::test]
async fn files_of_what_is_published_are_kept_as_long_as_it_is() {
    let (cas, pr1) = sites();
    let library = cas.deps.library.clone();
    let holders = async || library.holders("published".to_owned()).await.expect("read").len();
    let publish = |w: &site_db::Writer<'_>| {
        let package = ErrandKind::Publish { name: "Editor".to_owned(), package: Vec::new() };
        let id = w.add_errand(&package)?;
        w.note_publication(id, UpdateId(Uuid::from_u128(1)), &[Sha256([1; 32])])?;
        w.pending_errand()
    };
    let errand = cas.write(publish).expect("it waits");
    cas.start();
    while holders().await == 0 {
        tokio::task::yield_now().await;
    }
    let refused = "it is no package".to_owned();
    let report = ErrandReport { refused, ..ErrandReport::default() };
    cas.write(move |w| w.finish_errand(&errand, &report));
    while holders().await > 0 {
        tokio::task::yield_now().await;
    }
    pr1.stop().await;
    cas.stop().await;
}

/// Files of old versions and of deleted packages go, also of those deleted while nobody looked.
#[tokio::test]
async fn content_that_no_package_has_any_more_is_let_go() {
    let (cas, pr1) = sites();
    let contents = [b"one".as_slice(), b"two"];
    for content in contents {
        let expected = Expected {
            name: "setup.exe".to_owned(),
            size: Some(content.len() as u64),
            sha256: Some(sha256(content)),
            sha1: Some(file(content).sha1),
        };
        let source = std::io::Cursor::new(content.to_vec());
        cas.deps.library.import(expected, source).await.expect("taken in");
    }
    let kept = async || cas.deps.library.holders("package ".to_owned()).await.expect("read");
    let wanted = contents.map(|content| (UpdateId(Uuid::from_u128(1)), file(content))).to_vec();
    cas.write(move |w| w.demand_files(&w.create_package("Patches", "")?.code, &wanted));
    let mut packages = Packages::new(cas.deps.db.clone(), cas.deps.library.clone());
    assert_eq!(packages.step().await.expect("a pass"), [package()]);
    assert_eq!(kept().await, ["package CAS00001 2".to_owned()].into());
    let gone = [(file(b"one").sha1, 3)].into();
    cas.write(move |w| w.remove_files(&package(), &gone));
    packages.step().await.expect("a pass");
    assert_eq!(kept().await, ["package CAS00001 3".to_owned()].into());
    drop(packages);
    cas.write(|w| w.delete_package(&package()));
    let mut packages = Packages::new(cas.deps.db.clone(), cas.deps.library.clone());
    packages.step().await.expect("a pass");
    assert_eq!(kept().await, [].into());
    pr1.stop().await;
    cas.stop().await;
}

/// Symptom: a package that waited more than a day for its last file lost the others, and its
/// version named them all the same. Cause: only finished versions kept files, and what had been
/// found was never looked for again. Repair: what is found is kept, and looked for before the end.
#[tokio::test]
async fn what_a_package_waits_for_is_kept_and_looked_for_again_before_it_is_finished() {
    let clock = Arc::new(ManualClock::at(0));
    let ambient = Ambient::new(Arc::clone(&clock) as _, Arc::new(SeededEntropy::new(1)));
    let cas = Site::new(&Pki::new(&ambient), &ambient, "CAS", None);
    let library = cas.deps.library.clone();
    let import = async |content: &'static [u8]| {
        let ItemFile { name, size, sha1, .. } = file(content);
        let expected = Expected { name, size: Some(size), sha256: None, sha1: Some(sha1) };
        library.import(expected, std::io::Cursor::new(content)).await.expect("taken in");
    };
    let holders = async || library.holders("wanted ".to_owned()).await.expect("read");
    import(b"one").await;
    let asked = [b"one", b"two"].map(|content| (UpdateId(Uuid::from_u128(1)), file(content)));
    cas.write(move |w| w.demand_files(&w.create_package("Patches", "")?.code, &asked));
    let mut packages = Packages::new(cas.deps.db.clone(), library.clone());
    assert_eq!(packages.step().await.expect("a pass"), []);
    assert_eq!(holders().await, ["wanted CAS00001".to_owned()].into());
    for _ in 0..3 {
        packages.collect().await;
        clock.advance_ms(2 * crate::limits::LEASE_MS);
    }
    let one = || library.missing([sha256(b"one")].into());
    assert_eq!(one().await.expect("read"), [].into(), "it is kept");
    // Somebody else takes it out: the version waits until it is there again.
    library.set_references("wanted CAS00001".to_owned(), Vec::new()).await.expect("let go");
    for _ in 0..2 {
        library.collect_garbage(0).await.expect("collected");
    }
    assert_eq!(one().await.expect("read").len(), 1, "it is gone");
    import(b"two").await;
    cas.write(|w| w.note_found(&file(b"two"), site_db::Found::Unknown));
    assert_eq!(packages.step().await.expect("a pass"), []);
    let demands = cas.deps.db.read(|r| r.demands()).await.expect("read");
    let is_missing = |demand: &&ContentDemand| demand.found == site_db::Found::Missing;
    let missing: Vec<_> = demands.iter().filter(is_missing).map(|demand| &demand.file).collect();
    assert_eq!(missing, [&file(b"one")]);
    import(b"one").await;
    cas.write(|w| w.note_found(&file(b"one"), site_db::Found::Unknown));
    assert_eq!(packages.step().await.expect("a pass"), [package()]);
    assert_eq!(holders().await, [].into(), "the version keeps them now");
    cas.stop().await;
}

/// PKG-09: two packages have a file, and the point has the other one.
#[tokio::test]
async fn a_file_is_found_at_a_point_whatever_package_took_it_there() {
    let (cas, pr1) = sites();
    let (name, content) = ("setup.exe".to_owned(), content());
    let shared = ContentFile { sha256: sha256(&content), size: CONTENT_BYTES as u64, name };
    let manifest = |code: &str, targets: Vec<RoleId>| ContentManifest {
        package: ObjectCode::new(code).expect("a good code"),
        version: 2,
        files: vec![shared.clone()],
        targets,
    };
    let both = [manifest("CAS00001", vec![point()]), manifest("CAS00009", Vec::new())];
    pr1.write(move |w| both.iter().try_for_each(|manifest| w.put_own(manifest)));
    let wanted = [shared.sha256].into();
    let locate = async |wanted| pr1.deps.db.read(move |r| r.content_locations(&wanted)).await;
    assert_eq!(locate(wanted).await.expect("read"), [].into(), "nothing is installed yet");
    let mut dp = pr1.point();
    dp.report_distribution(report(point())).await.expect("its own");
    pr1.write(|w| {
        let id = b"CAS00009".to_vec();
        w.write_own(
            model::Group::Topology,
            vec![site_db::Own::delete(model::Kind::ContentManifest, id)],
        )
    });
    let found = locate([shared.sha256].into()).await.expect("read");
    assert_eq!(found[&shared.sha256][0].name, "PR1-DP");
    drop(dp);
    pr1.stop().await;
    cas.stop().await;
}
