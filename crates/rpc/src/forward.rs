//! What those between a client and its site keep in a spool until the site has it: registrations
//! and reports in one order, so that a client is known before it is heard.
//!
//! Owns the bytes of an entry, how entries become requests, and what an answer means for them.
//! Refuses to know spools and connections. An entry that the site refuses, or that cannot be read,
//! is named, so that it blocks nobody; without an answer, everything stays.

use model::{ClientId, ErrorClass, Invalid};
use prost::Message as _;
use tonic::Status;

use crate::limits::{MESSAGE_BYTES_MAX, REPORTS_MAX};
use crate::pb::client::StateReport;
use crate::pb::management::{Outcome, RegisterClientRequest, SubmitStatesRequest, Voice};
use crate::status;

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

/// What an answer means for the spool.
#[derive(Debug)]
pub enum Verdict {
    /// The site has everything up to this entry.
    Acknowledge(u64),
    /// The entry will never be taken, for this reason.
    SetAside(u64, String),
    /// The client shall send everything.
    SendFull(ClientId),
    /// One of the entries is refused: send each alone to learn which.
    OneByOne,
    Later(Status),
}

#[must_use]
pub fn registration(request: &RegisterClientRequest) -> Vec<u8> {
    [&[REGISTRATION], &request.encode_to_vec()[..]].concat()
}

/// Of an encoded `client.v1.StateReport`, readable or not, and by whose voice it came.
#[must_use]
pub fn report(voice: Voice, report: &[u8]) -> Vec<u8> {
    // A voice that comes to need more than a byte is none.
    [&[REPORT, u8::try_from(i32::from(voice)).unwrap_or_default()], report].concat()
}

/// A report as a client sent it, encoded.
#[must_use]
pub fn encode_report(report: &StateReport) -> Vec<u8> {
    report.encode_to_vec()
}

/// Whom a report is of, if that can be read.
#[must_use]
pub fn reporter(report: &[u8]) -> Option<ClientId> {
    ClientId::from_slice(&StateReport::decode(report).ok()?.client).ok()
}

/// Makes a request of entries, oldest first: one registration, or as many reports of one voice as
/// fit.
#[must_use]
pub fn next(entries: Vec<(u64, Vec<u8>)>) -> Option<Next> {
    let (mut ids, mut bytes, mut request) = (Vec::new(), 0, SubmitStatesRequest::default());
    for (id, body) in entries.into_iter().take(REPORTS_MAX) {
        bytes += body.len();
        let said = match body.as_slice() {
            [REPORT, voice, report @ ..] => Some((i32::from(*voice), report)),
            _ => None,
        };
        let is_same = said.is_some_and(|(voice, _)| voice == request.voice);
        if !ids.is_empty() && (!is_same || bytes > SUBMISSION_BYTES_MAX) {
            break;
        }
        let Some((voice, report)) = said else { return Some(first(id, &body)) };
        ids.push(id);
        request.voice = voice;
        request.reports.push(report.to_vec());
    }
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

impl Next {
    /// What the site's answer means, in the order to act on it. Of a registration the answer holds
    /// nothing, of a submission one outcome per report.
    #[must_use]
    pub fn settle(&self, answer: Result<Vec<i32>, Status>) -> Vec<Verdict> {
        let refused = |status: &Status| {
            matches!(status::class(status), ErrorClass::Invalid | ErrorClass::Conflict)
        };
        match (self, answer) {
            (Next::Unreadable { id, reason }, _) => {
                vec![Verdict::SetAside(*id, reason.to_string())]
            }
            (Next::Submit { ids, .. }, Err(status)) if refused(&status) && ids.len() > 1 => {
                vec![Verdict::OneByOne]
            }
            (Next::Register { id, .. }, Err(status)) if refused(&status) => {
                vec![Verdict::SetAside(*id, status.message().to_owned())]
            }
            (Next::Submit { ids, .. }, Err(status)) if refused(&status) => {
                vec![Verdict::SetAside(ids[0], status.message().to_owned())]
            }
            (_, Err(status)) => vec![Verdict::Later(status)],
            (Next::Register { id, .. }, Ok(_)) => vec![Verdict::Acknowledge(*id)],
            (Next::Submit { ids, request }, Ok(outcomes)) => submitted(ids, request, &outcomes),
        }
    }
}

fn submitted(ids: &[u64], request: &SubmitStatesRequest, outcomes: &[i32]) -> Vec<Verdict> {
    if ids.len() != outcomes.len() {
        let text = format!("{} outcomes for {} reports", outcomes.len(), ids.len());
        return vec![Verdict::Later(status::refuse(ErrorClass::Internal, text))];
    }
    let mut verdicts = Vec::new();
    for ((id, report), outcome) in ids.iter().zip(&request.reports).zip(outcomes) {
        match Outcome::try_from(*outcome) {
            Ok(Outcome::Rejected) => {
                let reason = "the site cannot read it, or the client is not registered there";
                verdicts.push(Verdict::SetAside(*id, reason.to_owned()));
            }
            Ok(Outcome::SendFull) => verdicts.extend(reporter(report).map(Verdict::SendFull)),
            Ok(Outcome::Unspecified | Outcome::Applied | Outcome::Known) | Err(_) => {}
        }
    }
    verdicts.extend(ids.last().copied().map(Verdict::Acknowledge));
    verdicts
}

#[cfg(test)]
mod tests;
