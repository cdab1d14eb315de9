//! What a rule asks and facts do not tell.
//!
//! A question is why a test is unknown, and at once what a provider of facts has to look for:
//! look, add what is found, and ask [`crate::questions`] again until none is left.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub subject: Subject,
    /// Which of them; empty where there is one only.
    pub name: String,
}

/// A part of the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Architecture,
    CbsApplicability,
    CbsPackages,
    Cameras,
    Cluster,
    ComputerIds,
    Devices,
    Direct3d,
    FeatureScore,
    /// Whether there is a file, and how large it is.
    File,
    FileCreated,
    FileDigest,
    FileLanguage,
    FileModified,
    FileVersion,
    Folder,
    GenericAnswer,
    InstalledOnce,
    Languages,
    Licenses,
    Memory,
    Metric,
    MsiComponents,
    MsiFeatures,
    MsiPatches,
    MsiProducts,
    MsiUpgradeCode,
    Nfc,
    Packages,
    Processors,
    ProductReleases,
    Registry,
    Sensors,
    VideoMemory,
    WmiClass,
    WmiColumn,
}

impl Question {
    pub(crate) fn new(subject: Subject, name: impl fmt::Display) -> Question {
        Question { subject, name: name.to_string() }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = ["nobody looked for", self.subject.as_str(), &self.name];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        f.write_str(&words.join(" "))
    }
}

impl Subject {
    /// A path speaks for itself.
    fn as_str(self) -> &'static str {
        match self {
            Subject::Architecture => "the architecture",
            Subject::CbsApplicability => "applicability of package",
            Subject::CbsPackages => "packages of servicing",
            Subject::Cameras => "cameras",
            Subject::Cluster => "a cluster",
            Subject::ComputerIds => "ids of the computer",
            Subject::Devices => "devices",
            Subject::Direct3d => "Direct3D",
            Subject::FeatureScore => "the feature score of the driver of",
            Subject::File => "",
            Subject::FileCreated => "the creation date of",
            Subject::FileDigest => "the digest of",
            Subject::FileLanguage => "the language of",
            Subject::FileModified => "the modification date of",
            Subject::FileVersion => "the version of",
            Subject::Folder => "folder",
            Subject::GenericAnswer => "an answer to",
            Subject::InstalledOnce => "the history of installations",
            Subject::Languages => "languages",
            Subject::Licenses => "licenses",
            Subject::Memory => "memory of type",
            Subject::Metric => "system metric",
            Subject::MsiComponents => "components of product",
            Subject::MsiFeatures => "features of product",
            Subject::MsiPatches => "patches of product",
            Subject::MsiProducts => "products of Windows Installer",
            Subject::MsiUpgradeCode => "the upgrade code of product",
            Subject::Nfc => "NFC",
            Subject::Packages => "installed packages",
            Subject::Processors => "processors",
            Subject::ProductReleases => "product releases",
            Subject::Registry => "the registry",
            Subject::Sensors => "sensors",
            Subject::VideoMemory => "video memory",
            Subject::WmiClass => "class",
            Subject::WmiColumn => "column",
        }
    }
}
