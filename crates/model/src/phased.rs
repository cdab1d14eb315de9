//! Phased deployments: one update group, one collection after another.
//!
//! Owns what a plan says and how far it is. Refuses to decide when a phase starts.

use crate::{DeploymentId, Due, ObjectCode, RuleDeployment, Timestamp};

/// When a phase has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success {
    /// So many of its clients comply, in percent.
    Percent(u8),
    /// So many clients comply.
    Count(u32),
}

/// When the next phase starts, after the success of this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Automatic { after_days: u16 },
    Manual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    pub name: String,
    pub collection: ObjectCode,
    pub success: Success,
    pub next: Next,
    /// Days over which its clients get it; 0: all at once.
    pub gradual_days: u8,
    pub deadline: Due,
    pub started_at: Option<Timestamp>,
    pub succeeded_at: Option<Timestamp>,
    pub deployment: Option<DeploymentId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhasedState {
    Running,
    Paused { reason: String, by: String },
    Completed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phased {
    pub code: ObjectCode,
    pub name: String,
    pub description: String,
    pub group: ObjectCode,
    pub phases: Vec<Phase>,
    pub state: PhasedState,
    /// Pauses by itself above this share of failed clients in a phase.
    pub pause_above_failed_percent: Option<u8>,
    /// The options of the deployments it makes; their collection and times are those of the phase.
    pub template: RuleDeployment,
    pub created_at: Timestamp,
}
