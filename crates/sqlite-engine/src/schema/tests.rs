use expect_test::expect;
use tempfile::TempDir;

use super::*;
use crate::database::{Database, Durability, Executor, Options};
use crate::error::Fault;

const FIRST: &str = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
                     INSERT INTO item VALUES (1, 'kept');";
const SECOND: &str = "CREATE INDEX item_by_name ON item (name);";

fn schema(migrations: &'static [&'static str]) -> Schema {
    Schema { name: "test", application_id: 0x544c_5454, migrations }
}

fn open(directory: &TempDir, schema: Schema) -> Result<Database, Error> {
    let options = Options { executor: Executor::Inline, durability: Durability::Normal };
    Database::open(&directory.path().join("test.db"), schema, options)
}

#[tokio::test]
async fn a_migrated_database_equals_a_fresh_one() {
    let directory = TempDir::new().expect("temporary directory");
    open(&directory, schema(&[FIRST])).expect("opens").close().await;
    let migrated = open(&directory, schema(&[FIRST, SECOND])).expect("migrates");
    let name = |tx: &ReadTx| tx.query_row("SELECT name FROM item", [], |r| r.get::<_, String>(0));
    assert_eq!(migrated.read(name).await.expect("reads"), "kept");
    let fresh = Database::open_in_memory(schema(&[FIRST, SECOND])).expect("opens");
    let dump = fresh.dump_schema().await.expect("dumps");
    assert_eq!(migrated.dump_schema().await.expect("dumps"), dump);
    expect![[r#"
        -- schema version 2

        CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;

        CREATE INDEX item_by_name ON item (name);
    "#]]
    .assert_eq(&dump);
}

#[tokio::test]
async fn newer_and_foreign_databases_are_refused() {
    let directory = TempDir::new().expect("temporary directory");
    open(&directory, schema(&[FIRST, SECOND])).expect("opens").close().await;
    let newer = open(&directory, schema(&[FIRST])).expect_err("is newer");
    assert_eq!(newer.fault(), Fault::Invalid);
    assert!(newer.to_string().contains("has schema version 2"), "{newer}");
    let other = Schema { name: "other", application_id: 7, migrations: &[FIRST] };
    let foreign = open(&directory, other).expect_err("is foreign");
    assert!(foreign.to_string().contains("is not a other database"), "{foreign}");
    std::fs::write(directory.path().join("test.db"), "not SQLite at all, but long enough")
        .expect("writes");
    let garbage = open(&directory, schema(&[FIRST])).expect_err("is garbage");
    assert_eq!(garbage.fault(), Fault::Corrupt);
}

#[tokio::test]
async fn what_was_kept_before_a_migration_can_be_put_back() {
    let directory = TempDir::new().expect("temporary directory");
    let path = directory.path().join("test.db");
    let (first, second) = (schema(&[FIRST]), schema(&[FIRST, SECOND]));
    second.keep_older(&path).expect("there is nothing to keep");
    open(&directory, first).expect("opens").close().await;
    first.keep_older(&path).expect("its layout is the newest");
    assert!(!first.put_older_back(&path).expect("looks"), "nothing was kept so far");
    second.keep_older(&path).expect("is kept");
    let migrated = open(&directory, second).expect("migrates");
    let rename = |tx: &crate::WriteTx| tx.execute("UPDATE item SET name = 'lost'", []).map(drop);
    migrated.write::<_, Error, _>(rename).await.expect("writes");
    // It is not closed: what a killed process leaves beside it is not read into what takes its place.
    std::fs::remove_file(&path).expect("is gone");
    assert!(first.put_older_back(&path).expect("puts it back"));
    let name = |tx: &ReadTx| tx.query_row("SELECT name FROM item", [], |r| r.get::<_, String>(0));
    let older = open(&directory, first).expect("is of its version");
    assert_eq!(older.read(name).await.expect("reads"), "kept");
    assert!(!first.put_older_back(&path).expect("looks"), "it has taken its place");
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing_behind() {
    let directory = TempDir::new().expect("temporary directory");
    let broken = schema(&[FIRST, "CREATE TABLE half (id INTEGER) STRICT; CREATE nonsense;"]);
    let error = open(&directory, broken).expect_err("cannot migrate");
    assert!(matches!(error, Error::Migrate { version: 2, .. }), "{error:?}");
    let repaired = open(&directory, schema(&[FIRST, SECOND])).expect("migrates");
    assert!(!repaired.dump_schema().await.expect("dumps").contains("half"));
    let loose = Database::open_in_memory(schema(&["CREATE TABLE loose (id INTEGER)"]));
    assert!(matches!(loose, Err(Error::LooseTable { table, .. }) if table == "loose"));
}
