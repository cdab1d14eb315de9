use super::*;

#[test]
fn english_is_part_of_every_choice() {
    let chosen = Languages::choose(["de", "PT-BR"]).expect("known");
    assert_eq!(chosen.tags(), ["de", "en", "pt-br"]);
    assert_eq!(chosen.to_string(), "de en pt-br");
    for (tag, wanted) in [("de", true), ("de-at", true), ("en", true), ("fr", false)] {
        assert_eq!(chosen.includes(tag), wanted, "{tag}");
    }
    assert!(!chosen.includes("pt"), "another language than Brazil's");
    assert!(chosen.includes("neutrallanguage"), "no language at all");
}

#[test]
fn no_choice_is_every_language() {
    let all = Languages::choose([]).expect("none is fine");
    assert_eq!((all, all.tags().len(), all.iter().count()), (Languages::ALL, 0, 38));
    assert!(all.includes("fr"));
    let unknown = Languages::choose(["tlh"]).expect_err("it is none of them");
    assert!(unknown.reason.starts_with("\"tlh\" is none of ar, bg, "), "{}", unknown.reason);
}
