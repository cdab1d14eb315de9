//! Versions of the agent that were taken, tried, and given up.

use model::{AssignedUpdate, GivenUpVersion, Timestamp};

use super::Client;
use crate::agent_update::Rejected;
use crate::plan::Phase;
use crate::triggers::Trigger;
use crate::work::{Event, EventKind};

impl Client {
    /// It was installed, as far as is known here, and has failed since: so say the state of its
    /// deployment, the history, and a message of its own. `running` runs instead. To be told of
    /// the same once more changes nothing.
    pub fn gave_up(&mut self, rejected: &Rejected, running: &str, now: Timestamp) {
        let Rejected { version, reason, .. } = rejected;
        let is_named = |update: &&AssignedUpdate| {
            update.files.iter().any(|file| file.sha256 == version.sha256)
        };
        let mut updates = self.policy.assignments.iter().flat_map(|a| &a.updates);
        let assigned = updates.find(is_named).cloned();
        let failed = Phase::Failed(reason.code());
        if let Some(assigned) = &assigned {
            let run = self.runs.get(&assigned.update.id);
            if run.is_some_and(|run| run.phase == failed) {
                return;
            }
            self.settle(assigned, failed, 0, now);
            // A scan sees that it is gone again.
            self.scans.wanted.insert(Trigger::EvaluationAsked);
        }
        let (name, why) = (&version.version, reason.as_str());
        let text = format!("version {name} of the agent was given up: {why}; {running} runs");
        self.event(Event {
            update: assigned.map(|assigned| assigned.update),
            code: Some(reason.code()),
            ..Event::new(EventKind::Install, now, text)
        });
        self.telling.given_up.push_back(GivenUpVersion {
            version: name.clone(),
            running: running.to_owned(),
            code: reason.code(),
            reason: why.to_owned(),
        });
    }
}
