//! What downstream servers report of themselves (MS-WSUSSS 3.1.4.13 to 3.1.4.17).
//!
//! Owns the configuration of these reports and their checks. We ask for summaries alone: the
//! states of our clients come by another road, and those of a foreign server's clients are its
//! own affair. A report of single computers is refused, as the protocol asks of a server that did
//! not order it. Refuses to keep anything.

use wsus_protocol::rollup::{
    GetRollupConfiguration, RollupConfiguration, RollupDownstreamServers,
    RollupDownstreamServersResponse,
};
use wsus_protocol::{Endpoint, ErrorCode};

use crate::point::Point;
use crate::soap::{Answer, Refused, not_served, read};

/// Batch sizes of the original server.
const SUMMARIES_MAX: i32 = 5_000;
const COMPUTERS_MAX: i32 = 1_500;
const OUT_OF_SYNC_COMPUTERS_MAX: i32 = 20_000;
const COMPUTER_STATUSES_MAX: i32 = 500;

pub(crate) fn answer(point: &Point, endpoint: Endpoint, body: &[u8]) -> Result<Answer, Refused> {
    match endpoint.name {
        "GetRollupConfiguration" => {
            let GetRollupConfiguration { .. } = read(body)?;
            Ok(Answer::of(&point.rollup_configuration()))
        }
        "RollupDownstreamServers" => take_servers(&read(body)?),
        "RollupComputers" | "GetOutOfSyncComputers" | "RollupComputerStatus" => {
            Err(Refused::with(ErrorCode::InvalidParameters, "DoDetailedRollup"))
        }
        _ => Err(not_served()),
    }
}

fn take_servers(report: &RollupDownstreamServers) -> Result<Answer, Refused> {
    let summaries: usize = report.servers.iter().map(|server| server.clients.len()).sum();
    if summaries > SUMMARIES_MAX as usize {
        return Err(Refused::parameter("downstreamServers"));
    }
    for server in &report.servers {
        let (name, id) = (&server.domain_name, server.server_id);
        let computers = server.summary.as_ref().map_or(0, |summary| summary.computers);
        tracing::info!(name, %id, computers, "a downstream server reported");
    }
    Ok(Answer::of(&RollupDownstreamServersResponse {}))
}

impl Point {
    /// A new catalog has a new identity, after which everything is to be reported again.
    fn rollup_configuration(&self) -> RollupConfiguration {
        RollupConfiguration {
            is_detailed: false,
            reset_guid: self.server_id,
            server_id: self.server_id,
            downstream_servers_max: SUMMARIES_MAX,
            computers_max: COMPUTERS_MAX,
            out_of_sync_computers_max: OUT_OF_SYNC_COMPUTERS_MAX,
            computer_statuses_max: COMPUTER_STATUSES_MAX,
        }
    }
}
