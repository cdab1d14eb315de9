use expect_test::expect_file;
use tempfile::TempDir;

use super::*;

fn open(directory: &TempDir, seed: u64) -> Store {
    let ambient = Ambient::seeded(seed, 0);
    let path = directory.path().join("agent.db");
    Store::open(&ambient, &path, &identity(), Executor::Inline).expect("opens")
}

pub(super) fn identity() -> PeerIdentity {
    let id = "0195a0c0-0000-7000-8000-000000000001";
    let identity = format!("tierline://{id}/PR1/client/{id}");
    identity.parse().expect("of a client")
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

#[tokio::test]
async fn where_deployments_and_the_last_scan_stand_survives_a_restart() {
    use model::{AssignmentCompliance, AssignmentEnforcement, AssignmentEvaluation, SourceScan};

    let directory = TempDir::new().expect("a directory");
    let store = open(&directory, 1);
    let id = |number| model::DeploymentId(Uuid::from_u128(number));
    let state = model::DeploymentState {
        compliance: AssignmentCompliance::NonCompliant,
        enforcement: Some(AssignmentEnforcement::Failed),
        evaluation: AssignmentEvaluation::Succeeded,
        code: -3,
        at: Timestamp(4),
    };
    let scan = model::LastScan {
        state: SourceScan::PendingRetry,
        server: "https://sup.example".to_owned(),
        at: Timestamp(5),
        duration_ms: 6,
        bytes: 7,
        code: -8,
    };
    let record = Record { scan: Some(scan), ..store.record().await.expect("one") };
    let client = model::ClientId(Uuid::nil());
    let told = |numbers: &[u128]| Knowledge {
        deployments: numbers.iter().map(|number| (id(*number), state)).collect(),
        ..Knowledge::default()
    };
    for (said, holds) in [(told(&[]), told(&[1, 2])), (told(&[1, 2]), told(&[2]))] {
        let reports =
            client::ledger::reports(client, &record, Extent::Changes, &said, &holds, Timestamp(9));
        let reports: Vec<_> = reports.into_iter().map(std::sync::Arc::new).collect();
        store.keep(vec![Keep::Acknowledged(1)]).await.expect("kept");
        let said = Keep::Said { record: record.clone(), reports, extent: Extent::Changes };
        store.keep(vec![Keep::Acknowledged(2), said]).await.expect("kept");
    }
    drop(store);
    let memory = open(&directory, 2).memory().await.expect("it is whole").0;
    assert_eq!(memory.said, told(&[2]));
    assert_eq!(memory.record.scan, record.scan);
}

#[tokio::test]
async fn a_memory_is_of_the_client_that_began_it() {
    let directory = TempDir::new().expect("a directory");
    let store = open(&directory, 1);
    store.is_of(&identity()).await.expect("it is");
    let other = PeerIdentity { site: "PR2".parse().expect("a code"), ..identity() };
    let said = store.is_of(&other).await.expect_err("it is not");
    assert!(said.is_damage(), "{said}");
}

/// What happens to a file, for tests of what comes of it.
impl Store {
    /// A version of the agent with a newer layout has worked with it.
    pub(crate) async fn is_used_by_newer(path: &Path) {
        const MIGRATIONS: &[&str] =
            &[SCHEMA.migrations[0], "ALTER TABLE record ADD COLUMN more TEXT"];
        let newer = Schema { migrations: MIGRATIONS, ..SCHEMA };
        let database = super::open(path, newer, Executor::Inline).expect("it is migrated");
        database.close().await;
    }

    pub(crate) async fn perform(&self, sql: &'static str) {
        let done = self.database.write(move |tx| tx.execute(sql, [])).await;
        assert_ne!(done.expect("it is done"), 0);
    }

    /// The file may grow no more, and every event needs room.
    pub(crate) async fn fill(&self) {
        self.limit("PRAGMA max_page_count = 1").await;
        let sql = "INSERT INTO history (at, kind, what) VALUES (9000000000000, 6, 'x')";
        let more = || self.database.write(move |tx: &WriteTx| tx.execute(sql, []));
        while more().await.is_ok() {}
    }

    pub(crate) async fn make_room(&self) {
        self.limit("PRAGMA max_page_count = 1000000").await;
    }

    async fn limit(&self, sql: &'static str) {
        let read = move |tx: &WriteTx| tx.query_row(sql, [], |row| row.get::<_, u64>(0));
        self.database.write::<_, EngineError, _>(read).await.expect("it is limited");
    }
}
