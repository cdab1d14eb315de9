//! Rules and queries over updates, as administrators and programs meet them.

use compliance::Board;
use expect_test::{Expect, expect};
use model::{
    Category, CategoryKind, Deployment, Group, Item, LocalizedText, ObjectCode, RoleId, RoleKind,
    RoleRecord, Rule, UpdateGroup, UpdateId, UpdateRef, Vector,
};
use site_db::{Own, RuleSeen};
use testkit::objects::{self, item};
use uuid::Uuid;

use super::*;

const CLASS: u128 = 900;

fn update(number: u32) -> String {
    UpdateId(uuid::Uuid::from_u128(number.into())).to_string()
}

fn client(number: u128) -> ClientId {
    ClientId(uuid::Uuid::from_u128(number))
}

fn text(title: &str) -> Vec<LocalizedText> {
    let (language, description) = ("en".to_owned(), String::new());
    vec![LocalizedText { language, title: title.to_owned(), description }]
}

/// Security updates 1 to 4: 2 is required by clients 8 and 9, 3 is expired, 4 is superseded by 1.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let id = UpdateId(uuid::Uuid::from_u128(CLASS));
    let class = Category {
        update: UpdateRef { id, revision: 1 },
        kind: CategoryKind::Classification,
        parent: None,
        texts: text("Security Updates"),
        subscribed: true,
        since: 1,
    };
    let written = site.db.write(move |w| {
        let mut objects = vec![Own::put(&class)];
        for number in 1..=4 {
            let mut item = Item { classification: Some(id), expired: number == 3, ..item(number) };
            item.texts = text(&format!("Update {number} for x64-based Systems"));
            item.created_at = at(-1_000);
            if number == 1 {
                item.supersedes = vec![UpdateId(uuid::Uuid::from_u128(4))];
            }
            objects.push(Own::put(&item));
        }
        w.write_own(Group::Catalog, objects)?;
        let clients = [8, 9].map(|number| Own::put(&objects::client(number, "PR1")));
        w.write_own(Group::Clients, clients.to_vec())
    });
    written.await.expect("written");
    let vector = |number| Vector {
        client: client(number),
        incarnation: 1,
        serial: 1,
        covered: 1,
        scanned_at: at(0),
        scan_error: None,
        gap: false,
        required: vec![2],
        installed: vec![1],
        unjudged: Vec::new(),
        deployments: Vec::new(),
        scan: None,
        detail: Vec::new(),
    };
    site.board.replace(Board::rebuild([8, 9].map(client), [8, 9].map(vector)));
    site
}

fn order(name: &str, filter: &str) -> pb::RuleOrder {
    let (name, filter) = (Some(name.to_owned()), Some(filter.to_owned()));
    pb::RuleOrder { name, filter, ..Default::default() }
}

const FILTER: &str = "classification = \"Security Updates\" and required > 0";

impl Site {
    async fn rule(&self, order: pb::RuleOrder) -> Result<String, Status> {
        let request = pb::CreateRuleRequest { order: Some(order), ..Default::default() };
        Ok(self.admin().create_rule(request).await?.into_inner().code)
    }

    async fn rules(&self) -> usize {
        let all = pb::ListRulesRequest::default();
        self.admin().list_rules(all).await.told().rows.len()
    }

    async fn listed(&self, request: pb::ListUpdatesRequest) -> Result<Vec<String>, Status> {
        let mut stream = self.admin().list_updates(request).await?.into_inner();
        let mut ids = Vec::new();
        while let Some(message) = stream.message().await? {
            ids.extend(message.rows.into_iter().map(|row| row.id));
        }
        Ok(ids)
    }

    async fn meant(&self, query: &str) -> Vec<String> {
        let request = pb::ListUpdatesRequest { r#where: query.to_owned(), ..Default::default() };
        self.listed(request).await.expect("a query")
    }
}

#[test]
fn updates_are_listed_by_a_query_over_what_is_known_of_them() {
    run(async {
        let site = site().await;
        let ids = |numbers: &[u32]| numbers.iter().map(|n| update(*n)).collect::<Vec<_>>();
        assert_eq!(site.meant(FILTER).await, ids(&[2]));
        assert_eq!(site.meant("installed = 2 or superseded").await, ids(&[1, 4]));
        assert_eq!(site.meant("not expired and architecture = \"x64\"").await, ids(&[1, 2, 4]));
        assert_eq!(site.meant("title like \"update%2%\" and released > 1d").await, ids(&[2]));
        assert_eq!(site.meant("deployed").await, ids(&[]));
        let min = |required_min| pb::ListUpdatesRequest { required_min, ..Default::default() };
        assert_eq!(site.listed(min(2)).await.expect("listed"), ids(&[2]));
        assert_eq!(site.listed(min(3)).await.expect("listed"), ids(&[]));
        let where_ =
            |text: &str| pb::ListUpdatesRequest { r#where: text.to_owned(), ..Default::default() };
        expect![[r#"
            InvalidArgument: where: column 11: expected a value, found ">"
              required >> 3
                        ^"#]]
        .assert_eq(&refusal(site.listed(where_("required >> 3")).await));
        let shown = site.admin().get_update(pb::GetUpdateRequest { id: update(2) }).await.told();
        let row = shown.row.expect("a row");
        assert_eq!((row.required, row.installed, row.deployed), (Some(2), Some(0), false));
    });
}

/// One with everything that can be said of it.
fn servers() -> pb::CreateRuleRequest {
    let deployment = pb::RuleDeployment {
        name: "Pilot".to_owned(),
        available: "4h".to_owned(),
        deadline: "7d at 02:00".to_owned(),
        enabled: Some(false),
        options: Some(pb::DeploymentOptions {
            notify: Some("hidden".to_owned()),
            wakes: Some(true),
            metered: Some(true),
            alert_below: Some(90),
            suppress_restart_servers: Some(true),
            detail: Some("errors".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let order = pb::RuleOrder {
        description: Some("What servers need".to_owned()),
        evaluate: Some("0 2 * * tue#2 plus 1 days".to_owned()),
        group_use: Some("new".to_owned()),
        languages: vec!["DE".to_owned(), "en".to_owned()],
        only_without_license: Some(true),
        stage: Some("content".to_owned()),
        splits: Some(true),
        ..order("Servers", FILTER)
    };
    let (order, deployments) = (Some(order), vec![deployment]);
    pb::CreateRuleRequest { order, deployments, ..Default::default() }
}

#[test]
fn a_rule_is_read_back_as_it_was_meant() {
    run(async {
        let site = site().await;
        let made = site.admin().create_rule(servers()).await.told();
        assert_eq!(made.runs.len(), 5);
        let shown = site.admin().get_rule(pb::GetRuleRequest { code: made.code }).await.told();
        let row = shown.row.expect("a row");
        expect![[r#"Rule { code: "PR100001", name: "Servers", owner: "PR1", style: "rule", evaluate: "0 2 * * TUE#2 plus 1 day in UTC", enabled: true, stage: "content", group: "", package: "", deployments: 1, outcome: "", problem: "", last_run: None, next_run: Some(Timestamp { seconds: 1796781600, nanos: 0 }) }"#]].assert_eq(&format!("{row:?}"));
        expect![[r#"RuleOrder { name: Some("Servers"), description: Some("What servers need"), filter: Some("classification = \"Security Updates\" and required > 0"), evaluate: Some("0 2 * * TUE#2 plus 1 day in UTC"), group_use: Some("new"), package: Some(""), points: [], languages: ["de", "en"], only_without_license: Some(true), stage: Some("content"), splits: Some(true), enabled: Some(true) }"#]].assert_eq(&format!("{:?}", shown.order.expect("it is told")));
        let [deployment] = shown.deployments.as_slice() else { panic!("one deployment") };
        let options = deployment.options.clone().expect("they are told");
        expect![[r#"DeploymentOptions { basis: Some("utc"), notify: Some("hidden"), install_outside_window: Some(false), restart_outside_window: Some(false), suppress_restart_servers: Some(true), suppress_restart_workstations: Some(false), commit_write_filter: Some(false), evaluate_after_restart: Some(false), soft_deadline: Some(false), neighbors: Some(true), default_group: Some(true), microsoft_update: Some(false), metered: Some(true), detail: Some("errors"), wakes: Some(true), alert_below: Some(90), alert_days: Some(7), accepts_license: None, report_only: None }"#]].assert_eq(&format!("{options:?}"));
        let deployment = pb::RuleDeployment { options: None, ..deployment.clone() };
        expect![[r#"RuleDeployment { number: 1, name: "Pilot", collection: "SMS00001", intent: "required", available: "4h", deadline: "7d at 02:00", enabled: Some(false), options: None, deployed: [] }"#]].assert_eq(&format!("{deployment:?}"));
    });
}

#[test]
fn a_rule_is_changed_by_its_owner_and_deleted() {
    run(async {
        let site = site().await;
        let code = site.admin().create_rule(servers()).await.told().code;
        let change = pb::RuleOrder { stage: Some("deploy".to_owned()), ..Default::default() };
        let request = pb::ChangeRuleRequest { code: code.clone(), order: Some(change) };
        site.admin().change_rule(request).await.told();
        let disable = pb::SetRuleEnabledRequest { code: code.clone(), enabled: false };
        site.admin().set_rule_enabled(disable).await.told();
        let wider = pb::RuleDeployment { collection: "SMS00002".to_owned(), ..Default::default() };
        let add = |deployment: &pb::RuleDeployment| pb::AddRuleDeploymentRequest {
            code: code.clone(),
            deployment: Some(deployment.clone()),
        };
        let number = site.admin().add_rule_deployment(add(&wider)).await.told().number;
        expect![
            "InvalidArgument: deployments: has one to SMS00002 already; give this one another name"
        ]
        .assert_eq(&refusal(site.admin().add_rule_deployment(add(&wider)).await));
        let remove = |number| pb::RemoveRuleDeploymentRequest { code: code.clone(), number };
        site.admin().remove_rule_deployment(remove(1)).await.told();
        expect!["InvalidArgument: number: is none of 1 to 1; see `tierline rule show PR100001`"]
            .assert_eq(&refusal(site.admin().remove_rule_deployment(remove(number)).await));
        let get = pb::GetRuleRequest { code: code.clone() };
        let shown = site.admin().get_rule(get).await.told();
        let order = shown.order.expect("it is told");
        assert_eq!((order.stage.as_deref(), order.enabled), (Some("deploy"), Some(false)));
        assert_eq!(order.description.as_deref(), Some("What servers need"));
        assert_eq!(shown.deployments[0].collection, "SMS00002");
        site.admin().delete_rule(pb::DeleteRuleRequest { code }).await.told();
        assert_eq!(site.rules().await, 0);
    });
}

#[test]
fn a_rule_that_cannot_be_meant_is_refused_with_what_helps() {
    run(async {
        let site = site().await;
        site.rule(order("Taken", FILTER)).await.expect("made");
        let refused = async |order, expected: Expect| {
            expected.assert_eq(&refusal(site.rule(order).await));
        };
        refused(order("", FILTER), expect!["InvalidArgument: name: is empty"]).await;
        refused(
            order("Taken", FILTER),
            expect![[r#"InvalidArgument: name: "Taken" is taken by PR100001"#]],
        )
        .await;
        refused(
            order(&"n".repeat(257), FILTER),
            expect!["InvalidArgument: name: has 257 characters; at most 256 are possible"],
        )
        .await;
        let description = Some("d".repeat(257));
        refused(
            pb::RuleOrder { description, ..order("A", FILTER) },
            expect!["InvalidArgument: description: has 257 characters; at most 256 are possible"],
        )
        .await;
        refused(order("A", "classification = Security"), expect![[r#"
            InvalidArgument: filter: column 18: "classification" is a text, and "Security" is not; write it in double quotes
              classification = Security
                               ^"#]]).await;
        refused(order("A", ""), expect![[r#"InvalidArgument: filter: is empty; write what to take, such as: classification = "Security Updates" and required > 0"#]]).await;
        let at = |evaluate: &str| {
            let evaluate = Some(evaluate.to_owned());
            pb::RuleOrder { evaluate, ..order("A", FILTER) }
        };
        refused(
            at("0 */6 * * *"),
            expect![[
                r#"InvalidArgument: evaluate: "0 */6 * * * in UTC" comes more than 3 times a day"#
            ]],
        )
        .await;
        let schedule = pb::SetSyncScheduleRequest { every_seconds: 86_400, ..Default::default() };
        site.admin().set_sync_schedule(schedule).await.told();
        refused(at("0 1,13 * * *"), expect![[r#"InvalidArgument: evaluate: "0 1,13 * * * in UTC" comes more often than the synchronization (every 1440 minutes): there would be nothing new; write on-change to follow it"#]]).await;
        site.rule(at("0 1 * * *")).await.expect("as often as the synchronization");
        let refill = pb::RuleOrder {
            group_use: Some("refill".to_owned()),
            splits: Some(true),
            ..order("B", FILTER)
        };
        refused(refill, expect!["InvalidArgument: splits: goes with new groups only: a group that is filled again is one"]).await;
        let languages = vec!["tlh".to_owned()];
        refused(
            pb::RuleOrder { languages, ..order("B", FILTER) },
            expect![[
                r#"InvalidArgument: languages: has no "tlh"; see `tierline sync languages show`"#
            ]],
        )
        .await;
        let package = Some("PR1000FF".to_owned());
        refused(
            pb::RuleOrder { package, ..order("B", FILTER) },
            expect!["NotFound: there is no package PR1000FF; see `tierline package list`"],
        )
        .await;
        assert_eq!(site.rules().await, 2);
    });
}

#[test]
fn deployments_of_rules_are_refused_as_those_made_by_hand() {
    run(async {
        let site = site().await;
        let refused = async |deployment, expected: Expect| {
            let request = pb::CreateRuleRequest {
                order: Some(order("A", FILTER)),
                deployments: vec![deployment],
                ..Default::default()
            };
            expected.assert_eq(&refusal(site.admin().create_rule(request).await));
        };
        let plain = pb::RuleDeployment::default();
        let collection = "PR1000FF".to_owned();
        refused(
            pb::RuleDeployment { collection, ..plain.clone() },
            expect!["NotFound: there is no collection PR1000FF; see `tierline collection list`"],
        )
        .await;
        let available = "tomorrow".to_owned();
        refused(pb::RuleDeployment { available, ..plain.clone() }, expect![[r#"InvalidArgument: available: "tomorrow" is none of asap, such as 90m, 4h or 7d, and 7d at 02:00"#]]).await;
        let deadline = "366d".to_owned();
        refused(
            pb::RuleDeployment { deadline, ..plain.clone() },
            expect![[r#"InvalidArgument: deadline: "366d" is more than 365 days"#]],
        )
        .await;
        let intent = "uninstall".to_owned();
        refused(
            pb::RuleDeployment { intent, ..plain.clone() },
            expect!["InvalidArgument: intent: is required or available; approvals uninstall"],
        )
        .await;
        let options =
            pb::DeploymentOptions { notify: Some("hidden".to_owned()), ..Default::default() };
        let hidden = pb::RuleDeployment {
            intent: "available".to_owned(),
            options: Some(options),
            ..plain.clone()
        };
        refused(hidden, expect!["InvalidArgument: notify: hides what the user is offered; hidden is only for required deployments"]).await;
        let options = pb::DeploymentOptions { report_only: Some(true), ..Default::default() };
        refused(pb::RuleDeployment { options: Some(options), ..plain }, expect!["InvalidArgument: deployment: has no word on reports and licenses: --stage and --without-license of the rule say that"]).await;
    });
}

#[test]
fn a_preview_says_what_would_be_taken_and_saves_nothing() {
    run(async {
        let site = site().await;
        let preview = |filter: &str, evaluate: &str| pb::PreviewRuleRequest {
            filter: filter.to_owned(),
            evaluate: evaluate.to_owned(),
            ..Default::default()
        };
        let all = "classification = \"Security Updates\"";
        let shown = site.admin().preview_rule(preview(all, "0 2 * * TUE#2")).await.told();
        let ids: Vec<&str> = shown.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, [update(1), update(2)], "neither what is expired nor what is superseded");
        let count = shown.classifications.first().map(|c| (c.classification.as_str(), c.count));
        assert_eq!((count, shown.count), (Some(("Security Updates", 2)), 2));
        assert_eq!((shown.limit, shown.groups, shown.runs.len()), (1_000, 1, 5));
        assert_eq!(shown.rows[1].required, 2);
        let limits = pb::SetDeploymentLimitsRequest { updates_max: 1 };
        site.admin().set_deployment_limits(limits).await.told();
        assert_eq!(site.admin().preview_rule(preview(all, "")).await.told().groups, 2);
        assert_eq!(site.rules().await, 0);
    });
}

#[test]
fn templates_are_built_in_or_saved_and_never_run() {
    run(async {
        let site = site().await;
        let from = |template: &str, name: &str| pb::CreateRuleRequest {
            template: template.to_owned(),
            order: Some(pb::RuleOrder { name: Some(name.to_owned()), ..Default::default() }),
            ..Default::default()
        };
        for template in ["patch-tuesday", "definitions", "office-365"] {
            site.admin().create_rule(from(template, template)).await.told();
        }
        expect!["NotFound: there is no template weekly; see `tierline rule template list`"]
            .assert_eq(&refusal(site.admin().create_rule(from("weekly", "W")).await));
        let code = site.rule(order("Servers", FILTER)).await.expect("made");
        let save =
            |name: &str| pb::SaveRuleTemplateRequest { code: code.clone(), name: name.to_owned() };
        expect![[r#"InvalidArgument: name: "Sörver" is not of ASCII letters, digits, spaces, \ and ' alone, or is built in"#]].assert_eq(&refusal(site.admin().save_rule_template(save("Sörver")).await));
        let saved = site.admin().save_rule_template(save("Bob's \\ servers")).await.told().code;
        let run = pb::RunRuleRequest { code: saved };
        expect!["AlreadyExists: PR100005 is a template and never runs; make a rule of it with --template"].assert_eq(&refusal(site.admin().run_rule(run).await));
        let copy = site.admin().create_rule(from("Bob's \\ servers", "Copy")).await.told().code;
        let copy = site.admin().get_rule(pb::GetRuleRequest { code: copy }).await.told();
        assert_eq!(copy.order.expect("told").filter.as_deref(), Some(FILTER));
        let templates =
            site.admin().list_rule_templates(pb::ListRuleTemplatesRequest {}).await.told();
        let names: Vec<&str> = templates.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["patch-tuesday", "definitions", "office-365", "Bob's \\ servers"]);
    });
}

#[test]
fn a_run_is_begun_once_and_shown() {
    run(async {
        let site = site().await;
        let code = site.rule(order("Servers", FILTER)).await.expect("made");
        let get = pb::GetRuleRunRequest { code: code.clone(), number: 0 };
        expect!["NotFound: there is no run yet; see `tierline rule runs`"]
            .assert_eq(&refusal(site.admin().get_rule_run(get.clone()).await));
        let run = pb::RunRuleRequest { code: code.clone() };
        assert_eq!(site.admin().run_rule(run.clone()).await.told().number, 1);
        assert_eq!(site.admin().run_rule(run).await.told().number, 1, "it is not done yet");
        let row = site.admin().get_rule_run(get).await.told().row.expect("a run");
        assert_eq!((row.outcome.as_str(), row.reason.as_str()), ("running", "asked"));
        let runs = site.admin().list_rule_runs(pb::ListRuleRunsRequest { code }).await.told();
        assert_eq!(runs.rows, [row]);
    });
}

#[test]
fn a_rule_has_points_of_its_own_site_and_of_those_below() {
    run(async {
        let site = site().await;
        let written = site.db.write(|w| {
            for (number, name, of) in [(1, "OWN", "PR1"), (2, "ALIEN", "PR9")] {
                let (kind, site) = (RoleKind::DistributionPoint, SiteCode::new(of)?);
                let (id, name) = (RoleId(Uuid::from_u128(number)), name.to_owned());
                let (url, http_url) = (String::new(), String::new());
                w.put_own(&RoleRecord { id, site, kind, name, url, http_url, joined_at: at(0) })?;
            }
            Ok::<_, site_db::Error>(())
        });
        written.await.expect("written");
        let to = |point: &str| vec![point.to_owned()];
        let code = site.rule(pb::RuleOrder { points: to("OWN"), ..order("A", FILTER) }).await;
        let change = |points| pb::ChangeRuleRequest {
            code: code.clone().expect("made"),
            order: Some(pb::RuleOrder { points, ..Default::default() }),
        };
        expect!["InvalidArgument: points: ALIEN is no distribution point at or below PR1; see `tierline dp list`, or write none"]
            .assert_eq(&refusal(site.admin().change_rule(change(to("ALIEN"))).await));
        site.admin().change_rule(change(to("none"))).await.told();
    });
}

#[test]
fn a_rule_that_is_enabled_or_comes_at_other_times_makes_up_for_nothing() {
    run(async {
        let site = site().await;
        let weekly = pb::RuleOrder {
            evaluate: Some("0 2 * * MON".to_owned()),
            enabled: Some(false),
            ..order("A", FILTER)
        };
        let code = site.rule(weekly).await.expect("made");
        let rule = ObjectCode::new(&code).expect("a code");
        let long_ago =
            RuleSeen { at: at(-90 * 86_400_000), catalog: 1, digest: vec![1], failed: None };
        let forget = async || {
            let (rule, seen) = (rule.clone(), long_ago.clone());
            site.db.write(move |w| w.set_rule_seen(&rule, &seen)).await.expect("written");
        };
        let seen = async || {
            let rule = rule.clone();
            site.db.read(move |r| r.rule_seen(&rule)).await.expect("read").expect("it was seen")
        };
        let now = RuleSeen { at: at(0), ..long_ago.clone() };
        forget().await;
        let enable = pb::SetRuleEnabledRequest { code: code.clone(), enabled: true };
        site.admin().set_rule_enabled(enable.clone()).await.told();
        assert_eq!(seen().await, now);
        forget().await;
        site.admin().set_rule_enabled(enable).await.told();
        assert_eq!(seen().await, long_ago, "it was enabled before");
        let daily = pb::RuleOrder { evaluate: Some("0 2 * * *".to_owned()), ..Default::default() };
        let change = pb::ChangeRuleRequest { code, order: Some(daily) };
        site.admin().change_rule(change).await.told();
        assert_eq!(seen().await, now);
    });
}

#[test]
fn an_order_that_is_taken_out_ends_its_deployment_of_a_group_that_is_filled_again() {
    run(async {
        let site = site().await;
        let refill = pb::RuleOrder { group_use: Some("refill".to_owned()), ..order("A", FILTER) };
        let code = site.rule(refill).await.expect("made");
        let rule = ObjectCode::new(&code).expect("a code");
        let held = rule.clone();
        let written = site.db.write(move |w| {
            let rule: Rule = w.get(held.as_str().as_bytes())?.expect("it was made");
            let (group, order) = (ObjectCode::new("PR1000AA")?, &rule.deployments[0]);
            let id = deployment::made_id(&rule.code, &group, order);
            let to = order.collection.clone();
            w.put_own(&UpdateGroup::plain(group.clone(), "A".to_owned(), Vec::new()))?;
            w.put_own(&Deployment {
                enabled: true,
                ..Deployment::plain(id, group.clone(), to, w.now())
            })?;
            w.put_own(&Rule { group: Some(group), deployed: vec![id], ..rule })
        });
        written.await.expect("written");
        let remove = pb::RemoveRuleDeploymentRequest { code, number: 1 };
        site.admin().remove_rule_deployment(remove).await.told();
        let read = site.db.read(move |r| {
            let kept: Option<Rule> = r.get(rule.as_str().as_bytes())?;
            let made = r.list::<Deployment>()?.remove(0).1;
            Ok::<_, site_db::Error>((made, kept.expect("it is there")))
        });
        let (made, kept) = read.await.expect("read");
        assert!(!made.enabled);
        assert!(kept.deployed.is_empty() && kept.deployments.is_empty());
    });
}
