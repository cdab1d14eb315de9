//! Enumerations that have one word per case, the same on the wire, in tables and on the screen.

/// Defines an enumeration, the word of each case, and the way back, which names the words.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $name:ident, $what:literal { $($(#[$case_meta:meta])* $case:ident = $word:literal,)* }
    )*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            pub enum $name { $($(#[$case_meta])* $case,)* }

            impl $name {
                pub const ALL: &'static [$name] = &[$($name::$case),*];

                #[must_use]
                pub fn as_str(self) -> &'static str {
                    match self { $($name::$case => $word),* }
                }

                pub fn from_name(name: &str) -> Result<$name, $crate::Invalid> {
                    match name {
                        $($word => Ok($name::$case),)*
                        _ => {
                            let words = [$($word),*].join(", ");
                            let reason = format!("there is no \"{name}\"; it is one of {words}");
                            Err($crate::Invalid::new($what, reason))
                        }
                    }
                }
            }
        )*
    };
}

pub(crate) use words;
