//! What a client keeps, by the names of the places right before and after it is durable, where a
//! test can end the agent.

use client::Keep;
use client::plan::Phase;

#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
}

impl Moment {
    pub(super) fn of(keep: &Keep) -> Moment {
        let (before, after) = match keep {
            Keep::Policy(_) => ("agent.keeping_policy", "agent.kept_policy"),
            Keep::Said { .. } => ("agent.keeping_report", "agent.kept_report"),
            Keep::Acknowledged(_) => ("agent.keeping_receipt", "agent.kept_receipt"),
            Keep::Run(_, run) if run.phase == Phase::Installing => {
                ("agent.keeping_start", "agent.kept_start")
            }
            Keep::Run(..) => ("agent.keeping_result", "agent.kept_result"),
            Keep::Notes(_) => ("agent.keeping_notes", "agent.kept_notes"),
            Keep::Event(_) => ("agent.keeping_event", "agent.kept_event"),
        };
        Moment { before, after }
    }
}
