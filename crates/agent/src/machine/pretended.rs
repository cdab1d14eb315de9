//! A computer that exists only as a facts file.
//!
//! Owns the file's form. Downloads and checks around it are real; an installation makes true what
//! the document's own rule asks for, so that a scan finds it installed, and is kept in the file.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Sha256;
use serde::{Deserialize, Serialize};
use transport::BoxFuture;
use update_metadata::{Facts, FileFact, LinuxFacts, Rule, System};

use super::{Job, Machine, Wanted, architecture};

/// A facts file: TOML.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsFile {
    /// `ID` of os-release, such as `debian`.
    id: String,
    /// `VERSION_ID` of os-release.
    version_id: Option<String>,
    /// Such as `amd64`.
    architecture: String,
    /// Installed packages and their versions.
    #[serde(default)]
    packages: BTreeMap<String, String>,
    /// Files and their SHA-256; empty where it is not known.
    #[serde(default)]
    files: BTreeMap<String, String>,
}

#[derive(Debug)]
pub struct PretendedMachine {
    facts: Mutex<FactsFile>,
    /// Where installations are kept; nowhere for one that lives in memory.
    path: Option<PathBuf>,
}

impl PretendedMachine {
    /// The computer described in the TOML file at `path`.
    pub fn open(path: &Path) -> io::Result<PretendedMachine> {
        let mut machine = PretendedMachine::read(&std::fs::read_to_string(path)?)?;
        machine.path = Some(path.to_owned());
        Ok(machine)
    }

    /// The computer that this TOML text describes, in memory.
    pub fn read(text: &str) -> io::Result<PretendedMachine> {
        let facts: FactsFile = toml::from_str(text).map_err(invalid)?;
        let digests = facts.files.values().filter(|digest| !digest.is_empty());
        digests
            .map(|digest| digest.parse())
            .collect::<Result<Vec<Sha256>, _>>()
            .map_err(invalid)?;
        Ok(PretendedMachine { facts: Mutex::new(facts), path: None })
    }

    fn lock(&self) -> MutexGuard<'_, FactsFile> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pretend(&self, job: &Job<'_>) -> io::Result<i32> {
        let mut facts = self.lock();
        if let Some(rule) = &job.document.rules.is_installed {
            make_true(rule, &mut facts);
        }
        if let Some(path) = &self.path {
            // Beside it first, so that a crash leaves one whole file or the other.
            let beside = path.with_extension("new");
            std::fs::write(&beside, toml::to_string(&*facts).map_err(invalid)?)?;
            std::fs::rename(&beside, path)?;
        }
        Ok(0)
    }
}

impl Machine for PretendedMachine {
    fn facts(&self) -> io::Result<Facts> {
        let FactsFile { id, version_id, architecture: name, packages, .. } = self.lock().clone();
        let linux = LinuxFacts { id, version_id, packages: Some(packages) };
        let (files, system) = (BTreeMap::new(), System::Linux(linux));
        Ok(Facts { architecture: architecture(&name), files, system })
    }

    fn file(&self, path: &str, _: Wanted) -> io::Result<Option<FileFact>> {
        let fact =
            |digest: &String| FileFact { sha256: digest.parse().ok(), ..FileFact::default() };
        Ok(self.lock().files.get(path).map(fact))
    }

    fn boot(&self) -> io::Result<String> {
        Ok("pretended".to_owned())
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<i32>> {
        Box::pin(async { self.pretend(job) })
    }
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error.to_string())
}

/// The least that makes a rule hold. What it asks for and cannot be had is left as it is; the
/// scan afterwards tells.
fn make_true(rule: &Rule, facts: &mut FactsFile) {
    match rule {
        Rule::True | Rule::False | Rule::Not(_) => {}
        Rule::And(rules) => rules.iter().for_each(|rule| make_true(rule, facts)),
        Rule::Or(rules) => rules.iter().take(1).for_each(|rule| make_true(rule, facts)),
        Rule::Test(test) => {
            let attribute = |name| test.tag.attribute(name).unwrap_or_default().to_owned();
            match test.tag.local.as_str() {
                "FileExists" => facts.files.insert(attribute("Path"), attribute("Sha256")),
                "PackageInstalled" => {
                    facts.packages.insert(attribute("Name"), attribute("Version"))
                }
                _ => None,
            };
        }
    }
}
