//! Updates as an administrator knows them: configuration items and categories.

use crate::{Invalid, Languages, Sha1, Sha256, Timestamp, UpdateId};

/// One revision of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpdateRef {
    pub id: UpdateId,
    pub revision: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalizedText {
    /// Language tag in lower case, such as `en` or `pt-br`.
    pub language: String,
    pub title: String,
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MsrcSeverity {
    Low,
    Moderate,
    Important,
    Critical,
}

impl MsrcSeverity {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MsrcSeverity::Low => "low",
            MsrcSeverity::Moderate => "moderate",
            MsrcSeverity::Important => "important",
            MsrcSeverity::Critical => "critical",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<MsrcSeverity> {
        match name.to_ascii_lowercase().as_str() {
            "low" => Some(MsrcSeverity::Low),
            "moderate" => Some(MsrcSeverity::Moderate),
            "important" => Some(MsrcSeverity::Important),
            "critical" => Some(MsrcSeverity::Critical),
            _ => None,
        }
    }
}

/// A file an update names. Where it can be had is the catalog's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemFile {
    pub name: String,
    pub size: u64,
    pub sha1: Sha1,
    /// Absent where the document gives only SHA-1; such a file is marked weak when fetched.
    pub sha256: Option<Sha256>,
}

/// A software update in a site database (SYNC-07). Its object id is the UpdateID; a newer
/// revision replaces the body and keeps the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Hierarchy-wide number of the update, never reused; state vectors are lists of these.
    pub number: u32,
    pub update: UpdateRef,
    /// The catalog version that brought the update.
    pub since: u64,
    /// The bytes a client may act on are those with this digest.
    pub document: Sha256,
    pub texts: Vec<LocalizedText>,
    pub classification: Option<UpdateId>,
    pub products: Vec<UpdateId>,
    pub company: Option<UpdateId>,
    pub severity: Option<MsrcSeverity>,
    pub kb_articles: Vec<String>,
    pub bulletins: Vec<String>,
    pub cves: Vec<String>,
    pub created_at: Timestamp,
    pub expired: bool,
    /// When the top-level site saw that; update points do not know it.
    pub expired_at: Option<Timestamp>,
    /// The update points' catalogs have lost it; it is here because it is deployed.
    pub withdrawn: bool,
    /// Installed only as part of a bundle; not counted and not deployable on its own.
    pub hidden: bool,
    /// Usable by Linux agents only; never offered to Windows clients.
    pub linux_only: bool,
    pub may_restart: bool,
    /// Tags its files are for, in lower case; none: any language.
    pub languages: Vec<String>,
    /// Comes with license terms that somebody has to accept.
    pub has_license: bool,
    pub supersedes: Vec<UpdateId>,
    /// Updates, and what only detects something, of which some have to be there before it.
    pub prerequisites: Vec<UpdateId>,
    pub bundles: Vec<UpdateRef>,
    pub files: Vec<ItemFile>,
}

impl Item {
    /// The title in `language`, else English, else any, else the id.
    #[must_use]
    pub fn title(&self, language: &str) -> String {
        let find = |l: &str| self.texts.iter().find(|t| t.language == l);
        let text = find(language).or_else(|| find("en")).or_else(|| self.texts.first());
        text.map_or_else(|| self.update.id.to_string(), |t| t.title.clone())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CategoryKind {
    Company,
    ProductFamily,
    Product,
    Classification,
}

impl CategoryKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CategoryKind::Company => "company",
            CategoryKind::ProductFamily => "family",
            CategoryKind::Product => "product",
            CategoryKind::Classification => "classification",
        }
    }

    pub fn from_name(name: &str) -> Result<CategoryKind, Invalid> {
        match name {
            "company" => Ok(CategoryKind::Company),
            "family" => Ok(CategoryKind::ProductFamily),
            "product" => Ok(CategoryKind::Product),
            "classification" => Ok(CategoryKind::Classification),
            _ => Err(Invalid::new("category type", format!("there is no type \"{name}\""))),
        }
    }
}

/// A company, product family, product or classification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    pub update: UpdateRef,
    pub kind: CategoryKind,
    pub parent: Option<UpdateId>,
    pub texts: Vec<LocalizedText>,
    /// Chosen by the administrator at the top-level site.
    pub subscribed: bool,
    /// The catalog version that brought it.
    pub since: u64,
}

impl Category {
    #[must_use]
    pub fn title(&self) -> &str {
        let english = self.texts.iter().find(|t| t.language == "en");
        english.or_else(|| self.texts.first()).map_or("", |t| t.title.as_str())
    }
}

/// The end of a successful synchronization that changed something (STAT-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogVersion {
    pub version: u64,
    pub items: u64,
    /// Over (UpdateID, revision) of every item, so that a software update point can prove that it
    /// holds the same set.
    pub set_digest: Sha256,
    /// In which texts are kept and shown, as the top-level site chose (SUP-34).
    pub languages: Languages,
}

/// Digest over a set of revisions, given in ascending order of id.
pub fn set_digest(updates: impl IntoIterator<Item = UpdateRef>) -> Sha256 {
    let mut hasher = blake3::Hasher::new();
    for UpdateRef { id, revision } in updates {
        hasher.update(id.as_bytes());
        hasher.update(&revision.to_le_bytes());
    }
    Sha256(*hasher.finalize().as_bytes())
}
