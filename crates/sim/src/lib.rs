//! A simulated hierarchy, faults, and the judges that look at it from outside.
//!
//! Owns worlds of real site databases joined by virtual wires, workloads and fault plans drawn from
//! one seed, and checkers that quote the invariants of docs/replication.md. Refuses to know the
//! roles. A violation is a value with the seed that replays it.

mod checks;
mod keys;
mod world;

pub use checks::{Violation, check_world};
pub use keys::Keys;
pub use world::{Mode, Outcome, World, run_model};
