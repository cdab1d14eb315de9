use model::{ClientId, InventoryChange, SiteCode, Timestamp};
use uuid::Uuid;

use super::*;

fn inventory(memory: u64) -> Inventory {
    let mut inventory = Inventory::default();
    inventory.computer.hardware.memory = memory;
    inventory
}

fn held(serial: u64, memory: u64) -> Option<(InventoryRecord, Inventory)> {
    let inventory = inventory(memory);
    let record = InventoryRecord {
        client: ClientId(Uuid::from_u128(1)),
        site: SiteCode::new("PR1").expect("a code"),
        schema: INVENTORY_SCHEMA,
        incarnation: 1,
        serial,
        collected_at: Timestamp(2),
        computer: inventory.computer.clone(),
    };
    Some((record, inventory))
}

fn report(serial: u64, change: InventoryChange, makes: &Inventory) -> InventoryReport {
    InventoryReport {
        client: ClientId(Uuid::from_u128(1)),
        incarnation: 1,
        serial,
        schema: INVENTORY_SCHEMA,
        is_full: false,
        collected_at: Timestamp(2),
        change,
        digest_after: makes.digest(),
    }
}

#[test]
fn a_report_follows_the_one_before_or_everything_is_wanted() {
    let (known, gap) =
        (Taken::Outcome(ReportOutcome::Known), Taken::Outcome(ReportOutcome::SendFull));
    let (old, new) = (inventory(5), inventory(6));
    let next = report(4, old.change_to(&new), &new);
    assert_eq!(after(held(3, 5), &next), Ok(new.clone()));
    assert_eq!(after(held(4, 6), &next), Err(known));
    assert_eq!(after(held(2, 5), &next), Err(gap));
    assert_eq!(after(None, &next), Err(gap));
    // The same serial of another life of the client.
    assert_eq!(after(held(3, 5), &InventoryReport { incarnation: 2, ..next.clone() }), Err(gap));
    let other = report(4, old.change_to(&new), &inventory(7));
    assert_eq!(after(held(3, 5), &other), Err(gap));
    let nothing = Inventory::default();
    let full = InventoryReport { is_full: true, ..report(9, nothing.change_to(&new), &new) };
    assert_eq!(after(held(3, 5), &full), Ok(new.clone()));
    assert_eq!(after(None, &InventoryReport { incarnation: 2, ..full.clone() }), Ok(new));
    assert_eq!(after(held(9, 6), &full), Err(known));
    // A computer that was put back counts from there, but later.
    let back = InventoryReport { collected_at: Timestamp(3), ..next };
    assert_eq!(after(held(4, 6), &back), Err(gap));
    let back = InventoryReport { collected_at: Timestamp(3), ..full };
    assert_eq!(after(held(20, 5), &back), Ok(inventory(6)));
}

#[test]
fn what_everything_cannot_mend_is_rejected() {
    let new = inventory(6);
    let change = Inventory::default().change_to(&new);
    let full = InventoryReport { is_full: true, ..report(1, change, &new) };
    let later = InventoryReport { schema: INVENTORY_SCHEMA + 1, ..full.clone() };
    assert_eq!(after(None, &later), Err(Taken::Rejected));
    let wrong = InventoryReport { digest_after: [0; 32], ..full };
    assert_eq!(after(None, &wrong), Err(Taken::Rejected));
    let mut large = inventory(6);
    let disks = (0..=INVENTORY_ENTRIES_MAX).map(|number| (number.to_string(), <_>::default()));
    large.computer.disks = disks.collect();
    let grown = report(4, inventory(5).change_to(&large), &large);
    assert_eq!(after(held(3, 5), &grown), Err(Taken::Rejected));
}
