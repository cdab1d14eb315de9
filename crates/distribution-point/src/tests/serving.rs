use expect_test::expect;

use super::*;

#[tokio::test]
async fn ranges_are_answered_over_a_real_socket() {
    let (directory, site) = (tempfile::tempdir().expect("a directory"), FakeContents::default());
    let content = Bytes::from_static(b"0123456789abcdef");
    site.script().files = vec![content.clone()];
    site.distribute(2, &["setup.exe"], &[]);
    let point = start(&site, directory.path(), &Arc::new(ManualClock::at(0))).await;
    until_reported(&site, "2 installed 1 files 16 bytes").await;
    let hash = sha256(&content).to_string();
    let tag = format!("\"{hash}\"");
    let (by_hash, by_name) =
        (format!("/content/sha256/{hash}"), "/content/CAS00001/2/setup.exe".to_owned());
    let mut table = String::new();
    for (port, method, path, headers) in [
        ("http", "GET", &by_hash, String::new()),
        ("https", "GET", &by_name, String::new()),
        ("http", "GET", &by_name, String::new()),
        ("https", "GET", &"/content/CAS00001/1/setup.exe".to_owned(), String::new()),
        ("http", "GET", &format!("/content/sha256/{}", "0".repeat(64)), String::new()),
        ("http", "GET", &"/content/sha256/..".to_owned(), String::new()),
        ("http", "HEAD", &by_hash, String::new()),
        ("http", "GET", &by_hash, "Range: bytes=4-7".to_owned()),
        ("http", "GET", &by_hash, "Range: bytes=12-".to_owned()),
        ("http", "GET", &by_hash, "Range: bytes=-2".to_owned()),
        ("http", "GET", &by_hash, "Range: bytes=16-".to_owned()),
        ("http", "GET", &by_hash, format!("Range: bytes=0-1\r\nIf-Range: {tag}")),
        ("http", "GET", &by_hash, "Range: bytes=0-1\r\nIf-Range: \"other\"".to_owned()),
        ("http", "GET", &by_hash, format!("If-None-Match: {tag}")),
        ("http", "POST", &by_hash, String::new()),
    ] {
        let address = if port == "http" { &point.http } else { &point.https };
        let separator = if headers.is_empty() { "" } else { "\r\n" };
        let request = format!("{method} {path} HTTP/1.1{separator}{headers}");
        let (status, head, body) = ask(address, &request).await;
        let header = |name: &str| {
            let line = head.lines().find(|line| line.starts_with(&format!("{name}: ")));
            line.map_or("-", |line| &line[name.len() + 2..]).to_owned()
        };
        let (length, range) = (header("content-length"), header("content-range"));
        let asked = format!("{port} {method} {path} {headers}").replace(&hash, "HASH");
        let body = if status < 400 { String::from_utf8_lossy(&body) } else { "…".into() };
        table += &format!("{} = {status} {length} {range} {body}\n", asked.replace("\r\n", " "));
    }
    expect![[r#"
        http GET /content/sha256/HASH  = 200 16 - 0123456789abcdef
        https GET /content/CAS00001/2/setup.exe  = 200 16 - 0123456789abcdef
        http GET /content/CAS00001/2/setup.exe  = 404 0 - …
        https GET /content/CAS00001/1/setup.exe  = 404 27 - …
        http GET /content/sha256/0000000000000000000000000000000000000000000000000000000000000000  = 404 27 - …
        http GET /content/sha256/..  = 404 27 - …
        http HEAD /content/sha256/HASH  = 200 16 - 
        http GET /content/sha256/HASH Range: bytes=4-7 = 206 4 bytes 4-7/16 4567
        http GET /content/sha256/HASH Range: bytes=12- = 206 4 bytes 12-15/16 cdef
        http GET /content/sha256/HASH Range: bytes=-2 = 206 2 bytes 14-15/16 ef
        http GET /content/sha256/HASH Range: bytes=16- = 416 0 bytes */16 …
        http GET /content/sha256/HASH Range: bytes=0-1 If-Range: "HASH" = 206 2 bytes 0-1/16 01
        http GET /content/sha256/HASH Range: bytes=0-1 If-Range: "other" = 200 16 - 0123456789abcdef
        http GET /content/sha256/HASH If-None-Match: "HASH" = 304 - - 
        http POST /content/sha256/HASH  = 405 0 - …
    "#]].assert_eq(&table);
    point.stop().await;
}
