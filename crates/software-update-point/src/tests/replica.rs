//! Replicas, and update points that synchronize on their own account.

use tokio::time::timeout;
use update_catalog::Decisions;
use wsus_protocol::WireTime;
use wsus_protocol::server::{Deployments, ServerDeployment, TargetGroup};

use super::*;
use crate::following;

async fn replica() -> Bench {
    Bench::configured(None, |config| config.following.mode = Mode::Replica).await
}

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn group(number: u128) -> TargetGroup {
    let (id, parent_id) = (uuid(number), Uuid::nil());
    TargetGroup { id, parent_id, name: format!("Group {number}"), is_builtin: false }
}

fn deployment(number: u128, update: u128, group: u128) -> ServerDeployment {
    ServerDeployment {
        update_id: uuid(update),
        revision: 1,
        action: 0,
        administrator: "ann".to_owned(),
        deadline: if number == 1 { WireTime::NEVER } else { WireTime::from_millis(NOW_MS) },
        is_assigned: true,
        go_live: WireTime::from_millis(NOW_MS),
        id: uuid(number),
        group_id: uuid(group),
        download_priority: 2,
    }
}

async fn decisions(bench: &Bench) -> (Vec<Uuid>, Vec<Uuid>, Vec<Uuid>, Vec<UpdateId>) {
    let Decisions { deployments, dead, licenses, .. } =
        bench.point.catalog.decisions(0).await.expect("reads");
    let deployments = deployments.into_iter().map(|deployment| deployment.id).collect();
    (deployments, dead, licenses, bench.point.catalog.declined().await.expect("reads"))
}

#[tokio::test]
async fn a_replica_takes_what_was_decided_above_and_hands_it_on() {
    let fake = FakeUpstream::start().await;
    (1..=3).for_each(|number| fake.script().offer(&update(number, "Anvil").to_xml()));
    fake.script().deployments = Deployments {
        anchor: "one".to_owned(),
        groups: vec![group(100), group(200)],
        deployments: vec![deployment(1, 1, 100), deployment(2, 2, 200), deployment(3, 1, 200)],
        dead: Vec::new(),
        hidden_updates: vec![uuid(3)],
        accepted_licenses: vec![uuid(50)],
    };
    let (above, below) = (replica().await, replica().await);
    let (url, _tasks) = above.serve().await;
    above.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    below.synchronize(&everything(&url)).await.expect("synchronizes");
    let hidden = vec![UpdateId(uuid(3))];
    let all = vec![uuid(1), uuid(2), uuid(3)];
    let first = (all, Vec::new(), vec![uuid(50)], hidden);
    assert_eq!(decisions(&above).await, first);
    assert_eq!(decisions(&below).await, first);
    let [a, b] = [&above, &below].map(|bench| bench.point.catalog.decisions(0));
    assert_eq!(a.await.expect("reads"), b.await.expect("reads"));

    // One is withdrawn, one goes with its group, one update is hidden no more.
    fake.script().deployments = Deployments {
        anchor: "two".to_owned(),
        groups: vec![group(100)],
        dead: vec![uuid(3)],
        ..Deployments::default()
    };
    above.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    below.synchronize(&everything(&url)).await.expect("synchronizes");
    let asked = fake.script().deployments_asked.clone();
    let list = Some("0,3".to_owned());
    assert_eq!(asked, [(None, list.clone()), (Some("one".to_owned()), list)]);
    let second = (vec![uuid(1)], vec![uuid(3), uuid(2)], Vec::new(), Vec::new());
    assert_eq!(decisions(&above).await, second);
    assert_eq!(decisions(&below).await, second);
}

#[tokio::test]
async fn an_autonomous_update_point_decides_by_itself() {
    let fake = FakeUpstream::start().await;
    fake.script().offer(&update(1, "Anvil").to_xml());
    fake.script().deployments.hidden_updates = vec![uuid(1)];
    let bench = Bench::new().await;
    bench.synchronize(&everything(&fake.url)).await.expect("synchronizes");
    assert!(fake.script().deployments_asked.is_empty());
    assert_eq!(decisions(&bench).await, Default::default());
}

#[tokio::test]
async fn an_update_point_of_its_own_follows_a_service_and_makes_versions() {
    let fake = FakeUpstream::start().await;
    fake.script().offer(&update(1, "Anvil").to_xml());
    let bench = Bench::configured(None, |config| config.following.url = fake.url.clone()).await;
    let (point, stop) = (bench.point.clone(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    let ends = stop.clone();
    tasks.spawn(async move { following::run(&point, &ends).await.expect("never fails") });
    let arrives = async {
        while bench.point.catalog.state().await.expect("reads").version.is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(std::time::Duration::from_secs(60), arrives).await.expect("a version is made");
    let (version, _) = bench.point.catalog.state().await.expect("reads").version.expect("made");
    assert_eq!((version.version, version.items), (1, 1));
    stop.cancel();
    tasks.join_all().await;
}
