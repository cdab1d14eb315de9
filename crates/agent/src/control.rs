//! The local socket: how whoever sits at this computer asks its agent.
//!
//! Owns the socket, one line of JSON each way, who is at the other end, and the bounds of all of
//! it. A question becomes an [`Asked`] in a short queue, and whoever decides answers it when it
//! comes by; nothing here waits for work to be done. Refuses to know the answers.
//!
//! The socket is no duty of the agent: one that cannot be opened is logged, and the agent does its
//! work without it. What is not understood is answered with what is wrong, and the conversation is
//! over; so is one that takes too long.

use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

mod access;
mod allowance;
mod answer;
mod caller;
mod codes;
pub(crate) mod limits;
mod names;
mod request;
mod server;
mod text;

pub(crate) use access::Rights;
pub(crate) use answer::*;
pub(crate) use caller::{Caller, Standing};
pub(crate) use codes::Code;
pub(crate) use request::{Cycle, Request};
pub(crate) use server::Socket;
pub(crate) use text::Text;

/// In the data directory, unless the configuration names another.
const NAME: &str = "control.sock";

/// Where people look who were told nothing; the service of systemd makes this directory.
pub(crate) const WELL_KNOWN: &str = "/run/tierline-agent/control.sock";

/// What the configuration says of those who sit at this computer.
#[derive(Clone, Debug)]
pub struct Local {
    /// Where they find the socket.
    pub path: PathBuf,
    /// Whose members are administrators, as root and the agent's own user are; by name or number.
    pub admin_groups: Vec<String>,
    /// Whose computer this is.
    pub primary_users: Vec<String>,
}

impl Local {
    /// The socket of `data`, which nobody but its owner can reach.
    #[must_use]
    pub fn within(data: &Path) -> PathBuf {
        data.join(NAME)
    }
}

/// A question, and where its answer goes. A receiver that is gone has stopped waiting.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) caller: Caller,
    pub(crate) answer: oneshot::Sender<Answer>,
}

#[cfg(test)]
mod tests;
