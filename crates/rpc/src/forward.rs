//! What those between a client and its site keep in a spool until the site has it: registrations
//! and reports in one order, so that a client is known before it is heard.
//!
//! Owns the bytes of an entry and how entries become requests. Refuses to know spools and
//! connections. An entry that cannot be read is named, so that it blocks nobody.

use model::Invalid;
use prost::Message as _;

use crate::limits::{MESSAGE_BYTES_MAX, REPORTS_MAX};
use crate::pb::client::StateReport;
use crate::pb::management::{RegisterClientRequest, SubmitStatesRequest};

const REGISTRATION: u8 = 1;
const REPORT: u8 = 2;

/// Reports of one submission; room is left for the frame around them.
const SUBMISSION_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;

/// The next request that a spool's oldest entries make.
#[derive(Debug)]
pub enum Next {
    Register {
        id: u64,
        request: RegisterClientRequest,
    },
    /// `ids` are the entries of the reports, in their order.
    Submit {
        ids: Vec<u64>,
        request: SubmitStatesRequest,
    },
    Unreadable {
        id: u64,
        reason: Invalid,
    },
}

#[must_use]
pub fn registration(request: &RegisterClientRequest) -> Vec<u8> {
    tagged(REGISTRATION, &request.encode_to_vec())
}

/// An encoded `client.v1.StateReport`, read or not.
#[must_use]
pub fn report(report: &[u8]) -> Vec<u8> {
    tagged(REPORT, report)
}

/// The report of a message, in the form a spool and a submission take.
#[must_use]
pub fn encode_report(report: &StateReport) -> Vec<u8> {
    report.encode_to_vec()
}

/// The client a report names, if it can be read.
pub fn reporter(report: &[u8]) -> Result<model::ClientId, Invalid> {
    let message =
        StateReport::decode(report).map_err(|e| Invalid::new("state report", e.to_string()))?;
    model::ClientId::from_slice(&message.client)
}

/// Makes a request of entries, oldest first: one registration, or as many reports as fit.
#[must_use]
pub fn next(entries: Vec<(u64, Vec<u8>)>) -> Option<Next> {
    let (mut ids, mut reports, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (id, mut body) in entries.into_iter().take(REPORTS_MAX) {
        bytes += body.len();
        let is_report = body.first() == Some(&REPORT);
        if !ids.is_empty() && (!is_report || bytes > SUBMISSION_BYTES_MAX) {
            break;
        }
        if !is_report {
            return Some(first(id, &body));
        }
        ids.push(id);
        reports.push(body.split_off(1));
    }
    let request = SubmitStatesRequest { reports };
    (!ids.is_empty()).then_some(Next::Submit { ids, request })
}

fn first(id: u64, body: &[u8]) -> Next {
    let request = match body.split_first() {
        Some((&REGISTRATION, bytes)) => RegisterClientRequest::decode(bytes)
            .map_err(|e| Invalid::new("registration", e.to_string())),
        _ => Err(Invalid::new("spool entry", "is of an unknown kind")),
    };
    match request {
        Ok(request) => Next::Register { id, request },
        Err(reason) => Next::Unreadable { id, reason },
    }
}

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag], bytes].concat()
}

#[cfg(test)]
mod tests;
