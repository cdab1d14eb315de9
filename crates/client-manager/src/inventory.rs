//! What clients say of their computers.
//!
//! Owns what a report makes of the inventory that is held: serials follow one another, and what a
//! change leads to has to have the digest that the client says. Refuses to know how inventories are
//! kept. A report that does not fit is answered with the wish for everything and changes nothing; a
//! whole inventory that contradicts itself or is too large is rejected.

use model::{
    INVENTORY_SCHEMA, Inventory, InventoryRecord, InventoryReport, ReportOutcome, error_chain,
};
use rpc::limits::{INVENTORY_ENTRIES_MAX, INVENTORY_SOFTWARE_MAX};
use site_db::Writer;

use crate::Error;
use crate::intake::{Taken, Voice, is_ours};

/// Takes reports in their order; one that cannot be taken harms no other.
pub(crate) fn take_inventories(
    w: &Writer<'_>,
    reports: &[Option<InventoryReport>],
    voice: Voice,
) -> Result<Vec<Taken>, Error> {
    let take = |report: &Option<InventoryReport>| {
        let taken = match report {
            Some(report) if is_ours(w, report.client, voice)? => take(w, report)?,
            _ => Taken::Rejected,
        };
        if taken == Taken::Rejected {
            w.next("inventories_rejected")?;
        }
        Ok(taken)
    };
    reports.iter().map(take).collect()
}

fn take(w: &Writer<'_>, report: &InventoryReport) -> Result<Taken, Error> {
    let held = match w.inventory(report.client) {
        Err(error @ site_db::Error::DecodeStored { .. }) => {
            let (client, error) = (report.client, error_chain(&error));
            tracing::warn!(client.id = %client, error, "an inventory that is held cannot be read");
            None
        }
        held => held?,
    };
    let inventory = match after(held, report) {
        Ok(inventory) => inventory,
        Err(Taken::Rejected) => {
            tracing::warn!(client.id = %report.client, "an inventory contradicts itself");
            return Ok(Taken::Rejected);
        }
        Err(other) => return Ok(other),
    };
    let InventoryReport { client, incarnation, serial, schema, collected_at, .. } = *report;
    let Inventory { computer, software } = inventory;
    let site = w.identity().code();
    let record =
        InventoryRecord { client, site, schema, incarnation, serial, collected_at, computer };
    if !w.write_inventory(&record, &software)? {
        tracing::error!(client.id = %client, "there are too many titles of software at this site");
        return Ok(Taken::Rejected);
    }
    Ok(Taken::Outcome(ReportOutcome::Applied))
}

/// What a report makes of what is held, or why it makes nothing of it.
fn after(
    held: Option<(InventoryRecord, Inventory)>,
    report: &InventoryReport,
) -> Result<Inventory, Taken> {
    if report.schema != INVENTORY_SCHEMA {
        return Err(Taken::Rejected);
    }
    let held = held.filter(|(record, _)| record.incarnation == report.incarnation);
    let last = held.as_ref().map_or(0, |(record, _)| record.serial);
    let is_later = |(record, _): &(InventoryRecord, _)| report.collected_at > record.collected_at;
    // A computer that was put back to what it was before counts from there, but it is later.
    if report.serial <= last && !held.as_ref().is_some_and(is_later) {
        return Err(Taken::Outcome(ReportOutcome::Known));
    }
    let old = match held {
        _ if report.is_full => Inventory::default(),
        Some((_, inventory)) if report.serial == last + 1 => inventory,
        _ => return Err(Taken::Outcome(ReportOutcome::SendFull)),
    };
    let new = old.with(report.change.clone());
    if new.digest() != report.digest_after {
        // Whoever has sent everything would be asked for it for ever.
        let gap = Taken::Outcome(ReportOutcome::SendFull);
        return Err(if report.is_full { Taken::Rejected } else { gap });
    }
    match is_within_limits(&new) {
        true => Ok(new),
        false => Err(Taken::Rejected),
    }
}

/// Every report is, but changes add up.
fn is_within_limits(inventory: &Inventory) -> bool {
    let Inventory { computer, software } = inventory;
    let entries = computer.disks.len().max(computer.interfaces.len());
    entries <= INVENTORY_ENTRIES_MAX && software.len() <= INVENTORY_SOFTWARE_MAX
}

#[cfg(test)]
mod tests;
