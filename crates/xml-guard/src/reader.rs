//! The guarded pull reader.

use std::io::BufRead;
use std::mem;
use std::sync::Arc;

use quick_xml::encoding::DecodingReader;
use quick_xml::events::{BytesStart, Event as Token};
use quick_xml::reader::Reader;

use crate::metered::Metered;
use crate::{Error, Limits, Position, Refusal, grammar};

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What a document consists of. Comments and processing instructions are checked and dropped;
/// one run of text may arrive in several pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Start(Tag),
    Text(String),
    End,
    Eof,
}

/// A start tag, its names resolved and its values unescaped; namespace declarations are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub ns: Arc<str>,
    pub local: String,
    pub attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub ns: Arc<str>,
    pub local: String,
    pub value: String,
}

impl Tag {
    #[must_use]
    pub fn is(&self, ns: &str, local: &str) -> bool {
        self.local == local && *self.ns == *ns
    }

    /// The value of an attribute that is in no namespace.
    #[must_use]
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attribute_ns("", local)
    }

    #[must_use]
    pub fn attribute_ns(&self, ns: &str, local: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|a| a.local == local && *a.ns == *ns);
        found.map(|a| a.value.as_str())
    }
}

/// Reads one document and refuses what is not well-formed or too large.
#[derive(Debug)]
pub struct XmlGuard<R> {
    reader: Reader<Metered<DecodingReader<R>>>,
    limits: Limits,
    buffer: Vec<u8>,
    namespaces: Vec<Namespace>,
    depth: usize,
    root_seen: bool,
    /// Whether the last event was a tag, and what follows has not been looked at.
    is_after_tag: bool,
    failed: Option<Error>,
}

/// What the next event is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Event,
    /// Only to see that it is well-formed: names and text may be left out.
    Check,
}

#[derive(Debug)]
struct Namespace {
    depth: usize,
    prefix: String,
    uri: Arc<str>,
}

impl<R: BufRead> XmlGuard<R> {
    pub fn new(input: R, limits: Limits) -> XmlGuard<R> {
        let mut reader = Reader::from_reader(Metered::new(DecodingReader::new(input), limits));
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        let namespaces = [("", ""), ("xml", XML_NAMESPACE)].map(|(prefix, uri)| Namespace {
            depth: 0,
            prefix: prefix.into(),
            uri: uri.into(),
        });
        XmlGuard {
            reader,
            limits,
            buffer: Vec::new(),
            namespaces: namespaces.into(),
            depth: 0,
            root_seen: false,
            is_after_tag: false,
            failed: None,
        }
    }

    /// The next event; [`Event::Eof`] again and again once the document has ended well.
    pub fn next_event(&mut self) -> Result<Event, Error> {
        self.next_of(Wanted::Event)
    }

    fn next_of(&mut self, wanted: Wanted) -> Result<Event, Error> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let mut buffer = mem::take(&mut self.buffer);
        let outcome = loop {
            buffer.clear();
            match self.step(&mut buffer, wanted) {
                Ok(Some(event)) => break Ok(event),
                Ok(None) => {}
                Err(refusal) => break Err(self.refuse(refusal)),
            }
        };
        self.buffer = buffer;
        outcome
    }

    /// After a start tag: passes over the rest of its element, checking it all the same.
    pub fn skip_element(&mut self) -> Result<(), Error> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next_of(Wanted::Check)?;
        }
        Ok(())
    }

    /// After a start tag: the text of its element, without that of elements within.
    pub fn read_text(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        loop {
            match self.next_event()? {
                Event::Start(_) => self.skip_element()?,
                Event::Text(part) => self.append(&mut text, &part)?,
                Event::End | Event::Eof => return Ok(text),
            }
        }
    }

    /// Reads to the end, so that nothing ill-formed hides after the interesting part.
    pub fn finish(mut self) -> Result<(), Error> {
        while self.next_event()? != Event::Eof {}
        Ok(())
    }

    /// Where the last event begins.
    pub fn position(&self) -> Position {
        self.reader.get_ref().start()
    }

    /// After a start tag: keeps the document's source from this tag on.
    pub fn keep_source(&mut self) {
        self.reader.get_mut().keep();
    }

    /// The source from the tag where keeping began to the end of the last event, unaltered but
    /// for the conversion to UTF-8. Empty if nothing was kept.
    pub fn take_source(&mut self) -> String {
        String::from_utf8(self.reader.get_mut().take()).unwrap_or_default()
    }

    /// Whether bytes may be taken from the source here: inside an element with room for another.
    pub(crate) fn is_between_tags(&self) -> bool {
        let has_room = (1..self.limits.depth).contains(&self.depth);
        let is_open = self.is_after_tag && !self.reader.get_ref().is_empty_element();
        self.failed.is_none() && has_room && is_open
    }

    pub(crate) fn source_mut(&mut self) -> &mut Metered<DecodingReader<R>> {
        self.reader.get_mut()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) -> Error {
        let Position { line, column, .. } = self.position();
        self.failed.insert(Error { line, column, refusal }).clone()
    }

    /// Adds to the text of one element, which may be no larger than one event.
    pub(crate) fn append(&mut self, text: &mut String, part: &str) -> Result<(), Error> {
        if text.len() + part.len() > self.limits.event_bytes {
            return Err(self.refuse(Refusal::EventBytes(self.limits.event_bytes)));
        }
        text.push_str(part);
        Ok(())
    }

    fn step(&mut self, buffer: &mut Vec<u8>, wanted: Wanted) -> Result<Option<Event>, Refusal> {
        self.reader.get_mut().begin_event();
        let token = self.reader.read_event_into(buffer);
        let source = self.reader.get_ref();
        // quick-xml would swallow a second byte order mark.
        if source.first_event().is_some_and(|event| event.starts_with(BYTE_ORDER_MARK)) {
            return Err(Refusal::malformed("text outside the root element"));
        }
        let token = token.map_err(|error| self.explain(&error))?;
        self.is_after_tag = matches!(token, Token::Start(_) | Token::End(_));
        match token {
            Token::Start(tag) | Token::Empty(tag) => self.start(&tag, wanted).map(Some),
            Token::End(_) => {
                while self.namespaces.pop_if(|namespace| namespace.depth >= self.depth).is_some() {}
                self.depth -= 1;
                Ok(Some(Event::End))
            }
            Token::Text(text) if self.depth == 0 && grammar::is_space(&text) => Ok(None),
            Token::Text(text) => {
                let text = grammar::text(&text)?;
                self.inside(if wanted == Wanted::Event { text.into_owned() } else { String::new() })
            }
            Token::CData(text) => self.inside(grammar::content(&text)?.into_owned()),
            Token::GeneralRef(name) => self.inside(grammar::reference(&name)?.into()),
            Token::Comment(text) => grammar::content(&text).map(|_| None),
            Token::PI(instruction) => {
                let target = instruction.target();
                if !grammar::is_name(target) || target.eq_ignore_ascii_case("xml") {
                    return Err(Refusal::malformed("bad processing instruction"));
                }
                grammar::content(instruction.content()).map(|_| None)
            }
            Token::Decl(declaration) => self.declaration(&declaration).map(|()| None),
            Token::DocType(_) => Err(Refusal::Doctype),
            Token::Eof if self.depth > 0 => Err(Refusal::malformed("an element is not closed")),
            Token::Eof if !self.root_seen => Err(Refusal::malformed("there is no element")),
            Token::Eof => Ok(Some(Event::Eof)),
        }
    }

    fn explain(&self, error: &quick_xml::Error) -> Refusal {
        match (&self.reader.get_ref().refusal, error) {
            (Some(refusal), _) => refusal.clone(),
            (None, quick_xml::Error::Io(error)) => Refusal::Read(error.to_string()),
            (None, quick_xml::Error::Encoding(_)) => {
                Refusal::Encoding(self.reader.get_ref().inner.encoding().name().to_owned())
            }
            (None, error) => Refusal::malformed(error.to_string()),
        }
    }

    fn inside(&self, text: String) -> Result<Option<Event>, Refusal> {
        match self.depth {
            0 => Err(Refusal::malformed("text outside the root element")),
            _ => Ok(Some(Event::Text(text))),
        }
    }

    fn declaration(&self, raw: &str) -> Result<(), Refusal> {
        let source = self.reader.get_ref();
        if source.first_event().is_none() {
            return Err(Refusal::malformed("the XML declaration is not at the start"));
        }
        let real = source.inner.encoding().name();
        match grammar::declaration(raw.strip_prefix("xml").unwrap_or(raw))? {
            None => Ok(()),
            Some(named) if named.eq_ignore_ascii_case(real) => Ok(()),
            Some(named) if real != "UTF-8" && named.eq_ignore_ascii_case("UTF-16") => Ok(()),
            Some(named) => Err(Refusal::Encoding(named)),
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, wanted: Wanted) -> Result<Event, Refusal> {
        if self.depth == 0 && mem::replace(&mut self.root_seen, true) {
            return Err(Refusal::malformed("a second root element"));
        }
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(Refusal::Depth(self.limits.depth));
        }
        let (prefix, local) = grammar::split_name(tag.name().0)?;
        if wanted == Wanted::Check && tag.attributes_raw().is_empty() {
            let (ns, local) = (self.resolve(prefix)?, String::new());
            return Ok(Event::Start(Tag { ns, local, attributes: Vec::new() }));
        }
        let mut named = Vec::new();
        for (name, raw) in grammar::attributes(tag.attributes_raw(), self.limits.attributes)? {
            let (prefix, local) = grammar::split_name(name)?;
            let value = grammar::attribute_value(raw)?;
            match (prefix, local) {
                ("", "xmlns") => self.declare("", &value)?,
                ("xmlns", prefix) => self.declare(prefix, &value)?,
                _ => named.push((prefix, local, value)),
            }
        }
        let mut attributes: Vec<Attribute> = Vec::with_capacity(named.len());
        for (prefix, local, value) in named {
            let ns = if prefix.is_empty() { self.nowhere() } else { self.resolve(prefix)? };
            if attributes.iter().any(|a| a.local == local && a.ns == ns) {
                return Err(Refusal::malformed(format!("attribute {local:?} is repeated")));
            }
            attributes.push(Attribute { ns, local: local.to_owned(), value });
        }
        Ok(Event::Start(Tag { ns: self.resolve(prefix)?, local: local.to_owned(), attributes }))
    }

    /// The namespace of names that are in none: what an empty prefix means at the outset.
    fn nowhere(&self) -> Arc<str> {
        self.namespaces[0].uri.clone()
    }

    fn resolve(&self, prefix: &str) -> Result<Arc<str>, Refusal> {
        let found = self.namespaces.iter().rev().find(|namespace| namespace.prefix == prefix);
        found
            .map(|namespace| namespace.uri.clone())
            .ok_or_else(|| Refusal::malformed(format!("prefix {prefix:?} is not declared")))
    }

    fn declare(&mut self, prefix: &str, uri: &str) -> Result<(), Refusal> {
        let reserved = prefix == "xmlns" || uri == XMLNS_NAMESPACE;
        let moved = (prefix == "xml") != (uri == XML_NAMESPACE);
        if reserved || moved || (uri.is_empty() && !prefix.is_empty()) {
            return Err(Refusal::malformed(format!("prefix {prefix:?} cannot be declared so")));
        }
        if self.namespaces.len() > self.limits.attributes {
            return Err(Refusal::Attributes(self.limits.attributes));
        }
        let (prefix, uri) = (prefix.to_owned(), Arc::from(uri));
        self.namespaces.push(Namespace { depth: self.depth, prefix, uri });
        Ok(())
    }
}
