//! Fragments read as the documents they were made from, as far as they go.
//!
//! A server drops namespaces and leaves a letter of three of them (MS-WUSP 3.1.1.1). Here they are
//! put back, by letter and by name, so that the rules mean again what they meant: a fragment that
//! lost something on its way evaluates to something else. What brings a namespace of its own keeps
//! it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use update_metadata::{Document, Error};

const FAMILY: &str = "http://schemas.microsoft.com/msus/2002/12/";
/// Prefixes as they are declared here, the rest of their namespaces, and what tells their elements:
/// the letter that the server left.
const LETTERS: [(&str, &str, &str); 3] = [
    ("bar", "BaseApplicabilityRules", "b."),
    ("mar", "MsiApplicabilityRules", "m."),
    ("drv", "UpdateHandlers/WindowsDriver", "d."),
];
/// The same where only names tell.
const LOGIC: [&str; 5] = ["And", "Or", "Not", "True", "False"];
const SERVICING: [&str; 4] = [
    "CbsPackageInstallable",
    "CbsPackageInstalled",
    "CbsPackageInstalledByIdentity",
    "CbsPackageApplicabilityMetadata",
];

/// Texts that were read before; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    read: Arc<Mutex<BTreeMap<String, Arc<Document>>>>,
}

impl Documents {
    pub(super) fn read(&self, core: &str) -> Result<Arc<Document>, Error> {
        let found = |this: &Documents| {
            let read = this.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.get(core).cloned()
        };
        if let Some(known) = found(self) {
            return Ok(known);
        }
        let document = Arc::new(document(core, "")?);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(core.to_owned(), document.clone());
        Ok(document)
    }
}

/// What a Core and an Extended fragment say together.
pub(super) fn document(core: &str, extended: &str) -> Result<Document, Error> {
    let mut xml = format!("<upd:Update xmlns:upd=\"{FAMILY}Update\"");
    let others = [("lar", "LogicalApplicabilityRules"), ("cbs", "CbsApplicabilityRules")];
    let lettered = LETTERS.iter().map(|(prefix, rest, _)| (*prefix, *rest));
    for (prefix, rest) in others.into_iter().chain(lettered) {
        xml.push_str(&format!(" xmlns:{prefix}=\"{FAMILY}{rest}\""));
    }
    xml.push('>');
    restore(core, &mut xml);
    restore(extended, &mut xml);
    xml.push_str("</upd:Update>");
    Document::parse(xml.as_bytes())
}

/// Names every element in full. In a fragment `<` only ever begins a tag, and values stand between
/// double quotes: that is how fragments are written.
fn restore(fragment: &str, out: &mut String) {
    // How many elements are open from one on that brings its own namespace.
    let mut foreign = 0_usize;
    let mut pieces = fragment.split('<');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let tag = tag(piece);
        let (is_end, is_closed) = (tag.starts_with('/'), tag.ends_with('/'));
        let is_foreign = foreign > 0 || tag.contains(" xmlns=\"");
        match (is_foreign, is_end) {
            (true, true) => foreign -= 1,
            (true, false) if !is_closed => foreign += 1,
            _ => {}
        }
        out.push('<');
        match (is_foreign, piece.strip_prefix('/')) {
            (true, _) => out.push_str(piece),
            (false, Some(name)) => out.push_str(&format!("/{}", full_name(name))),
            (false, None) => out.push_str(&full_name(piece)),
        }
    }
}

/// What stands before the end of a tag, which is the first `>` outside of values.
fn tag(piece: &str) -> &str {
    let mut is_value = false;
    let end = piece.find(|c| {
        is_value ^= c == '"';
        c == '>' && !is_value
    });
    end.map_or(piece, |end| &piece[..end])
}

fn full_name(piece: &str) -> String {
    for (prefix, _, letter) in LETTERS {
        if let Some(rest) = piece.strip_prefix(letter) {
            return format!("{prefix}:{rest}");
        }
    }
    let end = |c: char| c == '>' || c == '/' || c.is_ascii_whitespace();
    let name = piece.split(end).next().unwrap_or_default();
    let prefix = match name {
        _ if LOGIC.contains(&name) => "lar",
        _ if SERVICING.contains(&name) => "cbs",
        _ => "upd",
    };
    format!("{prefix}:{piece}")
}
