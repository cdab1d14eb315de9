//! The update documents that are imported: the sample catalog, many times over, each time with
//! other ids, relations and words.
//!
//! Owns how they differ and how large they are; words come from a small vocabulary, so that they
//! compress about as well as real ones. Refuses to know what is done with them. Drawn from one
//! seed.

use std::path::Path;

use ambient::Ambient;
use model::{LocalizedText, Sha1, Sha256, UpdateId, UpdateRef};
use sha2::Digest as _;
use update_metadata::{Document, Prerequisite};

const SEED: u64 = 7_000;
const LANGUAGES: [&str; 10] = ["en", "de", "fr", "es", "it", "ja", "ko", "nl", "pl", "sv"];
/// Titles and descriptions have so many; together they make documents of about 7 KB.
const TITLE_WORDS: usize = 9;
const DESCRIPTION_WORDS: usize = 32;

/// Documents in the order they are imported: categories first.
#[derive(Debug)]
pub(crate) struct Corpus {
    pub(crate) documents: Vec<(UpdateRef, String)>,
    pub(crate) bytes: usize,
    /// Of all bytes in their order.
    pub(crate) digest: Sha256,
    /// How many of them are updates, and the digest of their set.
    pub(crate) updates: (u64, Sha256),
}

impl Corpus {
    pub(crate) fn generate(updates: usize) -> Corpus {
        let sample = testkit::sample::sample(Path::new("/nowhere")).documents;
        let (patterns, categories): (Vec<_>, Vec<_>) =
            sample.into_iter().partition(Document::is_item);
        let mut author = Author::new();
        let patterns = patterns.iter().cycle().take(updates);
        let written: Vec<_> = patterns.map(|pattern| author.vary(pattern.clone())).collect();
        let mut set: Vec<UpdateRef> = written.iter().map(|document| document.update).collect();
        set.sort_by_key(|update| update.id);
        let all = categories.into_iter().chain(written);
        let documents: Vec<_> = all.map(|document| (document.update, document.to_xml())).collect();
        let mut hasher = sha2::Sha256::new();
        documents.iter().for_each(|(_, xml)| hasher.update(xml));
        Corpus {
            bytes: documents.iter().map(|(_, xml)| xml.len()).sum(),
            digest: Sha256(hasher.finalize().into()),
            documents,
            updates: (set.len() as u64, model::set_digest(set)),
        }
    }
}

struct Author {
    chance: Ambient,
    vocabulary: Vec<String>,
    written: Vec<UpdateId>,
}

impl Author {
    fn new() -> Author {
        let chance = Ambient::seeded(SEED, 0);
        let letter = |_| char::from(b'a' + (chance.random_u64() % 26) as u8);
        let vocabulary = (0..600).map(|number| (0..2 + number % 9).map(letter).collect()).collect();
        Author { chance, vocabulary, written: Vec::new() }
    }

    fn draw(&self, below: usize) -> usize {
        (self.chance.random_u64() % below as u64) as usize
    }

    fn words(&self, count: usize) -> String {
        let word = |_| self.vocabulary[self.draw(self.vocabulary.len())].as_str();
        (0..count).map(word).collect::<Vec<_>>().join(" ")
    }

    fn vary(&mut self, mut document: Document) -> Document {
        document.update.id = UpdateId(self.chance.random_id());
        let text = |language: &&str| LocalizedText {
            language: (*language).to_owned(),
            title: self.words(TITLE_WORDS),
            description: self.words(DESCRIPTION_WORDS),
        };
        document.texts = LANGUAGES.iter().map(text).collect();
        for file in &mut document.files {
            file.sha1 = Sha1(self.chance.bytes());
            file.sha256 = Some(Sha256(self.chance.bytes()));
        }
        if !self.written.is_empty() {
            let earlier = |_| self.written[self.draw(self.written.len())];
            let any_of = (0..3).map(earlier).collect();
            document.relations.prerequisites.push(Prerequisite { any_of, is_category: false });
            document.relations.superseded = (0..self.draw(4)).map(earlier).collect();
        }
        self.written.push(document.update.id);
        document
    }
}
