use std::io::Cursor;

use ::msi::{Column, Insert, Package, PackageType, Value};
use expect_test::expect;
use proptest::prelude::*;

use super::*;

fn table(package: &mut Package<Cursor<Vec<u8>>>, name: &str, columns: &[&str], rows: &[&[&str]]) {
    let column = |(place, name): (usize, &&str)| match place {
        0 => Column::build(*name).primary_key().id_string(72),
        _ => Column::build(*name).nullable().text_string(0),
    };
    package
        .create_table(name, columns.iter().enumerate().map(column).collect())
        .expect("is a table");
    let rows = rows.iter().map(|row| row.iter().map(|text| Value::from(*text)).collect());
    package.insert_rows(Insert::into(name).rows(rows.collect())).expect("are rows");
}

/// A product, written by somebody else's code.
pub(crate) fn product(title: &str) -> Vec<u8> {
    let made = Package::create(PackageType::Installer, Cursor::new(Vec::new()));
    let mut package = made.expect("is made");
    let info = package.summary_info_mut();
    info.set_arch("x64");
    info.set_comments("From the summary");
    let rows: [&[&str]; 6] = [
        &["ProductName", title],
        &["ProductVersion", "2.1.0"],
        &["ProductCode", "{01234567-89ab-cdef-0123-456789abcdef}"],
        &["ProductLanguage", "1031"],
        &["Manufacturer", "Acme GmbH"],
        &["ARPURLINFOABOUT", "https://acme.example/editor"],
    ];
    table(&mut package, "Property", &["Property", "Value"], &rows);
    package.into_inner().expect("is written").into_inner()
}

fn patch_file() -> Vec<u8> {
    let made = Package::create(PackageType::Patch, Cursor::new(Vec::new()));
    let mut package = made.expect("is made");
    let code: uuid::Uuid = "11111111-2222-3333-4444-555555555555".parse().expect("is one");
    let info = package.summary_info_mut();
    info.set_uuid(code);
    info.set_arch("{01234567-89ab-cdef-0123-456789abcdef}");
    let rows: [&[&str]; 2] =
        [&["A", "DisplayName", "Editor fix"], &["B", "ManufacturerName", "Acme"]];
    table(&mut package, "MsiPatchMetadata", &["Company", "Property", "Value"], &rows);
    package.into_inner().expect("is written").into_inner()
}

#[test]
fn a_product_says_what_it_is() {
    let file = product("Größerer Editor");
    let found = read(Kind::Msi, "editor.msi", Cursor::new(file)).expect("is read");
    expect![[r#"
        Installer {
            title: "Größerer Editor 2.1.0",
            description: "From the summary",
            vendor: "Acme GmbH",
            product: "Größerer Editor",
            version: "2.1.0",
            url: "https://acme.example/editor",
            language: "de",
            architecture: Some(
                X64,
            ),
            identity: Product {
                code: "{01234567-89AB-CDEF-0123-456789ABCDEF}",
            },
        }
    "#]]
    .assert_debug_eq(&found);
}

#[test]
fn a_patch_says_what_it_is_for() {
    let found = read(Kind::Msp, "fix.msp", Cursor::new(patch_file())).expect("is read");
    let code = "{11111111-2222-3333-4444-555555555555}".to_owned();
    let products = vec!["{01234567-89AB-CDEF-0123-456789ABCDEF}".to_owned()];
    assert_eq!(found.identity, Identity::Patch { code, products });
    assert_eq!((&*found.title, &*found.vendor), ("Editor fix", "Acme"));
}

#[test]
fn what_names_no_product_is_refused() {
    let refused = read(Kind::Msp, "a.msp", Cursor::new(product("a"))).expect_err("is no patch");
    expect!["a.msp is damaged: it has no patch code or no target"].assert_eq(&refused.to_string());
    let refused = read(Kind::Msi, "a.msi", Cursor::new(patch_file())).expect_err("no product");
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    assert!(read(Kind::Msi, "a.msi", Cursor::new(b"nothing".to_vec())).is_err());
}

#[test]
fn strings_that_lie_about_their_size_cost_nothing() {
    // One string of four gigabytes.
    let pool = [0, 0, 0, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff];
    let refused = strings(&pool, b"short").expect_err("is refused");
    assert_eq!(refused.to_string(), "its strings are shorter than they say");
    assert!(strings(&pool[..8], b"").is_err());
    assert!(strings(&[], b"").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_damage_is_a_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        length in any::<prop::sample::Index>(),
    ) {
        for mut file in [product("Editor"), patch_file()] {
            for (place, value) in &changes {
                let place = place.index(file.len());
                file[place] = *value;
            }
            let cut = file[..length.index(file.len())].to_vec();
            for file in [file, cut] {
                let _ = read(Kind::Msi, "a.msi", Cursor::new(file.clone()));
                let _ = read(Kind::Msp, "a.msp", Cursor::new(file));
            }
        }
    }
}
