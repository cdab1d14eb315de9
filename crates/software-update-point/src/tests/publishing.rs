//! Updates published at the site, and subscribed catalogs.

use std::fs;
use std::io::Write as _;

use expect_test::expect;
use model::{HierarchyId, PeerIdentity, PeerKind, RoleKind, SiteCode};
use rpc::pb::content::content_service_server::ContentServiceServer;
use rpc::pb::update_point::{Publish, PublishContent, RefreshCatalog};
use testkit::distribution::FakeContents;
use testkit::sample::sha256;
use transport::{Connection, Security};
use wsus_protocol::content_path;

use super::imports::{PACKAGES, sdp};
use super::*;
use crate::import::ImportReport;

const CONTENT: &[u8] = b"MZ a setup";

fn sha1(content: &[u8]) -> Sha1 {
    use sha1::Digest as _;
    Sha1(sha1::Sha1::digest(content).into())
}

fn origin(content: &[u8], url: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let (digest, sha256) = (STANDARD.encode(sha1(content).0), STANDARD.encode(sha256(content).0));
    let size = content.len();
    format!(
        "<CommandLineInstallerData xmlns='urn:c' Program='setup.exe' Arguments='/q'/>\
         <OriginFile Digest='{digest}' FileName='setup.exe' Size='{size}' OriginUri='{url}'>\
         <AdditionalDigest Algorithm='SHA256'>{sha256}</AdditionalDigest></OriginFile>"
    )
}

fn catalog(packages: &[String]) -> String {
    let packages = packages.concat();
    format!("<c:SystemsManagementCatalog xmlns:c='urn:c'>{packages}</c:SystemsManagementCatalog>")
}

/// The site's content service, holding these files.
async fn site(files: &[&'static [u8]]) -> (Connection, FakeContents, JoinSet<()>) {
    let contents = FakeContents::default();
    contents.script().files = files.iter().map(|file| Bytes::from_static(file)).collect();
    let (listen, connect) = transport::memory(PeerIdentity {
        hierarchy: HierarchyId(Uuid::from_u128(1)),
        site: SiteCode::new("PR1").expect("a site code"),
        kind: PeerKind::Role(RoleKind::SoftwareUpdatePoint),
        id: "one".to_owned(),
    });
    let routes = tonic::service::Routes::new(ContentServiceServer::new(contents.clone()));
    let server = Server {
        router: routes.into_axum_router(),
        credentials: None,
        limits: Limits::default(),
        revoked: Arc::new(|_| false),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        server.run(Box::new(listen), CancellationToken::new()).await.expect("serves");
    });
    let connection = Connection::new(Arc::new(connect), "http://memory", Security::Plain);
    (connection.expect("a connection"), contents, tasks)
}

async fn refresh(bench: &Bench, url: &str) -> ImportReport {
    refresh_pinned(bench, url, None).await.expect("is looked at")
}

async fn refresh_pinned(
    bench: &Bench,
    url: &str,
    fingerprint: Option<Vec<u8>>,
) -> Result<ImportReport, Error> {
    let (name, url) = ("Acme / all".to_owned(), url.to_owned());
    bench.point.refresh_catalog(RefreshCatalog { order: 1, name, url, fingerprint }).await
}

async fn publish_content(bench: &Bench, id: u128) -> Result<ImportReport, Error> {
    let update = Uuid::from_u128(id).as_bytes().to_vec();
    bench.point.publish_content(PublishContent { order: 2, update }).await
}

/// The newest revision of an update.
async fn newest(bench: &Bench, id: u128) -> Document {
    let id = UpdateId(Uuid::from_u128(id));
    let mut all = bench.documents().await;
    all.retain(|document| document.update.id == id);
    let newest = all.pop().expect("is in the catalog");
    Document::parse(newest.xml.as_bytes()).expect("is sound")
}

#[tokio::test]
async fn a_published_update_comes_with_its_files() {
    let bench = Bench::new().await;
    let (site, contents, _tasks) = site(&[CONTENT]).await;
    let package = sdp(1, "Anvil", &origin(CONTENT, "")).into_bytes();
    let publish = |package: Vec<u8>| Publish { order: 1, name: "Anvil".to_owned(), package };
    let report = bench.point.publish(publish(package.clone()), &site).await.expect("is taken");
    assert_eq!((report.imported, report.refused), (1, None));
    let files = newest(&bench, 1).await.files;
    let record = bench.point.library.find(&(&files[0]).into()).await.expect("reads");
    assert_eq!(record.expect("is here").sha256, sha256(CONTENT));
    let again = bench.point.publish(publish(package), &site).await.expect("is known");
    assert_eq!((again.imported, again.unchanged), (0, 1));
    assert_eq!(contents.script().offsets, [0]);
    // A file that the site lacks leaves nothing behind.
    let lacking = sdp(2, "Hammer", &origin(b"MZ other", "")).into_bytes();
    assert!(bench.point.publish(publish(lacking), &site).await.is_err());
    let two = catalog(&[sdp(3, "a", ""), sdp(4, "b", "")]).into_bytes();
    let refused = bench.point.publish(publish(two), &site).await.expect_err("is refused");
    expect!["Anvil is not taken: it has 2 packages; publish one at a time"]
        .assert_eq(&error_chain(&refused));
    assert_eq!(bench.documents().await.len(), 4, "three categories and one update");
}

#[tokio::test]
async fn a_subscribed_catalog_brings_metadata_until_content_is_published() {
    let fake = FakeUpstream::start().await;
    fake.script().serve_file(sha1(CONTENT).0, "setup.exe", CONTENT.to_vec());
    let url = format!("{}{}", fake.url, content_path(&sha1(CONTENT).0, "setup.exe"));
    let bench = Bench::new().await;
    let path = bench.directory.path().join("catalog.xml.gz");
    let write = |packages: &[String]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(catalog(packages).as_bytes()).expect("fits");
        fs::write(&path, gzip.finish().expect("fits")).expect("is written");
    };
    let packages = [sdp(1, "Anvil", &origin(CONTENT, &url)), sdp(2, "Hammer", "")];
    write(&packages);
    let file = format!("file://{}", path.display());
    let report = refresh(&bench, &file).await;
    assert_eq!((report.imported, report.refused, report.rejected), (2, None, Vec::new()));
    let found = newest(&bench, 1).await;
    assert!(found.files.is_empty() && found.installer.is_none(), "{found:?}");
    assert_eq!(refresh(&bench, &file).await.unchanged, 2);

    let report = publish_content(&bench, 1).await.expect("is published");
    assert_eq!((report.imported, report.revised.len()), (1, 1));
    let found = newest(&bench, 1).await;
    assert_eq!((found.update.revision, found.files[0].size), (2, CONTENT.len() as u64));
    assert!(bench.point.library.find(&(&found.files[0]).into()).await.expect("reads").is_some());
    // The same catalog takes nothing back; another revision is metadata again.
    assert_eq!(refresh(&bench, &file).await.unchanged, 2);
    assert_eq!(newest(&bench, 1).await.update.revision, 2);
    // Nor does it when the revision before is no more than a number.
    for version in 1..=3 {
        bench.point.catalog.complete_version(version).await.expect("completes");
        bench.import(&[update(100 + u128::from(version), "Rocket")]).await;
    }
    while bench.point.catalog.drop_obsolete(100).await.expect("drops") > 0 {}
    assert_eq!(refresh(&bench, &file).await.unchanged, 2);
    assert_eq!(newest(&bench, 1).await.update.revision, 2);
    write(&[sdp(1, "Anvil 2", &origin(CONTENT, &url))]);
    assert_eq!(refresh(&bench, &file).await.imported, 1);
    assert!(newest(&bench, 1).await.files.is_empty());

    let refused = publish_content(&bench, 9).await.expect_err("is in no catalog");
    expect!["update 00000000-0000-0000-0000-000000000009 is not taken: no subscribed catalog has it; subscribe to one that does, or import it"].assert_eq(&error_chain(&refused));
}

#[tokio::test]
async fn content_comes_from_the_catalog_that_the_update_came_from() {
    let fake = FakeUpstream::start().await;
    fake.script().serve_file(sha1(CONTENT).0, "setup.exe", CONTENT.to_vec());
    let url = format!("{}{}", fake.url, content_path(&sha1(CONTENT).0, "setup.exe"));
    let bench = Bench::new().await;
    let path = bench.directory.path().join("catalog.xml");
    fs::write(&path, catalog(&[sdp(1, "Anvil", &origin(CONTENT, &url))])).expect("is written");
    refresh(&bench, &format!("file://{}", path.display())).await;
    // Somebody else's, kept before it, names the same update, and one cannot be read.
    let kept = bench.directory.path().join("catalogs");
    let other = origin(b"MZ somebody else's", &format!("{}/other", fake.url));
    fs::write(kept.join("00"), catalog(&[sdp(1, "Other", &other)])).expect("is written");
    fs::write(kept.join("01"), b"PK\x03\x04 no archive").expect("is written");
    publish_content(&bench, 1).await.expect("is published");
    assert_eq!(newest(&bench, 1).await.files[0].sha1, sha1(CONTENT));
    fs::remove_file(kept.join("00")).expect("is removed");
    fs::write(&path, catalog(&[sdp(1, "Anvil 2", "")])).expect("is written");
    refresh(&bench, &format!("file://{}", path.display())).await;
    let kept = fs::read_dir(&kept).expect("is listed").count();
    assert_eq!(kept, 2, "the one that was subscribed to, and the one that cannot be read");
    assert_eq!(fs::read_dir(bench.directory.path().join("import")).expect("is listed").count(), 0);
}

#[tokio::test]
async fn content_that_is_not_what_the_catalog_says_is_not_published() {
    let fake = FakeUpstream::start().await;
    fake.script().serve_file(sha1(CONTENT).0, "setup.exe", b"MZ a sham!".to_vec());
    let url = format!("{}{}", fake.url, content_path(&sha1(CONTENT).0, "setup.exe"));
    let bench = Bench::new().await;
    let path = bench.directory.path().join("catalog.xml");
    fs::write(&path, catalog(&[sdp(1, "Anvil", &origin(CONTENT, &url))])).expect("is written");
    refresh(&bench, &format!("file://{}", path.display())).await;
    let refused = error_chain(&publish_content(&bench, 1).await.expect_err("is refused"));
    assert!(refused.contains("its SHA-256 is"), "{refused}");
    assert!(newest(&bench, 1).await.files.is_empty());
}

#[tokio::test]
async fn catalogs_that_are_not_as_agreed_are_refused() {
    let bench = Bench::new().await;
    let path = bench.directory.path().join("catalog.cab");
    let url = format!("file://{}", path.display());
    fs::write(&path, format!("<html xmlns='{PACKAGES}'/>")).expect("is written");
    let report = refresh(&bench, &url).await;
    assert!(report.refused.expect("is refused").contains("is not a catalog"));
    fs::write(&path, catalog(&[sdp(1, "Anvil", "")])).expect("is written");
    let unsigned = refresh_pinned(&bench, &url, Some(vec![7; 32])).await.expect_err("is refused");
    expect!["Acme / all is not taken: it is not signed, and was approved as signed"]
        .assert_eq(&error_chain(&unsigned));
    // Room for a signature, and something else in it.
    let mut cabinet = std::io::Cursor::new(Vec::new());
    let files = vec![("a.xml".to_owned(), 4, &b"<a/>"[..])];
    ::publishing::cabinet::write(files, &mut cabinet).expect("is written");
    ::publishing::cabinet::append_signature(b"no signature", &mut cabinet).expect("has room");
    fs::write(&path, cabinet.into_inner()).expect("is written");
    let forged = refresh_pinned(&bench, &url, None).await.expect_err("is refused");
    assert!(error_chain(&forged).contains("the signature of the cabinet is not usable"));
    let gone = refresh_pinned(&bench, "file:///nowhere/catalog.cab", None).await;
    expect!["cannot open /nowhere/catalog.cab: No such file or directory (os error 2)"]
        .assert_eq(&error_chain(&gone.expect_err("is refused")));
    assert!(bench.documents().await.is_empty());
}
