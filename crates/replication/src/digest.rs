//! The one digest function.
//!
//! An object's hash is BLAKE3 over kind, id, sequence and body, numbers little endian, lengths
//! prefixed. The digest of a stream of objects is the sum of the hashes of its live objects modulo
//! 2^256, so that one change costs one addition and one subtraction. The digest of a stream of
//! events is a chain. Both find accidents, not attackers; the owner's signature is for those.

use model::StreamDigest;

/// Buckets a stream is divided into when it is reconciled.
pub const BUCKETS: u32 = 4096;

/// The hash of one change.
#[must_use]
pub fn object_hash(kind: u32, id: &[u8], seq: u64, body: Option<&[u8]>) -> StreamDigest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&kind.to_le_bytes());
    hasher.update(&(id.len() as u64).to_le_bytes());
    hasher.update(id);
    hasher.update(&seq.to_le_bytes());
    match body {
        Some(body) => {
            hasher.update(&(body.len() as u64).to_le_bytes());
            hasher.update(body);
        }
        // No body has this length.
        None => {
            hasher.update(&u64::MAX.to_le_bytes());
        }
    }
    StreamDigest(*hasher.finalize().as_bytes())
}

/// The digest after an object came.
#[must_use]
pub fn sum_add(digest: StreamDigest, hash: StreamDigest) -> StreamDigest {
    let (mut sum, mut carry) = (digest.0, 0_u16);
    for (byte, add) in sum.iter_mut().zip(hash.0) {
        let wide = u16::from(*byte) + u16::from(add) + carry;
        *byte = wide.to_le_bytes()[0];
        carry = wide >> 8;
    }
    StreamDigest(sum)
}

/// The digest after an object went.
#[must_use]
pub fn sum_subtract(digest: StreamDigest, hash: StreamDigest) -> StreamDigest {
    let (mut difference, mut borrow) = (digest.0, 0_i16);
    for (byte, take) in difference.iter_mut().zip(hash.0) {
        let wide = i16::from(*byte) - i16::from(take) - borrow;
        *byte = wide.to_le_bytes()[0];
        borrow = i16::from(wide < 0);
    }
    StreamDigest(difference)
}

/// The digest of an event stream after one more event.
#[must_use]
pub fn chain(digest: StreamDigest, hash: StreamDigest) -> StreamDigest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&digest.0);
    hasher.update(&hash.0);
    StreamDigest(*hasher.finalize().as_bytes())
}

/// The bucket of an object.
#[must_use]
pub fn bucket_of(kind: u32, id: &[u8]) -> u32 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&kind.to_le_bytes());
    hasher.update(id);
    let hash = hasher.finalize();
    let first = u32::from_le_bytes(hash.as_bytes()[..4].try_into().expect("a hash has 32 bytes"));
    first % BUCKETS
}

#[cfg(test)]
mod tests;
