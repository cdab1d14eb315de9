use uuid::Uuid;

use super::*;

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn choice(products: &[u128], languages: &[&str]) -> Choice {
    Choice {
        products: products.iter().map(|number| id(*number)).collect(),
        classifications: products.iter().take(1).map(|_| id(100)).collect(),
        languages: Languages::choose(languages.iter().copied()).expect("known"),
    }
}

/// The deltas of products, classifications and languages, if an anchor is sent at all.
fn deltas(now: &Choice, before: &Choice) -> Option<[Vec<bool>; 3]> {
    let filter = now.filter(Some((before, "a")));
    filter.anchor.as_ref()?;
    let of = |list: Option<Vec<Selected<Uuid>>>| {
        list.unwrap_or_default().iter().map(|s| s.delta).collect::<Vec<_>>()
    };
    let languages = filter.languages.unwrap_or_default().iter().map(|s| s.delta).collect();
    Some([of(filter.categories), of(filter.classifications), languages])
}

#[test]
fn what_was_asked_for_before_is_a_delta_and_what_is_new_is_not() {
    let one = choice(&[1], &["de"]);
    assert_eq!(deltas(&one, &one), Some([vec![true], vec![true], vec![true, true]]));
    let two = choice(&[1, 2], &["de", "fr"]);
    let wider = [vec![true, false], vec![true], vec![true, true, false]];
    assert_eq!(deltas(&two, &one), Some(wider));
    assert_eq!(deltas(&one, &two), Some([vec![true], vec![true], vec![true, true]]));
    let everything = choice(&[], &[]);
    let narrowed = [vec![true], vec![true], vec![true, true]];
    assert_eq!(deltas(&one, &everything), Some(narrowed), "it was all followed before");
    assert_eq!(deltas(&everything, &one), None, "the rest of it was never asked for");
    assert_eq!(deltas(&choice(&[1], &[]), &one), None, "nor in other languages");
    assert_eq!(one.filter(None).anchor, None);
    assert!(one.filter(None).categories.expect("listed").iter().all(|s| !s.delta));
}

#[test]
fn what_is_kept_is_read_back() {
    for choice in [choice(&[], &[]), choice(&[1, 2], &["de"]), choice(&[3], &[])] {
        let (source, anchor) = ("- http://up:8530".to_owned(), "1\n2".to_owned());
        let followed = Followed { source, choice, anchor };
        assert_eq!(Followed::parse(&followed.to_string()), Some(followed));
    }
    assert_eq!(Followed::parse("- http://up:8530\n17"), None);
}
