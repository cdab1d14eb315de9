use model::{UpdateId, UpdateRef};
use proptest::collection;
use proptest::prelude::*;
use sqlite_engine::{Durability, Executor, Options};
use update_metadata::{Comparison, Document, Prerequisite, UpdateKind, categories, linux};
use uuid::Uuid;

use super::*;
use crate::{Batch, Catalog, Derive, Fragment, Part, Scope, StoredDocument};

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn document(number: u128, kind: UpdateKind, needs: &[UpdateId]) -> Document {
    let update = UpdateRef { id: id(number), revision: 1 };
    let mut document = Document::new(update, kind, &format!("update {number}"));
    document.properties.is_explicitly_deployable = kind == UpdateKind::Software;
    let clause = |&id| Prerequisite { any_of: vec![id], is_category: false };
    document.relations.prerequisites = needs.iter().map(clause).collect();
    document
}

fn detectoid(number: u128, needs: &[UpdateId]) -> Document {
    document(number, UpdateKind::Detectoid, needs)
}

fn software(number: u128, needs: &[UpdateId]) -> Document {
    document(number, UpdateKind::Software, needs)
}

fn bundle(number: u128, members: &[u128]) -> Document {
    let mut bundle = software(number, &[]);
    let place = |&number| vec![UpdateRef { id: id(number), revision: 1 }];
    bundle.relations.bundled = members.iter().map(place).collect();
    bundle
}

async fn import(catalog: &Catalog, documents: &[Document], version: u64) {
    let documents = documents.iter().map(Document::to_xml).collect();
    let imported = catalog.import(Batch { documents, ..Batch::default() }).await.expect("imports");
    assert_eq!(imported.rejected, []);
    catalog.complete_version(version).await.expect("completes");
}

async fn catalog(documents: &[Document]) -> Catalog {
    let catalog = Catalog::open_in_memory(Uuid::from_u128(0xa)).expect("opens");
    import(&catalog, documents, 1).await;
    catalog
}

/// The numbers of the updates, with how each is offered.
fn told(entries: &[ScanEntry]) -> Vec<(u128, Offer)> {
    entries.iter().map(|entry| (entry.update.id.0.as_u128(), entry.offer)).collect()
}

fn numbers(entries: &[ScanEntry]) -> Vec<u128> {
    told(entries).into_iter().map(|(number, _)| number).collect()
}

fn local_id(graph: &ScanGraph, number: u128, revision: u32) -> i64 {
    graph.find(UpdateRef { id: id(number), revision }).expect("is in scope").local_id
}

#[tokio::test]
async fn a_scan_goes_down_stage_by_stage() {
    let documents = [
        software(4, &[id(2), id(3)]),
        detectoid(1, &[]),
        detectoid(2, &[id(1)]),
        detectoid(3, &[id(1)]),
        software(5, &[id(99)]),
    ];
    let graph = catalog(&documents).await.scan_graph().await.expect("loads");
    let local = |number| local_id(&graph, number, 1);
    let new = |installed: &[u128], others: &[u128]| {
        let installed = installed.iter().map(|n| local(*n)).collect();
        let others = others.iter().map(|n| local(*n)).collect();
        numbers(&graph.needed(&Held { installed, others, ..Held::default() }, usize::MAX).new)
    };
    assert_eq!(new(&[], &[]), [1]);
    assert_eq!(new(&[], &[1]), [] as [u128; 0], "it is not installed");
    assert_eq!(new(&[1], &[]), [2, 3]);
    assert_eq!(new(&[1, 2], &[3]), [] as [u128; 0], "every clause must hold");
    assert_eq!(new(&[1, 2, 3], &[]), [4]);
    assert_eq!(new(&[1, 2, 3], &[4]), [] as [u128; 0]);
    let leaves = [1, 2, 3, 4, 5].map(|n| graph.entry(local(n)).expect("is known").is_leaf());
    assert_eq!(leaves, [false, false, false, true, true]);
    let held = Held { others: vec![local(4), 12_345], ..Held::default() };
    let Needed { withdrawn, unreached, .. } = graph.needed(&held, usize::MAX);
    assert_eq!((withdrawn, unreached), (vec![12_345], vec![local(4)]));
}

#[tokio::test]
async fn what_is_not_for_windows_computers_is_kept_from_them() {
    let mut for_linux = software(1, &[]);
    let version = Some((Comparison::GreaterThanOrEqualTo, "1"));
    for_linux.rules.is_installed = Some(linux::package_installed("p", version));
    let mut part = software(2, &[]);
    part.properties.is_explicitly_deployable = false;
    let mut alone = software(3, &[]);
    alone.properties.is_explicitly_deployable = false;
    let mut expired = software(4, &[]);
    expired.properties.is_expired = true;
    let mut old_base = software(5, &[]);
    old_base.properties.is_expired = true;
    let driver = document(6, UpdateKind::Driver, &[]);
    let documents = [
        for_linux,
        part,
        alone,
        expired,
        old_base,
        driver,
        software(7, &[id(5)]),
        bundle(8, &[2]),
        bundle(9, &[2, 1]),
        bundle(10, &[9]),
        bundle(11, &[2, 77]),
    ];
    let graph = catalog(&documents).await.scan_graph().await.expect("loads");
    let needed = graph.needed(&Held::default(), usize::MAX);
    let expected = [(5, Offer::Evaluated), (2, Offer::Member), (8, Offer::Update)];
    assert_eq!(told(&needed.new), expected);
}

#[tokio::test]
async fn only_complete_versions_and_latest_revisions_are_told() {
    let catalog = Catalog::open_in_memory(Uuid::from_u128(0xa)).expect("opens");
    let xml = |document: &Document| document.to_xml();
    let (base, mut revised) = (detectoid(1, &[]), detectoid(1, &[]));
    revised.update.revision = 2;
    let documents = vec![xml(&base), xml(&software(2, &[]))];
    catalog.import(Batch { documents, ..Batch::default() }).await.expect("imports");
    let graph = catalog.scan_graph().await.expect("loads");
    assert_eq!(graph.needed(&Held::default(), usize::MAX), Needed::default());
    catalog.complete_version(1).await.expect("completes");
    let graph = catalog.scan_graph().await.expect("loads");
    let (old, leaf, seen) = (local_id(&graph, 1, 1), local_id(&graph, 2, 1), graph.changes());
    assert!(graph.entry(old).expect("is known").is_leaf());
    // Now one is revised, and both become prerequisites.
    import(&catalog, &[revised, software(3, &[id(1)]), software(4, &[id(2)])], 2).await;
    let graph = catalog.scan_graph().await.expect("loads");
    let latest = local_id(&graph, 1, 2);
    let held = Held { installed: vec![old], others: vec![leaf], seen, ..Held::default() };
    let needed = graph.needed(&held, usize::MAX);
    assert_eq!(numbers(&needed.new), [1, 3], "an older revision counts until the next scan step");
    assert_eq!((needed.withdrawn, numbers(&needed.changed)), (vec![old], vec![2]));
    let held = Held { seen: graph.changes(), others: vec![latest, leaf], ..held };
    assert_eq!(graph.needed(&held, usize::MAX).changed, []);
    assert_eq!((graph.entry(old), graph.knows(id(4)), graph.knows(id(5))), (None, true, false));
}

#[tokio::test]
async fn what_broke_off_is_told_to_nobody_even_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let open = || {
        let options = Options { executor: Executor::Inline, durability: Durability::Normal };
        Catalog::open(&directory.path().join("catalog.db"), Uuid::nil(), options).expect("opens")
    };
    let (base, mut revised) = (detectoid(1, &[]), detectoid(1, &[]));
    revised.update.revision = 2;
    let catalog = open();
    import(&catalog, &[base, software(2, &[id(1)])], 1).await;
    let before = catalog.scan_graph().await.expect("loads");
    let documents = [revised, software(3, &[])].iter().map(Document::to_xml).collect();
    catalog.import(Batch { documents, ..Batch::default() }).await.expect("imports");
    catalog.close().await;
    let catalog = open();
    let graph = catalog.scan_graph().await.expect("loads");
    let base = local_id(&before, 1, 1);
    for held in [Held::default(), Held { installed: vec![base], ..Held::default() }] {
        assert_eq!(graph.needed(&held, 9), before.needed(&held, 9));
    }
    catalog.complete_version(2).await.expect("completes");
    let graph = catalog.scan_graph().await.expect("loads");
    assert_eq!(numbers(&graph.needed(&Held::default(), 9).new), [1, 3]);
}

#[tokio::test]
async fn a_category_scan_reaches_its_updates_and_what_they_need() {
    let (company, editor) = (categories::company("Acme"), categories::product("Acme", "Editor"));
    let viewer = categories::product("Acme", "Viewer");
    let belongs = |number, category: &Document| {
        let mut update = software(number, &[id(1)]);
        let any_of = vec![category.update.id];
        update.relations.prerequisites.push(Prerequisite { any_of, is_category: true });
        update
    };
    let documents = [
        company.clone(),
        editor.clone(),
        viewer.clone(),
        detectoid(1, &[]),
        detectoid(2, &[]),
        belongs(3, &editor),
        belongs(4, &viewer),
    ];
    let graph = catalog(&documents).await.scan_graph().await.expect("loads");
    let of = |document: &Document| graph.find(document.update).expect("is there").local_id;
    let categories = Some(vec![editor.update.id, id(999)]);
    let held = Held { categories: categories.clone(), ..Held::default() };
    let first = graph.needed(&held, usize::MAX).new;
    assert_eq!(
        first.iter().map(|entry| entry.local_id).collect::<Vec<_>>(),
        [of(&company), local_id(&graph, 1, 1)]
    );
    let installed = vec![of(&company), of(&editor), local_id(&graph, 1, 1)];
    let others = vec![local_id(&graph, 2, 1)];
    let needed = graph.needed(&Held { installed, others, categories, seen: u64::MAX }, usize::MAX);
    assert_eq!(numbers(&needed.new), [3]);
    assert_eq!((needed.withdrawn.len(), needed.unreached), (0, vec![local_id(&graph, 2, 1)]));
}

fn derive(document: &StoredDocument) -> Vec<Fragment> {
    let title = document.xml.split("Title>").nth(1).unwrap_or_default();
    let fragment = |part, language: &str, text: String| {
        let language = language.to_owned();
        Fragment { part, language, text }
    };
    vec![
        fragment(Part::Core, "", format!("core of {title}")),
        fragment(Part::Extended, "", "more".to_owned()),
        fragment(Part::Localized, "en", title.to_owned()),
        fragment(Part::Localized, "de", "deutsch".to_owned()),
    ]
}

#[tokio::test]
async fn fragments_are_derived_once_and_bounded_by_bytes() {
    let catalog = catalog(&[software(1, &[]), software(2, &[]), software(3, &[])]).await;
    let graph = catalog.scan_graph().await.expect("loads");
    let ids: Vec<i64> =
        graph.needed(&Held::default(), usize::MAX).new.iter().map(|e| e.local_id).collect();
    let first = catalog.fragments(ids.clone(), Scope::Scan, 30, derive).await.expect("reads");
    assert_eq!(first.len(), 2, "the second one fills the room");
    assert!(first.iter().all(|found| found.fragments.len() == 1));
    // What is kept is not derived again.
    let never: Derive = |_| panic!("it was derived before");
    let again = catalog.fragments(ids.clone(), Scope::Scan, 30, never).await.expect("reads");
    assert_eq!(again, first);
    let details = || catalog.fragments(vec![ids[0], 999], Scope::Details, usize::MAX, derive);
    let derived = details().await.expect("reads");
    assert_eq!(details().await.expect("reads"), derived);
    let languages: Vec<_> = derived[0].fragments.iter().map(|f| f.language.as_str()).collect();
    assert_eq!((languages, derived[1].fragments.len()), (vec!["", "en", "de"], 0));
    // With its document a revision loses what is told of it.
    assert_eq!(catalog.remove(vec![id(1)]).await.expect("removes"), 1);
    let gone = catalog.fragments(vec![ids[0]], Scope::Scan, 30, never).await.expect("reads");
    assert_eq!(gone[0].fragments, []);
}

/// Update `n` needs, in each clause, one of some updates before it, and some updates are installed.
fn graphs() -> impl Strategy<Value = Vec<(Vec<Vec<usize>>, bool)>> {
    let clauses = collection::vec(collection::vec(0..12_usize, 1..3), 0..3);
    collection::vec((clauses, any::<bool>()), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However the steps fall, a computer ends with all updates whose prerequisites it has, and
    /// with nothing else; and it may stop when it was told of leaves alone.
    #[test]
    fn steps_lead_to_everything_within_reach(graph in graphs(), step in 1..6_usize) {
        let number = |at: usize| u128::try_from(at).expect("is small") + 1;
        let document = |(at, (clauses, _)): (usize, &(Vec<Vec<usize>>, bool))| {
            let mut document = software(number(at), &[]);
            let earlier = |clause: &Vec<usize>| Prerequisite {
                any_of: clause.iter().filter(|n| **n < at).map(|n| id(number(*n))).collect(),
                is_category: false,
            };
            let clauses = clauses.iter().map(earlier).filter(|clause| !clause.any_of.is_empty());
            document.relations.prerequisites = clauses.collect();
            document
        };
        let documents: Vec<Document> = graph.iter().enumerate().map(document).collect();
        let installed = |id: UpdateId| {
            graph[usize::try_from(id.0.as_u128()).expect("is small") - 1].1
        };
        // Each depends on earlier ones alone, so one pass finds what is within reach.
        let mut expected: Vec<u128> = Vec::new();
        for document in &documents {
            let has = |id: &UpdateId| installed(*id) && expected.contains(&id.0.as_u128());
            let clauses = &document.relations.prerequisites;
            if clauses.iter().all(|clause| clause.any_of.iter().any(has)) {
                expected.push(document.update.id.0.as_u128());
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = runtime.block_on(async {
            let graph = catalog(&documents).await.scan_graph().await.expect("loads");
            let (mut held, mut found) = (Held::default(), Vec::new());
            loop {
                let Needed { new, is_more_new, changed, withdrawn, unreached } =
                    graph.needed(&held, step);
                assert!(new.len() == step || !is_more_new);
                assert!(withdrawn.is_empty() && unreached.is_empty());
                assert!(changed.is_empty() || held.seen == 0);
                found.extend(numbers(&new));
                for entry in &new {
                    let is_prerequisite = !entry.is_leaf() && installed(entry.update.id);
                    let list = if is_prerequisite { &mut held.installed } else { &mut held.others };
                    list.push(entry.local_id);
                }
                if !is_more_new && new.iter().all(ScanEntry::is_leaf) {
                    assert_eq!(graph.needed(&held, usize::MAX).new, []);
                    break;
                }
            }
            found
        });
        let mut found = found;
        found.sort_unstable();
        prop_assert_eq!(found, expected);
    }
}
