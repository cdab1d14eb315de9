//! Servers of other boundary groups, and when they are used.

use super::*;

const MINUTE_MS: i64 = 60 * 1000;

#[tokio::test]
async fn a_point_of_another_group_is_used_only_after_its_minutes() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    let (own, other) = (world.add_dp().await, world.add_dp().await);
    let far = world.mp.lock().points[1].clone();
    world.mp.lock().waits.insert(far, 30);
    other.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW.plus_ms(HOUR_MS));
    // The point of its own group does not have the file.
    assert_eq!(agent.step().await.expect("a pass").fetched, 0);
    world.clock.advance_ms(29 * MINUTE_MS);
    assert_eq!(agent.woken().await.fetched, 0);
    assert!(other.state.lock().expect("whole").ranges.is_empty(), "it is not asked");
    world.clock.advance_ms(MINUTE_MS);
    assert_eq!(agent.woken().await.fetched, 1);
    assert_eq!(other.state.lock().expect("whole").ranges.len(), 1);
    assert!(own.state.lock().expect("whole").ranges.len() >= 3, "its own goes first each time");
}

#[tokio::test]
async fn a_file_that_comes_to_its_own_group_is_not_waited_for() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    let (own, other) = (world.add_dp().await, world.add_dp().await);
    let far = world.mp.lock().points[1].clone();
    world.mp.lock().waits.insert(far, 120);
    other.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW.plus_ms(HOUR_MS));
    assert_eq!(agent.step().await.expect("a pass").fetched, 0);
    own.put(SCRIPT, SCRIPT);
    assert_eq!(agent.woken().await.fetched, 1);
    assert!(other.state.lock().expect("whole").ranges.is_empty());
}
