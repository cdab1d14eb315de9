//! What clients say of their computers, from a report to the site above.

use model::{
    INVENTORY_SCHEMA, Inventory, InventoryChange, InventoryReport, Software, SoftwareOrigin,
};

use super::*;

fn computer(memory: u64, packages: &[(&str, &str)]) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.computer.hardware.memory = memory;
    let package = |(name, version): &(&str, &str)| Software {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        architecture: "amd64".to_owned(),
        origin: SoftwareOrigin::Dpkg,
    };
    inventory.software = packages.iter().map(package).collect();
    inventory
}

fn described(number: u128, serial: u64, change: InventoryChange, to: &Inventory) -> Vec<u8> {
    let report = InventoryReport {
        client: client(number),
        incarnation: 1,
        serial,
        schema: INVENTORY_SCHEMA,
        is_full: serial == 1,
        collected_at: Timestamp(3),
        change,
        digest_after: to.digest(),
    };
    rpc::convert::encode_inventory_report(&report)
}

impl Site {
    async fn describe(&self, reports: Vec<Vec<u8>>) -> Vec<pb::Outcome> {
        let request = from("PR1", pb::SubmitInventoriesRequest { reports, ..Default::default() });
        let answer = self.service.submit_inventories(request).await.expect("an answer");
        let outcomes = answer.into_inner().outcomes.into_iter();
        outcomes.map(|o| o.try_into().expect("an outcome")).collect()
    }

    fn inventory(&self, number: u128) -> Option<Inventory> {
        let read = self.db.read_blocking(move |r| r.inventory(client(number)));
        read.expect("read").map(|(_, inventory)| inventory)
    }
}

#[tokio::test]
async fn the_top_knows_a_computer_as_its_primary_does() {
    let (cas, pr1) = sites();
    pr1.register(9, "PR1").await.expect("registered");
    let nothing = Inventory::default();
    let (old, new) = (computer(4, &[("bash", "5")]), computer(8, &[("bash", "6"), ("curl", "8")]));
    let first = described(9, 1, nothing.change_to(&old), &old);
    let second = described(9, 2, old.change_to(&new), &new);
    let foreign = described(77, 1, nothing.change_to(&old), &old);
    let reports = vec![first.clone(), foreign, vec![0xff], second];
    let rejected = pb::Outcome::Rejected;
    let applied = pb::Outcome::Applied;
    assert_eq!(pr1.describe(reports).await, [applied, rejected, rejected, applied]);
    assert_eq!(pr1.describe(vec![first]).await, [pb::Outcome::Known]);
    assert_eq!(pr1.inventory(9).as_ref(), Some(&new));
    // A change of something that is not here, and then everything.
    let other = computer(16, &[("zsh", "5")]);
    let gap = described(9, 4, new.change_to(&other), &other);
    assert_eq!(pr1.describe(vec![gap]).await, [pb::Outcome::SendFull]);
    assert_eq!(pr1.inventory(9).as_ref(), Some(&new));
    cas.follow(&pr1, Group::Clients);
    assert_eq!(cas.inventory(9), Some(new));
    pr1.db.write_blocking(|w| w.remove_client(client(9))).expect("removed");
    assert_eq!(pr1.inventory(9), None);
}

#[tokio::test]
async fn computers_of_one_kind_share_what_their_software_is_called() {
    let (_, pr1) = sites();
    let names: Vec<String> = (0..1_500).map(|number| format!("package-{number:04}")).collect();
    let packages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1.0-1")).collect();
    let same = computer(1, &packages);
    let size = |number| {
        let body = pr1.db.read_blocking(move |r| {
            r.body(model::Kind::InstalledSoftware, client(number).as_bytes())
        });
        body.expect("read").expect("is kept").1.len()
    };
    for number in [8, 9] {
        pr1.register(number, "PR1").await.expect("registered");
        let said = described(number, 1, Inventory::default().change_to(&same), &same);
        assert_eq!(pr1.describe(vec![said]).await, [pb::Outcome::Applied]);
        assert!(size(number) < 1_600, "{} bytes", size(number));
    }
    let titles = pr1.db.read_blocking(|r| r.count(model::Kind::SoftwareTitle));
    assert_eq!(titles.expect("read"), 1_500);
}
