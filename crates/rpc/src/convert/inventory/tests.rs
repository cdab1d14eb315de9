use std::collections::BTreeSet;
use std::net::IpAddr;

use model::{INVENTORY_SCHEMA, Inventory};
use uuid::Uuid;

use super::*;
use crate::object::ObjectBody as _;

fn software(name: &str) -> Software {
    let (version, architecture) = ("1:2-3".to_owned(), "amd64".to_owned());
    Software { name: name.to_owned(), version, architecture, origin: SoftwareOrigin::Dpkg }
}

fn inventory() -> Inventory {
    let mut found = Inventory::default();
    found.computer.hardware.memory = 8 << 30;
    found.computer.os.form = Some(Form::Server);
    found.computer.os.started_at = Some(Timestamp(5));
    found.computer.disks.insert("/".to_owned(), Disk { size: 9, free: Some(4) });
    let addresses: [IpAddr; 2] = [[10, 0, 0, 1].into(), [0; 16].into()];
    let interface = Interface { mac: "02:00:00:00:00:01".to_owned(), addresses: addresses.into() };
    found.computer.interfaces.insert("eth0".to_owned(), interface);
    found.software = BTreeSet::from([software("a"), software("b")]);
    found
}

fn client() -> ClientId {
    ClientId(Uuid::from_u128(7))
}

fn report(change: InventoryChange) -> InventoryReport {
    InventoryReport {
        client: client(),
        incarnation: 3,
        serial: 1,
        schema: INVENTORY_SCHEMA,
        is_full: true,
        collected_at: Timestamp(9),
        change,
        digest_after: inventory().digest(),
    }
}

#[test]
fn reports_survive_the_wire() {
    let (nothing, all) = (Inventory::default(), inventory());
    for change in [nothing.change_to(&all), all.change_to(&nothing), all.change_to(&all)] {
        let sent = report(change);
        let got = decode_inventory_report(&encode_inventory_report(&sent)).expect("is read");
        assert_eq!(got, sent);
    }
}

#[test]
fn what_a_site_keeps_survives_and_equal_content_has_equal_bytes() {
    let site = SiteCode::new("PR1").expect("a code");
    let record = InventoryRecord {
        client: client(),
        site,
        schema: INVENTORY_SCHEMA,
        incarnation: 3,
        serial: 4,
        collected_at: Timestamp(9),
        computer: inventory().computer,
    };
    assert_eq!(InventoryRecord::decode(&record.encode()).as_ref(), Ok(&record));
    let titles = InstalledSoftware { client: client(), site, titles: vec![1, 2, 500, 501] };
    assert_eq!(InstalledSoftware::decode(&titles.encode()).as_ref(), Ok(&titles));
    let title = SoftwareTitle { site, number: 500, software: software("a") };
    assert_eq!(SoftwareTitle::decode(&title.encode()).as_ref(), Ok(&title));
    assert_eq!(title.object_id(), b"PR1\0\0\x01\xf4");
}

#[test]
fn what_is_too_much_is_refused_by_name() {
    let refused = |change: InventoryChange| {
        decode_inventory_report(&encode_inventory_report(&report(change))).map(drop).unwrap_err()
    };
    let disks = (0..300).map(|number| (number.to_string(), Some(Disk::default()))).collect();
    let cpu = Hardware { cpu: "x".repeat(257), ..Hardware::default() };
    let added = (0..20_001).map(|number: u32| software(&number.to_string())).collect();
    let errors = [
        refused(InventoryChange { disks, ..InventoryChange::default() }),
        refused(InventoryChange { hardware: Some(cpu), ..InventoryChange::default() }),
        refused(InventoryChange { added, ..InventoryChange::default() }),
        InstalledSoftware::decode(
            &object::InstalledSoftware {
                client: client().as_bytes().to_vec(),
                site: "PR1".to_owned(),
                titles: vec![3, 0],
            }
            .encode_to_vec(),
        )
        .unwrap_err(),
    ];
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let expected = [
        "disks: are 300, of at most 256; leave some out",
        "cpu: has 257 bytes, of at most 256; cut it",
        "added: are 20001, of at most 20000; leave some out",
        "title after the last: is missing",
    ];
    assert_eq!(errors, expected);
}
