//! People at a computer, and programs of theirs, who ask more than anybody needs.

use serde_json::Value;

use super::*;
use crate::control::{Cycle, Request, Standing};

/// Symptom: any account of a computer that asked for scans without end had the agent scan without
/// end, with its update point each time; installations waited meanwhile. Cause: each request was a
/// scan. Repair: one scan answers all users who ask while it goes on and in the minute after.
#[tokio::test]
async fn users_who_ask_for_scans_without_end_get_one() {
    let mut world = World::new().await;
    let documents = [software(1)];
    world.add_sup(&documents).await;
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, Vec::new(), &[]);
    agent.step().await.expect("a pass");
    world.clock.advance_ms(2 * 60_000);
    let asked = |agent: &Value| agent["done"]["done"].as_str().expect("done").to_owned();
    let (mut scans, mut answers) = (0, Vec::new());
    for _ in 0..100 {
        let scan = Request::Scan { cycle: Cycle::Scan };
        answers.push(asked(&agent.ask_as(Standing::User, scan).await));
        scans += usize::from(agent.step().await.expect("a pass").scanned);
    }
    assert_eq!(scans, 1);
    assert!(answers[0].starts_with("the scan begins"), "{}", answers[0]);
    assert!(answers[1].starts_with("a scan goes on, or ended"), "{}", answers[1]);
    let happened = agent.ask_as(Standing::User, Request::History { limit: 1_000 }).await;
    let by_users = happened["history"].as_array().expect("rows").iter();
    assert_eq!(by_users.filter(|row| row["kind"] == "user").count(), 1);
    // Administrators know why they ask again.
    let scan = Request::Scan { cycle: Cycle::Scan };
    agent.ask_as(Standing::Administrator, scan).await;
    assert!(agent.step().await.expect("a pass").scanned);
}

/// Symptom to be avoided: whoever may ask for a list has the agent read five hundred documents of
/// eight megabytes each at once, or titles without end.
#[tokio::test]
async fn titles_come_from_large_documents_too_and_are_cut() {
    let mut world = World::new().await;
    let mut documents: Vec<_> = (1..=5).map(software).collect();
    for document in &mut documents {
        document.texts[0].description = "x".repeat(1 << 20);
    }
    documents[4].texts[0].title = "ü".repeat(100_000);
    world.add_sup(&documents).await;
    let mut agent = world.agent(world.machine()).await;
    world.publish(1, Vec::new(), &[]);
    agent.step().await.expect("a pass");
    let updates = agent.ask_as(Standing::User, Request::Updates).await;
    let rows = updates["updates"].as_array().expect("rows");
    let titles: Vec<_> = rows.iter().map(|row| row["title"].as_str().expect("a title")).collect();
    let cut = "ü".repeat(500);
    assert_eq!(titles, ["update 1", "update 2", "update 3", "update 4", &cut]);
}
