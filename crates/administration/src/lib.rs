//! The front door of a site: joining and certificates, tokens, audit, and the administration
//! service.
//!
//! Owns who may join a hierarchy and as what ([`Enrolment`]), the right to issue certificates while
//! the process runs ([`Authority`]), and what administrators read and change ([`Admin`], one file
//! per noun below `grpc/`). Refuses to know files, sockets and how links work: intermediates are
//! kept, and the state of links is told, by functions handed in. A refusal says what, where and
//! what to do; nothing is half done, because each change and its audit message are one transaction.

mod admin;
mod audit;
mod authority;
mod bootstrap;
mod enrolment;
mod error;
mod grpc;
mod links;
mod publisher;
mod token;

pub use admin::{Admin, Clients, Home, Nudge};
pub use authority::{Authority, KeepIntermediate};
pub use bootstrap::bootstrap;
pub use enrolment::Enrolment;
pub use error::Error;
pub use grpc::Relay;
pub use links::{KnownHead, LinkStatus, Links};
pub use publisher::{KeepPublisher, Publishing, Signer};

#[cfg(test)]
mod tests;
