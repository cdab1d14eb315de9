//! Computers and their update point when something is late, lost, forged, refused or silent.

use std::time::Duration;

use tokio::time::Instant;
use wsus_protocol::client::{SyncInfo, SyncUpdates};

use super::*;
use crate::tests::computers::session;

const SECOND_MS: i64 = 1_000;

fn needs(client: Uuid, updates: &[u128]) -> ReportingEvent {
    event(client, 156, None, 0, &[&format!("U={}", upper(updates))])
}

/// The cookie of one that has just authorized.
async fn fresh(world: &World, client: Uuid) -> Cookie {
    session(&world.url, client, WireTime::from_millis(NOW_MS * 2), None).await
}

impl World {
    fn now(&self) -> WireTime {
        WireTime::from_millis(self.bench.point.ambient.now_ms())
    }

    /// The catalog version that the computer's last report speaks of, after one that happened then
    /// by its clock, which is `behind_ms` behind.
    async fn covered(&self, agent: &Agent, happened: WireTime, behind_ms: i64) -> u64 {
        let by_its_clock = |at: WireTime| WireTime::from_millis(at.as_millis() - behind_ms);
        let mut event = needs(CLIENT, &[1]);
        event.basic.time = by_its_clock(happened);
        event.basic.instance = Uuid::from_u128(self.bench.point.ambient.random_u64().into());
        let (client_time, events) = (by_its_clock(self.now()), vec![event]);
        let request = ReportEventBatch { cookie: agent.cookie().cloned(), client_time, events };
        let answer: ReportEventBatchResponse = ask(&self.url, &request).await.expect("taken");
        assert!(answer.is_accepted);
        self.settle().await.expect("a pass");
        let standing = self.bench.point.computers.standing(CLIENT).await.expect("reads");
        standing.expect("it has registered").0.covered
    }

    /// A restart after which this is gone from the disk.
    async fn lose(&mut self, name: &str) {
        for suffix in ["", "-wal", "-shm"] {
            let path = self.bench.directory.path().join(format!("{name}{suffix}"));
            if path.exists() {
                std::fs::remove_file(path).expect("removes");
            }
        }
        self.restart().await;
    }

    async fn many(&self, count: u128) -> Vec<Agent> {
        let come = |number: u128| async move {
            let client = Uuid::from_u128(0x1000 + number);
            let mut agent = agent(client, &self.url, &Default::default());
            agent.scan().await.expect("scans");
            agent
        };
        futures_util::future::join_all((0..count).map(come)).await
    }
}

/// Symptom: updates that came since a computer's last report read "not required" at the site. Cause:
/// the first answer of any scan, whole or not, made the next report speak of that catalog, also one
/// of what happened before. Repair: a report speaks of the last whole scan, if it happened after it.
#[tokio::test]
async fn a_late_report_does_not_speak_of_the_scan_after_it() {
    let world = world(vec![update(1, "Anvil")]).await;
    let mut agent = world.agent();
    agent.step().await.expect("an answer");
    assert_eq!(world.covered(&agent, world.now(), 0).await, 0, "it has seen companies only");
    agent.scan().await.expect("scans");
    let first = world.now();
    assert_eq!(world.covered(&agent, first, 0).await, 1);
    world.bench.clock.advance_ms(60 * SECOND_MS);
    complete(&world.bench, &[update(2, "Anvil")], 2).await;
    agent.scan().await.expect("scans");
    assert_eq!(world.covered(&agent, first, 0).await, 1, "it comes late");
    assert_eq!(world.covered(&agent, first, HOUR_MS).await, 1, "its clock helps nothing");
    assert_eq!(world.covered(&agent, world.now(), HOUR_MS).await, 2);

    // A scan for some categories only, and one that is told the rest later, say less.
    world.bench.clock.advance_ms(60 * SECOND_MS);
    complete(&world.bench, &[update(3, "Anvil")], 3).await;
    let category = wsus_protocol::client::CategoryId { id: Uuid::from_u128(9) };
    let parameters =
        wsus_protocol::client::SyncParameters { filter_categories: vec![category], ..agent.held() };
    agent.sync(|_| parameters.clone()).await.expect("an answer");
    assert_eq!(world.covered(&agent, world.now(), 0).await, 2, "it was told of one category");
    let mut next = update(4, "Anvil");
    let any_of = vec![reference_to(1, 1).id];
    next.relations.prerequisites.push(Prerequisite { any_of, is_category: false });
    complete(&world.bench, &[next], 4).await;
    agent.scan().await.expect("scans");
    assert_eq!(world.covered(&agent, world.now(), 0).await, 2, "one update has dependents now");
    agent.scan().await.expect("scans");
    assert_eq!(world.covered(&agent, world.now(), 0).await, 4);
}

/// Symptom: what computers reported was acknowledged and never heard of again. Cause: the ledger
/// counted by numbers of a queue that had been made anew and gave the same numbers again. Repair: it
/// knows the last entry by its digest, too, and gives up only what it has read.
#[tokio::test]
async fn a_queue_that_was_made_anew_loses_nothing() {
    let mut world = world(vec![update(1, "Anvil"), update(2, "Anvil")]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    for number in [1, 2] {
        report(&world, cookie(&agent), vec![needs(CLIENT, &[number])]).await.expect("taken");
    }
    world.settle().await.expect("a pass");
    world.lose("spool/events.db").await;
    let again = fresh(&world, CLIENT).await;
    report(&world, again, vec![needs(CLIENT, &[1, 2])]).await.expect("taken");
    world.settle().await.expect("a pass");
    let said = world.site.script().reports.pop().expect("a report");
    assert_eq!(states(&said), [(1, ComplianceState::Required, None)]);
}

/// Symptom: an update whose deployment was withdrawn stayed to be installed. Cause: what computers
/// had been told was lost with the database, and only what that held was told again. Repair: where
/// nobody knows what computers were told, they are told everything.
#[tokio::test]
async fn who_was_told_by_a_lost_database_is_told_everything_again() {
    let mut world = world(vec![update(1, "Anvil"), update(2, "Anvil")]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    world.deploy(1, vec![assignment(Intent::Required, vec![assigned(1), assigned(2)])]).await;
    agent.scan().await.expect("scans");
    assert_eq!(agent.ids(DeploymentAction::Install).len(), 2);

    world.lose("computers.db").await;
    let mut registered = world.agent();
    registered.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    world.deploy(2, vec![assignment(Intent::Required, vec![assigned(2)])]).await;
    let (cookie, parameters) = (Some(fresh(&world, CLIENT).await), agent.held());
    let info: SyncInfo =
        ask(&world.url, &SyncUpdates { cookie, parameters }).await.expect("an answer");
    let leaves = info.changed.iter().filter(|changed| changed.is_leaf);
    let actions: Vec<_> =
        leaves.filter_map(|changed| Some(changed.deployment.as_ref()?.action)).collect();
    assert_eq!(actions, [DeploymentAction::PreDeploymentCheck, DeploymentAction::Install]);
}

/// Symptom: after a primary site was restored, 150,000 computers were missing for hours. Cause: one
/// report that it did not take ended the pass, and each pass waited longer. Repair: it waits alone.
#[tokio::test]
async fn what_the_site_does_not_take_holds_up_nothing() {
    let world = world(vec![update(1, "Anvil")]).await;
    let count = rpc::limits::REPORTS_MAX + 4;
    let agents = world.many(count as u128).await;
    for (number, agent) in (0..).zip(&agents) {
        let client = Uuid::from_u128(0x1000 + number);
        report(&world, cookie(agent), vec![needs(client, &[1])]).await.expect("taken");
    }
    let first = ClientId(Uuid::from_u128(0x1000));
    world.site.script().outcomes.insert(first, Outcome::SendFull.into());
    assert_eq!(world.settle().await.expect("a pass"), Told::NotAll);
    assert_eq!(world.site.script().reports.len(), count, "each was sent once");
    assert_eq!(world.settle().await.expect("a pass"), Told::Nothing);
    // Of an outcome that nobody knows nothing is concluded.
    world.site.script().outcomes.insert(first, 99);
    world.settle().await.expect_err("an answer that cannot be read");
    world.site.script().outcomes.clear();
    world.site.script().reports.clear();
    assert_eq!(world.settle().await.expect("a pass"), Told::Everything);
    let full: Vec<_> =
        world.site.script().reports.iter().map(|said| (said.client, said.full)).collect();
    assert_eq!(full, [(first, true)]);
}

/// Symptom: reports of a computer stopped for a day. Cause: a site that admitted nobody for a moment
/// counted as one that does not want this computer. Repair: only what it says of the computer does.
#[tokio::test]
async fn only_a_refusal_of_the_computer_is_one() {
    let world = world(vec![update(1, "Anvil")]).await;
    let agents = world.many(2).await;
    assert_eq!(agents.len(), 2);
    let kept = world.bench.point.computers.kept(Uuid::from_u128(0x1000)).await.expect("reads");
    world.site.script().refused = kept.expect("it has registered").incarnation;
    let pass = async |refusal| {
        world.site.script().refusal = refusal;
        let told = world.settle().await.map_err(|error| error.class());
        (told, world.site.script().registrations.len())
    };
    use model::ErrorClass::{Conflict, Denied, Internal, NotFound};
    assert_eq!(pass(Denied).await.0, Err(Denied));
    assert_eq!(pass(NotFound).await.0, Err(NotFound));
    // The other one may have been due, too.
    pass(Internal).await.0.ok();
    assert_eq!(pass(Internal).await.0, Err(Internal), "nothing else was to be said");
    world.bench.clock.advance_ms(25 * HOUR_MS);
    fresh(&world, Uuid::from_u128(0x1001)).await;
    let before = world.site.script().registrations.len();
    assert_eq!(pass(Internal).await, (Ok(Told::NotAll), before + 1), "the other is heard");
    assert_eq!(pass(Conflict).await, (Ok(Told::Everything), before + 1));
    world.site.script().refused = 0;
    assert_eq!(pass(Conflict).await, (Ok(Told::Everything), before + 1), "it is not asked again");
}

/// Symptom: while the site server was in a black hole, each scan waited, the more computers the
/// longer. Cause: each of them found out for itself, a few at a time. Repair: who finds out does so
/// for all, and who waits too long goes on with what is kept here.
#[tokio::test]
async fn a_silent_site_keeps_few_computers_waiting() {
    let world = world_by(Executor::Inline, vec![update(1, "Anvil")]).await;
    let count = crate::computers::limits::QUESTIONS_PARALLEL as u128 + 8;
    world.many(count).await;
    world.settle().await.expect("a pass");
    let point = &world.bench.point;
    let graph = point.catalog.scan_graph().await.expect("reads");
    tokio::time::pause();
    let scan_at_once = async || {
        point.policies.wake(&[]);
        let started = Instant::now();
        let ask = |number| point.audience(Uuid::from_u128(0x1000 + number), &graph);
        let all = futures_util::future::join_all((0..count).map(ask)).await;
        assert!(all.iter().all(Result::is_ok));
        started.elapsed().as_secs()
    };
    world.site.script().is_silent = true;
    assert_eq!(scan_at_once().await, 5);
    assert_eq!(scan_at_once().await, 0, "all know of it");
    world.bench.clock.advance_ms(31 * SECOND_MS);
    let started = Instant::now();
    let one = point.audience(Uuid::from_u128(0x1000), &graph);
    let others = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        scan_at_once().await
    };
    let (one, others) = tokio::join!(one, others);
    assert!(one.is_ok() && others == 0, "one asks for all");
    assert_eq!(started.elapsed().as_secs(), 5);
    // It is back.
    world.site.script().is_silent = false;
    world.bench.clock.advance_ms(31 * SECOND_MS);
    let asked = world.site.script().voices.len();
    scan_at_once().await;
    scan_at_once().await;
    assert!(world.site.script().voices.len() > asked + count as usize);
}

/// Symptom: events of a computer that nobody knows any more were taken and dropped. Cause: nobody
/// looked before saying that they were taken. Repair: it is told to register, and sends them again.
#[tokio::test]
async fn whoever_is_not_registered_shall_register_before_it_reports() {
    let world = world(vec![update(1, "Anvil")]).await;
    let cookie = fresh(&world, CLIENT).await;
    let events = vec![needs(CLIENT, &[1])];
    let refused = report(&world, cookie.clone(), events.clone()).await;
    assert_eq!(refused, Err((ErrorCode::RegistrationRequired, String::new())));
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    assert_eq!(report(&world, cookie, events).await, Ok(true));
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().reports.len(), 1);
    // Who has no cookie names itself in each event.
    let mut nameless = event(CLIENT, 183, Some(1), 0, &[]);
    nameless.basic.target = None;
    let client_time = WireTime::from_millis(NOW_MS);
    let (computer_id, events) = (CLIENT.to_string(), vec![nameless]);
    let request = ReportEventBatch2 { computer_id, client_time, events };
    let _: ReportEventBatch2Response = ask(&world.url, &request).await.expect("an answer");
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().reports.len(), 1);
    let large = "x".repeat(crate::computers::limits::BATCH_BYTES_MAX);
    let events = vec![event(CLIENT, 156, None, 0, &[&large])];
    let refused = report(&world, fresh(&world, CLIENT).await, events).await;
    assert_eq!(refused, Err((ErrorCode::InvalidParameters, "eventBatch".to_owned())));
}

/// Symptom: a computer fetched the installer of another update. Cause: files of which documents give
/// no SHA-256 were found by name and size, and every second installer is called setup.exe. Repair:
/// the assigned update has to have that very file.
#[tokio::test]
async fn files_of_one_name_and_size_are_told_apart() {
    let setup = |number: u8| ItemFile {
        name: "setup.exe".to_owned(),
        size: 3,
        sha1: Sha1([number; 20]),
        sha256: None,
    };
    let with = |number: u8| {
        let mut with = update(number.into(), "Anvil");
        with.files = vec![setup(number)];
        with
    };
    let world = world(vec![with(1), with(2), with(3)]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    let assigned = |number: u8| {
        let (name, sha256) = ("setup.exe".to_owned(), Sha256([number; 32]));
        let files = vec![AssignedFile { name, size: 3, sha256 }];
        AssignedUpdate { files, ..assigned(number.into()) }
    };
    world.deploy(1, vec![assignment(Intent::Required, vec![assigned(1), assigned(2)])]).await;
    agent.scan().await.expect("scans");
    let http_url = "http://near:7443".to_owned();
    world.site.script().points =
        vec![rpc::pb::management::Point { http_url, ..Default::default() }];
    let sha1 = vec![[1; 20], [2; 20], [3; 20]];
    let request = GetFileLocations { cookie: agent.cookie().cloned(), sha1 };
    let found: FileLocations = ask(&world.url, &request).await.expect("locations");
    let urls: Vec<_> = found.locations.into_iter().map(|location| location.url).collect();
    let near = |number: u8| format!("http://near:7443/content/sha256/{}", Sha256([number; 32]));
    let here = format!("{}/Content/03/{}.exe", world.url, "03".repeat(20));
    assert_eq!(urls, [near(1), near(2), here]);
}

/// Symptom: a deployment was taken away from all computers that had it. Cause: its part had been
/// lost, and what was left was told. Repair: without all parts nothing is decided.
#[tokio::test]
async fn nothing_is_decided_by_half_of_the_policy() {
    let world = world(vec![update(1, "Anvil")]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    world.deploy(1, vec![assignment(Intent::Required, vec![assigned(1)])]).await;
    agent.scan().await.expect("scans");
    world.bench.point.computers.lose_parts().await;
    complete(&world.bench, &[update(2, "Anvil")], 2).await;
    world.site.script().is_away = true;
    agent.scan().await.expect_err("is put off");
    world.site.script().is_away = false;
    world.bench.clock.advance_ms(31 * SECOND_MS);
    let info = agent.step().await.expect("an answer");
    assert_eq!((info.changed.len(), info.new.len()), (0, 1), "nothing was taken away");
    assert_eq!(agent.ids(DeploymentAction::Install).len(), 1);
}

/// Symptom: nobody knew of Windows computers' events that waited or could not be read. Repair: the
/// site is told of both.
#[tokio::test]
async fn the_site_knows_what_waits_and_what_was_set_aside() {
    let world = world(vec![update(1, "Anvil")]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().backlogs, [(0, 0)]);
    let garbage = vec![vec![0xff]];
    world.bench.point.intake.spool.append(garbage).await.expect("there is room");
    agent.report().await.expect("reports");
    // What it asks for again waits.
    world.site.script().outcome = Outcome::SendFull;
    world.settle().await.expect("a pass");
    world.site.script().outcome = Outcome::Applied;
    for _ in 0..2 {
        world.settle().await.expect("a pass");
    }
    assert_eq!(world.site.script().backlogs, [(0, 0), (0, 1), (1, 1), (0, 1)]);
}
