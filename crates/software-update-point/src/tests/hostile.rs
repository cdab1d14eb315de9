//! Upstream servers that lie, break off or overwhelm.

use expect_test::expect;
use testkit::upstream::Script;
use wsus_protocol::{Blob, Operation};

use super::*;

/// What a synchronization ends with; nothing may have been stored.
async fn failure(prepare: impl FnOnce(&mut Script)) -> String {
    let fake = FakeUpstream::start().await;
    fake.script().offer(&update(1, "Anvil").to_xml());
    prepare(&mut fake.script());
    let downstream = Bench::new().await;
    let error = downstream.synchronize(&everything(&fake.url)).await.expect_err("is refused");
    let state = downstream.point.catalog.state().await.expect("reads");
    assert_eq!(state.changes, 0, "nothing is half applied");
    let anchor = downstream.point.catalog.upstream_anchor("updates").await.expect("reads");
    assert_eq!(anchor, None);
    error_chain(&error).replace(&fake.url, "URL")
}

fn answer(content: &str) -> Vec<u8> {
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    let space = "http://www.microsoft.com/SoftwareDistribution";
    format!(
        "<s:Envelope xmlns:s='{soap}'><s:Body><GetUpdateDataResponse xmlns='{space}'>\
         <GetUpdateDataResult>{content}</GetUpdateDataResult></GetUpdateDataResponse></s:Body>\
         </s:Envelope>"
    )
    .into_bytes()
}

#[tokio::test]
async fn hostile_answers_end_a_synchronization_with_a_clear_error() {
    let replying = async |operation: Operation, status: u16, body: Vec<u8>| {
        failure(|script| script.replay(operation, status, body)).await
    };
    let data = async |content: &str| replying(Operation::GetUpdateData, 200, answer(content)).await;
    let mut seen = vec![
        data("<updates>").await,
        data(&"<a>".repeat(10_000)).await,
        data("&lol;").await,
        replying(Operation::GetRevisionIdList, 200, b"<!DOCTYPE a><a/>".to_vec()).await,
        replying(Operation::GetAuthConfig, 200, b"<html/>".to_vec()).await,
        replying(Operation::GetCookie, 404, b"gone".to_vec()).await,
        replying(Operation::GetConfigData, 500, b"<html/>".to_vec()).await,
        replying(Operation::GetConfigData, 200, vec![b' '; 33 << 20]).await,
    ];
    let nowhere = Bench::new().await;
    for url in ["http://127.0.0.1:1", "https://example.com", "ftp://example.com", "nonsense"] {
        let error = nowhere.synchronize(&everything(url)).await.expect_err("is refused");
        seen.push(error_chain(&error));
    }
    expect![[r#"
        the answer of URL/ServerSyncWebService/ServerSyncWebService.asmx is not usable: the message is not acceptable XML: line 1, column 180: not well-formed: ill-formed document: expected `</updates>`, but `</GetUpdateDataResult>` was found
        the answer of URL/ServerSyncWebService/ServerSyncWebService.asmx is not usable: the message is not acceptable XML: line 1, column 255: elements are nested more than 32 deep
        the answer of URL/ServerSyncWebService/ServerSyncWebService.asmx is not usable: the message is not acceptable XML: line 1, column 171: entity "lol" is not accepted; write the characters it stands for
        the answer of URL/ServerSyncWebService/ServerSyncWebService.asmx is not usable: the message is not acceptable XML: line 1, column 1: document type declarations are not accepted; remove the DOCTYPE
        the answer of URL/ServerSyncWebService/ServerSyncWebService.asmx is not usable: the message has no element Envelope
        URL/ServerSyncWebService/ServerSyncWebService.asmx answered with HTTP status 404
        URL/ServerSyncWebService/ServerSyncWebService.asmx answered with HTTP status 500
        the answer of URL/ServerSyncWebService/ServerSyncWebService.asmx is larger than 33554432 bytes
        http://127.0.0.1:1/ServerSyncWebService/ServerSyncWebService.asmx did not answer: Connection refused (os error 111)
        cannot read the roots in ; name a PEM file as sup.roots: No such file or directory (os error 2)
        "ftp://example.com" is not an address of the form http://host:port
        "nonsense" is not an address of the form http://host:port"#]].assert_eq(&seen.join("\n"));
}

/// A bad document is left out by name; the others come.
#[tokio::test]
async fn hostile_documents_are_rejected_one_by_one() {
    let fake = FakeUpstream::start().await;
    {
        let mut script = fake.script();
        script.offer(&update(1, "Anvil").to_xml());
        let good = update(2, "Anvil").to_xml();
        let dtd = format!("<!DOCTYPE a [<!ENTITY x 'y'>]>{good}");
        let swollen = Blob::pack(&"x".repeat(1 << 19)).expect("packs");
        let Blob::Compressed(mut bomb) = swollen else { panic!("{swollen:?} is not compressed") };
        bomb[44..48].copy_from_slice(&(1_u32 << 30).to_le_bytes());
        script.offer_blob(wire(2), Blob::Plain(dtd));
        let deep = good.replacen(
            "<upd:Properties",
            &format!("{}<upd:Properties", "<a>".repeat(10_000)),
            1,
        );
        script.offer_blob(wire(3), Blob::Plain(deep));
        script.offer_blob(wire(4), Blob::Plain(good[..good.len() - 5].to_owned()));
        script.offer_blob(wire(5), Blob::Plain(good));
        script.offer_blob(wire(6), Blob::Compressed(bomb));
        script.offer(&update(7, "Anvil").to_xml());
    }
    let downstream = Bench::new().await;
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    let stored: Vec<UpdateRef> = downstream.documents().await.iter().map(|d| d.update).collect();
    assert_eq!(stored, [reference_to(1, 1), reference_to(7, 1)]);
    let mut rejected = synced.rejected;
    rejected.sort_unstable();
    expect![[r#"
        update 00000000-0000-0000-0000-000000000002 revision 1: the XML is refused: line 1, column 1: document type declarations are not accepted; remove the DOCTYPE
        update 00000000-0000-0000-0000-000000000003 revision 1: the XML is refused: line 1, column 352: elements are nested more than 64 deep
        update 00000000-0000-0000-0000-000000000004 revision 1: the XML is refused: line 1, column 875: not well-formed: syntax error: tag not closed: `>` not found before end of input
        update 00000000-0000-0000-0000-000000000005 revision 1: its document is another's
        update 00000000-0000-0000-0000-000000000006 revision 1: the cabinet of the compressed document cannot be read: a file lies outside of its folder"#]].assert_eq(&rejected.join("\n"));
}

#[tokio::test]
async fn files_are_resumed_and_checked() {
    let fake = FakeUpstream::start().await;
    fake.script().offer(&update(1, "Anvil").to_xml());
    let (downstream, other) = (Bench::new().await, Bench::new().await);
    downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    let content = b"0123456789";
    let named = file(&other, "data.bin", content).await;
    let fetch = async |content: &[u8]| {
        fake.script().serve_file(named.sha1.0, &named.name, content.to_vec());
        let fetched = downstream.point.fetch_file(&named).await;
        fetched.map_err(|error| error_chain(&error).replace(&fake.url, "URL"))
    };
    let mut seen = Vec::new();
    for wrong in [b"0123".as_slice(), b"0123456780", b"01234567890123"] {
        seen.push(fetch(wrong).await.expect_err("is refused"));
    }
    expect![[r#"
        data.bin can be had nowhere: URL/Content/16/87ACEC17CD9DCD20A716CC2CF67417B71C8A7016.bin ended at byte 4 of 10
        data.bin can be had nowhere: the content library failed: data.bin: its SHA-256 is 387861473bdec7ee98095a4a03910b86a8a442c2f6f3f251fee1c865a74b44aa instead of 84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882; it has to be fetched again
        data.bin can be had nowhere: the content library failed: data.bin: 14 bytes, larger than the 10 bytes allowed"#]].assert_eq(&seen.join("\n"));
    fetch(b"01234").await.expect_err("breaks off");
    let record = fetch(content).await.expect("is resumed");
    assert_eq!((record.size, Some(record.sha256)), (10, named.sha256));
    let last = fake.script().ranges.last().cloned();
    assert_eq!(last, Some(Some("bytes=5-".to_owned())));
    let unknown = ItemFile { sha1: Sha1([7; 20]), sha256: Some(Sha256([7; 32])), ..named.clone() };
    let error = downstream.point.fetch_file(&unknown).await.expect_err("is nowhere");
    assert!(error_chain(&error).ends_with("answered with HTTP status 404"), "{error}");
}
