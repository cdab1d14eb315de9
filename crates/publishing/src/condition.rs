//! What is looked for on a computer: the words of `--detect` and `--prerequisite`.
//!
//! | written | looks for |
//! | --- | --- |
//! | `file=PATH[@REST]` | on Windows, REST is the least version; on Linux, its SHA-256 |
//! | `msi={CODE}` | a product of Windows Installer |
//! | `registry=KEY[@VALUE]` | a key below HKLM, or a value of it |
//! | `package=NAME[@VERSION]` | on Linux, at least this version |
//!
//! Paths of Windows may begin with `%ProgramFiles%` and its kin.

use model::Sha256;
use update_metadata::{Comparison, Rule, Version, authoring, linux};

use crate::msi::is_guid;
use crate::{Error, Platform};

/// A condition as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    option: &'static str,
    text: String,
}

/// Folders that Windows knows by number (CSIDL), however a computer is set up.
const FOLDERS: [(&str, i32); 6] = [
    ("%programfiles(x86)%", 42),
    ("%programfiles%", 38),
    ("%commonprogramfiles%", 43),
    ("%programdata%", 35),
    ("%systemroot%", 36),
    ("%windir%", 36),
];

/// As digests are, if need be cut off ones.
fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Condition {
    /// `option` is what the words were given with, for messages.
    #[must_use]
    pub fn written(option: &'static str, text: &str) -> Condition {
        Condition { option, text: text.to_owned() }
    }

    fn refuse(&self, reason: &'static str) -> Error {
        Error::Answer { option: self.option, text: self.text.clone(), reason }
    }

    pub(crate) fn rule(&self, platform: Platform) -> Result<Rule, Error> {
        let (kind, rest) = self.text.split_once('=').unwrap_or((&self.text, ""));
        let (what, detail) = match rest.rsplit_once('@') {
            // A path may have one, too, such as that of a unit with instances.
            Some((_, tail)) if (kind, platform) == ("file", Platform::Linux) && !is_hex(tail) => {
                (rest, None)
            }
            Some((what, detail)) => (what, Some(detail)),
            None => (rest, None),
        };
        if what.is_empty() {
            return Err(self.refuse("is not of the form file=…, msi=…, registry=… or package=…"));
        }
        match (kind, platform) {
            ("file", Platform::Windows) => self.windows_file(what, detail),
            ("file", Platform::Linux) => self.linux_file(what, detail),
            ("msi", Platform::Windows) => {
                let code = format!("{{{}}}", rest.trim_matches(['{', '}']).to_uppercase());
                if !is_guid(&code) {
                    return Err(self.refuse("is no product code, such as {01234567-…}"));
                }
                Ok(authoring::product(&code))
            }
            ("registry", Platform::Windows) => self.registry(what, detail),
            ("package", Platform::Linux) => {
                let version = detail.map(|text| (Comparison::GreaterThanOrEqualTo, text));
                Ok(linux::package_installed(what, version))
            }
            ("msi" | "registry", Platform::Linux) => {
                Err(self.refuse("is for Windows; on Linux look for file=… or package=…"))
            }
            ("package", Platform::Windows) => {
                Err(self.refuse("is for Linux; on Windows look for file=…, msi=… or registry=…"))
            }
            _ => Err(self.refuse("is not of the form file=…, msi=…, registry=… or package=…")),
        }
    }

    fn windows_file(&self, path: &str, version: Option<&str>) -> Result<Rule, Error> {
        if version.is_some_and(|version| version.parse::<Version>().is_err()) {
            return Err(self.refuse("has no version such as 1.2.3.4 after @"));
        }
        let lower = path.to_ascii_lowercase();
        let known = FOLDERS.iter().find(|(name, _)| lower.starts_with(name));
        if let Some((name, csidl)) = known {
            let path = path[name.len()..].trim_start_matches(['\\', '/']);
            return Ok(authoring::file(path, Some(*csidl), version));
        }
        let is_absolute = path.as_bytes().get(1..3) == Some(b":\\");
        if !is_absolute {
            return Err(self.refuse("names no path such as C:\\… or %ProgramFiles%\\…"));
        }
        Ok(authoring::file(path, None, version))
    }

    fn linux_file(&self, path: &str, digest: Option<&str>) -> Result<Rule, Error> {
        let digest = digest.map(str::parse::<Sha256>).transpose();
        let digest = digest.map_err(|_| self.refuse("has no SHA-256 after @"))?;
        if !path.starts_with('/') {
            return Err(self.refuse("names no absolute path"));
        }
        Ok(linux::file_exists(path, digest))
    }

    fn registry(&self, key: &str, value: Option<&str>) -> Result<Rule, Error> {
        let subkey = ["HKLM\\", "HKEY_LOCAL_MACHINE\\"].iter().find_map(|hive| {
            let (head, rest) = key.split_at_checked(hive.len())?;
            head.eq_ignore_ascii_case(hive).then_some(rest)
        });
        let subkey = subkey.map(|subkey| subkey.trim_matches('\\')).filter(|key| !key.is_empty());
        let Some(subkey) = subkey else {
            return Err(self.refuse("names no key below HKLM, as in registry=HKLM\\SOFTWARE\\Name"));
        };
        Ok(authoring::registry(subkey, value))
    }
}
