//! What comes from clients: registrations and reports, each decided and written in one transaction.

use model::{
    ClientId, ClientKind, ClientRecord, ComplianceState, GivenUpVersion, PeerIdentity, PeerKind,
    RefusedServer, ReportOutcome, Revocation, RoleKind, SetAside, Severity, SiteCode, SiteKind,
    StateChange, StateReport, StatusMessage, Timestamp,
};
use rpc::pb::management as pb;
use site_db::{Reader, Writer};

use crate::Error;
use crate::limits::DAY_MS;
use crate::refusals::Refusals;

const COMPONENT: &str = "SMS_STATE_SYSTEM";
const SERVER_REFUSED: u32 = 60_120;
const VERSION_GIVEN_UP: u32 = 60_121;
const MEMORY_SET_ASIDE: u32 = 60_122;

/// What becomes of a report: the outcome, or that it cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Outcome(ReportOutcome),
    Rejected,
}

/// Which clients a caller speaks for: those that can have come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    Windows,
    Agents,
}

impl Voice {
    /// `said`: by a secondary site, which knows its own callers. What a role says of itself counts
    /// for nothing.
    pub(crate) fn of(caller: PeerKind, said: pb::Voice) -> Result<Voice, Error> {
        match (caller, said) {
            (PeerKind::Role(RoleKind::SoftwareUpdatePoint), _)
            | (PeerKind::Site, pb::Voice::Windows) => Ok(Voice::Windows),
            (PeerKind::Role(RoleKind::ManagementPoint), _)
            | (PeerKind::Site, pb::Voice::Agents) => Ok(Voice::Agents),
            (PeerKind::Site, pb::Voice::Unspecified)
            | (PeerKind::Role(RoleKind::DistributionPoint), _)
            | (PeerKind::Client | PeerKind::Administrator, _) => Err(Error::NoVoice),
        }
    }

    pub(crate) fn admits(self, kind: ClientKind) -> bool {
        match self {
            Voice::Windows => kind == ClientKind::Windows,
            Voice::Agents => kind != ClientKind::Windows,
        }
    }
}

/// Makes or refreshes a client's record. `home` is the site its certificate names: a client is
/// assigned to the primary site that it or its secondary site is, for good, because only one site
/// may write about it.
pub(crate) fn register(
    w: &Writer<'_>,
    mut record: ClientRecord,
    home: SiteCode,
    voice: Voice,
) -> Result<(), Error> {
    let (client, site) = (record.id, w.identity().code());
    if w.identity().kind == SiteKind::Central {
        return Err(Error::NoClients { client, site });
    }
    if !voice.admits(record.kind) {
        return Err(Error::OtherVoice { client, kind: record.kind });
    }
    if home != site && !w.tree()?.is_below(home, site) {
        return Err(Error::ForeignClient { client, home, site });
    }
    if let Some((owner, held)) = w.get_owned::<ClientRecord>(client.as_bytes())? {
        if owner != w.identity().owner {
            return Err(Error::ForeignClient { client, home: owner.code, site });
        }
        if held.kind != record.kind {
            return Err(Error::OtherKind { client, held: held.kind, kind: record.kind });
        }
    }
    let (hierarchy, kind) = (w.identity().hierarchy, PeerKind::Client);
    let identity = PeerIdentity { hierarchy, site: home, kind, id: client.to_string() };
    if w.get::<Revocation>(identity.to_string().as_bytes())?.is_some() {
        return Err(Error::RemovedClient { client });
    }
    record.seen_on = Timestamp(w.now().0.div_euclid(DAY_MS) * DAY_MS);
    Ok(w.put_own(&record)?)
}

/// Folds reports in their order; one that cannot be taken harms no other.
pub(crate) fn take_reports(
    w: &Writer<'_>,
    reports: &[Option<StateReport>],
    voice: Voice,
    refusals: &Refusals,
) -> Result<Vec<Taken>, Error> {
    let take = |report: &Option<StateReport>| {
        let taken = match report {
            Some(report) if is_ours(w, report.client, voice)? => {
                Taken::Outcome(take_report(w, report, refusals)?)
            }
            _ => Taken::Rejected,
        };
        if taken == Taken::Rejected {
            w.next("state_reports_rejected")?;
        }
        Ok(taken)
    };
    reports.iter().map(take).collect()
}

/// Whether it is a client of this site whom the caller speaks for.
pub(crate) fn is_ours(r: &Reader<'_>, client: ClientId, voice: Voice) -> Result<bool, Error> {
    let record = r.get_owned::<ClientRecord>(client.as_bytes())?;
    let is_ours = |(owner, record): (_, ClientRecord)| {
        owner == r.identity().owner && voice.admits(record.kind)
    };
    Ok(record.is_some_and(is_ours))
}

/// Somebody should look at that server: it may be in the wrong hands, or damaged.
fn refusal(w: &Writer<'_>, report: &StateReport, refused: &RefusedServer) -> StatusMessage {
    let strings = vec![refused.url.clone(), refused.reason.clone()];
    said(w, report, (SERVER_REFUSED, Severity::Warning), strings)
}

/// Whoever deployed it should know before he deploys it further.
fn rollback(w: &Writer<'_>, report: &StateReport, given_up: &GivenUpVersion) -> StatusMessage {
    let GivenUpVersion { version, running, code, reason } = given_up.clone();
    let strings = vec![version, reason, format!("0x{code:08X}"), running];
    said(w, report, (VERSION_GIVEN_UP, Severity::Error), strings)
}

/// Somebody should look at that computer's disk, or ask who puts files there.
fn damage(w: &Writer<'_>, report: &StateReport, set_aside: &SetAside) -> StatusMessage {
    let SetAside { what, reason, count } = set_aside.clone();
    said(w, report, (MEMORY_SET_ASIDE, Severity::Warning), vec![what, reason, count.to_string()])
}

/// What a client said, as a message about it.
fn said(
    w: &Writer<'_>,
    report: &StateReport,
    (id, severity): (u32, Severity),
    strings: Vec<String>,
) -> StatusMessage {
    StatusMessage {
        id,
        severity,
        component: COMPONENT.to_owned(),
        site: w.identity().code(),
        machine: report.client.to_string(),
        at: w.now(),
        strings,
    }
}

fn take_report(
    w: &Writer<'_>,
    report: &StateReport,
    refusals: &Refusals,
) -> Result<ReportOutcome, Error> {
    let held = match w.holding(report.client) {
        Err(error @ site_db::Error::DecodeStored { .. }) => {
            let (client, error) = (report.client, model::error_chain(&error));
            tracing::warn!(client.id = %client, error, "a state vector cannot be read");
            None
        }
        held => held?,
    };
    let listed = |change: &&StateChange| change.state.state != ComplianceState::NotRequired;
    let reported = report.changes.iter().filter(listed);
    let items = w.item_numbers(held.as_ref(), reported.map(|change| change.update.id))?;
    let folded = compliance::fold(held.as_ref(), report, &items);
    if let Some(holding) = &folded.write {
        w.write_holding(holding)?;
    }
    // What is said once is heard also where something else is missing.
    if matches!(folded.outcome, ReportOutcome::Applied | ReportOutcome::SendFull) {
        let is_news =
            |refused: &&RefusedServer| refusals.is_news(report.client, &refused.url, w.now());
        for refused in report.refused.iter().filter(is_news) {
            w.append_status(&refusal(w, report, refused))?;
        }
        // As many a day as servers are refused: a client may be in the wrong hands.
        let is_news = |given_up: &&GivenUpVersion| {
            let name = format!("agent {}", given_up.version);
            refusals.is_news(report.client, &name, w.now())
        };
        for given_up in report.given_up.iter().filter(is_news) {
            w.append_status(&rollback(w, report, given_up))?;
        }
        let is_news = |set_aside: &&SetAside| {
            let name = format!("memory {}", set_aside.count);
            refusals.is_news(report.client, &name, w.now())
        };
        for set_aside in report.set_aside.iter().filter(is_news) {
            w.append_status(&damage(w, report, set_aside))?;
        }
    }
    ambient::failpoint("client_manager.folded");
    refreshed(w, report, folded.outcome)
}

/// What the client hears: who shall say everything again is told so until he has (STATE-16).
fn refreshed(
    w: &Writer<'_>,
    report: &StateReport,
    outcome: ReportOutcome,
) -> Result<ReportOutcome, Error> {
    // Who is behind and hears so says everything, too.
    if matches!(outcome, ReportOutcome::Behind(_)) || !w.wants_everything(report.client)? {
        return Ok(outcome);
    }
    if report.full && outcome == ReportOutcome::Applied {
        w.everything_came(report.client)?;
        return Ok(outcome);
    }
    Ok(ReportOutcome::SendFull)
}
