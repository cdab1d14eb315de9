//! Third-party updates, at the front door.

use expect_test::expect;
use model::{ItemFile, Sha1};
use rpc::pb::admin as pb;
use site_db::{ErrandKind, ErrandReport, Subscription};

use super::*;

const CONTENT: &[u8] = b"MZ a setup that is long enough for two pieces";

/// As the content library of an independent server computed it.
async fn item() -> ItemFile {
    let directory = tempfile::tempdir().expect("a directory");
    let ambient = Ambient::system();
    let library = ContentLibrary::open(ambient, directory.path(), Executor::Thread);
    let name = "setup.exe".to_owned();
    let expected = content_library::Expected { name, size: None, sha256: None, sha1: None };
    let record = library.expect("opens").import(expected, CONTENT).await.expect("is taken");
    let (name, sha256) = ("setup.exe".to_owned(), Some(record.sha256));
    ItemFile { name, size: record.size, sha1: record.sha1, sha256 }
}

fn piece(item: &ItemFile, offset: usize, data: &[u8]) -> pb::UploadContentRequest {
    pb::UploadContentRequest {
        name: item.name.clone(),
        size_bytes: item.size,
        sha1: item.sha1.0.to_vec(),
        sha256: item.sha256.expect("is known").0.to_vec(),
        offset: offset as u64,
        data: data.to_vec(),
    }
}

#[test]
fn a_file_comes_in_pieces_and_becomes_an_update() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let item = item().await;
        let publish = || pb::PublishUpdateRequest {
            name: "Anvil".to_owned(),
            package: b"<sdp/>".to_vec(),
            files: vec![item.sha256.expect("is known").0.to_vec()],
            update: uuid::Uuid::from_u128(1).to_string(),
        };
        let kept = async || top.db.read(|r| r.published_files()).await.expect("read").len();
        let early = client.publish_update(publish()).await;
        assert!(refusal(early).starts_with("NotFound: there is no uploaded file"));

        let asked = client.upload_content(piece(&item, 0, &[])).await.told();
        assert_eq!((asked.received_bytes, asked.complete), (0, false));
        client.upload_content(piece(&item, 0, &CONTENT[..20])).await.told();
        // Whoever comes again learns how far it came.
        let asked = client.upload_content(piece(&item, 0, &[])).await.told();
        assert_eq!((asked.received_bytes, asked.complete), (20, false));
        assert!(client.upload_content(piece(&item, 30, &CONTENT[30..])).await.is_err());
        let last = client.upload_content(piece(&item, 20, &CONTENT[20..])).await.told();
        assert_eq!((last.received_bytes, last.complete), (item.size, true));
        let again = client.upload_content(piece(&item, 0, &[])).await.told();
        assert!(again.complete);

        let id = client.publish_update(publish()).await.told().id;
        let errand = top.db.read(|r| r.pending_errand()).await.expect("reads").expect("waits");
        let (name, package) = ("Anvil".to_owned(), b"<sdp/>".to_vec());
        assert_eq!((errand.id, &errand.kind), (id, &ErrandKind::Publish { name, package }));
        let show = pb::GetCatalogErrandRequest { id };
        let waits = client.get_catalog_errand(show).await.told();
        assert_eq!((waits.done, waits.begun, kept().await), (false, false, 1));
        top.db.write(move |w| w.try_errand(id)).await.expect("written");
        assert!(client.get_catalog_errand(show).await.told().begun);
        let report = ErrandReport { imported: 1, ..ErrandReport::default() };
        top.db.write(move |w| w.finish_errand(&errand, &report)).await.expect("written");
        let report = client.get_catalog_errand(show).await.told();
        assert_eq!((report.done, report.imported), (true, 1));

        // Once it is cleaned up, its files are kept no more; nor are those of what is refused.
        let update = model::UpdateId(uuid::Uuid::from_u128(1));
        assert_eq!(kept().await, 1);
        client.publish_update(publish()).await.told();
        top.db.write(move |w| w.release_publication(update)).await.expect("written");
        assert_eq!(kept().await, 1, "it is being published again");
        let errand = top.db.read(|r| r.pending_errand()).await.expect("reads").expect("waits");
        let refused = "it is no package".to_owned();
        let report = ErrandReport { refused, ..ErrandReport::default() };
        top.db.write(move |w| w.finish_errand(&errand, &report)).await.expect("written");
        assert_eq!(kept().await, 0);
    });
}

#[test]
fn other_bytes_than_announced_are_refused_and_dropped() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let item = ItemFile { sha1: Sha1([7; 20]), ..item().await };
        assert!(client.upload_content(piece(&item, 0, CONTENT)).await.is_err());
        let asked = client.upload_content(piece(&item, 0, &[])).await.told();
        assert_eq!((asked.received_bytes, asked.complete), (0, false));
        let large = vec![0; rpc::limits::CONTENT_PART_BYTES + 1];
        let refused = refusal(client.upload_content(piece(&item, 0, &large)).await);
        assert!(refused.starts_with("InvalidArgument: data: 1048577 bytes"), "{refused}");
    });
}

#[test]
fn only_the_top_level_site_publishes() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let token = site_token(&top, "PR1", "primary", "").await.expect("a token");
        let primary = top.join_primary(&token).await.expect("joins");
        let mut client = primary.admin();
        let item = item().await;
        let refused = [
            refusal(client.upload_content(piece(&item, 0, &[])).await),
            refusal(client.publish_update(pb::PublishUpdateRequest::default()).await),
            refusal(client.subscribe_catalog(pb::SubscribeCatalogRequest::default()).await),
            refusal(client.get_signing_certificate(pb::GetSigningCertificateRequest {}).await),
        ];
        for refused in refused {
            assert!(refused.contains("only the top-level site"), "{refused}");
        }
    });
}

#[test]
fn a_catalog_is_looked_at_by_hand_and_when_it_is_due() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let request = || pb::SubscribeCatalogRequest {
            name: "acme".to_owned(),
            url: "https://acme.example/catalog.cab".to_owned(),
            fingerprint: String::new(),
            every_seconds: 7 * 24 * 60 * 60,
        };
        let url = "acme.example".to_owned();
        let bad = client.subscribe_catalog(pb::SubscribeCatalogRequest { url, ..request() });
        expect![[
            r#"InvalidArgument: url: "acme.example" begins with neither https:// nor file:///"#
        ]]
        .assert_eq(&refusal(bad.await));
        let url = "http://acme.example/catalog.cab".to_owned();
        let bad = client.subscribe_catalog(pb::SubscribeCatalogRequest { url, ..request() });
        expect!["InvalidArgument: url: is not protected on its way; use https, or approve its signer with --pin"]
            .assert_eq(&refusal(bad.await));
        client.subscribe_catalog(request()).await.told();
        let finish = async |refused: &str| {
            let errand = top.db.read(|r| r.pending_errand()).await.expect("reads");
            let (errand, refused) = (errand.expect("waits"), refused.to_owned());
            let report = ErrandReport { refused, ..ErrandReport::default() };
            top.db.write(move |w| w.finish_errand(&errand, &report)).await.expect("written");
        };
        let due = async || {
            top.db.write(|w| w.refresh_due()).await.expect("written");
            top.db.write(|w| w.refresh_due()).await.expect("written");
            top.db.read(|r| r.pending_errand()).await.expect("reads").is_some()
        };
        finish("").await;
        assert!(!due().await);
        top.clock.advance_ms(7 * 24 * 60 * 60 * 1000);
        assert!(due().await);
        finish("it did not answer").await;
        let rows = client.list_catalog_subscriptions(pb::ListCatalogSubscriptionsRequest {});
        let rows = rows.await.told().rows;
        assert_eq!((rows.len(), &*rows[0].failure), (1, "it did not answer"));
        assert!(!due().await);
        // What failed is tried again soon.
        top.clock.advance_ms(60 * 60 * 1000);
        assert!(due().await);
        finish("").await;
        let name = || "acme".to_owned();
        client.unsubscribe_catalog(pb::UnsubscribeCatalogRequest { name: name() }).await.told();
        let gone = client.refresh_catalog(pb::RefreshCatalogRequest { name: name() }).await;
        expect![
            "NotFound: there is no subscribed catalog acme; see `tierline catalog subscriptions`"
        ]
        .assert_eq(&refusal(gone));
        let subscriptions = top.db.read(|r| r.subscriptions()).await.expect("reads");
        assert_eq!(subscriptions, Vec::<Subscription>::new());
    });
}

#[test]
fn the_publisher_signs_and_is_replaced() {
    run(async {
        let top = Site::top("CAS", SiteKind::Central).await;
        let mut client = top.admin();
        let show = || pb::GetSigningCertificateRequest {};
        let shown = client.get_signing_certificate(show()).await.told();
        let before = shown.row.expect("a row");
        assert!(shown.pem.starts_with("-----BEGIN CERTIFICATE-----"));
        let request = pb::SignContentRequest { name: "a.cab".to_owned(), digest: vec![1; 32] };
        assert!(!client.sign_content(request).await.told().signature.is_empty());
        let rotate = pb::RotateSigningCertificateRequest {};
        let rotated = client.rotate_signing_certificate(rotate).await.told().row.expect("a row");
        assert_ne!(rotated.fingerprint, before.fingerprint);
        let shown = client.get_signing_certificate(show()).await.told().row.expect("a row");
        assert_eq!(shown, rotated);
        let said = top.db.read(|r| r.status_messages(&site_db::StatusFilter::default(), 1)).await;
        let what = format!("publisher's certificate to {}", rotated.fingerprint);
        assert_eq!(said.expect("read").remove(0).1.strings[2], what);
    });
}
