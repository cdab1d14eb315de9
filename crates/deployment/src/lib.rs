//! From what administrators decided to what each client is told: planning of policy.
//!
//! Owns who is a member of a collection, which deployments act on a site's clients, what an
//! assignment names, and when a head of policy is made anew. Refuses to know how parts are
//! encoded, hashed, signed, stored and sent, and what time it is. Nothing here fails: a reference
//! to an object that is not here makes a deployment wait, visibly, and leaves what clients
//! already have as it is.

mod collection;
mod contents;
mod head;
mod plan;
mod show;
mod world;

pub use collection::members;
pub use head::{HeadChange, NamedPart, head_change, head_parts};
pub use plan::{ClientPlan, Missing, Note, Outcome, Part, PolicyPlan, plan_assignments};
pub use world::{Neighborhood, OwnedDeployment, World};

#[cfg(test)]
mod tests;
