//! The distribution point: serves and verifies content.
//!
//! Owns copies of the packages that its site server names: it fetches only what is missing, goes
//! on where a transfer broke off, computes every digest from what is on disk before it says
//! "installed", and serves files by hash (https and plain http) and by package and name (https),
//! also while its site server is away. What no manifest names any more is deleted after a while.
//!
//! Refuses to know updates, clients and policy, and holds no key that matters: whoever takes a file
//! checks it against a digest that came another way. Whatever fails is reported and tried again.

pub mod config;
mod error;
mod follow;
mod http;
mod limits;
mod manifests;
mod point;
mod status;

pub use error::Error;
pub use point::{Config, Deps, DistributionPoint};
pub use transport::Ports;

#[cfg(test)]
mod tests;
