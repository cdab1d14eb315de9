use std::path::Path;

use model::SiteCode;
use sqlite_engine::{Durability, Executor, Options};
use wsus_protocol::WireTime;
use wsus_protocol::client::ComputerInfo;
use wsus_protocol::reporting::{BasicData, ExtendedData};

use super::super::register::{Contact, Reception};
use super::super::states::Scanned;
use super::*;

const COMPUTER: Uuid = Uuid::from_u128(0xc0);

/// That of a computer which the site knows.
async fn ledger() -> Register {
    let options = Options { executor: Executor::Inline, durability: Durability::Full };
    let ledger = Register::open(Path::new(":memory:"), options).expect("opens");
    let contact = Contact { at_ms: 0, address: None };
    ledger.register(COMPUTER, ComputerInfo::default(), 1, contact).await.expect("writes");
    let site = SiteCode::new("PR1").expect("a site code");
    let newcomers = ledger.newcomers(site, None, 0).await.expect("reads");
    ledger.received(&newcomers[0], Reception::Known, 0).await.expect("writes");
    ledger
}

impl Register {
    /// The computer needs these updates and no others.
    async fn needs(&self, number: u128, updates: impl Iterator<Item = u128>) {
        let ids: Vec<String> = updates.map(|id| Uuid::from_u128(id).to_string()).collect();
        let basic = BasicData {
            target: None,
            sequence_number: 0,
            time: WireTime::from_millis(5),
            instance: Uuid::from_u128(number),
            namespace: 1,
            event: 156,
            source: 101,
            update: None,
            hresult: 0,
            app_name: None,
        };
        let extended = ExtendedData {
            replacement_strings: Vec::new(),
            misc: vec![format!("U={}", ids.join(";"))],
            computer_brand: None,
            computer_model: None,
            bios_revision: None,
            processor_architecture: String::new(),
            os_version: None,
            os_locale: 0,
            device_id: None,
        };
        let event = ReportingEvent { basic, extended: Some(extended), private: None };
        let batch = Batch {
            computer: COMPUTER,
            scanned: Scanned { version: 4, ended: Timestamp(5) },
            received_at: Timestamp(5),
            client_time: WireTime::from_millis(5),
            events: vec![event],
        };
        let folded = self.fold(vec![batch], (1, Sha256([0; 32])), |_| Some(1));
        folded.await.expect("writes");
    }

    async fn rows(&self) -> usize {
        let sql = "SELECT count(*) FROM state";
        self.database
            .read(|tx: &ReadTx| tx.query_row(sql, [], |row| row.get(0)))
            .await
            .expect("reads")
    }

    /// What the site lacks; it takes it.
    async fn said(&self) -> StateReport {
        let mut reports = self.reports(None, 9).await.expect("reads");
        let report = reports.pop().expect("one");
        let settled = vec![(report.clone(), (Outcome::Applied, 0))];
        self.settle(settled).await.expect("writes");
        report
    }
}

/// Symptom: a computer that named other updates each time left a row for each of them. Cause: rows
/// of updates that are not required waited for a site that was never told of them, or was away.
/// Repair: they go, and the site is told everything.
#[tokio::test]
async fn what_is_not_required_any_more_does_not_pile_up() {
    let ledger = ledger().await;
    for round in 0..3 {
        ledger.needs(round, round * 10..round * 10 + 10).await;
        assert_eq!(ledger.rows().await, 10, "the site knows nothing yet");
    }
    assert!(ledger.said().await.full);
    ledger.needs(4, 0..1).await;
    assert_eq!(ledger.rows().await, 11);
    let said = ledger.said().await;
    assert_eq!((said.full, said.changes.len(), ledger.rows().await), (false, 11, 1));
    let many = limits::GONE_MAX as u128;
    for round in 5..9 {
        ledger.needs(round, round * many..(round + 1) * many).await;
        let rows = ledger.rows().await;
        assert!(rows <= 2 * limits::GONE_MAX + 1, "{rows}");
    }
    let said = ledger.said().await;
    assert_eq!((said.full, said.changes.len()), (true, limits::GONE_MAX));
    assert_eq!(ledger.rows().await, limits::GONE_MAX);
}

/// Symptom: updates beyond what a report holds read "not required". Cause: they were left out, and
/// the scan counted as one that speaks of everything. Repair: it speaks of nothing, and says why.
#[tokio::test]
async fn what_is_left_out_is_no_answer() {
    let ledger = ledger().await;
    ledger.needs(1, 0..REPORT_CHANGES_MAX as u128).await;
    let said = ledger.said().await;
    assert_eq!((said.covered, said.scan_error), (4, None));
    ledger.needs(2, 0..REPORT_CHANGES_MAX as u128 + 1).await;
    let said = ledger.said().await;
    assert_eq!(said.covered, 0);
    let error = said.scan_error.expect("a reason");
    assert_eq!(error, "it names 20001 updates, of which 20000 are taken");
}

/// Symptom: an update point whose data was put back was not heard of any computer until it had
/// counted as far again. Repair: it goes on after what the site knows, and says everything.
#[tokio::test]
async fn what_was_put_back_goes_on_after_what_the_site_knows() {
    let ledger = ledger().await;
    ledger.needs(1, 0..2).await;
    ledger.said().await;
    ledger.needs(2, 1..3).await;
    for known in [40, u64::MAX] {
        let report = ledger.reports(None, 9).await.expect("reads").pop().expect("one");
        let behind = vec![(report, (Outcome::Behind, known))];
        ledger.settle(behind).await.expect("writes");
    }
    let said = ledger.said().await;
    let facts = (said.full, said.changes.len(), said.serial_to);
    assert_eq!(facts, (true, 2, limits::SERIAL_MAX + 1));
    assert_eq!(ledger.reports(None, 9).await.expect("reads"), []);
}
