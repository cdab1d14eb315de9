//! What those between a client and its site keep in a spool until the site has it: registrations,
//! reports and inventories in one order, so that a client is known before it is heard.
//!
//! Owns the bytes of an entry, how entries become requests, and what an answer means for them.
//! Refuses to know spools and connections. An entry that the site refuses, or that cannot be read,
//! is named, so that it blocks nobody; without an answer, everything stays.

use std::collections::{BTreeMap, BTreeSet};

use model::{ClientId, ErrorClass, Invalid, Timestamp};
use prost::Message as _;
use tonic::Status;

use crate::limits::{INVENTORIES_MAX, MESSAGE_BYTES_MAX, REPORTS_MAX};
use crate::pb::client::{InventoryReport, StateReport};
use crate::pb::management::{
    Outcome, RegisterClientRequest, SubmitInventoriesRequest, SubmitInventoriesResponse,
    SubmitStatesRequest, SubmitStatesResponse, Voice,
};
use crate::status;

const REGISTRATION: u8 = 1;
const REPORT: u8 = 2;
const INVENTORY: u8 = 3;

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
    /// As above, of inventory reports.
    SubmitInventories {
        ids: Vec<u64>,
        request: SubmitInventoriesRequest,
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
    SendFull(ClientId, Wanted),
    /// The client shall send its whole inventory.
    SendInventory(ClientId),
    /// One of the entries is refused: send each alone to learn which.
    OneByOne,
    Later(Status),
}

/// What a site answers to a submission: an outcome for each report, and of those that are behind
/// the last serial that is there.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub outcomes: Vec<i32>,
    pub known_serials: Vec<u64>,
}

impl From<SubmitStatesResponse> for Answer {
    fn from(answer: SubmitStatesResponse) -> Answer {
        let SubmitStatesResponse { outcomes, known_serials } = answer;
        Answer { outcomes, known_serials }
    }
}

impl From<SubmitInventoriesResponse> for Answer {
    fn from(answer: SubmitInventoriesResponse) -> Answer {
        Answer { outcomes: answer.outcomes, known_serials: Vec::new() }
    }
}

impl Answer {
    fn known_serial(&self, index: usize) -> u64 {
        self.known_serials.get(index).copied().unwrap_or(0)
    }
}

/// Why a client shall send everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Something is missing.
    Anyhow,
    /// Only if it has sent no serial of this incarnation beyond the last one that the site has.
    IfBehind { incarnation: u64, known: u64 },
}

/// A client is woken this often to send everything. Two computers of one name put each other
/// behind, and would never rest.
const WAKE_AGAIN_MS: i64 = 10 * 60 * 1000;

/// The clients that shall send everything. Losing this costs one more report of each.
#[derive(Debug, Default)]
pub struct Incomplete {
    wanted: BTreeMap<ClientId, Wanted>,
    /// Who was woken for it since then.
    woken: BTreeSet<ClientId>,
    woken_since: Timestamp,
}

impl Incomplete {
    /// The site has said so. Answers which of the clients shall be woken to hear it.
    pub fn want_all(&mut self, verdicts: &[Verdict], now: Timestamp) -> Vec<ClientId> {
        let wanted = verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::SendFull(client, wanted) => Some((*client, *wanted)),
            _ => None,
        });
        wanted
            .filter(|(client, wanted)| self.want(*client, *wanted, now))
            .map(|(id, _)| id)
            .collect()
    }

    fn want(&mut self, client: ClientId, wanted: Wanted, now: Timestamp) -> bool {
        match wanted {
            // Whoever shall say everything anyhow need not be behind for it.
            Wanted::IfBehind { .. } if self.wanted.get(&client) == Some(&Wanted::Anyhow) => {}
            Wanted::IfBehind { .. } | Wanted::Anyhow => drop(self.wanted.insert(client, wanted)),
        }
        if !(0..WAKE_AGAIN_MS).contains(&(now.0 - self.woken_since.0)) {
            (self.woken, self.woken_since) = (BTreeSet::new(), now);
        }
        self.woken.insert(client)
    }

    /// It was woken for it. Whether it is behind is said by what it sends next.
    pub fn want_anyhow(&mut self, client: ClientId) {
        self.wanted.entry(client).or_insert(Wanted::Anyhow);
    }

    /// What a client hears before the site has heard of its report: that it is safe, that
    /// everything is wanted, or that it is behind, and after which serial. A report that is behind
    /// is of no use to the site.
    pub fn first_word(&mut self, client: ClientId, report: &StateReport) -> (Outcome, u64) {
        match self.wanted.remove(&client) {
            Some(Wanted::Anyhow) if !report.full => (Outcome::SendFull, 0),
            Some(Wanted::IfBehind { incarnation, known })
                if report.incarnation == incarnation && report.serial_to <= known =>
            {
                (Outcome::Behind, known)
            }
            Some(_) | None => (Outcome::Unspecified, 0),
        }
    }
}

#[must_use]
pub fn registration(request: &RegisterClientRequest) -> Vec<u8> {
    [&[REGISTRATION], &request.encode_to_vec()[..]].concat()
}

/// Of an encoded `client.v1.StateReport`, readable or not, and by whose voice it came.
#[must_use]
pub fn report(voice: Voice, report: &[u8]) -> Vec<u8> {
    said(REPORT, voice, report)
}

/// Of an encoded `client.v1.InventoryReport`, in the same way.
#[must_use]
pub fn inventory(voice: Voice, report: &[u8]) -> Vec<u8> {
    said(INVENTORY, voice, report)
}

fn said(tag: u8, voice: Voice, report: &[u8]) -> Vec<u8> {
    // A voice that comes to need more than a byte is none.
    [&[tag, u8::try_from(i32::from(voice)).unwrap_or_default()], report].concat()
}

/// A report as a client sent it, encoded.
#[must_use]
pub fn encode_report(report: &StateReport) -> Vec<u8> {
    report.encode_to_vec()
}

/// An inventory report as a client sent it, encoded.
#[must_use]
pub fn encode_inventory(report: &InventoryReport) -> Vec<u8> {
    report.encode_to_vec()
}

/// Whom an inventory report is of, if that can be read.
#[must_use]
pub fn described(report: &[u8]) -> Option<ClientId> {
    ClientId::from_slice(&InventoryReport::decode(report).ok()?.client).ok()
}

/// A report and whom it is of, if that can be read.
#[must_use]
pub fn reporter(report: &[u8]) -> Option<(ClientId, StateReport)> {
    let report = StateReport::decode(report).ok()?;
    Some((ClientId::from_slice(&report.client).ok()?, report))
}

/// Makes a request of entries, oldest first: one registration, or as many reports of one kind and
/// voice as fit.
#[must_use]
pub fn next(entries: Vec<(u64, Vec<u8>)>) -> Option<Next> {
    let (mut ids, mut bytes, mut kind, mut reports) = (Vec::new(), 0, (REPORT, 0), Vec::new());
    for (id, body) in entries.into_iter().take(REPORTS_MAX) {
        bytes += body.len();
        let said = match body.as_slice() {
            [tag @ (REPORT | INVENTORY), voice, report @ ..] => Some(((*tag, *voice), report)),
            _ => None,
        };
        let is_same = said.is_some_and(|(said, _)| said == kind);
        let is_full = kind.0 == INVENTORY && ids.len() >= INVENTORIES_MAX;
        if !ids.is_empty() && (!is_same || is_full || bytes > SUBMISSION_BYTES_MAX) {
            break;
        }
        let Some((said, report)) = said else { return Some(first(id, &body)) };
        ids.push(id);
        kind = said;
        reports.push(report.to_vec());
    }
    let voice = i32::from(kind.1);
    (!ids.is_empty()).then(|| match kind.0 {
        INVENTORY => {
            Next::SubmitInventories { ids, request: SubmitInventoriesRequest { reports, voice } }
        }
        _ => {
            let request = SubmitStatesRequest { reports, voice, ..Default::default() };
            Next::Submit { ids, request }
        }
    })
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

/// What the site was told last of what waits here and was set aside. It keeps that.
#[derive(Debug, Default)]
pub struct ToldBacklog(Option<(u64, u64)>);

impl ToldBacklog {
    /// The site may have been put back to what it was before.
    pub fn forget(&mut self) {
        self.0 = None;
    }

    /// What tells it that nothing waits any more, unless it knows.
    #[must_use]
    pub fn last_word(&self, set_aside: u64) -> Option<Next> {
        // Nothing is said of anybody; a secondary site has to name some voice.
        let voice = Voice::Agents.into();
        let request = SubmitStatesRequest { voice, set_aside, ..SubmitStatesRequest::default() };
        let has_heard = self.has_heard((0, set_aside));
        (!has_heard).then_some(Next::Submit { ids: Vec::new(), request })
    }

    pub fn note(&mut self, answered: &Next) {
        if let Next::Submit { request, .. } = answered {
            self.say((request.waiting, request.set_aside));
        }
    }

    /// What waits, and what was set aside.
    pub fn say(&mut self, backlog: (u64, u64)) {
        self.0 = Some(backlog);
    }

    #[must_use]
    pub fn has_heard(&self, backlog: (u64, u64)) -> bool {
        self.0 == Some(backlog)
    }
}

impl Next {
    /// Says with reports how many entries wait behind them, of `queued` in all, and how many were
    /// set aside.
    pub fn say_backlog(&mut self, queued: u64, set_aside: u64) {
        if let Next::Submit { ids, request } = self {
            request.waiting = queued.saturating_sub(ids.len() as u64);
            request.set_aside = set_aside;
        }
    }

    /// What the site's answer means, in the order to act on it. Of a registration the answer holds
    /// nothing, of a submission one outcome per report.
    #[must_use]
    pub fn settle(&self, answer: Result<Answer, Status>) -> Vec<Verdict> {
        let refused = |status: &Status| {
            matches!(status::class(status), ErrorClass::Invalid | ErrorClass::Conflict)
        };
        match (self, answer) {
            (Next::Unreadable { id, reason }, _) => {
                vec![Verdict::SetAside(*id, reason.to_string())]
            }
            (Next::Register { id, .. }, Err(status)) if refused(&status) => {
                vec![Verdict::SetAside(*id, status.message().to_owned())]
            }
            (Next::Submit { ids, .. } | Next::SubmitInventories { ids, .. }, Err(status))
                if refused(&status) =>
            {
                match ids.as_slice() {
                    [] => vec![Verdict::Later(status)],
                    [id] => vec![Verdict::SetAside(*id, status.message().to_owned())],
                    _ => vec![Verdict::OneByOne],
                }
            }
            (_, Err(status)) => vec![Verdict::Later(status)],
            (Next::Register { id, .. }, Ok(_)) => vec![Verdict::Acknowledge(*id)],
            (Next::Submit { ids, request }, Ok(answer)) => {
                let full = |report: &[u8], behind: Option<u64>| {
                    let (client, report) = reporter(report)?;
                    let incarnation = report.incarnation;
                    let wanted = behind.map(|known| Wanted::IfBehind { incarnation, known });
                    Some(Verdict::SendFull(client, wanted.unwrap_or(Wanted::Anyhow)))
                };
                submitted(ids, &request.reports, &answer, full)
            }
            (Next::SubmitInventories { ids, request }, Ok(answer)) => {
                let full =
                    |report: &[u8], _: Option<u64>| described(report).map(Verdict::SendInventory);
                submitted(ids, &request.reports, &answer, full)
            }
        }
    }
}

/// `full`: who shall send everything after a report, and whether only because it is behind.
fn submitted(
    ids: &[u64],
    reports: &[Vec<u8>],
    answer: &Answer,
    full: impl Fn(&[u8], Option<u64>) -> Option<Verdict>,
) -> Vec<Verdict> {
    let outcomes = &answer.outcomes;
    if ids.len() != outcomes.len() {
        let text = format!("{} outcomes for {} reports", outcomes.len(), ids.len());
        return vec![Verdict::Later(status::refuse(ErrorClass::Internal, text))];
    }
    let mut verdicts = Vec::new();
    for (index, ((id, report), outcome)) in ids.iter().zip(reports).zip(outcomes).enumerate() {
        match Outcome::try_from(*outcome) {
            Ok(Outcome::Rejected) => {
                let reason = "the site cannot read it, or the client is not registered there";
                verdicts.push(Verdict::SetAside(*id, reason.to_owned()));
            }
            Ok(Outcome::SendFull) => verdicts.extend(full(report, None)),
            Ok(Outcome::Behind) => {
                verdicts.extend(full(report, Some(answer.known_serial(index))));
            }
            Ok(Outcome::Unspecified | Outcome::Applied | Outcome::Known) | Err(_) => {}
        }
    }
    verdicts.extend(ids.last().copied().map(Verdict::Acknowledge));
    verdicts
}

#[cfg(test)]
mod tests;
