//! Documents made of fragments.

use super::*;
use crate::fragments::{Fragments, join};

const FAMILY: &str = "http://schemas.microsoft.com/msus/2002/12/";

fn joined(fragments: &Fragments) -> String {
    let texts: Vec<&str> = fragments.localized.iter().map(|text| text.xml.as_str()).collect();
    join(&fragments.core, &fragments.extended, &texts).expect("joins")
}

/// A document made of a document's fragments has the same fragments, so nothing of them was lost.
#[test]
fn captured_documents_come_back() {
    let Some(folder) = reference("captured_documents_come_back", "captures/documents") else {
        return;
    };
    for entry in std::fs::read_dir(folder).expect("is readable") {
        let document = std::fs::read(entry.expect("an entry").path()).expect("is readable");
        let fragments = Fragments::derive(&document).expect("has fragments");
        let again = Fragments::derive(joined(&fragments).as_bytes()).expect("is a document");
        let fragments = Fragments { eulas: Vec::new(), ..fragments };
        assert_eq!(again, fragments);
    }
}

#[test]
fn captured_fragments_become_documents() {
    let test = "captured_fragments_become_documents";
    let Some(folder) = reference(test, "captures/client-server") else { return };
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("is readable");
    let core = text("cbs-dotnet-core-reduced.fragment.txt");
    let document = join(core.trim(), "", &[]).expect("joins");
    let again = Fragments::derive(document.as_bytes()).expect("is a document");
    assert_eq!(again.core.replace("></package>", " />"), core.trim().replace("></package>", " />"));
    let extended = text("266f6222-r200.extended.fragment.txt");
    let core = "<UpdateIdentity UpdateID=\"a\" RevisionNumber=\"1\" />\
                <Properties UpdateType=\"Software\" />";
    let document = join(core, &extended, &[]).expect("joins");
    let namespace = format!("xmlns:cmd=\"{FAMILY}UpdateHandlers/CommandLineInstallation\"");
    assert!(document.contains(&namespace), "{document}");
    assert!(document.contains("<cmd:InstallCommand Program=\"AM_Delta.exe\""), "{document}");
    let again = Fragments::derive(document.as_bytes()).expect("is one");
    assert_eq!(again.extended, extended.trim());
}

#[test]
fn what_is_no_fragment_is_refused() {
    for core in
        ["</fragment><fragment>", "<a>", "a<b", "<a b=c />", "<!DOCTYPE a []>", "<b.a x:y=\"\"/>"]
    {
        join(core, "", &[]).expect_err(core);
        join("", core, &[]).expect_err(core);
        join("", "", &[core]).expect_err(core);
    }
    let deep = "<a>".repeat(100) + &"</a>".repeat(100);
    join(&deep, "", &[]).expect_err("nested too deeply");
    let large = "<a x=\"".to_owned() + &"y".repeat(3 << 20) + "\" />";
    join(&large, &large, &[&large]).expect_err("too large");
}

proptest::proptest! {
    /// Whatever stands for fragments becomes a well-formed document or an error.
    #[test]
    fn fragments_of_anything(core in "(<(b\\.A|And|/And|x xmlns=\"u\"|/x|Properties a=\"1\"/)>|z){0,9}") {
        let extended = "<ExtendedProperties a=\"2\" b=\"3\"><And /></ExtendedProperties>";
        if let Ok(document) = join(&core, extended, &[&core]) {
            let mut guard = xml_guard::XmlGuard::new(document.as_bytes(), xml_guard::Limits::default());
            while guard.next_event().expect("is well-formed") != xml_guard::Event::Eof {}
        }
    }
}
