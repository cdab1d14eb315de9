//! What computers report: events and inventory (MS-WUSP 2.2.2.3).
//!
//! Events are acknowledged when they are safe; what they mean is found out later. An event that
//! names another computer than the one that sent it is dropped. Inventory is not asked for, and
//! goes nowhere. Refuses to know what an event means for compliance.

use model::Timestamp;
use uuid::Uuid;
use wsus_protocol::reporting::{
    GetRequiredInventoryType, GetRequiredInventoryTypeResponse, ReportEventBatch,
    ReportEventBatch2, ReportEventBatch2Response, ReportEventBatchResponse, ReportInventory,
    ReportInventoryResponse, ReportingEvent,
};

use super::intake::Batch;
use crate::point::Point;
use crate::soap::{Answer, Refused, not_served, read};

pub(super) const NAMES: [&str; 4] =
    ["ReportEventBatch", "ReportEventBatch2", "GetRequiredInventoryType", "ReportInventory"];

pub(super) async fn answer(point: &Point, name: &str, body: &[u8]) -> Result<Answer, Refused> {
    Ok(match name {
        "ReportEventBatch" => {
            let report: ReportEventBatch = read(body)?;
            let known = point.admit_computer(report.cookie.as_ref())?;
            point.take_events(known.client, known.scanned, report.events).await?;
            Answer::of(&ReportEventBatchResponse { is_accepted: true })
        }
        "ReportEventBatch2" => {
            let report: ReportEventBatch2 = read(body)?;
            let computer = report.computer_id.parse();
            let computer = computer.map_err(|_| Refused::parameter("computerId"))?;
            // Without a cookie nobody knows what the last scan was answered from.
            point.take_events(computer, 0, report.events).await?;
            Answer::of(&ReportEventBatch2Response { is_accepted: true })
        }
        "GetRequiredInventoryType" => {
            let request: GetRequiredInventoryType = read(body)?;
            point.admit_computer(request.cookie.as_ref())?;
            Answer::of(&GetRequiredInventoryTypeResponse { inventory_type: 0 })
        }
        "ReportInventory" => {
            let request: ReportInventory = read(body)?;
            point.admit_computer(request.cookie.as_ref())?;
            Answer::of(&ReportInventoryResponse { is_accepted: true })
        }
        _ => return Err(not_served()),
    })
}

impl Point {
    async fn take_events(
        &self,
        computer: Uuid,
        scanned: u64,
        mut events: Vec<ReportingEvent>,
    ) -> Result<(), Refused> {
        let sent = events.len();
        events.retain(|event| is_of(event, computer));
        let kept = events.len();
        tracing::info!(client = %computer, events = kept, "a computer reported");
        if kept < sent {
            tracing::warn!(client = %computer, dropped = sent - kept, "events of another computer");
        }
        // Whoever has not registered is nobody whose states could be kept.
        if events.is_empty() || !self.computers.knows(computer).await? {
            return Ok(());
        }
        let received_at = Timestamp(self.ambient.now_ms());
        self.intake.take(Batch { computer, scanned, received_at, events }).await
    }
}

fn is_of(event: &ReportingEvent, computer: Uuid) -> bool {
    let named = event.basic.target.as_ref().map(|target| target.sid.trim_matches(['{', '}']));
    named.is_none_or(|sid| sid.parse() == Ok(computer))
}
