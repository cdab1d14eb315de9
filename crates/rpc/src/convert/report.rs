//! State reports of clients.

use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ClientId, ComplianceState,
    DeploymentChange, DeploymentId, DeploymentState, EnforcementState, GivenUpVersion, Invalid,
    LastScan, RefusedServer, SetAside, SourceScan, StateChange, StateReport, Timestamp, UpdateId,
    UpdateRef, UpdateState,
};
use prost::Message as _;

use crate::limits::{
    GIVEN_UP_MAX, GIVEN_UP_TEXT_BYTES_MAX, REFUSED_SERVERS_MAX, REFUSED_TEXT_BYTES_MAX,
    REPORT_CHANGES_MAX, REPORT_DEPLOYMENTS_MAX, SCAN_SERVER_BYTES_MAX, SET_ASIDE_MAX,
    SET_ASIDE_TEXT_BYTES_MAX,
};
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
            deployments: value.deployments.iter().map(Into::into).collect(),
            deployments_digest: value.deployments_digest.to_vec(),
            scan: value.scan.as_ref().map(Into::into),
            refused: value.refused.iter().map(Into::into).collect(),
            given_up: value.given_up.iter().map(Into::into).collect(),
            set_aside: value.set_aside.iter().map(Into::into).collect(),
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

impl From<&GivenUpVersion> for pb::GivenUpVersion {
    fn from(value: &GivenUpVersion) -> pb::GivenUpVersion {
        let GivenUpVersion { version, running, code, reason } = value.clone();
        pb::GivenUpVersion { version, running, code, reason }
    }
}

impl TryFrom<pb::GivenUpVersion> for GivenUpVersion {
    type Error = Invalid;

    fn try_from(message: pb::GivenUpVersion) -> Result<GivenUpVersion, Invalid> {
        let pb::GivenUpVersion { version, running, code, reason } = message;
        if version.len().max(running.len()).max(reason.len()) > GIVEN_UP_TEXT_BYTES_MAX {
            let reason = format!("a version or a reason is over {GIVEN_UP_TEXT_BYTES_MAX} bytes");
            return Err(Invalid::new("given_up", reason));
        }
        Ok(GivenUpVersion { version, running, code, reason })
    }
}

impl From<&SetAside> for pb::SetAside {
    fn from(value: &SetAside) -> pb::SetAside {
        let SetAside { what, reason, count } = value.clone();
        pb::SetAside { what, reason, count }
    }
}

impl TryFrom<pb::SetAside> for SetAside {
    type Error = Invalid;

    fn try_from(message: pb::SetAside) -> Result<SetAside, Invalid> {
        let pb::SetAside { what, reason, count } = message;
        if what.len().max(reason.len()) > SET_ASIDE_TEXT_BYTES_MAX {
            let reason = format!("a name or a reason is over {SET_ASIDE_TEXT_BYTES_MAX} bytes");
            return Err(Invalid::new("set_aside", reason));
        }
        Ok(SetAside { what, reason, count })
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
            deployments,
            deployments_digest,
            scan,
            refused,
            given_up,
            set_aside,
        } = message;
        at_most("refused", refused.len(), REFUSED_SERVERS_MAX)?;
        at_most("given_up", given_up.len(), GIVEN_UP_MAX)?;
        at_most("set_aside", set_aside.len(), SET_ASIDE_MAX)?;
        at_most("changes", changes.len(), REPORT_CHANGES_MAX)?;
        at_most("deployments", deployments.len(), REPORT_DEPLOYMENTS_MAX)?;
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
            digest_after: digest("digest_after", digest_after)?,
            deployments: deployments
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            deployments_digest: digest("deployments_digest", deployments_digest)?,
            scan: scan.map(TryInto::try_into).transpose()?,
            refused: refused.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            given_up: given_up.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            set_aside: set_aside.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

fn at_most(field: &'static str, count: usize, max: usize) -> Result<(), Invalid> {
    if count > max {
        return Err(Invalid::new(
            field,
            format!("are {count}, of at most {max}; split the report"),
        ));
    }
    Ok(())
}

fn digest(field: &'static str, bytes: Vec<u8>) -> Result<[u8; 32], Invalid> {
    bytes.try_into().map_err(|_| Invalid::new(field, "is not 32 bytes"))
}

impl From<&DeploymentChange> for pb::DeploymentChange {
    fn from(DeploymentChange { deployment, state }: &DeploymentChange) -> pb::DeploymentChange {
        let state = state.map(|state| pb::DeploymentState {
            compliance: state.compliance.number(),
            enforcement: state.enforcement.map_or(0, AssignmentEnforcement::number),
            evaluation: state.evaluation.number(),
            code: state.code,
            at_ms: state.at.0,
        });
        pb::DeploymentChange { deployment: deployment.as_bytes().to_vec(), state }
    }
}

impl TryFrom<pb::DeploymentChange> for DeploymentChange {
    type Error = Invalid;

    fn try_from(message: pb::DeploymentChange) -> Result<DeploymentChange, Invalid> {
        let pb::DeploymentChange { deployment, state } = message;
        let read = |state: pb::DeploymentState| {
            let pb::DeploymentState { compliance, enforcement, evaluation, code, at_ms } = state;
            let enforcement = match enforcement {
                0 => None,
                number => Some(AssignmentEnforcement::from_number(number)?),
            };
            Ok(DeploymentState {
                compliance: AssignmentCompliance::from_number(compliance)?,
                enforcement,
                evaluation: AssignmentEvaluation::from_number(evaluation)?,
                code,
                at: Timestamp(at_ms),
            })
        };
        let deployment = DeploymentId::from_slice(&deployment)?;
        Ok(DeploymentChange { deployment, state: state.map(read).transpose()? })
    }
}

impl From<&LastScan> for pb::LastScan {
    fn from(scan: &LastScan) -> pb::LastScan {
        let LastScan { state, server, at, duration_ms, bytes, code } = scan;
        pb::LastScan {
            state: state.number(),
            server: server.clone(),
            at_ms: at.0,
            duration_ms: *duration_ms,
            bytes: *bytes,
            code: *code,
        }
    }
}

impl TryFrom<pb::LastScan> for LastScan {
    type Error = Invalid;

    fn try_from(message: pb::LastScan) -> Result<LastScan, Invalid> {
        let pb::LastScan { state, server, at_ms, duration_ms, bytes, code } = message;
        if server.len() > SCAN_SERVER_BYTES_MAX {
            let reason = format!("is {} bytes, of at most {SCAN_SERVER_BYTES_MAX}", server.len());
            return Err(Invalid::new("scan.server", reason));
        }
        let state = SourceScan::from_number(state)?;
        Ok(LastScan { state, server, at: Timestamp(at_ms), duration_ms, bytes, code })
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

#[cfg(test)]
mod tests;
