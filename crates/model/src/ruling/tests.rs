use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const UPDATE: UpdateId = UpdateId(Uuid::from_u128(1));
const CLEANED: Cleaned = Cleaned { revision: 200, number: 7, version: 3 };

fn ruling(verdict: Verdict) -> Ruling {
    Ruling::new(UPDATE, verdict, "ann", Timestamp(1))
}

fn verdict(ruled: &Ruled) -> String {
    match ruled {
        Ruled::Unchanged => "unchanged".to_owned(),
        Ruled::Removed => "removed".to_owned(),
        Ruled::Put(Ruling { verdict, cleaned, is_superseded, .. }) => {
            let rule = if *is_superseded && *verdict != Verdict::Superseded { " too" } else { "" };
            let gone = if cleaned.is_some() { ", gone" } else { "" };
            format!("{}{rule}{gone}", verdict.as_str())
        }
    }
}

/// Every ruling against everything that can happen to it.
///
/// Symptom: an update that the rule had ruled out, and an administrator declined, was offered again
/// in its next revision. Cause: declining what was ruled out changed nothing, and the rule's word
/// ends with the revision. Repair: the administrator's word takes its place.
#[test]
fn rulings_change_by_this_table() {
    let mut table = String::new();
    let both = Ruling { is_superseded: true, ..ruling(Verdict::Declined) };
    let held = Verdict::ALL.map(ruling).into_iter().chain([both]);
    let held = held.flat_map(|r| [r.clone(), Ruling { cleaned: Some(CLEANED), ..r }]);
    for held in held {
        let by_rule = ruling(Verdict::Superseded);
        let cells = [
            Ruling::decline(Some(&held), ruling(Verdict::Declined)),
            Ruling::decline(Some(&held), by_rule),
            held.reinstate("bob", Timestamp(2)),
            held.renewed(),
        ];
        let [declined, superseded, reinstated, renewed] = cells.map(|cell| verdict(&cell));
        let held = verdict(&Ruled::Put(held));
        table += &format!("{held} | {declined} | {superseded} | {reinstated} | {renewed}\n");
    }
    expect_test::expect![[r#"
        declined | unchanged | declined too | removed | unchanged
        declined, gone | unchanged | declined too, gone | kept, gone | declined
        superseded | declined too | unchanged | kept | removed
        superseded, gone | declined too, gone | unchanged | kept, gone | removed
        expired | declined | superseded | kept | removed
        expired, gone | declined, gone | unchanged | kept, gone | removed
        kept | declined | unchanged | unchanged | unchanged
        kept, gone | declined, gone | unchanged | unchanged | kept
        declined too | unchanged | unchanged | kept | declined
        declined too, gone | unchanged | unchanged | kept, gone | declined
    "#]]
    .assert_eq(&table);
    assert_eq!(
        verdict(&Ruling::decline(None, ruling(Verdict::Superseded))),
        "superseded",
        "nothing was ruled"
    );
}

proptest! {
    /// Whatever is done while an update is gone, it gets its number back.
    #[test]
    fn what_is_gone_keeps_its_number(
        first in 0..4_usize, deeds in prop::collection::vec(0..3_u8, 0..20),
    ) {
        let mut held = Ruling { cleaned: Some(CLEANED), ..ruling(Verdict::ALL[first]) };
        for deed in deeds {
            let ruled = match deed {
                0 => Ruling::decline(Some(&held), ruling(Verdict::Declined)),
                1 => Ruling::decline(Some(&held), ruling(Verdict::Superseded)),
                _ => held.reinstate("bob", Timestamp(2)),
            };
            prop_assert_ne!(&ruled, &Ruled::Removed);
            if let Ruled::Put(next) = ruled {
                held = next;
            }
            prop_assert_eq!(held.cleaned, Some(CLEANED));
            prop_assert_eq!(held.dropped().is_none(), held.verdict == Verdict::Kept);
        }
    }
}
