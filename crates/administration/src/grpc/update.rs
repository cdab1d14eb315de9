//! Software updates, as configuration items know them.

mod counted;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Category, CategoryTree, Invalid, Item, MsrcSeverity, Package, Ruling, Superseding, Timestamp,
    UpdateId, superseded,
};
use rpc::convert::{read_time, wire_time};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::Reader;

pub(super) use self::counted::Counted;
pub(super) use deployment::is_third_party;

use super::category::{categories, is_called};
use super::noun::UPDATE;
use super::standing::{Mark, Shelf, packages};
use super::{Answer, Answers, LANGUAGE, given, pages};
use crate::Error;
use crate::admin::View;

/// What the whole catalog says of one update.
pub(super) struct Catalog {
    pub(super) items: BTreeMap<UpdateId, Item>,
    /// What packages have of their files.
    shelf: Shelf,
    categories: CategoryTree,
    /// What is ruled of them.
    rulings: BTreeMap<UpdateId, Ruling>,
    /// Those that another update supersedes, by whatever way.
    pub(super) superseded: BTreeMap<UpdateId, Timestamp>,
    /// Updates and those that supersede them directly, or bundle them.
    superseded_by: BTreeMap<UpdateId, Vec<UpdateId>>,
    part_of: BTreeMap<UpdateId, Vec<UpdateId>>,
}

impl Catalog {
    pub(super) fn read(r: &Reader<'_>) -> Result<Catalog, Error> {
        let (mut items, mut relations) = (BTreeMap::new(), Vec::new());
        let (mut superseded_by, mut part_of) = (BTreeMap::new(), BTreeMap::new());
        r.visit(Item::KIND, |_, body| {
            let item = Item::decode(&body)?;
            let id = item.update.id;
            let note =
                |map: &mut BTreeMap<_, Vec<_>>, other| map.entry(other).or_default().push(id);
            item.supersedes.iter().for_each(|other| note(&mut superseded_by, *other));
            item.bundles.iter().for_each(|other| note(&mut part_of, other.id));
            let (created_at, supersedes) = (item.created_at, item.supersedes.clone());
            relations.push(Superseding { id, created_at, supersedes });
            items.insert(id, item);
            Ok(())
        })?;
        let superseded = superseded(&relations);
        let rulings = r.list::<Ruling>()?.into_iter();
        let rulings = rulings.map(|(_, ruling)| (ruling.update, ruling)).collect();
        let categories = categories(r)?;
        let shelf = Shelf::of(&packages(r)?);
        Ok(Catalog { items, shelf, categories, rulings, superseded, superseded_by, part_of })
    }

    pub(super) fn is_declined(&self, id: UpdateId) -> bool {
        self.rulings.get(&id).is_some_and(Ruling::is_declined)
    }

    fn title(&self, id: UpdateId) -> String {
        self.items.get(&id).map_or_else(String::new, |item| item.title(LANGUAGE))
    }

    /// Of the update itself, else of a bundle that contains it.
    fn classification(&self, item: &Item) -> Option<&Category> {
        let bundles = self.part_of.get(&item.update.id).into_iter().flatten();
        let bundles = bundles.filter_map(|bundle| self.items.get(bundle)?.classification);
        let mut ids = item.classification.into_iter().chain(bundles);
        ids.find_map(|id| self.categories.get(id))
    }

    fn row(&self, item: &Item) -> pb::Update {
        let id = item.update.id;
        let classification = match self.classification(item) {
            Some(category) => category.title().to_owned(),
            None if self.part_of.contains_key(&id) => "none (part of a bundle)".to_owned(),
            None => "none".to_owned(),
        };
        pb::Update {
            id: id.to_string(),
            revision: item.update.revision,
            title: item.title(LANGUAGE),
            kb: item.kb_articles.join(", "),
            severity: item.severity.map_or("", MsrcSeverity::as_str).to_owned(),
            classification,
            superseded: self.superseded.contains_key(&id),
            expired: item.expired,
            since: item.since,
            created_at: Some(wire_time(item.created_at)),
            size_bytes: item.files.iter().map(|file| file.size).sum(),
            declined: self.is_declined(id),
            declined_by: self.declined_by(id),
            expired_at: item.expired_at.map(wire_time),
            third_party: is_third_party(item),
            metadata_only: is_third_party(item) && !self.has_files(item),
            released_at: Some(wire_time(item.created_at)),
            mark: self.mark(item).as_str().to_owned(),
            ..pb::Update::default()
        }
    }

    fn mark(&self, item: &Item) -> Mark {
        let id = item.update.id;
        Mark::first(&[
            (item.expired, Mark::Expired),
            (self.is_declined(id), Mark::Declined),
            (is_third_party(item) && !self.has_files(item), Mark::MetadataOnly),
            (!self.shelf.has_all(id, &self.items), Mark::Missing),
            (self.superseded.contains_key(&id), Mark::Superseded),
        ])
    }

    fn has_files(&self, item: &Item) -> bool {
        let member = |id| self.items.get(id).is_some_and(|member| !member.files.is_empty());
        !item.files.is_empty() || item.bundles.iter().any(|bundled| member(&bundled.id))
    }

    /// The account, or the rule.
    fn declined_by(&self, id: UpdateId) -> String {
        match self.rulings.get(&id).filter(|ruling| ruling.is_declined()) {
            Some(ruling) if ruling.by.is_empty() => ruling.verdict.as_str().to_owned(),
            Some(ruling) => ruling.by.clone(),
            None => String::new(),
        }
    }

    fn matches(&self, item: &Item, filter: &pb::ListUpdatesRequest) -> bool {
        let pb::ListUpdatesRequest { title, kb, classification, product, severity, .. } = filter;
        let has = |texts: &[String], text: &str| texts.iter().any(|t| t.eq_ignore_ascii_case(text));
        let kb = kb.strip_prefix("KB").or_else(|| kb.strip_prefix("kb")).unwrap_or(kb);
        let called = |id: &UpdateId, name: &str| {
            self.categories.get(*id).is_some_and(|category| is_called(category, name))
        };
        let is_superseded = self.superseded.contains_key(&item.update.id);
        !item.hidden
            && item.title(LANGUAGE).to_lowercase().contains(&title.to_lowercase())
            && (kb.is_empty() || has(&item.kb_articles, kb))
            && (classification.is_empty()
                || self.classification(item).is_some_and(|c| is_called(c, classification)))
            && (product.is_empty() || item.products.iter().any(|id| called(id, product)))
            && (severity.is_empty() || item.severity == MsrcSeverity::from_name(severity))
            && filter.superseded.is_none_or(|wanted| wanted == is_superseded)
            && filter.expired.is_none_or(|wanted| wanted == item.expired)
            && filter.declined.is_none_or(|wanted| wanted == self.is_declined(item.update.id))
    }
}

pub(super) fn list(
    v: &View<'_>,
    filter: pb::ListUpdatesRequest,
) -> Answer<Answers<pb::ListUpdatesResponse>> {
    if !filter.severity.is_empty() && MsrcSeverity::from_name(&filter.severity).is_none() {
        let reason = format!("there is no severity \"{}\"", filter.severity);
        return Err(Invalid::new("severity", reason).into());
    }
    let (catalog, counted) = (Catalog::read(v)?, Counted::read(v)?);
    let meant = given(filter.r#where.clone());
    let meant = meant.map(|text| counted.select(v, &catalog, &text)).transpose()?;
    let after = filter.released_after.map(read_time).transpose()?;
    let is_chosen = |item: &&Item| {
        let id = item.update.id;
        let required = || counted.counts(item).map_or(0, |(required, _)| required);
        catalog.matches(item, &filter)
            && meant.as_ref().is_none_or(|meant| meant.contains(&id))
            && after.is_none_or(|after| item.created_at > after)
            && filter.deployed.is_none_or(|wanted| wanted == counted.is_deployed(id))
            && (filter.required_min == 0 || required() >= filter.required_min)
    };
    let chosen = catalog.items.values().filter(is_chosen);
    let rows = chosen.map(|item| counted.row(&catalog, item)).collect();
    Ok(pages(rows, |rows| pb::ListUpdatesResponse { rows }))
}

pub(super) fn show(v: &View<'_>, asked: pb::GetUpdateRequest) -> Answer<pb::GetUpdateResponse> {
    let (id, catalog): (UpdateId, _) = (asked.id.parse()?, Catalog::read(v)?);
    let item = catalog.items.get(&id).ok_or_else(|| UPDATE.unknown(id))?;
    let text = item.texts.iter().find(|t| t.language == LANGUAGE).or(item.texts.first());
    let category =
        |id: &UpdateId| catalog.categories.get(*id).map_or("", Category::title).to_owned();
    Ok(pb::GetUpdateResponse {
        row: Some(Counted::read(v)?.row(&catalog, item)),
        description: text.map_or_else(String::new, |text| text.description.clone()),
        products: item.products.iter().map(category).collect(),
        company: item.company.as_ref().map_or_else(String::new, category),
        bulletins: item.bulletins.clone(),
        cves: item.cves.clone(),
        document: item.document.to_string(),
        files: files(v, item)?,
        related: related(&catalog, item),
    })
}

fn files(r: &Reader<'_>, item: &Item) -> Result<Vec<pb::UpdateFile>, Error> {
    let packages: Vec<(_, Package)> = r.list()?;
    let row = |file: &model::ItemFile| {
        let holds = |package: &Package| package.files.iter().any(|held| held.sha1 == file.sha1);
        let holders = packages.iter().filter(|(_, package)| holds(package));
        pb::UpdateFile {
            name: file.name.clone(),
            size_bytes: file.size,
            sha1: file.sha1.to_string(),
            sha256: file.sha256.map_or_else(String::new, |sha256| sha256.to_string()),
            packages: holders.map(|(_, package)| package.code.to_string()).collect(),
        }
    };
    Ok(item.files.iter().map(row).collect())
}

fn related(catalog: &Catalog, item: &Item) -> Vec<pb::RelatedUpdate> {
    let id = item.update.id;
    let listed =
        |map: &BTreeMap<UpdateId, Vec<UpdateId>>| map.get(&id).cloned().unwrap_or_default();
    let bundles: BTreeSet<UpdateId> = item.bundles.iter().map(|bundled| bundled.id).collect();
    let relations = [
        ("supersedes", item.supersedes.clone()),
        ("superseded by", listed(&catalog.superseded_by)),
        ("bundles", bundles.into_iter().collect()),
        ("part of", listed(&catalog.part_of)),
    ];
    let rows = relations.into_iter().flat_map(|(relation, ids)| {
        let row = move |id: UpdateId| pb::RelatedUpdate {
            relation: relation.to_owned(),
            id: id.to_string(),
            title: catalog.title(id),
        };
        ids.into_iter().map(row)
    });
    rows.collect()
}
