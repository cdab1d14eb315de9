use model::{CategoryKind, ErrorClass, ItemFile, Sha1};
use sqlite_engine::{Durability, Executor};
use tempfile::TempDir;
use update_metadata::sdp::{FileSource, Rejected};
use update_metadata::{Document, Extracted, Prerequisite, UpdateKind, categories};

use super::*;
use crate::{Batch, Change, FileName, Imported, Listed, Page, RevisionFilter, limits};

const SERVER: Uuid = Uuid::from_u128(0xa);

fn catalog() -> Catalog {
    Catalog::open_in_memory(SERVER).expect("opens")
}

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn update(number: u128, revision: u32) -> UpdateRef {
    UpdateRef { id: id(number), revision }
}

/// An update that belongs to these categories.
fn software(number: u128, revision: u32, belongs_to: &[UpdateId]) -> Document {
    let title = format!("update {number} of revision {revision}");
    let mut document = Document::new(update(number, revision), UpdateKind::Software, &title);
    let clause = |&id| Prerequisite { any_of: vec![id], is_category: true };
    document.relations.prerequisites = belongs_to.iter().map(clause).collect();
    document
}

async fn import(catalog: &Catalog, documents: &[Document]) -> Imported {
    let documents = documents.iter().map(Document::to_xml).collect();
    catalog.import(Batch { documents, ..Batch::default() }).await.expect("imports")
}

/// Follows items from `since` to the end, and what comes at the end.
async fn follow(catalog: &Catalog, mut since: u64) -> (Vec<Change<Extracted>>, Page<Extracted>) {
    let mut changes = Vec::new();
    loop {
        let page = catalog.changed_items(since).await.expect("reads");
        changes.extend(page.changes.clone());
        since = changes.last().map_or(since, |change| change.number);
        if page.is_last {
            return (changes, page);
        }
    }
}

#[tokio::test]
async fn the_schema_is_the_one_checked_in() {
    let dump = catalog().database.dump_schema().await.expect("dumps");
    expect_test::expect_file!["../../schema/latest.sql"].assert_eq(&dump);
}

#[tokio::test]
async fn documents_come_back_byte_for_byte_and_only_once() {
    let catalog = catalog();
    let xml = software(1, 1, &[]).to_xml().replace("><", ">\r\n <!-- kept -->\t<");
    let other = software(1, 1, &[]).to_xml();
    let batch = |documents: &[&str]| Batch {
        documents: documents.iter().map(ToString::to_string).collect(),
        ..Batch::default()
    };
    let result = catalog.import(batch(&[&xml, "<broken", &other])).await.expect("imports");
    assert_eq!(result.imported, [update(1, 1)]);
    let places: Vec<_> =
        result.rejected.iter().map(|Rejected { place, .. }| place.as_str()).collect();
    assert_eq!(places, ["document 2", &format!("update {} revision 1", id(1))]);
    let again = catalog.import(batch(&[&xml])).await.expect("imports");
    assert_eq!(again, Imported { unchanged: 1, ..Imported::default() });
    let asked = vec![update(2, 1), update(1, 1), update(1, 2)];
    let found = catalog.documents(asked.clone()).await.expect("reads");
    assert_eq!((found.len(), &found[0].xml), (1, &xml));
    assert_eq!(catalog.missing(asked).await.expect("reads"), [update(2, 1), update(1, 2)]);
    let digests = catalog.digests(vec![id(1), id(2)]).await.expect("reads");
    assert_eq!(digests, [(update(1, 1), found[0].sha256)]);
}

#[tokio::test]
async fn a_damaged_document_is_noticed() {
    let catalog = catalog();
    import(&catalog, &[software(1, 1, &[]), software(2, 1, &[])]).await;
    let sql = "UPDATE revision SET document = (SELECT document FROM revision WHERE id = 2)
               WHERE id = 1";
    catalog.database.write(move |tx| tx.execute(sql, [])).await.expect("writes");
    let error = catalog.documents(vec![update(1, 1)]).await.expect_err("is damaged");
    assert_eq!(error.class(), ErrorClass::Corrupt);
}

#[tokio::test]
async fn limits_are_named_in_refusals() {
    let documents = vec![String::new(); limits::BATCH_DOCUMENTS_MAX + 1];
    let error = catalog().import(Batch { documents, ..Batch::default() }).await;
    let error = error.expect_err("is too large");
    assert_eq!(
        error.to_string(),
        "a batch of 1001 documents is too large: split it into batches of 1000"
    );
    let error = catalog().documents(vec![update(1, 1); limits::DOCUMENTS_MAX + 1]).await;
    assert_eq!(error.expect_err("is too much").class(), ErrorClass::Exhausted);
}

#[tokio::test]
async fn identity_and_anchors_survive_and_change_only_when_told() {
    let directory = TempDir::new().expect("temporary directory");
    let path = directory.path().join("catalog.db");
    let options = Options { executor: Executor::Inline, durability: Durability::Full };
    let catalog = Catalog::open(&path, SERVER, options).expect("opens");
    let anchor = Some(("updates", "9,2026".to_owned()));
    catalog.import(Batch { anchor, ..Batch::default() }).await.expect("imports");
    catalog.close().await;
    let catalog = Catalog::open(&path, Uuid::from_u128(0xb), options).expect("opens");
    assert_eq!(catalog.state().await.expect("reads").server_id, SERVER);
    assert_eq!(catalog.upstream_anchor("updates").await.expect("reads").as_deref(), Some("9,2026"));
    catalog.rename_server(Uuid::from_u128(0xc)).await.expect("writes");
    catalog.forget_upstream_anchors().await.expect("writes");
    assert_eq!(catalog.state().await.expect("reads").server_id, Uuid::from_u128(0xc));
    assert_eq!(catalog.upstream_anchor("updates").await.expect("reads"), None);
    assert_eq!(catalog.check().await.expect("checks"), Vec::<String>::new());
}

#[tokio::test]
async fn revision_lists_follow_the_filter() {
    let catalog = catalog();
    let (editor, viewer) =
        (categories::product("Acme", "Editor"), categories::product("Acme", "Viewer"));
    let (security, tools) =
        (categories::classification("Security Updates"), categories::classification("Tools"));
    let [e, v, s, t] = [&editor, &viewer, &security, &tools].map(|category| category.update.id);
    let mut bundle = software(3, 1, &[v, s]);
    bundle.relations.bundled = vec![vec![update(4, 1)], vec![update(99, 1)]];
    let config = [editor, viewer, security, tools];
    import(&catalog, &config).await;
    import(&catalog, &[software(1, 1, &[e, s]), software(1, 2, &[e, s]), software(2, 1, &[e, t])])
        .await;
    import(&catalog, &[software(4, 1, &[]), bundle]).await;
    let list = async |filter, anchor| {
        let list = catalog.revision_list(filter, anchor).await.expect("reads");
        (list.revisions, list.anchor)
    };
    let listed =
        |ids: &[UpdateId], is_delta| Some(ids.iter().map(|&id| Listed { id, is_delta }).collect());
    let updates = |a, b| RevisionFilter::Updates { categories: a, classifications: b };
    let (found, anchor) = list(RevisionFilter::Config, None).await;
    assert_eq!((found.len(), anchor), (config.len(), 9));
    assert_eq!(list(RevisionFilter::Config, Some(2)).await.0.len(), 2);
    let everything = [update(1, 2), update(2, 1), update(4, 1), update(3, 1)];
    assert_eq!(list(updates(None, None), None).await.0, everything);
    assert_eq!(list(updates(listed(&[e], false), None), None).await.0, []);
    assert_eq!(list(updates(listed(&[e], false), Some(vec![])), None).await.0, []);
    let both = |is_delta| updates(listed(&[e, v], is_delta), listed(&[s], is_delta));
    assert_eq!(list(both(false), None).await.0, [update(1, 2), update(4, 1), update(3, 1)]);
    assert_eq!(list(both(true), Some(anchor)).await.0, []);
    // A newly chosen classification comes whole, beside the delta of the other one.
    let mut classes = listed(&[s], true).expect("is a list");
    classes.push(Listed { id: t, is_delta: false });
    let grown = updates(listed(&[e, v], true), Some(classes));
    assert_eq!(list(grown, Some(anchor)).await.0, [update(2, 1)]);
    // A changed member of an unchanged bundle is listed, and so is an old member of a new one.
    import(&catalog, &[software(4, 2, &[])]).await;
    assert_eq!(list(both(true), Some(anchor)).await.0, [update(4, 2)]);
    let mut second = software(5, 1, &[e, s]);
    second.relations.bundled = vec![vec![update(2, 1)]];
    import(&catalog, &[second]).await;
    assert_eq!(list(both(true), Some(anchor + 1)).await.0, [update(2, 1), update(5, 1)]);
}

#[tokio::test]
async fn followers_see_every_change_once_in_bounded_pages() {
    let catalog = catalog();
    let many = u128::try_from(limits::PAGE_CHANGES_MAX).expect("is small") + 20;
    let documents: Vec<_> = (1..=many).map(|number| software(number, 1, &[])).collect();
    import(&catalog, &documents).await;
    let version = catalog.complete_version(7).await.expect("completes");
    let expected = model::set_digest((1..=many).map(|number| update(number, 1)));
    assert_eq!((u128::from(version.items), version.set_digest), (many, expected));
    let first = catalog.changed_items(0).await.expect("reads");
    assert_eq!((first.changes.len(), first.is_last), (limits::PAGE_CHANGES_MAX, false));
    let (changes, last) = follow(&catalog, 0).await;
    assert_eq!((changes.len(), last.version), (documents.len(), Some(version)));
    let since = changes.last().expect("has some").number;
    import(&catalog, &[software(1, 2, &[]), software(2, 1, &[])]).await;
    assert_eq!(catalog.remove(vec![id(2), id(2), id(999)]).await.expect("removes"), 1);
    let (changes, _) = follow(&catalog, since).await;
    let seen: Vec<_> = changes.iter().map(|c| (c.update, c.content.is_some())).collect();
    assert_eq!(seen, [(update(1, 2), true), (update(2, 1), false)]);
    let documents = catalog.changed_documents(since).await.expect("reads");
    assert_eq!(documents.changes[0].content.as_ref().map(|d| d.update), Some(update(1, 2)));
    let removed = catalog.complete_version(8).await.expect("completes");
    assert_eq!(u128::from(removed.items), many - 1);
    let error = catalog.complete_version(7).await.expect_err("is older");
    assert_eq!(error.class(), ErrorClass::Conflict);
    // What was removed may come back.
    assert_eq!(import(&catalog, &[software(2, 1, &[])]).await.imported, [update(2, 1)]);
    assert!(follow(&catalog, 0).await.0.iter().all(|change| change.content.is_some()));
}

#[tokio::test]
async fn a_page_is_bounded_by_bytes_too() {
    let catalog = catalog();
    let large = |number| {
        let mut document = software(number, 1, &[]);
        document.texts[0].description = "x".repeat(3 << 20);
        document
    };
    import(&catalog, &[large(1), large(2)]).await;
    let page = catalog.changed_documents(0).await.expect("reads");
    assert_eq!((page.changes.len(), page.is_last), (1, false));
}

#[tokio::test]
async fn small_pages_tell_the_same_as_large_ones() {
    let catalog = catalog();
    let documents: Vec<_> = (1..=200).map(|number| software(number, 1, &[])).collect();
    import(&catalog, &documents).await;
    let (mut seen, mut pages, mut since) = (Vec::new(), 0, 0);
    loop {
        let page = catalog.few_documents(since).await.expect("reads");
        pages += 1;
        since = page.changes.last().map_or(since, |change| change.number);
        seen.extend(page.changes);
        if page.is_last {
            break;
        }
    }
    assert_eq!(pages, 200_usize.div_ceil(limits::FEW_CHANGES_MAX));
    assert_eq!(seen, catalog.changed_documents(0).await.expect("reads").changes);
}

#[tokio::test]
async fn a_category_that_comes_late_changes_the_items_of_its_members() {
    let catalog = catalog();
    let (company, product) = (categories::company("Acme"), categories::product("Acme", "Editor"));
    import(&catalog, &[company.clone(), software(1, 1, &[product.update.id])]).await;
    let products = async |since| {
        let (changes, last) = follow(&catalog, since).await;
        let items = changes.into_iter().filter_map(|change| match change.content {
            Some(Extracted::Item(item)) => Some((item.update, item.products, item.company)),
            _ => None,
        });
        (items.collect::<Vec<_>>(), last.changes.last().map_or(0, |change| change.number))
    };
    let (items, since) = products(0).await;
    assert_eq!(items, [(update(1, 1), vec![], None)]);
    import(&catalog, std::slice::from_ref(&product)).await;
    let belongs = (update(1, 1), vec![product.update.id], Some(company.update.id));
    assert_eq!(products(since).await.0, [belongs]);
    let kinds = follow(&catalog, 0).await.0.into_iter().filter_map(|change| match change.content {
        Some(Extracted::Category(category)) => Some(category.kind),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [CategoryKind::Company, CategoryKind::Product]);
}

#[tokio::test]
async fn files_are_found_by_digest_with_their_sources() {
    let catalog = catalog();
    let mut document = software(1, 1, &[]);
    let (sha1, sha256) = (Sha1([1; 20]), Sha256([2; 32]));
    document.files = vec![
        ItemFile { name: "a".to_owned(), size: 1, sha1, sha256: Some(sha256) },
        ItemFile { name: "b".to_owned(), size: 2, sha1: Sha1([3; 20]), sha256: None },
    ];
    let source = FileSource { sha1, url: "http://upstream/a".to_owned() };
    let batch =
        Batch { documents: vec![document.to_xml()], sources: vec![source.clone()], anchor: None };
    catalog.import(batch).await.expect("imports");
    let files = catalog.files(update(1, 1)).await.expect("reads");
    assert_eq!(files.iter().map(|f| f.file.clone()).collect::<Vec<_>>(), document.files);
    assert_eq!((&files[0].sources, files[1].sources.len()), (&vec![source.url], 0));
    for name in [FileName::Sha1(sha1), FileName::Sha256(sha256)] {
        assert_eq!(catalog.file(name).await.expect("reads").as_ref(), Some(&files[0]));
    }
    assert_eq!(catalog.file(FileName::Sha1(Sha1([9; 20]))).await.expect("reads"), None);
}

#[tokio::test]
async fn documents_come_by_bytes_so_that_large_ones_are_not_there_together() {
    let catalog = catalog();
    let large = |number| {
        let mut document = software(number, 1, &[]);
        document.texts[0].description = "x".repeat(1_000);
        document
    };
    import(&catalog, &[large(1), large(2), large(3)]).await;
    let wanted: Vec<UpdateRef> = (1..=4).map(|number| update(number, 1)).collect();
    let within = async |wanted: &[UpdateRef], bytes| {
        let (found, read) = catalog.documents_within(wanted.to_vec(), bytes).await.expect("reads");
        (found.iter().map(|stored| stored.update.id).collect::<Vec<_>>(), read)
    };
    assert_eq!(within(&wanted, 1).await, (vec![id(1)], 1), "at least one");
    assert_eq!(within(&wanted, 2_500).await, (vec![id(1), id(2)], 2));
    assert_eq!(within(&wanted[2..], 2_500).await, (vec![id(3)], 2), "the last is not here");
    assert_eq!(catalog.revisions().await.expect("counts"), 3);
}
