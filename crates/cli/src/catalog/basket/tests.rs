use std::fs;

use tempfile::TempDir;

use super::*;

#[test]
fn documents_beside_each_other_go_together() {
    let directory = TempDir::new().expect("a directory");
    let put = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("written");
        path
    };
    let files = [
        put("a.xml", "<a/>"),
        put("b.txt", "\u{feff} <b/>"),
        put("c.cab", "MSCF"),
        put("d.xml", "<d/>"),
        put("empty.xml", ""),
    ];
    let given = given(&files).expect("reads");
    let shown = given.iter().map(|given| match given {
        Given::File(path) => name_of(path),
        Given::Basket { name, archive } => {
            let mut archive = zip::ZipArchive::new(Cursor::new(archive)).expect("a zip");
            let mut member = |index| {
                let mut text = String::new();
                let mut member = archive.by_index(index).expect("a member");
                let name = member.name().expect("a name").into_owned();
                member.read_to_string(&mut text).expect("reads");
                format!("{name}={text}")
            };
            format!("{name}: {} {}", member(0), member(1))
        }
    });
    assert_eq!(
        shown.collect::<Vec<_>>(),
        ["2 documents: 1/a.xml=<a/> 2/b.txt.xml=\u{feff} <b/>", "c.cab", "d.xml", "empty.xml"]
    );
}
