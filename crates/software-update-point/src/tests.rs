//! Real stores and sockets; upstream is another update point or a fake that speaks the protocol.

use std::sync::Arc;

use ambient::{Ambient, ManualClock, SystemEntropy};
use bytes::{Buf as _, Bytes};
use http::{Request, Response};
use model::{ItemFile, Sha1, Sha256, UpdateId, UpdateRef, error_chain};
use sqlite_engine::Executor;
use tempfile::TempDir;
use testkit::reference::reference;
use testkit::serving::serve;
use testkit::upstream::FakeUpstream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use transport::{Limits, Server, TcpConnect, TcpListen};
use update_catalog::{Batch, StoredDocument};
use update_metadata::{Document, Prerequisite, UpdateKind, categories};
use uuid::Uuid;
use wsus_protocol::{Message, UpdateIdentity, encode};

use crate::choice::Choice;
use crate::point::Point;
use crate::synchronize::{Plan, Source, Synced};
use crate::web::{Way, Web, collect};
use crate::*;

mod bundles;
mod compression;
mod computers;
mod config;
mod dispatch;
mod hostile;
mod imports;
mod languages;
mod natives;
mod outside;
mod protocol;
mod publishing;
mod replica;
mod servers;
mod shapes;
mod site;
mod synchronization;
mod targeting;
mod wsus_packages;

const NOW_MS: i64 = 1_795_168_800_000;

/// An update point with stores of its own.
struct Bench {
    directory: TempDir,
    clock: Arc<ManualClock>,
    role: SoftwareUpdatePoint,
    point: Arc<Point>,
}

impl Bench {
    async fn new() -> Bench {
        Bench::with(PlainHttp::All, None).await
    }

    async fn with(plain_http: PlainHttp, site: Option<Site>) -> Bench {
        Bench::configured(site, |config| config.plain_http = plain_http).await
    }

    async fn configured(site: Option<Site>, change: impl FnOnce(&mut Config)) -> Bench {
        Bench::open(tempfile::tempdir().expect("a directory"), site, change).await
    }

    async fn open(
        directory: TempDir,
        site: Option<Site>,
        change: impl FnOnce(&mut Config),
    ) -> Bench {
        let mut config = Config {
            name: "sup.example.com".to_owned(),
            data: directory.path().to_owned(),
            plain_http: PlainHttp::All,
            installed_max: INSTALLED_MAX,
            outside: Outside::default(),
            following: Following::default(),
            executor: Executor::Thread,
        };
        change(&mut config);
        let clock = Arc::new(ManualClock::at(NOW_MS));
        let ambient = Ambient::new(clock.clone(), Arc::new(SystemEntropy));
        let connect = Arc::new(TcpConnect);
        let deps = Deps { ambient, connect, credentials: None, site };
        let role = SoftwareUpdatePoint::new(config, deps).await.expect("opens");
        Bench { directory, clock, point: role.point.clone(), role }
    }

    /// The URL of its plain port, while the tasks live.
    async fn serve(&self) -> (String, JoinSet<()>) {
        serve(self.role.http_router(), None).await
    }

    async fn import(&self, documents: &[Document]) {
        let documents = documents.iter().map(Document::to_xml).collect();
        let batch = Batch { documents, ..Batch::default() };
        let imported = self.point.catalog.import(batch).await.expect("imports");
        assert_eq!(imported.rejected, []);
    }

    async fn synchronize(&self, plan: &Plan) -> Result<Synced, Error> {
        self.point.synchronize(plan, &|_, _, _| ()).await
    }

    async fn documents(&self) -> Vec<StoredDocument> {
        let (mut documents, mut since) = (Vec::new(), 0);
        loop {
            let page = self.point.catalog.changed_documents(since).await.expect("reads");
            since = page.changes.last().map_or(since, |change| change.number);
            documents.extend(page.changes.into_iter().filter_map(|change| change.content));
            if page.is_last {
                documents.sort_by_key(|document| document.update);
                return documents;
            }
        }
    }

    async fn xml(&self) -> Vec<String> {
        self.documents().await.into_iter().map(|document| document.xml).collect()
    }
}

fn everything(url: &str) -> Plan {
    let source = Source::Foreign { url: url.to_owned(), belief: None };
    Plan { source, is_full: false, choice: Choice::default() }
}

fn reference_to(number: u128, revision: u32) -> UpdateRef {
    UpdateRef { id: UpdateId(Uuid::from_u128(number)), revision }
}

fn wire(number: u128) -> UpdateIdentity {
    UpdateIdentity { update_id: Uuid::from_u128(number), revision: 1 }
}

/// An update of a product of the sample company.
fn update(number: u128, product: &str) -> Document {
    let mut update =
        Document::new(reference_to(number, 1), UpdateKind::Software, &format!("Update {number}"));
    update.properties.is_explicitly_deployable = true;
    for category in [categories::product("Acme", product), categories::classification("Updates")] {
        let any_of = vec![category.update.id];
        update.relations.prerequisites.push(Prerequisite { any_of, is_category: true });
    }
    update
}

fn sample_categories() -> Vec<Document> {
    vec![
        categories::company("Acme"),
        categories::product("Acme", "Anvil"),
        categories::product("Acme", "Rocket"),
        categories::classification("Updates"),
    ]
}

/// A file of these bytes as an update names it.
async fn file(bench: &Bench, name: &str, content: &'static [u8]) -> ItemFile {
    let expected =
        content_library::Expected { name: name.to_owned(), size: None, sha256: None, sha1: None };
    let record = bench.point.library.import(expected, content).await.expect("imports");
    let (size, sha1) = (record.size, record.sha1);
    ItemFile { name: name.to_owned(), size, sha1, sha256: Some(record.sha256) }
}

async fn send(url: &str, request: Request<Bytes>) -> (Response<()>, Vec<u8>) {
    let way = Way { connect: Arc::new(TcpConnect), proxy: None, tls: None };
    let web = Web::foreign(way, url).expect("a good address");
    let (head, body) = web.send(request).await.expect("answers").into_parts();
    let mut body = collect(body, url, 64 << 20).await.expect("a body");
    let body = body.copy_to_bytes(body.remaining()).to_vec();
    (Response::from_parts(head, ()), body)
}

/// Calls an operation as any client would.
async fn call<M: Message>(url: &str, path: &str, request: &M) -> (u16, Vec<u8>) {
    let request = Request::post(path)
        .header("SOAPAction", M::OPERATION.soap_action())
        .body(Bytes::from(encode(request)))
        .expect("a request");
    let (answer, body) = send(url, request).await;
    (answer.status().as_u16(), body)
}
