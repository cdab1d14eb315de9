//! Links between a parent and a child site.
//!
//! Owns the conversation over one link ([`Exchange`]: frames in, one transaction of the site
//! database, frames out), the loops that keep a link up, the board of link states, and recovery
//! after a restore. Refuses to know what objects mean. A link that fails is retried with back-off
//! for ever; whatever was not acknowledged is sent again.

mod board;
mod error;
mod exchange;
mod grpc;
mod link;
mod recovery;
mod relay;
mod wire;

pub use board::{LinkBoard, LinkView};
pub use error::Error;
pub use exchange::{Exchange, Hints};
pub use grpc::{LinkServer, dial};
pub use link::Link;
pub use recovery::recover_alone;
pub use relay::{ManagementRelay, RelayService};
