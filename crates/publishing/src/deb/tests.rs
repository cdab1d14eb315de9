use std::io::{Cursor, Write as _};

use super::*;

const CONTROL: &str = "Package: editor\nVersion: 1:2.1-3\nArchitecture: amd64\n\
                       Maintainer: Acme <a@acme.example>\nDescription: An editor\n that edits\n";

fn tar(name: &str, content: &str) -> Vec<u8> {
    let mut block = vec![0; TAR_BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    let size = format!("{:011o}", content.len());
    block[124..135].copy_from_slice(size.as_bytes());
    block.extend(content.as_bytes());
    block.resize(block.len().next_multiple_of(TAR_BLOCK), 0);
    block
}

fn deb(control: &str, content: &[u8]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", &b"2.0"[..]), (control, content)] {
        let size = content.len();
        file.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644).bytes());
        file.extend(content);
        file.extend(std::iter::repeat_n(b'\n', size % 2));
    }
    file
}

fn whole() -> Vec<u8> {
    [tar("./preinst", "#!/bin/sh\n"), tar("./control", CONTROL), vec![0; 1024]].concat()
}

fn read_deb(name: &str, file: Vec<u8>) -> Result<Installer, Error> {
    read(name, Cursor::new(file))
}

#[test]
fn a_package_says_what_it_is_however_it_is_packed() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&whole()).expect("fits");
    let gzip = gzip.finish().expect("fits");
    let zstd = zstd::encode_all(whole().as_slice(), 1).expect("fits");
    let packed = [("control.tar", whole()), ("control.tar.gz/", gzip), ("control.tar.zst", zstd)];
    for (member, content) in packed {
        let found = read_deb("any.deb", deb(member, &content)).expect("is read");
        let (name, version) = ("editor".to_owned(), "1:2.1-3".to_owned());
        assert_eq!(found.identity, Identity::Package { name, version });
        assert_eq!((&*found.vendor, &*found.description), ("Acme", "An editor"));
        assert_eq!(found.architecture, Some(Architecture::X64));
    }
}

#[test]
fn the_name_speaks_where_the_control_file_is_packed_otherwise() {
    let file = deb("control.tar.xz", b"unread");
    let found = read_deb("editor_1%3a2.1-3_all.deb", file.clone()).expect("is read");
    assert_eq!((&*found.title, found.architecture), ("editor 1:2.1-3", None));
    assert!(matches!(read_deb("editor.deb", file), Err(Error::Damaged { .. })));
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let bomb = vec![0; 64 << 20];
    let mut control = tar("./huge", "");
    control[124..135].copy_from_slice(b"00777777777");
    control.extend(bomb);
    let packed = zstd::encode_all(control.as_slice(), 1).expect("fits");
    assert!(packed.len() < 1 << 20);
    let refused = read_deb("a.deb", deb("control.tar.zst", &packed)).expect_err("is refused");
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    for cut in [8, 40, 68, 100, 130] {
        assert!(read_deb("a.deb", deb("control.tar", &whole())[..cut].to_vec()).is_err());
    }
}
