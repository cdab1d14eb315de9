//! Runs after other runs: after one that failed, after a change of the rule, and of the same again.

use model::{MsrcSeverity, RoleId, UpdateSetting};

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1000;

fn on_change(filter: &str) -> Rule {
    Rule { evaluate: Evaluate::OnChange, ..rule(filter) }
}

impl World {
    fn held(&self, code: &ObjectCode) -> Rule {
        self.list::<Rule>().into_iter().find(|rule| rule.code == *code).expect("a rule")
    }
}

#[tokio::test]
async fn a_rule_that_cannot_run_says_why_and_holds_up_no_other() {
    let mut world = world();
    let gone = RoleId(Uuid::from_u128(99));
    let broken = Rule { points: vec![gone], ..on_change("size < 2") };
    let sound = Rule { code: code("PR10000B"), name: "Sound".to_owned(), ..rule("size < 2") };
    for rule in [&broken, &sound] {
        world.put(rule);
        world.ask(rule);
    }
    assert_eq!((world.step().await, world.step().await), (2, 0), "each runs once");
    world.check(
        &broken,
        expect![[r#"
        failed (asked, 0 updates, code 80004005)
        run failed: there is no distribution point at or below this site 00000000-0000-0000-0000-000000000063
        again waiting: when the catalog,
            the rule or what it takes is different,
            or in a day; at once with `tierline rule run PR10000A`
    "#]],
    );
    assert_eq!(world.last(&sound).outcome, RunOutcome::Waiting);
    assert_eq!(world.list::<Package>().len(), 1, "nothing is kept of the one that failed");
    world.put(&Rule { points: Vec::new(), ..broken.clone() });
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(world.step().await, 1, "what failed is tried again");
    assert_eq!(world.last(&broken).outcome, RunOutcome::Waiting);
}

/// Symptom: two rules that were due in one pass both took what nobody had deployed. Cause: what is
/// deployed was read once for the pass.
#[tokio::test]
async fn what_one_rule_deploys_the_next_of_the_same_pass_does_not() {
    let mut world = world();
    let first = rule("size < 2 and not deployed");
    let second = Rule { code: code("PR10000B"), name: "Second".to_owned(), ..first.clone() };
    for rule in [&first, &second] {
        world.put(rule);
        world.ask(rule);
    }
    assert_eq!(world.step().await, 2);
    assert_eq!([&first, &second].map(|rule| world.last(rule).updates), [3, 0]);
}

#[tokio::test]
async fn what_a_run_that_failed_did_not_take_is_taken_once_it_can_be() {
    let mut world = world();
    world.write(|w| w.set_deployment_updates_max(2));
    let rule = on_change("size < 2");
    world.put(&rule);
    assert_eq!(world.step().await, 1);
    assert_eq!(world.last(&rule).outcome, RunOutcome::Failed);
    assert_eq!(world.step().await, 0, "not every moment");
    world.put(&Rule { splits: true, ..rule.clone() });
    world.synchronize(2, []);
    assert_eq!(world.step().await, 1);
    assert_eq!(world.last(&rule).outcome, RunOutcome::Waiting);
    assert_eq!(world.groups().len(), 2);
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(world.step().await, 0, "what the run itself did is no change");
}

/// Symptom: a rule that failed ran every hour, each time with a message. Cause: what it had not
/// taken was different from what it had.
#[tokio::test]
async fn a_run_that_failed_is_made_again_when_it_may_come_out_differently_or_after_a_day() {
    let mut world = world();
    world.write(|w| w.set_deployment_updates_max(2));
    let rule = on_change("size < 2");
    world.put(&rule);
    assert_eq!(world.step().await, 1);
    for _ in 0..23 {
        world.clock.advance_ms(HOUR_MS);
        assert_eq!(world.step().await, 0);
    }
    world.clock.advance_ms(HOUR_MS);
    assert_eq!((world.step().await, world.step().await), (1, 0));
    let last = world.last(&rule);
    assert_eq!((last.reason.as_str(), last.outcome), ("again after a failure", RunOutcome::Failed));
    world.write(|w| w.set_deployment_updates_max(3));
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(world.step().await, 1);
    assert_eq!(world.last(&rule).outcome, RunOutcome::Waiting);
    world.clock.advance_ms(30 * HOUR_MS);
    assert_eq!(world.step().await, 0, "what succeeded is not made again");
}

#[tokio::test]
async fn a_rule_that_would_make_something_else_of_the_same_updates_runs() {
    let mut world = world();
    let rule = Rule { stage: model::Stage::Report, ..on_change("size < 2") };
    world.put(&rule);
    assert_eq!(world.step().await, 1);
    world.clock.advance_ms(HOUR_MS);
    assert_eq!(world.step().await, 0);
    let called = Rule { name: "Other".to_owned(), ..world.held(&rule.code) };
    world.put(&called);
    assert_eq!(world.step().await, 0, "a name makes nothing else");
    world.put(&Rule { stage: model::Stage::Deploy, ..called });
    assert_eq!(world.step().await, 1);
    let last = world.last(&rule);
    assert_eq!((last.reason.as_str(), last.outcome), ("inputs changed", RunOutcome::Waiting));
    assert_eq!(world.groups().len(), 2);
}

#[tokio::test]
async fn what_administrators_say_of_severities_is_seen_without_a_synchronization() {
    let mut world = world();
    let rule = rule("custom_severity = \"Critical\"");
    world.put(&rule);
    assert_eq!(world.run(&rule).await.updates, 0);
    let severity = Some(MsrcSeverity::Critical);
    let said = UpdateSetting { update: id(4), max_run_minutes: None, severity };
    world.write(move |w| w.put_own(&said));
    assert_eq!(world.run(&rule).await.updates, 1);
}

#[tokio::test]
async fn a_group_that_is_filled_with_the_same_again_keeps_the_times_of_its_deployments() {
    let mut world = world();
    let refill = Rule { group_use: GroupUse::Refill, ..rule("size < 2") };
    world.put(&refill);
    world.run(&refill).await;
    let made = world.list::<Deployment>();
    for _ in 0..8 {
        world.clock.advance_ms(DAY_MS);
        world.run(&refill).await;
    }
    assert_eq!(world.list::<Deployment>(), made, "its deadline came");
    // An order that was taken out and is given anew makes its deployment anew.
    let held = world.held(&refill.code);
    world.put(&Rule { deployed: Vec::new(), ..held });
    world.run(&refill).await;
    let anew = world.list::<Deployment>();
    assert_eq!((anew[0].id, anew.len()), (made[0].id, 1));
    assert_eq!(anew[0].available_at, made[0].available_at.plus_ms(8 * DAY_MS));
}
