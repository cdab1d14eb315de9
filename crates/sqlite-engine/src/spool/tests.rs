use tempfile::TempDir;

use super::*;
use crate::error::Fault;

const LIMITS: Limits = Limits { entries_max: 4, bytes_max: 100 };

fn open(directory: &TempDir, executor: Executor) -> Spool {
    Spool::open(&directory.path().join("spool.db"), executor, LIMITS).expect("opens")
}

fn bodies(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

async fn queued(spool: &Spool) -> Vec<(u64, String)> {
    let entries = spool.read(0, 100).await.expect("reads");
    let text = |body| String::from_utf8(body).expect("text");
    entries.into_iter().map(|entry| (entry.id, text(entry.body))).collect()
}

#[tokio::test]
async fn entries_survive_until_acknowledged_and_ids_are_never_reused() {
    let directory = TempDir::new().expect("temporary directory");
    let spool = open(&directory, Executor::Thread);
    spool.append(bodies(&["a", "b", "c"])).await.expect("appends");
    assert_eq!(spool.read(1, 1).await.expect("reads"), [Entry { id: 2, body: b"b".to_vec() }]);
    // Not closed: what a kill leaves behind is the file and its log.
    let survivor = open(&directory, Executor::Inline);
    assert_eq!(queued(&survivor).await.len(), 3);
    survivor.acknowledge(3).await.expect("acknowledges");
    survivor.append(bodies(&["d"])).await.expect("appends");
    assert_eq!(queued(&survivor).await, [(4, "d".to_owned())]);
    assert_eq!(queued(&spool).await, [(4, "d".to_owned())]);
}

#[tokio::test]
async fn the_oldest_entries_come_in_bounded_portions() {
    let directory = TempDir::new().expect("temporary directory");
    let spool = open(&directory, Executor::Inline);
    assert_eq!(spool.oldest(9, 9).await.expect("reads"), []);
    spool.append(bodies(&["large one", "b", "c", "d"])).await.expect("appends");
    let ids = async |count_max, bytes_max| {
        let oldest = spool.oldest(count_max, bytes_max).await.expect("reads");
        oldest.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(9, 1).await, [1], "one always comes");
    assert_eq!((ids(9, 11).await, ids(2, 99).await), (vec![1, 2, 3], vec![1, 2]));
    spool.quarantine(1, "bad").await.expect("quarantines");
    assert_eq!(ids(9, 2).await, [2, 3]);
    assert_eq!(spool.queued(1).await.expect("reads"), None);
    let second = Entry { id: 2, body: b"b".to_vec() };
    assert_eq!(spool.queued(2).await.expect("reads"), Some(second));
}

#[tokio::test]
async fn a_quarantined_entry_does_not_block_and_is_kept() {
    let directory = TempDir::new().expect("temporary directory");
    let spool = open(&directory, Executor::Inline);
    spool.append(bodies(&["a", "bad", "c"])).await.expect("appends");
    spool.quarantine(2, "unknown client").await.expect("quarantines");
    assert_eq!(queued(&spool).await, [(1, "a".to_owned()), (3, "c".to_owned())]);
    spool.acknowledge(3).await.expect("acknowledges");
    let usage = Usage { queued: 0, bytes: 0, quarantined: 1 };
    assert_eq!(spool.usage().await.expect("counts"), usage);
    let kept = "SELECT body, reason FROM entry";
    let kept = spool.database.read(move |tx| {
        tx.query_all(kept, [], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?)))
    });
    assert_eq!(kept.await.expect("reads"), [(b"bad".to_vec(), "unknown client".to_owned())]);
}

#[tokio::test]
async fn a_batch_beyond_a_limit_is_refused_whole() {
    let directory = TempDir::new().expect("temporary directory");
    let spool = open(&directory, Executor::Inline);
    spool.append(bodies(&["a", "b"])).await.expect("appends");
    for batch in [bodies(&["c", "d", "e"]), bodies(&["x".repeat(99).as_str()])] {
        let refused = spool.append(batch).await.expect_err("is too much");
        assert_eq!(refused.fault(), Fault::Exhausted);
    }
    assert_eq!(spool.usage().await.expect("counts").queued, 2);
    spool.acknowledge(1).await.expect("acknowledges");
    spool.append(bodies(&["c", "d", "e"])).await.expect("there is room again");
}
