//! State reports of clients.

use model::{
    ClientId, ComplianceState, EnforcementState, Invalid, RefusedServer, StateChange, StateReport,
    Timestamp, UpdateId, UpdateRef, UpdateState,
};
use prost::Message as _;

use crate::limits::{REFUSED_SERVERS_MAX, REFUSED_TEXT_BYTES_MAX, REPORT_CHANGES_MAX};
use crate::pb::client as pb;

#[must_use]
pub fn encode_report(report: &StateReport) -> Vec<u8> {
    pb::StateReport::from(report).encode_to_vec()
}

pub fn decode_report(bytes: &[u8]) -> Result<StateReport, Invalid> {
    let message =
        pb::StateReport::decode(bytes).map_err(|e| Invalid::new("state report", e.to_string()))?;
    message.try_into()
}

impl From<&StateReport> for pb::StateReport {
    fn from(value: &StateReport) -> pb::StateReport {
        pb::StateReport {
            client: value.client.as_bytes().to_vec(),
            incarnation: value.incarnation,
            serial_from: value.serial_from,
            serial_to: value.serial_to,
            covered: value.covered,
            scanned_at_ms: value.scanned_at.0,
            scan_error: value.scan_error.clone(),
            full: value.full,
            changes: value.changes.iter().map(Into::into).collect(),
            digest_after: value.digest_after.to_vec(),
            refused: value.refused.iter().map(Into::into).collect(),
        }
    }
}

impl From<&RefusedServer> for pb::RefusedServer {
    fn from(RefusedServer { url, reason }: &RefusedServer) -> pb::RefusedServer {
        pb::RefusedServer { url: url.clone(), reason: reason.clone() }
    }
}

impl TryFrom<pb::RefusedServer> for RefusedServer {
    type Error = Invalid;

    fn try_from(message: pb::RefusedServer) -> Result<RefusedServer, Invalid> {
        let pb::RefusedServer { url, reason } = message;
        if url.len().max(reason.len()) > REFUSED_TEXT_BYTES_MAX {
            let reason = format!("an address or a reason is over {REFUSED_TEXT_BYTES_MAX} bytes");
            return Err(Invalid::new("refused", reason));
        }
        Ok(RefusedServer { url, reason })
    }
}

impl TryFrom<pb::StateReport> for StateReport {
    type Error = Invalid;

    fn try_from(message: pb::StateReport) -> Result<StateReport, Invalid> {
        let pb::StateReport {
            client,
            incarnation,
            serial_from,
            serial_to,
            covered,
            scanned_at_ms,
            scan_error,
            full,
            changes,
            digest_after,
            refused,
        } = message;
        if refused.len() > REFUSED_SERVERS_MAX {
            let reason = format!("are more than {REFUSED_SERVERS_MAX}; say the others later");
            return Err(Invalid::new("refused", reason));
        }
        if changes.len() > REPORT_CHANGES_MAX {
            let reason = format!("are more than {REPORT_CHANGES_MAX}; split the report");
            return Err(Invalid::new("changes", reason));
        }
        if serial_from == 0 || serial_from > serial_to {
            return Err(Invalid::new("serial_from", format!("{serial_from} to {serial_to}")));
        }
        Ok(StateReport {
            client: ClientId::from_slice(&client)?,
            incarnation,
            serial_from,
            serial_to,
            covered,
            scanned_at: Timestamp(scanned_at_ms),
            scan_error,
            full,
            changes: changes.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            digest_after: digest_after
                .try_into()
                .map_err(|_| Invalid::new("digest_after", "is not 32 bytes"))?,
            refused: refused.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&StateChange> for pb::StateChange {
    fn from(value: &StateChange) -> pb::StateChange {
        let StateChange { update, state, at } = value;
        let (enforcement, code) = state.enforcement.map_or((0, 0), |(e, code)| (e as u8, code));
        pb::StateChange {
            id: update.id.as_bytes().to_vec(),
            revision: update.revision,
            state: state.state as u32,
            enforcement: u32::from(enforcement),
            code,
            at_ms: at.0,
        }
    }
}

impl TryFrom<pb::StateChange> for StateChange {
    type Error = Invalid;

    fn try_from(message: pb::StateChange) -> Result<StateChange, Invalid> {
        let pb::StateChange { id, revision, state, enforcement, code, at_ms } = message;
        let state = ComplianceState::from_number(state)?;
        let enforcement = match enforcement {
            0 => None,
            number => Some((EnforcementState::from_number(number)?, code)),
        };
        Ok(StateChange {
            update: UpdateRef { id: UpdateId::from_slice(&id)?, revision },
            state: UpdateState { state, enforcement },
            at: Timestamp(at_ms),
        })
    }
}
