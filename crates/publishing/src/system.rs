//! On which computers an update may be installed.

use std::str::FromStr;

use update_metadata::{Comparison, Rule, authoring, linux};

use crate::{Error, Platform};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86,
    X64,
    Both,
}

impl Architecture {
    pub(crate) fn rule(self) -> Option<Rule> {
        match self {
            Architecture::X86 => Some(authoring::processor(0)),
            Architecture::X64 => Some(authoring::processor(9)),
            Architecture::Both => None,
        }
    }
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Architecture, Error> {
        match text {
            "x86" => Ok(Architecture::X86),
            "x64" => Ok(Architecture::X64),
            "both" => Ok(Architecture::Both),
            _ => {
                let (text, reason) = (text.to_owned(), "choose x86, x64 or both");
                Err(Error::Answer { option: "--architecture", text, reason })
            }
        }
    }
}

/// An operating system by the name administrators use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatingSystem {
    name: String,
}

/// For workstations or for servers, and the first build; the next row of the same sort begins where
/// one ends.
const WINDOWS: [(&str, bool, u32); 6] = [
    ("windows-10", true, 10_240),
    ("windows-11", true, 22_000),
    ("windows-server-2016", false, 14_393),
    ("windows-server-2019", false, 17_763),
    ("windows-server-2022", false, 20_348),
    ("windows-server-2025", false, 26_100),
];

impl OperatingSystem {
    #[must_use]
    pub fn named(name: &str) -> OperatingSystem {
        OperatingSystem { name: name.to_owned() }
    }

    pub(crate) fn rule(&self, platform: Platform) -> Result<Rule, Error> {
        let refuse = |reason| Error::Answer { option: "--os", text: self.name.clone(), reason };
        match platform {
            Platform::Windows => {
                let row = WINDOWS.iter().position(|(name, ..)| *name == self.name);
                let number = || self.name.strip_prefix("windows-")?.parse::<u32>().ok();
                match (row, number()) {
                    (Some(row), _) => Ok(windows(row)),
                    (None, Some(build)) if build >= WINDOWS[0].2 => {
                        Ok(authoring::windows_at_least((10, 0, build)))
                    }
                    _ => Err(refuse(
                        "choose windows-10, windows-11, windows-server-2016, -2019, -2022 or \
                         -2025, or a first build, as in windows-19045",
                    )),
                }
            }
            Platform::Linux => {
                let (id, version) = match self.name.rsplit_once('-') {
                    Some((id, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
                        (id, Some((Comparison::EqualTo, version)))
                    }
                    _ => (self.name.as_str(), None),
                };
                let is_id =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
                if id.is_empty() || !id.chars().all(is_id) || id.starts_with("windows") {
                    return Err(refuse(
                        "write what /etc/os-release says, as in debian or debian-12",
                    ));
                }
                Ok(linux::os_release(id, version))
            }
        }
    }
}

fn windows(row: usize) -> Rule {
    let (_, is_workstation, first) = WINDOWS[row];
    let workstation = match is_workstation {
        true => authoring::windows_workstation(),
        false => Rule::Not(Box::new(authoring::windows_workstation())),
    };
    let mut rules = vec![workstation, authoring::windows_at_least((10, 0, first))];
    let next = WINDOWS.get(row + 1).filter(|(_, sort, _)| *sort == is_workstation);
    rules.extend(
        next.map(|(.., build)| Rule::Not(Box::new(authoring::windows_at_least((10, 0, *build))))),
    );
    Rule::And(rules)
}
