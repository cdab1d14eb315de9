//! What can be asked of an agent.

use model::{Invalid, UpdateId};
use serde::{Deserialize, Serialize};

use super::limits::NAMED_UPDATES_MAX;
use super::{Refused, Text};

/// On the wire `{"verb":"install","updates":["…"]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    Status,
    History {
        /// The newest ones.
        limit: u32,
    },
    Scan {
        cycle: Cycle,
    },
    /// All that is offered, if none is named.
    Install {
        updates: Vec<Text<UpdateId>>,
    },
    /// The same, at a time: RFC 3339, or what the computer's clock shows then.
    InstallAt {
        updates: Vec<Text<UpdateId>>,
        at: String,
    },
    /// Not at the time that was set for these, or for any.
    Unplan {
        updates: Vec<Text<UpdateId>>,
    },
    Hide {
        update: Text<UpdateId>,
    },
    Show {
        update: Text<UpdateId>,
    },
    Updates,
    CacheList,
    CacheClean,
    RebootStatus,
    Reboot {
        /// Not now, but after so many minutes.
        defer_minutes: Option<u32>,
    },
    Reset,
    Policy,
    Explain {
        update: Text<UpdateId>,
    },
}

/// What a scan by hand is followed by. Both contact the server in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cycle {
    /// Nothing (SCAN-12).
    Scan,
    /// A look at every deployment (SCAN-13).
    Evaluation,
}

impl Request {
    /// From the line of a peer, which may hold anything.
    pub(super) fn decode(line: &[u8]) -> Result<Request, Refused> {
        let remedy = "write one line of JSON such as {\"verb\":\"status\"}";
        let request: Request = serde_json::from_slice(line)
            .map_err(|error| Refused::new(format!("not a request: {error}"), remedy))?;
        match &request {
            Request::Install { updates }
            | Request::InstallAt { updates, .. }
            | Request::Unplan { updates }
                if updates.len() > NAMED_UPDATES_MAX =>
            {
                let many = format!("{} updates, at most {NAMED_UPDATES_MAX}", updates.len());
                Err(Refused::new(
                    Invalid::new("updates", many).to_string(),
                    "name none for all of them",
                ))
            }
            _ => Ok(request),
        }
    }
}
