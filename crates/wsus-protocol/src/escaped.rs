//! Text in the form it has inside XML.

use std::sync::Arc;

use xml_guard::XmlWriter;

/// Text that was escaped once and is copied as it is into every message, since a scan carries
/// thousands of fragments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Escaped(Arc<str>);

impl Escaped {
    #[must_use]
    pub fn new(text: &str) -> Escaped {
        let mut writer = XmlWriter::default();
        writer.text(text);
        Escaped(writer.finish().into())
    }

    /// What [`as_str`](Escaped::as_str) gave, kept in a store of one's own.
    #[must_use]
    pub fn from_stored(escaped: impl Into<Arc<str>>) -> Escaped {
        Escaped(escaped.into())
    }

    /// The escaped form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it stands for.
    #[must_use]
    pub fn to_text(&self) -> String {
        let unescaped = self.0.replace("&lt;", "<").replace("&gt;", ">").replace("&#13;", "\r");
        unescaped.replace("&amp;", "&")
    }
}
