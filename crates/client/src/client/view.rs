//! What can be seen of a client: for whoever asks it, and never for a decision.
//!
//! Owns the words for why an update is not installed yet.

use model::{
    AssignedUpdate, Assignment, ComplianceState, EnforcementState, Intent, TimeBasis, Timestamp,
    UpdateId,
};
use recurrence::Room;
use update_metadata::Applicability;

use super::Client;
use crate::ledger::Record;
use crate::plan::{Dated, Phase, Run, retry_ms};
use crate::policy::Policy;
use crate::restart::Need;
use crate::rules::Rules;
use crate::scan::{Judged, Scan};
use crate::triggers::Trigger;
use crate::work::Notes;

/// An update of a deployment, as it stands here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    pub progress: Option<(EnforcementState, i32)>,
    /// When it is carried out, as far as that is known.
    pub acts_at: Option<Timestamp>,
    pub wait: Wait,
}

/// Why it is not installed at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It is.
    Installed,
    /// Nothing has to be installed.
    NotNeeded,
    /// Whether it is needed cannot be told.
    Unjudged(String),
    /// Policy has expired, and nothing new is begun before there is a newer one.
    Policy,
    /// No scan has found out since the start of the client.
    Scan,
    /// The catalog here does not have it.
    Catalog,
    /// Policy makes it available later.
    Available,
    /// Somebody has hidden it.
    Hidden,
    /// Somebody here has set a time for it.
    Planned,
    /// A user starts it, or the software that decides in their place.
    User,
    /// Its deadline, or the time at which updates are installed here.
    Time,
    /// The deadline has passed: its own share of the spread, the grace, or the pause after a start.
    Spread,
    Window,
    /// No window has room for it within a year.
    NoWindow,
    Content,
    /// It failed, and is tried again later.
    Retry,
    /// Another installer runs.
    Installer,
    /// It is installed once the computer has restarted.
    Restart,
    /// It is its turn, or it runs.
    Nothing,
}

impl Wait {
    /// For people; none if nothing is waited for.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let words = match self {
            Wait::Installed | Wait::NotNeeded | Wait::Nothing => return None,
            Wait::Unjudged(reason) => return Some(format!("a rule cannot be judged: {reason}")),
            Wait::Policy => "newer policy: the one here has expired",
            Wait::Scan => "the first scan",
            Wait::Catalog => "an update point whose catalog has it",
            Wait::Available => "the time at which it becomes available",
            Wait::Hidden => "it is hidden here; `show` offers it again",
            Wait::Planned => "the time that somebody here has set for it",
            Wait::User => "somebody to start it",
            Wait::Time => "its deadline or scheduled time",
            Wait::Spread => "this computer's share of the time after the deadline",
            Wait::Window => "a maintenance window with room for it",
            Wait::NoWindow => "no maintenance window has room for it within a year",
            Wait::Content => "its content",
            Wait::Retry => "the next attempt after a failure",
            Wait::Installer => "another installer that is running",
            Wait::Restart => "a restart of the computer",
        };
        Some(words.to_owned())
    }
}

impl Client {
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// When a management point last answered what the newest policy is; none: not since the start.
    #[must_use]
    pub fn policy_answered_at(&self) -> Option<Timestamp> {
        self.polls.answered_at
    }

    /// When one is asked next; none: one is being asked.
    #[must_use]
    pub fn policy_asked_next(&self) -> Option<Timestamp> {
        self.polls.turn.due
    }

    /// None until documents were judged since the start.
    #[must_use]
    pub fn scan(&self) -> Option<&Scan> {
        self.scan.as_deref()
    }

    #[must_use]
    pub fn run(&self, update: UpdateId) -> Option<&Run> {
        self.runs.get(&update)
    }

    /// Reports that nobody has taken yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.telling.outbox.len()
    }

    /// Updates that are required, installed and unknown, as the site was told last.
    #[must_use]
    pub fn said_counts(&self) -> [u64; 3] {
        let states =
            [ComplianceState::Required, ComplianceState::Installed, ComplianceState::Unknown];
        states.map(|state| {
            self.telling.said.states.values().filter(|held| held.state.state == state).count()
                as u64
        })
    }

    /// Whether users may start it.
    #[must_use]
    pub fn is_offered(&self, update: UpdateId) -> bool {
        self.plan.offered.contains(&update)
    }

    /// Why the computer needs a restart, each installation and the system itself.
    #[must_use]
    pub fn restart_since(&self) -> Option<Timestamp> {
        let needs = self.plan.restarts.iter().map(|need: &Need| need.since);
        needs.chain(self.restarting.asked_since).min()
    }

    /// When the next scan comes, as far as that is known, and what asks for it.
    #[must_use]
    pub fn next_scan(&self, now: Timestamp) -> Option<(Timestamp, Trigger)> {
        let wanted = self.scans.wanted.iter().copied().max_by_key(|trigger| trigger.reach());
        if let Some(trigger) = self.scans.going_on.or(wanted) {
            return Some((now, trigger));
        }
        let scheduled = self.scans.turn.due.map(|at| (at, Trigger::Schedule));
        let again = self.notes.reevaluate_at.map(|at| (at, Trigger::Reevaluation));
        [scheduled, again].into_iter().flatten().min()
    }

    /// A time of a deployment, by the clock that it goes by.
    #[must_use]
    pub fn moment(&self, assignment: &Assignment, at: Timestamp) -> Timestamp {
        match assignment.basis {
            TimeBasis::Utc => at,
            TimeBasis::ClientLocal => self.around.zone.moment(at),
        }
    }

    /// Where an update of a deployment stands.
    #[must_use]
    pub fn stand(&self, assignment: &Assignment, update: &AssignedUpdate, now: Timestamp) -> Stand {
        let id = update.update.id;
        let still = |wait| Stand { progress: None, acts_at: None, wait };
        let Some(scan) = &self.scan else { return still(Wait::Scan) };
        let Some(judged) = scan.updates.get(&id) else { return still(Wait::Catalog) };
        match &judged.verdict {
            Applicability::Installed => return still(Wait::Installed),
            Applicability::NotApplicable => return still(Wait::NotNeeded),
            Applicability::Unknown(reason) => return still(Wait::Unjudged(reason.clone())),
            Applicability::Applicable => {}
        }
        let available = self.moment(assignment, assignment.available_at);
        let dated = self.plan.dues.get(&(assignment.deployment, id)).copied();
        let (Some(dated), Some(progress)) = (dated, self.plan.progress.get(&id).copied()) else {
            return match (self.notes.hidden.contains(&id), assignment.intent) {
                _ if available > now => Stand { acts_at: None, ..still(Wait::Available) },
                (true, _) => still(Wait::Hidden),
                (false, Intent::Available) if self.expired_at(now).is_some() => still(Wait::Policy),
                (false, Intent::Available) => match self.planned_at(id) {
                    None => still(Wait::User),
                    at => Stand { acts_at: at, ..still(Wait::Planned) },
                },
                // What is removed is not carried out here.
                (false, Intent::Required | Intent::Uninstall) => still(Wait::NotNeeded),
            };
        };
        let (wait, acts_at) = self.wait(progress.0, dated, judged, update, now);
        Stand { progress: Some(progress), acts_at, wait }
    }

    fn wait(
        &self,
        state: EnforcementState,
        dated: Dated,
        judged: &Judged,
        update: &AssignedUpdate,
        now: Timestamp,
    ) -> (Wait, Option<Timestamp>) {
        let is_begun = matches!(
            state,
            EnforcementState::Installing
                | EnforcementState::Installed
                | EnforcementState::PendingRestart
        );
        if !is_begun && self.expired_at(now).is_some() {
            return (Wait::Policy, None);
        }
        match state {
            EnforcementState::WaitingForContent
            | EnforcementState::Downloading
            | EnforcementState::DownloadFailed => (Wait::Content, dated.at),
            EnforcementState::PendingInstallation => match self.planned_at(judged.update.id) {
                None => (Wait::User, None),
                at => (Wait::Planned, at),
            },
            EnforcementState::Downloaded | EnforcementState::Started
                if self.is_planned_before(judged.update.id, dated.at) =>
            {
                (Wait::Planned, self.planned_at(judged.update.id))
            }
            EnforcementState::Downloaded | EnforcementState::Started => match dated.deadline {
                Some(deadline) if deadline <= now => (Wait::Spread, dated.at),
                Some(_) | None => (Wait::Time, dated.at),
            },
            EnforcementState::WaitingForWindow => {
                // A bundle waits as long as its longest member.
                let minutes = self.minutes(judged).unwrap_or(update.max_run_minutes);
                match self.plan.room_for(minutes) {
                    Some(Room::From(at)) => (Wait::Window, Some(at)),
                    Some(Room::Never) => (Wait::NoWindow, None),
                    Some(Room::Now) | None => (Wait::Window, None),
                }
            }
            EnforcementState::WaitingForInstallation => (Wait::Installer, self.retry_at(judged)),
            EnforcementState::Failed | EnforcementState::GeneralFailure => {
                (Wait::Retry, self.retry_at(judged))
            }
            EnforcementState::PendingRestart | EnforcementState::RestartFirst => {
                (Wait::Restart, None)
            }
            EnforcementState::Installing => (Wait::Nothing, Some(now)),
            EnforcementState::Installed => (Wait::Installed, None),
        }
    }

    fn is_planned_before(&self, update: UpdateId, at: Option<Timestamp>) -> bool {
        let planned = self.planned_at(update);
        planned.is_some_and(|planned| at.is_none_or(|at| planned < at))
    }

    fn retry_at(&self, judged: &Judged) -> Option<Timestamp> {
        let runs = judged.members.iter().chain([&judged.update.id]).filter_map(|id| self.run(*id));
        let failed = runs.filter(|run| matches!(run.phase, Phase::Failed(_)));
        failed.map(|run| run.at.plus_ms(retry_ms(run, &self.rules))).min()
    }

    /// The run time that the members of a bundle are given at most; none if it is no bundle.
    fn minutes(&self, judged: &Judged) -> Option<u16> {
        let updates = self.policy.assignments.iter().flat_map(|assignment| &assignment.updates);
        let members = updates.filter(|named| judged.members.contains(&named.update.id));
        members.map(|member| member.max_run_minutes).max()
    }
}
