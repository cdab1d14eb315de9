//! Asking 100,000 updates what a rule takes, beside the same question to an indexed table in
//! SQLite that holds the same columns, and the counts of computers already counted.
//!
//! Owns both sides, in turns, over the same updates. Fails if they find other updates.

use std::collections::{BTreeMap, BTreeSet};

use ambient::Ambient;
use anyhow::{Context as _, Result, ensure};
use compliance::{Board, LiveItem, Mark};
use deployment::{Surroundings, UPDATES, UpdateIndex, UpdateRow};
use model::{ClientId, Timestamp, UpdateId, Vector};
use query::Query;
use rusqlite::Connection;

use crate::machine::{Meter, Spread};

const ROWS: u32 = 100_000;
const CLIENTS: usize = 2_000;
/// Required by each client.
const REQUIRED: usize = 100;
const CLASSES: u32 = 8;
const PRODUCTS: u32 = 200;
const RULES: u32 = 200;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const SEED: u64 = 7_004;
/// After one turn that does not count.
const TURNS: usize = 7;

#[derive(Default)]
struct Turn {
    index: f64,
    rule: f64,
    title: f64,
    rules: f64,
    table: f64,
    table_title: f64,
    table_rules: f64,
}

struct Scene {
    rows: Vec<UpdateRow>,
    board: Board,
    table: Connection,
}

pub(crate) fn run() -> Result<()> {
    let scene = Scene::new()?;
    let turns = (0..=TURNS).map(|_| scene.turn()).collect::<Result<Vec<_>>>()?;
    let turns = &turns[1..];
    let row = |name: &str, value: &dyn Fn(&Turn) -> f64| {
        let spread: Spread = turns.iter().map(value).collect();
        println!("| {name} | {spread:.5} |");
    };
    println!("\n## Rules\n\n{ROWS} updates, {CLIENTS} computers that require {REQUIRED} each\n");
    println!("| {TURNS} turns, without turn 0 | median (min–max) |\n| --- | ---: |");
    row("the index, once per change of the catalog, s", &|turn| turn.index);
    row("one rule by classification, date and counts, s", &|turn| turn.rule);
    row("the same in SQLite, s", &|turn| turn.table);
    row("one rule by a part of the title, s", &|turn| turn.title);
    row("the same in SQLite, s", &|turn| turn.table_title);
    row(&format!("{RULES} rules, one per product, s"), &|turn| turn.rules);
    row("the same in SQLite, s", &|turn| turn.table_rules);
    row("**ratio of one rule**", &|turn| turn.rule / turn.table);
    row("**ratio of all rules**", &|turn| turn.rules / turn.table_rules);
    Ok(())
}

/// A rule, in our words and in those of the table.
fn monthly() -> (String, String) {
    let ours = "classification in (\"class 1\", \"class 2\") and released > 30d and not superseded \
                and required > 1";
    let from = NOW.plus_ms(-30 * DAY_MS).0;
    let table = format!(
        "classification IN ('class 1', 'class 2') AND released > {from} AND NOT superseded AND \
         required > 1"
    );
    (ours.to_owned(), table)
}

fn of_product(product: u32) -> (String, String) {
    let (ours, table) = monthly();
    (
        format!("product = \"product {product}\" and {ours}"),
        format!("product = 'product {product}' AND {table}"),
    )
}

fn titled() -> (String, String) {
    ("title like \"%system 777%\"".to_owned(), "title LIKE '%system 777%'".to_owned())
}

impl Scene {
    fn new() -> Result<Scene> {
        let chance = Ambient::seeded(SEED, 0);
        let board = board(&chance);
        let rows = (0..ROWS).map(|number| row(&chance, number)).collect::<Vec<_>>();
        let table = table(&rows, &board)?;
        Ok(Scene { rows, board, table })
    }

    fn turn(&self) -> Result<Turn> {
        let rows = self.rows.clone();
        let (index, made) = timed(|| Ok(rows.into_iter().collect::<UpdateIndex>()))?;
        let one = |rule: (String, String)| {
            let (ours, mine) = timed(|| self.select(&index, &rule.0))?;
            let (theirs, table) = timed(|| self.ask(&rule.1))?;
            ensure!(ours == theirs, "{}: {} and {}", rule.0, ours.len(), theirs.len());
            Ok((mine, table))
        };
        let (rule, table) = one(monthly())?;
        let (title, table_title) = one(titled())?;
        let (mut rules, mut table_rules) = (0.0, 0.0);
        for product in 0..RULES {
            let (mine, table) = one(of_product(product % PRODUCTS))?;
            rules += mine;
            table_rules += table;
        }
        Ok(Turn { index: made, rule, title, rules, table, table_title, table_rules })
    }

    fn select(&self, index: &UpdateIndex, text: &str) -> Result<BTreeSet<UpdateId>> {
        let query = Query::parse(text, &UPDATES)?;
        let around = Surroundings {
            now: NOW,
            board: Some(&self.board),
            deployed: &BTreeSet::new(),
            groups: &BTreeMap::new(),
        };
        let found = index.select(&query, &around).context("somebody has counted")?;
        Ok(found.into_iter().collect())
    }

    fn ask(&self, condition: &str) -> Result<BTreeSet<UpdateId>> {
        let sql = format!("SELECT id FROM item WHERE {condition}");
        let mut question = self.table.prepare(&sql)?;
        let mut found = question.query([])?;
        let mut ids = BTreeSet::new();
        while let Some(row) = found.next()? {
            ids.insert(UpdateId::from_slice(&row.get::<_, Vec<u8>>(0)?)?);
        }
        Ok(ids)
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let meter = Meter::start()?;
    let done = work()?;
    Ok((done, meter.stop()?.wall))
}

fn below(chance: &Ambient, end: u32) -> u32 {
    u32::try_from(chance.random_u64() % u64::from(end)).expect("less than it")
}

fn row(chance: &Ambient, number: u32) -> UpdateRow {
    let (class, product) = (below(chance, CLASSES), below(chance, PRODUCTS));
    UpdateRow {
        id: UpdateId(chance.random_id()),
        live: LiveItem { number, since: 1 },
        title: format!(
            "2026-11 cumulative update {number} for operating system {product}77{class}"
        ),
        description: String::new(),
        released: NOW.plus_ms(-i64::from(below(chance, 1_000)) * DAY_MS - 1),
        size_kb: u64::from(number),
        lists: std::array::from_fn(|place| match place {
            5 => vec![format!("class {class}")],
            6 => vec![format!("product {product}")],
            _ => Vec::new(),
        }),
        flags: [below(chance, 4) > 0, false, false, false, false, false],
    }
}

fn board(chance: &Ambient) -> Board {
    let clients: Vec<_> = (0..CLIENTS).map(|_| ClientId(chance.random_id())).collect();
    let vector = |client: &ClientId| {
        let required: BTreeSet<u32> = (0..REQUIRED).map(|_| below(chance, ROWS)).collect();
        Vector {
            client: *client,
            incarnation: 1,
            serial: 1,
            covered: 1,
            scanned_at: NOW,
            scan_error: None,
            gap: false,
            required: required.into_iter().collect(),
            installed: Vec::new(),
            unjudged: Vec::new(),
            deployments: Vec::new(),
            scan: None,
            detail: Vec::new(),
        }
    };
    Board::rebuild(clients.iter().copied(), clients.iter().map(vector))
}

fn table(rows: &[UpdateRow], board: &Board) -> Result<Connection> {
    let mut table = Connection::open_in_memory()?;
    table.execute_batch(
        "CREATE TABLE item (id BLOB PRIMARY KEY, title TEXT, classification TEXT, product TEXT,
           released INTEGER, superseded INTEGER, required INTEGER) STRICT, WITHOUT ROWID;
         CREATE INDEX by_class ON item (classification, superseded, released, required);
         CREATE INDEX by_product ON item (product, classification, superseded, released);",
    )?;
    let write = table.transaction()?;
    for row in rows {
        let sql = "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let required = i64::try_from(board.marked_count(row.live, Mark::Required))?;
        write.prepare_cached(sql)?.execute((
            row.id.as_bytes(),
            &row.title,
            &row.lists[5][0],
            &row.lists[6][0],
            row.released.0,
            row.flags[0],
            required,
        ))?;
    }
    write.commit()?;
    Ok(table)
}
