//! A client whose update service is outside of the hierarchy.

use testkit::wsus::{FakeWsus, Reply, Told};

use super::*;
use crate::ForeignServer;

const INSTALLABLE: &str = "<IsInstallable><True /></IsInstallable>";

/// What the site deploys is told of by the other service, too; so is something else.
async fn serving(world: &mut World) -> FakeWsus {
    let fake = FakeWsus::start().await;
    for number in [1, 2] {
        let mut told = Told::update(number, &format!("update {number}"), INSTALLABLE);
        told.update = update_id(u128::from(number.unsigned_abs())).0;
        told.revision = 1;
        fake.script().tell(told);
    }
    world.update_service = Some(ForeignServer::new(&fake.url, None).expect("an address"));
    fake
}

#[tokio::test]
async fn it_is_scanned_and_told_and_nothing_is_installed_upon_what_it_says() {
    let mut world = World::new().await;
    let fake = serving(&mut world).await;
    let documents = [world.script_update(1)];
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    let step = agent.step().await.expect("a pass");
    assert_eq!((step.scanned, step.fetched, step.installed), (true, 0, 0));
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(agent.step().await.expect("a pass").installed, 0);
    assert_eq!(world.script_runs(), 0);
    // Both sides know what is required; the site's catalog was not looked at.
    let told = world.told();
    assert!(told.contains(" v0 full=false 1:2/2(0) 2:2/0(0)"), "{told}");
    let script = fake.script();
    let status = script.events.iter().find(|event| event.number == 156).expect("it was told");
    let needed = status.misc.iter().find(|misc| misc.starts_with("U=")).expect("a list");
    assert_eq!(needed.matches("00000000-0000-0000-0000-00000000000").count(), 2, "{needed}");
}

#[tokio::test]
async fn one_that_is_away_fails_the_scan_and_is_asked_again() {
    let mut world = World::new().await;
    let fake = serving(&mut world).await;
    fake.script().replay("SyncUpdates", Reply::Fault("ServerBusy"));
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &[], NOW);
    assert!(!agent.step().await.expect("a pass").scanned);
    let error = agent.summary().await.expect("one").scan_error.expect("the scan failed");
    assert!(error.contains("ServerBusy"), "{error}");
    fake.script().stop_replaying("SyncUpdates");
    world.clock.advance_ms(4 * HOUR_MS);
    assert!(agent.step().await.expect("a pass").scanned);
    assert_eq!(agent.summary().await.expect("one").required, 2);
    let numbers: Vec<i32> = fake.script().events.iter().map(|event| event.number).collect();
    assert_eq!(numbers, [148, 147, 156]);
}

/// SCAN-04: a computer on the internet scans over TLS alone.
#[tokio::test]
async fn on_the_internet_it_is_not_asked_without_tls() {
    let mut world = World::new().await;
    let fake = serving(&mut world).await;
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, vec![], &[("internet", "yes")]);
    assert!(!agent.step().await.expect("a pass").scanned);
    let error = agent.summary().await.expect("one").scan_error.expect("the scan failed");
    let error = error.replace(&fake.url, "WSUS");
    expect!["WSUS is not asked without TLS by a computer on the internet; name its https address in wsus_url"].assert_eq(&error);
    assert!(fake.script().asked.is_empty(), "it is told nothing");
}
