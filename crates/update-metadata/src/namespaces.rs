//! The namespaces of update documents and of publishers' packages, and how both are written.
//!
//! Prefixes are ours and only written: readers go by URI alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use xml_guard::{Attribute, Element, Tag, XmlWriter};

pub(crate) const UPDATE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";
pub(crate) const BASE_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules";
pub(crate) const LOGICAL_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules";
pub(crate) const MSI_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/MsiApplicabilityRules";
pub(crate) const CBS_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/CbsApplicabilityRules";
pub(crate) const DRIVER_RULES: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsDriver";
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

/// A namespace of publishers' packages.
macro_rules! publishing {
    ($name:literal) => {
        concat!("http://schemas.microsoft.com/wsus/2005/04/CorporatePublishing/", $name, ".xsd")
    };
}

pub(crate) const PACKAGE: &str = publishing!("SoftwareDistributionPackage");
pub(crate) const PACKAGE_COMMAND_LINE: &str = publishing!("Installers/CommandLineInstallation");
pub(crate) const PACKAGE_MSI: &str = publishing!("Installers/MsiInstallation");
pub(crate) const PACKAGE_MSP: &str = publishing!("Installers/MspInstallation");
const PACKAGE_DRIVER: &str = publishing!("Installers/WindowsDriver");

/// Of a publisher's package, in the order in which it declares those it uses.
pub(crate) const PACKAGE_PREFIXES: [(&str, &str); 9] = [
    ("sdp", PACKAGE),
    ("bar", publishing!("BaseApplicabilityRules")),
    ("lar", publishing!("LogicalApplicabilityRules")),
    ("msiar", publishing!("MsiApplicabilityRules")),
    ("lin", LINUX_RULES),
    ("cmd", PACKAGE_COMMAND_LINE),
    ("msi", PACKAGE_MSI),
    ("msp", PACKAGE_MSP),
    ("drv", PACKAGE_DRIVER),
];

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
        Some("Installers/WindowsDriver") => DRIVER_RULES.into(),
        Some(rules) if rules.ends_with("ApplicabilityRules") => format!("{FAMILY}{rules}").into(),
        _ => Arc::clone(ns),
    }
}

/// The other way: the namespace that publishers use for what update documents write as `ns`.
pub(crate) fn to_publishing(ns: &Arc<str>) -> Arc<str> {
    match ns.strip_prefix(FAMILY) {
        Some("Update") => PACKAGE.into(),
        Some("UpdateHandlers/WindowsDriver") => PACKAGE_DRIVER.into(),
        Some(rules) if rules.ends_with("ApplicabilityRules") => {
            format!("{PUBLISHING}{rules}.xsd").into()
        }
        _ => Arc::clone(ns),
    }
}

/// The same element, with other namespaces.
pub(crate) fn renamed(element: &Element, rename: fn(&Arc<str>) -> Arc<str>) -> Element {
    let Tag { ns, local, attributes } = &element.tag;
    Element {
        tag: Tag { ns: rename(ns), local: local.clone(), attributes: attributes.clone() },
        children: element.children.iter().map(|child| renamed(child, rename)).collect(),
        text: element.text.clone(),
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

/// A whole document, which declares those prefixes that it uses, in their order.
pub(crate) fn write_document(root: &Element, prefixes: &[(&str, &str)]) -> String {
    let mut used = BTreeSet::new();
    collect_namespaces(root, &mut used);
    let declared = prefixes.iter().filter(|(_, uri)| used.contains(uri));
    let declaration = |(prefix, uri): &(&str, &str)| (format!("xmlns:{prefix}"), (*uri).to_owned());
    let mut xml = XmlWriter::default();
    write(&mut xml, root, prefixes, declared.map(declaration).collect());
    xml.finish()
}

pub(crate) fn prefix<'a>(prefixes: &[(&'a str, &str)], ns: &str) -> Option<&'a str> {
    prefixes.iter().find(|(_, uri)| *uri == ns).map(|(prefix, _)| *prefix)
}

/// What was carried over loses attributes of unknown namespaces, which nobody could declare.
fn write(
    xml: &mut XmlWriter,
    element: &Element,
    prefixes: &[(&str, &str)],
    declarations: Vec<(String, String)>,
) {
    let tag = &element.tag;
    match prefix(prefixes, &tag.ns) {
        Some(prefix) => xml.start(&format!("{prefix}:{}", tag.local)),
        None => xml.start(&tag.local).attribute("xmlns", &tag.ns),
    };
    for (name, uri) in declarations {
        xml.attribute(&name, &uri);
    }
    for Attribute { ns, local, value } in &tag.attributes {
        match prefix(prefixes, ns) {
            Some(prefix) => xml.attribute(&format!("{prefix}:{local}"), value),
            None if ns.is_empty() => xml.attribute(local, value),
            None => xml,
        };
    }
    if !element.text.trim().is_empty() {
        xml.text(&element.text);
    }
    element.children.iter().for_each(|child| write(xml, child, prefixes, Vec::new()));
    xml.end();
}

fn collect_namespaces<'a>(element: &'a Element, used: &mut BTreeSet<&'a str>) {
    used.insert(&element.tag.ns);
    used.extend(element.tag.attributes.iter().map(|attribute| &*attribute.ns));
    element.children.iter().for_each(|child| collect_namespaces(child, used));
}
