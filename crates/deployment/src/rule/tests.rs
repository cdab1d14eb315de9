//! Rules beside what they should do.

use compliance::LiveItem;
use model::Style;
use uuid::Uuid;

use super::*;
use crate::UpdateRow;

const DAY: i64 = DAY_MS;
/// Sunday, 2001-09-09 01:46:40.
const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn code(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a good code")
}

fn id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

fn rule() -> Rule {
    Rule { name: "Patches".to_owned(), ..blank_rule(code("PR100001"), code("PR100002")) }
}

fn seen(at: i64, catalog: u64, inputs: u8) -> RuleMemory<u8> {
    RuleMemory { at: Timestamp(at), catalog, inputs }
}

#[test]
fn a_rule_runs_after_a_synchronization_and_when_its_inputs_change() {
    let on_change = Rule { evaluate: Evaluate::OnChange, ..rule() };
    let asked = |rule: &Rule, here| due(rule, &seen(0, 1, 1), &here);
    assert_eq!(asked(&on_change, seen(9, 1, 1)), None);
    assert_eq!(asked(&on_change, seen(9, 2, 1)), Some(RunReason::Synchronization));
    // Nothing new was synchronized, but more computers require what is here (PAIN-11).
    let hour = 60 * MINUTE_MS;
    assert_eq!(asked(&on_change, seen(hour, 1, 2)), Some(RunReason::Inputs));
    assert_eq!(asked(&on_change, seen(hour - 1, 1, 2)), None, "not every moment");
    assert_eq!(asked(&Rule { is_enabled: false, ..on_change }, seen(9, 2, 2)), None);
    assert_eq!(asked(&rule(), seen(9, 2, 2)), None, "by hand alone");
}

#[test]
fn a_schedule_counts_from_the_last_run() {
    let weekly = Rule { evaluate: Evaluate::At("0 2 * * MON in UTC".to_owned()), ..rule() };
    let next = next_run(&weekly, NOW).expect("a Monday");
    assert_eq!(next.to_string(), "2001-09-10T02:00:00.000Z");
    let at = |here: i64| due(&weekly, &seen(NOW.0, 1, 1), &seen(here, 2, 2));
    assert_eq!(at(next.0 - 1), None);
    assert_eq!(at(next.0), Some(RunReason::Schedule));
    // Whatever was missed while nobody looked comes once.
    assert_eq!(at(next.0 + 30 * DAY), Some(RunReason::Schedule));
    assert_eq!(next_run(&rule(), NOW), None);
}

#[test]
fn every_built_in_template_makes_a_rule_that_can_run() {
    for name in BUILT_IN {
        let rule = built_in_template(name, rule()).expect("a template");
        let query = Query::parse(&rule.filter, &crate::UPDATES).expect("a filter");
        assert!(query.asks_for("superseded"), "{name} says what it does with them");
        if let Evaluate::At(text) = &rule.evaluate {
            assert_eq!(&text.parse::<Recurrence>().expect("a recurrence").to_string(), text);
        }
        assert_eq!((rule.style, rule.deployments.len()), (Style::Rule, 1), "{name}");
    }
    let definitions = built_in_template("definitions", rule()).expect("a template");
    assert_eq!(
        (definitions.group_use, definitions.evaluate),
        (GroupUse::Refill, Evaluate::OnChange)
    );
    let monthly = built_in_template("patch-tuesday", rule()).expect("a template");
    let next = next_run(&monthly, NOW).expect("a Wednesday").to_string();
    assert_eq!((monthly.group_use, next.as_str()), (GroupUse::New, "2001-09-12T02:00:00.000Z"));
    assert_eq!(built_in_template("monthly", rule()), None);
}

/// Rows of flags in the order of the vocabulary: superseded, expired, declined, third party,
/// metadata only, license; and of languages.
fn index(rows: &[([bool; 6], &[&str])]) -> UpdateIndex {
    let row = |(number, (flags, languages)): (u32, &([bool; 6], &[&str]))| UpdateRow {
        id: id(number.into()),
        live: LiveItem { number, since: 1 },
        title: String::new(),
        description: String::new(),
        released: NOW,
        size_kb: 0,
        lists: std::array::from_fn(|place| match place {
            10 => languages.iter().map(|tag| (*tag).to_owned()).collect(),
            _ => Vec::new(),
        }),
        flags: *flags,
    };
    (0..).zip(rows).map(row).collect()
}

fn matched(rule: &Rule, filter: &str, index: &UpdateIndex) -> Matched {
    let (deployed, groups) = Default::default();
    let around = Surroundings { now: NOW, board: None, deployed: &deployed, groups: &groups };
    let filter = Query::parse(filter, &crate::UPDATES).expect("a filter");
    matching(rule, &filter, index, &around).expect("nothing is counted")
}

#[test]
fn a_rule_never_takes_what_cannot_be_deployed() {
    let mut rows = vec![([false; 6], &[][..])];
    rows.extend((0..6).map(|flag| (std::array::from_fn(|place| place == flag), &[][..])));
    let index = index(&rows);
    // Rows 1 to 6: superseded, expired, declined, third party, metadata only, with a license.
    let taken = |rule: &Rule, filter| matched(rule, filter, &index).updates;
    let every = "size = 0";
    assert_eq!(taken(&rule(), every), [id(0), id(4), id(6)]);
    let named = "superseded or expired or declined or metadata_only";
    assert_eq!(taken(&rule(), named), [id(1)], "superseded ones only if the filter says so");
    let free = Rule { only_without_license: true, ..rule() };
    assert_eq!(taken(&free, every), [id(0), id(4)]);
}

#[test]
fn an_update_for_other_languages_alone_is_left_out_and_named() {
    let plain = [false; 6];
    let index = index(&[(plain, &[]), (plain, &["en", "de"]), (plain, &["ja"])]);
    let german = Rule { languages: vec!["de".to_owned()], ..rule() };
    let found = matched(&german, "size = 0", &index);
    assert_eq!(found, Matched { updates: vec![id(0), id(1)], other_languages: vec![id(2)] });
    assert_eq!(matched(&rule(), "size = 0", &index).updates.len(), 3, "none chosen: all");
}

#[test]
fn a_group_that_is_filled_again_keeps_four_definitions_of_each_product() {
    let row = |number: u32| UpdateRow {
        id: id(number.into()),
        live: LiveItem { number, since: 1 },
        title: String::new(),
        description: String::new(),
        released: NOW.plus_ms(i64::from(number)),
        size_kb: 0,
        lists: std::array::from_fn(|place| match (place, number) {
            (5, 0) => vec!["Updates".to_owned()],
            (5, _) => vec!["Definition Updates".to_owned()],
            // The first is the only one of another product, too.
            (6, 1) => vec!["Defender".to_owned(), "Endpoint".to_owned()],
            (6, _) => vec!["Defender".to_owned()],
            _ => Vec::new(),
        }),
        // All but the newest are superseded.
        flags: [number < 7, false, false, false, false, false],
    };
    let index: UpdateIndex = (0..8).map(row).collect();
    let refilled = built_in_template("definitions", rule()).expect("a template");
    let numbers = [1, 4, 5, 6, 7].map(id);
    assert_eq!(matched(&refilled, &refilled.filter, &index).updates, numbers);
    let new_each_time = Rule { group_use: GroupUse::New, ..refilled.clone() };
    assert_eq!(matched(&new_each_time, &refilled.filter, &index).updates.len(), 7);
}

#[test]
fn too_many_updates_fail_or_are_split() {
    let updates: Vec<UpdateId> = (0..5).map(id).collect();
    assert_eq!(parts(&rule(), &updates, 4), Err(TooMany { count: 5, limit: 4 }));
    assert_eq!(parts(&rule(), &updates, 5).map(|parts| parts.len()), Ok(1));
    let splitting = Rule { splits: true, ..rule() };
    let split = parts(&splitting, &updates, 2).expect("they are split");
    assert_eq!(split.concat(), updates);
    assert_eq!(split.len(), 3);
    assert_eq!(parts(&rule(), &[], 2), Ok(Vec::new()));
}

#[test]
fn times_count_from_the_beginning_of_the_run() {
    let due = |due: &Due| resolve(due, NOW).to_string();
    assert_eq!(due(&Due::Asap), "2001-09-09T01:46:40.000Z");
    assert_eq!(due(&Due::After { minutes: 90 }), "2001-09-09T03:16:40.000Z");
    assert_eq!(due(&Due::At { days: 7, minute_of_day: 120 }), "2001-09-16T02:00:00.000Z");
    assert_eq!(due(&Due::At { days: 0, minute_of_day: 60 }), "2001-09-09T01:46:40.000Z");
}

#[test]
fn a_deployment_keeps_what_was_changed_of_it_and_gets_new_times() {
    let rule = rule();
    let filling = Filling { rule: &rule, started_at: NOW, part: 2, parts: 3, is_same: false };
    assert_eq!(filling.group_name(), "Patches 2001-09-09 01:46 (2 of 3)");
    let order = blank_deployment(code("PR100002"));
    let (group, made_as) = (code("PR100003"), DeploymentId(Uuid::from_u128(9)));
    let made = filling.deployment(&order, (made_as, &group), None);
    assert_eq!((made.name.as_str(), made.enabled), ("Patches (2 of 3)", true));
    assert_eq!(made.deadline, Some(NOW.plus_ms(7 * DAY)));
    assert_eq!(made.origin, Origin::Rule(rule.code.clone()));

    let wider = Deployment { collection: code("SMS00001"), enabled: false, ..made };
    let later = Filling { started_at: NOW.plus_ms(DAY), ..filling };
    let again = later.deployment(&order, (made_as, &group), Some(wider.clone()));
    let times = (NOW.plus_ms(DAY), Some(NOW.plus_ms(8 * DAY)));
    assert_eq!((again.available_at, again.deadline), times);
    assert_eq!(Deployment { available_at: NOW, deadline: wider.deadline, ..again }, wider);
    // What was deployed already has its times, or its deadline would never come.
    let same = Filling { is_same: true, ..later };
    assert_eq!(same.deployment(&order, (made_as, &group), Some(wider.clone())), wider);
    let new = same.deployment(&order, (made_as, &group), None);
    assert_eq!((new.available_at, new.deadline), times, "made again");
}

#[test]
fn a_stage_says_how_far_deployments_go() {
    let (order, group) = (blank_deployment(code("PR100002")), code("PR100003"));
    let made = |stage| {
        let rule = Rule { stage, ..rule() };
        let filling = Filling { rule: &rule, started_at: NOW, part: 1, parts: 1, is_same: false };
        let made = filling.deployment(&order, (DeploymentId(Uuid::nil()), &group), None);
        (made.enabled, made.effect)
    };
    assert_eq!(made(Stage::Deploy), (true, Effect::Install));
    assert_eq!(made(Stage::Content), (false, Effect::Install));
    assert_eq!(made(Stage::Report), (true, Effect::Report));
}
