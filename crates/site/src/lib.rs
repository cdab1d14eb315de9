//! The site server: components put together.
//!
//! Owns the order in which a site is opened and its services are joined on one listener, and the
//! three binaries. Refuses to decide anything: components meet in the site database, over gRPC and
//! through wake-ups. What fails to open is named and nothing is served; what fails later is the
//! component's to retry.

mod components;
pub mod config;
mod error;
mod identity;
mod revocations;
mod server;
mod upkeep;

pub use config::{Central, Primary, Secondary};
pub use error::Error;
pub use server::{Config, Deps, SiteServer};
