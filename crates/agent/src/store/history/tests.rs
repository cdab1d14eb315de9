use ambient::Ambient;
use client::Keep;
use sqlite_engine::Executor;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

fn open() -> (TempDir, Store) {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("agent.db");
    let store = Store::open(&Ambient::seeded(1, 0), &path, Executor::Inline).expect("opens");
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
async fn history_ends_after_ninety_days_and_ten_thousand_events() {
    let (_directory, store) = open();
    store.keep(keeps([scan(0), scan(5)])).await.expect("kept");
    store.keep(keeps([scan(KEPT_MS + 1)])).await.expect("kept");
    let left = store.history(Wanted::All, 10).await.expect("told");
    assert_eq!(left, [scan(KEPT_MS + 1), scan(5)], "the first is older than ninety days");
    let many = (0..EVENTS_MAX).map(|_| scan(KEPT_MS + 2));
    store.keep(keeps(many)).await.expect("kept");
    let left = store.history(Wanted::All, u32::MAX).await.expect("told");
    assert_eq!(left.len() as i64, EVENTS_MAX);
    assert!(left.iter().all(|event| *event == scan(KEPT_MS + 2)), "the oldest went");
}

#[tokio::test]
async fn a_text_without_end_is_cut() {
    let (_directory, store) = open();
    let endless = event(1, EventKind::Refusal, "ü".repeat(100_000));
    store.keep(keeps([endless])).await.expect("kept");
    let told = store.history(Wanted::All, 1).await.expect("told");
    assert_eq!(told[0].text, "ü".repeat(TEXT_CHARACTERS_MAX));
}
