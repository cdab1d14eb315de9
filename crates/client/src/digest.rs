//! The name of bytes.

use model::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};

pub fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256(Hasher::digest(bytes).into())
}
