//! The index beside the plain meaning of the same query, row by row.

use compliance::LiveItem;
use model::{ClientId, Vector};
use proptest::prelude::*;
use query::{Fact, Facts, Query};
use uuid::Uuid;

use super::*;

const CLIENTS: u128 = 3;

/// What there is beside the catalog, for rows 0 to 7.
struct Around {
    board: Board,
    deployed: BTreeSet<UpdateId>,
    groups: BTreeMap<ObjectCode, UpdateGroup>,
}

fn id(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

fn group_code() -> ObjectCode {
    ObjectCode::new("PR100001").expect("a good code")
}

impl Around {
    /// Update N is required by N modulo 4 clients, and installed by one if it is odd.
    fn new(rows: u32) -> Around {
        let client = |number| ClientId(Uuid::from_u128(1_000 + number));
        let vector = |number: u128| Vector {
            required: (0..rows).filter(|row| u128::from(row % 4) > number).collect(),
            installed: (0..rows).filter(|row| row % 4 == 1 && number == 1).collect(),
            client: client(number),
            incarnation: 1,
            serial: 1,
            covered: 1,
            scanned_at: Timestamp(0),
            scan_error: None,
            gap: false,
            unjudged: Vec::new(),
            deployments: Vec::new(),
            scan: None,
            detail: Vec::new(),
        };
        let board = Board::rebuild((0..CLIENTS).map(client), (0..CLIENTS).map(vector));
        let deployed = (0..rows).filter(|row| row % 3 == 0).map(id).collect();
        let updates = (0..rows).filter(|row| row % 5 == 0).map(id).collect();
        let group = UpdateGroup::plain(group_code(), String::new(), updates);
        Around { board, deployed, groups: [(group_code(), group)].into() }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            now: Timestamp(1_000_000_000_000),
            board: Some(&self.board),
            deployed: &self.deployed,
            groups: &self.groups,
        }
    }
}

/// The plain meaning of a row.
struct Plain<'a>(&'a UpdateRow, Surroundings<'a>);

impl Facts for Plain<'_> {
    fn field(&self, name: &str) -> Option<Fact<'_>> {
        let Plain(row, around) = self;
        let counts = around.board.map(|board| board.update_counts(row.live));
        let number = |number: u64| i64::try_from(number).ok().map(Fact::Number);
        if let Some(place) = LISTS.iter().position(|list| *list == name) {
            return Some(Fact::Texts(row.lists[place].iter().map(String::as_str).collect()));
        }
        if let Some(place) = FLAGS.iter().position(|flag| *flag == name) {
            return Some(Fact::Flag(row.flags[place]));
        }
        match name {
            "title" => Some(Fact::Text(&row.title)),
            "description" => Some(Fact::Text(&row.description)),
            "released" => Some(Fact::Time(row.released)),
            "size" => number(row.size_kb),
            "required" => number(counts?.required),
            "installed" => number(counts?.installed),
            "deployed" => Some(Fact::Flag(around.deployed.contains(&row.id))),
            _ => None,
        }
    }

    fn test(&self, _: &str, argument: &str) -> Option<bool> {
        let group = self.1.groups.get(&ObjectCode::new(argument).ok()?);
        Some(group.is_some_and(|group| group.updates.contains(&self.0.id)))
    }

    fn now(&self) -> Timestamp {
        self.1.now
    }
}

const WORDS: [&str; 4] = ["Windows 11", "Office", "SQL Server x64", ""];

fn row(number: u32) -> impl Strategy<Value = UpdateRow> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), LISTS.len());
    let flags = prop::array::uniform6(any::<bool>());
    let title = prop::sample::subsequence(&WORDS[..], 0..=3);
    (words, flags, title, 0_i64..100, 0_u64..5).prop_map(
        move |(words, flags, title, days, size_kb)| UpdateRow {
            id: id(number),
            live: LiveItem { number, since: 1 },
            title: title.join(" for "),
            description: title.concat(),
            released: Timestamp(1_000_000_000_000 - days * 24 * 60 * 60 * 1000),
            size_kb,
            lists: std::array::from_fn(|place| {
                words[place].split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect()
            }),
            flags,
        },
    )
}

fn rows() -> impl Strategy<Value = Vec<UpdateRow>> {
    (0_u32..12).prop_flat_map(|count| (0..count).map(row).collect::<Vec<_>>())
}

/// Every field with every operator that its type has.
fn leaf() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec![
        "title",
        "description",
        "kb",
        "bulletin",
        "cve",
        "severity",
        "custom_severity",
        "classification",
        "product",
        "family",
        "vendor",
        "architecture",
        "language",
    ]);
    let flag = prop::sample::select(vec![
        "superseded",
        "expired",
        "declined",
        "deployed",
        "third_party",
        "metadata_only",
        "license",
        "in_group(\"PR100001\")",
        "in_group(\"PR100002\")",
    ]);
    let number = prop::sample::select(vec!["size", "required", "installed"]);
    let relation = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let value = prop::sample::select(vec!["office", "Windows", "11", "x64", ""]);
    let pattern = prop::sample::select(vec!["%office%", "win%", "%11", "%x%4", "%", "office"]);
    let time = prop::sample::select(vec!["30d", "2001-09-01", "0h", "12w"]);
    let (equal, not) =
        (prop::sample::select(vec!["=", "!="]), prop::sample::select(vec!["", "not "]));
    prop_oneof![
        (text.clone(), equal, value.clone()).prop_map(|(f, r, v)| format!("{f} {r} \"{v}\"")),
        (text.clone(), not.clone(), value.clone(), value)
            .prop_map(|(f, n, a, b)| format!("{f} {n}in (\"{a}\", \"{b}\")")),
        (text, not, pattern).prop_map(|(f, n, p)| format!("{f} {n}like \"{p}\"")),
        (number, relation.clone(), 0..5).prop_map(|(f, r, v)| format!("{f} {r} {v}")),
        (relation, time).prop_map(|(r, t)| format!("released {r} {t}")),
        flag.prop_map(str::to_owned),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

proptest! {
    #[test]
    fn every_query_selects_what_it_means_of_each_row(rows in rows(), text in condition()) {
        let around = Around::new(12);
        let query = Query::parse(&text, &UPDATES).expect("a condition");
        let meant = rows.iter().filter(|row| query.selects(&Plain(row, around.surroundings())));
        let meant: Vec<UpdateId> = meant.map(|row| row.id).collect();
        // The order in which rows come does not matter.
        let index: UpdateIndex = rows.iter().rev().cloned().collect();
        prop_assert_eq!(index.select(&query, &around.surroundings()), Some(meant), "{}", text);
    }
}

#[test]
fn ids_are_named_in_any_number() {
    let rows = (0..4).map(|number| UpdateRow {
        id: id(number),
        live: LiveItem { number, since: 1 },
        title: String::new(),
        description: String::new(),
        released: Timestamp(0),
        size_kb: 0,
        lists: Default::default(),
        flags: Default::default(),
    });
    let (index, around) = (rows.collect::<UpdateIndex>(), Around::new(4));
    let text = format!("id in (\"{}\", \"{}\", \"no id\") and id != \"{}\"", id(1), id(3), id(3));
    let query = Query::parse(&text, &UPDATES).expect("a condition");
    assert_eq!(index.select(&query, &around.surroundings()), Some(vec![id(1)]));
    let query = Query::parse("id like \"%2\"", &UPDATES).expect("a condition");
    assert_eq!(index.select(&query, &around.surroundings()), Some(vec![id(2)]));
    assert_eq!(index.counts(id(3), &around.surroundings()), Some((3, 0)));
    assert_eq!((index.len(), index.is_empty()), (4, false));
}

#[test]
fn what_nobody_has_counted_yet_is_not_zero() {
    let (index, around) = (UpdateIndex::default(), Around::new(0));
    let warming = Surroundings { board: None, ..around.surroundings() };
    for (text, answer) in [("required = 0", None), ("not deployed", Some(Vec::new()))] {
        let query = Query::parse(text, &UPDATES).expect("a condition");
        assert_eq!(index.select(&query, &warming), answer, "{text}");
    }
}
