use model::{ItemFile, UpdateRef};
use update_metadata::sdp::FileSource;
use update_metadata::{Document, UpdateKind};

use super::*;
use crate::Batch;

fn document(number: u128, files: &[ItemFile]) -> Document {
    let update = UpdateRef { id: UpdateId(Uuid::from_u128(number)), revision: 1 };
    let mut document = Document::new(update, UpdateKind::Software, "an update");
    document.files = files.to_vec();
    document
}

#[tokio::test]
async fn a_page_comes_with_its_files_each_once_and_where_they_are() {
    let catalog = Catalog::open_in_memory(Uuid::from_u128(1)).expect("opens");
    let (sha1, sha256) = (Sha1([1; 20]), None);
    let file = ItemFile { name: "a.cab".to_owned(), size: 3, sha1, sha256 };
    let files = [file.clone()];
    let documents = [document(1, &files), document(2, &files), document(3, &[])];
    let documents: Vec<String> = documents.iter().map(Document::to_xml).collect();
    let sources = vec![FileSource { sha1, url: "http://a/a.cab".to_owned() }];
    let batch = Batch { documents: documents.clone(), sources, anchor: None };
    catalog.import(batch).await.expect("imports");
    catalog.remove(vec![UpdateId(Uuid::from_u128(3))]).await.expect("removes");
    let page = catalog.export(0).await.expect("reads");
    let texts: Vec<_> = page.documents.iter().map(|document| document.xml.as_str()).collect();
    assert_eq!(texts, documents[..2]);
    assert_eq!((page.files, page.anchor, page.is_last), (vec![file], 4, true));
    assert_eq!(page.removed, [UpdateId(Uuid::from_u128(3))]);
    let found = catalog.sources(vec![sha1, Sha1([2; 20])]).await.expect("reads");
    assert_eq!(found, [(sha1, "http://a/a.cab".to_owned())]);
    let nothing = catalog.export(4).await.expect("reads");
    assert_eq!(nothing, Exported { anchor: 4, is_last: true, ..Exported::default() });
}

#[tokio::test]
async fn the_last_bundle_of_each_server_is_remembered() {
    let catalog = Catalog::open_in_memory(Uuid::from_u128(1)).expect("opens");
    let (ours, theirs) = (Uuid::from_u128(2), Uuid::from_u128(3));
    let bundle = |anchor| LastBundle { anchor, manifest: Sha256([anchor as u8; 32]) };
    catalog.note_bundle(ours, bundle(5)).await.expect("notes");
    catalog.note_bundle(ours, bundle(9)).await.expect("notes");
    assert_eq!(catalog.last_bundle(ours).await.expect("reads"), Some(bundle(9)));
    assert_eq!(catalog.last_bundle(theirs).await.expect("reads"), None);
}
