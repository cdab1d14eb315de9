use sqlite_engine::{Durability, Executor};

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

fn register() -> Register {
    let options = Options { executor: Executor::Inline, durability: Durability::Full };
    Register::open(Path::new(":memory:"), options).expect("opens")
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn contact(at_ms: i64, address: u8) -> Contact {
    Contact { at_ms, address: Some(IpAddr::from([10, 0, 0, address])) }
}

impl Register {
    async fn come(&self, number: u128, at_ms: i64) -> bool {
        let come = self.register(id(number), ComputerInfo::default(), 1, contact(at_ms, 1));
        come.await.expect("writes")
    }

    async fn due(&self, now_ms: i64) -> Vec<Newcomer> {
        let site = SiteCode::new("PR1").expect("a site code");
        self.newcomers(site, None, now_ms).await.expect("reads")
    }

    /// The site takes all that is due.
    async fn told(&self, now_ms: i64) -> usize {
        let due = self.due(now_ms).await;
        for newcomer in &due {
            self.received(newcomer, Reception::Known, now_ms).await.expect("writes");
        }
        due.len()
    }
}

/// Symptom: whoever registered once counted for ever, so that made-up names kept real computers
/// out. Cause: no row was ever deleted. Repair: who does not come goes when others come, sooner if
/// the site never heard of it.
#[tokio::test]
async fn whoever_does_not_come_any_more_is_forgotten() {
    let register = register();
    register.come(1, 0).await;
    register.told(0).await;
    register.come(2, 0).await;
    assert!(register.knows(id(1)).await.expect("reads"));
    assert!(register.knows(id(2)).await.expect("reads"));
    let known = async || {
        let mut known = Vec::new();
        for number in 1..=5 {
            known.push(register.knows(id(number)).await.expect("reads"));
        }
        known
    };
    register.come(3, limits::UNKNOWN_KEPT_MS).await;
    assert_eq!(known().await, [true, true, true, false, false]);
    register.come(4, limits::UNKNOWN_KEPT_MS + 1).await;
    assert_eq!(known().await, [true, false, true, true, false]);
    register.come(5, limits::COMPUTERS_KEPT_MS + 1).await;
    assert_eq!(known().await, [false, false, false, false, true]);
}

#[tokio::test]
async fn a_full_register_takes_back_whom_it_knows() {
    let register = register();
    register.come(1, 0).await;
    let fill =
        |tx: &WriteTx| tx.execute("UPDATE progress SET computers = ?1", [limits::COMPUTERS_MAX]);
    register.database.write(fill).await.expect("writes");
    assert!(!register.come(2, 0).await, "there is no room");
    assert!(!register.knows(id(2)).await.expect("reads"));
    assert!(register.come(1, 0).await);
    // What goes makes room.
    assert!(register.come(2, limits::UNKNOWN_KEPT_MS + 1).await);
}

/// Symptom: a computer that registered while the site was being told of it was shown as before for
/// a day. Cause: the answer of the site cleared whatever waited. Repair: it clears what it has heard.
#[tokio::test]
async fn what_changes_while_the_site_is_told_is_told_next() {
    let register = register();
    register.come(1, 0).await;
    let sent = register.due(0).await;
    register.come(1, 0).await;
    register.received(&sent[0], Reception::Known, 0).await.expect("writes");
    assert_eq!(register.told(0).await, 1, "the second registration");
    assert_eq!(register.told(0).await, 0);
}

/// Symptom: each change of an address made a new record for all sites. Cause: it was told at once.
/// Repair: every few hours.
#[tokio::test]
async fn the_site_hears_of_new_addresses_now_and_then() {
    let register = register();
    register.come(1, 0).await;
    assert_eq!(register.told(0).await, 1);
    let visit = async |at_ms, address| {
        register.note_contact(id(1), contact(at_ms, address)).await.expect("writes");
        let due = register.due(at_ms).await;
        register.told(at_ms).await;
        due.first().map(|newcomer| newcomer.record.address)
    };
    let hours = limits::ADDRESS_MS;
    assert_eq!(visit(hours - 1, 2).await, None, "too soon");
    // Nobody forgets that it was not told.
    assert_eq!(visit(hours, 2).await, Some(contact(0, 2).address));
    assert_eq!(visit(2 * hours, 2).await, None, "nothing is new");
    assert_eq!(visit(2 * hours + 1, 3).await, Some(contact(0, 3).address));
    assert_eq!(visit(2 * hours + DAY_MS, 3).await, None);
    assert_eq!(visit(2 * hours + 1 + DAY_MS, 3).await, Some(contact(0, 3).address));
}
