//! The client agent: it scans its computer against signed policy, installs what is due and says
//! how it stands.
//!
//! `client` decides without touching anything; the agent around it asks servers, keeps what it
//! must remember in `<data>/agent.db`, documents in `<data>/catalog`, files in `<data>/content`,
//! and works on a [`Machine`], a real one or a pretended one.
//!
//! Nobody on the way is trusted with anything that runs here: policy is believed by the signature
//! of the client's own site and only ever replaced by newer policy; documents and files are
//! believed by the digests that policy names. Whoever serves something else is refused, named in
//! the log and in the [`Summary`], and nothing is executed. Refuses to know how a site plans.
//!
//! Servers that cannot be reached are tried again; what was accepted goes on without them. What is
//! stored and damaged is set aside, counted and told, and the agent goes on without it; on a full
//! disk it begins nothing, and goes on once there is room.

mod agent;
mod agent_update;
mod cache;
mod calls;
mod content;
mod custody;

pub mod config;
mod control;

mod download;
mod error;
mod fetcher;
mod foreign;
pub mod inventory;
mod limits;
mod machine;
mod quarantine;
mod servers;
mod store;
mod summary;
mod verbs;
mod wake;
#[cfg(test)]
mod world;

pub use agent::{Agent, Config, Deps, Step};
pub use client::policy::Refused;
pub use control::Local;
pub use error::Error;
pub use fetcher::{Downloader, fetch_content};
pub use foreign::{Cost, Followed, Foreign, ForeignServer, Judge};
pub use machine::{
    Ended, Filter, FilterState, HandlersSection, Job, LinuxMachine, Machine, MachineSection,
    PretendedMachine, Settled, Setup, Wanted, run_installer,
};
pub use summary::{Refusal, Summary, View};
