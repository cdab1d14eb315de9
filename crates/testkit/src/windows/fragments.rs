//! Fragments read as the documents they were made from, as far as they go.
//!
//! A fragment that lost something on its way evaluates to something else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use update_metadata::Document;
use wsus_protocol::fragments::join;

/// Why a text is none of an update.
pub(super) type Illegible = Box<dyn std::error::Error + Send + Sync>;

/// Texts that were read before; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    read: Arc<Mutex<BTreeMap<String, Arc<Document>>>>,
}

impl Documents {
    pub(super) fn read(&self, core: &str) -> Result<Arc<Document>, Illegible> {
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
pub(super) fn document(core: &str, extended: &str) -> Result<Document, Illegible> {
    let xml = join(core, extended, &[])?;
    Ok(Document::parse(xml.as_bytes())?)
}
