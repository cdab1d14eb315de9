use std::io::Cursor;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

/// A header with these tags: number, type and value.
fn header(tags: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let (mut index, mut store) = (Vec::new(), Vec::new());
    for (tag, kind, value) in tags {
        let offset = u32::try_from(store.len()).expect("is small");
        [*tag, *kind, offset, 1].iter().for_each(|part| index.extend(part.to_be_bytes()));
        store.extend_from_slice(value);
    }
    let count = u32::try_from(tags.len()).expect("is small").to_be_bytes();
    let size = u32::try_from(store.len()).expect("is small").to_be_bytes();
    [&HEADER_MAGIC[..], &[0; 4], &count, &size, &index, &store].concat()
}

fn package(tags: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = vec![0; LEAD_BYTES as usize];
    file[..4].copy_from_slice(b"\xed\xab\xee\xdb");
    file.extend(header(&[(267, 7, &[1, 2, 3])]));
    // The signatures take 3 bytes; the next multiple of eight is 5 further.
    file.extend([0; 5]);
    file.extend(header(tags));
    file.extend(b"the payload");
    file
}

const EDITOR: &[(u32, u32, &[u8])] = &[
    (1000, STRING, b"editor\0"),
    (1001, STRING, b"2.1~rc1\0"),
    (1002, STRING, b"3.el9\0"),
    (1004, TRANSLATED, b"Edits texts\0Bearbeitet Texte\0"),
    (1011, STRING, b"Acme & Sons\0"),
    (1020, STRING, b"https://acme.example/\0"),
    (1022, STRING, b"x86_64\0"),
];

#[test]
fn a_package_says_what_it_is() {
    let shown = |tags: &[(u32, u32, &[u8])]| {
        let found = read("editor.rpm", Cursor::new(package(tags))).expect("is read");
        let Installer { title, description, vendor, url, architecture, identity, .. } = found;
        format!("{title} | {description} | {vendor} | {url} | {architecture:?}\n{identity:?}\n")
    };
    let with_epoch = [EDITOR, &[(1003, INT32, &[0, 0, 1, 2])]].concat();
    expect![[r#"
        editor 2.1~rc1-3.el9 | Edits texts | Acme & Sons | https://acme.example/ | Some(X64)
        Package { name: "editor", version: "0:2.1~rc1-3.el9" }
        editor 2.1~rc1-3.el9 | Edits texts | Acme & Sons | https://acme.example/ | Some(X64)
        Package { name: "editor", version: "258:2.1~rc1-3.el9" }
    "#]]
    .assert_eq(&(shown(EDITOR) + &shown(&with_epoch)));
}

#[test]
fn what_is_no_package_is_refused() {
    let refused = |file: Vec<u8>| {
        format!("{}\n", read("editor.rpm", Cursor::new(file)).expect_err("is refused"))
    };
    let whole = package(EDITOR);
    let mut huge = whole.clone();
    huge[104..108].copy_from_slice(&u32::MAX.to_be_bytes());
    let option = [&[(1000, STRING, &b"--erase\0"[..])][..], &EDITOR[1..]].concat();
    let said = [
        refused(whole[..50].to_vec()),
        refused(whole[..120].to_vec()),
        refused(vec![0; 200]),
        refused(huge),
        refused(package(&EDITOR[1..])),
        refused(package(&option)),
    ];
    expect![[r#"
        editor.rpm is damaged: failed to fill whole buffer
        editor.rpm is damaged: failed to fill whole buffer
        editor.rpm is damaged: it holds no header of a package
        editor.rpm is damaged: it holds no header of a package
        editor.rpm is damaged: it does not say what package it is
        editor.rpm is damaged: it does not say what package it is
    "#]]
    .assert_eq(&said.concat());
}

proptest! {
    #[test]
    fn no_file_panics(place in 96..300usize, byte: u8, length in 96..400usize) {
        let mut file = package(EDITOR);
        let place = place.min(file.len() - 1);
        file[place] = byte;
        file.truncate(length);
        let _ = read("editor.rpm", Cursor::new(file));
    }
}
