use super::*;

fn key(first: i64) -> Key {
    Key { audience: None, protocols: [true, true], wanted: vec![first, 2, 3] }
}

fn page(bytes: usize) -> Page {
    Page { text: vec![b'x'; bytes].into(), told: 2 }
}

#[test]
fn a_page_is_kept_when_it_was_asked_for_twice() {
    let (pages, graph) = (Pages::default(), Arc::default());
    pages.keep(&graph, key(1), &page(10));
    assert!(pages.find(&graph, &key(1)).is_none());
    pages.keep(&graph, key(1), &page(10));
    let found = pages.find(&graph, &key(1)).expect("is kept");
    assert_eq!((found.text.len(), found.told), (10, 2));
    for other in [
        key(4),
        Key { audience: Some(7), ..key(1) },
        Key { protocols: [true, false], ..key(1) },
        Key { wanted: vec![1, 2], ..key(1) },
    ] {
        assert!(pages.find(&graph, &other).is_none(), "{other:?}");
    }
}

#[test]
fn another_catalog_has_other_pages() {
    let (pages, graph) = (Pages::default(), Arc::default());
    for _ in 0..2 {
        pages.keep(&graph, key(1), &page(10));
    }
    assert!(pages.find(&graph, &key(1)).is_some());
    assert!(pages.find(&Arc::default(), &key(1)).is_none());
    assert!(pages.find(&graph, &key(1)).is_none(), "it went with the catalog it was of");
}

#[test]
fn no_more_is_kept_than_there_is_room() {
    let (pages, graph) = (Pages::default(), Arc::default());
    for number in 1..=5 {
        for _ in 0..2 {
            pages.keep(&graph, key(number), &page(limits::PAGES_BYTES_MAX / 4));
        }
    }
    let kept = (1..=5).filter(|number| pages.find(&graph, &key(*number)).is_some());
    assert_eq!(kept.collect::<Vec<_>>(), [1, 2, 3], "the keys take room, too");
}
