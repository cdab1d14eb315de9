//! What computers report: events and inventory (MS-WUSP 2.2.2.3).
//!
//! Reports are acknowledged to whoever sends them and go into the log, nowhere else: while nothing
//! is offered for installation there is nothing that they decide. Inventory is not asked for.
//! Refuses to know what an event means for compliance.

use wsus_protocol::reporting::{
    GetRequiredInventoryType, GetRequiredInventoryTypeResponse, ReportEventBatch,
    ReportEventBatch2, ReportEventBatch2Response, ReportEventBatchResponse, ReportInventory,
    ReportInventoryResponse, ReportingEvent,
};

use crate::point::Point;
use crate::soap::{Answer, Refused, not_served, read};

pub(super) const NAMES: [&str; 4] =
    ["ReportEventBatch", "ReportEventBatch2", "GetRequiredInventoryType", "ReportInventory"];

pub(super) fn answer(point: &Point, name: &str, body: &[u8]) -> Result<Answer, Refused> {
    Ok(match name {
        "ReportEventBatch" => {
            let report: ReportEventBatch = read(body)?;
            let client = point.admit_computer(report.cookie.as_ref())?.client;
            note(&client.to_string(), &report.events);
            Answer::of(&ReportEventBatchResponse { is_accepted: true })
        }
        "ReportEventBatch2" => {
            let report: ReportEventBatch2 = read(body)?;
            if report.computer_id.parse::<uuid::Uuid>().is_err() {
                return Err(Refused::parameter("computerId"));
            }
            note(&report.computer_id, &report.events);
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

/// One line for a batch; what is in it only for those who look closely.
fn note(client: &str, events: &[ReportingEvent]) {
    tracing::info!(client, events = events.len(), "a computer reported");
    for event in events.iter().map(|event| &event.basic) {
        let (number, source) = (event.event, event.source);
        tracing::debug!(client, number, source, hresult = event.hresult, "an event");
    }
}
