//! Publishers' catalogs and the inbox.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use expect_test::expect;
use notify::{RecursiveMode, Watcher as _};
use testkit::reference::vendor_catalogs;
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::import::ImportReport;

pub(super) const PACKAGES: &str =
    "http://schemas.microsoft.com/wsus/2005/04/CorporatePublishing/SoftwareDistributionPackage.xsd";

pub(super) fn sdp(number: u128, title: &str, files: &str) -> String {
    let id = Uuid::from_u128(number);
    format!(
        "<SoftwareDistributionPackage xmlns='{PACKAGES}'><Properties PackageID='{id}'>\
         <VendorName>Acme</VendorName><ProductName>Anvil</ProductName></Properties>\
         <LocalizedProperties><Language>en</Language><Title>{title}</Title></LocalizedProperties>\
         <InstallableItem>{files}</InstallableItem></SoftwareDistributionPackage>"
    )
}

fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        archive.start_file(*name, SimpleFileOptions::default()).expect("a member");
        archive.write_all(content.as_bytes()).expect("written");
    }
    archive.finish().expect("a zip").into_inner()
}

async fn import(bench: &Bench, name: &str, content: &[u8]) -> ImportReport {
    let path = bench.directory.path().join("given");
    fs::write(&path, content).expect("written");
    bench.point.import_file(&path, name, None).await.expect("handled")
}

#[tokio::test]
async fn vendor_catalogs_come_in_whole() {
    let Some((paths, expected)) = vendor_catalogs("vendor_catalogs_come_in_whole") else { return };
    let bench = Bench::new().await;
    let (mut imported, mut revised) = (0, 0);
    for path in &paths {
        let name = path.file_name().expect("a name").to_string_lossy();
        let report = bench.point.import_file(path, &name, None).await.expect("handled");
        assert_eq!(report.refused, None, "{name}");
        imported += report.imported;
        revised += report.revised.len() as u64;
    }
    assert!(expected > 1_000, "{expected}");
    assert_eq!(imported - revised, expected as u64);
    let documents = bench.documents().await;
    let parsed = documents.iter().map(|d| Document::parse(d.xml.as_bytes()).expect("sound"));
    let visible = parsed.filter(|d| d.properties.is_explicitly_deployable).count();
    assert_eq!(visible, expected);
    let again = bench.point.import_file(&paths[0], "again", None).await.expect("handled");
    assert_eq!((again.imported, again.revised.len()), (0, 0));
}

#[tokio::test]
async fn what_is_broken_is_left_out_and_named() {
    let bench = Bench::new().await;
    let (one, two) = (sdp(1, "one", ""), sdp(2, "two", ""));
    let archive = zipped(&[
        ("good.sdp", one.as_str()),
        ("bad.sdp", &one[..one.len() - 9]),
        ("dtd.sdp", &format!("<!DOCTYPE a>{one}")),
        ("nameless.sdp", &one.replace("one", " ")),
        ("same.sdp", &one),
        ("other.sdp", &one.replace("<Title>one", "<Title>other")),
        ("readme.txt", "not read"),
        ("document.xml", &update(3, "Anvil").to_xml()),
    ]);
    let mut report = import(&bench, "catalog.zip", &archive).await;
    assert_eq!(report.documents.len(), 3, "the plain one and two that are neither");
    report.documents.clear();
    expect![[r#"
        ImportReport {
            imported: 3,
            unchanged: 1,
            revised: [
                "update 00000000-0000-0000-0000-000000000001 is revision 2 now",
            ],
            rejected: [
                "bad.sdp is not taken: the XML is refused: line 1, column 386: not well-formed: syntax error: tag not closed: `>` not found before end of input",
                "dtd.sdp is not taken: the XML is refused: line 1, column 1: document type declarations are not accepted; remove the DOCTYPE",
                "nameless.sdp: line 1, column 1, package 00000000-0000-0000-0000-000000000001: it has no title",
            ],
            refused: None,
            documents: [],
            foreign: None,
        }"#]].assert_eq(&format!("{report:#?}"));
    let catalog = format!("<SystemsManagementCatalog>\n{two}\n  </oops>");
    let refused = [
        import(&bench, "ill.xml", catalog.as_bytes()).await,
        import(&bench, "page.html", b"<html/>").await,
        import(&bench, "empty.zip", &zipped(&[("readme.txt", "")])).await,
        import(&bench, "bomb.zip", &zipped(&[("a.xml", &" ".repeat(8 << 20))])).await,
        import(&bench, "cut.zip", &archive[..archive.len() / 2]).await,
        import(&bench, "cut.cab", b"MSCF\0\0\0\0").await,
        import(&bench, "none", b"").await,
    ];
    let refused = refused.map(|report| report.refused.expect("is refused"));
    expect![[r#"
        ill.xml is not taken: the XML is refused: line 3, column 3: not well-formed: ill-formed document: expected `</SystemsManagementCatalog>`, but `</oops>` was found
        page.html is not taken: <html> is not a catalog: give a SystemsManagementCatalog or a SoftwareDistributionPackage
        empty.zip is not taken: it holds no .sdp or .xml file
        bomb.zip is not taken: unpacked it is too large, or too large for its packed size
        cut.zip is not taken: invalid Zip archive: Could not find EOCD
        cut.cab is not taken: failed to fill whole buffer
        none is not taken: the XML is refused: line 1, column 1: not well-formed: there is no element"#]]
    .assert_eq(&refused.join("\n"));
    let stored = bench.documents().await;
    assert_eq!(stored.iter().filter(|d| d.update.id.0 == Uuid::from_u128(2)).count(), 0);
    let work = bench.directory.path().join("import");
    assert_eq!(fs::read_dir(work).expect("a folder").count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn documents_of_a_basket_are_reported_one_by_one() {
    let bench = Bench::new().await;
    let known = update(1, "Anvil").to_xml();
    let batch = Batch { documents: vec![known.clone()], ..Batch::default() };
    bench.point.catalog.import(batch).await.expect("imports");
    let (other, new) = (known.replace("Update 1", "Else"), update(2, "Anvil").to_xml());
    let basket = zipped(&[
        ("1/known.xml", known.as_str()),
        ("2/other.xml", &other),
        ("3/new.xml", &new),
        ("4/page.xml", "<html/>"),
        ("5/cut.xml", &new[..new.len() - 9]),
    ]);
    let report = import(&bench, "5 documents", &basket).await;
    assert_eq!((report.imported, report.unchanged, report.refused), (1, 1, None));
    let line = |given: &crate::import::Given| {
        let update = given.update.map(|update| update.id.to_string()).unwrap_or_default();
        format!("{} {update} {} {}\n", given.name, given.fate.as_str(), given.reason)
    };
    expect![[r#"
        4/page.xml  refused 4/page.xml is not taken: <html> is not a catalog: give a SystemsManagementCatalog or a SoftwareDistributionPackage
        5/cut.xml  refused 5/cut.xml is not taken: the XML is refused: line 1, column 875: not well-formed: syntax error: tag not closed: `>` not found before end of input
        1/known.xml 00000000-0000-0000-0000-000000000001 unchanged 
        2/other.xml 00000000-0000-0000-0000-000000000001 refused this revision is here with other content
        3/new.xml 00000000-0000-0000-0000-000000000002 imported 
    "#]].assert_eq(&report.documents.iter().map(line).collect::<String>());
}

#[tokio::test]
async fn cabinets_are_read() {
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(cab::CompressionType::MsZip);
    folder.add_file("first.sdp");
    folder.add_file("second.sdp");
    let mut cabinet = builder.build(std::io::Cursor::new(Vec::new())).expect("a cabinet");
    let mut number = 0;
    while let Some(mut member) = cabinet.next_file().expect("a member") {
        number += 1;
        member.write_all(sdp(number, "title", "").as_bytes()).expect("written");
    }
    let cabinet = cabinet.finish().expect("a cabinet").into_inner();
    let bench = Bench::new().await;
    let report = import(&bench, "catalog.cab", &cabinet).await;
    assert_eq!((report.imported, report.rejected), (2, Vec::new()));
}

/// Waits until a file of this name is in the folder.
async fn appears(folder: &Path, name: &str) {
    let (sender, mut seen) = mpsc::channel(64);
    let tell = move |_: notify::Result<notify::Event>| {
        let _ = sender.blocking_send(());
    };
    let mut watcher = notify::recommended_watcher(tell).expect("a watcher");
    watcher.watch(folder, RecursiveMode::NonRecursive).expect("watches");
    while !folder.join(name).exists() {
        seen.recv().await.expect("the watcher lives");
    }
}

#[tokio::test]
async fn the_inbox_takes_what_lies_there_and_what_lands() {
    let bench = Bench::new().await;
    let inbox = bench.directory.path().join("inbox");
    for folder in ["content", "done", "refused"] {
        fs::create_dir_all(inbox.join(folder)).expect("made");
    }
    let sha1 = "OLFIMeOWsqYj+JqFK2bUYKjyw6g=";
    let origin = |name: &str| format!("<OriginFile FileName='{name}' Size='4' Digest='{sha1}'/>");
    fs::write(inbox.join("content/wrong.cab"), "else").expect("written");
    fs::write(inbox.join("first.sdp"), sdp(1, "first", &origin("wrong.cab"))).expect("written");
    let Bench { directory: _directory, role, point, .. } = bench;
    let stop = CancellationToken::new();
    let (operations, revoked) = (axum::Router::new(), Arc::new(|_: &model::PeerIdentity| false));
    let ports = Ports { https: None, http: None, operations, revoked };
    let running = tokio::task::JoinSet::from_iter([role.run(ports, stop.clone())]);
    appears(&inbox.join("done"), "first.sdp").await;
    let report = fs::read_to_string(inbox.join("done/first.sdp.report")).expect("is reported");
    assert!(report.starts_with("first.sdp: content: wrong.cab: its SHA-1 is "), "{report}");
    let version = async || point.catalog.state().await.expect("reads").version.map(|v| v.0.version);
    assert_eq!(version().await, Some(1), "complete by itself");

    fs::write(inbox.join(".hidden"), "still being written").expect("written");
    fs::write(inbox.join("bad.xml"), "<html/>").expect("written");
    appears(&inbox.join("refused"), "bad.xml").await;
    let reason = fs::read_to_string(inbox.join("refused/bad.xml.reason")).expect("has a reason");
    assert!(reason.contains("<html> is not a catalog"), "{reason}");
    fs::write(inbox.join(".hidden"), sdp(2, "second", "")).expect("written");
    fs::rename(inbox.join(".hidden"), inbox.join("second.sdp")).expect("renamed");
    appears(&inbox.join("done"), "second.sdp").await;
    assert_eq!(version().await, Some(2));
    stop.cancel();
    for ended in running.join_all().await {
        ended.expect("ends well");
    }
}
