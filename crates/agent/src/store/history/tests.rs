use ambient::Ambient;
use client::Keep;
use sqlite_engine::Executor;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

fn open() -> (TempDir, Store) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("agent.db");
    let own = crate::store::tests::identity();
    let store = Store::open(&Ambient::seeded(1, 0), &path, &own, Executor::Inline).expect("opens");
    (directory, store)
}

fn event(at: i64, kind: EventKind, text: impl Into<String>) -> Event {
    let (update, code, duration_ms, bytes) = (None, None, None, None);
    Event { at: Timestamp(at), kind, update, code, duration_ms, bytes, text: text.into() }
}

fn keeps(events: impl IntoIterator<Item = Event>) -> Vec<Keep> {
    events.into_iter().map(Keep::Event).collect()
}

fn scan(at: i64) -> Event {
    event(at, EventKind::Scan, format!("at {at}"))
}

#[tokio::test]
async fn what_happened_is_kept_whole_and_told_from_the_newest() {
    let (_directory, store) = open();
    let id = UpdateId(Uuid::from_u128(7));
    let installed = Event {
        update: Some(UpdateRef { id, revision: 3 }),
        code: Some(-2_145_107_940),
        duration_ms: Some(61_000),
        bytes: Some(1 << 40),
        ..event(2, EventKind::Install, "failed")
    };
    store.keep(keeps([scan(1), installed.clone()])).await.expect("kept");
    store.keep(keeps([scan(3)])).await.expect("kept");
    let all = store.history(Wanted::All, 10).await.expect("told");
    assert_eq!(all, [scan(3), installed.clone(), scan(1)]);
    assert_eq!(store.history(Wanted::All, 1).await.expect("told"), [scan(3)]);
    let scans = store.history(Wanted::Kind(EventKind::Scan), 1).await.expect("told");
    assert_eq!(scans, [scan(3)]);
    assert_eq!(store.history(Wanted::Of(id), 10).await.expect("told"), [installed]);
}

#[tokio::test]
async fn history_ends_after_ninety_days() {
    let (_directory, store) = open();
    store.keep(keeps([scan(0), scan(5)])).await.expect("kept");
    store.keep(keeps([scan(KEPT_MS + 1)])).await.expect("kept");
    let left = store.history(Wanted::All, 10).await.expect("told");
    assert_eq!(left, [scan(KEPT_MS + 1), scan(5)], "the first is older than ninety days");
}

/// Symptom: whoever sits at a computer asked for scans until nothing else was left in its history;
/// nobody could see any more what had been installed. Cause: all events shared one bound. Repair:
/// each kind has its own.
#[tokio::test]
async fn what_people_here_cause_does_not_take_the_place_of_what_was_installed() {
    let (_directory, store) = open();
    let installed = event(1, EventKind::Install, "installed");
    store.keep(keeps([installed.clone()])).await.expect("kept");
    let flood = |kind| (0..12_000).map(move |at| event(at, kind, "alice: scan"));
    store.keep(keeps(flood(EventKind::User).chain(flood(EventKind::Scan)))).await.expect("kept");
    let left = store.history(Wanted::All, u32::MAX).await.expect("told");
    assert_eq!(left.len() as i64, 2 * EVENTS_OF_KIND_MAX + 1);
    assert_eq!(left.last(), Some(&installed), "it is the oldest");
    assert_eq!(left[0], event(11_999, EventKind::Scan, "alice: scan"));
}

/// Symptom: one event while the clock was months ahead left nothing else in the history. Cause: age
/// was counted from the newest event. Repair: each event makes no more than two others go.
#[tokio::test]
async fn a_clock_that_is_ahead_for_a_while_takes_the_past_from_nobody() {
    let (_directory, store) = open();
    store.keep(keeps((1..=100).map(scan))).await.expect("kept");
    let ahead = 10 * KEPT_MS;
    store.keep(keeps([scan(ahead), scan(ahead + 1)])).await.expect("kept");
    store.keep(keeps([scan(101)])).await.expect("kept");
    let left = store.history(Wanted::All, 1_000).await.expect("told");
    assert_eq!(left.len(), 99, "two events have cost four");
    assert_eq!((left[0].at, left[98].at), (Timestamp(101), Timestamp(5)));
    // Ninety days later all of it has gone.
    store.keep(keeps((0..60).map(|at| scan(KEPT_MS + 200 + at)))).await.expect("kept");
    let left = store.history(Wanted::All, 1_000).await.expect("told");
    assert!(left.iter().all(|event| event.at.0 > 200), "{left:?}");
}

#[tokio::test]
async fn a_text_without_end_is_cut() {
    let (_directory, store) = open();
    let endless = event(1, EventKind::Refusal, "ü".repeat(100_000));
    store.keep(keeps([endless])).await.expect("kept");
    let told = store.history(Wanted::All, 1).await.expect("told");
    assert_eq!(told[0].text, "ü".repeat(TEXT_CHARACTERS_MAX));
}
