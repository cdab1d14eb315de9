//! Deadlines, times that users set, and policy that nobody renews (DEP-07, DEP-16, DEP-17,
//! SCAN-15).

use super::*;

/// DEP-07: the user sets a time, which is earlier than the deadline.
#[tokio::test]
async fn a_user_sets_the_time_of_a_required_update() {
    let mut scene = Scene::new(&[1, 2]).await;
    let deployment = scene.required(&[1, 2], 8 * HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(HOUR_MS).await;
    let at = |at: &str| Request::InstallAt { updates: vec![id(1)], at: at.to_owned() };
    // The computer's clock shows UTC; it is 11:00, and the deadline at 18:00.
    scene.ask(at("2026-11-20T10:30")).await;
    scene.ask(at("2026-11-20T19:00")).await;
    scene.ask(at("tonight")).await;
    scene.ask(at("2026-11-20T13:30")).await;
    let stands = scene.agent().ask_as(Standing::User, Request::Updates).await;
    let of_first = |name: &str| stands["updates"][0][name].as_str().expect("text").to_owned();
    assert_eq!(of_first("waits_for"), "the time that somebody here has set for it");
    assert_eq!(of_first("acts_at"), "2026-11-20T13:30:00.000Z");
    scene.switch_off(HOUR_MS).await;
    scene.wait(8 * HOUR_MS).await;
    expect![[r#"
        60 alice asks for an installation at a time: 2026-11-20T10:30:00.000Z has passed
        60 alice asks for an installation at a time: update 00000000-0000-0000-0000-000000000001 is installed at its deadline, 2026-11-20T18:00:00.000Z, at the latest
        60 alice asks for an installation at a time: "tonight" is no time
        60 alice asks for an installation at a time
        60 the system is switched off
        120 the system starts
        210 the installer of 1 runs
        480 the installer of 2 runs
    "#]].assert_eq(&scene.take_acts());
}

/// DEP-16, DEP-17: with a spread of two hours and documents that are a day old, a new update is
/// scanned for, fetched and installed by its deadline all the same.
#[tokio::test]
async fn no_deadline_passes_while_a_scan_waits_for_its_share_of_the_spread() {
    let mut scene = Scene::new(&[1]).await;
    scene.world.scan_spread = Duration::from_secs(2 * 60 * 60);
    scene.publish(vec![], &[]).await;
    scene.wait(30 * HOUR_MS).await;
    scene.take_log();
    scene.documents.push(update(2));
    let (content, documents) = (content(2), scene.documents.clone());
    let file = documents[1].files[0].sha256.expect("named").to_string();
    scene.world.log.call(&file, "2.sh");
    scene.dp.put(&content, &content);
    scene.sup.set(2, &documents);
    scene.world.settings.catalog_version = 2;
    let deployment = scene.required(&[2], 30 * HOUR_MS + 20 * MINUTE_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(3 * HOUR_MS).await;
    expect![[r#"
        1813 SUP1 is asked for documents
        1813 scan: schedule, with SUP1
        1813 DP1 is asked for 2.sh
        1820 scan: before installation
        1820 the installer of 2 runs
        1820 scan: after installation
    "#]]
    .assert_eq(&scene.take_lines(&["scan", "SUP", "DP1", "installer"]));
}

/// SCAN-15: of what a deployment requires, and of which the last scan is more than a day old, it is
/// verified that it is required still, before it is downloaded.
#[tokio::test]
async fn before_the_download_of_a_required_deployment_it_is_verified_that_it_is_required() {
    let mut scene = Scene::new(&[1, 2]).await;
    scene.world.scan_spread = Duration::from_secs(2 * 60 * 60);
    scene.publish(vec![], &[]).await;
    scene.wait(30 * HOUR_MS).await;
    scene.take_log();
    scene.computer.set(2, true);
    let deployment = scene.required(&[1, 2], 40 * HOUR_MS);
    scene.publish(vec![deployment], &[]).await;
    scene.wait(MINUTE_MS).await;
    expect![[r#"
        1800 policy 2 is asked for
        1800 report: 1 required/downloading; 2 required/downloading; deployment d non_compliant/downloading
        1800 SUP1 is asked for documents
        1800 scan: before download, with SUP1
        1800 report: 2 installed
        1800 the MP is asked where 1.sh is
        1800 DP1 is asked for 1.sh
        1800 report: 1 required/downloaded; deployment d non_compliant/downloaded
    "#]].assert_eq(&scene.take_log());
}

/// A management point that withholds what is newer is obeyed for as long as the policy says, and no
/// longer; the site is told who it is.
#[tokio::test]
async fn policy_that_nobody_renews_ends_with_its_time() {
    let mut scene = Scene::new(&[1]).await;
    let deployment = scene.required(&[1], 31 * DAY_MS);
    scene.publish(vec![deployment], &[("reevaluation.every", "60d")]).await;
    scene.wait(30 * DAY_MS - 1).await;
    scene.take_log();
    let url = scene.world.servers[0].url.clone();
    scene.world.log.call(&url, "MP1");
    scene.wait(3 * DAY_MS).await;
    scene.ask_to_install(1).await;
    expect![[r#"
        43240 report: MP1 is refused
        47519 alice asks for an installation: the policy here expired at 2026-12-20T10:00:00.000Z; nothing is begun before there is a newer one
    "#]].assert_eq(&scene.take_lines(&["report", "installer", "alice"]));
    let status = scene.agent().ask_as(Standing::User, Request::Status).await;
    let status = &status["status"];
    assert_eq!(status["policy"], "expired: nothing new is begun before there is newer policy");
    let waits = "newer policy: the one here has expired";
    assert_eq!(status["deployments"][0]["waits_for"], waits, "{status:#}");
    let store = scene.agent().store.clone();
    let told = store.history(History::Kind(EventKind::Policy), 9).await.expect("readable");
    let told: Vec<&str> = told.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(
        told,
        ["policy 1 expired at 2026-12-20T10:00:00.000Z; nothing new is begun upon it"]
    );
}

/// With the management point away, whoever asks sees since when and why.
#[tokio::test]
async fn who_asks_sees_that_no_management_point_answers() {
    let mut scene = Scene::new(&[1]).await;
    scene.publish(vec![], &[]).await;
    scene.wait(30 * MINUTE_MS).await;
    scene.world.mp.lock().is_away = true;
    scene.wait(2 * HOUR_MS).await;
    let status = scene.agent().ask_as(Standing::User, Request::Status).await;
    let status = &status["status"];
    let failure = status["management_point_failure"].as_str().expect("it fails");
    assert!(failure.ends_with("refused or failed: not now"), "{failure}");
    let at = |name: &str| {
        let at: Timestamp = status[name].as_str().expect(name).parse().expect(name);
        (at.0 - NOW.0) / MINUTE_MS
    };
    let (since, asked) = (at("management_point_failing_since"), at("policy_asked_at"));
    let next = at("policy_asked_next_at");
    assert!((30..=61).contains(&since) && asked <= 30 && next >= 150, "{status:#}");
    scene.world.mp.lock().is_away = false;
    scene.wait(HOUR_MS).await;
    let status = scene.agent().ask_as(Standing::User, Request::Status).await;
    assert!(status["status"]["management_point_failing_since"].is_null(), "{status:#}");
}
