use std::io::{BufReader, Cursor, Read as _};

use expect_test::expect;

use super::*;
use crate::Installer;
use crate::tests::reference;

mod export;
mod rules;

/// The vendor's whole catalog, or the test `name` is recorded as skipped.
fn vendor_catalog(name: &str) -> Option<String> {
    let zipped = reference::read(name, "sdp-catalogs/HpCatalogForSms.zip")?;
    let mut archive = zip::ZipArchive::new(Cursor::new(zipped)).expect("is a zip");
    let mut xml = String::new();
    let mut member = archive.by_index(0).expect("has a member");
    member.read_to_string(&mut xml).expect("is UTF-8");
    Some(xml)
}

/// Reads a whole document, as far as it goes.
fn read(xml: impl BufRead) -> Result<Vec<Entry>, Error> {
    let mut reader = PackageReader::new(xml);
    std::iter::from_fn(|| reader.next_entry().transpose()).collect()
}

fn packages(xml: &str) -> Vec<Package> {
    let package = |entry| match entry {
        Entry::Package(package) => *package,
        Entry::Rejected(rejected) => panic!("{rejected:?}"),
    };
    read(xml.as_bytes()).expect("is well-formed").into_iter().map(package).collect()
}

fn guid(number: u8) -> String {
    format!("00000000-0000-0000-0000-0000000000{number:02}")
}

fn sdp(id: &str, title: &str, items: &str) -> String {
    format!(
        "\n<p:SoftwareDistributionPackage xmlns:p='urn:any'><p:Properties PackageID='{id}' \
         VendorName='Acme'><p:ProductName>Editor</p:ProductName></p:Properties>\
         <p:LocalizedProperties><p:Title>{title}</p:Title></p:LocalizedProperties>{items}\
         </p:SoftwareDistributionPackage>"
    )
}

fn one(number: u8, title: &str) -> String {
    sdp(&guid(number), title, "<InstallableItem/>")
}

fn catalog(packages: &[String]) -> String {
    let packages = packages.concat();
    format!("<x:SystemsManagementCatalog xmlns:x='urn:y'>{packages}</x:SystemsManagementCatalog>")
}

#[test]
fn every_package_of_the_vendor_catalog_becomes_an_update() {
    let name = "every_package_of_the_vendor_catalog_becomes_an_update";
    let Some(xml) = vendor_catalog(name) else { return };
    let mut reader = PackageReader::new(xml.as_bytes());
    let mut revisions = Revisions::default();
    let (mut updates, mut bytes, mut digest) = (0, 0, 0);
    while let Some(entry) = reader.next_entry().expect("is well-formed") {
        let Entry::Package(package) = entry else { panic!("{entry:?}") };
        let Placed::New { update, documents } = revisions.place(&package) else { panic!("is new") };
        assert_eq!((update, &package.rejected), (package.update.update, &Vec::new()));
        updates += 1;
        bytes += documents.iter().map(|document| document.xml.len()).sum::<usize>();
        digest = documents.iter().fold(digest, |digest, document| digest ^ document.sha256.0[0]);
    }
    // An independent strict parser counts as many packages with PackageID, title and item. Other
    // bytes than these would make the next revision of every package ever imported.
    expect!["1829 updates, 15108528 bytes, digest 116"]
        .assert_eq(&format!("{updates} updates, {bytes} bytes, digest {digest}"));
}

#[test]
fn a_vendor_package_keeps_rules_files_and_installer() {
    let name = "a_vendor_package_keeps_rules_files_and_installer";
    let file = "sdp-catalogs/dc718411-a5f1-4b15-966a-63a77cbb156e.sdp";
    let Some(xml) = reference::read(name, file) else { return };
    let package = packages(std::str::from_utf8(&xml).expect("is UTF-8")).remove(0);
    let written = package.update.to_xml();
    let tests = written.split('<').filter(|tag| tag.starts_with("bar:") || tag.starts_with("mar:"));
    let tests: Vec<_> = tests.filter_map(|tag| tag.split(' ').next()).collect();
    let (version, wmi) = ("bar:WindowsVersion", "bar:WmiQuery");
    assert_eq!(tests, ["mar:MsiProductInstalled", version, wmi, version]);
    assert!(matches!(&package.update.installer, Some(Installer::Windows { .. })));
    assert!(package.sources[0].url.ends_with(&package.update.files[0].name));
    let titles: Vec<_> = package.categories.iter().map(|c| c.texts[0].title.as_str()).collect();
    assert_eq!(titles, ["Dell", "Drivers and Applications", "Updates"]);
    let read_back = Document::parse(written.as_bytes()).expect("parses");
    assert_eq!(read_back, package.update);
}

#[test]
fn the_same_id_is_known_or_the_next_revision() {
    let source = catalog(&[one(1, "a"), one(1, "b"), one(1, "a"), one(1, "b"), one(2, "a")]);
    let packages = packages(&source);
    let mut revisions = Revisions::default();
    let mut stored = Revisions::default();
    let place = |package| match revisions.place(package) {
        Placed::Known(update) => (update.revision, 0),
        Placed::New { update, documents } => {
            documents.iter().for_each(|written| stored.learn(written.update, written.sha256));
            (update.revision, documents.len())
        }
    };
    let placed: Vec<_> = packages.iter().map(place).collect();
    assert_eq!(placed, [(1, 4), (2, 1), (1, 0), (2, 0), (1, 1)]);
    assert!(packages.iter().all(|package| matches!(stored.place(package), Placed::Known(_))));
}

#[test]
fn several_items_make_a_bundle_of_hidden_members() {
    let item = |id: &str| {
        format!(
            "<InstallableItem ID='{id}'><OriginFile Digest='AQEBAQEBAQEBAQEBAQEBAQEBAQE=' \
             FileName='{id}' Size='1' OriginUri='http://a/{id}'/></InstallableItem>"
        )
    };
    let items = format!("{}{}", item(&guid(9)), item("no id"));
    let package = packages(&sdp(&guid(1), "a", &items)).remove(0);
    let Placed::New { documents, .. } = Revisions::default().place(&package) else {
        panic!("is new")
    };
    let parse = |written: &Written| Document::parse(written.xml.as_bytes()).expect("parses");
    let [first, second, bundle] = &documents[3..] else { panic!("{documents:?}") };
    assert_eq!(parse(bundle).relations.bundled, [vec![first.update, second.update]]);
    let visible = [bundle, first].map(|d| parse(d).properties.is_explicitly_deployable);
    assert_eq!((visible, parse(second).files.len()), ([true, false], 1));
    assert_eq!(package.sources.len(), 2);
}

#[test]
fn broken_packages_are_rejected_one_by_one() {
    let item = "<InstallableItem/>";
    let nested = sdp(&guid(4), "outer", &format!("{item}{}", one(5, "inner")));
    let bad_file = "<InstallableItem><OriginFile Digest='?'/></InstallableItem>";
    let source = catalog(&[
        sdp("", "a", item),
        sdp("no-guid", "a", item),
        sdp(&guid(1), " ", item),
        sdp(&guid(2), "a", ""),
        sdp(&guid(3), "a", bad_file),
        format!("<Folder>{nested}</Folder>"),
    ]);
    let shown = |entry: &Entry| match entry {
        Entry::Rejected(rejected) => format!("{}: {}", rejected.place, rejected.reason),
        Entry::Package(package) => format!("{} {:?}", package.update.update.id, package.rejected),
    };
    let entries = read(source.as_bytes()).expect("is well-formed");
    expect![[r#"
        line 2, column 1: it has no PackageID
        line 3, column 1, package no-guid: PackageID: update id: "no-guid" is not a UUID
        line 4, column 1, package 00000000-0000-0000-0000-000000000001: it has no title
        line 5, column 1, package 00000000-0000-0000-0000-000000000002: it has no InstallableItem
        00000000-0000-0000-0000-000000000003 [Rejected { place: "line 6, column 1, package 00000000-0000-0000-0000-000000000003, OriginFile", reason: "FileName is missing" }]
        00000000-0000-0000-0000-000000000004 []
        00000000-0000-0000-0000-000000000005 []"#]].assert_eq(&entries.iter().map(shown).collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_ill_formed_catalog_is_refused_at_its_line_and_column() {
    let refused = |xml: &str| model::error_chain(&read(xml.as_bytes()).expect_err("is refused"));
    let source = catalog(&[one(1, "a")]);
    expect!["the XML is refused: line 3, column 3: not well-formed: ill-formed document: close tag `</oops>` does not match any open tag"].assert_eq(&refused(&format!("{source}\n  </oops>")));
    expect![
        "<html> is not a catalog: give a SystemsManagementCatalog or a SoftwareDistributionPackage"
    ]
    .assert_eq(&refused("<html/>"));
    assert!(read(&source.as_bytes()[..300]).is_err());
    let head = b"<SystemsManagementCatalog><a>".as_slice();
    let endless = BufReader::new(head.chain(std::io::repeat(b'x').take(1 << 30)));
    let error = read(endless).expect_err("is too large");
    assert!(model::error_chain(&error).contains("larger than"), "{error}");
}
