//! The namespaces of update documents and of publishers' packages.
//!
//! Prefixes are ours and only written: readers go by URI alone.

use std::sync::Arc;

use xml_guard::{Attribute, Element, Tag};

pub(crate) const UPDATE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";
pub(crate) const BASE_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules";
pub(crate) const LOGICAL_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules";
pub(crate) const MSI_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/MsiApplicabilityRules";
pub(crate) const LINUX_RULES: &str = "urn:tierline:applicability:linux:1";
pub(crate) const CATEGORY: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category";
pub(crate) const COMMAND_LINE: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation";
pub(crate) const WINDOWS_INSTALLER: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsInstaller";
pub(crate) const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

const FAMILY: &str = "http://schemas.microsoft.com/msus/2002/12/";
const PUBLISHING: &str = "http://schemas.microsoft.com/wsus/2005/04/CorporatePublishing/";

/// In the order in which a document declares those it uses.
pub(crate) const PREFIXES: [(&str, &str); 9] = [
    ("upd", UPDATE),
    ("bar", BASE_RULES),
    ("lar", LOGICAL_RULES),
    ("mar", MSI_RULES),
    ("lin", LINUX_RULES),
    ("cat", CATEGORY),
    ("cmd", COMMAND_LINE),
    ("msp", WINDOWS_INSTALLER),
    ("xsi", SCHEMA_INSTANCE),
];

/// Whether tests of this namespace speak of Windows.
pub(crate) fn is_windows(ns: &str) -> bool {
    ns.starts_with(FAMILY) && ns != LOGICAL_RULES
}

/// The namespace that update documents use for what publishers write as `ns`.
pub(crate) fn of_publishing(ns: &Arc<str>) -> Arc<str> {
    let short = ns.strip_prefix(PUBLISHING).and_then(|rest| rest.strip_suffix(".xsd"));
    match short {
        Some("SoftwareDistributionPackage") => UPDATE.into(),
        Some("Installers/WindowsDriver") => format!("{FAMILY}UpdateHandlers/WindowsDriver").into(),
        Some(rules) if rules.ends_with("ApplicabilityRules") => format!("{FAMILY}{rules}").into(),
        _ => Arc::clone(ns),
    }
}

/// An element without children.
pub(crate) fn element(ns: &str, local: &str, attributes: &[(&str, &str)]) -> Element {
    let attribute = |&(name, value): &(&str, &str)| Attribute {
        ns: "".into(),
        local: name.to_owned(),
        value: value.to_owned(),
    };
    let attributes = attributes.iter().map(attribute).collect();
    let tag = Tag { ns: ns.into(), local: local.to_owned(), attributes };
    Element { tag, children: Vec::new(), text: String::new() }
}
