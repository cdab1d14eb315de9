//! Phased deployments: what is refused, shown before, changed, paused and deleted.

use compliance::Board;
use expect_test::expect;
use model::{Group, Item, ObjectCode, Origin, UpdateGroup, UpdateId, Vector};
use site_db::Own;
use testkit::objects::{self, item};

use super::*;

fn update(number: u128) -> String {
    UpdateId(uuid::Uuid::from_u128(number)).to_string()
}

fn object(text: &str) -> ObjectCode {
    ObjectCode::new(text).expect("a code")
}

fn client(number: u128) -> ClientId {
    ClientId(uuid::Uuid::from_u128(number))
}

/// Client `number`, which has update 1 or requires it.
fn vector(number: u128, has_it: bool) -> Vector {
    let (required, installed) = if has_it { (vec![], vec![1]) } else { (vec![1], vec![]) };
    Vector {
        client: client(number),
        incarnation: 1,
        serial: 1,
        covered: 1,
        scanned_at: at(0),
        scan_error: None,
        gap: false,
        required,
        installed,
        unjudged: Vec::new(),
        deployments: Vec::new(),
        scan: None,
        detail: Vec::new(),
    }
}

/// A stand-alone primary with updates 1, 2 and the expired 3, clients 7, 8 and 9, collection
/// PR100001 of client 8, and update group PR100001 of update 1.
async fn site() -> Site {
    let site = Site::top("PR1", SiteKind::Primary).await;
    let written = site.db.write(|w| {
        let items = [1, 2, 3].map(|n| Own::put(&Item { expired: n == 3, ..item(n) }));
        w.write_own(Group::Catalog, items.to_vec())?;
        let clients = [7, 8, 9].map(|number| Own::put(&objects::client(number, "PR1")));
        w.write_own(Group::Clients, clients.to_vec())
    });
    written.await.expect("written");
    let request = pb::CreateCollectionRequest {
        name: "Pilots".to_owned(),
        clients: vec![client(8).to_string()],
        ..Default::default()
    };
    site.admin().create_collection(request).await.told();
    let request = pb::CreateGroupRequest {
        name: "May".to_owned(),
        updates: vec![update(1)],
        ..Default::default()
    };
    site.admin().create_group(request).await.told();
    site
}

fn order(collection: &str) -> pb::PhaseOrder {
    pb::PhaseOrder { collection: collection.to_owned(), ..Default::default() }
}

fn may() -> pb::CreatePhasedRequest {
    pb::CreatePhasedRequest {
        name: "May".to_owned(),
        group: "PR100001".to_owned(),
        phases: vec![order("PR100001"), order("SMS00001")],
        ..Default::default()
    }
}

/// It with another second phase.
fn second(phase: pb::PhaseOrder) -> pb::CreatePhasedRequest {
    pb::CreatePhasedRequest { phases: vec![order("PR100001"), phase], ..may() }
}

impl Site {
    async fn phased(&self, request: pb::CreatePhasedRequest) -> pb::CreatePhasedResponse {
        self.admin().create_phased(request).await.told()
    }

    async fn shown(&self, code: &str) -> pb::GetPhasedResponse {
        let request = pb::GetPhasedRequest { code: code.to_owned() };
        self.admin().get_phased(request).await.told()
    }
}

fn line(phase: &pb::Phase) -> String {
    let pb::Phase {
        number, name, collection, state, success, next, gradual_days, deadline, ..
    } = phase;
    let earliest =
        phase.earliest.map(|time| rpc::convert::read_time(time).expect("a time").0 - NOW_MS);
    let earliest = earliest.map(|ms| format!("in {} h", ms / 3_600_000));
    let counts = [phase.targeted, phase.compliant, phase.failed];
    format!(
        "{number} {name} of {collection}: {state}, {success}, {next}, over {gradual_days}, \
         {deadline}, {}, {counts:?}\n",
        earliest.as_deref().unwrap_or("-"),
    )
}

fn lines(phases: &[pb::Phase]) -> String {
    phases.iter().map(line).collect()
}

/// How each of these is refused.
async fn refusals(site: &Site, requests: Vec<pb::CreatePhasedRequest>) -> String {
    let mut refused = String::new();
    for request in requests {
        refused.push_str(&refusal(site.admin().create_phased(request).await));
        refused.push('\n');
    }
    refused
}

#[test]
fn phases_out_of_range_are_refused() {
    run(async {
        let site = site().await;
        let many = (1..=13).map(|_| order("PR100001")).collect();
        let all = || order("SMS00001");
        let requests = vec![
            pb::CreatePhasedRequest { phases: vec![order("PR100001")], ..may() },
            pb::CreatePhasedRequest { phases: many, ..may() },
            second(order("PR100009")),
            second(order("PR100001")),
            second(pb::PhaseOrder { name: "x".repeat(41), ..all() }),
            second(pb::PhaseOrder { success_percent: Some(0), ..all() }),
            second(pb::PhaseOrder { success_percent: Some(101), ..all() }),
            second(pb::PhaseOrder { success_count: Some(0), ..all() }),
            second(pb::PhaseOrder { success_count: Some(5), success_percent: Some(5), ..all() }),
            second(pb::PhaseOrder { gradual_days: 31, ..all() }),
            second(pb::PhaseOrder { after_days: Some(366), ..all() }),
            second(pb::PhaseOrder { after_days: Some(1), manual: true, ..all() }),
            second(pb::PhaseOrder { deadline_days: Some(366), ..all() }),
            pb::CreatePhasedRequest { pause_above: Some(101), ..may() },
            pb::CreatePhasedRequest { template: "PR100009".to_owned(), ..may() },
        ];
        expect![[r#"
            InvalidArgument: phases: are 1; a phased deployment has 2 to 12
            InvalidArgument: phases: are 13; a phased deployment has 2 to 12
            NotFound: there is no collection PR100009; see `tierline collection list`
            InvalidArgument: phases: phase 2 is for PR100001, which phase 1 is for already: nobody would be left
            InvalidArgument: phases.name: has 41 characters; at most 40 are possible
            InvalidArgument: phases.success_percent: is 0; 1 to 100 are possible
            InvalidArgument: phases.success_percent: is 101; 1 to 100 are possible
            InvalidArgument: phases.success_count: is 0; at least one computer has to comply
            InvalidArgument: phases.success_percent: stands beside success_count; name one of them
            InvalidArgument: phases.gradual_days: is 31; 0 to 30 are possible
            InvalidArgument: phases.after_days: is 366; 0 to 365 are possible
            InvalidArgument: phases.after_days: stands beside a next phase that is started by hand; leave one out
            InvalidArgument: phases.deadline_days: is 366; 0 to 365 are possible
            InvalidArgument: pause_above: is 101; 0 to 100 are possible
            NotFound: there is no rule PR100009; see `tierline rule list`
        "#]]
        .assert_eq(&refusals(&site, requests).await);
        let rows = site.admin().list_phased(pb::ListPhasedRequest {}).await.told().rows;
        assert_eq!(rows, [], "nothing is left of what was refused");
    });
}

#[test]
fn what_cannot_be_carried_out_is_refused() {
    run(async {
        let site = site().await;
        site.phased(may()).await;
        let group = |code: &str, update, origin| UpdateGroup {
            origin,
            ..UpdateGroup::plain(object(code), code.to_owned(), update)
        };
        let (one, expired) = (vec![item(1).update.id], vec![item(3).update.id]);
        let groups = [
            group("PR100050", one.clone(), Origin::Rule(object("PR100077"))),
            group("PR100051", expired, Origin::Hand),
            group("PR100052", one, Origin::Approval),
            group("PR100053", Vec::new(), Origin::Hand),
        ];
        let groups = groups.iter().map(Own::put).collect();
        site.db.write(move |w| w.write_own(Group::Control, groups)).await.expect("written");
        let of_group = |code: &str| {
            let (group, name) = (code.to_owned(), "June".to_owned());
            pb::CreatePhasedRequest { group, name, ..may() }
        };
        let requests = vec![
            may(),
            pb::CreatePhasedRequest { name: "x".repeat(201), ..may() },
            pb::CreatePhasedRequest { name: String::new(), ..may() },
            pb::CreatePhasedRequest { description: "x".repeat(257), ..may() },
            of_group("PR100009"),
            of_group("PR100050"),
            of_group("PR100051"),
            of_group("PR100052"),
            of_group("PR100053"),
        ];
        expect![[r#"
            AlreadyExists: there is a phased deployment "May" already; see `tierline phased list`
            InvalidArgument: name: has 201 characters; at most 200 are possible
            InvalidArgument: name: is empty
            InvalidArgument: description: has 257 characters; at most 256 are possible
            NotFound: there is no update group PR100009; see `tierline group list`
            AlreadyExists: update group PR100050 is filled by rule PR100077, whose runs exchange its updates; make a group of its own for phases
            AlreadyExists: these updates cannot be deployed: 00000000-0000-0000-0000-000000000003 (expired); take them out first: `tierline group remove PR100051 ID...`
            AlreadyExists: update group PR100052 is kept by approvals; change those with `tierline approval`
            InvalidArgument: group: PR100053 is empty; add updates first
        "#]].assert_eq(&refusals(&site, requests).await);
        let delete = pb::DeleteGroupRequest { code: "PR100001".to_owned() };
        let in_use = refusal(site.admin().delete_group(delete).await);
        expect!["AlreadyExists: update group PR100001 is used by phased deployment PR100001; delete that first: `tierline phased delete`"].assert_eq(&in_use);
    });
}

/// The other way round, a rule's group is refused above.
#[test]
fn a_rule_does_not_fill_the_group_of_phases() {
    run(async {
        let site = site().await;
        site.phased(may()).await;
        let blank = deployment::blank_rule(object("PR100060"), object("PR100001"));
        let rule = model::Rule { group: Some(object("PR100001")), ..blank };
        site.db.write(move |w| w.put_own(&rule)).await.expect("written");
        let order = pb::RuleOrder { description: Some("May".to_owned()), ..Default::default() };
        let change = pb::ChangeRuleRequest { code: "PR100060".to_owned(), order: Some(order) };
        expect!["InvalidArgument: name: is empty"]
            .assert_eq(&refusal(site.admin().change_rule(change).await));
    });
}

#[test]
fn what_is_shown_before_is_what_is_made() {
    run(async {
        let site = site().await;
        let request = pb::CreatePhasedRequest {
            phases: vec![
                pb::PhaseOrder {
                    name: "Pilots".to_owned(),
                    after_days: Some(2),
                    ..order("PR100001")
                },
                pb::PhaseOrder {
                    success_count: Some(1),
                    gradual_days: 5,
                    deadline_days: Some(0),
                    ..order("SMS00001")
                },
            ],
            ..may()
        };
        let preview = pb::CreatePhasedRequest { preview: true, ..request.clone() };
        let warming = site.phased(preview.clone()).await;
        assert_eq!(warming.phases[0].targeted, None, "the board is not there yet");
        let vectors = [vector(7, false), vector(8, true)];
        site.board.replace(Board::rebuild([client(7), client(8), client(9)], vectors));
        let shown = site.phased(preview).await;
        expect![[r#"
            1 Pilots of PR100001: waiting, 95 %, after 2 days, over 0, 7 days, in 0 h, [Some(1), Some(1), Some(0)]
            2 Phase 2 of SMS00001: waiting, 1 computers, after 1 days, over 5, asap, in 48 h, [Some(2), Some(0), Some(0)]
        "#]].assert_eq(&lines(&shown.phases));
        assert_eq!(shown.code, "");
        let rows = site.admin().list_phased(pb::ListPhasedRequest {}).await.told().rows;
        assert_eq!(rows, []);
        let made = site.phased(request).await;
        assert_eq!((made.code.as_str(), &made.phases), ("PR100001", &shown.phases));
        let now = site.shown("PR100001").await;
        assert_eq!(now.phases, shown.phases);
        let row = now.row.expect("a row");
        assert_eq!((row.state.as_str(), row.phase, row.phases), ("running", 0, 2));
    });
}

#[test]
fn a_phase_is_started_by_hand_with_a_warning() {
    run(async {
        let site = site().await;
        let code = site.phased(may()).await.code;
        let next = pb::StartNextPhaseRequest { code: code.clone() };
        let first = site.admin().start_next_phase(next.clone()).await.told();
        assert_eq!((first.number, first.warning.as_str()), (1, ""));
        site.board.replace(Board::rebuild([client(7), client(8), client(9)], [vector(8, false)]));
        let change = pb::ChangePhasedRequest {
            code: code.clone(),
            phases: vec![pb::PhaseOrder { manual: true, ..order("SMS00001") }, order("SMS00002")],
            ..Default::default()
        };
        let changed = site.admin().change_phased(change).await.told();
        expect![[r#"
            1 Phase 1 of PR100001: running, 95 %, after 1 days, over 0, 7 days, -, [Some(1), Some(0), Some(0)]
            2 Phase 2 of SMS00001: waiting, 95 %, manually, over 0, 7 days, in 24 h, [Some(2), Some(0), Some(0)]
            3 Phase 3 of SMS00002: waiting, 95 %, after 1 days, over 0, 7 days, -, [Some(0), Some(0), Some(0)]
        "#]].assert_eq(&lines(&changed.phases));
        let second = site.admin().start_next_phase(next.clone()).await.told();
        expect!["phase 1 has not succeeded: 0 of 1 comply, 95 % is needed"]
            .assert_eq(&second.warning);
        let shown = site.shown(&code).await;
        let states: Vec<_> = shown.phases.iter().map(|phase| phase.state.as_str()).collect();
        assert_eq!(states, ["passed", "running", "waiting"]);
        let all = pb::ListDeploymentsRequest { all: true };
        let deployments = site.admin().list_deployments(all).await.told().rows;
        let mut made: Vec<_> =
            deployments.iter().map(|row| (row.name.as_str(), row.collection.as_str())).collect();
        made.sort_unstable();
        assert_eq!(
            made,
            [("May (phase 1: Phase 1)", "PR100001"), ("May (phase 2: Phase 2)", "SMS00001")]
        );
        let all = pb::ListStatusMessagesRequest { limit: 100, ..Default::default() };
        let messages = site.admin().list_status_messages(all).await.told().rows;
        assert_eq!(messages.iter().filter(|message| message.id == 60_143).count(), 2);
        // What started is over: only what comes can be changed.
        site.admin().start_next_phase(next.clone()).await.told();
        let over = refusal(site.admin().start_next_phase(next).await);
        expect!["AlreadyExists: phased deployment PR100001 is in its last phase and cannot be started further; see `tierline phased show`"].assert_eq(&over);
    });
}

#[test]
fn a_template_lends_its_options() {
    run(async {
        let site = site().await;
        let blank = deployment::blank_deployment(object("PR100001"));
        let experience = model::Experience { suppress_restart_servers: true, ..blank.experience };
        let lent = model::RuleDeployment { experience, wakes: true, ..blank };
        let rule = deployment::blank_rule(object("PR100060"), object("PR100001"));
        let rule = model::Rule { deployments: vec![lent], ..rule };
        site.db.write(move |w| w.put_own(&rule)).await.expect("written");
        let request = pb::CreatePhasedRequest { template: "PR100060".to_owned(), ..may() };
        let code = site.phased(request).await.code;
        let next = pb::StartNextPhaseRequest { code };
        let id = site.admin().start_next_phase(next).await.told().deployment;
        let id = id.parse::<model::DeploymentId>().expect("an id");
        let read = site.db.read(move |r| r.require::<model::Deployment>(id.as_bytes()));
        let made = read.await.expect("it is there");
        assert_eq!((made.experience, made.wakes), (experience, true));
        let origin = Origin::Phase { plan: object("PR100001"), number: 1 };
        assert_eq!((made.origin, made.collection), (origin, object("PR100001")));
    });
}

#[test]
fn a_pause_stops_it_and_a_delete_keeps_what_was_made() {
    run(async {
        let site = site().await;
        let gradual = pb::PhaseOrder { gradual_days: 10, ..order("PR100001") };
        let request = pb::CreatePhasedRequest { phases: vec![gradual, order("SMS00001")], ..may() };
        let code = site.phased(request).await.code;
        let next = pb::StartNextPhaseRequest { code: code.clone() };
        let id = site.admin().start_next_phase(next.clone()).await.told().deployment;
        let pause = pb::PausePhasedRequest { code: code.clone(), reason: "printers".to_owned() };
        let resume = pb::ResumePhasedRequest { code: code.clone() };
        let mut refused = vec![refusal(site.admin().resume_phased(resume.clone()).await)];
        let row = site.admin().pause_phased(pause.clone()).await.told().row.expect("a row");
        assert_eq!((row.state.as_str(), row.reason.contains("printers")), ("paused", true));
        refused.push(refusal(site.admin().pause_phased(pause).await));
        refused.push(refusal(site.admin().start_next_phase(next).await));
        expect![[r#"
            AlreadyExists: phased deployment PR100001 is running and cannot be resumed; see `tierline phased show`
            AlreadyExists: phased deployment PR100001 is paused and cannot be paused; see `tierline phased show`
            AlreadyExists: phased deployment PR100001 is paused and cannot be started further; see `tierline phased show`"#]].assert_eq(&refused.join("\n"));
        let rollout = async || {
            let id = id.parse::<model::DeploymentId>().expect("an id");
            let read = site.db.read(move |r| r.require::<model::Deployment>(id.as_bytes()));
            read.await.expect("it is there").rollout.expect("gradual")
        };
        assert_eq!(rollout().await.stopped_at, Some(at(0)));
        site.clock.advance_ms(3_600_000);
        let row = site.admin().resume_phased(resume).await.told().row.expect("a row");
        assert_eq!((row.state.as_str(), row.reason.as_str()), ("running", ""));
        let resumed = rollout().await;
        assert_eq!((resumed.from, resumed.stopped_at), (Timestamp(NOW_MS + 3_600_000), None));
        // Whoever deletes a paused one leaves nothing behind that never grows again.
        let pause = pb::PausePhasedRequest { code: code.clone(), reason: String::new() };
        site.admin().pause_phased(pause).await.told();
        assert_eq!(rollout().await.stopped_at, Some(at(3_600_000)));
        let delete = pb::DeletePhasedRequest { code: code.clone(), deployments: false };
        let kept = site.admin().delete_phased(delete.clone()).await.told().kept;
        assert_eq!(kept, std::slice::from_ref(&id));
        assert_eq!(rollout().await.stopped_at, None);
        let gone = refusal(site.admin().delete_phased(delete).await);
        expect!["NotFound: there is no phased deployment PR100001; see `tierline phased list`"]
            .assert_eq(&gone);
    });
}

#[test]
fn too_many_failures_are_not_resumed_over() {
    run(async {
        let site = site().await;
        let request = pb::CreatePhasedRequest { pause_above: Some(0), ..may() };
        let code = site.phased(request).await.code;
        let next = pb::StartNextPhaseRequest { code: code.clone() };
        site.admin().start_next_phase(next).await.told();
        let failed =
            model::Detail { item: 1, state: model::EnforcementState::Failed, code: 5, at: at(0) };
        let vector = Vector { detail: vec![failed], ..vector(8, false) };
        site.board.replace(Board::rebuild([client(8)], [vector]));
        let pause = pb::PausePhasedRequest { code: code.clone(), reason: String::new() };
        site.admin().pause_phased(pause).await.told();
        let resume = pb::ResumePhasedRequest { code: code.clone() };
        let refused = refusal(site.admin().resume_phased(resume.clone()).await);
        expect!["AlreadyExists: phased deployment PR100001 would pause again at once: phase 1: 1 of 1 computers failed, above 0 %; raise the limit first: `tierline phased change PR100001 --pause-above PERCENT`"].assert_eq(&refused);
        let change = pb::ChangePhasedRequest { code, pause_above: Some(100), ..Default::default() };
        site.admin().change_phased(change).await.told();
        site.admin().resume_phased(resume).await.told();
    });
}
