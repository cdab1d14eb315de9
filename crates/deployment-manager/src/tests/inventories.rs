//! Members that follow what computers are made of and what is installed on them.

use model::{
    Collection, CollectionRule, INVENTORY_SCHEMA, Inventory, InventoryRecord, Software,
    SoftwareOrigin,
};

use super::*;

fn collection(text: &str) -> Own {
    let (name, text) = ("asked".to_owned(), text.to_owned());
    let rules = vec![CollectionRule::Query { name, text }];
    Own::put(&Collection::plain(object("PR100020"), "Asked".to_owned(), rules))
}

fn describe(world: &World, number: u128, memory: u64, openssl: &str) {
    let mut inventory = Inventory::default();
    inventory.computer.hardware.memory = memory << 20;
    inventory.software.insert(Software {
        name: "openssl".to_owned(),
        version: openssl.to_owned(),
        architecture: "amd64".to_owned(),
        origin: SoftwareOrigin::Dpkg,
    });
    let record = InventoryRecord {
        client: ClientId(id(number)),
        site: code("PR1"),
        schema: INVENTORY_SCHEMA,
        incarnation: 1,
        serial: 1,
        collected_at: Timestamp(1),
        computer: inventory.computer,
    };
    let write = world.db.write_blocking(move |w| w.write_inventory(&record, &inventory.software));
    assert!(write.expect("written"));
}

#[tokio::test]
async fn a_changed_inventory_changes_members_in_the_next_step() {
    let world = world();
    world.write(
        Group::Control,
        collection("memory < 4096 and installed_software(\"openssl < 3.0.14\")"),
    );
    let aimed = Deployment { collection: object("PR100020"), ..deployment() };
    world.write(Group::Control, Own::put(&aimed));
    world.step().await;
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 0 clients"));
    world.woken();
    // A title that nobody had when the plan was made.
    describe(&world, 10, 2_048, "3.0.13-1");
    assert_eq!(world.step().await, Step::Planned { woken: 1 });
    assert_eq!(world.woken(), [10]);
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 1 clients"));
    describe(&world, 11, 8_192, "3.0.13-1");
    assert_eq!(world.step().await, Step::Unchanged);
    describe(&world, 10, 2_048, "3.0.14-1");
    assert_eq!(world.step().await, Step::Planned { woken: 1 });
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 0 clients"));
}

#[tokio::test]
async fn where_nobody_asks_inventories_are_no_change() {
    let world = world();
    world.write(Group::Control, collection("os like \"windows%\""));
    world.step().await;
    let row = || world.manager.trail().as_ref().map(crate::follow::Trail::row);
    let before = row();
    describe(&world, 10, 2_048, "3.0.13-1");
    assert_eq!(world.step().await, Step::Unchanged);
    assert_eq!(row(), before, "nobody was looked at");
    world.write(Group::Clients, put_client(12, "PR1"));
    world.step().await;
    assert_ne!(row(), before);
}
