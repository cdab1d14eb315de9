//! A catalog as large as one likes: the sample's categories, and its Windows updates again and
//! again, each time as another update with other files.

use std::path::Path;

use model::{Sha1, UpdateRef};
use update_metadata::Document;

use super::{id, sample, sha256};

/// The sample's categories, then `updates` updates that a Windows computer is told of.
pub fn large(updates: usize) -> impl Iterator<Item = Document> {
    let sample = sample(Path::new("/nowhere")).documents;
    let (items, categories): (Vec<_>, Vec<_>) = sample.into_iter().partition(Document::is_item);
    let is_plain = |document: &Document| {
        let properties = &document.properties;
        let is_offered = properties.is_explicitly_deployable && !properties.is_expired;
        is_offered && !document.uses_linux_rules() && document.relations.bundled.is_empty()
    };
    let patterns: Vec<_> = items.into_iter().filter(is_plain).collect();
    let varied = (0..updates).map(move |number| vary(&patterns[number % patterns.len()], number));
    categories.into_iter().chain(varied)
}

fn vary(pattern: &Document, number: usize) -> Document {
    let name = format!("large {number}");
    let mut document = pattern.clone();
    document.update = UpdateRef { id: id(&name), revision: 200 };
    document.relations.superseded.clear();
    document.texts.iter_mut().for_each(|text| text.title = format!("{} ({name})", text.title));
    for file in &mut document.files {
        let digest = sha256(format!("{name} {}", file.name).as_bytes());
        file.sha256 = Some(digest);
        file.sha1 = Sha1::from_slice(&digest.0[..20]).expect("twenty bytes");
    }
    document
}
