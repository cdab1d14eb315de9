//! Tests of files, each below a known folder or below a folder that the registry names.

use model::Timestamp;

use crate::asked::{Doubt, Doubtful, Test, all, known};
use crate::document::parse_time;
use crate::facts::{FileFact, RegistryValue, WindowsFacts};
use crate::question::Subject;
use crate::windows::registry;
use crate::{Comparison, Version};

/// All details that a test names must be those of the file.
pub(super) fn exists(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let Some(found) = find(test, windows)? else { return Ok(false) };
    let details = ["Size", "Version", "Created", "Modified", "Language"];
    let asked = details.into_iter().filter(|detail| test.optional(detail).is_some());
    all(asked.map(|detail| found.compares(test, detail, Comparison::EqualTo)))
}

pub(super) fn version(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    compares(test, windows, "Version")
}

pub(super) fn size(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    compares(test, windows, "Size")
}

pub(super) fn created(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    compares(test, windows, "Created")
}

pub(super) fn modified(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    compares(test, windows, "Modified")
}

fn compares(test: &Test<'_>, windows: &WindowsFacts, detail: &str) -> Doubtful {
    let comparison = test.comparison()?;
    let found = find(test, windows)?;
    found.map_or(Ok(false), |found| found.compares(test, detail, comparison))
}

struct Found<'a> {
    path: String,
    fact: &'a FileFact,
}

impl Found<'_> {
    fn compares(&self, test: &Test<'_>, detail: &str, comparison: Comparison) -> Doubtful {
        let Found { path, fact } = self;
        let order = match detail {
            "Size" => fact.size.cmp(&test.required(detail)?),
            "Version" => {
                let wanted = test.required::<Version>(detail)?;
                known(fact.version, Subject::FileVersion, path)?.cmp(&wanted)
            }
            "Created" => known(fact.created, Subject::FileCreated, path)?.cmp(&time(test, detail)?),
            "Modified" => {
                known(fact.modified, Subject::FileModified, path)?.cmp(&time(test, detail)?)
            }
            _ => {
                let wanted = test.required::<u16>(detail)?;
                known(fact.language, Subject::FileLanguage, path)?.cmp(&wanted)
            }
        };
        Ok(comparison.holds(order))
    }
}

fn time(test: &Test<'_>, attribute: &str) -> Result<Timestamp, Doubt> {
    Ok(parse_time(test.text(attribute)?).map_err(|error| format!("{attribute}: {error}"))?)
}

fn find<'a>(test: &Test<'a>, windows: &WindowsFacts) -> Result<Option<Found<'a>>, Doubt> {
    let path = test.text("Path")?;
    let folder = if test.name().ends_with("PrependRegSz") {
        match registry::value(test, windows)? {
            Some(RegistryValue::Text(folder)) => folder,
            Some(RegistryValue::Expandable { expandable }) => registry::expanded(expandable)?,
            Some(_) | None => return Ok(None),
        }
    } else {
        let Some(csidl) = test.parsed::<i32>("Csidl")? else { return at(test, path) };
        known(windows.folders.get(&csidl), Subject::Folder, csidl)?
    };
    at(test, &format!("{folder}\\{path}"))
}

fn at<'a>(test: &Test<'a>, path: &str) -> Result<Option<Found<'a>>, Doubt> {
    let path = canonical_path(path);
    Ok(test.file(&path)?.map(|fact| Found { path, fact }))
}

/// In lower case, with single backslashes, and without steps in place and back.
pub(crate) fn canonical_path(path: &str) -> String {
    let path = path.to_lowercase().replace('/', "\\");
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('\\') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step),
        }
    }
    let share = if path.starts_with("\\\\") { "\\\\" } else { "" };
    format!("{share}{}", steps.join("\\"))
}
