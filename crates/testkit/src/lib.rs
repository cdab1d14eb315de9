//! What tests share: fakes that speak real protocols over real sockets.
//!
//! Knows no role, so that every role's tests may use it. A fake does what a test told it to and
//! remembers what it was asked; one that cannot do so panics, which fails the test.

pub mod catalogs;
pub mod content;
pub mod distribution;
pub mod facts;
pub mod management;
pub mod objects;
pub mod pki;
pub mod policy;
pub mod proxy;
pub mod reference;
pub mod sample;
pub mod serving;
pub mod tls;
pub mod upstream;
pub mod windows;
pub mod wsus;
