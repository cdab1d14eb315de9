//! Copies elements out of a document, event by event, with their names rewritten.

use std::io::BufRead;

use xml_guard::{Event, Tag, XmlGuard};

use super::{ALIKE, declared_namespace};
use crate::{Error, limits};

const DRIVER: &str = "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsDriver";
/// Namespaces of which a letter remains before the name.
const LETTERS: [(&str, &str); 3] = [
    ("http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules", "b."),
    ("http://schemas.microsoft.com/msus/2002/12/MsiApplicabilityRules", "m."),
    (DRIVER, "d."),
];

/// Copies into strings; all of them together stay within the limit.
#[derive(Debug)]
pub(super) struct Copier<R> {
    pub(super) guard: XmlGuard<R>,
    room: usize,
    open: Vec<Open>,
}

/// An element that is being copied.
#[derive(Debug)]
struct Open {
    /// None if the element was written closed.
    name: Option<String>,
    namespace: String,
    has_children: bool,
}

/// A start tag as it stands in the document, which is known to be well-formed.
#[derive(Debug)]
pub(super) struct RawTag<'a> {
    pub(super) attributes: Vec<(&'a str, &'a str)>,
    is_closed: bool,
}

impl<'a> RawTag<'a> {
    pub(super) fn parse(source: &'a str) -> RawTag<'a> {
        let inner = source.trim_start_matches('<').trim_end_matches('>');
        let (inner, is_closed) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let (_, mut rest) = inner.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or_default();
        let mut attributes = Vec::new();
        while let Some((name, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let Some(quote) = after.chars().next() else { break };
            let Some((value, tail)) = after[quote.len_utf8()..].split_once(quote) else { break };
            attributes.push((name.trim(), value));
            rest = tail;
        }
        RawTag { attributes, is_closed }
    }
}

impl<R: BufRead> Copier<R> {
    pub(super) fn new(guard: XmlGuard<R>) -> Copier<R> {
        Copier { guard, room: limits::FRAGMENTS_BYTES_MAX, open: Vec::new() }
    }

    /// The next element on this level, or none at its end.
    pub(super) fn next_child(&mut self) -> Result<Option<Tag>, Error> {
        loop {
            match self.guard.next_event()? {
                Event::Start(tag) => return Ok(Some(tag)),
                Event::Text(_) => {}
                Event::End | Event::Eof => return Ok(None),
            }
        }
    }

    /// After a start tag: its source.
    pub(super) fn source(&mut self) -> String {
        self.guard.keep_source();
        self.guard.take_source()
    }

    pub(super) fn refused(&self, reason: &'static str) -> Error {
        let place = self.guard.position();
        Error::DeriveFragments { line: place.line, column: place.column, reason }
    }

    /// After a start tag: its element.
    pub(super) fn element(&mut self, tag: &Tag) -> Result<String, Error> {
        let mut out = String::new();
        self.start(&mut out, tag)?;
        self.copy(&mut out)?;
        Ok(out)
    }

    /// After a start tag: what its element holds.
    pub(super) fn content(&mut self) -> Result<String, Error> {
        let mut out = String::new();
        let (name, namespace) = (None, String::new());
        self.open.push(Open { name, namespace, has_children: false });
        self.copy(&mut out)?;
        Ok(out)
    }

    /// Copies until the outermost open element ends.
    fn copy(&mut self, out: &mut String) -> Result<(), Error> {
        let mut text = String::new();
        while !self.open.is_empty() {
            match self.guard.next_event()? {
                Event::Start(tag) => {
                    self.text(out, &mut text, true)?;
                    self.start(out, &tag)?;
                }
                Event::Text(part) => text.push_str(&part),
                Event::End | Event::Eof => {
                    let Some(open) = self.open.pop() else { break };
                    self.text(out, &mut text, open.has_children)?;
                    if let Some(name) = open.name {
                        self.put(out, &["</", &name, ">"])?;
                    }
                }
            }
        }
        Ok(())
    }

    /// White space beside elements only makes a document pretty.
    fn text(&mut self, out: &mut String, text: &mut String, is_beside: bool) -> Result<(), Error> {
        let text = std::mem::take(text);
        if text.is_empty() || (is_beside && text.trim().is_empty()) {
            return Ok(());
        }
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.put(out, &[&escaped.replace('\r', "&#xD;")])
    }

    fn start(&mut self, out: &mut String, tag: &Tag) -> Result<(), Error> {
        let source = self.source();
        let raw = RawTag::parse(&source);
        let letter = LETTERS.iter().find(|(ns, _)| *ns == &*tag.ns).map_or("", |(_, l)| l);
        let name = format!("{letter}{}", tag.local);
        self.put(out, &["<", &name])?;
        self.attributes(out, tag, &raw)?;
        // Which devices a driver is for is the server's affair.
        let is_pruned = tag.is(DRIVER, "WindowsDriverMetaData");
        let is_closed = raw.is_closed || is_pruned;
        self.put(out, &[if is_closed { " />" } else { ">" }])?;
        if let Some(parent) = self.open.last_mut() {
            parent.has_children = true;
        }
        if is_pruned {
            return Ok(self.guard.skip_element()?);
        }
        let namespace = declared_namespace(&tag.ns).to_owned();
        let name = (!is_closed).then_some(name);
        self.open.push(Open { name, namespace, has_children: false });
        Ok(())
    }

    fn attributes(&mut self, out: &mut String, tag: &Tag, raw: &RawTag<'_>) -> Result<(), Error> {
        let namespace = declared_namespace(&tag.ns);
        let outer = self.open.last().map_or("", |open| &open.namespace);
        let mut is_missing = namespace != outer;
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in &raw.attributes {
            let local = match name.split_once(':') {
                None if *name == "xmlns" => "",
                Some(("xmlns", _)) => "",
                Some(("xml", _)) | None => name,
                Some((_, local)) => local,
            };
            if local.is_empty() {
                // Where the document declares the namespace the copy does it, too.
                if is_missing && *value == namespace {
                    self.write_attribute(out, "xmlns", value)?;
                    is_missing = false;
                }
                continue;
            }
            if seen.contains(&local) {
                return Err(self.refused(ALIKE));
            }
            seen.push(local);
            self.write_attribute(out, local, value)?;
        }
        if is_missing {
            let escaped = namespace.replace('&', "&amp;").replace('<', "&lt;");
            self.write_attribute(out, "xmlns", &escaped)?;
        }
        Ok(())
    }

    /// `value` as it stands in the document, between quotes of either kind.
    pub(super) fn write_attribute(
        &mut self,
        out: &mut String,
        name: &str,
        value: &str,
    ) -> Result<(), Error> {
        let value =
            value.replace('"', "&quot;").replace("\r\n", " ").replace(['\r', '\n', '\t'], " ");
        self.put(out, &[" ", name, "=\"", &value, "\""])
    }

    fn put(&mut self, out: &mut String, texts: &[&str]) -> Result<(), Error> {
        for text in texts {
            let room = self.room.checked_sub(text.len());
            self.room = room.ok_or_else(|| self.refused("its fragments would be too large"))?;
            out.push_str(text);
        }
        Ok(())
    }
}
