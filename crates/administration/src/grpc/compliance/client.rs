//! One client's answer: it is in its vector, and the board is not needed.

use std::collections::BTreeSet;

use compliance::{Bucket, LiveItem, StateCounts, UnknownReason, client_counts, state_of};
use model::{
    AssignmentEnforcement, ClientRecord, DeploymentId, DeploymentState, Detail, Hresult, Item,
    LastScan, ObjectCode, Owner, SourceScan, Vector,
};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::unknown::Silence;
use super::{Deployed, all_deployed, is_wide, live_items};
use crate::admin::View;
use crate::grpc::noun::{CLIENT, DEPLOYMENT};
use crate::grpc::{Answer, LANGUAGE, collection};

pub(in crate::grpc) fn client(
    v: &View<'_>,
    asked: pb::GetClientComplianceRequest,
) -> Answer<pb::GetClientComplianceResponse> {
    let (owner, record) = CLIENT.found(v, &asked.id)?;
    let (vector, items) = (v.vector(record.id)?, live_items(v)?);
    let vector = vector.as_ref();
    let StateCounts { required, installed, not_required, unknown } =
        client_counts(vector, items.iter().copied());
    let deployments = deployments(v, (owner, &record), vector)?;
    let row = pb::ClientCompliance {
        id: record.id.to_string(),
        covered: vector.map_or(0, |vector| vector.covered),
        required,
        installed,
        not_required,
        unknown,
        reason: reason(v, owner, vector)?,
        serial: vector.map_or(0, |vector| vector.serial),
        name: record.name,
    };
    let states = vector.map_or(Ok(Vec::new()), |vector| states(v, vector, &items))?;
    let scan = vector.and_then(scan_row);
    Ok(pb::GetClientComplianceResponse { row: Some(row), states, deployments, scan })
}

/// Why something is unknown of it, if one reason is behind all of it.
fn reason(v: &View<'_>, owner: Owner, vector: Option<&Vector>) -> Answer<String> {
    // Of an update that no list names and every catalog has: only a general reason remains.
    let anything = LiveItem { number: u32::MAX, since: 0 };
    Ok(match (state_of(vector, anything).1, vector) {
        // In the client's own words, which name the server that it could not scan with, or what its
        // code means.
        (Some(failed @ UnknownReason::ScanFailed), Some(Vector { scan_error: Some(said), .. })) => {
            let code = said.parse::<Hresult>();
            let said = code.map_or_else(|_| said.clone(), |code| code.to_string());
            format!("{}: {said}", failed.as_str())
        }
        (Some(reason), _) => Silence::of_sites(v)?.says(reason, owner, v.identity().code()),
        (None, _) => String::new(),
    })
}

/// The updates that its lists name and that count.
fn states(r: &Reader<'_>, vector: &Vector, items: &[LiveItem]) -> Answer<Vec<pb::ClientUpdate>> {
    let mut states = Vec::new();
    let counts: BTreeSet<u32> = items.iter().map(|item| item.number).collect();
    for (number, state) in vector.listed().filter(|(number, _)| counts.contains(number)) {
        let Some(known) = r.item_by_number(number)? else { continue };
        let item: Item = r.require(known.id.as_bytes())?;
        let detail = vector.detail.iter().find(|detail| detail.item == number);
        states.push(pb::ClientUpdate {
            id: known.id.to_string(),
            title: item.title(LANGUAGE),
            state: state.as_str().to_owned(),
            progress: detail.map_or("", |detail| detail.state.as_str()).to_owned(),
            code: detail.map_or(0, |detail| detail.code),
            meaning: detail.filter(failed).map_or(String::new(), |detail| meaning(detail.code)),
        });
    }
    Ok(states)
}

fn failed(detail: &&Detail) -> bool {
    detail.state.is_failure()
}

/// What a code means and what helps; empty if nothing is known of it.
fn meaning(code: i32) -> String {
    let code = Hresult(code);
    if code.is_known() { code.to_string() } else { String::new() }
}

/// What targets it, and what it says it has policy for.
fn deployments(
    v: &View<'_>,
    (owner, record): (Owner, &ClientRecord),
    vector: Option<&Vector>,
) -> Answer<Vec<pb::ClientDeployment>> {
    let (reached, waiting) = collection::of_client(v, record)?;
    let is_member = |code: &ObjectCode| reached.contains(code);
    let is_told = |code: &ObjectCode| !waiting.contains(code);
    let targets = |one: &Deployed| {
        let deployment = &one.deployment;
        (is_wide(v, one.owner) || one.owner == owner)
            && is_told(&deployment.collection)
            && is_member(&deployment.collection)
            && deployment.except.iter().all(|code| is_told(code) && !is_member(code))
    };
    let said = |id: DeploymentId| {
        let all = vector.map_or(&[][..], |vector| &vector.deployments);
        let found = all.binary_search_by_key(&id, |(id, _)| *id).ok();
        found.map(|index| all[index].1)
    };
    let mut rows = Vec::new();
    for one in all_deployed(v, |_| true)?.into_iter().filter(targets) {
        let (id, name) = (one.deployment.id, one.deployment.name.clone());
        let bucket = Bucket::of_target(vector, &one.items()).as_str();
        rows.push((id, deployment_row((id, name), bucket, said(id))));
    }
    for (id, state) in vector.into_iter().flat_map(|vector| &vector.deployments) {
        if rows.iter().all(|(known, _)| known != id) {
            let known = DEPLOYMENT.found(v, &id.to_string()).ok();
            let name = known.map_or(String::new(), |(_, deployment)| deployment.name);
            rows.push((*id, deployment_row((*id, name), "", Some(*state))));
        }
    }
    rows.sort_by_key(|(id, _)| *id);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

fn deployment_row(
    (id, name): (DeploymentId, String),
    bucket: &str,
    said: Option<DeploymentState>,
) -> pb::ClientDeployment {
    let mut row = pb::ClientDeployment {
        id: id.to_string(),
        name,
        bucket: bucket.to_owned(),
        ..pb::ClientDeployment::default()
    };
    let Some(DeploymentState { compliance, enforcement, evaluation, code, at }) = said else {
        return row;
    };
    row.compliance = compliance.number();
    row.compliance_name = compliance.as_str().to_owned();
    row.enforcement = enforcement.map_or(0, AssignmentEnforcement::number);
    row.enforcement_name = enforcement.map_or("", AssignmentEnforcement::as_str).to_owned();
    row.evaluation = evaluation.number();
    row.evaluation_name = evaluation.as_str().to_owned();
    (row.code, row.meaning, row.at) = (code, meaning(code), Some(wire_time(at)));
    row
}

/// In its own words, or what its vector leaves to conclude: Windows computers say less.
fn scan_row(vector: &Vector) -> Option<pb::ClientScan> {
    let scan = match &vector.scan {
        Some(scan) => scan.clone(),
        None if vector.covered == 0 && vector.scan_error.is_none() => return None,
        None => {
            let error = vector.scan_error.as_deref();
            let code = error.map_or(0, |said| said.parse::<Hresult>().map_or(0, |code| code.0));
            let state = error.map_or(SourceScan::Complete, |_| SourceScan::Failed);
            let (server, at) = (String::new(), vector.scanned_at);
            LastScan { state, server, at, duration_ms: 0, bytes: 0, code }
        }
    };
    let LastScan { state, server, at, duration_ms, bytes, code } = scan;
    Some(pb::ClientScan {
        state: state.number(),
        name: state.as_str().to_owned(),
        server,
        at: Some(wire_time(at)),
        duration_ms,
        bytes,
        code,
        meaning: meaning(code),
    })
}
