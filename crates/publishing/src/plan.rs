//! From an installer and an administrator's answers to a publisher's package.
//!
//! Owns the rules that follow: where an update may be installed, how a computer knows that it is,
//! and what an exit code means. Whatever can be refused is refused by [`plan`], before anything is
//! uploaded; a [`Draft`] only lacks the digests of its files.

use std::collections::{BTreeMap, BTreeSet};

use model::{CategoryKind, ItemFile, LocalizedText, MsrcSeverity, Timestamp, UpdateId, UpdateRef};
use update_metadata::sdp::Package;
use update_metadata::{
    Document, InstallResult, Installer as Handler, Outcome, Prerequisite as Clause, Rule,
    UpdateKind, authoring, categories, linux,
};

use crate::{Architecture, Condition, Error, Identity, Installer, Kind, OperatingSystem, Platform};

/// What an administrator said. Empty texts: the file says.
#[derive(Clone, Debug)]
pub struct Answers {
    pub update: UpdateId,
    pub created_at: Timestamp,
    pub title: String,
    pub description: String,
    pub vendor: String,
    pub product: String,
    pub classification: String,
    pub severity: Option<MsrcSeverity>,
    /// None: as the file says, else both.
    pub architecture: Option<Architecture>,
    /// None of them: all.
    pub systems: Vec<OperatingSystem>,
    /// None: not said, which some kinds of installers do not allow.
    pub arguments: Option<String>,
    /// None of them: as the file says, else it is installed once.
    pub detect: Vec<Condition>,
    pub prerequisites: Vec<Prerequisite>,
    /// Beside those everybody knows.
    pub return_codes: BTreeMap<i32, Outcome>,
}

/// What has to be there before an update may be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    /// Another update, installed.
    Update(UpdateId),
    Found(Condition),
}

/// What `--return-code` says: `3010=restart`.
pub fn return_code(text: &str) -> Result<(i32, Outcome), Error> {
    let read = || {
        let (code, meaning) = text.split_once('=')?;
        let meaning = match meaning {
            "success" => Outcome::SUCCEEDED,
            "restart" => RESTARTING,
            "failure" => Outcome::FAILED,
            _ => return None,
        };
        Some((code.parse().ok()?, meaning))
    };
    let reason = "write CODE=success, CODE=restart or CODE=failure";
    read().ok_or_else(|| Error::Answer { option: "--return-code", text: text.to_owned(), reason })
}

/// The classifications an update of one's own may have (INT-21).
const CLASSIFICATIONS: [&str; 5] =
    ["Updates", "Critical Updates", "Security Updates", "Update Rollups", "Service Packs"];

/// Where neither the file nor the administrator says whose it is.
const VENDOR: &str = "Local Publisher";
const PRODUCT: &str = "Locally Published Updates";

/// Success, and a restart completes it (INT-27).
const RESTART: i32 = 3010;
const RESTARTING: Outcome = Outcome { result: InstallResult::Succeeded, needs_restart: true };

/// Where a computer with Linux notes what was installed once.
const MARKS: &str = "/var/lib/tierline/installed";

/// An update whose files are not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    platform: Platform,
    file: String,
    document: Document,
    categories: Vec<Document>,
}

/// The update that installs `file`, a file of this kind which says this of itself.
pub fn plan(
    answers: Answers,
    kind: Kind,
    file: &str,
    installer: &Installer,
) -> Result<Draft, Error> {
    let (title, description) = texts(&answers, file, installer)?;
    let categories = memberships(&answers, installer)?;
    let update = UpdateRef { id: answers.update, revision: 1 };
    let mut document = Document::new(update, UpdateKind::Software, &title);
    let language = match &*installer.language {
        "" => "en",
        language => language,
    };
    document.texts = vec![LocalizedText { language: language.to_owned(), title, description }];
    let properties = &mut document.properties;
    properties.default_language = language.to_owned();
    properties.is_explicitly_deployable = true;
    properties.created_at = answers.created_at;
    properties.severity = answers.severity;
    properties.more_info_url = Some(installer.url.clone())
        .filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    document.relations.prerequisites = clauses(&answers, &categories);
    let is_marked = answers.detect.is_empty() && installer.identity == Identity::Unknown;
    let installed = installed(&answers, kind.platform(), &installer.identity)?;
    let mut rules = requirements(&answers, kind.platform(), installer)?;
    rules.push(Rule::Not(Box::new(installed.clone())));
    document.rules.is_installed = Some(installed);
    document.rules.is_installable = Rule::all(rules);
    let mark = is_marked.then_some(answers.update);
    let handler = handler(&answers, kind, (file, mark), installer)?;
    document.properties.installation =
        Some(authoring::installation(restart(&answers, kind.platform())));
    document.installer = Some(handler);
    Ok(Draft { platform: kind.platform(), file: file.to_owned(), document, categories })
}

fn first_of(texts: &[&str]) -> String {
    let given = texts.iter().find(|text| !text.trim().is_empty());
    given.map_or_else(String::new, |text| text.trim().to_owned())
}

fn texts(answers: &Answers, file: &str, found: &Installer) -> Result<(String, String), Error> {
    let title = first_of(&[&answers.title, &found.title]);
    if title.is_empty() {
        return Err(Error::NoTitle { name: file.to_owned() });
    }
    let description = first_of(&[&answers.description, &found.description, &title]);
    Ok((title, description))
}

/// The company, the product and the classification it belongs to.
fn memberships(answers: &Answers, found: &Installer) -> Result<Vec<Document>, Error> {
    let classification = first_of(&[&answers.classification, "Updates"]);
    let known = CLASSIFICATIONS.iter().find(|known| known.eq_ignore_ascii_case(&classification));
    let Some(classification) = known else {
        let reason = "choose Updates, Critical Updates, Security Updates, Update Rollups or \
                      Service Packs";
        return Err(Error::Answer { option: "--classification", text: classification, reason });
    };
    let vendor = first_of(&[&answers.vendor, &found.vendor, VENDOR]);
    let product = first_of(&[&answers.product, &found.product, PRODUCT]);
    Ok(vec![
        categories::company(&vendor),
        categories::product(&vendor, &product),
        categories::classification(classification),
    ])
}

fn clauses(answers: &Answers, categories: &[Document]) -> Vec<Clause> {
    let updates = answers.prerequisites.iter().filter_map(|prerequisite| match prerequisite {
        Prerequisite::Update(id) => Some(Clause { any_of: vec![*id], is_category: false }),
        Prerequisite::Found(_) => None,
    });
    let belongs = categories.iter().filter(|c| c.category != Some(CategoryKind::Company));
    let belongs = belongs.map(|c| Clause { any_of: vec![c.update.id], is_category: true });
    updates.chain(belongs).collect()
}

/// How a computer knows that the update is installed (INT-23, INT-24).
fn installed(answers: &Answers, platform: Platform, identity: &Identity) -> Result<Rule, Error> {
    let detect = answers.detect.iter().map(|condition| condition.rule(platform));
    if let Some(rule) = Rule::all(detect.collect::<Result<_, _>>()?) {
        return Ok(rule);
    }
    Ok(match (identity, platform) {
        (Identity::Product { code }, _) => authoring::product(code),
        (Identity::Patch { code, products }, _) => {
            let patched = products.iter().map(|product| authoring::patch(code, product));
            Rule::Or(patched.collect())
        }
        (Identity::Package { name, version }, _) => {
            let at_least = update_metadata::Comparison::GreaterThanOrEqualTo;
            linux::package_installed(name, Some((at_least, version)))
        }
        (Identity::Unknown, Platform::Windows) => authoring::installed_once(),
        (Identity::Unknown, Platform::Linux) => linux::file_exists(&mark(answers.update), None),
    })
}

fn mark(update: UpdateId) -> String {
    format!("{MARKS}/{update}")
}

/// Where it may be installed: all of these (INT-22, INT-25).
fn requirements(
    answers: &Answers,
    platform: Platform,
    found: &Installer,
) -> Result<Vec<Rule>, Error> {
    let systems = answers.systems.iter().map(|system| system.rule(platform));
    let systems = systems.collect::<Result<Vec<_>, _>>()?;
    let mut rules = Vec::new();
    match systems.len() {
        0 | 1 => rules.extend(systems),
        _ => rules.push(Rule::Or(systems)),
    }
    let architecture = answers.architecture.or(found.architecture);
    rules.extend(architecture.and_then(Architecture::rule));
    if let Identity::Patch { products, .. } = &found.identity {
        let products = products.iter().map(|product| authoring::product(product));
        rules.push(Rule::Or(products.collect()));
    }
    for prerequisite in &answers.prerequisites {
        if let Prerequisite::Found(condition) = prerequisite {
            rules.push(condition.rule(platform)?);
        }
    }
    Ok(rules)
}

fn return_codes(answers: &Answers) -> BTreeMap<i32, Outcome> {
    let mut codes = BTreeMap::from([(0, Outcome::SUCCEEDED), (RESTART, RESTARTING)]);
    codes.extend(&answers.return_codes);
    codes
}

/// Nothing on Linux asks for a restart unless somebody says by which exit code.
fn restart(answers: &Answers, platform: Platform) -> &'static str {
    let asks = answers.return_codes.values().any(|outcome| outcome.needs_restart);
    match (platform, asks) {
        (Platform::Linux, false) => "NeverReboots",
        (Platform::Windows, _) | (_, true) => "CanRequestReboot",
    }
}

fn handler(
    answers: &Answers,
    kind: Kind,
    (file, mark): (&str, Option<UpdateId>),
    found: &Installer,
) -> Result<Handler, Error> {
    let codes = return_codes(answers);
    let arguments = answers.arguments.as_deref();
    let said = arguments.unwrap_or_default().trim();
    match (kind, &found.identity) {
        (Kind::Msi, Identity::Product { code }) => {
            return Ok(authoring::install_product(file, code, said));
        }
        (Kind::Msp, Identity::Patch { code, .. }) => {
            return Ok(authoring::install_patch(code, said));
        }
        (Kind::Exe, _) => {
            let silent = arguments.ok_or_else(|| Error::NotSilent { name: file.to_owned() })?;
            return Ok(authoring::run(file, silent, codes));
        }
        _ => {}
    }
    let file = quoted(file)?;
    match mark {
        // The agent knows what installs a package.
        None => Ok(authoring::run(file, said, codes)),
        Some(update) => marking(&words([&format!("./{file}"), said]), update, codes),
    }
}

/// What there is of these, as it is: blanks within quotes are the installer's.
fn words<const N: usize>(all: [&str; N]) -> String {
    all.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
}

/// It stands in command lines.
fn quoted(file: &str) -> Result<&str, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-~%".contains(c);
    if file.starts_with('-') || !file.chars().all(is_plain) {
        let reason = "rename the file: letters, digits and ._+-~ may stand in its name";
        return Err(Error::Answer { option: "FILE", text: file.to_owned(), reason });
    }
    Ok(file)
}

/// Notes that the update was installed, so that it is installed once.
fn marking(
    command: &str,
    update: UpdateId,
    codes: BTreeMap<i32, Outcome>,
) -> Result<Handler, Error> {
    if command.contains('\'') {
        return Err(Error::Unmarkable { name: command.to_owned() });
    }
    let succeeded = codes.iter().filter(|(_, o)| o.result == InstallResult::Succeeded);
    // The lowest byte is what a shell learns of an exit code.
    let succeeded: BTreeSet<i32> = succeeded.map(|(code, _)| code & 0xff).collect();
    let succeeded: Vec<String> = succeeded.iter().map(i32::to_string).collect();
    let (succeeded, mark) = (succeeded.join("|"), mark(update));
    let script = format!(
        "{command}; code=$?; case $code in {succeeded}) mkdir -p {MARKS} && : > {mark};; esac; \
         exit $code"
    );
    Ok(authoring::run("/bin/sh", &format!("-c '{script}'"), codes))
}

impl Draft {
    #[must_use]
    pub fn platform(&self) -> Platform {
        self.platform
    }

    #[must_use]
    pub fn id(&self) -> UpdateId {
        self.document.update.id
    }

    #[must_use]
    pub fn title(&self) -> &str {
        &self.document.texts[0].title
    }

    /// The package with these files: on Windows the one cabinet that holds them all.
    pub fn to_sdp(&self, files: Vec<ItemFile>) -> Result<String, Error> {
        let update = Document { files, ..self.document.clone() };
        let categories = self.categories.clone();
        let (members, sources, rejected) = (Vec::new(), Vec::new(), Vec::new());
        let package = Package { update, members, categories, sources, rejected };
        package
            .to_sdp()
            .map_err(|rejected| Error::Package { name: self.file.clone(), reason: rejected.reason })
    }
}

#[cfg(test)]
mod tests;
