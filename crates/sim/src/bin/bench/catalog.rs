//! Importing a whole catalog, beside what nothing that does it can do without: reading each
//! document once with quick-xml and inserting its bytes.
//!
//! Owns both sides, each in processes of its own that read the same file, in turns. Fails if
//! anything is missing at the end, or if ours takes more memory than it may.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;

use ambient::Ambient;
use anyhow::{Result, ensure};
use model::{UpdateId, UpdateRef};
use quick_xml::Reader;
use quick_xml::events::Event;
use rusqlite::{Connection, params};
use sqlite_engine::{Durability, Executor, Options};
use tokio::task::JoinSet;
use update_catalog::limits::BATCH_DOCUMENTS_MAX;
use update_catalog::{Batch, Catalog, RevisionFilter};
use uuid::Uuid;

use crate::child::{self, Outcome};
use crate::documents::Corpus;
use crate::import::fresh_directory;
use crate::machine::{self, Meter, Spread};

const UPDATES: usize = 100_000;
/// After one pair that does not count.
const PAIRS: usize = 3;
const PEAK_MAX_MIB: f64 = 150.0;
pub(crate) const OURS: &str = "catalog-ours";
pub(crate) const FLOOR: &str = "catalog-floor";

pub(crate) fn run() -> Result<()> {
    let directory = fresh_directory()?;
    let path = directory.path().join("documents");
    let (count, bytes) = write_documents(&path)?;
    println!("\n## Importing a catalog\n\n{count} documents of {} bytes\n", bytes / count);
    println!("| pair | ours, s | floor, s | rate of the floor | ours, MiB | machine |");
    println!("| ---: | ---: | ---: | ---: | ---: | --- |");
    let path = path.to_str().expect("a path of our own is text");
    let mut pairs: Vec<(Outcome, Outcome)> = Vec::new();
    for number in 0..=PAIRS {
        let (ours, floor) = (child::run(&[OURS, path])?, child::run(&[FLOOR, path])?);
        let (wall, peak) = (ours.cost.wall, ours.peak);
        println!(
            "| {number} | {wall:.2} | {:.2} | {:.2} | {peak:.0} | {} |",
            floor.cost.wall,
            floor.cost.wall / wall,
            machine::load()?
        );
        ensure!(peak < PEAK_MAX_MIB, "importing took {peak:.0} MiB");
        pairs.push((ours, floor));
    }
    let pairs = &pairs[1..];
    let row = |name: &str, value: &dyn Fn(&(Outcome, Outcome)) -> f64| {
        let spread: Spread = pairs.iter().map(value).collect();
        println!("| {name} | {spread:.2} |");
    };
    println!("\n| {PAIRS} pairs, without pair 0 | median (min–max) |\n| --- | ---: |");
    row("ours until durable, s", &|(ours, _)| ours.cost.wall);
    row("floor until durable, s", &|(_, floor)| floor.cost.wall);
    row("**rate as a part of the floor's**", &|(ours, floor)| floor.cost.wall / ours.cost.wall);
    row("ours, processor time, s", &|(ours, _)| ours.cost.cpu);
    row("floor, processor time, s", &|(_, floor)| floor.cost.cpu);
    row("ours, most memory, MiB", &|(ours, _)| ours.peak);
    Ok(())
}

fn write_documents(path: &Path) -> Result<(usize, usize)> {
    let corpus = Corpus::generate(UPDATES);
    let mut file = BufWriter::new(File::create(path)?);
    for (update, xml) in &corpus.documents {
        file.write_all(update.id.as_bytes())?;
        file.write_all(&update.revision.to_le_bytes())?;
        file.write_all(&u32::try_from(xml.len())?.to_le_bytes())?;
        file.write_all(xml.as_bytes())?;
    }
    file.flush()?;
    Ok((corpus.documents.len(), corpus.bytes))
}

/// The documents of the file, one after the other.
fn documents(path: &str) -> Result<impl Iterator<Item = Result<(UpdateRef, String)>>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut next = move || -> Result<Option<(UpdateRef, String)>> {
        let mut head = [0; 24];
        match file.read_exact(&mut head) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
        let id = UpdateId(Uuid::from_slice(&head[..16])?);
        let mut xml = vec![0; usize::try_from(number(20))?];
        file.read_exact(&mut xml)?;
        Ok(Some((UpdateRef { id, revision: number(16) }, String::from_utf8(xml)?)))
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

pub(crate) async fn ours(path: &str) -> Result<()> {
    let directory = fresh_directory()?;
    let options = Options { executor: Executor::Thread, durability: Durability::Full };
    let database = directory.path().join("catalog.db");
    let catalog = Catalog::open(&database, Ambient::system().random_id(), options)?;
    let meter = Meter::start()?;
    let (mut imported, mut read) = (0, 0);
    let mut waiting = documents(path)?;
    // As a synchronization does it: one batch is stored while the next one is fetched and read.
    let mut under_way = JoinSet::new();
    loop {
        let documents: Result<Vec<String>> =
            waiting.by_ref().take(BATCH_DOCUMENTS_MAX).map(|d| Ok(d?.1)).collect();
        let documents = documents?;
        let is_last = documents.is_empty();
        read += documents.len();
        let catalog = catalog.clone();
        let batch = Batch { documents, ..Batch::default() };
        under_way.spawn(async move { catalog.import(batch).await });
        while under_way.len() > if is_last { 0 } else { 1 } {
            let ended = under_way.join_next().await.expect("there is one")?;
            imported += ended?.imported.len();
        }
        if is_last {
            break;
        }
    }
    let cost = meter.stop()?;
    ensure!(imported == read, "{imported} of {read} documents were imported");
    let all = RevisionFilter::Updates { categories: None, classifications: None };
    let listed = catalog.revision_list(all, None).await?.revisions.len();
    ensure!(listed == UPDATES, "the catalog holds {listed} updates");
    child::tell(cost)
}

pub(crate) fn floor(path: &str) -> Result<()> {
    let directory = fresh_directory()?;
    let mut connection = crate::import::raw_connection(&directory.path().join("raw.db"))?;
    let meter = Meter::start()?;
    let events = read_and_insert(path, &mut connection)?;
    let cost = meter.stop()?;
    ensure!(events > UPDATES, "{events} events were read");
    child::tell(cost)
}

fn read_and_insert(path: &str, connection: &mut Connection) -> Result<usize> {
    let transaction = connection.transaction()?;
    let mut insert = transaction.prepare(crate::import::RAW_INSERT)?;
    let mut events = 0;
    for document in documents(path)? {
        let (update, xml) = document?;
        let mut reader = Reader::from_str(&xml);
        while !matches!(reader.read_event()?, Event::Eof) {
            events += 1;
        }
        insert.execute(params![update.id.as_bytes(), update.revision, xml.as_bytes()])?;
    }
    drop(insert);
    transaction.commit()?;
    Ok(events)
}
