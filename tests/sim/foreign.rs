//! The agent's client of the update protocol against our own update point, over real sockets: the
//! third server it meets, after the one made from the specification and the captured one.

use std::path::Path;
use std::sync::Arc;

use agent::{Followed, Foreign, ForeignServer};
use ambient::Ambient;
use client::scan::{Scan, Scanning};
use model::{Sha256, UpdateId};
use software_update_point::{Config, Deps, INSTALLED_MAX, PlainHttp, Ports, SoftwareUpdatePoint};
use sqlite_engine::{Durability, Executor, Options};
use tempfile::TempDir;
use testkit::facts::Computer;
use testkit::sample::{Sample, sample};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{TcpConnect, TcpListen};
use update_catalog::{Batch, Catalog};
use update_metadata::{Applicability, Document, Facts, evaluate};
use uuid::Uuid;

/// A stand-alone update point that has the sample catalog, and deploys nothing.
struct Point {
    url: String,
    _directory: TempDir,
    _tasks: JoinSet<()>,
}

impl Point {
    async fn start(sample: &Sample) -> Point {
        let directory = TempDir::new().expect("a directory");
        fill(directory.path(), sample).await;
        let listener = TcpListen::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_address());
        let config = Config {
            name: "sup.example.com".to_owned(),
            data: directory.path().to_owned(),
            plain_http: PlainHttp::All,
            installed_max: INSTALLED_MAX,
            outside: Default::default(),
            following: Default::default(),
            executor: Executor::Thread,
        };
        let (ambient, connect) = (Ambient::system(), Arc::new(TcpConnect));
        let deps = Deps { ambient, connect, credentials: None, site: None };
        let point = SoftwareUpdatePoint::new(config, deps).await.expect("opens");
        let ports = Ports {
            https: None,
            http: Some(Box::new(listener)),
            operations: axum::Router::new(),
            revoked: Arc::new(|_| false),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            point.run(ports, CancellationToken::new()).await.expect("serves");
        });
        Point { url, _directory: directory, _tasks: tasks }
    }
}

async fn fill(directory: &Path, sample: &Sample) {
    let options = Options { executor: Executor::Thread, durability: Durability::Normal };
    let catalog = Catalog::open(&directory.join("catalog.db"), Uuid::from_u128(7), options);
    let catalog = catalog.expect("opens");
    let documents = sample.documents.iter().map(Document::to_xml).collect();
    let imported = catalog.import(Batch { documents, ..Batch::default() }).await.expect("imports");
    assert_eq!(imported.rejected, []);
    catalog.complete_version(1).await.expect("completes");
    catalog.close().await;
}

async fn follow(foreign: &mut Foreign, catalog: &Catalog, facts: &Facts) -> (Followed, Scan) {
    let mut judge = |document: &Document| evaluate(document, facts);
    let followed = foreign.follow(catalog, facts, &mut judge).await;
    let followed = followed.unwrap_or_else(|error| panic!("{}", model::error_chain(&error)));
    let (mut scanning, mut since) = (Scanning::default(), 0);
    loop {
        let page = catalog.changed_documents(since).await.expect("reads");
        for change in page.changes {
            since = change.number;
            let Some(stored) = change.content else { continue };
            let document = Document::parse(stored.xml.as_bytes()).expect("was read");
            scanning.add(&document, Sha256([0; 32]), facts);
        }
        if page.is_last {
            return (followed, scanning.finish());
        }
    }
}

/// What the whole documents mean for this computer.
fn expected(sample: &Sample, facts: &Facts) -> Scan {
    let mut scanning = Scanning::default();
    for document in &sample.documents {
        scanning.add(document, Sha256([0; 32]), facts);
    }
    scanning.finish()
}

/// What concerns the computer; what does not, or is for the other system, the update point need
/// not tell of.
fn concerning(scan: &Scan) -> Vec<(UpdateId, Applicability)> {
    let judged = scan.updates.values().map(|judged| (judged.update.id, judged.verdict.clone()));
    let concerns = |verdict: &Applicability| {
        matches!(verdict, Applicability::Applicable | Applicability::Installed)
    };
    judged.filter(|(_, verdict)| concerns(verdict)).collect()
}

#[tokio::test]
async fn our_update_point_is_scanned_as_any_other() {
    let sample = sample(Path::new("/tmp"));
    let point = Point::start(&sample).await;
    for number in [0, 1, 3] {
        let computer = Computer::new(number);
        let facts = computer.facts();
        let server = ForeignServer::new(&point.url, None).expect("an address");
        let (client, name) = (Uuid::from_u128(u128::from(number)), format!("pc{number}"));
        let (ambient, connect) = (Ambient::system(), Arc::new(TcpConnect));
        let foreign = Foreign::new(server, client, name, ambient, connect);
        let mut foreign = foreign.expect("an address");
        let catalog = Catalog::open_in_memory(foreign.id()).expect("opens");
        let (first, scan) = follow(&mut foreign, &catalog, facts).await;
        assert_eq!(concerning(&scan), concerning(&expected(&sample, facts)), "computer {number}");
        assert!(!concerning(&scan).is_empty());
        let sent = foreign.report(&catalog, &first, &scan).await.expect("reports");
        assert_eq!(sent, 2);
        let (second, again) = follow(&mut foreign, &catalog, facts).await;
        assert_eq!((second.version, second.cost.new), (first.version, 0));
        assert_eq!(concerning(&again), concerning(&scan));
        assert!(second.cost.requests <= 2, "{:?}", second.cost);
    }
}
