//! Writes XML that any parser reads back as it was meant.

/// Builds one document; every call but [`finish`](XmlWriter::finish) can be chained.
///
/// Names are the caller's constants and written as they are. Line ends and tabs that a parser
/// would normalize become references; characters XML cannot hold become U+FFFD.
#[derive(Debug, Default)]
pub struct XmlWriter {
    out: String,
    /// Where the name of each open element begins in `names`, so that none needs memory of its own.
    open: Vec<usize>,
    names: String,
    in_tag: bool,
    is_compact: bool,
}

impl XmlWriter {
    /// A document that begins with an XML declaration for UTF-8.
    #[must_use]
    pub fn declared() -> XmlWriter {
        let out = "<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_owned();
        XmlWriter { out, ..XmlWriter::default() }
    }

    /// A document without declaration whose empty elements are `<name/>`, without the space.
    #[must_use]
    pub fn compact() -> XmlWriter {
        XmlWriter { is_compact: true, ..XmlWriter::default() }
    }

    pub fn reserve(&mut self, bytes: usize) -> &mut XmlWriter {
        self.out.reserve(bytes);
        self
    }

    pub fn start(&mut self, name: &str) -> &mut XmlWriter {
        self.close_tag();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(self.names.len());
        self.names.push_str(name);
        self.in_tag = true;
        self
    }

    /// Belongs directly after [`start`](XmlWriter::start) or another attribute.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut XmlWriter {
        debug_assert!(self.in_tag, "attribute {name} outside a start tag");
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.escape(value, "\t\n\"");
        self.out.push('"');
        self
    }

    /// Even an empty text makes the element close with an end tag of its own.
    pub fn text(&mut self, text: &str) -> &mut XmlWriter {
        self.close_tag();
        self.escape(text, "");
        self
    }

    /// Text that was escaped before, by [`text`](XmlWriter::text) of a writer without elements.
    pub fn escaped(&mut self, text: &str) -> &mut XmlWriter {
        self.close_tag();
        self.out.push_str(text);
        self
    }

    pub fn end(&mut self) -> &mut XmlWriter {
        let name = self.open.pop().unwrap_or_default();
        if self.in_tag {
            self.out.push_str(if self.is_compact { "/>" } else { " />" });
        } else {
            self.out.push_str("</");
            self.out.push_str(&self.names[name..]);
            self.out.push('>');
        }
        self.names.truncate(name);
        self.in_tag = false;
        self
    }

    /// An element holding only text; `<name />` if that is empty.
    pub fn leaf(&mut self, name: &str, text: &str) -> &mut XmlWriter {
        self.start(name);
        if !text.is_empty() {
            self.text(text);
        }
        self.end()
    }

    /// The document, with every open element closed.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.out
    }

    fn close_tag(&mut self) {
        if std::mem::take(&mut self.in_tag) {
            self.out.push('>');
        }
    }

    fn escape(&mut self, text: &str, also: &str) {
        // Nearly all text is plain.
        let is_plain = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'<' | b'>' | b'&' | b'"');
        if text.bytes().all(is_plain) {
            self.out.push_str(text);
            return;
        }
        for c in text.chars() {
            match c {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                c if c == '\r' || also.contains(c) => {
                    self.out.push_str(&format!("&#{};", u32::from(c)));
                }
                c if crate::grammar::is_character(c) => self.out.push(c),
                _ => self.out.push('\u{FFFD}'),
            }
        }
    }
}
