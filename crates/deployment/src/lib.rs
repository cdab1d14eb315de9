//! From what administrators decided to what each client is told: planning of policy.
//!
//! Owns who is a member of a collection, which deployments act on a site's clients, what an
//! assignment names, and when a head of policy is made anew. Refuses to know how parts are
//! encoded, hashed, signed, stored and sent, and what time it is. Nothing here fails: a reference
//! to an object that is not here makes a deployment wait, visibly, and leaves what clients
//! already have as it is.

mod approval;
mod census;
mod collection;
mod contents;
mod frame;
mod head;
mod inventories;
mod membership;
mod phased;
mod plan;
mod planner;
mod rollout;
mod rule;
mod settings;
mod show;
mod update_index;
mod windows;
mod world;

pub use approval::{Action, Alike, Decision, Decisions, Pair, PairChanges, Tree, pair};
pub use census::Census;
pub use collection::{CLIENTS, MEMBER};
pub use head::{HeadChange, NamedPart, OPTIONS, SERVERS, WINDOWS, head_change, head_parts};
pub use inventories::{Inventories, InventoryNeeds};
pub use membership::{
    Memberships, Needs, Population, Reason, Rulebook, circle, closure, item_key, references,
};
pub use phased::{
    Evidence, PhaseCounts, PhaseStep, apply_step, default_template, earliest_starts, is_reached,
    last_started, nothing_left, phase_evidence, plan_phases, reason_to_pause, resume_rollout,
    step_message, stop_rollout,
};
pub use plan::{ClientPlan, Missing, Note, Outcome, Part, PolicyPlan, plan_assignments};
pub use planner::Planner;
pub use rollout::{Turn, turn};
pub use rule::{
    BUILT_IN, Filling, Matched, RuleMemory, RunReason, TooMany, blank_deployment, blank_rule,
    built_in_template, deployed_beside, due, made_id, matching, next_run, parts, resolve,
    takes_superseded,
};
pub use settings::{Chosen, Resultant, resultant};
pub use update_index::{
    Surroundings, UPDATES, UpdateIndex, UpdateRow, UpdateSource, is_third_party, update_rows,
};
pub use windows::{RUN_MINUTES, run_minutes, window_list};
pub use world::{Audience, Neighborhood, OwnedDeployment, World};

#[cfg(test)]
mod tests;
