//! The tests of Windows updates that facts can answer; the others stay unknown.

use std::cmp::Ordering;

use crate::evaluate::{Doubtful, Test};
use crate::namespaces::{BASE_RULES, MSI_RULES};
use crate::{Architecture, Facts, FileFact, RegistryValue, Version, WindowsFacts};

pub(crate) fn evaluate(test: &Test<'_>, windows: &WindowsFacts, facts: &Facts) -> Doubtful {
    let asked = Asked { test, windows, facts };
    match (&*test.0.tag.ns, test.name()) {
        (BASE_RULES, "WindowsVersion") => asked.windows_version(),
        (BASE_RULES, "FileExists" | "FileExistsPrependRegSz") => asked.file_exists(),
        (BASE_RULES, "FileVersion" | "FileVersionPrependRegSz") => asked.file_version(),
        (BASE_RULES, "FileSize" | "FileSizePrependRegSz") => asked.file_size(),
        (BASE_RULES, "RegKeyExists") => asked.key_exists(),
        (BASE_RULES, "RegValueExists") => asked.value_exists(),
        (BASE_RULES, "RegDword") => asked.dword(),
        (BASE_RULES, "RegSz" | "RegExpandSz") => asked.string(),
        (BASE_RULES, "RegSzToVersion") => asked.string_as_version(),
        (MSI_RULES, "MsiProductInstalled") => asked.msi_product(),
        _ => Err("this test is not evaluated".to_owned()),
    }
}

struct Asked<'a> {
    test: &'a Test<'a>,
    windows: &'a WindowsFacts,
    facts: &'a Facts,
}

impl Asked<'_> {
    fn windows_version(&self) -> Doubtful {
        let windows = self.windows;
        let mut order = Ordering::Equal;
        for (attribute, found) in [
            ("MajorVersion", windows.major),
            ("MinorVersion", windows.minor),
            ("BuildNumber", windows.build),
            ("ServicePackMajor", windows.service_pack_major),
            ("ServicePackMinor", windows.service_pack_minor),
        ] {
            let wanted = self.test.parsed::<u32>(attribute)?;
            order = order.then(wanted.map_or(Ordering::Equal, |wanted| found.cmp(&wanted)));
        }
        let product = self.test.parsed::<u32>("ProductType")?;
        let suites = self.test.parsed::<u32>("SuiteMask")?.is_none_or(|mask| {
            let present = windows.suite_mask & mask;
            if self.flag("AllSuitesMustBePresent") { present == mask } else { present != 0 }
        });
        let product = product.is_none_or(|wanted| wanted == windows.product_type);
        Ok(self.test.comparison()?.holds(order) && product && suites)
    }

    fn file_exists(&self) -> Doubtful {
        let Some(file) = self.file()? else { return Ok(false) };
        let unread = ["Created", "Modified", "Language"].map(|name| self.test.optional(name));
        if unread.iter().any(Option::is_some) {
            return Err("dates and languages of files are not evaluated".to_owned());
        }
        let size = self.test.parsed::<u64>("Size")?.is_none_or(|wanted| wanted == file.size);
        match (self.test.parsed::<Version>("Version")?, file.version) {
            (None, _) => Ok(size),
            (Some(_), None) => Err("the file's version is not known".to_owned()),
            (Some(wanted), Some(found)) => Ok(size && wanted == found),
        }
    }

    fn file_version(&self) -> Doubtful {
        let Some(file) = self.file()? else { return Ok(false) };
        let found = file.version.ok_or("the file's version is not known")?;
        let wanted = self.test.required::<Version>("Version")?;
        Ok(self.test.comparison()?.holds(found.cmp(&wanted)))
    }

    fn file_size(&self) -> Doubtful {
        let Some(file) = self.file()? else { return Ok(false) };
        let wanted = self.test.required::<u64>("Size")?;
        Ok(self.test.comparison()?.holds(file.size.cmp(&wanted)))
    }

    fn key_exists(&self) -> Doubtful {
        let key = self.key()?;
        let below = format!("{key}\\");
        let mut next = self.windows.registry.range(below.clone()..);
        let has_subkey = next.next().is_some_and(|(found, _)| found.starts_with(&below));
        Ok(has_subkey || self.windows.registry.contains_key(&key))
    }

    fn value_exists(&self) -> Doubtful {
        let Some(found) = self.value()? else { return Ok(false) };
        Ok(self.test.optional("Type").is_none_or(|wanted| match found {
            RegistryValue::Dword(_) => wanted == "REG_DWORD",
            RegistryValue::Text(_) => matches!(wanted, "REG_SZ" | "REG_EXPAND_SZ"),
            RegistryValue::Other => !matches!(wanted, "REG_DWORD" | "REG_SZ" | "REG_EXPAND_SZ"),
        }))
    }

    fn dword(&self) -> Doubtful {
        let Some(RegistryValue::Dword(found)) = self.value()? else { return Ok(false) };
        Ok(self.test.comparison()?.holds(found.cmp(&self.test.required("Data")?)))
    }

    fn string(&self) -> Doubtful {
        let Some(RegistryValue::Text(found)) = self.value()? else { return Ok(false) };
        let (found, wanted) = (found.to_lowercase(), self.test.text("Data")?.to_lowercase());
        match self.test.text("Comparison")? {
            "EqualTo" => Ok(found == wanted),
            "BeginsWith" => Ok(found.starts_with(&wanted)),
            "Contains" => Ok(found.contains(&wanted)),
            "EndsWith" => Ok(found.ends_with(&wanted)),
            other => Err(format!("there is no comparison {other:?}")),
        }
    }

    fn string_as_version(&self) -> Doubtful {
        let Some(RegistryValue::Text(found)) = self.value()? else { return Ok(false) };
        let Ok(found) = found.parse::<Version>() else { return Ok(false) };
        Ok(self.test.comparison()?.holds(found.cmp(&self.test.required("Data")?)))
    }

    fn msi_product(&self) -> Doubtful {
        let code = self.test.text("ProductCode")?.trim_matches(['{', '}']).to_lowercase();
        let Some(product) = self.windows.msi_products.get(&code) else { return Ok(false) };
        let is_above = |min: Version| match self.flag("ExcludeVersionMin") {
            true => product.version > min,
            false => product.version >= min,
        };
        let is_below = |max: Version| match self.flag("ExcludeVersionMax") {
            true => product.version < max,
            false => product.version <= max,
        };
        let language = self.test.parsed::<i32>("Language")?;
        Ok(self.test.parsed("VersionMin")?.is_none_or(is_above)
            && self.test.parsed("VersionMax")?.is_none_or(is_below)
            && language.is_none_or(|wanted| wanted == product.language))
    }

    fn flag(&self, attribute: &str) -> bool {
        matches!(self.test.optional(attribute), Some("true" | "1"))
    }

    /// The file a test names, below a known folder or a folder that the registry names.
    fn file(&self) -> Result<Option<&FileFact>, String> {
        let path = self.test.text("Path")?;
        let folder = if self.test.name().ends_with("PrependRegSz") {
            match self.value()? {
                Some(RegistryValue::Text(folder)) => Some(folder),
                _ => return Ok(None),
            }
        } else if let Some(csidl) = self.test.parsed::<i32>("Csidl")? {
            let folder = self.windows.folders.get(&csidl);
            Some(folder.ok_or_else(|| format!("folder {csidl} is not known"))?)
        } else {
            None
        };
        let path = match folder {
            Some(folder) => {
                format!("{}\\{}", folder.trim_end_matches('\\'), path.trim_start_matches('\\'))
            }
            None => path.to_owned(),
        };
        self.test.file(self.facts, &path.to_lowercase())
    }

    fn key(&self) -> Result<String, String> {
        let root = self.test.text("Key")?;
        if root != "HKEY_LOCAL_MACHINE" {
            return Err(format!("{root} is not evaluated"));
        }
        let key = self.test.text("Subkey")?.trim_matches('\\').to_lowercase();
        let is_64_bit =
            matches!(self.facts.architecture, Some(Architecture::Amd64 | Architecture::Arm64));
        match key.strip_prefix("software\\") {
            Some(rest) if is_64_bit && self.flag("RegType32") => {
                Ok(format!("software\\wow6432node\\{rest}"))
            }
            _ => Ok(key),
        }
    }

    /// The value a test names; a missing name is the default value.
    fn value(&self) -> Result<Option<&RegistryValue>, String> {
        let name = self.test.optional("Value").unwrap_or_default().to_lowercase();
        Ok(self.windows.registry.get(&self.key()?).and_then(|values| values.get(&name)))
    }
}
