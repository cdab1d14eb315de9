//! The sample catalog: update documents and files of our own making.
//!
//! Deterministic: the same directory gives the same bytes. Windows-shaped updates with file and
//! registry rules, one superseded, a bundle, an expired one, and Linux updates, of which one really
//! does something: it puts a harmless file into the directory.

use std::path::{Path, PathBuf};

use ambient::Ambient;
use model::{
    CategoryKind, ItemFile, LocalizedText, MsrcSeverity, Sha1, Sha256, Timestamp, UpdateId,
    UpdateRef,
};
use sha2::Digest as _;
use update_metadata::{
    CommandLine, Comparison, Document, Installer, Outcome, Prerequisite, Rule, UpdateKind,
    categories, linux,
};
use uuid::Uuid;
use xml_guard::{Attribute, Element, Tag};

mod deployed;
mod large;

pub use large::large;

const COMPANY: &str = "Tierline Samples";
const BASE_RULES: &str = "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules";
/// The name space of ids made from names (UUID version 5).
const NAMES: Uuid = Uuid::from_u128(0x7d1c_03aa_5b0e_4e0b_9f7a_6c35_90d2_417e);
/// 2026-01-13T18:00:00Z; one day later for each update.
const FIRST_PUBLISHED_MS: i64 = 1_768_327_200_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How many Windows-shaped updates replace files, and how many set a registry value.
pub(crate) const PARTS: u32 = 24;
pub(crate) const SETTINGS: u32 = 6;
/// How many Linux updates replace a package.
pub(crate) const PACKAGES: u32 = 8;

/// What the real update runs: the target directory is its argument.
const SCRIPT: &str = "#!/bin/sh\nset -e\necho run >> \"$1/installations.log\"\n\
                      printf '%s\\n' 'Installed by Tierline.' > \"$1/tierline-sample.txt\"\n";
const INSTALLED: &str = "Installed by Tierline.\n";

/// A catalog and the files it names.
#[derive(Debug)]
pub struct Sample {
    pub documents: Vec<Document>,
    pub files: Vec<(String, Vec<u8>)>,
    /// Updates fit for a deployment: they differ in kind and all of them can be installed.
    pub deployable: Vec<UpdateId>,
    /// The update that really installs.
    pub real: UpdateId,
    /// What it leaves behind, and where it adds a line per run.
    pub installed: (PathBuf, Sha256),
    pub log: PathBuf,
}

/// The catalog whose real update installs into `directory`, an absolute path.
#[must_use]
pub fn sample(directory: &Path) -> Sample {
    let mut making = Making::new();
    let desktop = making.product("Sample Desktop");
    let server = making.product("Sample Server");
    let tools = making.product("Sample Linux Tools");
    for number in 0..PARTS {
        let product = if number % 2 == 0 { desktop } else { server };
        making.add_part(number, product);
    }
    (0..SETTINGS).for_each(|number| making.add_setting(number, desktop));
    making.add_bundle(desktop);
    (0..PACKAGES).for_each(|number| making.add_package(number, tools));
    let (installed, log) =
        (directory.join("tierline-sample.txt"), directory.join("installations.log"));
    let digest = sha256(INSTALLED.as_bytes());
    let real = making.add_real(directory, (&installed, digest), tools);
    let named = |name: &str| id(name);
    let deployable =
        ["part 3", "part 4", "part 23", "setting 1", "bundle", "package 2", "package 5"];
    let deployable = deployable.into_iter().map(named).chain([real]).collect();
    let Making { documents, files, .. } = making;
    Sample { documents, files, deployable, real, installed: (installed, digest), log }
}

/// Where a part lies on a Windows-shaped computer, and the version that update brings.
pub(crate) fn part(number: u32) -> (String, String) {
    (format!(r"C:\Program Files\Sample\part{number}.dll"), format!("2.1.{number}.0"))
}

pub(crate) fn package(number: u32) -> (String, String) {
    (format!("tierline-sample-{number}"), format!("1.{number}-2"))
}

pub(crate) const SETTINGS_KEY: &str = r"SOFTWARE\Tierline\Sample";

fn id(name: &str) -> UpdateId {
    UpdateId(Uuid::new_v5(&NAMES, name.as_bytes()))
}

struct Making {
    documents: Vec<Document>,
    files: Vec<(String, Vec<u8>)>,
    classifications: [UpdateId; 3],
    /// Nothing secret: file contents that are the same every time.
    noise: Ambient,
}

impl Making {
    fn new() -> Making {
        let company = categories::company(COMPANY);
        let family = UpdateRef { id: id("family"), revision: 1 };
        let mut family = Document::new(family, UpdateKind::Category, "Sample Systems");
        family.category = Some(CategoryKind::ProductFamily);
        family.rules.is_installed = Some(Rule::True);
        family.relations.prerequisites = vec![belongs_to(company.update.id)];
        let classifications =
            ["Security Updates", "Critical Updates", "Updates"].map(categories::classification);
        let ids = classifications.each_ref().map(|document| document.update.id);
        let documents = [company, family].into_iter().chain(classifications).collect();
        let noise = Ambient::seeded(2026, 0);
        Making { documents, files: Vec::new(), classifications: ids, noise }
    }

    fn product(&mut self, name: &str) -> UpdateId {
        let mut product = categories::product(COMPANY, name);
        product.relations.prerequisites = vec![belongs_to(id("family"))];
        self.documents.push(product.clone());
        product.update.id
    }

    /// A visible update with everything an administrator sees.
    fn update(&self, name: &str, title: &str, product: UpdateId) -> Document {
        let update = UpdateRef { id: id(name), revision: 200 };
        let mut document = Document::new(update, UpdateKind::Software, title);
        let number = self.documents.len();
        document.texts[0].description = format!("{title} is made up and changes nothing.");
        document.texts.push(LocalizedText {
            language: "de".to_owned(),
            title: format!("{title} (Muster)"),
            description: String::new(),
        });
        let severities = [MsrcSeverity::Critical, MsrcSeverity::Important, MsrcSeverity::Moderate];
        let properties = &mut document.properties;
        properties.is_explicitly_deployable = true;
        let days = i64::try_from(number).unwrap_or(0);
        properties.created_at = Timestamp(FIRST_PUBLISHED_MS + days * DAY_MS);
        properties.severity = severities.get(number % 4).copied();
        properties.kb_articles = vec![(9_100_000 + number).to_string()];
        properties.more_info_url = Some("https://tierline.example/samples".to_owned());
        let classification = self.classifications[number % self.classifications.len()];
        document.relations.prerequisites = vec![belongs_to(classification), belongs_to(product)];
        document
    }

    /// Gives a document a file of its own with an installer that runs it.
    fn finish(&mut self, mut document: Document, file: &str, content: Vec<u8>, arguments: &str) {
        document.files.push(ItemFile {
            name: file.to_owned(),
            size: content.len() as u64,
            sha1: Sha1(sha1::Sha1::digest(&content).into()),
            sha256: Some(sha256(&content)),
        });
        document.installer = Some(Installer::CommandLine(CommandLine {
            program: file.to_owned(),
            arguments: arguments.to_owned(),
            return_codes: [(0, Outcome::SUCCEEDED)].into(),
            default_outcome: Outcome::FAILED,
        }));
        self.files.push((file.to_owned(), content));
        self.documents.push(document);
    }

    fn noise(&self, bytes: usize) -> Vec<u8> {
        let mut content = vec![0; bytes];
        self.noise.fill(&mut content);
        content
    }

    /// The last part replaces the first and is by far the largest.
    fn add_part(&mut self, number: u32, product: UpdateId) {
        let title = format!("Update for Sample Part {number}");
        let mut document = self.update(&format!("part {number}"), &title, product);
        let is_last = number + 1 == PARTS;
        if is_last {
            document.relations.superseded = vec![id("part 0")];
        }
        document.properties.is_expired = number == 7;
        let (path, version) = part(number);
        let versioned = |comparison: Comparison| {
            let attributes = [("Path", &*path), ("Version", &*version)];
            windows_test("FileVersion", comparison, &attributes)
        };
        let windows_10 = [("MajorVersion", "10"), ("MinorVersion", "0")];
        let at_least = Comparison::GreaterThanOrEqualTo;
        document.rules.is_installed = Some(versioned(at_least));
        document.rules.is_installable = Rule::all(vec![
            windows_test("WindowsVersion", at_least, &windows_10),
            versioned(Comparison::LessThan),
        ]);
        let bytes = if is_last { 1 << 20 } else { 4_000 + 3_000 * number as usize };
        let content = self.noise(bytes);
        self.finish(document, &format!("part{number}.exe"), content, "/quiet");
    }

    fn add_setting(&mut self, number: u32, product: UpdateId) {
        let title = format!("Hardening {number} for Sample Desktop");
        let mut document = self.update(&format!("setting {number}"), &title, product);
        let value = format!("Level{number}");
        let dword = |comparison| {
            let at = [("Key", "HKEY_LOCAL_MACHINE"), ("Subkey", SETTINGS_KEY), ("Value", &*value)];
            let attributes: Vec<_> = at.into_iter().chain([("Data", "2")]).collect();
            windows_test("RegDword", comparison, &attributes)
        };
        document.rules.is_installed = Some(dword(Comparison::GreaterThanOrEqualTo));
        document.rules.is_installable = Some(dword(Comparison::LessThan));
        let content = self.noise(2_000);
        self.finish(document, &format!("setting{number}.exe"), content, "/quiet");
    }

    /// A bundle and its one member, which is not offered on its own.
    fn add_bundle(&mut self, product: UpdateId) {
        self.add_setting(SETTINGS, product);
        let mut member = self.documents.pop().expect("it was just added");
        member.properties.is_explicitly_deployable = false;
        let mut bundle = self.update("bundle", "Sample Desktop Quality Rollup", product);
        bundle.relations.bundled = vec![vec![member.update]];
        self.documents.extend([member, bundle]);
    }

    fn add_package(&mut self, number: u32, product: UpdateId) {
        let (name, version) = package(number);
        let mut document =
            self.update(&format!("package {number}"), &format!("{name} {version}"), product);
        let at_least = Comparison::GreaterThanOrEqualTo;
        let newer = linux::package_installed(&name, Some((at_least, &version)));
        let older = linux::package_installed(&name, Some((Comparison::LessThan, &version)));
        document.rules.is_installed = Some(newer);
        document.rules.is_installable = Some(older);
        document.properties.installation = Some(never_reboots());
        let content = self.noise(20_000 + 10_000 * number as usize);
        self.finish(document, &format!("{name}_{version}.deb"), content, "");
    }

    fn add_real(
        &mut self,
        directory: &Path,
        (path, digest): (&Path, Sha256),
        product: UpdateId,
    ) -> UpdateId {
        // Another directory makes another update.
        let name = format!("real {}", directory.display());
        let mut document = self.update(&name, "Tierline Sample File", product);
        let present = linux::file_exists(&path.display().to_string(), Some(digest));
        document.rules.is_installable = Some(Rule::Not(Box::new(present.clone())));
        document.rules.is_installed = Some(present);
        document.properties.installation = Some(never_reboots());
        let arguments = format!("\"{}\"", directory.display());
        self.finish(document, "install.sh", SCRIPT.as_bytes().to_vec(), &arguments);
        id(&name)
    }
}

fn belongs_to(category: UpdateId) -> Prerequisite {
    Prerequisite { any_of: vec![category], is_category: true }
}

fn windows_test(local: &str, comparison: Comparison, attributes: &[(&str, &str)]) -> Rule {
    let comparison = [("Comparison", comparison.as_str())];
    Rule::Test(element(BASE_RULES, local, attributes.iter().copied().chain(comparison)))
}

fn never_reboots() -> Element {
    let update = "http://schemas.microsoft.com/msus/2002/12/Update";
    element(update, "InstallationBehavior", [("RebootBehavior", "NeverReboots")])
}

fn element<'a>(
    ns: &str,
    local: &str,
    attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Element {
    let attribute = |(name, value): (&str, &str)| Attribute {
        ns: "".into(),
        local: name.to_owned(),
        value: value.to_owned(),
    };
    let attributes = attributes.into_iter().map(attribute).collect();
    let tag = Tag { ns: ns.into(), local: local.to_owned(), attributes };
    Element { tag, children: Vec::new(), text: String::new() }
}

/// The name of a file's content.
#[must_use]
pub fn sha256(content: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(content).into())
}

#[cfg(test)]
mod tests;
