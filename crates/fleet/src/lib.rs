//! Many clients in one process, in virtual time: the decisions of real ones, on computers that
//! exist only as facts.
//!
//! Owns when each client acts ([`Fleet`]), what pretended computers do ([`Model`], [`Manner`]), and
//! the way to management points: [`Wire`] speaks the real protocols over mutual TLS with a
//! certificate for each client; [`Short`] answers in place of a site where only the clients are to
//! be measured. Refuses to decide anything for a client. What cannot be reached is counted
//! ([`Tally`]) and tried again by the client itself.

mod catalog;
mod chance;
mod computer;
mod error;
mod fleet;
mod limits;
mod pool;
mod short;
mod tally;
mod wire;

pub use catalog::Catalog;
pub use computer::{Manner, Model};
pub use error::Error;
pub use fleet::{Config, Fleet, Link, Pace};
pub use short::{Short, Terms};
pub use tally::{Kind, Standing, Tally};
pub use wire::{Account, Wire};

#[cfg(test)]
mod tests;
