//! Names of things.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::Invalid;

/// A site code: exactly three characters A-Z or 0-9, not a reserved word (SITE-01).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteCode([u8; 3]);

impl SiteCode {
    const RESERVED: [&'static str; 6] = ["AUX", "CON", "NUL", "PRN", "SMS", "ENV"];

    pub fn new(text: &str) -> Result<SiteCode, Invalid> {
        let refuse = |why: &str| Err(Invalid::new("site code", format!("\"{text}\" {why}")));
        let Ok(bytes) = <[u8; 3]>::try_from(text.as_bytes()) else {
            return refuse("is not exactly three characters");
        };
        if !bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return refuse("has characters other than A-Z and 0-9");
        }
        if SiteCode::RESERVED.contains(&text) {
            return refuse("is reserved; choose another code");
        }
        Ok(SiteCode(bytes))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the constructor admits only ASCII")
    }
}

impl fmt::Display for SiteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SiteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SiteCode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<SiteCode, Invalid> {
        SiteCode::new(text)
    }
}

/// The code of a package, collection or update group: the creating site's code and five hex
/// digits (SITE-07), or the built-in `SMS00001`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectCode(String);

impl ObjectCode {
    /// The number of codes one site can give.
    pub const COUNT: u32 = 1 << 20;

    pub fn new(text: &str) -> Result<ObjectCode, Invalid> {
        let number = text.get(3..).filter(|n| n.len() == 5);
        let hex = number
            .is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
        let site = text.get(..3).is_some_and(|c| c == "SMS" || SiteCode::new(c).is_ok());
        if hex && site {
            return Ok(ObjectCode(text.to_owned()));
        }
        let reason = format!("\"{text}\" is not a site code followed by five hex digits");
        Err(Invalid::new("object code", reason))
    }

    pub fn numbered(site: SiteCode, number: u32) -> Result<ObjectCode, Invalid> {
        if number >= ObjectCode::COUNT {
            return Err(Invalid::new(
                "object code",
                format!("site {site} has given all its codes"),
            ));
        }
        Ok(ObjectCode(format!("{site}{number:05X}")))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! uuid_name {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            pub fn from_slice(bytes: &[u8]) -> Result<$name, Invalid> {
                let uuid = Uuid::from_slice(bytes).map_err(|_| {
                    Invalid::new($field, format!("{} bytes instead of 16", bytes.len()))
                })?;
                Ok($name(uuid))
            }

            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<$name, Invalid> {
                let uuid = Uuid::try_parse(text)
                    .map_err(|_| Invalid::new($field, format!("\"{text}\" is not a UUID")))?;
                Ok($name(uuid))
            }
        }
    };
}

uuid_name!(
    /// The UpdateID of an update, category or detectoid; shown in lower case.
    UpdateId, "update id"
);
uuid_name!(
    /// A hierarchy, named at the first start of its top-level site.
    HierarchyId, "hierarchy id"
);
uuid_name!(
    /// A site system role, named when it joins.
    RoleId, "role id"
);
uuid_name!(
    /// A managed computer, named when it enrols.
    ClientId, "client id"
);
uuid_name!(
    /// A deployment.
    DeploymentId, "deployment id"
);
