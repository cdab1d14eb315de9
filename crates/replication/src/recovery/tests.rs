use model::{Epoch, Group, Owner, StreamDigest};
use uuid::Uuid;

use super::*;

fn site(text: &str) -> SiteCode {
    SiteCode::new(text).expect("a good code")
}

fn stream() -> StreamId {
    StreamId { group: Group::Control, owner: Owner { code: site("PR1"), uuid: Uuid::nil() } }
}

fn at(seq: u64) -> Position {
    Position { epoch: Epoch { number: 1, id: 1 }, seq }
}

fn neighbor(seq: u64, settled: bool) -> NeighborView {
    let head = Head {
        stream: stream(),
        position: at(seq),
        digest: settled.then_some(StreamDigest::default()),
        floor: 0,
        seen: at(seq),
        signature: None,
        statement: None,
        stopped: false,
    };
    NeighborView { heads: Some([(stream(), head)].into()), ..NeighborView::default() }
}

fn plan(mine: LocalStream, neighbors: Vec<(&str, NeighborView)>, losses: Losses) -> Recovery {
    let neighbors = neighbors.into_iter().map(|(s, n)| (site(s), n)).collect();
    plan_recovery(&[(stream(), mine)].into(), &neighbors, losses)
}

fn mine(seq: u64) -> LocalStream {
    LocalStream { position: at(seq), ..LocalStream::default() }
}

#[test]
fn it_takes_from_whoever_is_furthest() {
    let neighbors = vec![("CAS", neighbor(7, true)), ("SE1", neighbor(9, false))];
    assert_eq!(
        plan(mine(5), neighbors, Losses::Refused),
        Recovery::Walk(vec![(stream(), site("CAS"))])
    );
}

#[test]
fn it_ends_when_nobody_knows_more() {
    let neighbors = vec![("CAS", neighbor(5, true))];
    assert_eq!(plan(mine(5), neighbors, Losses::Refused), Recovery::Finish { lost: vec![] });
}

#[test]
fn it_waits_for_those_who_might_know_more() {
    let silent = || vec![("CAS", NeighborView::default())];
    assert!(matches!(plan(mine(5), silent(), Losses::Refused), Recovery::Wait(_)));
    assert_eq!(plan(mine(5), silent(), Losses::Accepted), Recovery::Finish { lost: vec![] });
    let recovering = NeighborView { is_parent: true, recovering: true, ..NeighborView::default() };
    assert!(matches!(
        plan(mine(5), vec![("CAS", recovering)], Losses::Accepted),
        Recovery::Wait(_)
    ));
}

#[test]
fn a_half_copy_without_a_source_needs_a_decision() {
    let half = LocalStream { walking: true, ..mine(5) };
    let neighbors = || vec![("CAS", neighbor(9, false))];
    assert!(matches!(plan(half.clone(), neighbors(), Losses::Refused), Recovery::Wait(_)));
    assert_eq!(
        plan(half, neighbors(), Losses::Accepted),
        Recovery::Finish { lost: vec![stream()] }
    );
}
