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
    let memory = open(&directory, 2).memory().await.expect("it is whole");
    assert_eq!(memory.said, told(&[2]));
    assert_eq!(memory.record.scan, record.scan);
}
