//! The way back: a document made of the fragments that a server told.
//!
//! A server drops namespaces and leaves a letter of three of them (MS-WUSP 3.1.1.1). Here they are
//! put back, by letter and by name, so that rules mean again what they meant; what brings a
//! namespace of its own keeps it. Fragments of the same revision always give the same bytes.

use std::io::{BufRead, Read as _};

use xml_guard::{Attribute, Element, Event, Tag, XmlGuard, XmlWriter};

use crate::{Error, limits};

const FAMILY: &str = "http://schemas.microsoft.com/msus/2002/12/";
const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Prefixes as they are declared here, the rest of their namespaces, and the letter that tells.
const LETTERS: [(&str, &str, &str); 3] = [
    ("bar", "BaseApplicabilityRules", "b."),
    ("mar", "MsiApplicabilityRules", "m."),
    ("drv", "UpdateHandlers/WindowsDriver", "d."),
];
/// The same where only names tell.
const NAMES: [(&str, &str, &[&str]); 2] = [
    ("lar", "LogicalApplicabilityRules", &["And", "Or", "Not", "True", "False"]),
    (
        "cbs",
        "CbsApplicabilityRules",
        &[
            "CbsPackageInstallable",
            "CbsPackageInstalled",
            "CbsPackageInstalledByIdentity",
            "CbsPackageApplicabilityMetadata",
        ],
    ),
];
/// What the data of an installer is in, unless it says itself.
const HANDLER: &str = "handler";

/// The document of a Core fragment, with what else the server told; `extended` may be empty, and
/// `localized` are texts in some languages.
pub fn join(core: &str, extended: &str, localized: &[&str]) -> Result<String, Error> {
    let (properties, handler) = look_ahead(extended)?;
    let (prefix, kind) = handler.rsplit_once(':').unwrap_or((HANDLER, &handler));
    let is_taken = ["upd", "xsi", "xml", "xmlns"].contains(&prefix)
        || LETTERS.iter().map(|(taken, ..)| taken).any(|taken| *taken == prefix)
        || NAMES.iter().map(|(taken, ..)| taken).any(|taken| *taken == prefix);
    let is_prefix = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_lowercase());
    let prefix = if is_prefix && !is_taken { prefix } else { HANDLER };
    let mut joiner = Joiner {
        xml: XmlWriter::default(),
        room: limits::JOINED_BYTES_MAX,
        open: Vec::new(),
        properties,
        handler: prefix.to_owned(),
    };
    joiner.root(kind);
    joiner.fragment(core)?;
    joiner.fragment(extended)?;
    if !localized.is_empty() {
        joiner.xml.start("upd:LocalizedPropertiesCollection");
        for text in localized {
            joiner.fragment(text)?;
        }
        joiner.xml.end();
    }
    Ok(joiner.xml.finish())
}

/// A fragment has no root of its own.
fn guard(fragment: &str) -> XmlGuard<impl BufRead> {
    let input = "<fragment>".as_bytes().chain(fragment.as_bytes()).chain(&b"</fragment>"[..]);
    XmlGuard::new(input, limits::fragment_limits())
}

/// What an Extended fragment says for the properties, and the type of its installer's data.
fn look_ahead(extended: &str) -> Result<(Option<Element>, String), Error> {
    let (mut guard, mut properties, mut handler) = (guard(extended), None, String::new());
    guard.next_event()?;
    loop {
        match guard.next_event()? {
            Event::Start(tag) if tag.local == "ExtendedProperties" => {
                properties = Some(guard.read_element(tag)?);
            }
            Event::Start(tag) => {
                if tag.local == "HandlerSpecificData" {
                    handler = tag.attribute("type").unwrap_or_default().to_owned();
                }
                guard.skip_element()?;
            }
            Event::Text(_) | Event::End => {}
            Event::Eof => return Ok((properties, handler)),
        }
    }
}

struct Joiner {
    xml: XmlWriter,
    room: usize,
    /// What each open element is in.
    open: Vec<Place>,
    /// For the element of the Core fragment.
    properties: Option<Element>,
    /// The prefix of what an installer needs to know.
    handler: String,
}

/// Decides how the elements within are named.
#[derive(Clone, PartialEq, Eq)]
enum Place {
    Vocabulary,
    Handler,
    /// A namespace that the fragment brings.
    Foreign(String),
}

impl Joiner {
    fn root(&mut self, kind: &str) {
        self.xml.start("upd:Update").attribute("xmlns:upd", &format!("{FAMILY}Update"));
        self.xml.attribute("xmlns:xsi", SCHEMA_INSTANCE);
        let lettered = LETTERS.iter().map(|(prefix, rest, _)| (prefix, rest));
        for (prefix, rest) in lettered.chain(NAMES.iter().map(|(prefix, rest, _)| (prefix, rest))) {
            self.xml.attribute(&format!("xmlns:{prefix}"), &format!("{FAMILY}{rest}"));
        }
        let namespace = format!("{FAMILY}UpdateHandlers/{kind}");
        self.xml.attribute(&format!("xmlns:{}", self.handler), &namespace);
    }

    /// Copies what a fragment holds into the element that is open.
    fn fragment(&mut self, fragment: &str) -> Result<(), Error> {
        let mut guard = guard(fragment);
        guard.next_event()?;
        loop {
            match guard.next_event()? {
                Event::Start(tag) if self.open.is_empty() && tag.local == "ExtendedProperties" => {
                    guard.skip_element()?;
                }
                Event::Start(tag) => self.start(&tag)?,
                Event::Text(text) if !text.trim().is_empty() => {
                    self.spend(text.len())?;
                    self.xml.text(&text);
                }
                Event::Text(_) => {}
                Event::End => {
                    if self.open.pop().is_some() {
                        self.xml.end();
                    }
                }
                Event::Eof => return Ok(()),
            }
        }
    }

    fn start(&mut self, tag: &Tag) -> Result<(), Error> {
        let place = self.place(tag);
        let is_section = self.open.is_empty();
        self.open(tag, &place)?;
        self.open.push(place);
        match self.properties.take() {
            Some(more) if is_section && tag.local == "Properties" => {
                let is_new = |a: &&Attribute| tag.attribute(&a.local).is_none();
                let added = more.tag.attributes.iter().filter(is_new);
                added.into_iter().try_for_each(|attribute| self.attribute(attribute))?;
                more.children.iter().try_for_each(|child| self.tree(child))
            }
            kept => {
                self.properties = kept;
                Ok(())
            }
        }
    }

    fn tree(&mut self, element: &Element) -> Result<(), Error> {
        let place = self.place(&element.tag);
        self.open(&element.tag, &place)?;
        self.open.push(place);
        if !element.text.trim().is_empty() {
            self.spend(element.text.len())?;
            self.xml.text(&element.text);
        }
        element.children.iter().try_for_each(|child| self.tree(child))?;
        self.open.pop();
        self.xml.end();
        Ok(())
    }

    fn place(&self, tag: &Tag) -> Place {
        match self.open.last() {
            _ if !tag.ns.is_empty() => Place::Foreign(tag.ns.to_string()),
            None if tag.local == "HandlerSpecificData" => Place::Handler,
            Some(Place::Handler) => Place::Handler,
            Some(Place::Vocabulary | Place::Foreign(_)) | None => Place::Vocabulary,
        }
    }

    fn open(&mut self, tag: &Tag, place: &Place) -> Result<(), Error> {
        self.spend(2 * tag.local.len() + PREFIXES_BYTES)?;
        let is_section = self.open.is_empty();
        match place {
            Place::Foreign(ns) => {
                self.xml.start(&tag.local);
                if self.open.last() != Some(place) {
                    self.spend(ns.len())?;
                    self.xml.attribute("xmlns", ns);
                }
            }
            Place::Handler if !is_section => {
                self.xml.start(&full_name(&tag.local, &self.handler));
            }
            Place::Handler | Place::Vocabulary => {
                self.xml.start(&full_name(&tag.local, "upd"));
            }
        }
        for attribute in &tag.attributes {
            match (place, attribute.local.as_str()) {
                (Place::Handler, "type") if is_section => {
                    let kind = attribute.value.rsplit(':').next().unwrap_or_default();
                    self.xml.attribute("xsi:type", &format!("{}:{kind}", self.handler));
                }
                _ => self.attribute(attribute)?,
            }
        }
        Ok(())
    }

    /// Of other namespaces, which no fragment has, they are left out.
    fn attribute(&mut self, attribute: &Attribute) -> Result<(), Error> {
        let Attribute { ns, local, value } = attribute;
        self.spend(local.len() + value.len())?;
        match &**ns {
            "" => self.xml.attribute(local, value),
            XML_NAMESPACE => self.xml.attribute(&format!("xml:{local}"), value),
            _ => &mut self.xml,
        };
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Error> {
        let reason = "the document would be too large";
        let room = self.room.checked_sub(bytes);
        self.room = room.ok_or(Error::DeriveFragments { line: 1, column: 1, reason })?;
        Ok(())
    }
}

/// What an element needs beside its names.
const PREFIXES_BYTES: usize = 14;

/// `otherwise` is the prefix of what neither letter nor name tells.
fn full_name(local: &str, otherwise: &str) -> String {
    for (prefix, _, letter) in LETTERS {
        if let Some(rest) = local.strip_prefix(letter) {
            return format!("{prefix}:{rest}");
        }
    }
    let named = NAMES.iter().find(|(_, _, names)| names.contains(&local));
    format!("{}:{local}", named.map_or(otherwise, |(prefix, _, _)| prefix))
}
