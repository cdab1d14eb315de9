//! What an item means in the words of queries.

use std::collections::{BTreeMap, BTreeSet};

use compliance::LiveItem;
use model::{Category, CategoryKind, CategoryTree, Item, MsrcSeverity, Timestamp, UpdateId};

use super::vocabulary::{FLAGS, LISTS};

/// The company whose updates are not a third party's, by the id everybody knows.
const MICROSOFT: &str = "56309036-4c77-4dd9-951a-99ee9c246a94";

/// In which titles are asked for.
const LANGUAGE: &str = "en";

/// What stands for no severity, so that it can be asked for.
const NO_SEVERITY: &str = "none";

/// Where an architecture shows in titles and names of products, in lower case.
const ARCHITECTURES: [(&str, &[&str]); 4] = [
    ("arm64", &["arm64"]),
    ("x64", &["x64", "64-bit", "amd64"]),
    ("x86", &["x86", "32-bit"]),
    ("itanium", &["itanium", "ia64"]),
];

/// One update as a query sees it.
#[derive(Clone, Debug)]
pub struct UpdateRow {
    pub id: UpdateId,
    pub live: LiveItem,
    pub title: String,
    pub description: String,
    pub released: Timestamp,
    pub size_kb: u64,
    /// In the order of the vocabulary.
    pub lists: [Vec<String>; LISTS.len()],
    pub flags: [bool; FLAGS.len()],
}

/// What rows are made of.
#[derive(Clone, Copy, Debug)]
pub struct UpdateSource<'a> {
    pub items: &'a BTreeMap<UpdateId, Item>,
    pub categories: &'a CategoryTree,
    pub superseded: &'a BTreeMap<UpdateId, Timestamp>,
    pub declined: &'a BTreeSet<UpdateId>,
    /// What administrators say beside the publisher.
    pub severities: &'a BTreeMap<UpdateId, MsrcSeverity>,
}

/// The rows of all updates that can be deployed by themselves.
pub fn update_rows<'a>(source: UpdateSource<'a>) -> impl Iterator<Item = UpdateRow> + 'a {
    let mut bundles: BTreeMap<UpdateId, Vec<&'a Item>> = BTreeMap::new();
    for bundle in source.items.values() {
        bundle.bundles.iter().for_each(|part| bundles.entry(part.id).or_default().push(bundle));
    }
    source.items.values().filter_map(move |item| {
        let above = bundles.get(&item.update.id).map_or(&[][..], Vec::as_slice);
        source.row(item, above)
    })
}

/// Of somebody else than the vendor of Windows, whose own catalog names it.
#[must_use]
pub fn is_third_party(item: &Item) -> bool {
    item.company.is_some_and(|company| company.to_string() != MICROSOFT)
}

impl UpdateSource<'_> {
    fn row(&self, item: &Item, bundles: &[&Item]) -> Option<UpdateRow> {
        let (id, live) = (item.update.id, LiveItem::of(item)?);
        let title = item.title(LANGUAGE);
        let text = item.texts.iter().find(|t| t.language == LANGUAGE).or(item.texts.first());
        let bytes: u64 = item.files.iter().map(|file| file.size).sum();
        let is_third_party = is_third_party(item);
        let flags = [
            self.superseded.contains_key(&id),
            item.expired,
            self.declined.contains(&id),
            is_third_party,
            is_third_party && !self.has_files(item),
            item.has_license,
        ];
        Some(UpdateRow {
            id,
            live,
            description: text.map_or_else(String::new, |text| text.description.clone()),
            released: item.created_at,
            size_kb: bytes.div_ceil(1024),
            lists: self.lists(item, &title, bundles),
            flags,
            title,
        })
    }

    fn lists(&self, item: &Item, title: &str, bundles: &[&Item]) -> [Vec<String>; LISTS.len()] {
        let titled = |category: &Category| category.title().to_owned();
        let ways = item.products.iter().flat_map(|id| self.categories.way_up(*id));
        let ways: Vec<&Category> = ways.collect();
        let of_kind = |kind| -> BTreeSet<String> {
            let named = ways.iter().filter(|category| category.kind == kind);
            named.map(|category| titled(category)).collect()
        };
        let products = of_kind(CategoryKind::Product);
        let company = item.company.and_then(|id| self.categories.get(id)).map(titled);
        let vendors: BTreeSet<String> =
            of_kind(CategoryKind::Company).into_iter().chain(company).collect();
        let own = item.classification.into_iter();
        let mut classifications =
            own.chain(bundles.iter().filter_map(|bundle| bundle.classification));
        let classification = classifications.find_map(|id| self.categories.get(id)).map(titled);
        let severity = |severity: Option<MsrcSeverity>| {
            vec![severity.map_or(NO_SEVERITY, MsrcSeverity::as_str).to_owned()]
        };
        [
            item.kb_articles.iter().flat_map(|kb| [kb.clone(), format!("KB{kb}")]).collect(),
            item.bulletins.clone(),
            item.cves.clone(),
            severity(item.severity),
            severity(self.severities.get(&item.update.id).copied()),
            classification.into_iter().collect(),
            products.iter().cloned().collect(),
            of_kind(CategoryKind::ProductFamily).into_iter().collect(),
            vendors.into_iter().collect(),
            architectures(std::iter::once(title).chain(products.iter().map(String::as_str))),
            item.languages.clone(),
        ]
    }

    fn has_files(&self, item: &Item) -> bool {
        let member = |id| self.items.get(id).is_some_and(|member| !member.files.is_empty());
        !item.files.is_empty() || item.bundles.iter().any(|bundled| member(&bundled.id))
    }
}

/// What a title or a product says of the machines it is for; items name no architecture.
fn architectures<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let texts: Vec<String> = texts.map(str::to_lowercase).collect();
    let is_named =
        |signs: &[&str]| texts.iter().any(|text| signs.iter().any(|sign| text.contains(sign)));
    let named = ARCHITECTURES.iter().filter(|(_, signs)| is_named(signs));
    named.map(|(name, _)| (*name).to_owned()).collect()
}
