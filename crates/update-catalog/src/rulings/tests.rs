use model::UpdateRef;
use proptest::prelude::*;
use update_metadata::{Document, Prerequisite, UpdateKind};
use uuid::Uuid;

use super::*;
use crate::{Batch, Held, Offer};

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn software(number: u128, revision: u32, needs: &[u128]) -> Document {
    let update = UpdateRef { id: id(number), revision };
    let mut document = Document::new(update, UpdateKind::Software, &format!("update {number}"));
    document.properties.is_explicitly_deployable = true;
    let clause = |number: &u128| Prerequisite { any_of: vec![id(*number)], is_category: false };
    document.relations.prerequisites = needs.iter().map(clause).collect();
    document
}

async fn import(catalog: &Catalog, documents: &[Document]) {
    let documents = documents.iter().map(Document::to_xml).collect();
    let imported = catalog.import(Batch { documents, ..Batch::default() }).await.expect("imports");
    assert_eq!(imported.rejected, []);
}

async fn catalog(documents: &[Document]) -> Catalog {
    let catalog = Catalog::open_in_memory(Uuid::from_u128(0xa)).expect("opens");
    import(&catalog, documents).await;
    catalog.complete_version(1).await.expect("completes");
    catalog
}

fn declined(number: u128) -> Ruling {
    Ruling { update: id(number), is_declined: true, dropped: None }
}

fn dropped(number: u128, revision: u32) -> Ruling {
    Ruling { update: id(number), is_declined: false, dropped: Some(revision) }
}

async fn rule(catalog: &Catalog, rulings: &[Ruling]) -> Changed {
    catalog.set_rulings(IdRange::default(), rulings.to_vec()).await.expect("ruled")
}

/// What a computer that holds nothing is told of, with how it is offered.
async fn scan(catalog: &Catalog) -> Vec<(u128, Offer)> {
    let graph = catalog.scan_graph().await.expect("loads");
    let needed = graph.needed(&Held::default(), usize::MAX);
    needed.new.iter().map(|entry| (entry.update.id.0.as_u128(), entry.offer)).collect()
}

/// The changes since `anchor`, as an agent follows them.
async fn followed(catalog: &Catalog, anchor: u64) -> Vec<(u128, Option<bool>)> {
    let page = catalog.changed_documents(anchor).await.expect("reads");
    let told = page
        .changes
        .into_iter()
        .map(|change| (change.update.id.0.as_u128(), change.content.map(|_| change.is_declined)));
    told.collect()
}

#[tokio::test]
async fn a_declined_update_leaves_scans_and_comes_back_without_a_synchronization() {
    let catalog = catalog(&[software(1, 1, &[]), software(2, 1, &[]), software(3, 1, &[2])]).await;
    let before = scan(&catalog).await;
    assert_eq!(before, [(2, Offer::Update), (1, Offer::Update)], "3 waits for 2");
    let graph = catalog.scan_graph().await.expect("loads");
    let held: Vec<i64> = [1, 2]
        .map(|n| graph.find(UpdateRef { id: id(n), revision: 1 }).expect("in scope").local_id)
        .to_vec();
    let anchor = catalog.state().await.expect("reads").changes;

    let changed = rule(&catalog, &[declined(1), declined(2), declined(99)]).await;
    assert_eq!((changed.declined, changed.reinstated), (3, 0));
    assert_eq!(scan(&catalog).await, [(2, Offer::Evaluated)], "3 needs 2");
    assert_eq!(followed(&catalog, anchor).await, [(1, Some(true)), (2, Some(true))]);
    assert_eq!(catalog.declined().await.expect("reads"), [id(1), id(2)]);
    let graph = catalog.scan_graph().await.expect("loads");
    let needed =
        graph.needed(&Held { others: held.clone(), seen: anchor, ..Held::default() }, usize::MAX);
    assert_eq!(needed.withdrawn, [held[0]], "the computer forgets it");
    let told: Vec<_> = needed.changed.iter().map(|e| (e.local_id, e.offer)).collect();
    assert_eq!(told, [(held[1], Offer::Evaluated)], "and hears that this is offered no more");

    // The same again is nothing.
    let state = catalog.state().await.expect("reads");
    assert_eq!(rule(&catalog, &[declined(1), declined(2), declined(99)]).await, Changed::default());
    assert_eq!(catalog.state().await.expect("reads"), state);

    assert_eq!(rule(&catalog, &[]).await.reinstated, 3);
    assert_eq!(scan(&catalog).await, before);
    let last = followed(&catalog, state.changes).await;
    assert_eq!(last, [(1, Some(false)), (2, Some(false))]);
}

/// A document that came since the last version stays out of scans when something is declined.
#[tokio::test]
async fn declining_shows_nobody_half_a_synchronization() {
    let catalog = catalog(&[software(1, 1, &[]), software(2, 1, &[])]).await;
    assert_eq!(scan(&catalog).await.len(), 2);
    import(&catalog, &[software(3, 1, &[])]).await;
    rule(&catalog, &[declined(1)]).await;
    assert_eq!(scan(&catalog).await, [(2, Offer::Update)]);
    catalog.complete_version(2).await.expect("completes");
    assert_eq!(scan(&catalog).await, [(2, Offer::Update), (3, Offer::Update)]);
}

#[tokio::test]
async fn a_new_revision_of_a_declined_update_is_declined() {
    let catalog = catalog(&[software(1, 1, &[])]).await;
    rule(&catalog, &[declined(1)]).await;
    import(&catalog, &[software(1, 2, &[])]).await;
    catalog.complete_version(2).await.expect("completes");
    assert_eq!(scan(&catalog).await, []);
}

#[tokio::test]
async fn what_was_dropped_comes_back_with_a_later_revision_or_when_it_is_wanted() {
    let catalog = catalog(&[software(1, 5, &[]), software(2, 5, &[])]).await;
    let anchor = Some(("updates", "here".to_owned()));
    catalog.import(Batch { anchor, ..Batch::default() }).await.expect("stored");
    let ask = |number, revision| vec![UpdateRef { id: id(number), revision }];
    let missing = async |number, revision| {
        !catalog.missing(ask(number, revision)).await.expect("reads").is_empty()
    };
    let since = catalog.state().await.expect("reads").changes;
    assert_eq!(rule(&catalog, &[dropped(1, 5)]).await.dropped, 1);
    assert_eq!(catalog.documents(ask(1, 5)).await.expect("reads"), []);
    assert_eq!(followed(&catalog, since).await, [(1, None)], "followers hear of it");
    assert_eq!(
        [missing(1, 5).await, missing(1, 6).await, missing(2, 5).await],
        [false, true, false]
    );

    // A later revision is not dropped by what was ruled of the earlier one.
    import(&catalog, &[software(1, 6, &[])]).await;
    let again = rule(&catalog, &[dropped(1, 5), declined(2)]).await;
    assert_eq!((again.dropped, again.declined), (0, 1));
    assert!(!missing(1, 6).await);
    assert!(catalog.upstream_anchor("updates").await.expect("reads").is_some());

    assert_eq!(
        rule(&catalog, &[dropped(2, 5)]).await,
        Changed { declined: 0, reinstated: 1, dropped: 1, awaited: 1 }
    );
    assert!(catalog.upstream_anchor("updates").await.expect("reads").is_none(), "asks for all");
    assert!(missing(1, 5).await);
}

#[tokio::test]
async fn too_many_rulings_at_once_are_refused() {
    let catalog = catalog(&[]).await;
    let many = vec![declined(1); limits::RULINGS_MAX + 1];
    let refused = catalog.set_rulings(IdRange::default(), many).await;
    assert!(matches!(refused, Err(Error::AskForIds { .. })), "{refused:?}");
}

proptest! {
    /// However a list is cut into ranges, and whatever was ruled before, it holds afterwards.
    #[test]
    fn ranges_add_up_to_the_list(
        before in prop::collection::btree_map(0..40_u128, any::<(bool, bool)>(), 0..20),
        after in prop::collection::btree_map(0..40_u128, any::<(bool, bool)>(), 0..20),
        cuts in prop::collection::btree_set(0..40_u128, 0..4),
    ) {
        let rulings = |all: BTreeMap<u128, (bool, bool)>| -> Vec<Ruling> {
            let ruling = |(number, (is_declined, gone)): (u128, (bool, bool))| Ruling {
                update: id(number), is_declined, dropped: gone.then_some(1),
            };
            let all = all.into_iter().map(ruling);
            all.filter(|ruling| ruling.is_declined || ruling.dropped.is_some()).collect()
        };
        let (before, after) = (rulings(before), rulings(after));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        let found = runtime.block_on(async {
            let catalog = catalog(&[software(3, 1, &[]), software(7, 2, &[])]).await;
            rule(&catalog, &before).await;
            let mut from = None;
            for to in cuts.iter().map(|cut| Some(id(*cut))).chain([None]) {
                let part = after.iter().filter(|ruling| {
                    from.is_none_or(|from| from <= ruling.update)
                        && to.is_none_or(|to| ruling.update < to)
                });
                let part = part.copied().collect();
                catalog.set_rulings(IdRange { from, to }, part).await.expect("ruled");
                from = to;
            }
            let all = |tx: &ReadTx| held(tx, IdRange::default());
            catalog.database.read(all).await.expect("reads")
        });
        prop_assert_eq!(found.into_values().collect::<Vec<_>>(), after);
    }
}
