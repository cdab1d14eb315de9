use std::path::Path;

use model::Intent;
use sqlite_engine::{Durability, Executor, Options};

use super::audience::Decision;
use super::*;

fn shelf() -> Register {
    let options = Options { executor: Executor::Inline, durability: Durability::Full };
    Register::open(Path::new(":memory:"), options).expect("opens")
}

fn digest(part: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(part).into())
}

impl Register {
    async fn keep(&self, computer: u128, version: u64, named: &[&[u8]], now_ms: i64) -> bool {
        let parts = named.iter().map(|part| digest(part)).collect();
        let kept = Kept { incarnation: 1, is_known: true, version, parts };
        let bytes = named.iter().map(|part| part.to_vec()).collect();
        let kept = self.keep_policy(Uuid::from_u128(computer), kept, bytes, now_ms);
        kept.await.expect("writes")
    }

    async fn absent(&self, parts: &[&[u8]]) -> usize {
        let parts = parts.iter().map(|part| digest(part)).collect();
        self.absent_parts(parts).await.expect("reads").len()
    }
}

/// Symptom: a deployment that had stood for three months was taken away. Cause: its part went,
/// because no newer policy had named it since, and what was left was told. Repair: a part goes when
/// no policy names it.
#[tokio::test]
async fn parts_that_policy_names_stay() {
    let (shelf, later) = (shelf(), limits::PARTS_KEPT_MS + 1);
    assert!(shelf.keep(1, 1, &[b"a", b"b"], 0).await);
    assert!(shelf.keep(2, 1, &[b"b"], later).await);
    assert_eq!(shelf.absent(&[b"a", b"b"]).await, 0);
    assert!(shelf.keep(1, 2, &[b"b"], later).await);
    assert_eq!(shelf.absent(&[b"a", b"b"]).await, 1, "nobody names it");
    assert!(!shelf.keep(1, 1, &[b"b"], later).await, "it is older");
}

/// Symptom: policy some parts of which had been lost stayed so. Cause: the site gave it again under
/// the version that was here. Repair: the same version is taken.
#[tokio::test]
async fn the_same_policy_is_taken_again() {
    let shelf = shelf();
    assert!(shelf.keep(1, 3, &[b"a"], 0).await);
    shelf.lose_parts().await;
    assert!(shelf.keep(1, 3, &[b"a"], 0).await);
    assert_eq!(shelf.absent(&[b"a"]).await, 0);
}

/// Symptom: an update whose deployment was withdrawn stayed to be installed. Cause: the sets that
/// named it were forgotten, and nobody knew that it had ever been decided. Repair: that is kept.
#[tokio::test]
async fn what_was_ever_decided_is_remembered_longer_than_the_sets() {
    let shelf = shelf();
    shelf.note_catalog(None).await.expect("writes");
    let decision = |number: u64| Decision {
        intent: Intent::Required,
        deadline: Some(Timestamp(number.cast_signed())),
        since: Timestamp(0),
        number: 1,
    };
    let first = UpdateId(Uuid::from_u128(1));
    let set = |update, number| Decisions::from([(update, decision(number))]);
    let old = shelf.audience(set(first, 0), 0).await.expect("writes");
    for number in 1..=limits::AUDIENCES_MAX {
        let other = UpdateId(Uuid::from_u128(2));
        shelf.audience(set(other, number), 0).await.expect("writes");
    }
    assert!(shelf.audience_of(old.id).await.expect("reads").is_none(), "its set is forgotten");
    let ever = shelf.ever_decided().await.expect("reads").expect("nothing was lost");
    assert!(ever.contains(&first), "{ever:?}");
}
