use expect_test::expect;

use super::*;
use crate::tests::empty;

#[test]
fn what_is_in_no_list() {
    let sound = Vector { required: vec![1], installed: vec![2], unjudged: vec![4], ..empty(1) };
    let failed = Vector { scan_error: Some("no disk".to_owned()), ..sound.clone() };
    let gap = Vector { gap: true, ..failed.clone() };
    let item = |number, since| LiveItem { number, since };
    let asked = [item(1, 9), item(2, 1), item(3, 5), item(3, 6), item(4, 5)];
    let mut text = String::new();
    for (name, vector) in
        [("none", None), ("sound", Some(&sound)), ("failed", Some(&failed)), ("gap", Some(&gap))]
    {
        text += &format!("{name}:");
        for item in asked {
            let (state, reason) = state_of(vector, item);
            let reason = reason.map_or(String::new(), |reason| format!(" ({})", reason.as_str()));
            text += &format!(" {}{reason};", state.as_str());
        }
        text += "\n";
    }
    expect![[r#"
        none: unknown (no report received); unknown (no report received); unknown (no report received); unknown (no report received); unknown (no report received);
        sound: required; installed; not_required; unknown (not scanned since the update arrived); unknown (the client could not judge it);
        failed: required; installed; unknown (scan failed); unknown (scan failed); unknown (the client could not judge it);
        gap: required; installed; unknown (part of the client's reports is missing); unknown (part of the client's reports is missing); unknown (the client could not judge it);
    "#]].assert_eq(&text);
    let counts = client_counts(Some(&sound), asked);
    assert_eq!(counts, StateCounts { required: 1, installed: 1, not_required: 1, unknown: 2 });
}
