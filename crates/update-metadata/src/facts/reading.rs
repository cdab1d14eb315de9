//! How facts are read from a file, whatever its format.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use model::Timestamp;
use serde::de::{Deserialize, Deserializer, Error};

use super::{Architecture, Facts, FileFact, System};
use crate::document::parse_time;
use crate::windows::canonical_path;

/// Facts as people write them: paths in any case, and absent files without a word for nothing,
/// which some formats lack.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactsFile {
    architecture: Option<Architecture>,
    #[serde(default)]
    files: BTreeMap<String, FileFact>,
    #[serde(default)]
    absent_files: Vec<String>,
    system: System,
}

impl From<FactsFile> for Facts {
    fn from(file: FactsFile) -> Facts {
        let FactsFile { architecture, files, absent_files, system } = file;
        let is_windows = matches!(system, System::Windows(_));
        let path = |path: String| if is_windows { canonical_path(&path) } else { path };
        let absent = absent_files.into_iter().map(|absent| (path(absent), None));
        let present = files.into_iter().map(|(name, fact)| (path(name), Some(fact)));
        Facts { architecture, files: absent.chain(present).collect(), system }
    }
}

/// A value that is written as text.
pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    input: D,
) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

/// A date or a time.
pub(super) fn moment<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(input)?;
    text.map(|text| parse_time(&text).map_err(D::Error::custom)).transpose()
}

/// A table whose keys are numbers, which some formats write as text.
pub(super) fn numbered<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> Result<BTreeMap<i32, T>, D::Error> {
    let table = BTreeMap::<String, T>::deserialize(input)?;
    let entry = |(key, value): (String, T)| Ok((key.parse().map_err(D::Error::custom)?, value));
    table.into_iter().map(entry).collect()
}
