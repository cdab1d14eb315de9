//! What is deployed where and how: options, limits, content, holds.

use compliance::Board;
use expect_test::expect;
use model::{
    Group, Item, ItemFile, LocalizedText, Origin, Ruling, Sha1, UpdateGroup, UpdateId, UpdateRef,
    Verdict,
};
use rpc::convert::wire_time;
use site_db::Own;
use testkit::objects;
use uuid::Uuid;

use super::*;

pub(super) fn update(number: u128) -> String {
    UpdateId(Uuid::from_u128(number)).to_string()
}

fn title(number: u32) -> Vec<LocalizedText> {
    let (language, title) = ("en".to_owned(), format!("Update {number}"));
    vec![LocalizedText { language, title, description: String::new() }]
}

/// An update with a file of its own.
pub(super) fn item(number: u8) -> Item {
    let (name, sha1) = (format!("{number}.exe"), Sha1([number; 20]));
    let files = vec![ItemFile { name, size: 10, sha1, sha256: None }];
    Item { files, texts: title(number.into()), ..objects::item(number.into()) }
}

/// Updates 1 to 3 are good, 4 bundles 5, 6 is expired, 7 declined, 8 superseded by 1, of 9 only the
/// description was published, and 10 has no files.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let id = |number: u128| UpdateId(Uuid::from_u128(number));
    let plain = |number: u32| Item { texts: title(number), ..objects::item(number) };
    let items = [
        Item { supersedes: vec![id(8)], ..item(1) },
        item(2),
        item(3),
        Item { bundles: vec![UpdateRef { id: id(5), revision: 1 }], ..plain(4) },
        Item { hidden: true, ..item(5) },
        Item { expired: true, ..item(6) },
        item(7),
        item(8),
        Item { company: Some(id(99)), ..plain(9) },
        plain(10),
    ];
    let declined = Ruling::new(id(7), Verdict::Declined, "admin", at(0));
    let written = site.db.write(move |w| {
        let rulings = [Own::put(&declined)];
        let all = items.iter().map(Own::put).chain(rulings).collect();
        w.write_own(Group::Catalog, all)
    });
    written.await.expect("written");
    site
}

impl Site {
    /// A group of these updates, some of which one could not put into a group any more.
    async fn grouped(&self, code: &str, updates: &[u128]) -> String {
        let updates = updates.iter().map(|n| UpdateId(Uuid::from_u128(*n))).collect();
        let code = model::ObjectCode::new(code).expect("a code");
        let group = UpdateGroup::plain(code.clone(), format!("Group {code}"), updates);
        self.db.write(move |w| w.put_own(&group)).await.expect("written");
        code.to_string()
    }

    async fn try_deploy(
        &self,
        request: pb::CreateDeploymentRequest,
    ) -> Result<pb::CreateDeploymentResponse, Status> {
        Ok(self.admin().create_deployment(request).await?.into_inner())
    }

    async fn deployment(&self, id: &str) -> pb::GetDeploymentResponse {
        let request = pb::GetDeploymentRequest { id: id.to_owned() };
        self.admin().get_deployment(request).await.told()
    }
}

fn order(name: &str, group: &str) -> pb::CreateDeploymentRequest {
    let (name, group) = (name.to_owned(), group.to_owned());
    pb::CreateDeploymentRequest { name, group, intent: "required".to_owned(), ..Default::default() }
}

type Options = pb::DeploymentOptions;

#[test]
fn what_is_wrong_with_a_deployment_is_said_before_anything_is_made() {
    run(async {
        let site = site().await;
        let good = site.grouped("PR100001", &[10]).await;
        let plain = || order("May", &good);
        let available =
            || pb::CreateDeploymentRequest { intent: "available".to_owned(), ..plain() };
        let with =
            |options: Options| pb::CreateDeploymentRequest { options: Some(options), ..plain() };
        let offered = |options: Options| pb::CreateDeploymentRequest {
            options: Some(options),
            ..available()
        };
        let late = Some(wire_time(at(-1)));
        let mut requests = vec![
            order(&"x".repeat(257), &good),
            pb::CreateDeploymentRequest { description: "x".repeat(257), ..plain() },
            pb::CreateDeploymentRequest { deadline: late, ..plain() },
            pb::CreateDeploymentRequest { deadline: late, ..available() },
            pb::CreateDeploymentRequest { intent: "uninstall".to_owned(), ..plain() },
            offered(Options { notify: Some("hidden".to_owned()), ..Default::default() }),
            offered(Options { wakes: Some(true), ..Default::default() }),
            offered(Options { soft_deadline: Some(true), ..Default::default() }),
            with(Options { detail: Some("much".to_owned()), ..Default::default() }),
            with(Options { alert_below: Some(101), ..Default::default() }),
            with(Options { alert_days: Some(366), ..Default::default() }),
            order("May", "PR100099"),
            pb::CreateDeploymentRequest { collection: "PR100099".to_owned(), ..plain() },
            pb::CreateDeploymentRequest { package: "PR100099".to_owned(), ..plain() },
            pb::CreateDeploymentRequest { new_package: "x".repeat(51), ..plain() },
            pb::CreateDeploymentRequest {
                new_package: "May".to_owned(),
                no_package: true,
                ..plain()
            },
        ];
        for (code, updates) in
            [("PR100002", &[6, 7, 8][..]), ("PR100003", &[9]), ("PR100004", &[2, 4, 10])]
        {
            requests.push(order("May", &site.grouped(code, updates).await));
        }
        let mut refusals = Vec::new();
        for request in requests {
            refusals.push(refusal(site.try_deploy(request).await));
        }
        expect![[r#"
            InvalidArgument: name: has 257 characters; at most 256 are possible
            InvalidArgument: description: has 257 characters; at most 256 are possible
            InvalidArgument: deadline: is before the updates become available
            InvalidArgument: deadline: is only for required deployments
            InvalidArgument: intent: is neither required nor available
            InvalidArgument: notify: hides what the user is offered; hidden is only for required deployments
            InvalidArgument: wakes: is only for required deployments: an offer has no deadline to wake for
            InvalidArgument: soft_deadline: is only for required deployments
            InvalidArgument: detail: there is no "much"; it is one of all, success-and-errors, errors
            InvalidArgument: alert: comes below 1 to 100 percent; 0: never
            InvalidArgument: alert: comes after 0 to 365 days
            NotFound: there is no update group PR100099; see `tierline group list`
            NotFound: there is no collection PR100099; see `tierline collection list`
            NotFound: there is no package PR100099; see `tierline package list`
            InvalidArgument: name: has 51 characters; at most 50 are possible
            InvalidArgument: package: name one, or a new one, or none at all
            AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000006 (expired), 00000000-0000-0000-0000-000000000007 (declined), 00000000-0000-0000-0000-000000000008 (superseded); take them out first: `tierline group remove PR100002 ID...`
            AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000009 (metadata only); publish their content first: `tierline update publish-content ID`
            AlreadyExists: no package holds the files of these updates: 00000000-0000-0000-0000-000000000002, 00000000-0000-0000-0000-000000000005; name a package that fetches them with --package CODE or --new-package NAME, or let computers load from Microsoft Update with --no-package"#]].assert_eq(&refusals.join("\n"));
        let all = pb::ListDeploymentsRequest::default();
        assert_eq!(site.admin().list_deployments(all).await.told().rows, []);
        let packages = site.admin().list_packages(pb::ListPackagesRequest {}).await.told().rows;
        assert_eq!(packages, []);
    });
}

fn every_option() -> Options {
    let (on, word) = (Some(true), |word: &str| Some(word.to_owned()));
    Options {
        basis: word("client"),
        notify: word("hidden"),
        install_outside_window: on,
        restart_outside_window: on,
        suppress_restart_servers: on,
        suppress_restart_workstations: on,
        commit_write_filter: on,
        evaluate_after_restart: on,
        soft_deadline: on,
        neighbors: Some(false),
        default_group: Some(false),
        microsoft_update: on,
        metered: on,
        detail: word("errors"),
        wakes: on,
        alert_below: Some(95),
        alert_days: Some(3),
        accepts_license: Some(false),
        report_only: on,
    }
}

#[test]
fn every_option_is_kept() {
    run(async {
        let site = site().await;
        let request = pb::CreateDeploymentRequest {
            options: Some(every_option()),
            no_package: true,
            disabled: true,
            description: "all of it".to_owned(),
            ..order("", &site.grouped("PR100001", &[2]).await)
        };
        let id = site.try_deploy(request).await.expect("made").id;
        let shown = site.deployment(&id).await;
        assert_eq!((shown.options, shown.has_packages), (Some(every_option()), false));
        let row = shown.row.expect("a row");
        let text = format!("{} {} {} {}", row.enabled, row.effect, row.intent, shown.description);
        assert_eq!(text, "false report required all of it");
        assert_eq!((row.mark.as_str(), row.missing), ("normal", 0), "no package is needed");
        // Another one of the same minute.
        let second = order("", &site.grouped("PR100002", &[10]).await);
        let second = site.try_deploy(second).await.expect("made");
        expect![[r#"
            Microsoft Software Updates - 2026-11-20 10:00
            Microsoft Software Updates - 2026-11-20 10:00 (2)"#]]
        .assert_eq(&format!("{}\n{}", row.name, second.parts[0].name));
        let options = site.deployment(&second.id).await.options.expect("options");
        assert_eq!((options.wakes, options.alert_below), (Some(false), None), "off by default");
    });
}

#[test]
fn a_deployment_can_be_changed_but_for_its_intent_and_package() {
    run(async {
        let site = site().await;
        let group = site.grouped("PR100001", &[10]).await;
        let pilots =
            pb::CreateCollectionRequest { name: "Pilots".to_owned(), ..Default::default() };
        let pilots = site.admin().create_collection(pilots).await.told().code;
        let request = pb::CreateDeploymentRequest { no_package: true, ..order("May", &group) };
        let id = site.try_deploy(request).await.expect("made").id;
        site.try_deploy(order("June", &group)).await.expect("made");
        let options = Options { alert_below: Some(90), wakes: Some(true), ..Options::default() };
        let change = pb::ChangeDeploymentRequest {
            id: id.clone(),
            name: Some("May 2026".to_owned()),
            collection: Some(pilots.clone()),
            deadline: Some(wire_time(at(5))),
            options: Some(options),
            ..Default::default()
        };
        let row = site.admin().change_deployment(change).await.told().row.expect("a row");
        let shown = site.deployment(&id).await;
        assert_eq!(shown.row.as_ref(), Some(&row));
        assert_eq!((row.name.as_str(), row.collection), ("May 2026", pilots));
        let options = shown.options.expect("options");
        let kept = (options.alert_below, options.alert_days, options.microsoft_update);
        assert_eq!(kept, (Some(90), Some(7), Some(true)));
        let with = |options: Options| pb::ChangeDeploymentRequest {
            id: id.clone(),
            options: Some(options),
            ..Default::default()
        };
        let none = Options { alert_below: Some(0), ..Options::default() };
        site.admin().change_deployment(with(none)).await.told();
        assert_eq!(site.deployment(&id).await.options.expect("options").alert_below, None);
        let plain = || with(Options::default());
        let mut refusals = Vec::new();
        for request in [
            pb::ChangeDeploymentRequest { name: Some("JUNE".to_owned()), ..plain() },
            pb::ChangeDeploymentRequest { name: Some(String::new()), ..plain() },
            pb::ChangeDeploymentRequest { collection: Some("PR100099".to_owned()), ..plain() },
            pb::ChangeDeploymentRequest { deadline: Some(wire_time(at(-1))), ..plain() },
            with(Options { microsoft_update: Some(false), ..Options::default() }),
        ] {
            refusals.push(refusal(site.admin().change_deployment(request).await));
        }
        expect![[r#"
            AlreadyExists: there is a deployment "JUNE" already; see `tierline deployment list`
            InvalidArgument: name: is empty
            NotFound: there is no collection PR100099; see `tierline collection list`
            InvalidArgument: deadline: is before the updates become available
            InvalidArgument: microsoft_update: is the only source of a deployment without a package"#]]
        .assert_eq(&refusals.join("\n"));
    });
}

#[test]
fn too_much_for_one_deployment_is_refused_or_split_and_previewed() {
    run(async {
        let site = site().await;
        let limit = |updates_max| pb::SetDeploymentLimitsRequest { updates_max };
        let ask = pb::GetDeploymentLimitsRequest {};
        assert_eq!(site.admin().get_deployment_limits(ask).await.told().updates_max, 1_000);
        let refused = [
            refusal(site.admin().set_deployment_limits(limit(0)).await),
            refusal(site.admin().set_deployment_limits(limit(1_001)).await),
        ];
        site.admin().set_deployment_limits(limit(2)).await.told();
        let group = site.grouped("PR100001", &[1, 2, 3, 4, 10]).await;
        let new_package = "May".to_owned();
        let request = pb::CreateDeploymentRequest { new_package, ..order("May", &group) };
        let refused = [&refused[..], &[refusal(site.try_deploy(request.clone()).await)]].concat();
        expect![[r#"
            InvalidArgument: updates of a deployment: are 0; 1 to 1000 are possible
            InvalidArgument: updates of a deployment: are 1001; 1 to 1000 are possible
            AlreadyExists: these are 5 updates, and a deployment has at most 2; take some out, or have several groups made with --split"#]].assert_eq(&refused.join("\n"));

        let split = pb::CreateDeploymentRequest { split: true, ..request };
        let preview = pb::CreateDeploymentRequest { preview: true, ..split.clone() };
        site.board.replace(Board::rebuild([ClientId(Uuid::from_u128(8))], []));
        let preview = site.try_deploy(preview).await.expect("told");
        assert_eq!(preview.parts[0].targeted, Some(1));
        let all = pb::ListDeploymentsRequest::default;
        assert_eq!(site.admin().list_deployments(all()).await.told().rows, []);
        let made = site.try_deploy(split).await.expect("made");
        let lines = |told: &pb::CreateDeploymentResponse| {
            let part = |p: &pb::DeploymentPart| format!("{} {} {}\n", p.name, p.group, p.updates);
            let parts: String = told.parts.iter().map(part).collect();
            format!("{parts}{} files into \"{}\"\n", told.wanted, told.package)
        };
        expect![[r#"
            May (1 of 3)  2
            May (2 of 3)  2
            May (3 of 3)  1
            4 files into ""
            May (1 of 3) PR100002 2
            May (2 of 3) PR100003 2
            May (3 of 3) PR100004 1
            4 files into "PR100001"
        "#]]
        .assert_eq(&(lines(&preview) + &lines(&made)));
        let mut rows = site.admin().list_deployments(all()).await.told().rows;
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(rows.iter().map(|row| row.missing).collect::<Vec<_>>(), [2, 2, 0]);
        let groups = site.admin().list_groups(pb::ListGroupsRequest::default()).await.told().rows;
        let groups =
            groups.iter().map(|g| format!("{} {} {} {}\n", g.code, g.name, g.updates, g.mark));
        expect![[r#"
            PR100001 Group PR100001 5 missing
            PR100002 May (1 of 3) 2 missing
            PR100003 May (2 of 3) 2 missing
            PR100004 May (3 of 3) 1 normal
        "#]]
        .assert_eq(&groups.collect::<String>());
        // What is deployed does not grow above the limit.
        let add = |add| pb::ChangeGroupRequest {
            code: made.parts[0].group.clone(),
            add,
            ..Default::default()
        };
        expect!["AlreadyExists: these are 3 updates, and a deployment has at most 2; take some out, or have several groups made with --split"].assert_eq(&refusal(site.admin().change_group(add(vec![update(3)])).await));
    });
}

#[test]
fn groups_and_deployments_show_the_worst_of_their_updates() {
    run(async {
        let site = site().await;
        let mut lines = String::new();
        for (number, updates) in
            [&[10][..], &[10, 8], &[6], &[7], &[9, 6], &[2, 9], &[]].into_iter().enumerate()
        {
            let code = site.grouped(&format!("PR10000{}", number + 1), updates).await;
            let shown = site.admin().get_group(pb::GetGroupRequest { code }).await.told();
            let row = shown.row.expect("a row");
            let marks: Vec<_> = shown.members.iter().map(|member| member.mark.as_str()).collect();
            let counts = [row.expired, row.declined, row.superseded, row.missing];
            lines += &format!("{} {counts:?} {}\n", row.mark, marks.join(" "));
        }
        expect![[r#"
            normal [0, 0, 0, 0] normal
            missing [0, 0, 1, 1] normal missing
            expired [1, 0, 0, 0] expired
            declined [0, 1, 0, 0] declined
            metadata_only [1, 0, 0, 0] metadata_only expired
            missing [0, 0, 0, 1] missing metadata_only
            normal [0, 0, 0, 0] 
        "#]]
        .assert_eq(&lines);
        let refuse = pb::CreateGroupRequest {
            name: "Old".to_owned(),
            updates: vec![update(8)],
            ..Default::default()
        };
        expect!["AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000008 (superseded); leave them out"].assert_eq(&refusal(site.admin().create_group(refuse.clone()).await));
        let allowed = pb::CreateGroupRequest { allow_superseded: true, ..refuse };
        let group = site.admin().create_group(allowed).await.told().code;
        let no_package =
            || pb::CreateDeploymentRequest { no_package: true, ..order("Old", &group) };
        site.try_deploy(no_package()).await.expect_err("superseded");
        let request = pb::CreateDeploymentRequest { allow_superseded: true, ..no_package() };
        let id = site.try_deploy(request).await.expect("made").id;
        let row = site.deployment(&id).await.row.expect("a row");
        assert_eq!((row.mark.as_str(), row.superseded), ("superseded", 1));
    });
}

#[test]
fn what_approvals_keep_is_shown_on_request_and_changed_by_approvals_only() {
    run(async {
        let site = site().await;
        let group = site.grouped("PR100001", &[10]).await;
        let id = site.try_deploy(order("May", &group)).await.expect("made").id;
        let key: model::DeploymentId = id.parse().expect("an id");
        let kept = site.db.write(move |w| {
            let group: UpdateGroup = w.require(b"PR100001")?;
            w.put_own(&UpdateGroup { origin: Origin::Approval, ..group })?;
            let deployment: model::Deployment = w.require(key.as_bytes())?;
            w.put_own(&model::Deployment { origin: Origin::Approval, ..deployment })
        });
        kept.await.expect("written");
        let list = async |all| {
            let groups = site.admin().list_groups(pb::ListGroupsRequest { all }).await.told().rows;
            let deployments = pb::ListDeploymentsRequest { all };
            let deployments = site.admin().list_deployments(deployments).await.told().rows;
            (groups.len(), deployments.len())
        };
        assert_eq!((list(false).await, list(true).await), ((0, 0), (1, 1)));
        let disable = pb::SetDeploymentEnabledRequest { id: id.clone(), enabled: false };
        let change = pb::ChangeGroupRequest { code: group.clone(), ..Default::default() };
        let refusals = [
            refusal(site.admin().set_deployment_enabled(disable).await).replace(&id, "ID"),
            refusal(site.admin().change_group(change).await),
        ];
        expect![[r#"
            AlreadyExists: deployment ID is kept by approvals; change those with `tierline approval`
            AlreadyExists: update group PR100001 is kept by approvals; change those with `tierline approval`"#]].assert_eq(&refusals.join("\n"));
    });
}

#[test]
fn a_site_holds_deployments_for_its_clients_and_releases_them() {
    run(async {
        let site = site().await;
        let group = site.grouped("PR100001", &[10]).await;
        let id = site.try_deploy(order("May", &group)).await.expect("made").id;
        let release = || pb::ReleaseDeploymentRequest { id: id.clone() };
        let refused = refusal(site.admin().release_deployment(release()).await);
        expect!["NotFound: there is no hold of this site on deployment ID; see `tierline deployment holds`"].assert_eq(&refused.replace(&id, "ID"));
        let hold = pb::HoldDeploymentRequest { id: id.clone(), reason: "printers".to_owned() };
        site.admin().hold_deployment(hold).await.told();
        let shown = site.deployment(&id).await;
        assert_eq!(shown.row.expect("a row").held_by, ["PR1"]);
        assert_eq!((shown.holds.len(), shown.holds[0].reason.as_str()), (1, "printers"));
        let holds = site.admin().list_holds(pb::ListHoldsRequest {}).await.told().rows;
        assert_eq!(holds, shown.holds);
        site.admin().release_deployment(release()).await.told();
        assert_eq!(site.deployment(&id).await.holds, []);
        let unknown = pb::HoldDeploymentRequest { id: update(1), ..Default::default() };
        site.admin().hold_deployment(unknown).await.expect_err("there is none");
    });
}
