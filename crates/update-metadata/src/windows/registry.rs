//! Tests of the registry.
//!
//! Keys are read below HKEY_LOCAL_MACHINE, or below the key at which a loop is. `RegType32` asks
//! for what 32-bit programs see on a 64-bit system.

use std::collections::BTreeSet;

use crate::asked::{Context, Doubt, Doubtful, Test, all, any, known, negated};
use crate::facts::{Name, Named, RegistryValue, WindowsFacts};
use crate::question::Subject;
use crate::{Architecture, Rule};

const LOOP_TARGET: &str = "HKEY_LOOP_TARGET";
const OF_32_BIT: &str = "software\\wow6432node";

pub(super) fn key_exists(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let (key, registry) = (key(test)?, registry(windows)?);
    let has_values = registry.contains_key(&Name::from(&*key));
    Ok(has_values || !subkeys(registry, &key).is_empty())
}

pub(super) fn value_exists(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let Some(found) = value(test, windows)? else { return Ok(false) };
    Ok(test.optional("Type").is_none_or(|wanted| {
        wanted.eq_ignore_ascii_case(match found {
            RegistryValue::Dword(_) => "REG_DWORD",
            RegistryValue::Text(_) => "REG_SZ",
            RegistryValue::Expandable { .. } => "REG_EXPAND_SZ",
            RegistryValue::Other { r#type } => r#type,
        })
    }))
}

pub(super) fn dword(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    match value(test, windows)? {
        Some(RegistryValue::Dword(found)) => test.compares(found, "Data"),
        _ => Ok(false),
    }
}

pub(super) fn text(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    match value(test, windows)? {
        Some(RegistryValue::Text(found)) => compare(test, found, test.text("Comparison")?),
        _ => Ok(false),
    }
}

pub(super) fn expandable(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    match value(test, windows)? {
        Some(RegistryValue::Expandable { expandable }) => {
            compare(test, expanded(expandable)?, test.text("Comparison")?)
        }
        _ => Ok(false),
    }
}

/// What is no version compares to none.
pub(super) fn text_as_version(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let Some(RegistryValue::Text(found)) = value(test, windows)? else { return Ok(false) };
    found.parse::<crate::Version>().map_or(Ok(false), |found| test.compares(&found, "Data"))
}

pub(super) fn equals_text(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    compare_any(test, windows, "EqualTo")
}

pub(super) fn contains_text(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    compare_any(test, windows, "Contains")
}

/// The oldest tests, which look at text of either type.
fn compare_any(test: &Test<'_>, windows: &WindowsFacts, comparison: &str) -> Doubtful {
    match value(test, windows)? {
        None => Ok(false),
        Some(RegistryValue::Text(found)) => compare(test, found, comparison),
        Some(RegistryValue::Expandable { expandable }) => {
            compare(test, expanded(expandable)?, comparison)
        }
        Some(_) => Err("the value is not text".into()),
    }
}

/// A loop over a key without subkeys, there or not, holds for all of them and for none.
pub(super) fn key_loop(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let [body] = &*test.element.children else { return Err("it has not one rule".into()) };
    // Each loop goes further down, so that all of them together end with the registry.
    if test.context.loop_target.is_some() && test.text("Key")? != LOOP_TARGET {
        return Err(format!("inside of a loop it goes over {LOOP_TARGET} alone").into());
    }
    let body = Rule::decode(body.clone());
    let key = key(test)?;
    let names = subkeys(registry(windows)?, &key);
    let turns = names.iter().map(|name| {
        let target = format!("{key}\\{name}");
        Context { loop_target: Some(&target), ..test.context }.judge(&body)
    });
    match test.text("TrueIf")? {
        "Any" => any(turns),
        "All" => all(turns),
        "None" => negated(any(turns)),
        other => Err(format!("TrueIf: there is no {other:?}").into()),
    }
}

fn compare(test: &Test<'_>, found: &str, comparison: &str) -> Doubtful {
    let (found, wanted) = (found.to_lowercase(), test.text("Data")?.to_lowercase());
    match comparison {
        "EqualTo" => Ok(found == wanted),
        "BeginsWith" => Ok(found.starts_with(&wanted)),
        "Contains" => Ok(found.contains(&wanted)),
        "EndsWith" => Ok(found.ends_with(&wanted)),
        other => Err(format!("there is no comparison {other:?}").into()),
    }
}

/// Variables of the environment are nobody's facts.
pub(super) fn expanded(text: &str) -> Result<&str, Doubt> {
    if text.contains('%') {
        return Err(format!("{text:?} needs the environment").into());
    }
    Ok(text)
}

/// The value a test names; a missing name is the default value.
pub(super) fn value<'w>(
    test: &Test<'_>,
    windows: &'w WindowsFacts,
) -> Result<Option<&'w RegistryValue>, Doubt> {
    let name = Name::from(test.optional("Value").unwrap_or_default());
    let key = Name::from(key(test)?);
    Ok(registry(windows)?.get(&key).and_then(|values| values.get(&name)))
}

fn registry(windows: &WindowsFacts) -> Result<&Named<Named<RegistryValue>>, Doubt> {
    known(windows.registry.as_ref(), Subject::Registry, "")
}

fn key(test: &Test<'_>) -> Result<String, Doubt> {
    let subkey = test.text("Subkey")?.trim_matches('\\').to_lowercase();
    let key = match test.text("Key")? {
        "HKEY_LOCAL_MACHINE" => subkey,
        LOOP_TARGET => {
            let target = test.context.loop_target.ok_or("there is no loop around it")?;
            format!("{target}\\{subkey}").trim_end_matches('\\').to_owned()
        }
        other => return Err(format!("there is no {other}").into()),
    };
    let architecture = test.context.facts.architecture;
    let is_64_bit = matches!(architecture, Some(Architecture::Amd64 | Architecture::Arm64));
    match key.strip_prefix("software\\") {
        Some(rest) if is_64_bit && test.flag("RegType32") && !key.starts_with(OF_32_BIT) => {
            Ok(format!("{OF_32_BIT}\\{rest}"))
        }
        _ => Ok(key),
    }
}

fn subkeys<'w>(registry: &'w Named<Named<RegistryValue>>, key: &str) -> BTreeSet<&'w str> {
    let below = format!("{key}\\");
    let keys = registry.range(Name::from(&*below)..).map(|(name, _)| name.as_str());
    let inside = keys.map_while(|name| name.strip_prefix(&below));
    inside.filter_map(|rest| rest.split('\\').next()).collect()
}
