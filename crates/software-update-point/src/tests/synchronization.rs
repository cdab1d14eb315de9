//! Whole synchronizations.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use update_catalog::FileName;
use update_metadata::Extracted;
use wsus_protocol::{ErrorCode, Fault, Filter, Operation, WireTime};

use super::bundles::with_license;
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
async fn a_synchronization_without_news_writes_nothing() {
    let (upstream, downstream) = (Bench::new().await, Bench::new().await);
    upstream.import(&sample_categories()).await;
    upstream.import(&[update(1, "Anvil"), update(2, "Rocket")]).await;
    let (url, _tasks) = upstream.serve().await;
    let files = || {
        let path = |name: &str| downstream.directory.path().join(name);
        ["catalog.db", "catalog.db-wal"].map(|name| std::fs::read(path(name)).expect("is there"))
    };
    downstream.synchronize(&everything(&url)).await.expect("synchronizes");
    downstream.point.complete_by_itself().await.expect("completes");
    let before = files();
    downstream.synchronize(&everything(&url)).await.expect("again");
    downstream.point.complete_by_itself().await.expect("has nothing to complete");
    assert!(files() == before, "the catalog was written to");
    upstream.import(&[update(3, "Anvil")]).await;
    downstream.synchronize(&everything(&url)).await.expect("synchronizes");
    assert!(files() != before, "an update was written");
}

#[tokio::test]
async fn only_what_was_chosen_comes() {
    let (upstream, downstream) = (Bench::new().await, Bench::new().await);
    upstream.import(&sample_categories()).await;
    upstream.import(&[update(1, "Anvil"), update(2, "Rocket")]).await;
    let (url, _tasks) = upstream.serve().await;
    let chosen = |product: &[&str]| {
        let choice = Choice {
            products: product.iter().map(|p| categories::product("Acme", p).update.id).collect(),
            classifications: vec![categories::classification("Updates").update.id],
            ..Choice::default()
        };
        Plan { choice, ..everything(&url) }
    };
    let new = async |plan: Plan| {
        downstream.synchronize(&plan).await.map(|synced| synced.revisions_new).expect("done")
    };
    assert_eq!(new(chosen(&["Anvil"])).await, 5);
    assert_eq!(new(chosen(&["Anvil", "Rocket"])).await, 1, "an older update of the new choice");
    upstream.import(&[update(3, "Rocket")]).await;
    assert_eq!(new(chosen(&["Anvil", "Rocket"])).await, 1);
    let mut half = chosen(&["Anvil"]);
    half.choice.classifications.clear();
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

/// PAIN-10: the text is no part of a synchronization. Whoever needs it asks for it alone, as often
/// as it takes.
#[tokio::test]
async fn a_license_text_that_cannot_be_had_fails_no_synchronization() {
    let (fake, downstream) = (FakeUpstream::start().await, Bench::new().await);
    let license = file(&Bench::new().await, "eula.txt", b"license").await;
    sample_categories().iter().for_each(|category| fake.script().offer(&category.to_xml()));
    fake.script().offer(&with_license(&update(1, "Anvil"), license.sha1));
    fake.script().offer(&update(2, "Anvil").to_xml());
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert_eq!((synced.revisions_new, synced.rejected), (6, Vec::new()));
    let error = downstream.point.fetch_file(&license).await.expect_err("nobody has it");
    assert!(error_chain(&error).contains("404"), "{error:?}");
    let again = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes again");
    assert_eq!((again.revisions_new, again.rejected), (0, Vec::new()));
    let sets = downstream.point.update_set().await.expect("a set");
    assert_eq!(sets.updates, 2, "the update is offered like any other");
    fake.script().serve_file(license.sha1.0, "eula.txt", b"license".to_vec());
    downstream.point.fetch_file(&license).await.expect("once the source has it again");
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
    // It is asked for again, because no anchor was taken beyond it.
    fake.script().broken.clear();
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert_eq!((synced.revisions_new, synced.rejected), (1, Vec::new()));
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

#[tokio::test]
async fn cookies_are_renewed_while_a_long_synchronization_lasts() {
    let fake = FakeUpstream::start().await;
    (1..=40).for_each(|number| fake.script().offer(&update(number, "Anvil").to_xml()));
    let minutes = |minutes: i64| minutes * 60_000;
    fake.script().expires = Some(WireTime::from_millis(NOW_MS + minutes(10)));
    let downstream = Bench::new().await;
    let on_progress = |_, _, _| {
        downstream.clock.advance_ms(minutes(3));
        let now = downstream.point.ambient.now_ms();
        fake.script().expires = Some(WireTime::from_millis(now + minutes(10)));
    };
    let plan = everything(&fake.url);
    let synced = downstream.point.synchronize(&plan, &on_progress).await.expect("synchronizes");
    assert_eq!((synced.revisions_new, synced.rejected), (40, Vec::new()));
    let given = fake.script().cookies_given;
    assert!((3..12).contains(&given), "{given} cookies");
}

#[tokio::test]
async fn a_server_that_forgets_its_authorizations_and_is_busy_is_met() {
    let fake = FakeUpstream::start().await;
    (1..=20).for_each(|number| fake.script().offer(&update(number, "Anvil").to_xml()));
    let fault = |code, operation: Operation| {
        Fault::new(code, "", Uuid::nil(), operation).encode("http://fake").into_bytes()
    };
    let forgotten = fault(ErrorCode::InvalidAuthorizationCookie, Operation::GetCookie);
    fake.script().reply_once(Operation::GetCookie, 500, forgotten);
    let list = Operation::GetRevisionIdList;
    fake.script().reply_once(list, 500, fault(ErrorCode::ServerBusy, list));
    fake.script().reply_once(list, 503, Vec::new());
    let data = Operation::GetUpdateData;
    for _ in 0..3 {
        fake.script().reply_once(data, 500, fault(ErrorCode::ServerBusy, data));
    }
    fake.script().reply_once(data, 500, fault(ErrorCode::InvalidCookie, data));
    let downstream = Bench::new().await;
    let synced = downstream.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert_eq!((synced.revisions_new, synced.rejected), (20, Vec::new()));
}

#[tokio::test]
async fn what_is_chosen_anew_is_asked_for_as_a_whole_and_the_rest_as_a_delta() {
    let fake = FakeUpstream::start().await;
    let (downstream, mut plan) = (Bench::new().await, everything(&fake.url));
    let product = |name: &str| categories::product("Acme", name).update.id;
    plan.choice.classifications = vec![categories::classification("Updates").update.id];
    plan.choice.products = vec![product("Anvil")];
    downstream.synchronize(&plan).await.expect("synchronizes");
    plan.choice.products.push(product("Rocket"));
    downstream.synchronize(&plan).await.expect("synchronizes");
    let filters = std::mem::take(&mut fake.script().filters);
    let updates: Vec<Filter> = filters.into_iter().filter(|f| !f.get_config).collect();
    let deltas = |filter: &Filter| {
        let list = filter.categories.clone().expect("listed");
        list.into_iter().map(|selected| selected.delta).collect::<Vec<_>>()
    };
    assert_eq!((updates[0].anchor.is_some(), deltas(&updates[0])), (false, vec![false]));
    assert_eq!((updates[1].anchor.is_some(), deltas(&updates[1])), (true, vec![true, false]));
}

#[tokio::test]
async fn expired_and_revised_updates_take_the_place_of_what_was_there() {
    let (upstream, downstream) = (Bench::new().await, Bench::new().await);
    upstream.import(&[update(1, "Anvil"), update(2, "Anvil")]).await;
    let (url, _tasks) = upstream.serve().await;
    downstream.synchronize(&everything(&url)).await.expect("synchronizes");
    let mut expired = update(1, "Anvil");
    (expired.update.revision, expired.properties.is_expired) = (2, true);
    let mut revised = update(2, "Anvil");
    revised.update.revision = 7;
    upstream.import(&[expired, revised]).await;
    let synced = downstream.synchronize(&everything(&url)).await.expect("synchronizes");
    assert_eq!(synced.revisions_new, 2);
    let sets = [&upstream, &downstream].map(|bench| bench.point.update_set());
    let [theirs, ours] = sets;
    assert_eq!(theirs.await.expect("a set").digest, ours.await.expect("a set").digest);
    let page = downstream.point.catalog.changed_items(0).await.expect("reads");
    let items = page.changes.into_iter().filter_map(|change| match change.content {
        Some(Extracted::Item(item)) => Some((item.update.revision, item.expired)),
        _ => None,
    });
    assert_eq!(items.collect::<Vec<_>>(), [(2, true), (7, false)]);
}

/// Whatever was committed when the process died is neither asked for again nor missing.
#[tokio::test]
async fn a_synchronization_that_dies_at_any_batch_goes_on_in_the_next_process() {
    let fake = FakeUpstream::start().await;
    (1..=80).for_each(|number| fake.script().offer(&update(number, "Anvil").to_xml()));
    let (mut bench, plan) = (Bench::new().await, everything(&fake.url));
    for batches in 1..=3 {
        let committed = Notify::new();
        let count = AtomicUsize::new(0);
        let on_progress = |_, done, _| {
            let is_batch = done > 0;
            if is_batch && count.fetch_add(1, Ordering::Relaxed) + 1 == batches {
                committed.notify_one();
            }
        };
        tokio::select! {
            biased;
            () = committed.notified() => {}
            synced = bench.point.synchronize(&plan, &on_progress) => drop(synced.expect("sound")),
        }
        bench.point.catalog.close().await;
        let Bench { directory, .. } = bench;
        bench = Bench::open(directory, None, |_| {}).await;
        assert_eq!(bench.point.catalog.upstream_anchor("updates").await.expect("reads"), None);
    }
    let stored = bench.documents().await.len();
    assert!((4..80).contains(&stored), "{stored} of 80");
    fake.script().asked.clear();
    let synced = bench.synchronize(&plan).await.expect("synchronizes");
    let asked = fake.script().asked.iter().map(Vec::len).sum::<usize>();
    assert_eq!((synced.revisions_new as usize, asked), (80 - stored, 80 - stored));
}
