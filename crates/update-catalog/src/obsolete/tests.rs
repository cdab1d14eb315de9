use model::{UpdateId, UpdateRef};
use update_metadata::{Document, UpdateKind};
use uuid::Uuid;

use super::*;
use crate::{Batch, Held};

fn update(number: u128, revision: u32) -> UpdateRef {
    UpdateRef { id: UpdateId(Uuid::from_u128(number)), revision }
}

fn document(number: u128, revision: u32) -> String {
    let update = update(number, revision);
    let mut document = Document::new(update, UpdateKind::Software, &format!("{revision}"));
    document.properties.is_explicitly_deployable = true;
    document.to_xml()
}

/// Takes in a revision of each of `numbers` and completes the version of the same number.
async fn version(catalog: &Catalog, numbers: &[u128], revision: u32) {
    let documents = numbers.iter().map(|number| document(*number, revision)).collect();
    let imported = catalog.import(Batch { documents, ..Batch::default() }).await.expect("imports");
    assert_eq!(imported.rejected, []);
    catalog.complete_version(revision.into()).await.expect("completes");
}

async fn is_here(catalog: &Catalog, number: u128, revision: u32) -> bool {
    let found = catalog.documents(vec![update(number, revision)]).await.expect("reads");
    !found.is_empty()
}

#[tokio::test]
async fn a_document_goes_once_the_next_revision_was_in_two_versions() {
    let catalog = Catalog::open_in_memory(Uuid::from_u128(0xa)).expect("opens");
    version(&catalog, &[1, 2], 1).await;
    version(&catalog, &[1], 2).await;
    assert_eq!(catalog.obsolete().await.expect("reads"), 0, "somebody may be fetching it");
    let old = catalog.documents(vec![update(1, 1)]).await.expect("reads")[0].local_id;
    version(&catalog, &[], 3).await;
    assert_eq!(catalog.obsolete().await.expect("reads"), 1);
    assert_eq!(catalog.drop_obsolete(10).await.expect("drops"), 1);
    assert_eq!(catalog.drop_obsolete(10).await.expect("drops"), 0);
    let here = [is_here(&catalog, 1, 1).await, is_here(&catalog, 1, 2).await];
    assert_eq!((here, is_here(&catalog, 2, 1).await), ([false, true], true));

    // It is not fetched and not taken again, and computers that have it are known to have it.
    assert_eq!(catalog.missing(vec![update(1, 1)]).await.expect("reads"), []);
    let batch = Batch { documents: vec![document(1, 1)], ..Batch::default() };
    assert_eq!(catalog.import(batch).await.expect("imports").unchanged, 1);
    version(&catalog, &[1], 4).await;
    let graph = catalog.scan_graph().await.expect("loads");
    let needed = graph.needed(&Held { installed: vec![old], ..Held::default() }, usize::MAX);
    assert_eq!(needed.withdrawn, [old]);
    assert_eq!(needed.new.len(), 2);
    assert_eq!(catalog.check().await.expect("reads"), [] as [String; 0]);
}

#[tokio::test]
async fn many_go_in_bounded_steps() {
    let catalog = Catalog::open_in_memory(Uuid::from_u128(0xa)).expect("opens");
    let numbers: Vec<u128> = (1..=25).collect();
    version(&catalog, &numbers, 1).await;
    version(&catalog, &numbers, 2).await;
    version(&catalog, &[], 3).await;
    let mut steps = Vec::new();
    while *steps.last().unwrap_or(&1) > 0 {
        steps.push(catalog.drop_obsolete(10).await.expect("drops"));
    }
    assert_eq!(steps, [10, 10, 5, 0]);
}
