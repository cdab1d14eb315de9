use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::{Fault, params};

const ACCOUNTS: Schema = Schema {
    name: "accounts",
    application_id: 0x544c_5454,
    migrations: &["CREATE TABLE account (name TEXT PRIMARY KEY, amount INTEGER NOT NULL) STRICT;
         CREATE TABLE entry (account TEXT NOT NULL REFERENCES account (name)) STRICT;"],
};

const THREAD: Options = Options { executor: Executor::Thread, durability: Durability::Full };
const INLINE: Options = Options { executor: Executor::Inline, durability: Durability::Normal };

fn open(directory: &TempDir, options: Options) -> Database {
    Database::open(&directory.path().join("accounts.db"), ACCOUNTS, options).expect("opens")
}

fn add(tx: &WriteTx, name: &str, amount: i64) -> Result<(), Error> {
    let sql = "INSERT INTO account VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET amount = amount + excluded.amount";
    tx.execute(sql, params![name, amount]).map(drop)
}

fn names(tx: &ReadTx) -> Result<Vec<String>, Error> {
    tx.query_all("SELECT name FROM account ORDER BY name", [], |row| row.get(0))
}

/// Occupies the writer until the returned sender is dropped, so that later writes queue up.
async fn hold_writer(
    database: &Database,
    writes: &mut JoinSet<Result<(), Error>>,
) -> mpsc::SyncSender<()> {
    let (release, held) = mpsc::sync_channel::<()>(1);
    let (entered, inside) = oneshot::channel();
    let database = database.clone();
    writes.spawn(async move {
        database
            .write(move |_| {
                let _ = entered.send(());
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    inside.await.expect("the writer runs the closure");
    release
}

async fn wait_for_queue(database: &Database, length: usize) {
    let Runner::Threads { writer, .. } = &*database.runner else { panic!("has threads") };
    while writer.max_capacity() - writer.capacity() < length {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn writes_that_wait_together_share_one_commit() {
    let directory = TempDir::new().expect("temporary directory");
    let database = open(&directory, THREAD);
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut writes = JoinSet::new();
    let release = hold_writer(&database, &mut writes).await;
    for number in 0..20 {
        let (database, log) = (database.clone(), Arc::clone(&log));
        writes.spawn(async move {
            let write = move |tx: &WriteTx| {
                log.lock().expect("not poisoned").push("write");
                tx.on_commit(move || log.lock().expect("not poisoned").push("commit"));
                add(tx, &number.to_string(), 1)
            };
            database.write(write).await
        });
    }
    wait_for_queue(&database, 20).await;
    drop(release);
    writes.join_all().await.into_iter().collect::<Result<Vec<_>, _>>().expect("all succeed");
    // One commit for all: no hook ran before the last closure had run.
    assert_eq!(*log.lock().expect("not poisoned"), [["write"; 20], ["commit"; 20]].concat());
}

#[tokio::test]
async fn a_failing_write_is_undone_alone() {
    let directory = TempDir::new().expect("temporary directory");
    let database = open(&directory, THREAD);
    let hooks = Arc::new(Mutex::new(Vec::new()));
    let mut writes = JoinSet::new();
    let release = hold_writer(&database, &mut writes).await;
    for name in ["good", "refused", "panicking", "later"] {
        let (database, hooks) = (database.clone(), Arc::clone(&hooks));
        writes.spawn(async move {
            let write = move |tx: &WriteTx| {
                add(tx, name, 1)?;
                tx.on_commit(move || hooks.lock().expect("not poisoned").push(name));
                match name {
                    "refused" => tx.execute("INSERT INTO account VALUES ('good', 1)", []).map(drop),
                    "panicking" => panic!("broken invariant"),
                    _ => Ok(()),
                }
            };
            database.write(write).await
        });
    }
    wait_for_queue(&database, 4).await;
    drop(release);
    let answers = writes.join_all().await;
    let faults: Vec<_> =
        answers.iter().filter_map(|a| a.as_ref().err().map(Error::fault)).collect();
    assert_eq!(faults.len(), 2, "{answers:?}");
    assert!(faults.contains(&Fault::Conflict) && faults.contains(&Fault::Internal), "{faults:?}");
    assert_eq!(database.read(names).await.expect("reads"), ["good", "later"]);
    assert_eq!(*hooks.lock().expect("not poisoned"), ["good", "later"]);
}

#[tokio::test]
async fn a_reader_keeps_its_snapshot() {
    let directory = TempDir::new().expect("temporary directory");
    let database = open(&directory, THREAD);
    let (entered, inside) = oneshot::channel();
    let (release, held) = mpsc::sync_channel::<()>(1);
    let reader = database.read(move |tx| {
        let before = names(tx)?;
        let _ = entered.send(());
        let _ = held.recv();
        Ok::<_, Error>((before, names(tx)?))
    });
    let writer = async {
        inside.await.expect("the reader is inside");
        database.write(|tx| add(tx, "new", 1)).await.expect("writes");
        drop(release);
    };
    let (seen, ()) = tokio::join!(reader, writer);
    assert_eq!(seen.expect("reads"), (vec![], vec![]));
    assert_eq!(database.read(names).await.expect("reads"), ["new"]);
}

#[tokio::test]
async fn a_closed_database_is_one_file_and_opens_again() {
    let directory = TempDir::new().expect("temporary directory");
    for (round, options) in [THREAD, INLINE].into_iter().enumerate() {
        let database = open(&directory, options);
        database.write(move |tx| add(tx, &round.to_string(), 1)).await.expect("writes");
        database.close().await;
        let refused = database.write(|tx| add(tx, "late", 1)).await;
        assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
        let left: Vec<_> = std::fs::read_dir(directory.path()).expect("lists").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
    let seen = open(&directory, INLINE).read_blocking(names).expect("reads");
    assert_eq!(seen, ["0", "1"]);
}

#[test]
fn inline_runs_on_the_caller_and_isolates_failures_too() {
    let database = Database::open_in_memory(ACCOUNTS).expect("opens");
    let caller = std::thread::current().id();
    let seen = database.write_blocking(move |tx| {
        add(tx, "kept", 1)?;
        Ok::<_, Error>(std::thread::current().id())
    });
    assert_eq!(seen.expect("writes"), caller);
    let panicked: Result<(), Error> = database.write_blocking(|tx| {
        add(tx, "lost", 1)?;
        panic!("broken invariant")
    });
    assert!(panicked.expect_err("panics").to_string().contains("broken invariant"));
    // A read leaves nothing behind even if it writes.
    let sneaky = "INSERT INTO account VALUES ('sneaky', 1) RETURNING name";
    let name =
        database.read_blocking(move |tx| tx.query_row(sneaky, [], |r| r.get::<_, String>(0)));
    assert_eq!(name.expect("runs"), "sneaky");
    assert_eq!(database.read_blocking(names).expect("reads"), ["kept"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_taken_while_writing_is_consistent() {
    let directory = TempDir::new().expect("temporary directory");
    let database = open(&directory, THREAD);
    let mut writes = JoinSet::new();
    for _ in 0..4 {
        let database = database.clone();
        writes.spawn(async move {
            for _ in 0..100 {
                let transfer = |tx: &WriteTx| add(tx, "a", -1).and_then(|()| add(tx, "b", 1));
                database.write(transfer).await?;
            }
            Ok::<_, Error>(())
        });
    }
    let target = directory.path().join("backup.db");
    for _ in 0..3 {
        // The later rounds replace the file of the earlier ones.
        database.backup(&target).await.expect("backs up");
        let copy = Database::open(&target, ACCOUNTS, INLINE).expect("opens");
        assert_eq!(copy.check().await.expect("checks"), Vec::<String>::new());
        let sum = "SELECT coalesce(sum(amount), 0) FROM account";
        let sum = copy.read(move |tx| tx.query_row(sum, [], |row| row.get::<_, i64>(0))).await;
        assert_eq!(sum.expect("reads"), 0);
        copy.close().await;
    }
    writes.join_all().await.into_iter().collect::<Result<Vec<_>, _>>().expect("all succeed");
}

#[tokio::test]
async fn check_names_a_dangling_reference() {
    let directory = TempDir::new().expect("temporary directory");
    let database = open(&directory, INLINE);
    let refused = database.write(|tx| tx.execute("INSERT INTO entry VALUES ('nobody')", [])).await;
    assert_eq!(refused.expect_err("foreign keys are on").fault(), Fault::Conflict);
    let raw = Connection::open(directory.path().join("accounts.db")).expect("opens");
    raw.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO entry VALUES ('nobody')")
        .expect("a foreign program writes");
    let problems = database.check().await.expect("checks");
    assert_eq!(problems, ["row 1 of entry refers to a missing row of account"]);
}

#[tokio::test]
async fn a_long_log_is_folded_back_outside_of_commits() {
    let directory = TempDir::new().expect("temporary directory");
    let database = open(&directory, INLINE);
    for round in 0..20 {
        let name = format!("{round}{}", "x".repeat(1 << 20));
        database.write(move |tx| add(tx, &name, 1)).await.expect("writes");
    }
    let log = std::fs::metadata(directory.path().join("accounts.db-wal")).expect("has a log");
    assert!(log.len() < 8 << 20, "20 MiB were written, the log holds {} bytes", log.len());
}
