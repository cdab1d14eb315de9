//! The form of a facts file: TOML.
//!
//! ```toml
//! id = "debian"
//! version_id = "12"
//! architecture = "amd64"
//! users = ["anna"]
//!
//! [packages]
//! bash = "5.2-1"
//!
//! [outcomes.KB5034441]
//! exit_code = 3010
//! ```
//!
//! With a section `windows` it is a computer with Windows, and `id` and `packages` say nothing.

use std::collections::BTreeMap;
use std::io;

use model::{Form, Sha256};
use recurrence::Zone;
use serde::{Deserialize, Serialize};
use update_metadata::{Document, Facts, FileFact, LinuxFacts, PackageOrder, System, WindowsFacts};

use super::described::Described;
use super::invalid;
use crate::machine::{FilterState, architecture};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactsFile {
    /// `ID` of os-release, such as `debian`.
    #[serde(default = "linux")]
    pub(super) id: String,
    /// `VERSION_ID` of os-release.
    pub(super) version_id: Option<String>,
    /// Such as `amd64`.
    pub(super) architecture: String,
    /// How versions of packages compare: `debian` or `rpm`.
    #[serde(default)]
    pub(super) order: Order,
    /// How often it was started.
    #[serde(default)]
    pub(super) boot: u64,
    /// By its name in the time zone database; UTC, if absent.
    pub(super) zone: Option<String>,
    #[serde(default)]
    pub(super) form: Sort,
    /// Who is logged on.
    #[serde(default)]
    pub(super) users: Vec<String>,
    /// Whether the system asks for a restart by itself; a restart answers it.
    #[serde(default)]
    pub(super) asks_for_restart: bool,
    #[serde(default)]
    pub(super) write_filter: WriteFilter,
    /// What the people at it were told, the last ones.
    #[serde(default)]
    pub(super) notices: Vec<String>,
    /// Installed packages and their versions.
    #[serde(default)]
    pub(super) packages: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, PretendedFile>,
    /// How installations end: by id of the update or by its KB article. The others succeed.
    #[serde(default)]
    pub(super) outcomes: BTreeMap<String, Outcome>,
    /// What no rule asks for.
    #[serde(default)]
    pub(super) inventory: Described,
    /// As in the facts that rules are judged by.
    pub(super) windows: Option<toml::Table>,
}

fn linux() -> String {
    "linux".to_owned()
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    #[default]
    Debian,
    Rpm,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sort {
    #[default]
    Server,
    Workstation,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum WriteFilter {
    #[default]
    Absent,
    Open,
    Closed,
}

/// A file's SHA-256, empty where it is not known; or all that is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum PretendedFile {
    Digest(String),
    Fact(toml::Table),
}

/// How the installation of one update ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome {
    #[serde(default)]
    pub(super) exit_code: i32,
    /// It would never end by itself.
    #[serde(default)]
    pub(super) hangs: bool,
    /// Whether what its document looks for is there after a success.
    #[serde(default = "yes")]
    pub(super) takes_effect: bool,
}

fn yes() -> bool {
    true
}

impl Default for Outcome {
    fn default() -> Outcome {
        Outcome { exit_code: 0, hangs: false, takes_effect: true }
    }
}

impl From<Sort> for Form {
    fn from(sort: Sort) -> Form {
        match sort {
            Sort::Server => Form::Server,
            Sort::Workstation => Form::Workstation,
        }
    }
}

impl From<WriteFilter> for FilterState {
    fn from(filter: WriteFilter) -> FilterState {
        match filter {
            WriteFilter::Absent => FilterState::Absent,
            WriteFilter::Open => FilterState::Open,
            WriteFilter::Closed => FilterState::Closed,
        }
    }
}

impl PretendedFile {
    fn fact(&self) -> io::Result<FileFact> {
        match self {
            PretendedFile::Digest(digest) if digest.is_empty() => Ok(FileFact::default()),
            PretendedFile::Digest(digest) => {
                let sha256 = Some(digest.parse::<Sha256>().map_err(invalid)?);
                Ok(FileFact { sha256, ..FileFact::default() })
            }
            PretendedFile::Fact(table) => FileFact::deserialize(table.clone()).map_err(invalid),
        }
    }
}

impl FactsFile {
    /// Whatever a facts file can have wrong is found here.
    pub(super) fn read(text: &str) -> io::Result<FactsFile> {
        let file: FactsFile = toml::from_str(text).map_err(invalid)?;
        file.files.values().try_for_each(|found| found.fact().map(drop))?;
        file.facts()?;
        file.zone()?;
        Ok(file)
    }

    pub(super) fn facts(&self) -> io::Result<Facts> {
        let system = match &self.windows {
            Some(table) => {
                let windows = WindowsFacts::deserialize(table.clone()).map_err(invalid)?;
                System::Windows(Box::new(windows))
            }
            None => System::Linux(LinuxFacts {
                id: self.id.clone(),
                version_id: self.version_id.clone(),
                packages: Some(self.packages.clone()),
                order: match self.order {
                    Order::Debian => PackageOrder::Debian,
                    Order::Rpm => PackageOrder::Rpm,
                },
            }),
        };
        let architecture = architecture(&self.architecture);
        Ok(Facts { architecture, files: BTreeMap::new(), system })
    }

    pub(super) fn zone(&self) -> io::Result<Zone> {
        let named = |name: &String| Zone::named(name).map_err(invalid);
        self.zone.as_ref().map_or_else(|| Ok(Zone::utc()), named)
    }

    /// Windows knows a file by any case of its path.
    pub(super) fn file(&self, path: &str) -> io::Result<Option<FileFact>> {
        let found = match &self.windows {
            Some(_) => {
                let mut files = self.files.iter();
                files.find(|(known, _)| known.eq_ignore_ascii_case(path)).map(|(_, file)| file)
            }
            None => self.files.get(path),
        };
        found.map(PretendedFile::fact).transpose()
    }

    pub(super) fn outcome(&self, document: &Document) -> Outcome {
        let articles = document.properties.kb_articles.iter();
        let articles = articles.map(|article| {
            let number = article.trim_start_matches("KB");
            format!("KB{number}")
        });
        let names = std::iter::once(document.update.id.to_string()).chain(articles);
        let mut found = names.filter_map(|name| self.outcomes.get(&name));
        found.next().cloned().unwrap_or_default()
    }
}
