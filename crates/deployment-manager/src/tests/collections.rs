//! Members that follow what is known of clients, and members that wait for a full evaluation.

use ambient::{ManualClock, SeededEntropy};
use compliance::{Board, BoardWriter};
use model::{ClientRecord, Collection, CollectionRule};

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// A Sunday at 01:46:40 UTC.
const START_MS: i64 = 1_000_000_000_000;

fn windows(number: u128) -> Own {
    let os = "windows 10.0.26100".to_owned();
    Own::put(&ClientRecord { os, ..objects::client(number, "PR1") })
}

/// Windows computers.
fn chosen() -> Collection {
    let (name, text) = ("windows".to_owned(), "os like \"windows%\"".to_owned());
    let rules = vec![CollectionRule::Query { name, text }];
    Collection::plain(object("PR100020"), "Windows".to_owned(), rules)
}

fn deployed_to(code: &str) -> Own {
    Own::put(&Deployment { collection: object(code), ..deployment() })
}

#[tokio::test]
async fn a_changed_record_changes_members_in_the_next_step_and_nobody_else() {
    let world = world();
    world.write(Group::Control, Own::put(&chosen()));
    world.write(Group::Control, deployed_to("PR100020"));
    world.step().await;
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 0 clients"));
    let (ten, eleven) = (world.head(10, 5).await, world.head(11, 5).await);
    world.woken();
    world.write(Group::Clients, windows(11));
    assert_eq!(world.step().await, Step::Planned { woken: 1 });
    assert_eq!(world.woken(), [11]);
    assert!(world.head(11, 5).await.version > eleven.version);
    assert_eq!(world.head(10, 5).await, ten);
    world.write(Group::Clients, put_client(11, "PR1"));
    world.step().await;
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 0 clients"));
}

#[tokio::test]
async fn an_excluded_collection_that_is_not_here_makes_its_users_wait() {
    let world = world();
    let mut collection = chosen();
    collection.rules.push(CollectionRule::Exclude(object("CAS00007")));
    world.write(Group::Clients, windows(10));
    world.write(Group::Control, Own::put(&collection));
    world.write(Group::Control, deployed_to("PR100020"));
    world.step().await;
    assert_eq!(world.outcome().as_deref(), Some("waiting for CAS00007 of CAS"));
}

#[tokio::test]
async fn members_that_change_at_full_evaluations_only_change_on_schedule() {
    let clock = Arc::new(ManualClock::at(START_MS));
    let world = world_of(Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1))));
    let board = BoardWriter::default();
    let wake = Arc::clone(&world.manager.deps.wake);
    let deps = Deps { db: world.db.clone(), wake, board: board.handle() };
    let manager = DeploymentManager::new(Config::default(), deps);
    let scheduled = Collection {
        is_incremental: false,
        full_at: Some("0 3 * * SUN in UTC".to_owned()),
        ..chosen()
    };
    world.write(Group::Clients, windows(10));
    world.write(Group::Control, Own::put(&scheduled));
    let step = async || {
        let evaluated = manager.step_collections().await.expect("a look");
        let next = evaluated.next.map(|next| next.to_string()).unwrap_or_default();
        format!("{:?} next {next}", evaluated.codes)
    };
    let kept = || {
        let kept = world.db.read_blocking(|r| r.members_kept()).expect("read");
        kept.into_values().map(|members| members.len()).collect::<Vec<_>>()
    };
    // The board is being made.
    assert_eq!((step().await.as_str(), kept()), ("[] next 2001-09-09T01:46:42.000Z", Vec::new()));
    board.replace(Board::rebuild([10, 11].map(|number| ClientId(id(number))), []));
    let first = "[PR100020] next 2001-09-09T03:00:00.000Z";
    assert_eq!((step().await.as_str(), kept()), (first, vec![1]));
    world.write(Group::Clients, windows(11));
    assert_eq!((step().await.as_str(), kept()), ("[] next 2001-09-09T03:00:00.000Z", vec![1]));
    world.write(Group::Control, deployed_to("PR100020"));
    world.step().await;
    assert_eq!(world.outcome().as_deref(), Some("1 updates for 1 clients"));
    clock.advance_ms(DAY_MS / 12);
    let second = "[PR100020] next 2001-09-16T03:00:00.000Z";
    assert_eq!((step().await.as_str(), kept()), (second, vec![2]));
    assert_eq!((step().await.as_str(), kept()), ("[] next 2001-09-16T03:00:00.000Z", vec![2]));
    // Once it follows every change, nothing is kept.
    world.write(Group::Control, Own::put(&Collection { is_incremental: true, ..scheduled }));
    assert_eq!((step().await.as_str(), kept()), ("[] next ", Vec::new()));
}
