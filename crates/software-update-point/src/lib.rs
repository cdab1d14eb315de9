//! The software update point: a catalog of updates between an upstream update service and those
//! below.
//!
//! Owns the catalog and the files of one update point, both sides of the server-server update
//! protocol, what Windows computers are answered, imports of publishers' catalogs, and the
//! documents agents follow. It does what its site server orders over a session it holds open;
//! without a site it is a stand-alone upstream that takes catalogs from its inbox.
//!
//! Refuses to know which updates are deployed, to whom, and who sits behind the site server. It
//! holds no key that could make an agent run anything: agents check documents and files against
//! signed policy. Every stored batch is one transaction, so a crash loses at most work, and what
//! cannot be taken is left out, reported and stops nothing else.

mod archive;
mod authorization;
mod bundle;
mod choice;
mod cleanup;
mod computers;
pub mod config;
mod content;
mod downloads;
mod error;
mod export;
mod fetch;
mod following;
mod grpc;
mod import;
mod inbox;
mod languages;
mod limits;
mod order;
mod outside;
mod point;
mod proxy;
mod publishing;
mod replica;
mod reporting;
mod rulings;
mod server_sync;
mod session;
mod soap;
mod status;
mod synchronize;
mod upstream;
mod web;
mod work;
mod wsus_package;

pub use computers::limits::INSTALLED_MAX;
pub use error::Error;
pub use following::Following;
pub use outside::Outside;
pub use point::{Config, Deps, Holding, PlainHttp, Site, SoftwareUpdatePoint};
pub use proxy::Proxy;
pub use replica::Mode;
pub use transport::Ports;

#[cfg(test)]
mod tests;
