//! Importing update documents, beside the same bytes in one transaction of SQLite alone.
//!
//! Owns both sides and how they are compared: in turns, the same bytes, the same durability, and
//! what was stored is read back outside of the measured time. Fails if anything is missing.

use std::path::Path;
use std::process::Command;

use ambient::Ambient;
use anyhow::{Context, Result, ensure};
use model::{Group, Item, Sha256, SiteCode};
use rpc::object::ObjectBody as _;
use rusqlite::{Connection, params};
use sha2::Digest as _;
use sim::Keys;
use site_db::{Executor, Own, SiteDb, Writer};
use sqlite_engine::{Durability, Options};
use tempfile::TempDir;
use tokio::sync::mpsc;
use trust::SigningKey;
use update_catalog::limits::BATCH_DOCUMENTS_MAX;
use update_catalog::{Batch, Catalog, Change};
use update_metadata::Extracted;

use crate::documents::Corpus;
use crate::machine::{self, Cost, Meter, Spread};

const UPDATES: usize = 20_000;
/// After one pair that does not count.
const PAIRS: usize = 7;

struct Ours {
    catalog: Cost,
    items: Cost,
    /// Copying the write-ahead logs back and closing the files.
    close: Cost,
    bytes: u64,
}

struct Raw {
    insert: Cost,
    close: Cost,
    bytes: u64,
}

pub(crate) async fn run() -> Result<()> {
    let corpus = Corpus::generate(UPDATES);
    let (count, average) = (corpus.documents.len(), corpus.bytes / corpus.documents.len());
    println!("\n## Import\n\n{count} documents of {average} bytes, sha256 {}\n", corpus.digest);
    println!("| pair | catalog, s | items, s | raw, s | ratio | processor ratio | machine |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | --- |");
    let mut pairs = Vec::new();
    for number in 0..=PAIRS {
        let (ours, raw) = (ours(&corpus).await?, raw(&corpus)?);
        let (catalog, items, done) = (ours.catalog.wall, ours.items.wall, ours.done());
        let (ratio, cpu) = (done.wall / raw.insert.wall, done.cpu / raw.insert.cpu);
        let (insert, load) = (raw.insert.wall, machine::load()?);
        println!(
            "| {number} | {catalog:.2} | {items:.2} | {insert:.2} \
             | {ratio:.1} | {cpu:.1} | {load} |"
        );
        pairs.push((ours, raw));
    }
    print_summary(&pairs[1..], corpus.bytes as f64);
    Ok(())
}

impl Ours {
    /// Until everything is durable.
    fn done(&self) -> Cost {
        self.catalog + self.items
    }
}

/// On the disk that holds the build, with nothing left for it to do.
pub(crate) fn fresh_directory() -> Result<TempDir> {
    let program = std::env::current_exe()?;
    let target = program.parent().context("the program lies in a folder")?;
    Command::new("sync").status().context("cannot start sync")?;
    Ok(TempDir::new_in(target)?)
}

async fn ours(corpus: &Corpus) -> Result<Ours> {
    let directory = fresh_directory()?;
    let options = Options { executor: Executor::Thread, durability: Durability::Full };
    let path = |name: &str| directory.path().join(name);
    let catalog = Catalog::open(&path("catalog.db"), Ambient::system().random_id(), options)?;
    let site = open_site(&path("site.db"))?;
    let batch = |documents: &[_]| Batch {
        documents: documents.iter().map(|(_, xml): &(_, String)| xml.clone()).collect(),
        ..Batch::default()
    };
    let batches: Vec<Batch> = corpus.documents.chunks(BATCH_DOCUMENTS_MAX).map(batch).collect();
    let meter = Meter::start()?;
    let mut imported = 0;
    for batch in batches {
        imported += catalog.import(batch).await?.imported.len();
    }
    let catalog_cost = meter.stop()?;
    let meter = Meter::start()?;
    take_items(&catalog, &site).await?;
    let items_cost = meter.stop()?;
    ensure!(imported == corpus.documents.len(), "{imported} documents were imported");
    check(corpus, &catalog, &site).await?;
    let meter = Meter::start()?;
    catalog.close().await;
    site.close().await;
    Ok(Ours {
        catalog: catalog_cost,
        items: items_cost,
        close: meter.stop()?,
        bytes: path("catalog.db").metadata()?.len() + path("site.db").metadata()?.len(),
    })
}

fn open_site(path: &Path) -> Result<SiteDb> {
    let keys = Keys::get();
    let top = &keys.sites[&SiteCode::new("CAS")?];
    let trust = (SigningKey::from_seed(top.seed), keys.anchor.clone());
    let site =
        SiteDb::open(path, Executor::Thread, top.identity.clone(), trust, Ambient::system())?;
    let (owner, statement) = (top.identity.owner, top.statement.clone());
    site.write_blocking(move |w| w.note_statement(&owner, &statement))?;
    Ok(site)
}

/// As a synchronization does it: the site writes a page while the update point, which does not
/// wait, reads the next. Only the connection between the two is missing.
pub(crate) async fn take_items(catalog: &Catalog, site: &SiteDb) -> Result<()> {
    let (sender, mut pages) = mpsc::channel(1);
    let read = async move {
        let mut since = 0;
        loop {
            let page = catalog.changed_items(since).await?;
            since = page.changes.last().map_or(since, |change| change.number);
            let is_last = page.is_last;
            sender.send(page.changes).await?;
            if is_last {
                break;
            }
        }
        anyhow::Ok(())
    };
    let write = async {
        while let Some(changes) = pages.recv().await {
            site.write(move |w| write_page(w, changes)).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(read, write)?;
    let version = site.write(|w| w.complete_catalog()).await?;
    catalog.complete_version(version).await?;
    Ok(())
}

fn write_page(w: &Writer<'_>, changes: Vec<Change<Extracted>>) -> Result<(), site_db::Error> {
    let mut news = Vec::with_capacity(changes.len());
    for change in changes {
        match change.content {
            Some(Extracted::Item(item)) => {
                let mut item = Item::decode(&item.encode())?;
                let held: Option<Item> = w.get(item.update.id.as_bytes())?;
                item.number = held.map_or_else(|| w.next_item_number(), |held| Ok(held.number))?;
                item.since = 1;
                news.push(Own::put(&item));
            }
            Some(Extracted::Category(category)) => news.push(Own::put(&category)),
            Some(Extracted::Nothing) | None => {}
        }
    }
    w.write_own(Group::Catalog, news)
}

/// Every byte is there, and every update is an item.
async fn check(corpus: &Corpus, catalog: &Catalog, site: &SiteDb) -> Result<()> {
    let (mut hasher, mut since) = (sha2::Sha256::new(), 0);
    loop {
        let page = catalog.changed_documents(since).await?;
        for change in page.changes {
            since = change.number;
            hasher.update(change.content.context("nothing was removed")?.xml);
        }
        if page.is_last {
            break;
        }
    }
    ensure!(Sha256(hasher.finalize().into()) == corpus.digest, "the catalog has other bytes");
    let items = site.read(|r| r.catalog_set()).await?;
    ensure!(items == corpus.updates, "the site has {} other items", items.0);
    let (version, _) = catalog.state().await?.version.context("the version is complete")?;
    ensure!((version.items, version.set_digest) == items, "the catalog has other updates");
    Ok(())
}

fn raw(corpus: &Corpus) -> Result<Raw> {
    let directory = fresh_directory()?;
    let path = directory.path().join("raw.db");
    let mut connection = raw_connection(&path)?;
    let meter = Meter::start()?;
    let transaction = connection.transaction()?;
    let mut insert = transaction.prepare(RAW_INSERT)?;
    for (update, xml) in &corpus.documents {
        insert.execute(params![update.id.as_bytes(), update.revision, xml.as_bytes()])?;
    }
    drop(insert);
    transaction.commit()?;
    let insert = meter.stop()?;
    check_raw(corpus, &connection)?;
    let meter = Meter::start()?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(Raw { insert, close: meter.stop()?, bytes: path.metadata()?.len() })
}

pub(crate) const RAW_INSERT: &str =
    "INSERT INTO document (update_id, revision, xml) VALUES (?1, ?2, ?3)";

pub(crate) fn raw_connection(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    for (name, value) in [("page_size", "8192"), ("journal_mode", "WAL"), ("synchronous", "FULL")] {
        connection.pragma_update(None, name, value)?;
    }
    // As on our side, copying the log back is not part of a commit.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.execute_batch(
        "CREATE TABLE document (
           id INTEGER PRIMARY KEY, update_id BLOB NOT NULL, revision INTEGER NOT NULL,
           xml BLOB NOT NULL, UNIQUE (update_id, revision)) STRICT",
    )?;
    Ok(connection)
}

fn check_raw(corpus: &Corpus, connection: &Connection) -> Result<()> {
    let (mut hasher, mut count) = (sha2::Sha256::new(), 0);
    let mut select = connection.prepare("SELECT xml FROM document ORDER BY id")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        hasher.update(row.get_ref(0)?.as_blob()?);
        count += 1;
    }
    ensure!(count == corpus.documents.len(), "{count} rows");
    ensure!(Sha256(hasher.finalize().into()) == corpus.digest, "the rows have other bytes");
    Ok(())
}

fn print_summary(pairs: &[(Ours, Raw)], bytes: f64) {
    let row = |name: &str, value: &dyn Fn(&Ours, &Raw) -> f64| {
        let spread: Spread = pairs.iter().map(|(ours, raw)| value(ours, raw)).collect();
        println!("| {name} | {spread:.2} |");
    };
    println!("\n| {} pairs, without pair 0 | median (min–max) |\n| --- | ---: |", pairs.len());
    row("ours until durable, s", &|ours, _| ours.done().wall);
    row("raw until durable, s", &|_, raw| raw.insert.wall);
    row("**ratio until durable**", &|ours, raw| ours.done().wall / raw.insert.wall);
    row("ratio, catalog alone", &|ours, raw| ours.catalog.wall / raw.insert.wall);
    row("ratio, items alone", &|ours, raw| ours.items.wall / raw.insert.wall);
    row("ours, processor time, s", &|ours, _| ours.done().cpu);
    row("raw, processor time, s", &|_, raw| raw.insert.cpu);
    row("ratio of processor time", &|ours, raw| ours.done().cpu / raw.insert.cpu);
    row("ratio until closed", &|ours, raw| {
        (ours.done() + ours.close).wall / (raw.insert + raw.close).wall
    });
    row("our files, bytes per byte of document", &|ours, _| ours.bytes as f64 / bytes);
    row("raw file, bytes per byte of document", &|_, raw| raw.bytes as f64 / bytes);
}
