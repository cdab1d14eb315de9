//! What computers report: events and inventory (MS-WUSP 2.2.2.3).
//!
//! Events are acknowledged when they are safe; what they mean is found out later. An event that
//! names another computer than the one that sent it is dropped. Computers without a cookie say who
//! they are in each event, and are believed; what they say speaks of no scan. Inventory is not
//! asked for, and goes nowhere. Refuses to know what an event means for compliance.

use model::Timestamp;
use uuid::Uuid;
use wsus_protocol::WireTime;
use wsus_protocol::reporting::{
    GetRequiredInventoryType, GetRequiredInventoryTypeResponse, ReportEventBatch,
    ReportEventBatch2, ReportEventBatch2Response, ReportEventBatchResponse, ReportInventory,
    ReportInventoryResponse, ReportingEvent,
};

use super::intake::Batch;
use super::states::Scanned;
use crate::point::Point;
use crate::soap::{Answer, Refused, not_served, read};

pub(super) const NAMES: [&str; 4] =
    ["ReportEventBatch", "ReportEventBatch2", "GetRequiredInventoryType", "ReportInventory"];

pub(super) async fn answer(point: &Point, name: &str, body: &[u8]) -> Result<Answer, Refused> {
    Ok(match name {
        "ReportEventBatch" => {
            let report: ReportEventBatch = read(body)?;
            // Whoever is not registered any more shall register, and say it again.
            let known = point.admit_registered(report.cookie.as_ref()).await?;
            let ended = Timestamp(known.scan_ended.as_millis());
            let scanned = Scanned { version: known.scanned, ended };
            let times = (point.wire_now(), report.client_time);
            point.take_events(known.client, scanned, times, report.events).await?;
            Answer::of(&ReportEventBatchResponse { is_accepted: true })
        }
        "ReportEventBatch2" => {
            let report: ReportEventBatch2 = read(body)?;
            let computer = report.computer_id.parse();
            let computer = computer.map_err(|_| Refused::parameter("computerId"))?;
            let mut events = report.events;
            events.retain(|event| event.basic.target.is_some());
            // Whoever has not registered is nobody whose states could be kept.
            if point.computers.knows(computer).await? {
                let times = (point.wire_now(), report.client_time);
                point.take_events(computer, Scanned::default(), times, events).await?;
            }
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
    /// Keeps what a registered computer says of itself. `times`: now, by our clock and by its own.
    async fn take_events(
        &self,
        computer: Uuid,
        scanned: Scanned,
        (now, client_time): (WireTime, WireTime),
        mut events: Vec<ReportingEvent>,
    ) -> Result<(), Refused> {
        let sent = events.len();
        events.retain(|event| is_of(event, computer));
        let kept = events.len();
        tracing::info!(client = %computer, events = kept, "a computer reported");
        if kept < sent {
            tracing::warn!(client = %computer, dropped = sent - kept, "events of another computer");
        }
        if events.is_empty() {
            return Ok(());
        }
        let received_at = Timestamp(now.as_millis());
        self.intake.take(Batch { computer, scanned, received_at, client_time, events }).await
    }
}

fn is_of(event: &ReportingEvent, computer: Uuid) -> bool {
    let named = event.basic.target.as_ref().map(|target| target.sid.trim_matches(['{', '}']));
    named.is_none_or(|sid| sid.parse() == Ok(computer))
}
