//! What the first update point of a site means to the clients that are there already (SCAN-01).

use rpc::object::ObjectBody as _;

use super::*;

fn update_point() -> RoleRecord {
    RoleRecord {
        id: RoleId(id(1)),
        site: code("PR1"),
        kind: RoleKind::SoftwareUpdatePoint,
        name: String::new(),
        url: "https://1.PR1".to_owned(),
        http_url: String::new(),
        joined_at: Timestamp(0),
    }
}

/// Before there is an update point, policy names none and no catalog; one that is installed is
/// named to every client of the site at once, and what it synchronized is the catalog to scan with.
#[tokio::test]
async fn an_installed_and_synchronized_update_point_is_policy_for_the_whole_site() {
    let world = world();
    let point = update_point();
    world.write(Group::Topology, Own::delete(RoleRecord::KIND, point.object_id()));
    let written = world.db.write_blocking(|w| w.set_complete_version(0));
    written.expect("written");
    world.step().await;
    world.woken();
    let without = world.verified(10, &world.head(10, 5).await);
    assert!(without.contains("settings, catalog 0\n") && !without.contains("sup"), "{without}");

    world.write(Group::Topology, Own::put(&point));
    assert_eq!(world.step().await, Step::Planned { woken: 2 });
    assert_eq!(world.woken(), [10, 11]);
    let installed = world.verified(10, &world.head(10, 5).await);
    assert!(installed.contains("servers PR1/sup https://1.PR1"), "{installed}");
    assert!(installed.contains("settings, catalog 0\n"), "{installed}");

    let written = world.db.write_blocking(|w| w.set_complete_version(2));
    written.expect("written");
    assert_eq!(world.step().await, Step::Planned { woken: 2 });
    for client in [10, 11] {
        let synchronized = world.verified(client, &world.head(client, 5).await);
        assert!(synchronized.contains("settings, catalog 2\n"), "{synchronized}");
    }
}
