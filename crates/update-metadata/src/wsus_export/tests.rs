use expect_test::expect;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn update(number: u128, revision: u32) -> UpdateRef {
    UpdateRef { id: UpdateId(Uuid::from_u128(number)), revision }
}

fn line(update: UpdateRef, xml: &str) -> String {
    let units = xml.encode_utf16().count();
    format!("{},{:08x},{units:08x},{xml}\r\n", update.id, update.revision)
}

fn read(text: &str) -> Result<Vec<(UpdateRef, String)>, Error> {
    // A small buffer, so that characters and lines lie across its ends.
    let mut reader = MetadataReader::new(std::io::BufReader::with_capacity(7, text.as_bytes()));
    let mut documents = Vec::new();
    while let Some(document) = reader.next_document()? {
        documents.push(document);
    }
    Ok(documents)
}

#[test]
fn a_package_lists_updates_and_where_files_are() {
    let xml = r#"<?xml version="1.0" encoding="utf-8"?>
        <ExportPackage ServerID="8B1B6CF2-0000-0000-0000-000000000001"
            CreationTime="2026-11-20T10:00:00Z" FormatVersion="1.0" ProtocolVersion="1.20">
          <Languages><Language Id="1033" ShortName="en" LongName="English" Enabled="1"/></Languages>
          <Files><File Digest="AQEBAQEBAQEBAQEBAQEBAQEBAQE=" MUUrl="http://a/b.cab" Name="b.cab"/>
            <File Digest="?" MUUrl="http://a/c.cab" Name="c.cab"/></Files>
          <Updates><Update UpdateId="00000000-0000-0000-0000-000000000001" RevisionNumber="100">
            <Files><File Digest="AQEBAQEBAQEBAQEBAQEBAQEBAQE="/></Files>
            <Categories><Category Value="x"/></Categories><Classifications/></Update></Updates>
        </ExportPackage>"#;
    let mut reader = PackageReader::new(xml.as_bytes());
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().expect("reads") {
        entries.push(format!("{entry:?}"));
    }
    expect![[r#"
        Header { server_id: "8b1b6cf2-0000-0000-0000-000000000001", created_at: "2026-11-20T10:00:00Z" }
        Source(FileSource { sha1: Sha1(0101010101010101010101010101010101010101), url: "http://a/b.cab" })
        Listed(UpdateRef { id: 00000000-0000-0000-0000-000000000001, revision: 100 })"#]]
    .assert_eq(&entries.join("\n"));
    let refused = PackageReader::new(&b"<html/>"[..]).next_entry().expect_err("is none");
    expect!["line 1, column 1: <html> is no export package; export it again"]
        .assert_eq(&refused.to_string());
}

#[test]
fn documents_are_told_apart_by_their_lengths() {
    let given = [(update(1, 1), "<a>\r\n,</a>"), (update(2, 0x65), "<ä>\u{1f600}</ä>")];
    let text: String = given.iter().map(|(update, xml)| line(*update, xml)).collect();
    let read_back = read(&format!("\u{feff}{text}")).expect("reads");
    let read_back: Vec<_> = read_back.iter().map(|(u, xml)| (*u, xml.as_str())).collect();
    assert_eq!(read_back, given);
    assert_eq!(read("").expect("reads"), []);
    let reasons = [
        text[..text.len() - 3].to_owned(),
        text.replace("00000009", "00000008"),
        text.replace("00000009", "ffffffff"),
        "no export at all".to_owned(),
        "1,2,3,".to_owned(),
    ];
    let reasons = reasons.map(|text| read(&text).expect_err("is refused").to_string());
    expect![[r#"
        metadata.txt, document 2: its document is cut off; export it again
        metadata.txt, document 2: its document is longer than it says; export it again
        metadata.txt, document 2: its length is none, or more than 32 MiB; export it again
        metadata.txt, document 1: its id, revision and length are not there; export it again
        metadata.txt, document 1: its id or revision is none; export it again"#]]
    .assert_eq(&reasons.join("\n"));
}

proptest! {
    #[test]
    fn any_documents_come_back(documents in prop::collection::vec(any::<String>(), 0..8)) {
        let given: Vec<_> = (1..).map(|n| update(n, 7)).zip(&documents).collect();
        let text: String = given.iter().map(|(update, xml)| line(*update, xml)).collect();
        let read = read(&text).expect("reads");
        prop_assert_eq!(read, given.iter().map(|(u, x)| (*u, (*x).clone())).collect::<Vec<_>>());
    }

    #[test]
    fn anything_is_read_without_panic(text in any::<String>()) {
        let _ = read(&text);
        let _ = read(&format!("00000000-0000-0000-0000-000000000001,00000001,{text}"));
        let mut package = PackageReader::new(text.as_bytes());
        while let Ok(Some(_)) = package.next_entry() {}
    }
}

/// Bytes that go on with a character count as nothing, so there could be any number of them.
#[test]
fn a_document_without_end_is_refused() {
    let head = b"12345678-0000-4000-8000-000000000001,00000001,00000002,".to_vec();
    let endless = std::io::Read::chain(&head[..], std::io::repeat(0x80));
    let mut reader = MetadataReader::new(std::io::BufReader::new(endless));
    let refused = reader.next_document().expect_err("is refused").to_string();
    assert!(refused.contains("larger than 32 MiB"), "{refused}");
}
