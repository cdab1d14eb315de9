use expect_test::expect;
use rpc::pb::metadata::Document;

use super::*;

const NOW: i64 = 1_795_168_800_000;

/// A page of `count` documents of `bytes` each.
fn page(anchor: u64, count: usize, bytes: usize) -> FollowDocumentsResponse {
    let document = Document { xml: "x".repeat(bytes), ..Document::default() };
    FollowDocumentsResponse { anchor, documents: vec![document; count], ..Default::default() }
}

/// How often such a page is taken after such a wait, and why no more.
fn taken(held: Held, (count, bytes): (usize, usize), wait_ms: i64) -> String {
    let mut course = Course::new("SUP", 0, held);
    for number in 1..100_000 {
        let times = (Timestamp(NOW), Timestamp(NOW + wait_ms));
        if let Err(error) = course.take(&page(number, count, bytes), times) {
            return format!("{}: {}", number - 1, model::error_chain(&error));
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn a_stream_ends_that_drips_takes_too_long_or_brings_too_much() {
    let none = Held::default();
    expect!["1: SUP sent less than 16384 bytes in 60s"].assert_eq(&taken(none, (1, 100), 59_000));
    expect!["61: SUP did not end within 3600s"].assert_eq(&taken(none, (1, 20_000), 59_000));
    expect!["200: the answer of SUP is not understood: documents: are more than 200000"]
        .assert_eq(&taken(none, (1_000, 1), 0));
    expect!["536: the answer of SUP is not understood: documents: are more than 2147483648 bytes"]
        .assert_eq(&taken(none, (1, 4_000_000), 0));
    // What a copy has counts, or it would grow with each scan.
    let much = Held { documents: 199_990, bytes: 0 };
    expect!["10: the answer of SUP is not understood: documents: are more than 200000"]
        .assert_eq(&taken(much, (1, 1), 0));
    expect!["0: the answer of SUP is not understood: documents: are 1001 in one page"]
        .assert_eq(&taken(none, (1_001, 1), 0));
}

/// Symptom to be avoided: pages that bring nothing, one after the other, hold the client for ever.
#[test]
fn a_page_leads_on_from_the_last() {
    let at = (Timestamp(NOW), Timestamp(NOW));
    let mut course = Course::new("SUP", 7, Held::default());
    course.take(&page(8, 0, 0), at).expect("it was too large for us, and is left out");
    let error = course.take(&page(8, 0, 0), at).expect_err("it stands still");
    expect!["the answer of SUP is not understood: anchor: 8 does not lead on from 8"]
        .assert_eq(&model::error_chain(&error));
    let last = FollowDocumentsResponse { done: true, ..page(8, 0, 0) };
    course.take(&last, at).expect("the end may come at any time");
}
