//! What the site was told last, so that the next report says what changed since.
//!
//! Owns the file it is kept in: the last report as if it had been a full one. A file that cannot be
//! read, or is of another client, is set aside; then nothing was told, and everything is said
//! again. Refuses to know how reports are sent.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ambient::failpoint;
use model::{ClientId, INVENTORY_SCHEMA, Inventory, InventoryReport, ReportOutcome, Timestamp};

use super::news;
use crate::Error;
use crate::quarantine::{Found, Quarantine};

#[derive(Debug)]
pub(crate) struct Told {
    path: PathBuf,
    client: ClientId,
    last: Option<Last>,
}

/// The last report, and what it led to.
#[derive(Clone, Debug)]
struct Last {
    incarnation: u64,
    serial: u64,
    inventory: Inventory,
    /// The site lacks something: nothing can be built on it.
    has_gap: bool,
}

impl Told {
    pub(crate) fn open(
        path: &Path,
        client: ClientId,
        quarantine: &Quarantine,
    ) -> Result<Told, Error> {
        let path = path.to_owned();
        let last = read(&path, client).or_else(|reason| {
            let found = Found::Files(vec![path.clone()]);
            quarantine.set_aside("what the site was told of this computer", &reason, found)?;
            Ok::<_, Error>(None)
        })?;
        Ok(Told { path, client, last })
    }

    /// What is to be said of a computer now; nothing if it is as it was told.
    pub(crate) fn report(
        &self,
        now: &Inventory,
        incarnation: u64,
        collected_at: Timestamp,
    ) -> Option<InventoryReport> {
        let last = self.last.as_ref().filter(|last| last.incarnation == incarnation);
        let base = last.filter(|last| !last.has_gap);
        let change = match base {
            Some(last) => news(&last.inventory, now)?,
            None => Inventory::default().change_to(now),
        };
        Some(InventoryReport {
            client: self.client,
            incarnation,
            serial: last.map_or(0, |last| last.serial) + 1,
            schema: INVENTORY_SCHEMA,
            is_full: base.is_none(),
            collected_at,
            change,
            digest_after: now.digest(),
        })
    }

    /// A report was taken. `now` is what it made; None of the outcome: the site has not answered.
    pub(crate) fn taken(
        &mut self,
        report: &InventoryReport,
        now: &Inventory,
        outcome: Option<ReportOutcome>,
    ) -> Result<(), Error> {
        let InventoryReport { incarnation, serial, .. } = *report;
        let has_gap = outcome == Some(ReportOutcome::SendFull);
        let change = Inventory::default().change_to(now);
        let whole = InventoryReport { is_full: true, change, ..report.clone() };
        self.last = Some(Last { incarnation, serial, inventory: now.clone(), has_gap });
        // A digest that is wrong keeps the gap.
        let digest_after = if has_gap { [0; 32] } else { report.digest_after };
        let whole = InventoryReport { digest_after, ..whole };
        // Beside it first, so that a crash leaves one whole file or the other.
        let beside = self.path.with_extension("new");
        let bytes = rpc::convert::encode_inventory_report(&whole);
        let write = || {
            fs::write(&beside, bytes)?;
            failpoint("agent.inventory_written");
            fs::rename(&beside, &self.path)
        };
        write().map_err(failed("write", &self.path))?;
        failpoint("agent.inventory_kept");
        Ok(())
    }
}

impl Last {
    fn of(report: InventoryReport) -> Last {
        let InventoryReport { incarnation, serial, change, digest_after, .. } = report;
        let inventory = Inventory::default().with(change);
        let has_gap = inventory.digest() != digest_after;
        Last { incarnation, serial, inventory, has_gap }
    }
}

/// The last report of this client; otherwise why there is none, although there is a file.
fn read(path: &Path, client: ClientId) -> Result<Option<Last>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    match rpc::convert::decode_inventory_report(&bytes) {
        Ok(report) if report.client == client => Ok(Some(Last::of(report))),
        Ok(report) => Err(format!("it is of client {}", report.client)),
        Err(invalid) => Err(invalid.to_string()),
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files { operation, path, source }
}
