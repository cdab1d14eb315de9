//! What sort of installer a file is, by its name and its first bytes.

use crate::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Msi,
    Msp,
    Exe,
    Deb,
    Rpm,
    Script,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Windows,
    Linux,
}

const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// By extension: the kind, and how such a file begins.
const KINDS: [(&str, Kind, &[u8]); 6] = [
    ("msi", Kind::Msi, COMPOUND_FILE),
    ("msp", Kind::Msp, COMPOUND_FILE),
    ("exe", Kind::Exe, b"MZ"),
    ("deb", Kind::Deb, b"!<arch>\n"),
    ("rpm", Kind::Rpm, b"\xed\xab\xee\xdb"),
    ("sh", Kind::Script, b"#!"),
];

impl Kind {
    /// Of the file `name` that begins with `head`. A script may have any name, and so may a program
    /// of Linux, which is run in the same way.
    pub fn of(name: &str, head: &[u8]) -> Result<Kind, Error> {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let known = KINDS.iter().find(|(known, ..)| extension.eq_ignore_ascii_case(known));
        match known {
            Some((_, kind, begin)) if head.starts_with(begin) => Ok(*kind),
            Some(_) => {
                let reason = format!("it does not begin as an .{extension} file does");
                Err(Error::Damaged { name: name.to_owned(), reason })
            }
            None if head.starts_with(b"#!") || head.starts_with(b"\x7fELF") => Ok(Kind::Script),
            None => Err(Error::Kind { name: name.to_owned() }),
        }
    }

    #[must_use]
    pub fn platform(self) -> Platform {
        match self {
            Kind::Msi | Kind::Msp | Kind::Exe => Platform::Windows,
            Kind::Deb | Kind::Rpm | Kind::Script => Platform::Linux,
        }
    }
}
