//! The bytes of a state vector: canonical, so that equal content is equal bytes and a vector that
//! did not change writes nothing.
//!
//! ```text
//! version 1 | client 16 | incarnation 8 LE | serial v | covered v | scanned_at z | flags 1
//! [flag 1: scan_error: text] | required list | installed list | unjudged list | detail list |
//! deployments: length v, each: id 16, states 1 1 1, code z, at z
//! [flag 4: scan: state 1, server: text, at z, duration v, bytes v, code z]
//! ```
//! `v` is an unsigned LEB128 number in its shortest form, `z` the same after zigzag, a text its
//! length v and UTF-8. A list is its length and, for each entry, the difference of its item number
//! to the one before (the first to zero); an entry of the detail list goes on with state 1, code z,
//! at z. The states of a deployment are those of topics 300, 301 (0: none) and 302. Flag 2 is the
//! gap. Whatever deviates is refused: longer forms, unknown flags, bytes after the end.

use model::{
    AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, ClientId, DeploymentId,
    DeploymentState, Detail, EnforcementState, Invalid, LastScan, SourceScan, Timestamp, Vector,
};

use crate::Error;
use crate::limits::{CELLS_MAX, DEPLOYMENTS_MAX, SCAN_ERROR_BYTES_MAX, SCAN_SERVER_BYTES_MAX};
use bytes::{Reader, put_number, put_signed, put_text};

mod bytes;

const VERSION: u8 = 1;
const FLAG_SCAN_ERROR: u8 = 1;
const FLAG_GAP: u8 = 2;
const FLAG_SCAN: u8 = 4;

/// Fails only for a vector whose lists break the rules of the format, which [`crate::fold`] never
/// makes.
pub fn encode_vector(vector: &Vector) -> Result<Vec<u8>, Error> {
    check(vector).map_err(|reason| Error::EncodeVector { client: vector.client, reason })?;
    let cells = vector.required.len() + vector.installed.len() + vector.unjudged.len();
    let more = 12 * vector.detail.len() + 32 * vector.deployments.len();
    let mut out = Vec::with_capacity(96 + 2 * cells + more);
    out.push(VERSION);
    out.extend_from_slice(vector.client.as_bytes());
    out.extend_from_slice(&vector.incarnation.to_le_bytes());
    put_number(&mut out, vector.serial);
    put_number(&mut out, vector.covered);
    put_signed(&mut out, vector.scanned_at.0);
    let flags = [
        (vector.scan_error.is_some(), FLAG_SCAN_ERROR),
        (vector.gap, FLAG_GAP),
        (vector.scan.is_some(), FLAG_SCAN),
    ];
    out.push(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum());
    if let Some(text) = &vector.scan_error {
        put_text(&mut out, text);
    }
    for list in [&vector.required, &vector.installed, &vector.unjudged] {
        put_number(&mut out, list.len() as u64);
        let mut last = 0;
        for &item in list {
            put_number(&mut out, u64::from(item - last));
            last = item;
        }
    }
    put_details(&mut out, &vector.detail);
    put_deployments(&mut out, &vector.deployments);
    if let Some(scan) = &vector.scan {
        put_scan(&mut out, scan);
    }
    Ok(out)
}

fn put_details(out: &mut Vec<u8>, details: &[Detail]) {
    put_number(out, details.len() as u64);
    let mut last = 0;
    for detail in details {
        put_number(out, u64::from(detail.item - last));
        out.push(detail.state as u8);
        put_signed(out, i64::from(detail.code));
        put_signed(out, detail.at.0);
        last = detail.item;
    }
}

fn put_deployments(out: &mut Vec<u8>, deployments: &[(DeploymentId, DeploymentState)]) {
    put_number(out, deployments.len() as u64);
    for (id, DeploymentState { compliance, enforcement, evaluation, code, at }) in deployments {
        out.extend_from_slice(id.as_bytes());
        let enforcement = enforcement.map_or(0, |enforcement| enforcement as u8);
        out.extend_from_slice(&[*compliance as u8, enforcement, *evaluation as u8]);
        put_signed(out, i64::from(*code));
        put_signed(out, at.0);
    }
}

fn put_scan(out: &mut Vec<u8>, scan: &LastScan) {
    let LastScan { state, server, at, duration_ms, bytes, code } = scan;
    out.push(*state as u8);
    put_text(out, server);
    put_signed(out, at.0);
    put_number(out, *duration_ms);
    put_number(out, *bytes);
    put_signed(out, i64::from(*code));
}

/// Reads what [`encode_vector`] wrote, and nothing else.
pub fn decode_vector(bytes: &[u8]) -> Result<Vector, Error> {
    let mut reader = Reader::new(bytes);
    let version = reader.byte()?;
    if version != VERSION {
        return Err(Error::UnknownVersion { version });
    }
    let client = ClientId::from_slice(reader.take::<16>()?).expect("a client id is 16 bytes");
    let incarnation = u64::from_le_bytes(*reader.take()?);
    let (serial, covered) = (reader.number()?, reader.number()?);
    let scanned_at = Timestamp(reader.signed()?);
    let flags = reader.byte()?;
    if flags & !(FLAG_SCAN_ERROR | FLAG_GAP | FLAG_SCAN) != 0 {
        return Err(reader.fail("unknown flag"));
    }
    let has = |flag| flags & flag != 0;
    let scan_error = has(FLAG_SCAN_ERROR).then(|| reader.text(SCAN_ERROR_BYTES_MAX)).transpose()?;
    let vector = Vector {
        client,
        incarnation,
        serial,
        covered,
        scanned_at,
        scan_error,
        gap: has(FLAG_GAP),
        required: items(&mut reader, |_, item| Ok(item))?,
        installed: items(&mut reader, |_, item| Ok(item))?,
        unjudged: items(&mut reader, |_, item| Ok(item))?,
        detail: items(&mut reader, detail)?,
        deployments: reader.list(DEPLOYMENTS_MAX, deployment)?,
        scan: has(FLAG_SCAN).then(|| scan(&mut reader)).transpose()?,
    };
    reader.end()?;
    check(&vector).map_err(|reason| reader.fail(reason))?;
    Ok(vector)
}

/// The rules of the format that its bytes alone do not enforce; asserted on both sides.
pub(crate) fn check(vector: &Vector) -> Result<(), &'static str> {
    let Vector { required, installed, unjudged, detail, deployments, scan, .. } = vector;
    let lists = [required, installed, unjudged];
    if detail.len() > CELLS_MAX || lists.iter().any(|list| list.len() > CELLS_MAX) {
        return Err("a list is too long");
    }
    if deployments.len() > DEPLOYMENTS_MAX {
        return Err("there are too many deployments");
    }
    let ascends = |list: &&Vec<u32>| list.is_sorted_by(|a, b| a < b);
    if !lists.iter().all(ascends) || !detail.is_sorted_by(|a, b| a.item < b.item) {
        return Err("a list is not ascending");
    }
    if !deployments.is_sorted_by(|a, b| a.0 < b.0) {
        return Err("the deployments are not ascending");
    }
    let shared = |a: &[u32], b: &[u32]| a.iter().any(|item| b.binary_search(item).is_ok());
    if shared(installed, required) || shared(unjudged, required) || shared(unjudged, installed) {
        return Err("an item is in two lists");
    }
    if detail.iter().any(|detail| required.binary_search(&detail.item).is_err()) {
        return Err("a detail is about an item that is not required");
    }
    if vector.scan_error.as_ref().is_some_and(|text| text.len() > SCAN_ERROR_BYTES_MAX) {
        return Err("the scan error is too long");
    }
    if scan.as_ref().is_some_and(|scan| scan.server.len() > SCAN_SERVER_BYTES_MAX) {
        return Err("the address of a scan is too long");
    }
    Ok(())
}

fn items<'a, T>(
    reader: &mut Reader<'a>,
    entry: impl Fn(&mut Reader<'a>, u32) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut last = 0_u32;
    reader.list(CELLS_MAX, |reader| {
        let step = u32::try_from(reader.number()?).ok();
        let item = step.and_then(|step| last.checked_add(step));
        last = item.ok_or_else(|| reader.fail("an item number is too large"))?;
        entry(reader, last)
    })
}

/// One byte that is a documented state.
fn state<T>(reader: &mut Reader<'_>, read: fn(u32) -> Result<T, Invalid>) -> Result<T, Error> {
    let number = u32::from(reader.byte()?);
    read(number).map_err(|_| reader.fail("unknown state"))
}

fn detail(reader: &mut Reader<'_>, item: u32) -> Result<Detail, Error> {
    Ok(Detail {
        item,
        state: state(reader, EnforcementState::from_number)?,
        code: reader.code()?,
        at: Timestamp(reader.signed()?),
    })
}

fn deployment(reader: &mut Reader<'_>) -> Result<(DeploymentId, DeploymentState), Error> {
    let id = DeploymentId::from_slice(reader.take::<16>()?).expect("a deployment id is 16 bytes");
    let some = |number| match number {
        0 => Ok(None),
        number => AssignmentEnforcement::from_number(number).map(Some),
    };
    let state = DeploymentState {
        compliance: state(reader, AssignmentCompliance::from_number)?,
        enforcement: state(reader, some)?,
        evaluation: state(reader, AssignmentEvaluation::from_number)?,
        code: reader.code()?,
        at: Timestamp(reader.signed()?),
    };
    Ok((id, state))
}

fn scan(reader: &mut Reader<'_>) -> Result<LastScan, Error> {
    Ok(LastScan {
        state: state(reader, SourceScan::from_number)?,
        server: reader.text(SCAN_SERVER_BYTES_MAX)?,
        at: Timestamp(reader.signed()?),
        duration_ms: reader.number()?,
        bytes: reader.number()?,
        code: reader.code()?,
    })
}

#[cfg(test)]
mod tests;
