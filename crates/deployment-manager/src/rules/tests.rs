//! Rules in a real site database: PR1, alone at the top.

mod again;
mod approvals;
mod content;
mod entering;

use std::path::Path;
use std::sync::Arc;

use ambient::{Ambient, ManualClock, SeededEntropy};
use compliance::BoardWriter;
use deployment::{blank_deployment, blank_rule};
use expect_test::{Expect, expect};
use model::{
    ALL_SYSTEMS, CatalogVersion, ClientId, Deployment, GroupUse, ItemFile, Languages, ObjectCode,
    Owner, Package, RuleDeployment, Sha1, SiteCode, SiteKind, UpdateGroup, Vector,
};
use site_db::{Executor, Identity, Own, RuleRun};
use testkit::objects::item;
use testkit::pki::{Pki, SiteKeys};
use uuid::Uuid;

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Sunday, 2001-09-09.
const START_MS: i64 = 1_000_000_000_000;

fn code(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a good code")
}

fn id(number: u32) -> UpdateId {
    UpdateId(Uuid::from_u128(number.into()))
}

struct World {
    db: SiteDb,
    clock: Arc<ManualClock>,
    board: BoardWriter,
    rules: Rules,
}

/// Updates 1 to 5 with a file each, of which 1 to 3 are small.
fn world() -> World {
    let clock = Arc::new(ManualClock::at(START_MS));
    let ambient = Ambient::new(clock.clone(), Arc::new(SeededEntropy::new(1)));
    let pki = Pki::new(&ambient);
    let owner = Owner { code: SiteCode::new("PR1").expect("a code"), uuid: Uuid::from_u128(1) };
    let hierarchy = pki.anchor().hierarchy();
    let identity = Identity { hierarchy, owner, kind: SiteKind::Primary, parent: None };
    let SiteKeys { signer, .. } = pki.site(owner.code);
    let keys = (signer, pki.anchor().clone());
    let db = SiteDb::open(Path::new(":memory:"), Executor::Inline, identity, keys, ambient);
    let db = db.expect("a site");
    let board = BoardWriter::default();
    let rules = Rules::new(db.clone(), board.handle());
    let world = World { db, clock, board, rules };
    world.synchronize(1, 1..=5);
    world.count(&[]);
    world
}

impl World {
    fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&site_db::Writer<'_>) -> Result<T, site_db::Error> + Send + 'static,
    ) -> T {
        self.db.write_blocking(write).expect("written")
    }

    fn list<T: rpc::object::ObjectBody + Send + 'static>(&self) -> Vec<T> {
        let all = self.db.read_blocking(|r| r.list::<T>()).expect("read");
        all.into_iter().map(|(_, value)| value).collect()
    }

    /// A catalog version that brings updates.
    fn synchronize(&self, version: u64, numbers: impl IntoIterator<Item = u32>) {
        let languages = Languages::ALL;
        let set_digest = model::Sha256([0; 32]);
        let catalog = CatalogVersion { version, items: 1, set_digest, languages };
        let mut changes = vec![Own::put(&catalog)];
        for number in numbers {
            let mut item = item(number);
            let byte = u8::try_from(number).expect("few");
            let size = if number <= 3 { 1_000 } else { 1_000_000 };
            let name = format!("{number}.cab");
            item.files = vec![ItemFile { name, size, sha1: Sha1([byte; 20]), sha256: None }];
            item.created_at = Timestamp(START_MS);
            changes.push(Own::put(&item));
        }
        self.write(move |w| w.write_own(Group::Catalog, changes));
    }

    /// Clients that require these updates, one each.
    fn count(&self, required: &[u32]) {
        let client = |number: usize| ClientId(Uuid::from_u128(100 + number as u128));
        let vector = |(number, update): (usize, &u32)| Vector {
            client: client(number),
            incarnation: 1,
            serial: 1,
            covered: 9,
            scanned_at: Timestamp(START_MS),
            scan_error: None,
            gap: false,
            required: vec![*update],
            installed: Vec::new(),
            unjudged: Vec::new(),
            deployments: Vec::new(),
            scan: None,
            detail: Vec::new(),
        };
        let vectors = required.iter().enumerate().map(vector);
        self.board.replace(Board::rebuild((0..required.len()).map(client), vectors));
    }

    fn put(&self, rule: &Rule) {
        let rule = rule.clone();
        self.write(move |w| w.put_own(&rule));
    }

    fn ask(&self, rule: &Rule) {
        let code = rule.code.clone();
        self.write(move |w| w.begin_rule_run(&code, "asked"));
    }

    /// How many rules ran.
    async fn step(&mut self) -> usize {
        match self.rules.step().await.expect("a pass") {
            RulesStep::Looked { runs, counting: 0, .. } => runs,
            other => panic!("{other:?}"),
        }
    }

    async fn run(&mut self, rule: &Rule) -> RuleRun {
        self.ask(rule);
        assert_eq!(self.step().await, 1);
        self.last(rule)
    }

    fn last(&self, rule: &Rule) -> RuleRun {
        let code = rule.code.clone();
        let last = self.db.read_blocking(move |r| r.last_rule_run(&code)).expect("read");
        last.expect("a run")
    }

    fn steps(&self, run: &RuleRun) -> String {
        let (code, number) = (run.rule.clone(), run.number);
        let steps = self.db.read_blocking(move |r| r.rule_steps(&code, number)).expect("read");
        let line = |step: site_db::RunStep| {
            let detail = step.detail.replace(", ", ",\n    ").replace(": ", ":\n    ");
            format!("{} {}: {detail}\n", step.what, step.result)
        };
        let lines: String = steps.into_iter().map(line).collect();
        let (outcome, reason) = (run.outcome.as_str(), &run.reason);
        format!("{outcome} ({reason}, {} updates, code {:x})\n{lines}", run.updates, run.code)
    }

    fn check(&self, rule: &Rule, expected: Expect) {
        expected.assert_eq(&self.steps(&self.last(rule)));
    }

    /// The updates of each group.
    fn groups(&self) -> Vec<(String, Vec<UpdateId>)> {
        let groups = self.list::<UpdateGroup>().into_iter();
        groups.map(|group| (group.code.to_string(), group.updates)).collect()
    }
}

fn rule(filter: &str) -> Rule {
    Rule {
        name: "Patches".to_owned(),
        filter: filter.to_owned(),
        ..blank_rule(code("PR10000A"), code(ALL_SYSTEMS))
    }
}

#[tokio::test]
async fn a_run_makes_one_group_and_package_for_all_its_deployments() {
    let mut world = world();
    let to = |name: &str| RuleDeployment { name: name.to_owned(), ..blank_deployment(code(name)) };
    let deployments = vec![to("PR100011"), to("PR100012"), to("PR100013")];
    let rule = Rule { deployments, ..rule("size < 2") };
    world.put(&rule);
    assert_eq!(world.step().await, 0, "by hand alone");
    world.run(&rule).await;
    world.check(
        &rule,
        expect![[r#"
            waiting (asked, 3 updates, code 0)
            evaluate done: 3 updates match
            group done: PR100001:
                0 updates out,
                3 in
            deploy done: made 0467a5f7-b0b2-8cf9-9ec6-f7a79d4665c9:
                PR100001 to PR100011,
                available 2001-09-09T01:46:40.000Z,
                deadline 2001-09-16T01:46:40.000Z
            deploy done: made ead4e0ee-7c7e-8212-884d-be8c2fcd94a1:
                PR100001 to PR100012,
                available 2001-09-09T01:46:40.000Z,
                deadline 2001-09-16T01:46:40.000Z
            deploy done: made 328afd7a-7476-801a-a18b-306e68c76fbe:
                PR100001 to PR100013,
                available 2001-09-09T01:46:40.000Z,
                deadline 2001-09-16T01:46:40.000Z
            content waiting: package PR100001:
                3 files,
                3 of them to be fetched
        "#]],
    );
    assert_eq!(world.groups(), [("PR100001".to_owned(), vec![id(1), id(2), id(3)])]);
    let made = world.list::<Deployment>();
    assert!(made.iter().all(|made| made.group == code("PR100001") && made.enabled));
    assert_eq!(made.len(), 3);
    let kept = world.list::<Rule>().remove(0);
    assert_eq!((kept.group, kept.deployed.len()), (Some(code("PR100001")), 3));
    assert_eq!(kept.package, Some(world.list::<Package>()[0].code.clone()));
}

#[tokio::test]
async fn a_file_that_cannot_be_had_fails_the_run_until_it_comes() {
    let mut world = world();
    let rule = rule("size < 2");
    world.put(&rule);
    assert_eq!(world.run(&rule).await.outcome, RunOutcome::Waiting);
    world.write(|w| w.note_demand_failure(Sha1([2; 20]), "https://upstream/2.cab: 404 Not Found"));
    world.step().await;
    world.check(
        &rule,
        expect![[r#"
            failed (asked, 3 updates, code 87d20417)
            evaluate done: 3 updates match
            group done: PR100001:
                0 updates out,
                3 in
            deploy done: made dbc5cf5d-1473-8849-8808-0e6cf3274041:
                PR100001 to SMS00001,
                available 2001-09-09T01:46:40.000Z,
                deadline 2001-09-16T01:46:40.000Z
            content waiting: package PR100001:
                3 files,
                3 of them to be fetched
            content failed: 2.cab of 00000000-0000-0000-0000-000000000002:
                https://upstream/2.cab:
                404 Not Found
        "#]],
    );
    assert_eq!(world.step().await, 0);
    let package = world.list::<Package>().remove(0).code;
    world.write(move |w| {
        for demand in w.demands()? {
            let sha256 = model::Sha256([demand.file.sha1.0[0]; 32]);
            w.note_found(&demand.file, site_db::Found::Stored { sha256, is_weak: false })?;
        }
        w.finish_download(&package).map(drop)
    });
    world.step().await;
    assert_eq!((world.last(&rule).outcome, world.last(&rule).code), (RunOutcome::Succeeded, 0));
}

#[tokio::test]
async fn a_rule_that_follows_changes_runs_when_its_inputs_change_without_a_synchronization() {
    let mut world = world();
    let rule = Rule { evaluate: Evaluate::OnChange, ..rule("required > 1 and size < 2") };
    world.put(&rule);
    world.count(&[1, 1, 2]);
    assert_eq!(world.step().await, 1, "met for the first time");
    assert_eq!((world.last(&rule).reason.as_str(), world.step().await), ("synchronization", 0));
    world.synchronize(2, []);
    assert_eq!(world.step().await, 1);
    world.check(
        &rule,
        expect![[r#"
        unchanged (synchronization, 1 updates, code 0)
        evaluate done: it takes what the last run took; nothing is done
    "#]],
    );
    // The catalog stays, and one more computer requires an update (PAIN-11).
    world.count(&[1, 1, 2, 2]);
    assert_eq!(world.step().await, 0, "not every moment");
    world.clock.advance_ms(60 * 60 * 1000);
    assert_eq!((world.step().await, world.step().await), (1, 0));
    let last = world.last(&rule);
    assert_eq!((last.reason.as_str(), last.updates), ("inputs changed", 2));
    assert_eq!(world.groups().len(), 2, "each run that takes something else fills a new group");
}

#[tokio::test]
async fn what_nobody_has_counted_yet_is_waited_for() {
    let mut world = world();
    let board = BoardWriter::default();
    world.rules = Rules::new(world.db.clone(), board.handle());
    let rule = rule("required = 0");
    world.put(&rule);
    world.ask(&rule);
    let step = world.rules.step().await.expect("a pass");
    assert_eq!(step, RulesStep::Looked { runs: 0, counting: 1, next: None });
    board.replace(Board::default());
    assert_eq!(world.step().await, 1);
    assert_eq!(world.last(&rule).updates, 5);
}

#[tokio::test]
async fn a_group_that_is_filled_again_is_emptied_first_and_keeps_its_deployments() {
    let mut world = world();
    // What the rule deployed itself does not count for it.
    let rule = Rule { group_use: GroupUse::Refill, ..rule("size < 2 and not deployed") };
    world.put(&rule);
    world.run(&rule).await;
    let made = world.list::<Deployment>().remove(0);
    let wider = Deployment { collection: code("PR100099"), enabled: false, ..made.clone() };
    let changed = wider.clone();
    world.write(move |w| w.put_own(&changed));
    let kept = world.list::<Rule>().remove(0);
    world.put(&Rule { filter: "size > 2".to_owned(), ..kept });
    world.clock.advance_ms(DAY_MS);
    world.run(&rule).await;
    assert_eq!(world.groups(), [("PR100001".to_owned(), vec![id(4), id(5)])]);
    let again = world.list::<Deployment>();
    assert_eq!(again.len(), 1, "the same one");
    let times = (made.available_at.plus_ms(DAY_MS), made.deadline.map(|at| at.plus_ms(DAY_MS)));
    assert_eq!((again[0].available_at, again[0].deadline), times);
    let (available_at, deadline) = (wider.available_at, wider.deadline);
    assert_eq!(Deployment { available_at, deadline, ..again[0].clone() }, wider, "ADR-11");

    let kept = world.list::<Rule>().remove(0);
    world.put(&Rule { filter: "size > 9999999".to_owned(), ..kept });
    world.run(&rule).await;
    assert_eq!(world.groups(), [("PR100001".to_owned(), vec![])]);
}

#[tokio::test]
async fn more_than_a_deployment_may_hold_makes_nothing_or_several_groups() {
    let mut world = world();
    world.write(|w| w.set_deployment_updates_max(2));
    let rule = rule("size < 2");
    world.put(&rule);
    world.run(&rule).await;
    world.check(
        &rule,
        expect![[r#"
        failed (asked, 3 updates, code 80070718)
        evaluate done: 3 updates match
        limit failed: 3 updates match,
            and a deployment may hold 2:
            narrow the filter,
            or let the rule split them; they are 00000000-0000-0000-0000-000000000001,
            00000000-0000-0000-0000-000000000002,
            00000000-0000-0000-0000-000000000003
    "#]],
    );
    assert!(world.groups().is_empty() && world.list::<Package>().is_empty());
    world.put(&Rule { splits: true, ..rule.clone() });
    world.run(&rule).await;
    let names: Vec<String> = world.list::<UpdateGroup>().into_iter().map(|g| g.name).collect();
    assert_eq!(names, ["Patches 2001-09-09 01:46 (1 of 2)", "Patches 2001-09-09 01:46 (2 of 2)"]);
    assert_eq!(world.list::<Deployment>().len(), 2);
}

#[tokio::test]
async fn a_schedule_runs_a_rule_once_each_time() {
    let mut world = world();
    let at = Evaluate::At("0 2 * * MON in UTC".to_owned());
    let rule = Rule { evaluate: at, stage: model::Stage::Report, ..rule("size < 2") };
    world.put(&rule);
    let next = Some(Timestamp(START_MS + DAY_MS + 800_000));
    let step = world.rules.step().await.expect("a pass");
    assert_eq!(step, RulesStep::Looked { runs: 0, counting: 0, next });
    world.clock.advance_ms(DAY_MS + 799_999);
    assert_eq!(world.step().await, 0);
    world.clock.advance_ms(1);
    assert_eq!((world.step().await, world.step().await), (1, 0));
    assert_eq!(world.last(&rule).reason, "schedule");
    let made = world.list::<Deployment>().remove(0);
    assert_eq!((made.effect, world.list::<Package>().len()), (model::Effect::Report, 0));
    world.put(&Rule { is_enabled: false, ..world.list::<Rule>().remove(0) });
    world.clock.advance_ms(8 * DAY_MS);
    assert_eq!(world.step().await, 0);
}

#[tokio::test]
async fn what_the_catalog_lost_meanwhile_is_not_deployed() {
    let mut world = world();
    let rule = rule("size < 2");
    world.put(&rule);
    world.step().await;
    let mut expired = item(2);
    expired.expired = true;
    let findings = Findings {
        reason: "asked".to_owned(),
        matched: Ok(Matched { updates: vec![id(1), id(2)], other_languages: Vec::new() }),
        is_same: false,
        seen: RuleSeen { at: Timestamp(0), catalog: 1, digest: Vec::new(), failed: None },
    };
    let same = rule.clone();
    world.write(move |w| {
        w.write_own(Group::Catalog, vec![Own::put(&expired)])?;
        assert!(apply(w, &same, &findings)?);
        // The rule is not what it was: its last group is another.
        assert!(!apply(w, &same, &findings)?);
        Ok(())
    });
    assert_eq!(world.groups(), [("PR100001".to_owned(), vec![id(1)])]);
}
