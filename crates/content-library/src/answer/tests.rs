use expect_test::expect;
use http::header::HOST;
use proptest::prelude::*;

use super::*;

const FILE: ServedFile = ServedFile { size: 1_000, sha256: Sha256([0xab; 32]) };

fn plan(method: &Method, lines: &[(HeaderName, &str)], file: ServedFile) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    plan_answer(method, &headers, file)
}

/// Status, length and ranges of the answers to Range headers.
fn served(file: ServedFile, ranges: &[&str]) -> String {
    let mut seen = String::new();
    for range in ranges {
        let answer = plan(&Method::GET, &[(RANGE, range)], file);
        let length = answer.headers[CONTENT_LENGTH].to_str().expect("text");
        let parts: Vec<_> = answer.parts.iter().map(|part| part.range.clone()).collect();
        seen += &format!("{range} => {} {length} {parts:?}\n", answer.status.as_u16());
    }
    seen
}

#[test]
fn ranges_of_a_file() {
    let well_formed = [
        "bytes=0-0",
        "bytes=0-999",
        "bytes=990-",
        "Bytes = 990-5000",
        "bytes=-10",
        "bytes=-5000",
        "bytes=0-1, 5-6,",
        "bytes=0-9,2000-",
    ];
    expect![[r#"
        bytes=0-0 => 206 1 [0..1]
        bytes=0-999 => 206 1000 [0..1000]
        bytes=990- => 206 10 [990..1000]
        Bytes = 990-5000 => 206 10 [990..1000]
        bytes=-10 => 206 10 [990..1000]
        bytes=-5000 => 206 1000 [0..1000]
        bytes=0-1, 5-6, => 206 264 [0..2, 5..7, 0..0]
        bytes=0-9,2000- => 206 10 [0..10]
    "#]]
    .assert_eq(&served(FILE, &well_formed));
    let refused = [
        "bytes=1000-",
        "bytes=-0",
        "bytes=99999999999999999999-99999999999999999999",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=+1-2",
        "bytes=--1",
        "bytes=",
        "bytes",
        "bytes=\u{fc}",
    ];
    expect![[r#"
        bytes=1000- => 416 0 []
        bytes=-0 => 416 0 []
        bytes=99999999999999999999-99999999999999999999 => 416 0 []
        bytes=5-2 => 400 0 []
        bytes=a-b => 400 0 []
        bytes=+1-2 => 400 0 []
        bytes=--1 => 400 0 []
        bytes= => 400 0 []
        bytes => 400 0 []
        bytes=ü => 400 0 []
    "#]]
    .assert_eq(&served(FILE, &refused));
    let many = format!("bytes={}", ",0-".repeat(17));
    expect![[r#"
        lines=1-2 => 200 1000 [0..1000]
        bytes=0-900,0-900 => 200 1000 [0..1000]
        bytes=,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0- => 200 1000 [0..1000]
    "#]]
    .assert_eq(&served(FILE, &["lines=1-2", "bytes=0-900,0-900", &many]));
    expect![[r#"
        bytes=0- => 416 0 []
        bytes=-1 => 416 0 []
    "#]]
    .assert_eq(&served(ServedFile { size: 0, ..FILE }, &["bytes=0-", "bytes=-1"]));
}

#[test]
fn methods_and_conditions() {
    let tag = format!("\"{}\"", FILE.sha256);
    let weak = format!("W/{tag}");
    let both = format!("\"other\", {tag}");
    let range = (RANGE, "bytes=0-9");
    let status = |method: &Method, lines: &[(HeaderName, &str)]| {
        let answer = plan(method, lines, FILE);
        assert_eq!(answer.headers[ETAG], tag.as_str());
        (answer.status.as_u16(), answer.parts.len())
    };
    assert_eq!(status(&Method::GET, &[(HOST, "point")]), (200, 1));
    assert_eq!(status(&Method::HEAD, std::slice::from_ref(&range)), (200, 0));
    assert_eq!(status(&Method::POST, &[]), (405, 0));
    for tags in ["*", &tag, &weak, &both] {
        assert_eq!(status(&Method::GET, &[(IF_NONE_MATCH, tags), range.clone()]), (304, 0));
    }
    assert_eq!(status(&Method::GET, &[(IF_NONE_MATCH, "\"other\"")]), (200, 1));
    assert_eq!(status(&Method::GET, &[(IF_RANGE, &tag), range.clone()]), (206, 1));
    for other in [&weak, "\"other\"", "Sat, 01 Jan 2000 00:00:00 GMT"] {
        assert_eq!(status(&Method::GET, &[(IF_RANGE, other), range.clone()]), (200, 1));
    }
    let head = plan(&Method::HEAD, &[], FILE);
    assert_eq!(head.headers[CONTENT_LENGTH], "1000");
    assert_eq!(head.headers[ACCEPT_RANGES], "bytes");
}

#[test]
fn several_ranges_make_a_multipart_body() {
    let answer = plan(&Method::GET, &[(RANGE, "bytes=0-1,-2")], FILE);
    let heads: Vec<u8> = answer.parts.iter().flat_map(|part| part.head.to_vec()).collect();
    expect![[r#"
        --abababababababababababababababab
        Content-Type: application/octet-stream
        Content-Range: bytes 0-1/1000


        --abababababababababababababababab
        Content-Type: application/octet-stream
        Content-Range: bytes 998-999/1000


        --abababababababababababababababab--
    "#]]
    .assert_eq(&String::from_utf8(heads).expect("text").replace('\r', ""));
    let kind = "multipart/byteranges; boundary=abababababababababababababababab";
    assert_eq!(answer.headers[CONTENT_TYPE], kind);
}

#[test]
fn an_answer_says_where_it_begins() {
    let asked = ask_from("/file", 7).body(()).expect("a request");
    assert_eq!(asked.headers()[RANGE], "bytes=7-");
    assert!(ask_from("/file", 0).body(()).expect("a request").headers().is_empty());
    let first = |status: u16, range: &str| {
        let answer = Response::builder().status(status).header(CONTENT_RANGE, range);
        first_byte(&answer.body(()).expect("an answer"), 7)
    };
    assert_eq!(first(200, ""), Some(0));
    assert_eq!(first(206, "bytes 7-9/10"), Some(7));
    for (status, range) in [(206, "bytes 70-90/100"), (206, ""), (404, ""), (416, "bytes */5")] {
        assert_eq!(first(status, range), None, "{status} {range}");
    }
}

proptest! {
    #[test]
    fn what_is_served_is_in_the_file_and_as_long_as_announced(
        range in prop_oneof![
            ".{0,40}",
            "bytes=[0-9 ,+-]{0,60}",
            "bytes=([0-9]{0,3}-[0-9]{0,4},){1,20}",
        ],
        size in 0_u64..2_000,
    ) {
        let Ok(value) = HeaderValue::from_bytes(range.as_bytes()) else { return Ok(()) };
        let headers = HeaderMap::from_iter([(RANGE, value)]);
        let answer = plan_answer(&Method::GET, &headers, ServedFile { size, ..FILE });
        let mut length = 0;
        for Part { head, range } in &answer.parts {
            prop_assert!(range.start <= range.end && range.end <= size, "{answer:?}");
            length += head.len() as u64 + range.end - range.start;
        }
        let announced = answer.headers[CONTENT_LENGTH].to_str().expect("text").parse();
        prop_assert_eq!(announced, Ok(length));
        prop_assert!(length <= size + 200 * (limits::RANGES_MAX as u64 + 1), "{answer:?}");
    }
}
