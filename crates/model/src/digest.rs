//! Digests of files and documents.

use std::fmt;
use std::str::FromStr;

use crate::Invalid;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $len:literal, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            pub fn from_slice(bytes: &[u8]) -> Result<$name, Invalid> {
                let bytes = bytes.try_into().map_err(|_| {
                    Invalid::new($field, format!("{} bytes instead of {}", bytes.len(), $len))
                })?;
                Ok($name(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<$name, Invalid> {
                let bad = || {
                    Invalid::new($field, format!("\"{text}\" is not {} hex digits", 2 * $len))
                };
                if text.len() != 2 * $len || !text.is_ascii() {
                    return Err(bad());
                }
                let mut bytes = [0; $len];
                for (i, byte) in bytes.iter_mut().enumerate() {
                    let digits = &text[2 * i..2 * i + 2];
                    *byte = u8::from_str_radix(digits, 16).map_err(|_| bad())?;
                }
                Ok($name(bytes))
            }
        }
    };
}

digest!(
    /// The name of a file or document.
    Sha256, 32, "sha256"
);
digest!(
    /// What update metadata names files by. Weak: never the only check of anything we name.
    Sha1, 20, "sha1"
);
