//! What an agent says of itself and of its computer, as people and programs read it.
//!
//! Owns the names and units of everything told: times are RFC 3339 in UTC, sizes bytes, spans
//! milliseconds unless the name says otherwise, and what is not known is null. Each kind of answer
//! is one variant; a program reads the one that its question has.

use model::{Timestamp, UpdateId};
use serde::Serialize;

use super::{Code, Text};

/// On the wire `{"status":{…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Status(Box<Status>),
    History(Vec<Happening>),
    Updates(Vec<Offer>),
    Cache(Cached),
    Restart(Restart),
    Policy(Box<InEffect>),
    Update(Box<Explained>),
    Done(Done),
    Refused(Refused),
}

/// It is under way, or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Done {
    pub(crate) done: String,
}

/// It is not, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refused {
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl Refused {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Refused {
        Refused { what: what.into(), remedy: remedy.into() }
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Answer {
        Answer::Refused(refused)
    }
}

impl Answer {
    pub(crate) fn done(what: impl Into<String>) -> Answer {
        Answer::Done(Done { done: what.into() })
    }
}

/// Everything in sight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    pub(crate) client: String,
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) agent_version: String,
    /// Who reads the answers of servers that have files, and what is less there than should be.
    pub(crate) downloader: String,
    /// The first that is asked.
    pub(crate) management_point: Option<String>,
    /// The one that served last.
    pub(crate) update_point: Option<String>,
    /// Which one the next scan asks, and when.
    pub(crate) update_point_next: String,
    /// Since when none has answered, and why not; null: the last one asked has.
    pub(crate) management_point_failing_since: Option<Text<Timestamp>>,
    pub(crate) management_point_failure: Option<String>,
    /// `none yet`, `in effect`, or what its end means.
    pub(crate) policy: &'static str,
    /// When a management point last answered which policy is the newest, and is asked next.
    pub(crate) policy_asked_at: Option<Text<Timestamp>>,
    pub(crate) policy_asked_next_at: Option<Text<Timestamp>>,
    pub(crate) policy_version: u64,
    pub(crate) policy_signed_at: Option<Text<Timestamp>>,
    pub(crate) policy_expires_at: Option<Text<Timestamp>>,
    pub(crate) unsent_reports: u64,
    /// The disk takes nothing, so that nothing begins.
    pub(crate) disk_failing_since: Option<Text<Timestamp>>,
    pub(crate) disk_failing: Option<String>,
    /// How much of what was stored was damaged, or not this client's, and was set aside.
    pub(crate) set_aside_count: u64,
    pub(crate) cache_files: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) last_scan: Option<LastScan>,
    pub(crate) next_scan: Option<NextScan>,
    pub(crate) restart: Restart,
    pub(crate) deployments: Vec<Deployed>,
    /// Servers that were not believed, the newest last.
    pub(crate) refusals: Vec<Refusal>,
    /// What was set aside, the newest last.
    pub(crate) set_aside: Vec<SetAside>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SetAside {
    /// Files in `<data>/quarantine` begin with it.
    pub(crate) number: u64,
    pub(crate) at: Text<Timestamp>,
    pub(crate) what: String,
    pub(crate) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LastScan {
    pub(crate) at: Text<Timestamp>,
    /// What asked for it, and what came of it.
    pub(crate) what: String,
    /// The last update point that was asked.
    pub(crate) server: Option<String>,
    pub(crate) duration_ms: Option<i64>,
    /// Fetched from it at the last contact.
    pub(crate) size_bytes: Option<u64>,
    pub(crate) catalog_version: u64,
    pub(crate) updates: u64,
    pub(crate) required: u64,
    pub(crate) installed: u64,
    pub(crate) unknown: u64,
    pub(crate) error: Option<String>,
    pub(crate) error_code: Option<Code>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NextScan {
    pub(crate) at: Text<Timestamp>,
    pub(crate) why: String,
}

/// A deployment and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Deployed {
    pub(crate) deployment: String,
    pub(crate) name: String,
    pub(crate) intent: &'static str,
    pub(crate) updates: u64,
    /// Of those, not installed yet.
    pub(crate) required: u64,
    pub(crate) state: String,
    pub(crate) deadline_at: Option<Text<Timestamp>>,
    /// When it is carried out, as far as that is known.
    pub(crate) acts_at: Option<Text<Timestamp>>,
    pub(crate) waits_for: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    pub(crate) at: Text<Timestamp>,
    pub(crate) url: String,
    pub(crate) reason: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Happening {
    pub(crate) at: Text<Timestamp>,
    pub(crate) kind: &'static str,
    pub(crate) update: Option<Text<UpdateId>>,
    pub(crate) revision: Option<u32>,
    pub(crate) code: Option<String>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) what: String,
}

/// An update that means something here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Offer {
    pub(crate) update: Text<UpdateId>,
    pub(crate) revision: u32,
    pub(crate) title: Option<String>,
    /// `required`, `available`, `hidden`, or `not_deployed`: required, and in no deployment.
    pub(crate) state: &'static str,
    pub(crate) enforcement: Option<&'static str>,
    pub(crate) code: Option<String>,
    pub(crate) deployment: Option<String>,
    pub(crate) deadline_at: Option<Text<Timestamp>>,
    pub(crate) acts_at: Option<Text<Timestamp>>,
    pub(crate) waits_for: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Cached {
    pub(crate) size_bytes: u64,
    pub(crate) files: Vec<CachedFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CachedFile {
    /// As policy names it; null: no deployment names it.
    pub(crate) name: Option<String>,
    pub(crate) update: Option<Text<UpdateId>>,
    pub(crate) size_bytes: u64,
    pub(crate) used_at: Text<Timestamp>,
    pub(crate) sha256: String,
}

/// A restart of the computer that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Restart {
    pub(crate) pending: bool,
    pub(crate) since: Option<Text<Timestamp>>,
    /// When the agent carries it out; null: not by itself.
    pub(crate) restarts_at: Option<Text<Timestamp>>,
    /// How long it can still be put off.
    pub(crate) deferrable_until: Option<Text<Timestamp>>,
    pub(crate) deferred_to: Option<Text<Timestamp>>,
    pub(crate) waits_for: Option<String>,
}

/// The policy in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct InEffect {
    pub(crate) version: u64,
    pub(crate) signed_at: Option<Text<Timestamp>>,
    pub(crate) expires_at: Option<Text<Timestamp>>,
    pub(crate) catalog_version: u64,
    pub(crate) policy_poll_ms: u64,
    pub(crate) scan_interval_ms: u64,
    pub(crate) state_batch_ms: u64,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) servers: Vec<Server>,
    pub(crate) windows: Vec<Window>,
    /// What differs from the defaults.
    pub(crate) settings: Vec<Setting>,
    /// Parts that this release does not understand.
    pub(crate) unread: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Deployment {
    pub(crate) deployment: String,
    pub(crate) name: String,
    pub(crate) intent: &'static str,
    pub(crate) available_at: Text<Timestamp>,
    pub(crate) deadline_at: Option<Text<Timestamp>>,
    pub(crate) updates: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Server {
    pub(crate) kind: String,
    pub(crate) site: String,
    pub(crate) url: String,
    pub(crate) after_minutes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Window {
    pub(crate) code: String,
    pub(crate) at: String,
    pub(crate) minutes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Setting {
    pub(crate) setting: String,
    pub(crate) value: String,
}

/// An update, from its rules to its installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Explained {
    pub(crate) update: Text<UpdateId>,
    pub(crate) revision: u32,
    pub(crate) title: Option<String>,
    /// What it is to this computer, and why.
    pub(crate) applicability: &'static str,
    pub(crate) because: String,
    pub(crate) offered: bool,
    pub(crate) hidden: bool,
    /// How often its installer was started.
    pub(crate) attempts: u32,
    pub(crate) last_run_at: Option<Text<Timestamp>>,
    pub(crate) last_result: Option<&'static str>,
    /// Of the last failure.
    pub(crate) code: Option<Code>,
    /// Every test of its rules.
    pub(crate) rules: Vec<Tested>,
    pub(crate) deployments: Vec<Deployed>,
    pub(crate) content: Vec<NamedFile>,
    pub(crate) history: Vec<Happening>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tested {
    /// `installed`, `superseded` or `installable`.
    pub(crate) decides: &'static str,
    pub(crate) test: String,
    pub(crate) result: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NamedFile {
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
    pub(crate) is_here: bool,
}
