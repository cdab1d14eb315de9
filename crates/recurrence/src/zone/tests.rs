use expect_test::expect;

use super::*;

#[test]
fn a_civil_time_is_found_also_where_the_clock_skips_or_repeats_it() {
    let berlin = Zone::named("Europe/Berlin").expect("a zone");
    let shown =
        ["2027-03-28T02:30:00Z", "2026-10-25T02:30:00Z", "2026-11-20T22:00:00Z"].map(|civil| {
            let moment = berlin.moment(civil.parse().expect("a time"));
            format!("{} = {moment}\n", berlin.show(moment))
        });
    expect![[r#"
        Sun 2027-03-28 03:00 CEST = 2027-03-28T01:00:00.000Z
        Sun 2026-10-25 02:30 CEST = 2026-10-25T00:30:00.000Z
        Fri 2026-11-20 22:00 CET = 2026-11-20T21:00:00.000Z
    "#]]
    .assert_eq(&shown.concat());
}

#[test]
fn a_clock_that_is_nowhere_yet_says_so() {
    let shown = Zone::of_any_client().show(Timestamp(1_795_168_800_000));
    expect!["Fri 2026-11-20 10:00 client"].assert_eq(&shown);
}

#[test]
fn what_a_clock_shows_leads_back_to_the_moment() {
    let berlin = Zone::named("Europe/Berlin").expect("a zone");
    let shown = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2027-03-28T01:00:00Z"];
    let shown = shown.map(|moment| {
        let civil = berlin.civil_time(moment.parse().expect("a time"));
        format!("{moment}: {civil}, first at {}\n", berlin.moment(civil))
    });
    expect![[r#"
        2026-10-25T00:30:00Z: 2026-10-25T02:30:00.000Z, first at 2026-10-25T00:30:00.000Z
        2026-10-25T01:30:00Z: 2026-10-25T02:30:00.000Z, first at 2026-10-25T00:30:00.000Z
        2027-03-28T01:00:00Z: 2027-03-28T03:00:00.000Z, first at 2027-03-28T01:00:00.000Z
    "#]]
    .assert_eq(&shown.concat());
}
