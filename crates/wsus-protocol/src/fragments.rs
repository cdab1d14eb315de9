//! The parts of an update document that computers get (MS-WUSP 3.1.1.1).
//!
//! Owns the way from a document to its fragments: namespaces are dropped, of three a letter
//! remains, and content of other vocabularies keeps a declaration of its own. A fragment is a row
//! of elements without a root, and not a document. Attribute values and the form of empty elements
//! are copied as they stand; white space between elements is not. Refuses to know what the parts
//! mean. [`join`] is the way back. Fails with the place in the document.

mod copy;
mod join;

use std::sync::Arc;

use xml_guard::{Event, Tag, XmlGuard};

use crate::{Error, limits};
use copy::{Copier, RawTag};
pub use join::join;

const UPDATE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";
/// Attributes of `Properties` in the Core fragment, in its order.
const CORE: [&str; 5] =
    ["UpdateType", "ExplicitlyDeployable", "AutoSelectOnWebSites", "EulaID", "OSUpgrade"];
/// Attributes of `Properties` in no fragment.
const OMITTED: [&str; 6] =
    ["PublicationState", "PublisherID", "CreationDate", "IsPublic", "LegacyName", "DetectoidType"];
/// Attributes of `Properties` that are left out when they say what their absence says.
const FALSE_BY_DEFAULT: [&str; 4] =
    ["ExplicitlyDeployable", "AutoSelectOnWebSites", "OSUpgrade", "PerUser"];

const TWICE: &str = "this part of an update is there twice";
const ALIKE: &str = "two attributes are alike but for their prefixes";

/// All fragments of one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fragments {
    pub core: String,
    pub extended: String,
    /// In the order of the document.
    pub localized: Vec<LocalizedFragment>,
    pub eulas: Vec<EulaFragment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalizedFragment {
    pub language: String,
    pub xml: String,
}

/// A license text, as a file; computers behind a server of their own do not ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EulaFragment {
    pub language: String,
    /// A region in three letters; none stands for the rest of the world.
    pub geo_id: Option<String>,
    pub xml: String,
}

/// The parts while they are collected.
#[derive(Debug, Default)]
struct Parts {
    identity: String,
    properties: String,
    relationships: String,
    rules: String,
    extended_properties: String,
    files: String,
    handler: String,
}

impl Fragments {
    /// Reads a whole document.
    pub fn derive(document: &[u8]) -> Result<Fragments, Error> {
        let mut copier = Copier::new(XmlGuard::new(document, limits::document_limits()));
        let root = loop {
            match copier.guard.next_event()? {
                Event::Start(tag) => break tag,
                Event::Text(_) | Event::End | Event::Eof => {}
            }
        };
        if !root.is(UPDATE, "Update") {
            return Err(Error::FindElement { element: "Update" });
        }
        let (mut parts, mut fragments) = (Parts::default(), Fragments::default());
        while let Some(tag) = copier.next_child()? {
            parts.take(&mut copier, &tag, &mut fragments)?;
        }
        copier.guard.finish()?;
        for (part, element) in
            [(&parts.identity, "UpdateIdentity"), (&parts.properties, "Properties")]
        {
            if part.is_empty() {
                return Err(Error::FindElement { element });
            }
        }
        let Parts { identity, properties, relationships, rules, .. } = &parts;
        fragments.core = [identity, properties, relationships, rules].map(String::as_str).concat();
        let extended = [&parts.extended_properties, &parts.files, &parts.handler];
        fragments.extended = extended.map(String::as_str).concat();
        Ok(fragments)
    }

    /// The localized properties in the language that suits best; see [`best_language`].
    #[must_use]
    pub fn localized_for(&self, wanted: &[String]) -> Option<&LocalizedFragment> {
        let languages: Vec<&str> = self.localized.iter().map(|l| l.language.as_str()).collect();
        best_language(&languages, wanted).map(|place| &self.localized[place])
    }
}

impl Parts {
    fn take(
        &mut self,
        copier: &mut Copier<&[u8]>,
        tag: &Tag,
        fragments: &mut Fragments,
    ) -> Result<(), Error> {
        let part = match tag.local.as_str() {
            _ if &*tag.ns != UPDATE => return Ok(copier.guard.skip_element()?),
            "LocalizedPropertiesCollection" => return localize(copier, fragments),
            "Properties" => return self.take_properties(copier),
            "UpdateIdentity" => &mut self.identity,
            "Relationships" => &mut self.relationships,
            "ApplicabilityRules" => &mut self.rules,
            "Files" => &mut self.files,
            "HandlerSpecificData" => &mut self.handler,
            _ => return Ok(copier.guard.skip_element()?),
        };
        if !part.is_empty() {
            return Err(copier.refused(TWICE));
        }
        *part = copier.element(tag)?;
        Ok(())
    }

    /// Divides the attributes between the Core and the Extended fragment.
    fn take_properties(&mut self, copier: &mut Copier<&[u8]>) -> Result<(), Error> {
        if !self.properties.is_empty() {
            return Err(copier.refused(TWICE));
        }
        let source = copier.source();
        let mut attributes: Vec<(&str, &str)> = Vec::new();
        for (name, value) in RawTag::parse(&source).attributes {
            let local = name.rsplit_once(':').map_or(name, |(_, local)| local);
            if attributes.iter().any(|(other, _)| *other == local) {
                return Err(copier.refused(ALIKE));
            }
            let is_default = FALSE_BY_DEFAULT.contains(&local) && value == "false";
            if !is_default && !name.starts_with("xmlns") {
                attributes.push((local, value));
            }
        }
        self.properties.push_str("<Properties");
        for name in CORE {
            for (_, value) in attributes.iter().filter(|(found, _)| *found == name) {
                copier.write_attribute(&mut self.properties, name, value)?;
            }
        }
        self.properties.push_str(" />");
        let extended = &mut self.extended_properties;
        extended.push_str("<ExtendedProperties");
        for (name, value) in &attributes {
            if !CORE.contains(name) && !OMITTED.contains(name) {
                copier.write_attribute(extended, name, value)?;
            }
        }
        let children = copier.content()?;
        match children.trim().is_empty() {
            true => extended.push_str(" />"),
            false => extended.push_str(&format!(">{children}</ExtendedProperties>")),
        }
        Ok(())
    }
}

fn localize(copier: &mut Copier<&[u8]>, fragments: &mut Fragments) -> Result<(), Error> {
    while let Some(tag) = copier.next_child()? {
        if tag.is(UPDATE, "LocalizedProperties") {
            let xml = copier.element(&tag)?;
            let rest = xml.split_once("<Language>").map_or("", |(_, rest)| rest);
            let language = rest.split_once("</Language>").map_or("", |(language, _)| language);
            let language = language.trim().to_owned();
            fragments.localized.push(LocalizedFragment { language, xml });
        } else if tag.is(UPDATE, "EulaFile") {
            let language = tag.attribute("Language").unwrap_or_default().to_owned();
            let geo_id = tag.attribute("GeoId").filter(|id| !id.is_empty()).map(str::to_owned);
            let xml = copier.element(&tag)?;
            fragments.eulas.push(EulaFragment { language, geo_id, xml });
        } else {
            copier.guard.skip_element()?;
        }
    }
    Ok(())
}

/// The place of the best of the available languages: the first wanted one that is there as it is,
/// or without its region, or in any region; else English, else the first.
#[must_use]
pub fn best_language(available: &[&str], wanted: &[String]) -> Option<usize> {
    let base = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let exact = |tag: &str| available.iter().position(|a| a.eq_ignore_ascii_case(tag));
    let related = |tag: &str| available.iter().position(|a| base(a) == base(tag));
    wanted
        .iter()
        .find_map(|tag| exact(tag).or_else(|| exact(&base(tag))).or_else(|| related(tag)))
        .or_else(|| exact("en"))
        .or_else(|| (!available.is_empty()).then_some(0))
}

/// The namespace of content that is copied with a declaration, empty for all vocabularies of
/// update documents.
fn declared_namespace(ns: &Arc<str>) -> &str {
    if ns.starts_with("http://schemas.microsoft.com/msus/") { "" } else { ns }
}
