use std::collections::BTreeSet;

use update_metadata::{Applicability, evaluate};

use super::*;
use crate::facts::Computer;

fn at_tmp() -> Sample {
    sample(Path::new("/tmp/a place"))
}

#[test]
fn the_catalog_is_whole_and_always_the_same() {
    let sample = at_tmp();
    let again = at_tmp();
    assert_eq!((&sample.documents, &sample.files), (&again.documents, &again.files));
    let known: BTreeSet<UpdateId> = sample.documents.iter().map(|d| d.update.id).collect();
    assert_eq!(known.len(), sample.documents.len());
    assert!((40..60).contains(&sample.documents.len()), "{}", known.len());
    for document in &sample.documents {
        let read = Document::parse(document.to_xml().as_bytes()).expect("our own form");
        assert_eq!(&read, document);
        let named = document.relations.prerequisites.iter().flat_map(|clause| &clause.any_of);
        assert!(named.chain(&document.relations.superseded).all(|id| known.contains(id)));
        for file in &document.files {
            let found = sample.files.iter().find(|(name, _)| *name == file.name);
            let (_, content) = found.expect("every file is there");
            assert_eq!(Some(sha256(content)), file.sha256);
        }
    }
    assert!(sample.deployable.iter().all(|id| known.contains(id)));
}

/// Every computer has something to install of every kind it may install, and installing helps.
#[test]
fn a_pretended_installation_is_detected() {
    let sample = at_tmp();
    let mut installed = 0;
    for mut computer in (0..12).map(Computer::new) {
        let mut deployed = 0;
        for document in sample.documents.iter().filter(|d| d.is_item()) {
            let path = sample.installed.0.display().to_string();
            let look = |computer: &Computer| {
                let mut facts = computer.facts().clone();
                facts.files.entry(path.clone()).or_insert(computer.file(&path));
                evaluate(document, &facts)
            };
            let before = look(&computer);
            assert!(!matches!(before, Applicability::Unknown(_)), "{before:?}: {document:?}");
            if before == Applicability::Applicable {
                computer.install(document);
                assert_eq!(look(&computer), Applicability::Installed, "{document:?}");
                installed += 1;
                deployed += u32::from(sample.deployable.contains(&document.update.id));
            }
        }
        assert!(deployed > 0, "{computer:?}");
    }
    assert!(installed > 60, "{installed}");
}
