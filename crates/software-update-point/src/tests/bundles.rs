//! Catalogs from one update point to another, as bundles.

use std::fs;

use catalog_bundle::{Bundle, Seal, close, trailer_length};
use expect_test::expect;
use futures_util::poll;
use rpc::pb::update_point as pb;
use rpc::pb::update_point::SessionRequest;
use rpc::pb::update_point::session_request::Frame;
use tokio::sync::mpsc;
use update_metadata::sdp::FileSource;

use super::*;
use crate::import::{Foreign, ImportReport, Warrant};
use crate::session::Answers;

/// What the site would make of what the point sends.
async fn export(bench: &Bench, since: u64, content: bool) -> Result<Vec<u8>, Error> {
    let (frames, mut sent) = mpsc::channel(4);
    let order = pb::Export { order: 1, since, content };
    let exported = async {
        let answers = Answers::new(frames);
        bench.point.export(order, &answers).await
    };
    let collected = async {
        let mut file = Vec::new();
        while let Some(SessionRequest { frame: Some(Frame::ExportPart(part)) }) = sent.recv().await
        {
            file.extend(part.data);
        }
        file
    };
    let (exported, mut file) = tokio::join!(exported, collected);
    let Frame::Exported(pb::Exported { manifest, missing, .. }) = exported? else {
        panic!("an export ends with its manifest")
    };
    assert_eq!(missing, Vec::<String>::new());
    let (statement, root, signature) = (b"who".to_vec(), b"root".to_vec(), vec![1; 64]);
    let parts = (file.len() - 8) as u64;
    file.extend(close(&manifest, &Seal { statement, root, signature }, parts));
    Ok(file)
}

fn read(file: &[u8]) -> Bundle {
    let length = trailer_length(file, file.len() as u64).expect("has a footer");
    Bundle::read(file, &file[file.len() - length..], file.len() as u64).expect("is whole")
}

/// As the site hands it over that believes the manifest of `file`.
async fn import(bench: &Bench, file: &[u8]) -> ImportReport {
    import_as(bench, file, Some(read(file).digest())).await
}

async fn import_as(bench: &Bench, file: &[u8], manifest: Option<Sha256>) -> ImportReport {
    let path = bench.directory.path().join("given");
    fs::write(&path, file).expect("written");
    let warrant = Warrant { manifest, is_unsigned: false };
    let imported = bench.point.import_given((&path, "may.tlbundle"), None, warrant).await;
    imported.expect("is handled")
}

async fn complete(bench: &Bench) {
    bench.point.complete_by_itself().await.expect("completes");
}

/// A document that names a license text of seven bytes.
pub(super) fn with_license(document: &Document, sha1: Sha1) -> String {
    let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sha1.0);
    let xml = document.to_xml();
    let end = xml.find("LocalizedPropertiesCollection>").expect("has texts");
    let prefix = &xml[xml[..end].rfind('<').expect("is a tag") + 1..end];
    let eula = format!(
        "<{prefix}EulaFile Digest='{digest}' DigestAlgorithm='SHA1' FileName='eula.txt' Size='7' \
         Language='en'/></{prefix}LocalizedPropertiesCollection>"
    );
    xml.replace(&format!("</{prefix}LocalizedPropertiesCollection>"), &eula)
}

/// Categories, two updates, one with a file and a license text, and one that was removed.
async fn connected() -> Bench {
    let bench = Bench::new().await;
    let (payload, license) =
        (file(&bench, "setup.cab", b"payload").await, file(&bench, "eula.txt", b"license").await);
    let mut with_file = update(1, "Anvil");
    with_file.files = vec![payload.clone()];
    let with_file = with_license(&with_file, license.sha1);
    bench.import(&sample_categories()).await;
    bench.import(&[update(2, "Rocket"), update(3, "Anvil")]).await;
    let sources = vec![FileSource { sha1: payload.sha1, url: "http://a/setup.cab".to_owned() }];
    let batch = Batch { documents: vec![with_file], sources, anchor: None };
    assert_eq!(bench.point.catalog.import(batch).await.expect("imports").rejected, []);
    let removed = bench.point.catalog.remove(vec![reference_to(3, 1).id]).await.expect("removes");
    assert_eq!(removed, 1);
    complete(&bench).await;
    bench
}

async fn digest(bench: &Bench) -> Sha256 {
    bench.point.update_set().await.expect("reads").digest
}

#[tokio::test]
async fn a_catalog_arrives_byte_for_byte_with_licenses_and_sources_and_content() {
    let (ours, theirs) = (connected().await, Bench::new().await);
    theirs.import(&[update(3, "Anvil")]).await;
    let slim = export(&ours, 0, false).await.expect("exports");
    let whole = export(&ours, 0, true).await.expect("exports");
    let report = import(&theirs, &slim).await;
    assert_eq!((report.refused, report.rejected), (None, Vec::new()));
    assert_eq!((report.imported, report.unchanged), (6, 0));
    let foreign = report.foreign.expect("is a catalog");
    let Foreign { documents, removed, files, is_same_set, .. } = foreign;
    assert_eq!((documents, removed, files, is_same_set), (6, 1, 1, true));
    assert_eq!(theirs.xml().await, ours.xml().await);
    assert_eq!(digest(&theirs).await, digest(&ours).await);
    let payload = ours.documents().await.remove(0);
    let payload = &Document::parse(payload.xml.as_bytes()).expect("parses").files[0];
    let named = theirs.point.catalog.files(reference_to(1, 1)).await.expect("reads");
    assert_eq!(named[0].sources, ["http://a/setup.cab"]);
    let find = async |bench: &Bench, file: &ItemFile| {
        bench.point.library.find(&file.into()).await.expect("looks").is_some()
    };
    assert!(!find(&theirs, payload).await, "without content");

    let again = import(&theirs, &whole).await;
    assert_eq!((again.imported, again.unchanged, again.refused), (0, 6, None));
    assert!(find(&theirs, payload).await, "with content");
    let before = theirs.point.catalog.state().await.expect("reads");
    let again = import(&theirs, &whole).await;
    assert_eq!((again.imported, again.unchanged, again.refused), (0, 6, None));
    assert_eq!(theirs.point.catalog.state().await.expect("reads"), before, "nothing changed");
}

#[tokio::test]
async fn a_chain_of_bundles_has_no_gaps() {
    let (ours, theirs) = (connected().await, Bench::new().await);
    let mut anchors = vec![0];
    let mut bundles = Vec::new();
    for number in 10..13 {
        ours.import(&[update(number, "Anvil")]).await;
        if number == 12 {
            ours.point.catalog.remove(vec![reference_to(10, 1).id]).await.expect("removes");
        }
        complete(&ours).await;
        let since = *anchors.last().expect("there is one");
        bundles.push(export(&ours, since, false).await.expect("exports"));
        anchors.push(ours.point.catalog.state().await.expect("reads").changes);
    }
    let refused = async |n: usize| import(&theirs, &bundles[n]).await.refused.expect("is refused");
    let server = ours.point.server_id.to_string();
    let first = refused(2).await;
    assert_eq!(theirs.xml().await, Vec::<String>::new());
    assert_eq!(import(&theirs, &bundles[0]).await.refused, None);
    let second = refused(2).await;
    expect![[r#"
        may.tlbundle is not taken: it continues from anchor 10 of sup.example.com (SERVER), of which nothing is here: the bundle from 0 to 10 is missing; import one exported without --since
        may.tlbundle is not taken: it continues from anchor 10 of sup.example.com (SERVER), and the catalog here ends at 9: the bundle from 9 to 10 is missing; import that first, or one exported without --since"#]]
    .assert_eq(&format!("{first}\n{second}").replace(&server, "SERVER"));
    for bundle in &bundles[1..] {
        assert_eq!(import(&theirs, bundle).await.refused, None);
    }
    assert_eq!(theirs.xml().await, ours.xml().await);
    assert_eq!(digest(&theirs).await, digest(&ours).await);
    let older = import(&theirs, &bundles[0]).await;
    assert_eq!((older.imported, older.refused), (0, None), "what was removed stays so");
    assert_eq!(theirs.xml().await, ours.xml().await);
    let since = export(&ours, 1_000, false).await.expect_err("is ahead").to_string();
    ours.import(&[update(20, "Anvil")]).await;
    let incomplete = export(&ours, 0, false).await.expect_err("is refused").to_string();
    expect![[r#"
        the catalog ends at anchor 12, before 1000; name an anchor that an earlier export printed, or none for everything
        the catalog is not exported: its catalog is not a complete version; synchronize first: `tierline sync run`"#]]
    .assert_eq(&format!("{since}\n{incomplete}"));
}

#[tokio::test]
async fn what_was_altered_or_nobody_judged_is_refused_whole() {
    let (ours, theirs) = (connected().await, Bench::new().await);
    let file = export(&ours, 0, true).await.expect("exports");
    let (bundle, mut reasons) = (read(&file), std::collections::BTreeSet::new());
    let believed = Some(bundle.digest());
    // The seal is the site's to judge.
    let Seal { statement, root, signature } = &bundle.seal;
    let seal = file.len() - 24 - (12 + statement.len() + root.len() + signature.len());
    let (before, after) = ((0..seal).step_by(7), file.len() - 24..file.len());
    for at in before.chain(after) {
        let mut altered = file.clone();
        altered[at] ^= 0x20;
        let refused = import_as(&theirs, &altered, believed).await.refused;
        let refused = refused.unwrap_or_else(|| panic!("byte {at} of {}", file.len()));
        reasons.insert(refused);
        assert_eq!(theirs.xml().await, Vec::<String>::new(), "byte {at}");
    }
    for length in (0..file.len()).step_by(97) {
        assert!(import_as(&theirs, &file[..length], believed).await.refused.is_some());
    }
    for seen in [
        "is not the one that was signed",
        "its manifest is not usable",
        "nobody here judged its signature",
        "before its footer",
        "was made with",
    ] {
        assert!(reasons.iter().any(|reason| reason.contains(seen)), "{seen}: {reasons:#?}");
    }
    let unjudged = import_as(&theirs, &file, None).await.refused.expect("is refused");
    expect!["may.tlbundle is not taken: nobody here judged its signature; hand it to the top-level site: `tierline catalog import`"]
        .assert_eq(&unjudged);
    assert_eq!(theirs.xml().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_import_that_breaks_off_is_begun_again() {
    let (ours, theirs) = (connected().await, Bench::new().await);
    let file = export(&ours, 0, true).await.expect("exports");
    let bundle = read(&file);
    let path = theirs.directory.path().join("given");
    fs::write(&path, &file).expect("written");
    let warrant = Warrant { manifest: Some(bundle.digest()), is_unsigned: false };
    let server = bundle.manifest.server_id;
    let mut is_whole = false;
    for polls in 1.. {
        let mut import = Box::pin(theirs.point.import_given((&path, "a"), None, warrant));
        for _ in 0..polls {
            if poll!(&mut import).is_ready() {
                is_whole = true;
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        drop(import);
        let state = theirs.point.catalog.state().await.expect("reads");
        assert_eq!(state.version, None, "no version without the site");
        let last = theirs.point.catalog.last_bundle(server).await.expect("reads");
        if is_whole {
            assert!(last.is_some());
            break;
        }
        if last.is_some() {
            assert_eq!(theirs.xml().await, ours.xml().await, "the anchor comes last");
        }
    }
    assert_eq!(theirs.xml().await, ours.xml().await);
    assert_eq!(digest(&theirs).await, digest(&ours).await);
}
