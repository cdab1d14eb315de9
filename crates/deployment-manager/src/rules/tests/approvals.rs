//! Approval rules (INT-16 to INT-19).

use deployment::{Action, Alike, Decision, Decisions, Pair, pair};
use model::Origin;

use super::*;

/// A catalog version that brings one update.
fn bring(world: &World, version: u64, number: u32) {
    world.synchronize(version, []);
    let item = model::Item { since: version, ..item(number) };
    world.write(move |w| w.write_own(Group::Catalog, vec![Own::put(&item)]));
}

/// What is decided on each update, by its number.
fn decided(world: &World) -> Vec<(u128, String)> {
    let groups = world.list::<UpdateGroup>();
    let pairs: Vec<Pair> = world
        .list::<Deployment>()
        .into_iter()
        .filter(|deployment| deployment.origin == Origin::Approval)
        .map(|deployment| {
            let group = groups.iter().find(|group| group.code == deployment.group);
            Pair { group: group.expect("its group").clone(), deployment }
        })
        .collect();
    let line = |((update, collection), decision): (&(UpdateId, ObjectCode), &Decision)| {
        let due = decision.deadline.map(|at| (at.0 - START_MS) / DAY_MS);
        let action = decision.action.as_str();
        (update.0.as_u128(), format!("{action} for {collection} by day {due:?}"))
    };
    Decisions::read(&pairs).0.iter().map(line).collect()
}

#[tokio::test]
async fn a_rule_approves_what_comes_later_and_the_rest_when_it_is_run() {
    let mut world = world();
    let no = Decision { action: Action::DoNotInstall, deadline: None };
    let alike = Alike { collection: code(ALL_SYSTEMS), decision: no, except: Vec::new() };
    world.write(move |w| {
        let ids = (code("PR1000AA"), w.new_deployment_id());
        let Pair { group, deployment } = pair((alike, vec![id(2)]), ids, w.now());
        w.write_own(Group::Control, vec![Own::put(&group), Own::put(&deployment)])
    });
    let rule = Rule {
        style: Style::Approval,
        evaluate: Evaluate::OnChange,
        since: 1,
        deployments: vec![blank_deployment(code(ALL_SYSTEMS))],
        ..rule("size < 2000")
    };
    world.put(&rule);
    assert_eq!(world.step().await, 0, "what is here already is not its business");
    bring(&world, 2, 6);
    assert_eq!(world.step().await, 1);
    let by_hand = (2, "do_not_install for SMS00001 by day None".to_owned());
    let by_rule = |update| (update, "required for SMS00001 by day Some(7)".to_owned());
    assert_eq!(decided(&world), [by_hand.clone(), by_rule(6)]);
    world.clock.advance_ms(DAY_MS);
    world.run(&rule).await;
    let later = |update| (update, "required for SMS00001 by day Some(8)".to_owned());
    let all = [later(1), by_hand, later(3), later(4), later(5), by_rule(6)];
    assert_eq!(decided(&world), all, "what was decided before stays");
    world.check(
        &rule,
        expect![[r#"
            waiting (asked, 6 updates, code 0)
            evaluate done: 6 updates match
            approve done: 4 approvals are new; computers may restart after the deadline
            content waiting: package PR100001:
                5 files,
                5 of them to be fetched
        "#]],
    );
    assert!(world.list::<Deployment>().iter().all(|made| made.origin == Origin::Approval));
    let code = rule.code.as_str().into();
    world.write(move |w| w.write_own(Group::Control, vec![Own::delete(model::Kind::Rule, code)]));
    world.step().await;
    assert_eq!(decided(&world), all, "approvals stay when their rule goes");
}

#[tokio::test]
async fn a_rule_that_is_met_late_approves_what_came_since_it_was_made() {
    let mut world = world();
    let rule = Rule {
        style: Style::Approval,
        evaluate: Evaluate::OnChange,
        since: 1,
        deployments: vec![blank_deployment(code(ALL_SYSTEMS))],
        ..rule("size < 2000")
    };
    world.put(&rule);
    bring(&world, 2, 6);
    assert_eq!((world.step().await, world.step().await), (1, 0));
    let updates: Vec<u128> = decided(&world).into_iter().map(|(update, _)| update).collect();
    assert_eq!(updates, [6]);
}

#[tokio::test]
async fn more_approvals_than_fit_one_transaction_are_not_made() {
    let mut world = world();
    let to = |number: u32| blank_deployment(code(&format!("PR1{number:05X}")));
    let rule = Rule {
        style: Style::Approval,
        deployments: (1..=50).map(to).collect(),
        ..rule("size < 2000")
    };
    world.put(&rule);
    let items: Vec<Own> = (1_000..1_196).map(|number| Own::put(&item(number))).collect();
    world.write(move |w| w.write_own(Group::Catalog, items));
    world.run(&rule).await;
    world.check(
        &rule,
        expect![[r#"
            failed (asked, 201 updates, code 80070718)
            evaluate done: 201 updates match
            limit failed: more than 10000 approvals would be new at once:
                narrow the filter,
                or let the rule approve for fewer collections
        "#]],
    );
    assert!(decided(&world).is_empty());
}
