use std::net::Ipv4Addr;

use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;

use super::*;

/// Few names, so that entries meet.
fn name() -> impl Strategy<Value = String> {
    "[a-c]{0,2}"
}

fn software() -> impl Strategy<Value = Software> {
    let origin = prop::sample::select(SoftwareOrigin::ALL);
    (name(), name(), name(), origin).prop_map(|(name, version, architecture, origin)| Software {
        name,
        version,
        architecture,
        origin,
    })
}

prop_compose! {
    fn hardware()(texts in [name(), name(), name(), name(), name()],
                  cpu_count in 0..3_u32, memory in 0..3_u64) -> Hardware {
        let [manufacturer, model, serial, firmware, cpu] = texts;
        Hardware { manufacturer, model, serial, firmware, cpu, cpu_count, memory }
    }
}

prop_compose! {
    fn os()(texts in [name(), name(), name(), name()], started in option::of(0..3_i64),
            form in option::of(prop::sample::select(Form::ALL))) -> OperatingSystem {
        let [id, kernel, domain, time_zone] = texts;
        let started_at = started.map(Timestamp);
        OperatingSystem { id, kernel, domain, time_zone, started_at, form, ..Default::default() }
    }
}

prop_compose! {
    fn inventory()(
        hardware in hardware(), os in os(),
        disks in btree_map(name(), (0..3_u64, option::of(0..3_u64)), 0..4),
        interfaces in btree_map(name(), (name(), btree_set(0..4_u32, 0..3)), 0..4),
        is_restart_pending in any::<bool>(),
        software in btree_set(software(), 0..12),
    ) -> Inventory {
        let disk = |(name, (size, free))| (name, Disk { size, free });
        let address = |number: u32| IpAddr::from(Ipv4Addr::from_bits(number));
        let interface = |(name, (mac, addresses)): (String, (String, BTreeSet<u32>))| {
            (name, Interface { mac, addresses: addresses.into_iter().map(address).collect() })
        };
        let (disks, interfaces) =
            (disks.into_iter().map(disk).collect(), interfaces.into_iter().map(interface));
        let interfaces = interfaces.collect();
        let computer = Computer { hardware, os, disks, interfaces, is_restart_pending };
        Inventory { computer, software }
    }
}

proptest! {
    #[test]
    fn changes_lead_from_any_inventory_to_any_other(
        all in prop::collection::vec(inventory(), 1..6),
    ) {
        let mut held = Inventory::default();
        for new in all {
            let change = held.change_to(&new);
            prop_assert_eq!(change.is_nothing(), held == new);
            held = held.with(change);
            prop_assert_eq!(&held, &new);
            prop_assert!(held.change_to(&new).is_nothing());
        }
    }

    #[test]
    fn digests_are_equal_for_equal_inventories_only(one in inventory(), other in inventory()) {
        prop_assert_eq!(one.digest() == other.digest(), one == other);
    }
}
