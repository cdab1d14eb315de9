use model::{Epoch, Group, Owner, SiteCode, StreamId};
use uuid::Uuid;

use super::*;

fn at(epoch: u32, seq: u64) -> Position {
    Position { epoch: Epoch { number: epoch, id: 9 }, seq }
}

fn digest(byte: u8) -> StreamDigest {
    StreamDigest([byte; 32])
}

fn head(position: Position, byte: u8, floor: u64) -> Head {
    let owner = Owner { code: SiteCode::new("CAS").expect("good"), uuid: Uuid::nil() };
    Head {
        stream: StreamId { group: Group::Catalog, owner },
        position,
        digest: Some(digest(byte)),
        floor,
        seen: position,
        signature: None,
        statement: None,
        stopped: false,
    }
}

fn local(position: Position, byte: u8) -> LocalStream {
    LocalStream { position, digest: digest(byte), seen: position, ..LocalStream::default() }
}

#[test]
fn a_receiver_follows_whenever_it_can() {
    let follow = |position, byte| Intake::Follow { position, digest: Some(digest(byte)) };
    let start = Intake::Follow { position: at(1, 0), digest: None };
    let reconcile = Intake::Reconcile;
    for (local, head, expected) in [
        (None, head(at(1, 9), 9, 0), start),
        (None, head(at(1, 9), 9, 5), reconcile(ReconcileReason::Snapshot)),
        (Some(local(at(1, 7), 7)), head(at(1, 9), 9, 5), follow(at(1, 7), 7)),
        (Some(local(at(1, 4), 4)), head(at(1, 9), 9, 5), reconcile(ReconcileReason::BelowFloor)),
        (Some(local(at(1, 9), 9)), head(at(2, 9), 9, 9), reconcile(ReconcileReason::NewEpoch)),
        (Some(local(at(1, 9), 8)), head(at(1, 9), 9, 0), Intake::Doubt),
        (Some(local(at(1, 9), 9)), head(at(1, 9), 9, 0), follow(at(1, 9), 9)),
        (Some(local(at(1, 9), 9)), head(at(1, 8), 8, 0), Intake::Wait),
        (Some(local(at(2, 1), 9)), head(at(1, 8), 8, 0), Intake::Wait),
    ] {
        assert_eq!(plan_intake(local.as_ref(), &head, false), expected, "{local:?} {head:?}");
    }
}

#[test]
fn an_unsettled_neighbor_is_not_listened_to() {
    let unsettled = Head { digest: None, ..head(at(3, 9), 9, 0) };
    assert_eq!(plan_intake(Some(&local(at(1, 1), 1)), &unsettled, false), Intake::Wait);
}

#[test]
fn a_source_that_went_back_starts_the_walk_over() {
    let unsettled = LocalStream { settle_at: Some(8), ..local(at(1, 6), 6) };
    assert_eq!(
        plan_intake(Some(&unsettled), &head(at(1, 7), 7, 0), false),
        Intake::Reconcile(ReconcileReason::Resume)
    );
}

#[test]
fn a_fork_stands_until_a_new_epoch() {
    let forked = LocalStream { state: StreamState::Forked, ..local(at(1, 6), 6) };
    assert_eq!(plan_intake(Some(&forked), &head(at(1, 7), 7, 0), false), Intake::Wait);
    assert_eq!(
        plan_intake(Some(&forked), &head(at(2, 8), 8, 8), false),
        Intake::Reconcile(ReconcileReason::NewEpoch)
    );
}

#[test]
fn a_sender_serves_only_what_it_can_prove() {
    let mine = LocalStream { floor: 3, ..local(at(1, 9), 9) };
    let serve = |asked, byte, known: u8| {
        plan_service(&mine, (asked, Some(digest(byte))), Some(digest(known)), None)
    };
    assert_eq!(serve(at(1, 5), 5, 5), Service::Serve);
    assert_eq!(serve(at(1, 5), 4, 5), Service::Refuse(ResetReason::Digest));
    assert_eq!(serve(at(1, 2), 2, 2), Service::Refuse(ResetReason::Reconcile));
    assert_eq!(serve(at(1, 10), 1, 1), Service::Refuse(ResetReason::NotServed));
    assert_eq!(serve(at(2, 5), 1, 1), Service::Refuse(ResetReason::NotServed));
}

#[test]
fn an_owner_hears_of_a_lost_future() {
    let own = local(at(1, 5), 5);
    let mut seen_further = head(at(1, 5), 5, 0);
    seen_further.seen = at(1, 6);
    assert_eq!(plan_owner(&own, &seen_further, Some(digest(5))), OwnerView::Forked);
    let other = head(at(1, 4), 4, 0);
    assert_eq!(plan_owner(&own, &other, Some(digest(3))), OwnerView::Forked);
    assert_eq!(plan_owner(&own, &other, Some(digest(4))), OwnerView::Consistent);
}
