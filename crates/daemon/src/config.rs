//! Configuration: defaults ← TOML file ← `TIERLINE__SECTION__KEY` of the environment.
//!
//! Owns reading and reporting: unknown keys and bad values are collected and reported together,
//! each with its key and where it came from. Refuses to know any key. A file that cannot be read
//! is an error; a missing `--config` means defaults and environment.

use std::fmt;
use std::path::Path;

use config::FileFormat;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::Error;

pub mod units;

const ENVIRONMENT_PREFIX: &str = "TIERLINE__";

/// A value that is shown nowhere. Whole secrets belong in files; this is for what must be inline.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// For the one place that uses it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "(hidden)" })
    }
}

/// Everything wrong with a configuration.
#[derive(Debug, Default)]
pub struct Problems {
    /// Of the file: its name and text.
    source: Option<(String, String)>,
    environment: Vec<String>,
    found: Vec<(String, String)>,
}

impl Problems {
    pub fn note(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.found.push((key.into(), reason.into()));
    }

    /// The value, or a problem of `key`.
    pub fn check<T, E: fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|reason| self.note(key, reason.to_string())).ok()
    }

    fn place(&self, key: &str) -> String {
        if self.environment.iter().any(|set| set == key) {
            let name = key.to_uppercase().replace('.', "__");
            return format!(" ({ENVIRONMENT_PREFIX}{name})");
        }
        let Some((name, text)) = &self.source else { return String::new() };
        line_of(text, key).map_or_else(String::new, |line| format!(" ({name}:{line})"))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, reason)) in self.found.iter().enumerate() {
            let end = if index + 1 < self.found.len() { "\n" } else { "" };
            write!(f, "  {key}{place}: {reason}{end}", place = self.place(key))?;
        }
        Ok(())
    }
}

/// Reads, overrides and validates. `validate` notes every problem it meets.
pub fn load<File, Config>(
    path: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    validate: impl FnOnce(&File, &mut Problems) -> Option<Config>,
) -> Result<(File, Config), Error>
where
    File: Serialize + DeserializeOwned + Default,
{
    let mut problems = Problems::default();
    let source = path.map(read).transpose()?;
    let built = build::<File>(source.as_ref(), environment, &mut problems);
    problems.source = source;
    let loaded = built.and_then(|built| {
        let unknown =
            |path: serde_ignored::Path<'_>| problems.note(path.to_string(), "unknown key");
        serde_ignored::deserialize(built, unknown)
    });
    let config = match &loaded {
        Ok(file) => validate(file, &mut problems),
        Err(error) => {
            note_error(&mut problems, error);
            None
        }
    };
    // The order in which keys come out of the builder is not reproducible.
    problems.found.sort();
    match (loaded, config) {
        (Ok(file), Some(config)) if problems.found.is_empty() => Ok((file, config)),
        _ => Err(Error::Config(problems)),
    }
}

fn read(path: &Path) -> Result<(String, String), Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::ReadConfig { path: path.to_owned(), source })?;
    Ok((path.display().to_string(), text))
}

fn build<File: Serialize + Default>(
    source: Option<&(String, String)>,
    environment: impl IntoIterator<Item = (String, String)>,
    problems: &mut Problems,
) -> Result<config::Config, config::ConfigError> {
    let mut builder =
        config::Config::builder().add_source(config::Config::try_from(&File::default())?);
    if let Some((_, text)) = source {
        builder = builder.add_source(config::File::from_str(text, FileFormat::Toml));
    }
    for (name, value) in environment {
        let Some(key) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
        let key = key.to_lowercase().replace("__", ".");
        builder = match list(&value) {
            Some(items) => builder.set_override(&key, items)?,
            None => builder.set_override(&key, value)?,
        };
        problems.environment.push(key);
    }
    builder.build()
}

/// `["a", "b"]` in the environment is a list, as in the file.
fn list(value: &str) -> Option<Vec<String>> {
    let table: toml::Table = toml::from_str(&format!("list = {value}")).ok()?;
    let items = table.get("list")?.as_array()?;
    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn note_error(problems: &mut Problems, error: &config::ConfigError) {
    match error {
        config::ConfigError::Type { unexpected, expected, key, .. } => {
            let key = key.clone().unwrap_or_default();
            problems.note(key, format!("{unexpected} where {expected} is expected"));
        }
        config::ConfigError::At { error, key: Some(key), .. } => {
            problems.note(key.clone(), error.to_string());
        }
        other => problems.note("the file", other.to_string().trim_end()),
    }
}

/// The line of a key in TOML text.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut start = None;
    for part in key.split('.') {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
        start = Some(name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    Some(text[..start?].lines().count().max(1) + usize::from(text[..start?].ends_with('\n')))
}

#[cfg(test)]
mod tests;
