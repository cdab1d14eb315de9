use expect_test::expect_file;
use tempfile::TempDir;

use super::*;

fn open(directory: &TempDir, seed: u64) -> Store {
    let ambient = Ambient::seeded(seed, 0);
    Store::open(&ambient, &directory.path().join("agent.db"), Executor::Inline).expect("opens")
}

#[tokio::test]
async fn the_schema_is_the_one_checked_in() {
    let store = open(&TempDir::new().expect("a directory"), 1);
    let dump = store.database.dump_schema().await.expect("dumps");
    expect_file!["../../schema/latest.sql"].assert_eq(&dump);
}

#[tokio::test]
async fn an_incarnation_lasts_as_long_as_its_memory() {
    let directory = TempDir::new().expect("a directory");
    let incarnation = async |seed| open(&directory, seed).record().await.expect("one").incarnation;
    let first = incarnation(1).await;
    assert_eq!(incarnation(2).await, first);
    std::fs::remove_file(directory.path().join("agent.db")).expect("removes");
    assert_ne!(incarnation(2).await, first);
}
