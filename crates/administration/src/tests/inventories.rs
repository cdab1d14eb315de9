//! What computers are made of, as administrators see it and choose by it.

use expect_test::expect;
use model::{Disk, Group, INVENTORY_SCHEMA, Inventory, InventoryRecord, Software, SoftwareOrigin};
use site_db::Own;
use testkit::objects;
use tonic::Code;

use super::*;

fn client(number: u128) -> ClientId {
    ClientId(uuid::Uuid::from_u128(number))
}

/// A stand-alone primary with clients 8, which has described itself, and 9.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let mut inventory = Inventory::default();
    inventory.computer.hardware.memory = 2 << 30;
    inventory.computer.os.started_at = Some(at(0));
    inventory.computer.disks.insert("/".to_owned(), Disk { size: 9, free: None });
    let package = |name: &str| Software {
        name: name.to_owned(),
        version: "5.2-1".to_owned(),
        architecture: "amd64".to_owned(),
        origin: SoftwareOrigin::Dpkg,
    };
    inventory.software = ["bash", "curl"].map(package).into();
    let record = InventoryRecord {
        client: client(8),
        site: "PR1".parse().expect("a good code"),
        schema: INVENTORY_SCHEMA,
        incarnation: 1,
        serial: 1,
        collected_at: at(0),
        computer: inventory.computer,
    };
    let written = site.db.write(move |w| {
        let clients = [8, 9].map(|number| Own::put(&objects::client(number, "PR1")));
        w.write_own(Group::Clients, clients.to_vec())?;
        w.write_inventory(&record, &inventory.software)
    });
    assert!(written.await.expect("written"));
    site
}

#[test]
fn a_computer_is_shown_with_its_software() {
    run(async {
        let site = site().await;
        let show = async |number| {
            let id = client(number).to_string();
            site.admin().get_inventory(pb::GetInventoryRequest { id }).await
        };
        let found = show(8).await.expect("an inventory").into_inner();
        let software: Vec<String> = found
            .software
            .iter()
            .map(|one| format!("{} {} {} {}", one.name, one.version, one.architecture, one.origin))
            .collect();
        expect![[r#"["bash 5.2-1 amd64 dpkg", "curl 5.2-1 amd64 dpkg"]"#]]
            .assert_eq(&format!("{software:?}"));
        assert_eq!(
            (found.memory, found.disks.len(), found.started_at.is_some()),
            (2 << 30, 1, true)
        );
        let refused = show(9).await.expect_err("it never described itself");
        assert_eq!(refused.code(), Code::NotFound);
        expect!["there is no inventory of client 00000000-0000-0000-0000-000000000009"]
            .assert_eq(refused.message());
    });
}

#[test]
fn lists_and_previews_choose_by_inventories() {
    run(async {
        let site = site().await;
        let list = async |text: &str| {
            let request = pb::ListClientsRequest { r#where: text.to_owned(), ..Default::default() };
            let mut stream = site.admin().list_clients(request).await.expect("a list").into_inner();
            let mut found = Vec::new();
            while let Some(page) = stream.message().await.expect("a page") {
                found.extend(page.rows.into_iter().map(|row| row.id));
            }
            found
        };
        let eight = vec![client(8).to_string()];
        assert_eq!(list("memory >= 2048").await, eight);
        assert_eq!(list("installed_software(\"bash >= 5.2\") and last_boot > 1d").await, eight);
        assert!(list("not memory >= 2048").await.is_empty(), "nothing is known of the other one");
    });
}
