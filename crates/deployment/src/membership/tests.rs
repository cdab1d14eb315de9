//! Memberships against a slow evaluator that looks at one client and one condition at a time.

use std::collections::BTreeMap;

use compliance::{Board, LiveItem, Roster};
use expect_test::{Expect, expect};
use model::{
    ALL_DESKTOPS, ALL_MOBILE, ALL_SYSTEMS, ALL_UNKNOWN, ClientId, ClientKind, ClientRecord,
    Collection, CollectionRule, ComplianceState, ObjectCode, SiteCode, Timestamp, Vector,
};
use proptest::prelude::*;
use query::{Fact, Facts, Query};
use uuid::Uuid;

use super::*;
use crate::collection::fact;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const NOW: Timestamp = Timestamp(100 * DAY_MS);

fn code(number: usize) -> ObjectCode {
    ObjectCode::new(&format!("PR1{number:05X}")).expect("a good code")
}

fn built_in_code(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a good code")
}

fn client(number: u128) -> ClientId {
    ClientId(Uuid::from_u128(number))
}

fn evaluate(
    collections: &BTreeMap<ObjectCode, Collection>,
    population: &Population<'_>,
) -> Memberships {
    Memberships::evaluate(&Rulebook::new(collections.clone()), population)
}

/// Odd ones run Windows and have no domain; the last one was seen long ago and says little.
fn record(number: u128) -> ClientRecord {
    let is_odd = number % 2 == 1;
    let text = |odd: &str, even: &str| if is_odd { odd.to_owned() } else { even.to_owned() };
    ClientRecord {
        id: client(number),
        kind: ClientKind::Agent,
        name: text(&format!("PC-{number}"), &format!("srv{number}.corp.example")),
        site: SiteCode::new("PR1").expect("a good code"),
        os: text(&format!("windows 10.0.{}", 19_000 + number), "linux debian 12"),
        architecture: if number == 8 { String::new() } else { text("x64", "arm64") },
        agent_version: text("2.0", "1.9.3"),
        manufacturer: String::new(),
        model: String::new(),
        seen_on: NOW.plus_ms(-DAY_MS * i64::try_from(number).expect("small")),
        address: is_odd.then(|| format!("10.0.0.{number}").parse().expect("an address")),
    }
}

/// Requires update 1 and has update 2, or neither, or never reported.
fn vector(number: u128) -> Option<Vector> {
    let (required, installed) = match number % 3 {
        0 => (vec![1], vec![2]),
        1 => (Vec::new(), vec![1]),
        _ => return None,
    };
    Some(Vector {
        client: client(number),
        incarnation: 1,
        serial: 1,
        covered: 5,
        scanned_at: NOW,
        scan_error: None,
        gap: false,
        required,
        installed,
        unjudged: Vec::new(),
        deployments: Vec::new(),
        scan: None,
        detail: Vec::new(),
    })
}

struct World {
    roster: Roster,
    clients: BTreeMap<ClientId, ClientRecord>,
    inventories: Inventories,
    board: Board,
    items: BTreeMap<String, Vec<LiveItem>>,
    kept: BTreeMap<ObjectCode, Vec<ClientId>>,
}

impl World {
    fn new() -> World {
        let item = |number| LiveItem { number, since: 1 };
        let one_to_eight: Vec<u128> = (1..=8).collect();
        // Slots of the board are others than those of the roster.
        let turned = one_to_eight.iter().rev().map(|number| client(*number));
        World {
            roster: one_to_eight.iter().map(|number| client(*number)).collect(),
            clients: one_to_eight.iter().map(|n| (client(*n), record(*n))).collect(),
            inventories: Inventories::default(),
            board: Board::rebuild(turned, one_to_eight.iter().filter_map(|n| vector(*n))),
            items: BTreeMap::from([
                ("1".to_owned(), vec![item(1)]),
                ("12".to_owned(), vec![item(1), item(2)]),
            ]),
            kept: BTreeMap::new(),
        }
    }

    fn population(&self) -> Population<'_> {
        Population {
            roster: &self.roster,
            clients: &self.clients,
            inventories: &self.inventories,
            board: Some(&self.board),
            items: &self.items,
            kept: &self.kept,
            now: NOW,
            site: SiteCode::new("PR1").expect("a good code"),
        }
    }

    fn shown(&self, found: Result<&ClientSet, Missing>) -> String {
        match found {
            Ok(set) => {
                let numbers = self.roster.clients(set).map(|client| client.0.as_u128());
                format!("{:?}", numbers.collect::<Vec<_>>())
            }
            Err(missing) => format!("waits for {missing}"),
        }
    }
}

fn query_rule(text: &str) -> CollectionRule {
    CollectionRule::Query { name: text.to_owned(), text: text.to_owned() }
}

fn collection(number: usize, rules: Vec<CollectionRule>) -> (ObjectCode, Collection) {
    (code(number), Collection::plain(code(number), format!("collection {number}"), rules))
}

fn check(collections: Vec<(ObjectCode, Collection)>, expected: Expect) {
    let (world, collections) = (World::new(), BTreeMap::from_iter(collections));
    let found = evaluate(&collections, &world.population());
    let lines = collections
        .keys()
        .map(|code| format!("{code} {}\n", world.shown(found.of(code))))
        .collect::<String>();
    expected.assert_eq(&lines);
}

#[test]
fn rules_add_up_excludes_win_and_nobody_is_outside_the_limit() {
    let mut limited =
        collection(4, vec![query_rule("os like \"windows%\""), CollectionRule::Direct(client(2))]);
    limited.1.limiting = Some(code(3));
    check(
        vec![
            collection(1, vec![CollectionRule::Direct(client(3)), CollectionRule::All]),
            collection(2, Vec::new()),
            collection(
                3,
                vec![
                    CollectionRule::Exclude(code(5)),
                    CollectionRule::Include(code(1)),
                    CollectionRule::Direct(client(5)),
                ],
            ),
            limited,
            collection(5, [5, 99].map(|number| CollectionRule::Direct(client(number))).to_vec()),
        ],
        expect![[r#"
            PR100001 [1, 2, 3, 4, 5, 6, 7, 8]
            PR100002 []
            PR100003 [1, 2, 3, 4, 6, 7, 8]
            PR100004 [1, 2, 3, 7]
            PR100005 [5]
        "#]],
    );
}

#[test]
fn what_is_known_of_clients_chooses_them() {
    let texts = [
        "os.build >= 19003 and os.build < 19007",
        "domain = \"corp.example\"",
        "not domain = \"corp.example\"",
        "architecture = \"arm64\" or not architecture = \"arm64\"",
        "agent.version >= 2",
        "address = 10.0.0.0/29",
        "seen.days > 6",
        "manufacturer != \"Contoso\"",
        "installed(\"KB1\")",
        "not installed(\"kb1\")",
        "required(\"1\")",
        "installed(\"KB12\")",
        "not installed(\"KB12\")",
        "not installed(\"KB404\")",
        "member(\"PR100000\") and not member(\"SMS00003\")",
    ];
    let collections = texts.iter().enumerate();
    check(
        collections.map(|(number, text)| collection(number, vec![query_rule(text)])).collect(),
        expect![[r#"
            PR100000 [3, 5]
            PR100001 [2, 4, 6, 8]
            PR100002 []
            PR100003 [1, 2, 3, 4, 5, 6, 7]
            PR100004 [1, 3, 5, 7]
            PR100005 [1, 3, 5, 7]
            PR100006 [7, 8]
            PR100007 []
            PR100008 [1, 4, 7]
            PR100009 [3, 6]
            PR10000A [3, 6]
            PR10000B [1, 3, 4, 6, 7]
            PR10000C []
            PR10000D []
            PR10000E [3, 5]
        "#]],
    );
}

#[test]
fn built_in_collections_are_always_there() {
    let world = World::new();
    // What somebody stored under their codes means nothing.
    let stored = Collection::plain(built_in_code(ALL_SYSTEMS), String::new(), Vec::new());
    let stored = BTreeMap::from([(stored.code.clone(), stored)]);
    let found = evaluate(&stored, &world.population());
    let shown = [ALL_SYSTEMS, ALL_DESKTOPS, ALL_MOBILE, ALL_UNKNOWN]
        .map(|code| world.shown(found.of(&built_in_code(code))));
    expect![[r#"
        [1, 2, 3, 4, 5, 6, 7, 8]
        [1, 2, 3, 4, 5, 6, 7, 8]
        []
        []"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn what_refers_to_something_missing_waits_and_names_it() {
    let mut limited = collection(2, vec![CollectionRule::All]);
    limited.1.limiting = Some(code(9));
    let refers = |number, to| collection(number, vec![CollectionRule::Include(code(to))]);
    let excludes = vec![CollectionRule::All, CollectionRule::Exclude(code(9))];
    check(
        vec![
            collection(1, excludes),
            limited,
            refers(3, 2),
            collection(4, vec![CollectionRule::All, query_rule("member(\"PR10000A\")")]),
            collection(5, vec![query_rule("no query")]),
            refers(6, 7),
            refers(7, 8),
            collection(8, vec![query_rule("not member(\"PR100006\")")]),
            refers(11, 6),
            refers(12, 12),
        ],
        expect![[r#"
            PR100001 waits for PR100009 of PR1
            PR100002 waits for PR100009 of PR1
            PR100003 waits for PR100009 of PR1
            PR100004 waits for PR10000A of PR1
            PR100005 waits for a query "no query" that can be read (there is no field "no"; there are name, domain, site, kind, os, os.version, os.build, os.edition, kernel, form, architecture, agent.version, manufacturer, model, serial, firmware, cpu, cpu.count, memory, disk.size, disk.free, mac, address, last_boot, installed_on, pending_restart, time_zone, seen.days) of PR1
            PR100006 waits for the end of the circle PR100006 → PR100007 → PR100008 → PR100006 of PR1
            PR100007 waits for the end of the circle PR100007 → PR100008 → PR100006 → PR100007 of PR1
            PR100008 waits for the end of the circle PR100008 → PR100006 → PR100007 → PR100008 of PR1
            PR10000B waits for the end of a circle that PR10000B refers to of PR1
            PR10000C waits for the end of the circle PR10000C → PR10000C of PR1
        "#]],
    );
}

#[test]
fn without_a_board_only_what_asks_it_waits() {
    let world = World::new();
    let collections = BTreeMap::from([
        collection(1, vec![query_rule("os.build = 19001")]),
        collection(2, vec![query_rule("not installed(\"KB1\")")]),
    ]);
    let population = Population { board: None, ..world.population() };
    let found = evaluate(&collections, &population);
    assert_eq!(world.shown(found.of(&code(1))), "[1]");
    assert_eq!(world.shown(found.of(&code(2))), "waits for compliance of PR1");
}

#[test]
fn members_are_kept_between_full_evaluations_but_never_beyond_limits() {
    let mut world = World::new();
    world.kept = BTreeMap::from([1, 2].map(|number| (code(number), [1, 2, 3].map(client).into())));
    let mut kept = collection(1, vec![CollectionRule::All, CollectionRule::Exclude(code(3))]);
    kept.1.is_incremental = false;
    kept.1.limiting = Some(code(2));
    let others = [
        collection(2, [2, 3, 4].map(|number| CollectionRule::Direct(client(number))).to_vec()),
        collection(3, vec![CollectionRule::Direct(client(3))]),
    ];
    let collections = others.into_iter().chain([kept]).collect();
    let found = evaluate(&collections, &world.population());
    assert_eq!(world.shown(found.of(&code(1))), "[2]");
    assert_eq!(world.shown(found.of(&code(2))), "[2, 3, 4]");
}

#[test]
fn it_is_told_why_a_client_is_a_member() {
    let world = World::new();
    let mut asked = collection(
        1,
        vec![
            query_rule("os like \"%debian%\""),
            CollectionRule::Direct(client(2)),
            CollectionRule::Include(built_in_code(ALL_SYSTEMS)),
            CollectionRule::Exclude(code(2)),
        ],
    );
    asked.1.limiting = Some(built_in_code(ALL_MOBILE));
    let other = collection(2, vec![CollectionRule::Direct(client(2))]);
    let collections = BTreeMap::from([asked.clone(), other]);
    let found = evaluate(&collections, &world.population());
    let why = |number| found.why(&asked.1, client(number), &world.population());
    expect![[r#"
        Ok([Query("os like \"%debian%\""), Direct, Include(SMS00001), Exclude(PR100002), Outside(SMS00003)])
        Ok([Include(SMS00001), Outside(SMS00003)])"#]].assert_eq(&format!("{:?}\n{:?}", why(2), why(3)));
    let with: Vec<_> = found.with(client(2), &world.roster).map(ObjectCode::as_str).collect();
    assert_eq!(with, ["PR100002", ALL_SYSTEMS, ALL_DESKTOPS]);
}

#[test]
fn it_is_known_what_is_needed_before_anything_is_read() {
    let needs = |text| Needs::of([&collection(1, vec![query_rule(text)]).1]);
    assert_eq!(needs("member(\"PR100001\")"), Needs::default());
    let asked = needs("installed(\"KB1\") and not required(\" kb12 \")");
    let items = ["1", "12"].map(str::to_owned).into();
    let inventories = InventoryNeeds::default();
    assert_eq!(asked, Needs { records: false, inventories, items });
    let asked = needs("memory < 4096 or installed_software(\"bash < 5\")");
    let inventories = InventoryNeeds { computers: true, software: ["bash < 5".to_owned()].into() };
    assert_eq!(asked, Needs { records: true, inventories, items: [].into() });
    assert!(!needs("installed_software(\"bash\")").records);
    assert!(needs("name = \"x\"").records);
}

/// A client as one row.
struct Row<'a> {
    world: &'a World,
    collections: &'a BTreeMap<ObjectCode, Collection>,
    client: ClientId,
}

impl Facts for Row<'_> {
    fn field(&self, name: &str) -> Option<Fact<'_>> {
        fact((self.world.clients.get(&self.client)?, None), name, NOW)
    }

    fn test(&self, name: &str, argument: &str) -> Option<bool> {
        if name == "member" {
            let code = ObjectCode::new(argument).expect("a good code");
            return Some(is_member(self.world, self.collections, &code, self.client));
        }
        let items = self.world.items.get(&item_key(argument))?;
        let vector = vector(self.client.0.as_u128());
        let states = items.iter().map(|item| compliance::state_of(vector.as_ref(), *item).0);
        let states: Vec<ComplianceState> = states.collect();
        let wanted = match name {
            "installed" => ComplianceState::Installed,
            _ => ComplianceState::Required,
        };
        if states.contains(&wanted) {
            return Some(true);
        }
        (!states.contains(&ComplianceState::Unknown)).then_some(false)
    }

    fn now(&self) -> Timestamp {
        NOW
    }
}

/// The slow evaluator; collections refer only to lower numbers here.
fn is_member(
    world: &World,
    collections: &BTreeMap<ObjectCode, Collection>,
    code: &ObjectCode,
    client: ClientId,
) -> bool {
    let within = |other: &ObjectCode| is_member(world, collections, other, client);
    let built_in = Collection::built_in(code);
    let collection = built_in.as_ref().unwrap_or_else(|| &collections[code]);
    let row = Row { world, collections, client };
    let (mut is_chosen, mut is_kept_out) = (false, false);
    for rule in &collection.rules {
        match rule {
            CollectionRule::All => is_chosen = true,
            CollectionRule::Direct(named) => is_chosen |= *named == client,
            CollectionRule::Include(other) => is_chosen |= within(other),
            CollectionRule::Exclude(other) => is_kept_out |= within(other),
            CollectionRule::Query { text, .. } => {
                let query = Query::parse(text, &CLIENTS).expect("a condition");
                is_chosen |= query.selects(&row);
            }
        }
    }
    is_chosen && !is_kept_out && collection.limiting.as_ref().is_none_or(within)
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "name like \"%c-%\"",
        "domain = \"corp.example\"",
        "os like \"linux%\"",
        "os.version >= 10.0.19004",
        "os.build in (19001, 19003)",
        "architecture != \"x64\"",
        "agent.version < 2",
        "manufacturer = \"x\"",
        "address = 10.0.0.0/30",
        "seen.days <= 4",
        "installed(\"KB1\")",
        "required(\"KB12\")",
        "installed(\"KB404\")",
        "member(\"PR100000\")",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 2, |inner| {
        let pair = (inner.clone(), inner.clone(), any::<bool>());
        let joined = pair.prop_map(|(left, right, is_and)| {
            format!("({left} {} {right})", if is_and { "and" } else { "or" })
        });
        prop_oneof![joined, inner.prop_map(|part| format!("not ({part})"))]
    })
}

/// Of a collection that may refer to those of lower numbers.
fn rule(number: usize) -> impl Strategy<Value = CollectionRule> {
    let other = 0..number.max(1);
    let refers = (other, any::<bool>()).prop_map(move |(other, is_include)| {
        let other = if number == 0 { built_in_code(ALL_MOBILE) } else { code(other) };
        match is_include {
            true => CollectionRule::Include(other),
            false => CollectionRule::Exclude(other),
        }
    });
    let text = condition().prop_filter_map("refers to itself", move |text| {
        (number > 0 || !text.contains("member")).then(|| query_rule(&text))
    });
    let direct = (1u128..10).prop_map(|number| CollectionRule::Direct(client(number)));
    prop_oneof![direct, text, refers]
}

fn collections() -> impl Strategy<Value = BTreeMap<ObjectCode, Collection>> {
    let one = |number: usize| {
        let rules = prop::collection::vec(rule(number), 0..4);
        (rules, prop::option::of(0..number.max(1))).prop_map(move |(rules, limiting)| {
            let mut made = collection(number, rules);
            made.1.limiting = limiting.filter(|_| number > 0).map(code);
            made
        })
    };
    (one(0), one(1), one(2), one(3)).prop_map(|(a, b, c, d)| BTreeMap::from([a, b, c, d]))
}

proptest! {
    #[test]
    fn sets_say_what_looking_at_every_client_says(collections in collections()) {
        let world = World::new();
        let found = evaluate(&collections, &world.population());
        for code in collections.keys() {
            let set = found.of(code).expect("nothing is missing");
            let told: Vec<ClientId> = world.roster.clients(set).collect();
            let expected = world.clients.keys().copied();
            let expected: Vec<ClientId> =
                expected.filter(|client| is_member(&world, &collections, code, *client)).collect();
            prop_assert_eq!(told, expected, "{}", code);
            let needed = closure(code, &collections);
            let alone = evaluate(&needed, &world.population());
            prop_assert_eq!(alone.of(code), found.of(code));
        }
    }
}
