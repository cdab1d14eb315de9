//! What can be judged without a server.

use update_metadata::{Applicability, evaluate};
use wsus_protocol::fragments::Fragments;

use crate::facts::Computer;
use crate::reference::reference;
use crate::sample::sample;

use super::fragments::document;

/// Every fragment says of every computer what the document says.
#[test]
fn fragments_mean_what_their_documents_mean() {
    let sample = sample(std::path::Path::new("/tmp"));
    for full in &sample.documents {
        let fragments = Fragments::derive(full.to_xml().as_bytes()).expect("has fragments");
        let read = document(&fragments.core, &fragments.extended).expect("can be read");
        assert_eq!((read.update, &read.relations), (full.update, &full.relations));
        assert_eq!(read.files, full.files);
        assert_eq!(read.properties.kind, full.properties.kind);
        for computer in (0..12).map(Computer::new) {
            let facts = computer.facts();
            assert_eq!(evaluate(&read, facts), evaluate(full, facts), "{}", fragments.core);
        }
    }
}

/// Among them one that brings an assembly of servicing, with a namespace of its own.
#[test]
fn captured_fragments_keep_their_rules() {
    let test = "captured_fragments_keep_their_rules";
    let Some(folder) = reference(test, "captures/client-server") else { return };
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("is readable");
    let core = text("cbs-dotnet-core-reduced.fragment.txt");
    let read = document(&core, "").expect("can be read");
    assert_eq!(read.rules.metadata.len(), 1, "{:?}", read.rules);
    let facts = Computer::new(0).facts().clone();
    let state = evaluate(&read, &facts);
    assert!(!format!("{state:?}").contains("not a rule"), "{state:?}");
    assert!(matches!(state, Applicability::Unknown(_)), "{state:?}");
    let extended = text("266f6222-r200.extended.fragment.txt");
    let read = document(super::details::IDENTITY, &extended).expect("can be read");
    assert!(read.files.iter().all(|file| file.sha256.is_some()) && !read.files.is_empty());
}
