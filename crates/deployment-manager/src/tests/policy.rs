//! What reaches a client together, and what is taken back from it and comes again.

use ambient::{ManualClock, SeededEntropy};
use model::{
    ClientRecord, Collection, CollectionRule, Hold, Rollout, SettingsProfile, Window, WindowKind,
    WindowZone,
};

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn linux_servers() -> Own {
    let (name, text) = ("servers".to_owned(), "name like \"srv%\"".to_owned());
    let rules = vec![CollectionRule::Query { name, text }];
    Own::put(&Collection::plain(object("PR100020"), "Servers".to_owned(), rules))
}

fn profile(collection: &str, name: &str, value: &str) -> SettingsProfile {
    SettingsProfile {
        code: object("PR100030"),
        name: "Servers".to_owned(),
        order: 1,
        collections: vec![object(collection)],
        values: vec![(name.to_owned(), value.to_owned())],
    }
}

fn named(number: u128, name: &str) -> Own {
    Own::put(&ClientRecord { name: name.to_owned(), ..objects::client(number, "PR1") })
}

/// What another manager plans, which has followed nothing.
async fn planned_anew(world: &World) -> String {
    let manager = DeploymentManager::new(Config::default(), deps(&world.db, Arc::new(|_| {})));
    manager.step().await.expect("a pass");
    plan(&manager)
}

/// The parts of each client in words.
fn plan(manager: &DeploymentManager) -> String {
    let planned = manager.planned().expect("a plan");
    let plan = planned.plan();
    let parts = |parts: &[u32]| -> Vec<String> {
        parts.iter().map(|part| plan.parts[*part as usize].to_string()).collect()
    };
    let clients =
        plan.clients.iter().map(|one| format!("{}: {:?}\n", one.client, parts(&one.parts)));
    clients.chain(plan.deployments.values().map(|outcome| format!("{outcome}\n"))).collect()
}

#[tokio::test]
async fn a_new_member_gets_everything_that_its_collection_has() {
    let world = world();
    world.write(Group::Control, linux_servers());
    let aimed = Deployment { collection: object("PR100020"), ..deployment() };
    world.write(Group::Control, Own::put(&aimed));
    world.write(Group::Control, Own::put(&profile("PR100020", "grace.hours", "12")));
    world.write(
        Group::Control,
        Own::put(&Window {
            code: object("PR100040"),
            name: "Night".to_owned(),
            collection: object("PR100020"),
            at: "0 1 * * SAT".to_owned(),
            zone: WindowZone::Client,
            minutes: 60,
            kind: WindowKind::All,
            is_enabled: true,
        }),
    );
    world.step().await;
    world.woken();
    world.write(Group::Clients, named(12, "srv12"));
    assert_eq!(world.step().await, Step::Planned { woken: 1 });
    assert_eq!(world.woken(), [12]);
    let head = world.head(12, 1).await;
    expect![[r#"
        settings, catalog 2
        servers PR1/sup https://1.PR1 PR1/mp https://2.PR1
        options grace.hours=12
        windows PR100040
        assignment 00000000-0000-0000-0000-00000000003c "Monthly" required
          00000000-0000-0000-0000-000000000032/1
    "#]]
    .assert_eq(&world.verified(12, &head));
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 1 clients"));
    assert_eq!(plan(&world.manager), planned_anew(&world).await);
    // It leaves the collection, and then the site.
    world.write(Group::Clients, named(12, "desk12"));
    assert_eq!(world.step().await, Step::Planned { woken: 1 });
    let left = world.head(12, 1).await;
    assert_eq!(world.verified(12, &left).lines().count(), 2);
    world.write(Group::Clients, Own::delete(Kind::Client, id(12).as_bytes().to_vec()));
    assert_eq!(world.step().await, Step::Planned { woken: 0 });
    assert_eq!(plan(&world.manager), planned_anew(&world).await);
    assert_eq!(world.step().await, Step::Unchanged);
}

/// What changes nothing for those who are here is still what the next one gets.
#[tokio::test]
async fn a_new_client_gets_what_changed_while_nobody_was_concerned() {
    let world = world();
    world.step().await;
    world.write(Group::Control, linux_servers());
    world.write(Group::Control, Own::put(&profile("PR100020", "grace.hours", "12")));
    assert_eq!(world.step().await, Step::Unchanged);
    world.write(Group::Clients, named(12, "srv12"));
    assert_eq!(world.step().await, Step::Planned { woken: 1 });
    let head = world.head(12, 1).await;
    let told = world.verified(12, &head);
    assert!(told.contains("options grace.hours=12"), "{told}");
    assert_eq!(plan(&world.manager), planned_anew(&world).await);
}

#[tokio::test]
async fn a_new_update_of_the_group_comes_by_itself() {
    let world = world();
    world.step().await;
    world.woken();
    let updates = vec![UpdateId(id(50)), UpdateId(id(51))];
    let grown = UpdateGroup::plain(object("PR100001"), String::new(), updates);
    let newer = model::Item { number: 51, ..item(51) };
    world.write(Group::Catalog, Own::put(&newer));
    world.write(Group::Control, Own::put(&grown));
    assert_eq!(world.step().await, Step::Planned { woken: 2 });
    assert_eq!(world.outcome().as_deref(), Some("2 updates for 2 clients"));
}

#[tokio::test]
async fn updates_switched_off_and_on_again_are_the_same_parts() {
    let world = world();
    world.step().await;
    let before = world.head(10, 5).await;
    let off = profile(ALL_SYSTEMS, "software_updates.enabled", "no");
    world.write(Group::Control, Own::put(&off));
    world.step().await;
    let head = world.head(10, 5).await;
    expect![[r#"
        settings, catalog 2
        servers PR1/mp https://2.PR1
        options software_updates.enabled=no
    "#]]
    .assert_eq(&world.verified(10, &head));
    let code = off.code.as_str().into();
    world.write(Group::Control, Own::delete(Kind::SettingsProfile, code));
    world.step().await;
    assert_eq!(world.head(10, 5).await.parts, before.parts);
}

#[tokio::test]
async fn a_deployment_is_held_and_released() {
    let world = world();
    world.step().await;
    let before = world.head(10, 5).await;
    let hold = Hold {
        deployment: deployment().id,
        site: code("PR1"),
        by: "admin".to_owned(),
        at: Timestamp(5),
        reason: "it breaks printing".to_owned(),
    };
    world.write(Group::Control, Own::put(&hold));
    assert_eq!(world.step().await, Step::Planned { woken: 2 });
    assert_eq!(world.outcome().as_deref(), Some("held by PR1"));
    let held = world.head(10, 5).await;
    assert!(!world.verified(10, &held).contains("assignment"));
    let object = [deployment().id.as_bytes().as_slice(), b"PR1"].concat();
    world.write(Group::Control, Own::delete(Kind::Hold, object));
    world.step().await;
    assert_eq!(world.head(10, 5).await.parts, before.parts);
}

#[tokio::test]
async fn a_deployment_grows_when_its_time_comes() {
    let start = 1_000_000_000_000;
    let clock = Arc::new(ManualClock::at(start));
    let world = world_of(Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1))));
    let rollout = Rollout { from: Timestamp(start), days: 1, stopped_at: None };
    let growing = Deployment { rollout: Some(rollout), ..deployment() };
    world.write(Group::Control, Own::put(&growing));
    let mut clients = Vec::new();
    for hour in 0..=24 {
        world.step().await;
        let outcome = world.outcome().expect("an outcome");
        clients.push(outcome.contains("for 2 clients"));
        let next = world.manager.planned().expect("a plan").plan().next_change;
        assert_eq!(next, (hour < 23).then_some(Timestamp(start + (hour + 1) * HOUR_MS)));
        clock.advance_ms(HOUR_MS);
    }
    assert!(!clients[0], "both of two clients would be many for the first hour");
    assert!(clients[24], "everybody has it at the end");
    assert!(clients.is_sorted(), "it only grows");
}
