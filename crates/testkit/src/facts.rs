//! Computers that exist only as facts, each one different.
//!
//! Owns what is known of the n-th computer and what installing an update changes about it: the
//! least that makes its own rule true.

use std::collections::BTreeMap;
use std::path::Path;

use update_metadata::{
    Architecture, Document, LinuxFacts, RegistryValue, Rule, System, WindowsFacts,
};
pub use update_metadata::{Facts, FileFact};

use crate::sample::{PACKAGES, PARTS, SETTINGS, SETTINGS_KEY, package, part};

/// A Linux computer among so many Windows ones.
const LINUX_EVERY: u32 = 3;

/// A computer that is not there.
#[derive(Clone, Debug)]
pub struct Computer {
    facts: Facts,
}

impl Computer {
    /// The `number`-th computer: which sample parts it has, and how old they are, depends on it.
    #[must_use]
    pub fn new(number: u32) -> Computer {
        let is_linux = number % LINUX_EVERY == LINUX_EVERY - 1;
        let facts = if is_linux { linux(number) } else { windows(number) };
        Computer { facts }
    }

    /// The computer of these facts.
    #[must_use]
    pub fn of(facts: Facts) -> Computer {
        Computer { facts }
    }

    /// The computer that a facts file in JSON describes.
    #[must_use]
    pub fn read(path: &Path) -> Computer {
        let text = std::fs::read_to_string(path).expect("the facts file is readable");
        Computer { facts: serde_json::from_str(&text).expect("the facts file is sound") }
    }

    /// Everything that is known.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Pretends an installation.
    pub fn install(&mut self, document: &Document) {
        if let Some(rule) = &document.rules.is_installed {
            make_true(rule, &mut self.facts);
        }
    }

    /// Pretends that it was removed.
    pub fn uninstall(&mut self, document: &Document) {
        if let Some(rule) = &document.rules.is_installed {
            make_false(rule, &mut self.facts);
        }
    }

    /// Notes that somebody looked for a file, which is not there if it is not known.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<FileFact> {
        self.facts.files.get(path).cloned().flatten()
    }
}

/// Absent, old or current, by computer and part.
fn age(number: u32, part: u32) -> u32 {
    (number * 7 + part * 5 + part / 3) % 4
}

fn linux(number: u32) -> Facts {
    let package = |which| {
        let (name, version) = package(which);
        match age(number, which) {
            0 => None,
            1 | 2 => Some((name, "0.9-1".to_owned())),
            _ => Some((name, version)),
        }
    };
    let system = LinuxFacts {
        id: "debian".to_owned(),
        version_id: Some("12".to_owned()),
        packages: Some((0..PACKAGES).filter_map(package).collect()),
        ..LinuxFacts::default()
    };
    Facts {
        architecture: Some(Architecture::Amd64),
        files: BTreeMap::new(),
        system: System::Linux(system),
    }
}

fn windows(number: u32) -> Facts {
    let file = |which| {
        let (path, current) = part(which);
        let version = match age(number, which) {
            0 => None,
            1 | 2 => Some("1.0.0.0".to_owned()),
            _ => Some(current),
        };
        let version = version.map(|version| version.parse().expect("a version of our own"));
        let fact =
            version.map(|v| FileFact { size: 1_000, version: Some(v), ..FileFact::default() });
        (path.to_lowercase(), fact)
    };
    let levels = (0..=SETTINGS).map(|which| {
        (format!("level{which}").into(), RegistryValue::Dword(age(number, which).min(2)))
    });
    let system = WindowsFacts {
        major: 10,
        build: 19_045 + 6_855 * (number % 2),
        product_type: 1,
        registry: Some([(SETTINGS_KEY.into(), levels.collect())].into()),
        ..WindowsFacts::default()
    };
    Facts {
        architecture: Some(Architecture::Amd64),
        files: (0..PARTS).map(file).collect(),
        system: System::Windows(Box::new(system)),
    }
}

/// What a rule asks for and cannot be had is left as it is; the scan afterwards tells.
fn make_true(rule: &Rule, facts: &mut Facts) {
    let test = match rule {
        Rule::True | Rule::False | Rule::Not(_) => return,
        Rule::And(rules) => return rules.iter().for_each(|rule| make_true(rule, facts)),
        Rule::Or(rules) => return rules.iter().take(1).for_each(|rule| make_true(rule, facts)),
        Rule::Test(test) => &test.tag,
    };
    let text = |name| test.attribute(name).unwrap_or_default();
    match (&*test.local, &mut facts.system) {
        ("FileExists", System::Linux(_)) => {
            let fact = FileFact { sha256: text("Sha256").parse().ok(), ..FileFact::default() };
            facts.files.insert(text("Path").to_owned(), Some(fact));
        }
        ("PackageInstalled", System::Linux(LinuxFacts { packages: Some(packages), .. })) => {
            packages.insert(text("Name").to_owned(), text("Version").to_owned());
        }
        ("FileExists", System::Windows(_)) => {
            facts.files.insert(text("Path").to_lowercase(), Some(FileFact::default()));
        }
        ("FileVersion", System::Windows(_)) => {
            let fact = FileFact { version: text("Version").parse().ok(), ..FileFact::default() };
            facts.files.insert(text("Path").to_lowercase(), Some(fact));
        }
        ("RegDword", System::Windows(windows)) => {
            let registry = windows.registry.get_or_insert_default();
            let values = registry.entry(text("Subkey").into()).or_default();
            let data = text("Data").parse().unwrap_or_default();
            values.insert(text("Value").into(), RegistryValue::Dword(data));
        }
        ("RegSz", System::Windows(windows)) => {
            let registry = windows.registry.get_or_insert_default();
            let values = registry.entry(text("Subkey").into()).or_default();
            let data = RegistryValue::Text(text("Data").to_owned());
            values.insert(text("Value").into(), data);
        }
        _ => {}
    }
}

/// Takes away what the tests of Windows updates look for.
fn make_false(rule: &Rule, facts: &mut Facts) {
    let test = match rule {
        Rule::True | Rule::False | Rule::Not(_) => return,
        Rule::And(rules) => return rules.iter().take(1).for_each(|rule| make_false(rule, facts)),
        Rule::Or(rules) => return rules.iter().for_each(|rule| make_false(rule, facts)),
        Rule::Test(test) => &test.tag,
    };
    let text = |name| test.attribute(name).unwrap_or_default();
    match (&*test.local, &mut facts.system) {
        ("FileExists" | "FileVersion", System::Windows(_)) => {
            facts.files.insert(text("Path").to_lowercase(), None);
        }
        ("RegDword" | "RegSz" | "RegValueExists", System::Windows(windows)) => {
            let registry = windows.registry.get_or_insert_default();
            let values = registry.entry(text("Subkey").into()).or_default();
            values.remove(&text("Value").into());
        }
        _ => {}
    }
}
