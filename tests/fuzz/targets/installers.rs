//! Installers that are published, and signatures in cabinets: what they say of themselves.
#![no_main]

use std::io::Cursor;

use msi::{Column, Insert, Package, PackageType, Value};
use publishing::{Kind, authenticode, cabinet, read};

fn installer() -> Vec<u8> {
    let created = Package::create(PackageType::Installer, Cursor::new(Vec::new()));
    let mut package = created.expect("a package");
    package.summary_info_mut().set_subject("Editor".to_owned());
    let columns = vec![
        Column::build("Property").primary_key().string(72),
        Column::build("Value").localizable().string(0),
    ];
    package.create_table("Property", columns).expect("a table");
    let mut insert = Insert::into("Property");
    for (name, value) in [
        ("ProductCode", "{12345678-0000-4000-8000-000000000001}"),
        ("ProductName", "Editor"),
        ("ProductVersion", "1.2.3"),
        ("Manufacturer", "Acme"),
        ("ProductLanguage", "1033"),
    ] {
        insert = insert.row(vec![Value::from(name), Value::from(value)]);
    }
    package.insert_rows(insert).expect("rows");
    package.into_inner().expect("a file").into_inner()
}

fn debian(control: &[u8]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", &b"2.0\n"[..]), ("control.tar", control)] {
        let size = content.len();
        let head = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
        file.extend([head.as_bytes(), content].concat());
    }
    file
}

/// One file in an archive of the oldest kind.
fn tar(name: &str, content: &str) -> Vec<u8> {
    let mut block = vec![0; 512 + content.len().next_multiple_of(512)];
    block[..name.len()].copy_from_slice(name.as_bytes());
    let size = format!("{:011o}", content.len());
    block[124..135].copy_from_slice(size.as_bytes());
    block[512..512 + content.len()].copy_from_slice(content.as_bytes());
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn signed() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    cabinet::write(vec![("a.xml".to_owned(), 4, &b"<a/>"[..])], &mut file).expect("is written");
    cabinet::append_signature(&[0x30, 0x82, 0, 4, 6, 9, 0x2a, 0x86], &mut file).expect("has room");
    file.into_inner()
}

/// The first byte says which of them the rest is.
fn seeds() -> Vec<Vec<u8>> {
    let control = "Package: editor\nVersion: 1:2.1-3\nArchitecture: amd64\nMaintainer: Acme\n";
    let debian = debian(&[tar("./control", control), vec![0; 1_024]].concat());
    let seeds = [installer(), installer(), debian, signed()];
    seeds.into_iter().zip(0..).map(|(seed, kind)| [vec![kind], seed].concat()).collect()
}

libfuzzer_sys::fuzz_target!(
    init: fuzz::fill(seeds),
    |data: &[u8]| {
        let Some((kind, rest)) = data.split_first() else { return };
        let file = Cursor::new(rest);
        let _read = match kind % 4 {
            0 => read(Kind::Msi, "a.msi", file).map(drop),
            1 => read(Kind::Msp, "a.msp", file).map(drop),
            2 => read(Kind::Deb, "a.deb", file).map(drop),
            _ => authenticode::verify(&mut Cursor::new(rest)).map(drop),
        };
    }
);
