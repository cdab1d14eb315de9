//! Export packages of a WSUS, made as its own utility makes them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;

use super::*;
use crate::import::{ImportReport, Warrant};

fn metadata(documents: &[Document]) -> String {
    let line = |document: &Document| {
        let (UpdateRef { id, revision }, xml) = (document.update, document.to_xml());
        format!("{id},{revision:08x},{:08x},{xml}\r\n", xml.encode_utf16().count())
    };
    documents.iter().map(line).collect()
}

fn listed(documents: &[Document]) -> String {
    let update = |document: &Document| {
        let UpdateRef { id, revision } = document.update;
        format!("<Update UpdateId='{id}' RevisionNumber='{revision}'><Files/></Update>")
    };
    let files = documents.iter().flat_map(|document| &document.files).map(|file| {
        let (digest, name) = (STANDARD.encode(file.sha1.0), &file.name);
        format!("<File Digest='{digest}' MUUrl='http://mu.example/{name}' Name='{name}'/>")
    });
    format!(
        "<?xml version='1.0' encoding='utf-8'?><ExportPackage \
         ServerID='5B6F9F42-0000-4000-8000-000000000001' CreationTime='2026-11-20T10:00:00Z' \
         FormatVersion='1.0' ProtocolVersion='1.20'><Updates>{}</Updates><Languages/>\
         <Files>{}</Files></ExportPackage>",
        documents.iter().map(update).collect::<String>(),
        files.collect::<String>()
    )
}

fn cabinet(list: &str, metadata: &str) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    for name in ["metadata.txt", "package.xml"] {
        builder.add_folder(cab::CompressionType::MsZip).add_file(name);
    }
    let mut cabinet = builder.build(Cursor::new(Vec::new())).expect("a cabinet");
    while let Some(mut member) = cabinet.next_file().expect("a member") {
        let text = if member.file_name() == "metadata.txt" { metadata } else { list };
        member.write_all(text.as_bytes()).expect("written");
    }
    cabinet.finish().expect("a cabinet").into_inner()
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).expect("packs");
    packer.finish().expect("packs")
}

async fn import(bench: &Bench, file: &[u8], is_unsigned: bool) -> ImportReport {
    let path = bench.directory.path().join("given");
    fs::write(&path, file).expect("written");
    let content = bench.directory.path().join("content-of-wsus");
    let warrant = Warrant { manifest: None, is_unsigned };
    let given = (path.as_path(), "export.any");
    bench.point.import_given(given, Some(&content), warrant).await.expect("is handled")
}

#[tokio::test]
async fn it_is_taken_only_by_consent_with_its_content_beside_it() {
    let bench = Bench::new().await;
    let file = file(&Bench::new().await, "setup.cab", b"payload").await;
    let mut with_file = update(1, "Anvil");
    with_file.files = vec![file.clone()];
    let documents = [sample_categories(), vec![with_file, update(2, "Röcket")]].concat();
    let package = cabinet(&listed(&documents), &metadata(&documents));
    let refused = import(&bench, &package, false).await.refused.expect("is refused");
    expect!["export.any is not taken: it is the catalog of a WSUS, which nobody signed; if you know where it comes from, hand it to the top-level site with --unsigned"]
        .assert_eq(&refused);
    let hex: String = file.sha1.0.iter().map(|byte| format!("{byte:02X}")).collect();
    let folder = bench.directory.path().join("content-of-wsus").join(&hex[38..]);
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join(format!("{hex}.cab")), b"payload").expect("written");
    let report = import(&bench, &package, true).await;
    let found = report.foreign.expect("is a catalog");
    assert_eq!((report.imported, report.refused, report.rejected), (6, None, Vec::new()));
    assert_eq!((found.kind, found.documents, found.files), ("wsus", 6, 1));
    assert_eq!(found.server_id, "5b6f9f42-0000-4000-8000-000000000001");
    let written: Vec<_> = documents.iter().map(|d| (d.update, d.to_xml())).collect();
    let written: BTreeMap<_, _> = written.into_iter().collect();
    assert_eq!(bench.xml().await, written.into_values().collect::<Vec<_>>());
    let named = bench.point.catalog.files(reference_to(1, 1)).await.expect("reads");
    assert_eq!(named[0].sources, ["http://mu.example/setup.cab"]);
    assert!(bench.point.library.find(&(&file).into()).await.expect("looks").is_some());
    let again = import(&bench, &package, true).await;
    assert_eq!((again.imported, again.unchanged), (0, 6));
}

#[tokio::test]
async fn what_is_cut_off_or_damaged_is_refused_and_bad_documents_are_left_out() {
    let bench = Bench::new().await;
    let documents = [update(1, "Anvil"), update(2, "Anvil")];
    let (list, text) = (listed(&documents), metadata(&documents));
    let half = metadata(&documents[..1]);
    let refused = [
        cabinet(&list, &half),
        cabinet(&list, &text[..text.len() - 40]),
        cabinet(&list[..list.len() - 9], &text),
        gzipped("<html/>"),
        gzipped("nothing of the kind"),
        gzipped("<ExportPackage ServerID='' CreationTime=''/>"),
        gzipped(&text)[..60].to_vec(),
    ];
    let mut reasons = Vec::new();
    for package in refused {
        reasons.push(import(&bench, &package, true).await.refused.expect("is refused"));
        assert_eq!(bench.xml().await, Vec::<String>::new());
    }
    expect![[r#"
        export.any is not taken: it lists update 00000000-0000-0000-0000-000000000002 revision 1 and has no document of it; copy it again, or export it again
        export.any is not taken: metadata.txt, document 2: its document is cut off; export it again
        export.any is not taken: the XML is refused: line 1, column 411: not well-formed: syntax error: tag not closed: `>` not found before end of input
        export.any is not taken: line 1, column 1: <html> is no export package; export it again
        export.any is not taken: metadata.txt, document 1: its id, revision and length are not there; export it again
        export.any is not taken: it holds no documents in a form this version knows; export it with the extension .cab
        export.any is not taken: incomplete deflate stream"#]].assert_eq(&reasons.join("\n"));
    let other = update(9, "Anvil").update.id;
    let foreign = metadata(&documents[1..]).replacen(&documents[1].update.id.to_string(), "?", 1);
    let foreign = foreign.replacen('?', &other.to_string(), 1);
    let mixed = format!("{text}{other},00000001,00000004,<a/>\r\n{foreign}");
    let report = import(&bench, &gzipped(&mixed), true).await;
    assert_eq!((report.imported, report.refused), (2, None));
    expect![[r#"
        update 00000000-0000-0000-0000-000000000009 revision 1: line 1, column 1: Update: the root is a instead of upd:Update
        update 00000000-0000-0000-0000-000000000009 revision 1: its document is update 00000000-0000-0000-0000-000000000002 revision 1"#]]
    .assert_eq(&report.rejected.join("\n"));
}

/// Updates as real servers listed them, packed as a server packs its export; what comes in is
/// compared with what the lists say.
#[tokio::test]
async fn the_updates_of_real_servers_come_in_with_their_files() {
    let name = "the_updates_of_real_servers_come_in_with_their_files";
    for list in ["Windows 10 22H2.json", "Windows Server 2019.json", "Office 2016.json"] {
        let Some(path) = reference(name, &format!("wsus-exports/{list}")) else { return };
        let facts = fs::read(&path).expect("reads");
        let facts: Vec<serde_json::Value> = serde_json::from_slice(&facts).expect("is JSON");
        let mut documents: BTreeMap<UpdateId, Document> = BTreeMap::new();
        for fact in &facts {
            let text = |key: &str| fact[key].as_str().unwrap_or_default().to_owned();
            let id: UpdateId = text("UpdateId").parse().expect("an id");
            let bytes = |key: &str| -> Vec<u8> {
                text(key).split_whitespace().map(|byte| byte.parse().expect("a byte")).collect()
            };
            let file = ItemFile {
                name: text("FileName"),
                size: fact["Size"].as_u64().expect("a size"),
                sha1: Sha1::from_slice(&bytes("Hash")).expect("20 bytes"),
                sha256: Sha256::from_slice(&bytes("AdditionalHash")).ok(),
            };
            let update = UpdateRef { id, revision: 200 };
            let document = documents
                .entry(id)
                .or_insert_with(|| Document::new(update, UpdateKind::Software, &text("Title")));
            document.properties.kb_articles = vec![text("KBNumber")];
            if document.files.iter().all(|known| known.sha1 != file.sha1) {
                document.files.push(file);
            }
        }
        let documents: Vec<Document> = documents.into_values().collect();
        let bench = Bench::new().await;
        let package = cabinet(&listed(&documents), &metadata(&documents));
        let report = import(&bench, &package, true).await;
        assert_eq!((report.imported, report.rejected), (documents.len() as u64, Vec::new()));
        let held: std::collections::BTreeSet<UpdateId> =
            bench.documents().await.iter().map(|document| document.update.id).collect();
        let named = facts.iter().map(|fact| fact["UpdateId"].as_str().expect("an id"));
        assert_eq!(held, named.map(|id| id.parse().expect("an id")).collect(), "{list}");
        for fact in &facts {
            let id = fact["UpdateId"].as_str().expect("an id").parse().expect("an id");
            let files = bench.point.catalog.files(UpdateRef { id, revision: 200 }).await;
            let sizes = files.expect("reads").into_iter().map(|f| (f.file.name, f.file.size));
            let wanted = fact["FileName"].as_str().expect("a name").to_owned();
            let wanted = (wanted, fact["Size"].as_u64().expect("a size"));
            assert!(sizes.into_iter().any(|found| found == wanted), "{wanted:?}");
        }
    }
}

/// A member that lies beyond its folder made the reader beneath panic.
#[tokio::test]
async fn a_cabinet_that_lies_about_its_members_is_refused() {
    let bench = Bench::new().await;
    let documents = [update(1, "Anvil")];
    let package = cabinet(&listed(&documents), &metadata(&documents));
    let members = u32::from_le_bytes(package[16..20].try_into().expect("four bytes")) as usize;
    for (place, value) in [(members + 4, 1_000_000_u32), (members, u32::MAX / 2)] {
        let mut lying = package.clone();
        lying[place..place + 4].copy_from_slice(&value.to_le_bytes());
        let refused = import(&bench, &lying, true).await.refused.expect("is refused");
        assert!(refused.contains("a file lies outside of its folder"), "{refused}");
    }
}
