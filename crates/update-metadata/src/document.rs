//! An update document: one revision of an update, category or detectoid.
//!
//! Owns the typed form; `decode` reads it and `encode` writes it. It holds what Tierline uses, not
//! everything a document can say: the bytes a document came in remain the document.

use std::collections::BTreeMap;

use model::{
    CategoryKind, ItemFile, LocalizedText, MsrcSeverity, Sha1, Timestamp, UpdateId, UpdateRef,
};
use xml_guard::Element;

use crate::Rule;

mod decode;
mod encode;
mod metadata;

pub use decode::license_files;
pub(crate) use decode::{decode_command, decode_digest, decode_text, parse_size, parse_time};
pub(crate) use encode::encode_command;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub update: UpdateRef,
    pub properties: Properties,
    pub texts: Vec<LocalizedText>,
    pub relations: Relations,
    pub rules: Rules,
    pub files: Vec<ItemFile>,
    /// Those of them that hold differences to older files only, which nobody here can use.
    pub express: Vec<Sha1>,
    /// What kind of category this is, where it says so.
    pub category: Option<CategoryKind>,
    pub installer: Option<Installer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateKind {
    Software,
    Driver,
    Category,
    Detectoid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    pub kind: UpdateKind,
    pub default_language: String,
    /// PublicationState "Expired": still listed and served, never offered.
    pub is_expired: bool,
    /// Absent means no: what may not be deployed by itself comes as part of a bundle.
    pub is_explicitly_deployable: bool,
    pub created_at: Timestamp,
    pub severity: Option<MsrcSeverity>,
    pub kb_articles: Vec<String>,
    pub bulletins: Vec<String>,
    pub cves: Vec<String>,
    pub more_info_url: Option<String>,
    pub support_url: Option<String>,
    /// Tags of the languages it is for, in lower case; none: whichever a computer speaks.
    pub languages: Vec<String>,
    /// Somebody has to accept license terms before it is installed.
    pub has_license: bool,
    /// As written: what installing does to a computer and needs of it.
    pub installation: Option<Element>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    pub superseded: Vec<UpdateId>,
    /// All of them must hold.
    pub prerequisites: Vec<Prerequisite>,
    /// One member of each group belongs to the bundle.
    pub bundled: Vec<Vec<UpdateRef>>,
}

/// A clause that holds if any of its updates is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prerequisite {
    pub any_of: Vec<UpdateId>,
    /// Says which products or which classification the update belongs to.
    pub is_category: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub is_installed: Option<Rule>,
    pub is_installable: Option<Rule>,
    pub is_superseded: Option<Rule>,
    /// What tests that say nothing themselves go by. Of what a package of servicing brings, which
    /// can be megabytes, only its identity is kept.
    pub metadata: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installer {
    CommandLine(CommandLine),
    /// One that only Windows knows: the type of its data, and the data.
    Windows {
        type_name: String,
        data: Element,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    pub program: String,
    pub arguments: String,
    pub return_codes: BTreeMap<i32, Outcome>,
    pub default_outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub result: InstallResult,
    pub needs_restart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallResult {
    Succeeded,
    Failed,
    Cancelled,
}

impl Outcome {
    pub const FAILED: Outcome = Outcome { result: InstallResult::Failed, needs_restart: false };
    pub const SUCCEEDED: Outcome =
        Outcome { result: InstallResult::Succeeded, needs_restart: false };
}

impl CommandLine {
    /// 3010: succeeded, a restart completes it.
    const RESTART_REQUIRED: i32 = 3010;

    /// What an exit code means: by the document's table, else by convention, else by its default.
    #[must_use]
    pub fn outcome(&self, exit_code: i32) -> Outcome {
        match (self.return_codes.get(&exit_code), exit_code) {
            (Some(outcome), _) => *outcome,
            (None, 0) => Outcome::SUCCEEDED,
            (None, CommandLine::RESTART_REQUIRED) => {
                Outcome { needs_restart: true, ..Outcome::SUCCEEDED }
            }
            (None, _) => self.default_outcome,
        }
    }
}

impl Installer {
    /// 1641: succeeded, and the installer has started a restart (Windows Installer).
    const RESTART_STARTED: i32 = 1641;

    /// The exit code that a process of Linux means, of which only the lowest byte arrives: 194 is
    /// 3010, unless the document says what 194 is.
    #[must_use]
    pub fn exit_code(&self, byte: u8) -> i32 {
        let arrived = i32::from(byte);
        let conventional = match self {
            Installer::CommandLine(_) => &[CommandLine::RESTART_REQUIRED][..],
            Installer::Windows { .. } => {
                &[CommandLine::RESTART_REQUIRED, Installer::RESTART_STARTED]
            }
        };
        let known: Vec<i32> = match self {
            Installer::CommandLine(command) => command.return_codes.keys().copied().collect(),
            Installer::Windows { .. } => Vec::new(),
        };
        if arrived == 0 || known.contains(&arrived) {
            return arrived;
        }
        let mut meant = known.iter().chain(conventional);
        meant.find(|code| **code & 0xff == arrived).copied().unwrap_or(arrived)
    }

    /// What an exit code means (INT-27).
    #[must_use]
    pub fn outcome(&self, exit_code: i32) -> Outcome {
        match (self, exit_code) {
            (Installer::CommandLine(command), _) => command.outcome(exit_code),
            (Installer::Windows { .. }, 0) => Outcome::SUCCEEDED,
            (
                Installer::Windows { .. },
                CommandLine::RESTART_REQUIRED | Installer::RESTART_STARTED,
            ) => Outcome { needs_restart: true, ..Outcome::SUCCEEDED },
            (Installer::Windows { .. }, _) => Outcome::FAILED,
        }
    }
}

impl Document {
    /// A published document with an English title and nothing else; the caller sets the rest.
    #[must_use]
    pub fn new(update: UpdateRef, kind: UpdateKind, title: &str) -> Document {
        Document {
            update,
            properties: Properties::new(kind),
            texts: vec![LocalizedText {
                language: "en".to_owned(),
                title: title.to_owned(),
                description: String::new(),
            }],
            relations: Relations::default(),
            rules: Rules::default(),
            files: Vec::new(),
            express: Vec::new(),
            category: None,
            installer: None,
        }
    }

    /// Whether it becomes a `model::Item`, rather than a category or a detectoid.
    #[must_use]
    pub fn is_item(&self) -> bool {
        matches!(self.properties.kind, UpdateKind::Software | UpdateKind::Driver)
    }

    /// An installer may ask for a restart unless its document promises that it never does.
    #[must_use]
    pub fn may_restart(&self) -> bool {
        let behavior = self.properties.installation.as_ref();
        behavior.and_then(|b| b.tag.attribute("RebootBehavior")) != Some("NeverReboots")
    }
}

impl Properties {
    fn new(kind: UpdateKind) -> Properties {
        Properties {
            kind,
            default_language: "en".to_owned(),
            is_expired: false,
            is_explicitly_deployable: false,
            created_at: Timestamp::default(),
            severity: None,
            kb_articles: Vec::new(),
            bulletins: Vec::new(),
            cves: Vec::new(),
            more_info_url: None,
            support_url: None,
            languages: Vec::new(),
            has_license: false,
            installation: None,
        }
    }
}

/// A word of the vocabulary and the value it stands for.
type Words<T> = [(&'static str, T)];

const KINDS: &Words<UpdateKind> = &[
    ("Software", UpdateKind::Software),
    ("Driver", UpdateKind::Driver),
    ("Category", UpdateKind::Category),
    ("Detectoid", UpdateKind::Detectoid),
];

const CATEGORY_TYPES: &Words<CategoryKind> = &[
    ("Company", CategoryKind::Company),
    ("ProductFamily", CategoryKind::ProductFamily),
    ("Product", CategoryKind::Product),
    ("UpdateClassification", CategoryKind::Classification),
];

const RESULTS: &Words<InstallResult> = &[
    ("Succeeded", InstallResult::Succeeded),
    ("Failed", InstallResult::Failed),
    ("Cancelled", InstallResult::Cancelled),
];

const SEVERITIES: &Words<MsrcSeverity> = &[
    ("Low", MsrcSeverity::Low),
    ("Moderate", MsrcSeverity::Moderate),
    ("Important", MsrcSeverity::Important),
    ("Critical", MsrcSeverity::Critical),
];

fn meaning<T: Copy>(words: &Words<T>, text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

fn word<T: Copy + PartialEq>(words: &Words<T>, value: T) -> &'static str {
    let found = words.iter().find(|(_, known)| *known == value);
    found.map(|(word, _)| *word).expect("the tables name every value")
}

pub(crate) fn severity_word(severity: MsrcSeverity) -> &'static str {
    word(SEVERITIES, severity)
}

#[cfg(test)]
mod tests;
