//! Why a client has an update or has not, step by step.

use compliance::{Board, Holding};
use expect_test::{Expect, expect};
use model::{
    ClientRecord, Deployment, DeploymentId, Detail, EnforcementState, Group, Hold, Item, ItemFile,
    ObjectCode, Ruling, Sha1, UpdateGroup, UpdateId, Vector, Verdict,
};
use site_db::Own;
use testkit::objects::{self, item};

use super::*;

const GROUP: &str = "PR100001";

fn client(number: u128) -> ClientId {
    ClientId(uuid::Uuid::from_u128(number))
}

fn update(number: u128) -> UpdateId {
    UpdateId(uuid::Uuid::from_u128(number))
}

fn object_code(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a code")
}

fn record(number: u128) -> ClientRecord {
    ClientRecord { seen_on: at(0), ..objects::client(number, "PR1") }
}

fn vector(covered: u64) -> Vector {
    Vector {
        client: client(1),
        incarnation: 1,
        serial: 3,
        covered,
        scanned_at: at(0),
        scan_error: None,
        gap: false,
        required: vec![1],
        installed: Vec::new(),
        unjudged: Vec::new(),
        deployments: Vec::new(),
        scan: None,
        detail: Vec::new(),
    }
}

fn holding(vector: Vector) -> Holding {
    Holding { vector, parked: Vec::new() }
}

/// Client 1 requires update 1, which has a file that is in no package; client 2 never reported.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        let name = "a.cab".to_owned();
        let file = ItemFile { name, size: 4, sha1: Sha1([1; 20]), sha256: None };
        let clients = [1, 2].map(|number| Own::put(&record(number)));
        w.write_own(Group::Catalog, vec![Own::put(&Item { files: vec![file], ..item(1) })])?;
        w.write_own(Group::Clients, clients.to_vec())?;
        w.write_holding(&holding(vector(1)))
    });
    written.await.expect("written");
    site.board.replace(Board::rebuild([client(1), client(2)], [vector(1)]));
    site
}

impl Site {
    async fn explained(&self, number: u128, of: u128) -> Vec<pb::ExplainedStep> {
        let (update, client) = (update(number).to_string(), client(of).to_string());
        let request = pb::ExplainUpdateRequest { update, client };
        self.admin().explain_update(request).await.told().steps
    }

    /// What the steps of these names say.
    async fn check(&self, names: &[&str], expected: Expect) {
        let steps = self.explained(1, 1).await.into_iter();
        let steps = steps.filter(|step| names.contains(&step.step.as_str()));
        let lines: Vec<String> = steps.map(|step| line(&step)).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    async fn put<T: rpc::object::ObjectBody + Send + 'static>(&self, object: T) {
        self.db.write(move |w| w.put_own(&object)).await.expect("written");
    }
}

fn line(step: &pb::ExplainedStep) -> String {
    let pb::ExplainedStep { step, verdict, says, evidence, remedy } = step;
    let remedy = if remedy.is_empty() { String::new() } else { format!(" -> {remedy}") };
    format!("{step} {verdict}: {says} [{evidence}]{remedy}")
}

fn deployment() -> Deployment {
    let id = DeploymentId(uuid::Uuid::from_u128(7));
    let (group, all) = (object_code(GROUP), object_code(model::ALL_SYSTEMS));
    Deployment { name: "May".to_owned(), ..Deployment::plain(id, group, all, at(0)) }
}

#[test]
fn a_deployment_that_grows_says_when_the_turn_of_the_client_comes() {
    run(async {
        let site = site().await;
        let group = UpdateGroup::plain(object_code(GROUP), "May".to_owned(), vec![update(1)]);
        site.put(group).await;
        let growing = |from: i64, stopped_at: Option<Timestamp>| Deployment {
            rollout: Some(model::Rollout { from: at(from), days: 30, stopped_at }),
            ..deployment()
        };
        site.put(growing(0, None)).await;
        site.check(&["deployment"], expect![[r#"deployment waits: "May" (required) to SMS00001: reaches the client by its rule for all, whose turn in its growth comes at 2026-12-08T21:00:00.000Z [00000000-0000-0000-0000-000000000007: not planned here yet]"#]]).await;
        site.put(growing(0, Some(at(0)))).await;
        site.check(&["deployment"], expect![[r#"deployment no: "May" (required) to SMS00001: reaches the client by its rule for all, but it grows no more while it is paused [00000000-0000-0000-0000-000000000007: not planned here yet] -> `tierline phased resume`"#]]).await;
        site.put(growing(-31 * 24 * 3_600_000, None)).await;
        site.check(&["deployment"], expect![[r#"deployment yes: "May" (required) to SMS00001: reaches the client by its rule for all, and its deadline 2026-11-20T10:00:00.000Z is over [00000000-0000-0000-0000-000000000007: not planned here yet]"#]]).await;
    });
}

#[test]
fn the_whole_chain_is_told_in_its_order() {
    run(async {
        let site = site().await;
        let lines: Vec<String> = site.explained(1, 1).await.iter().map(line).collect();
        expect![[r#"
            catalog yes: "00000000-0000-0000-0000-000000000001", revision 1 [in the catalog since version 1]
            choice yes: nothing is chosen: everything comes [for all languages]
            standing yes: neither superseded, expired nor declined [its item and rulings]
            client yes: client 1 (simulated), client of PR1 [last registered 0 days ago]
            scan yes: it has scanned since the update came [report 3 covers catalog version 1]
            state yes: required [its last report]
            group no: it is in no update group [groups of all sites] -> `tierline group add`, or a rule that takes it
            settings yes: software updates are on [its resultant client settings]
            window yes: it may be installed now [no window reaches it]
            policy waits: it has no policy yet [no signed head]
            package no: 1 of 1 files are in no package: a.cab [packages of all sites] -> `tierline package download CODE GROUP`"#]].assert_eq(&lines.join("\n"));
        let lines: Vec<String> = site.explained(9, 1).await.iter().map(line).collect();
        expect!["catalog no: update 00000000-0000-0000-0000-000000000009 is not in the catalog of this site [configuration items] -> choose its product and classification (`tierline category list`), then `tierline sync run`; at a child site, see `tierline sync status`"].assert_eq(&lines.join("\n"));
        let request = pb::ExplainUpdateRequest {
            update: update(1).to_string(),
            client: client(9).to_string(),
        };
        let refused = refusal(site.admin().explain_update(request).await);
        expect!["NotFound: there is no client 00000000-0000-0000-0000-000000000009; see `tierline client list`"].assert_eq(&refused);
    });
}

#[test]
fn what_stands_against_an_update_is_named() {
    run(async {
        let site = site().await;
        let newer = Item { supersedes: vec![update(1)], ..item(2) };
        let old = Item { expired: true, expired_at: Some(at(0)), ..item(1) };
        let ruling = Ruling::new(update(1), Verdict::Declined, "ada", at(0));
        site.put(newer).await;
        site.put(old).await;
        site.put(ruling).await;
        site.check(&["ruling", "expiry", "supersedence", "standing"], expect![[r#"
            ruling no: it is declined [ruled by ada at 2026-11-20T10:00:00.000Z] -> `tierline update reinstate` takes that back
            expiry no: expired [since 2026-11-20T10:00:00.000Z] -> deploy what supersedes it
            supersedence yes: superseded by 00000000-0000-0000-0000-000000000002 [configuration items] -> new deployments take the newer one; those that are there keep it until it expires"#]]).await;
    });
}

#[test]
fn what_a_client_said_is_told_with_its_remedy() {
    run(async {
        let site = site().await;
        let lines: Vec<String> = site.explained(1, 2).await.iter().map(line).collect();
        let said =
            lines.iter().filter(|line| line.starts_with("scan") || line.starts_with("state"));
        expect![[r#"
            scan waits: it has reported nothing [no vector] -> `tierline client scan`, and see the agent's own status
            state waits: unknown: no report received [its last report]"#]].assert_eq(&said.cloned().collect::<Vec<_>>().join("\n"));
        let write = async |vector: Vector| {
            site.db.write(move |w| w.write_holding(&holding(vector))).await.expect("written");
        };
        write(Vector { serial: 4, required: Vec::new(), ..vector(0) }).await;
        site.check(&["scan", "state"], expect![[r#"
            scan waits: it has not scanned since the update came [report 4 covers catalog version 0] -> `tierline client scan`
            state waits: unknown: not scanned since the update arrived [its last report]"#]]).await;
        let scan_error = Some("0x8024401C: the server did not answer in time".to_owned());
        write(Vector { serial: 5, scan_error, ..vector(1) }).await;
        site.check(&["scan", "state"], expect![[r#"
            scan no: its last scan failed: 0x8024401C: the server did not answer in time [report 5 covers catalog version 1] -> what the message names; then `tierline client scan`
            state yes: required [its last report]"#]]).await;
        let code = 0x8024_200B_u32.cast_signed();
        let failed = Detail { item: 1, state: EnforcementState::Failed, code, at: at(0) };
        write(Vector { serial: 6, detail: vec![failed], ..vector(1) }).await;
        site.check(&["scan", "state"], expect![[r#"
            scan yes: it has scanned since the update came [report 6 covers catalog version 1]
            state yes: required [failed at 2026-11-20T10:00:00.000Z: 0x8024200B WU_E_UH_INSTALLERFAILURE: the installer failed for one or more updates; read the installer's own log] -> read the installer's own log"#]]).await;
    });
}

#[test]
fn a_deployment_says_whether_and_by_what_it_reaches_the_client() {
    run(async {
        let site = site().await;
        let updates = vec![update(1)];
        site.put(UpdateGroup::plain(object_code(GROUP), "May".to_owned(), updates)).await;
        site.check(&["group", "deployment"], expect![[r#"
            group yes: in PR100001 (May) [its members]
            deployment no: no group of it is deployed [deployments] -> `tierline deployment create`"#]]).await;
        site.put(deployment()).await;
        site.check(&["group", "deployment"], expect![[r#"
            group yes: in PR100001 (May) [its members]
            deployment yes: "May" (required) to SMS00001: reaches the client by its rule for all, and its deadline 2026-11-20T10:00:00.000Z is over [00000000-0000-0000-0000-000000000007: not planned here yet]"#]]).await;
        let request = pb::CreateCollectionRequest {
            name: "Pilots".to_owned(),
            clients: vec![client(2).to_string()],
            ..Default::default()
        };
        let pilots = site.admin().create_collection(request).await.told().code;
        let pilots = object_code(&pilots);
        site.put(Deployment { collection: pilots.clone(), ..deployment() }).await;
        site.check(&["deployment"], expect![[r#"deployment no: "May" (required) to PR100001: the client is not in PR100001: no rule of it names the client [00000000-0000-0000-0000-000000000007: not planned here yet] -> `tierline collection show PR100001`"#]]).await;
        site.put(Deployment { available_at: at(1_000), ..deployment() }).await;
        site.check(&["deployment"], expect![[r#"deployment waits: "May" (required) to SMS00001: reaches the client by its rule for all from 2026-11-20T10:00:01.000Z [00000000-0000-0000-0000-000000000007: not planned here yet]"#]]).await;
        site.put(Deployment { enabled: false, ..deployment() }).await;
        site.check(&["deployment"], expect![[r#"deployment no: "May" (required) to SMS00001: it is disabled [00000000-0000-0000-0000-000000000007: not planned here yet] -> `tierline deployment enable`"#]]).await;
        let all = object_code(model::ALL_SYSTEMS);
        site.put(Deployment { except: vec![all], ..deployment() }).await;
        site.check(&["deployment"], expect![[r#"deployment no: "May" (required) to SMS00001: it leaves out SMS00001, which the client is in [00000000-0000-0000-0000-000000000007: not planned here yet]"#]]).await;
        site.put(deployment()).await;
        let (by, reason) = ("ada".to_owned(), "printers fail".to_owned());
        let hold = Hold { deployment: deployment().id, site: code("PR1"), by, at: at(0), reason };
        site.put(hold).await;
        site.check(&["deployment"], expect![[r#"deployment no: "May" (required) to SMS00001: ada holds it: printers fail [00000000-0000-0000-0000-000000000007: not planned here yet] -> `tierline deployment release`"#]]).await;
    });
}
