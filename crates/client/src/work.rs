//! What passes between the machine and whoever drives it.
//!
//! The driver asks for work, makes durable what is to be kept, carries the work out and tells its
//! outcome. Work of different lanes may go on at the same time; a lane never has two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{
    AssignedFile, AssignedUpdate, EnforcementState, RefusedServer, ReportOutcome, ServerRef,
    SetAside, Sha256, StateReport, Timestamp, UpdateId, UpdateRef,
};
use recurrence::Zone;
use update_metadata::Applicability;
use uuid::Uuid;

use crate::fallback::Fetching;
use crate::ledger::{Extent, Record};
use crate::plan::Run;
use crate::policy::{Accepted, Offer, Policy, Refused, Standing, accept};
use crate::scan::Scan;
use crate::triggers::Reach;
use crate::update_point::{self, UpdatePoint};

/// What can go on beside what else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Questions to a management point.
    Talk,
    /// Which files are here, which is known in no time.
    Look,
    /// Scans, installers and restarts, which would disturb each other.
    Act,
    /// Files.
    Content,
}

#[derive(Clone, Debug)]
pub enum Work {
    AskPolicy(Asking),
    Send(Arc<StateReport>),
    /// Tell what the computer is made of, as far as that is news, in this incarnation.
    Describe(u64),
    Scan(Scanning),
    /// Wait for the installer of an earlier life, one of these, if it still runs; for so many
    /// milliseconds, if nobody else does.
    Settle(Vec<AssignedUpdate>, i64),
    /// Which of these files are here.
    Inspect(BTreeSet<Sha256>),
    /// Fetch what can be had.
    Fetch(Vec<Fetching>),
    /// Whether it is still to be installed.
    Detect(AssignedUpdate),
    Install(AssignedUpdate),
    /// People at the computer are told that it restarts so many milliseconds from now; none: that
    /// they should restart it.
    Notify(Option<i64>),
    Restart,
    /// From the next start on, what is written stays; or is gone.
    SetFilter {
        is_open: bool,
    },
}

impl Work {
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Work::AskPolicy(_) | Work::Send(_) | Work::Describe(_) => Lane::Talk,
            Work::Inspect(_) => Lane::Look,
            Work::Fetch(_) => Lane::Content,
            Work::Settle(..)
            | Work::Scan(_)
            | Work::Detect(_)
            | Work::Install(_)
            | Work::Notify(_)
            | Work::Restart
            | Work::SetFilter { .. } => Lane::Act,
        }
    }
}

/// A policy question, and by what its answer is judged.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The client says again that it is there.
    pub is_introduced: bool,
    pub incarnation: u64,
    pub(crate) profile: Arc<crate::Profile>,
    pub(crate) held: Arc<Policy>,
}

impl Asking {
    #[must_use]
    pub fn version(&self) -> u64 {
        self.held.version
    }

    /// When the policy that is held ceased to hold, if it has.
    #[must_use]
    pub fn expired_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.held.expired_at(now)
    }

    /// Parts that need not be sent.
    pub fn parts(&self) -> impl Iterator<Item = &Sha256> {
        self.held.parts.keys()
    }

    pub fn accept(&self, offer: &Offer, now: Timestamp) -> Result<Accepted, Refused> {
        let crate::Profile { anchor, site, client, .. } = &*self.profile;
        let standing =
            Standing { anchor, site: *site, client: *client, incarnation: self.incarnation };
        accept(offer, &self.held, &standing, now)
    }
}

/// A scan that is to be made.
#[derive(Clone, Debug)]
pub struct Scanning {
    pub reach: Reach,
    /// The catalog version that it must cover.
    pub wanted: u64,
    /// What is here is young enough for a scan that nobody asked for.
    pub is_fresh: bool,
    pub policy: Arc<Policy>,
    /// Update points to ask, in this order.
    pub servers: Vec<ServerRef>,
}

/// What came of work, and what happens by itself.
#[derive(Debug)]
pub enum Outcome {
    /// None: no management point has answered.
    Policy(Option<Answered>),
    /// None: no management point has taken it.
    Sent(u64, Option<Taken>),
    /// False: no management point has taken it.
    Described(bool),
    Scanned(Box<Scanned>),
    /// No installer runs; and how that of an earlier life ended, if anybody saw it.
    Settled(Option<(AssignedUpdate, Ended, Applicability)>),
    Inspected {
        asked: BTreeSet<Sha256>,
        missing: BTreeSet<Sha256>,
    },
    /// What went wrong with each file that is not here now.
    Fetched {
        files: Vec<Arrived>,
        troubles: Vec<(Sha256, (EnforcementState, i32))>,
    },
    Detected(AssignedUpdate, Result<Applicability, i32>),
    Installed(AssignedUpdate, Ended, Applicability),
    /// Nobody needs to have been there.
    Notified,
    /// The write filter was set, with effect from the next start.
    FilterSet {
        is_open: bool,
        result: Result<(), String>,
    },
    /// The system was told; its end follows.
    Restarting(Result<(), String>),
    /// A server was not believed.
    Refused(RefusedServer),
    /// Something that was remembered is damaged, or not this client's.
    SetAside(SetAside),
}

/// A file that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub file: AssignedFile,
    /// Who gave it; none: it was here before.
    pub from: Option<String>,
}

#[derive(Debug)]
pub struct Answered {
    pub has_introduced: bool,
    pub answer: Answer,
}

#[derive(Debug)]
pub enum Answer {
    New(Box<Accepted>),
    /// What is in effect is the newest.
    Same,
    /// The site has none for this client yet, or what it has is not believed.
    Nothing,
}

/// A report is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// On the management point; the site has not answered.
    Spooled,
    BySite(ReportOutcome),
}

/// A scan as it ended.
#[derive(Debug)]
pub struct Scanned {
    pub begun: Timestamp,
    /// Each update point that was asked.
    pub attempts: Vec<Attempt>,
    pub end: Result<Found, Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub url: String,
    pub ended: update_point::Ended,
    pub reason: String,
}

#[derive(Debug)]
pub struct Found {
    pub scan: Arc<Scan>,
    /// The catalog in use, and the version that it has whole.
    pub catalog: Uuid,
    pub covered: u64,
    /// The update point that was asked; none: what was here has done.
    pub from: Option<Source>,
    /// What policy names and the catalog lacks.
    pub missing: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub url: String,
    pub bytes: u64,
}

/// Why there was no scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reason: String,
    /// As an administrator knows it.
    pub code: i32,
    /// A catalog that was in use is not believed any more.
    pub is_distrusted: bool,
}

/// How an installer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It succeeded, as its own table says.
    Succeeded {
        needs_restart: bool,
    },
    Failed(i32),
    /// It was not even begun, and why not.
    NotRun {
        code: i32,
        reason: String,
    },
    /// Nobody saw how.
    Unseen,
    /// A file is not here any more, or damaged; nothing was run.
    ContentLost(Vec<Sha256>),
}

/// For the log.
impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Succeeded { needs_restart: false } => write!(f, "succeeded"),
            Ended::Succeeded { needs_restart: true } => write!(f, "succeeded, needs a restart"),
            Ended::Failed(code) => write!(f, "failed with {code}"),
            Ended::NotRun { reason, .. } => write!(f, "not run: {reason}"),
            Ended::Unseen => write!(f, "unseen"),
            Ended::ContentLost(_) => write!(f, "not run: its content was lost"),
        }
    }
}

/// What must be durable before the work that was asked for with it begins.
#[derive(Clone, Debug)]
pub enum Keep {
    Policy(Box<Accepted>),
    /// The record, the changes of state it brings and the reports about them.
    Said {
        record: Record,
        reports: Vec<Arc<StateReport>>,
        extent: Extent,
    },
    /// A report is safe elsewhere.
    Acknowledged(u64),
    Run(UpdateId, Run),
    Notes(Notes),
    Event(Event),
}

/// What is remembered besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// When documents were last brought up to date.
    pub refreshed_at: Option<Timestamp>,
    /// Deployments are evaluated again then.
    pub reevaluate_at: Option<Timestamp>,
    /// Which start of the system it was.
    pub boot: String,
    pub update_point: UpdatePoint,
    /// Installations that users have started, and when.
    pub wishes: BTreeMap<UpdateId, Timestamp>,
    /// Installations that users have set a time for.
    pub planned: BTreeMap<UpdateId, Timestamp>,
    /// Available updates that are offered to nobody here.
    pub hidden: BTreeSet<UpdateId>,
    pub restart_deferred_to: Option<Timestamp>,
    pub restart_told_at: Option<Timestamp>,
    /// This client has opened the write filter, and closes it again.
    pub has_opened_filter: bool,
    /// It was to be open after a start, and was not.
    pub filter_failed_at: Option<Timestamp>,
}

/// Something that the history of a client tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    pub kind: EventKind,
    pub update: Option<UpdateRef>,
    pub code: Option<i32>,
    pub duration_ms: Option<i64>,
    pub bytes: Option<u64>,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    Scan,
    Fetch,
    Install,
    Restart,
    Refusal,
    User,
    /// What was remembered was set aside.
    Damage,
    Policy,
}

impl Event {
    pub(crate) fn new(kind: EventKind, at: Timestamp, text: impl Into<String>) -> Event {
        let (update, code, duration_ms, bytes) = (None, None, None, None);
        Event { at, kind, update, code, duration_ms, bytes, text: text.into() }
    }
}

/// What the computer is now.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Another value after each start of the system.
    pub boot: String,
    pub zone: Zone,
    pub is_server: bool,
    pub has_users: bool,
    /// The system itself asks for a restart.
    pub asks_for_restart: bool,
    pub filter: WriteFilter,
}

/// What becomes of what is written, since the last start of the system (DEP-27).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteFilter {
    /// There is none.
    #[default]
    Absent,
    /// It stays.
    Open,
    /// It is gone after the next start.
    Closed,
}
