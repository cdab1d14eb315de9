//! What an installation would have changed: a rule is made to hold.
//!
//! The least that does it. What a rule asks for and cannot be had is left as it is; the scan
//! afterwards tells.

use model::UpdateId;
use toml::{Table, Value};
use update_metadata::Rule;

use super::facts_file::{FactsFile, PretendedFile};

/// Makes `rule`, of the document of `update`, hold.
pub(super) fn make_true(rule: &Rule, update: UpdateId, facts: &mut FactsFile) {
    let test = match rule {
        Rule::True | Rule::False | Rule::Not(_) => return,
        Rule::And(rules) => return rules.iter().for_each(|rule| make_true(rule, update, facts)),
        Rule::Or(rules) => {
            return rules.iter().take(1).for_each(|rule| make_true(rule, update, facts));
        }
        Rule::Test(test) => &test.tag,
    };
    let text = |name| test.attribute(name).unwrap_or_default().to_owned();
    let is_linux = facts.windows.is_none();
    let path = windows_path(facts, &text("Path"), test.attribute("Csidl"));
    match (&*test.local, &mut facts.windows) {
        ("PackageInstalled", None) => {
            facts.packages.insert(text("Name"), text("Version"));
        }
        ("FileExists", _) => {
            let path = if is_linux { text("Path") } else { path };
            facts.files.insert(path, PretendedFile::Digest(text("Sha256")));
        }
        ("FileVersion", Some(_)) => {
            let fact = Table::from_iter([("version".to_owned(), Value::from(text("Version")))]);
            facts.files.insert(path, PretendedFile::Fact(fact));
        }
        ("RegKeyExists", Some(windows)) => {
            table(table(windows, "registry"), &text("Subkey"));
        }
        (name @ ("RegValueExists" | "RegSz" | "RegDword"), Some(windows)) => {
            let data = text("Data");
            let value = match name {
                "RegDword" => Value::from(data.parse::<i64>().unwrap_or_default()),
                _ => Value::from(data),
            };
            let key = table(table(windows, "registry"), &text("Subkey"));
            key.insert(text("Value"), value);
        }
        ("MsiProductInstalled", Some(windows)) => {
            let product = table(table(windows, "msi_products"), &code(&text("ProductCode")));
            if let Some(version) = test.attribute("VersionMin") {
                product.insert("version".to_owned(), version.into());
            }
        }
        ("MsiPatchInstalledForProduct", Some(windows)) => {
            let product = table(table(windows, "msi_products"), &code(&text("ProductCode")));
            table(product, "patches").insert(code(&text("PatchCode")), "applied".into());
        }
        ("InstalledOnce", Some(windows)) => {
            let known =
                windows.entry("installed_once").or_insert_with(|| Vec::<Value>::new().into());
            if let Value::Array(known) = known {
                known.push(update.to_string().into());
            }
        }
        _ => {}
    }
}

/// Below the folder that Windows knows by this number, if one is named.
fn windows_path(facts: &FactsFile, path: &str, csidl: Option<&str>) -> String {
    let folders = facts.windows.as_ref().and_then(|windows| windows.get("folders")?.as_table());
    let folder = csidl.and_then(|csidl| folders?.get(csidl)?.as_str());
    folder.map_or_else(|| path.to_owned(), |folder| format!("{folder}\\{path}"))
}

/// Codes are known without their braces.
fn code(text: &str) -> String {
    text.trim_matches(['{', '}']).to_lowercase()
}

/// The table `name` of another one, made if there is none. Windows compares names in any case.
fn table<'a>(of: &'a mut Table, name: &str) -> &'a mut Table {
    let known = of.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
    let name = known.unwrap_or_else(|| name.to_owned());
    let entry = of.entry(name).or_insert_with(|| Table::new().into());
    if !entry.is_table() {
        *entry = Table::new().into();
    }
    entry.as_table_mut().expect("it is one by now")
}
