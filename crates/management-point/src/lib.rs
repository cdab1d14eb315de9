//! The management point: where clients of a site register, get policy and report.
//!
//! Owns a cache of signed policy, which it serves alone while the site server is away, and a spool
//! of registrations and reports, which it acknowledges once they are safe here and forwards until
//! the site server has them. Refuses to know what policy says and what a report means, and holds
//! no key that could make a client do anything. A client speaks for itself only: who it is, its
//! certificate says. What the site server cannot take is set aside, counted, and holds up nothing.

mod cache;
pub mod config;
mod error;
mod grpc;
mod intake;
mod limits;
mod locations;
mod point;
mod policy;
mod wake;

pub use error::Error;
pub use point::{Config, Deps, ManagementPoint, Ports};

#[cfg(test)]
mod tests;
