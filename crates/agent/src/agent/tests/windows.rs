//! A client that keeps to maintenance windows.

use model::{AssignedWindow, ObjectCode, WindowKind, WindowZone};

use super::*;

/// Open for two hours.
pub(super) fn window(at: &str) -> AssignedWindow {
    AssignedWindow {
        code: ObjectCode::new("PR100001").expect("a code"),
        at: at.to_owned(),
        zone: WindowZone::Named("UTC".to_owned()),
        minutes: 120,
        kind: WindowKind::All,
    }
}

#[tokio::test]
async fn content_comes_at_once_and_installation_waits_for_the_window() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    // It is Friday, 10:00, and the deadline is now.
    world.windows = vec![window("0 12 * * FRI")];
    world.assign(1, &documents, NOW);
    let step = agent.step().await.expect("a pass");
    assert_eq!((step.fetched, step.installed), (1, 0));
    world.clock.advance_ms(2 * HOUR_MS - 1);
    assert_eq!(agent.step().await.expect("a pass").installed, 0);
    world.clock.advance_ms(1);
    assert_eq!(agent.step().await.expect("a pass").installed, 1);
    expect![[r#"
        1-1 v0 full=true
        2-3 v1 full=false 1:2/12(0)
        4-5 v1 full=false 1:2/4(0)
        6-7 v1 full=false 1:2/8(0)
        8-8 v1 full=false
        9-10 v1 full=false 1:3/0(0)
    "#]]
    .assert_eq(&world.told());
}

#[tokio::test]
async fn a_window_that_is_not_understood_lets_nothing_be_installed() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.windows = vec![window("whenever it suits")];
    world.assign(1, &documents, NOW);
    let step = agent.step().await.expect("a pass");
    assert_eq!((step.fetched, step.installed), (1, 0));
    // Nothing is lost: without the window it goes on.
    world.windows.clear();
    world.assign(2, &documents, NOW);
    assert_eq!(agent.woken().await.installed, 1);
}
