//! Whole synchronizations.

use update_catalog::FileName;
use wsus_protocol::{ErrorCode, Fault, Operation};

use super::*;

#[tokio::test]
async fn a_downstream_catalog_equals_its_upstream() {
    let (upstream, downstream) = (Bench::new().await, Bench::new().await);
    let mut updates: Vec<Document> = (1..=230).map(|number| update(number, "Anvil")).collect();
    updates[0].texts[0].description = "travels compressed ".repeat(400);
    updates[1].files.push(file(&upstream, "a.cab", b"content of a").await);
    upstream.import(&sample_categories()).await;
    upstream.import(&updates).await;
    let (url, _tasks) = upstream.serve().await;
    let synced = downstream.synchronize(&everything(&url)).await.expect("synchronizes");
    assert_eq!((synced.revisions_new, synced.rejected), (234, Vec::new()));
    assert_eq!(downstream.xml().await, upstream.xml().await);
    let sets = (downstream.point.update_set().await, upstream.point.update_set().await);
    let (ours, theirs) = (sets.0.expect("a set"), sets.1.expect("a set"));
    assert_eq!((ours.updates, ours.digest), (230, theirs.digest));

    let record = downstream.point.fetch_file(&updates[1].files[0]).await.expect("fetched");
    assert_eq!(Some(record.sha256), updates[1].files[0].sha256);

    upstream.import(&[update(1_000, "Rocket")]).await;
    let synced = downstream.synchronize(&everything(&url)).await.expect("synchronizes");
    assert_eq!(synced.revisions_new, 1);
    assert_eq!(downstream.synchronize(&everything(&url)).await.expect("again").revisions_new, 0);
}

#[tokio::test]
async fn only_what_was_chosen_comes() {
    let (upstream, downstream) = (Bench::new().await, Bench::new().await);
    upstream.import(&sample_categories()).await;
    upstream.import(&[update(1, "Anvil"), update(2, "Rocket")]).await;
    let (url, _tasks) = upstream.serve().await;
    let chosen = |product: &[&str]| Plan {
        products: product.iter().map(|p| categories::product("Acme", p).update.id).collect(),
        classifications: vec![categories::classification("Updates").update.id],
        ..everything(&url)
    };
    let new = async |plan: Plan| {
        downstream.synchronize(&plan).await.map(|synced| synced.revisions_new).expect("done")
    };
    assert_eq!(new(chosen(&["Anvil"])).await, 5);
    assert_eq!(new(chosen(&["Anvil", "Rocket"])).await, 1, "an older update of the new choice");
    upstream.import(&[update(3, "Rocket")]).await;
    assert_eq!(new(chosen(&["Anvil", "Rocket"])).await, 1);
    let half = Plan { classifications: Vec::new(), ..chosen(&["Anvil"]) };
    let error = downstream.synchronize(&half).await.expect_err("half a filter matches nothing");
    assert!(error_chain(&error).contains("products and classifications, or neither"), "{error:?}");
}

/// Answers of a real server, and from the specification where none was captured.
#[tokio::test]
async fn a_real_server_s_answers_make_a_synchronization() {
    let name = "a_real_server_s_answers_make_a_synchronization";
    let Some(captures) = reference(name, "captures") else { return };
    let read = |path: &str| std::fs::read(captures.join(path)).expect("readable");
    let server = |path: &str| read(&format!("server-server/{path}"));
    let fake = FakeUpstream::start().await;
    let category = read("documents/56309036-4c77-4dd9-951a-99ee9c246a94-r101.xml");
    let category = String::from_utf8(category).expect("text");
    {
        let mut script = fake.script();
        let replayed = server("000001-GetAuthConfig.response.xml");
        script.replay(Operation::GetAuthConfig, 200, replayed);
        script.replay(Operation::GetCookie, 200, server("000003-GetCookie.response.xml"));
        script.replay(Operation::GetConfigData, 200, server("000005-GetConfigData.response.xml"));
        script.offer(&category);
        script.offer_captured(server("000014-GetUpdateData-leaf-with-file.response.xml"));
        let refused = server("000019-GetRevisionIdList-no-cookie.fault.xml");
        script.reply_once(Operation::GetRevisionIdList, 500, refused);
    }
    let (downstream, second) = (Bench::new().await, Bench::new().await);
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert_eq!((synced.revisions_new, synced.rejected), (2, Vec::new()));
    let document = read("documents/266f6222-c89d-43f2-9f8a-69340271e677-r200.xml");
    let expected = [String::from_utf8(document).expect("text"), category];
    assert_eq!(downstream.xml().await, expected, "stored byte for byte");
    let (url, _tasks) = downstream.serve().await;
    second.synchronize(&everything(&url)).await.expect("synchronizes");
    assert_eq!(second.xml().await, expected, "and served so");
    let sha1 = Document::parse(expected[0].as_bytes()).expect("sound").files[0].sha1;
    let file = second.point.catalog.file(FileName::Sha1(sha1)).await.expect("reads");
    let sources = file.expect("it is named").sources;
    assert!(sources[0].starts_with("http://download.windowsupdate.com/"), "{sources:?}");

    // One more revision, which the server cannot give: the call fails as the real one did.
    fake.script().offer(&update(7, "Anvil").to_xml());
    let fault = server("000017-GetUpdateData-unknown-id.fault.xml");
    fake.script().replay(Operation::GetUpdateData, 500, fault);
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert_eq!(synced.rejected.len(), 1);
    assert!(synced.rejected[0].contains("fault InternalServerError"), "{:?}", synced.rejected);
}

#[tokio::test]
async fn a_failing_batch_is_halved_down_to_its_culprit() {
    let fake = FakeUpstream::start().await;
    (1..=8).for_each(|number| fake.script().offer(&update(number, "Anvil").to_xml()));
    fake.script().broken.insert(wire(3));
    let downstream = Bench::new().await;
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert_eq!(synced.revisions_new, 7);
    let culprit = Uuid::from_u128(3);
    assert!(synced.rejected[0].starts_with(&format!("update {culprit} revision 1: ")));
    // Batches of four: one whole, one halved twice.
    let mut sizes: Vec<usize> = fake.script().asked.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 2, 2, 4, 4]);
}

#[tokio::test]
async fn an_interrupted_synchronization_goes_on_where_it_was() {
    let fake = FakeUpstream::start().await;
    (1..=40).for_each(|number| fake.script().offer(&update(number, "Anvil").to_xml()));
    let downstream = Bench::new().await;
    let plan = everything(&fake.url);
    let gone = || fake.script().replay(Operation::GetUpdateData, 404, Vec::new());
    let on_progress = |_, done, _| {
        if done > 0 {
            gone()
        }
    };
    let run = downstream.point.synchronize(&plan, &on_progress).await;
    run.expect_err("the server goes away after the first committed batch");
    let stored = downstream.documents().await.len();
    assert!((4..40).contains(&stored), "{stored} of 40");
    fake.script().stop_replaying(Operation::GetUpdateData);
    fake.script().asked.clear();
    let synced = downstream.synchronize(&plan).await.expect("synchronizes");
    let asked = fake.script().asked.iter().map(Vec::len).sum::<usize>();
    assert_eq!((synced.revisions_new as usize, asked), (40 - stored, 40 - stored));
}

#[tokio::test]
async fn refused_cookies_and_busy_servers_are_met() {
    let fake = FakeUpstream::start().await;
    fake.script().offer(&update(1, "Anvil").to_xml());
    let busy = Fault::new(ErrorCode::ServerBusy, "", Uuid::nil(), Operation::GetUpdateData);
    let busy = busy.encode("http://fake").into_bytes();
    fake.script().reply_once(Operation::GetUpdateData, 500, busy);
    let downstream = Bench::new().await;
    let plan = everything(&fake.url);
    // The cookie is replaced while the synchronization runs.
    let on_progress = |_, _, _| fake.script().cookie += 1;
    let synced = downstream.point.synchronize(&plan, &on_progress).await.expect("synchronizes");
    assert_eq!(synced.revisions_new, 1);
    assert!(fake.script().cookie >= 2);
}

#[tokio::test]
async fn a_replaced_server_is_asked_for_everything() {
    let fake = FakeUpstream::start().await;
    fake.script().offer(&update(1, "Anvil").to_xml());
    let downstream = Bench::new().await;
    downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    fake.script().server += 1;
    fake.script().offer(&update(2, "Anvil").to_xml());
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert_eq!(synced.revisions_new, 1);
    let old = Some("0,1".to_owned());
    assert_eq!(fake.script().anchors, [None, None, old, None, None]);
    let full = Plan { is_full: true, ..everything(&fake.url) };
    downstream.synchronize(&full).await.expect("synchronizes");
    assert_eq!(fake.script().anchors[5..], [None, None]);
}

/// Each fault a real server was seen to answer: what it ends, and that nothing is remembered of a
/// list whose documents did not come.
#[tokio::test]
async fn captured_faults_end_what_they_concern() {
    let name = "captured_faults_end_what_they_concern";
    let Some(folder) = reference(name, "captures/server-server") else { return };
    let (list, data) = (Operation::GetRevisionIdList, Operation::GetUpdateData);
    for (file, operation, code, attempts) in [
        ("000017-GetUpdateData-unknown-id", list, "InternalServerError", 1),
        ("000018-GetRevisionIdList-bad-anchor", list, "InvalidParameters", 1),
        ("000018-GetRevisionIdList-bad-anchor", data, "InvalidParameters", 1),
        // Authorized anew once, then refused again.
        ("000019-GetRevisionIdList-no-cookie", list, "InvalidCookie", 2),
        ("000019-GetRevisionIdList-no-cookie", data, "InvalidCookie", 2),
    ] {
        let fake = FakeUpstream::start().await;
        fake.script().offer(&update(1, "Anvil").to_xml());
        let fault = std::fs::read(folder.join(format!("{file}.fault.xml"))).expect("readable");
        (0..attempts).for_each(|_| fake.script().reply_once(operation, 500, fault.clone()));
        let downstream = Bench::new().await;
        let error = downstream.synchronize(&everything(&fake.url)).await.expect_err("it ends");
        assert!(error_chain(&error).contains(&format!(": fault {code} in ")), "{error:?}");
        let anchor = downstream.point.catalog.upstream_anchor("updates").await.expect("reads");
        assert_eq!((anchor, downstream.documents().await.len()), (None, 0), "{file}");
        let again = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
        assert_eq!(again.revisions_new, 1);
    }
}
