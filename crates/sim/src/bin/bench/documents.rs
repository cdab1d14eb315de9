//! The update documents that are imported, drawn from one seed.
//!
//! Owns their shape: texts in ten languages, rules, relations, files and an installer, as update
//! services send them, with words from a small vocabulary so that they compress about as well.
//! Refuses to know what is done with them. The same count always gives the same bytes.

use ambient::Ambient;
use anyhow::Result;
use model::{ItemFile, LocalizedText, MsrcSeverity, Sha1, Sha256, Timestamp, UpdateId, UpdateRef};
use sha2::Digest as _;
use update_metadata::{
    CommandLine, Document, Installer, Outcome, Prerequisite, Rule, UpdateKind, categories,
};
use xml_guard::{Element, Limits};

const SEED: u64 = 7_000;
const COMPANY: &str = "Benchmark";
const PRODUCTS: usize = 24;
const CLASSIFICATIONS: [&str; 4] =
    ["Critical Updates", "Definition Updates", "Security Updates", "Updates"];
const LANGUAGES: [&str; 10] = ["en", "de", "fr", "es", "it", "ja", "ko", "nl", "pl", "pt-br"];
const RULES: &str = "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Documents in the order they are imported: categories first.
#[derive(Debug)]
pub(crate) struct Corpus {
    pub(crate) documents: Vec<(UpdateRef, String)>,
    pub(crate) bytes: usize,
    /// Of all bytes in their order.
    pub(crate) digest: Sha256,
    /// Of the updates among them.
    pub(crate) updates: u64,
    pub(crate) set_digest: Sha256,
}

impl Corpus {
    pub(crate) fn generate(updates: usize) -> Result<Corpus> {
        let mut author = Author::new();
        let mut written: Vec<Document> = author.categories();
        for number in 0..updates {
            written.push(author.update(number)?);
        }
        let mut set: Vec<UpdateRef> =
            written.iter().filter(|d| d.is_item()).map(|d| d.update).collect();
        set.sort_by_key(|update| update.id);
        let xml = |document: Document| (document.update, document.to_xml());
        let documents: Vec<_> = written.into_iter().map(xml).collect();
        let mut hasher = sha2::Sha256::new();
        documents.iter().for_each(|(_, xml)| hasher.update(xml));
        Ok(Corpus {
            bytes: documents.iter().map(|(_, xml)| xml.len()).sum(),
            digest: Sha256(hasher.finalize().into()),
            documents,
            updates: set.len() as u64,
            set_digest: model::set_digest(set),
        })
    }
}

struct Author {
    chance: Ambient,
    vocabulary: Vec<String>,
    written: Vec<UpdateId>,
    products: Vec<UpdateId>,
    classifications: Vec<UpdateId>,
}

impl Author {
    fn new() -> Author {
        let chance = Ambient::seeded(SEED, 0);
        let letter = || char::from(b'a' + (chance.random_u64() % 26) as u8);
        let word = |length: usize| (0..length).map(|_| letter()).collect();
        let vocabulary = (0..600).map(|number| word(2 + number % 9)).collect();
        let (written, products, classifications) = Default::default();
        Author { chance, vocabulary, written, products, classifications }
    }

    fn categories(&mut self) -> Vec<Document> {
        let products = (0..PRODUCTS).map(|n| categories::product(COMPANY, &format!("Product {n}")));
        let products: Vec<Document> = products.collect();
        let classifications = CLASSIFICATIONS.map(categories::classification);
        self.products = products.iter().map(|product| product.update.id).collect();
        self.classifications = classifications.iter().map(|c| c.update.id).collect();
        [categories::company(COMPANY)].into_iter().chain(products).chain(classifications).collect()
    }

    fn draw(&self, below: usize) -> usize {
        (self.chance.random_u64() % below as u64) as usize
    }

    fn one_of<T: Copy>(&self, values: &[T]) -> T {
        values[self.draw(values.len())]
    }

    fn words(&self, count: usize) -> String {
        let words: Vec<&str> = (0..count)
            .map(|_| self.vocabulary[self.draw(self.vocabulary.len())].as_str())
            .collect();
        words.join(" ")
    }

    fn update(&mut self, number: usize) -> Result<Document> {
        let id = UpdateId(self.chance.random_id());
        let update = UpdateRef { id, revision: 100 + self.draw(150) as u32 };
        let mut document = Document::new(update, UpdateKind::Software, "");
        document.texts = LANGUAGES.iter().map(|language| self.text(language, number)).collect();
        let severities = [MsrcSeverity::Critical, MsrcSeverity::Important, MsrcSeverity::Moderate];
        let properties = &mut document.properties;
        properties.is_explicitly_deployable = true;
        properties.created_at = Timestamp(number as i64 * DAY_MS / 8);
        properties.severity = Some(self.one_of(&severities));
        properties.kb_articles = vec![(5_000_000 + number).to_string()];
        properties.cves = (0..self.draw(4)).map(|n| format!("CVE-2026-{}", number + n)).collect();
        properties.more_info_url = Some(format!("https://updates.example/kb/{number}"));
        properties.support_url = Some("https://support.example/".to_owned());
        let clause = |any_of, is_category| Prerequisite { any_of, is_category };
        let mut prerequisites = vec![
            clause(vec![self.one_of(&self.classifications)], true),
            clause(vec![self.one_of(&self.products)], true),
        ];
        if !self.written.is_empty() {
            prerequisites.push(clause((0..3).map(|_| self.one_of(&self.written)).collect(), false));
            let replaced = (0..self.draw(4)).map(|_| self.one_of(&self.written));
            document.relations.superseded = replaced.collect();
        }
        document.relations.prerequisites = prerequisites;
        document.rules.is_installed = Rule::all(self.tests(4, "GreaterThanOrEqualTo")?);
        document.rules.is_installable = Rule::all(self.tests(4, "LessThan")?);
        document.files = (0..1 + self.draw(3)).map(|n| self.file(number, n)).collect();
        document.installer = Some(Installer::CommandLine(CommandLine {
            program: document.files[0].name.clone(),
            arguments: format!("/quiet /norestart /log {}", self.words(2)),
            return_codes: [(0, Outcome::SUCCEEDED), (1603, Outcome::FAILED)].into(),
            default_outcome: Outcome::FAILED,
        }));
        self.written.push(id);
        Ok(document)
    }

    fn text(&self, language: &str, number: usize) -> LocalizedText {
        let title = format!("{number} {}", self.words(9));
        LocalizedText { language: language.to_owned(), title, description: self.words(28) }
    }

    fn tests(&self, count: usize, comparison: &str) -> Result<Vec<Rule>> {
        let test = |_| {
            let (path, key) = (self.words(2).replace(' ', "\\"), self.words(3).replace(' ', "\\"));
            let (build, data) = (self.draw(20_000), self.draw(100));
            let test = match self.draw(2) {
                0 => format!(
                    r#"<FileVersion xmlns="{RULES}" Path="\{path}.dll" Csidl="37"
                        Comparison="{comparison}" Version="10.0.{build}.{data}"/>"#
                ),
                _ => format!(
                    r#"<RegDword xmlns="{RULES}" Key="HKEY_LOCAL_MACHINE" Subkey="{key}"
                        Value="Release" Comparison="{comparison}" Data="{build}"/>"#
                ),
            };
            Ok(Rule::Test(Element::parse(test.as_bytes(), Limits::default())?))
        };
        (0..count).map(test).collect()
    }

    fn file(&self, number: usize, position: usize) -> ItemFile {
        ItemFile {
            name: format!("update-kb{number}-{position}_{}.cab", self.words(1)),
            size: 10_000 + self.draw(50_000_000) as u64,
            sha1: Sha1(self.chance.bytes()),
            sha256: Some(Sha256(self.chance.bytes())),
        }
    }
}
