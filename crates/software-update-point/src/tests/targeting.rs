//! Computers, their update point and a site that does what a test says: what is deployed reaches
//! them, and what they report reaches it.

use model::{
    AssignedFile, AssignedUpdate, Assignment, ClientId, ClientKind, ComplianceState, DeploymentId,
    EnforcementState, HierarchyId, Intent, PeerIdentity, PeerKind, PolicyHead, RoleKind,
    StateReport, Timestamp, state_digest,
};
use rpc::convert::{Part, encode_part};
use rpc::pb::management::Outcome;
use sha2::Digest as _;
use testkit::management::FakeSite;
use testkit::windows::Agent;
use wsus_protocol::client::{DeploymentAction, FileLocations, GetFileLocations};
use wsus_protocol::reporting::*;
use wsus_protocol::{Cookie, ErrorCode, WireTime};

use super::computers::{CLIENT, agent, ask, complete, cookie};
use super::*;
use crate::computers::policies::{self, Management};
use crate::computers::registrar::Told;

mod counting;
mod duress;

const HOUR_MS: i64 = 60 * 60 * 1_000;
const DEADLINE: Timestamp = Timestamp(NOW_MS + 240 * HOUR_MS);

struct World {
    bench: Bench,
    site: FakeSite,
    url: String,
    tasks: JoinSet<()>,
}

fn site_code() -> model::SiteCode {
    model::SiteCode::new("PR1").expect("a site code")
}

/// An update point of PR1 whose catalog holds these updates, and `sample_categories`.
async fn world(updates: Vec<Document>) -> World {
    world_by(Executor::Thread, updates).await
}

async fn world_by(executor: Executor, updates: Vec<Document>) -> World {
    let kind = PeerKind::Role(RoleKind::SoftwareUpdatePoint);
    let (hierarchy, id) = (HierarchyId(Uuid::from_u128(7)), "sup".to_owned());
    let site = FakeSite::start(PeerIdentity { hierarchy, site: site_code(), kind, id });
    let link = Site { code: site_code(), connection: site.connection() };
    let bench = Bench::configured(Some(link), |config| config.executor = executor).await;
    let mut documents = sample_categories();
    documents.extend(updates);
    documents.iter_mut().for_each(|d| d.rules.is_installed = Some(update_metadata::Rule::True));
    complete(&bench, &documents, 1).await;
    let (url, tasks) = bench.serve().await;
    World { bench, site, url, tasks }
}

fn assigned(number: u128) -> AssignedUpdate {
    let (update, document) = (reference_to(number, 1), Sha256([0; 32]));
    AssignedUpdate { update, document, files: Vec::new(), max_run_minutes: 60 }
}

fn assignment(intent: Intent, updates: Vec<AssignedUpdate>) -> Assignment {
    Assignment {
        deployment: DeploymentId(Uuid::from_u128(0xd)),
        name: "a deployment".to_owned(),
        intent,
        available_at: Timestamp(NOW_MS - HOUR_MS),
        deadline: (intent == Intent::Required).then_some(DEADLINE),
        basis: model::TimeBasis::Utc,
        experience: model::Experience::default(),
        download: model::Download::default(),
        detail: model::DetailLevel::All,
        wakes: false,
        spread_minutes: 0,
        updates,
    }
}

impl World {
    fn agent(&self) -> Agent {
        agent(CLIENT, &self.url, &Default::default())
    }

    fn management(&self) -> Management {
        Management::new(self.site.connection().channel())
    }

    /// As after a kill: what is on the disk is all that is known.
    async fn restart(&mut self) {
        self.tasks.shutdown().await;
        let (clock, config) = (self.bench.clock.clone(), self.bench.point.config.clone());
        let ambient = Ambient::new(clock, Arc::new(SystemEntropy));
        let site = Site { code: site_code(), connection: self.site.connection() };
        let connect = Arc::new(TcpConnect);
        let deps = Deps { ambient, connect, credentials: None, site: Some(site) };
        self.bench.role = SoftwareUpdatePoint::new(config, deps).await.expect("opens");
        self.bench.point = self.bench.role.point.clone();
        (self.url, self.tasks) = self.bench.serve().await;
    }

    /// One pass of everything that goes on behind the answers.
    async fn settle(&self) -> Result<Told, Error> {
        self.bench.point.fold_events().await?;
        self.bench.point.tell_site(site_code(), &self.management()).await
    }

    /// The site plans this for the computer, and says so.
    async fn deploy(&self, version: u64, assignments: Vec<Assignment>) {
        let kept = self.bench.point.computers.kept(CLIENT).await.expect("reads");
        let incarnation = kept.expect("it has registered").incarnation;
        let parts: Vec<Vec<u8>> =
            assignments.into_iter().map(|part| encode_part(&Part::Assignment(part))).collect();
        let digest = |bytes: &Vec<u8>| Sha256(sha2::Sha256::digest(bytes).into());
        let head = PolicyHead {
            hierarchy: HierarchyId(Uuid::from_u128(7)),
            site: site_code(),
            client: ClientId(CLIENT),
            incarnation,
            version,
            signed_at: Timestamp(NOW_MS),
            expires: Timestamp(NOW_MS + HOUR_MS),
            parts: parts.iter().map(digest).collect(),
        };
        let mut script = self.site.script();
        (script.head, script.parts) = (Some(head), parts);
        drop(script);
        self.bench.point.policies.wake(&[CLIENT]);
    }

    /// What the computer knows of an update: action, whether by itself, deadline, date.
    fn told(&self, agent: &Agent, number: u128) -> (DeploymentAction, bool, Option<i64>, String) {
        let is_it =
            |known: &&testkit::windows::Known| known.update.update_id == Uuid::from_u128(number);
        let deployment = &agent.known().values().find(is_it).expect("it knows it").deployment;
        let deadline = deployment.deadline.map(WireTime::as_millis);
        (deployment.action, deployment.is_assigned, deadline, deployment.last_change.clone())
    }
}

fn required(date: &str) -> (DeploymentAction, bool, Option<i64>, String) {
    (DeploymentAction::Install, true, Some(DEADLINE.0), date.to_owned())
}

fn undeployed(date: &str) -> (DeploymentAction, bool, Option<i64>, String) {
    (DeploymentAction::PreDeploymentCheck, true, None, date.to_owned())
}

#[tokio::test]
async fn a_deployment_reaches_a_computer_that_knows_its_updates() {
    let world = world(vec![update(1, "Anvil"), update(2, "Anvil"), update(3, "Anvil")]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    assert_eq!(world.told(&agent, 1), undeployed("2026-11-21"));
    assert_eq!(world.settle().await.expect("a pass"), Told::Everything);
    let registered = world.site.script().registrations.clone();
    let [record] = registered.as_slice() else { panic!("{registered:?}") };
    assert_eq!((record.id, record.kind), (ClientId(CLIENT), ClientKind::Windows));
    assert_eq!((record.name.as_str(), record.site), ("pc1.example.com", site_code()));
    assert!(record.os.starts_with("windows 10.0."), "{}", record.os);
    assert_eq!(record.address.map(|address| address.is_loopback()), Some(true));

    let both = |one, other| {
        let other = Assignment { deployment: DeploymentId(Uuid::from_u128(0xe)), ..other };
        vec![one, other]
    };
    let install = assignment(Intent::Required, vec![assigned(1)]);
    let offer = assignment(Intent::Available, vec![assigned(2)]);
    world.deploy(1, both(install.clone(), offer)).await;
    world.bench.clock.advance_ms(HOUR_MS * 72);
    let scan = agent.scan().await.expect("scans");
    assert_eq!(world.told(&agent, 1), required("2026-11-23"));
    let optional = (DeploymentAction::OptionalInstall, false, None, "2026-11-23".to_owned());
    assert_eq!(world.told(&agent, 2), optional);
    assert_eq!(world.told(&agent, 3), undeployed("2026-11-21"));
    assert!(scan.requests > 1, "its cookie had run out: {scan:?}");
    let rescan = agent.scan().await.expect("scans");
    assert_eq!((rescan.requests, rescan.steps), (1, 1));
    assert!(rescan.received < 1_024, "{rescan:?}");

    // Another wording of the same is no news; taking something back is.
    let renamed = Assignment { name: "another".to_owned(), ..install };
    world.deploy(2, vec![renamed]).await;
    let info = agent.step().await.expect("an answer");
    let changed: Vec<_> = info.changed.iter().map(|changed| changed.id).collect();
    let knows = |number| {
        let mut known = agent.known().iter();
        *known.find(|(_, k)| k.update.update_id == Uuid::from_u128(number)).expect("known").0
    };
    assert_eq!((changed, info.is_truncated), (vec![knows(2)], false));
    assert_eq!(world.told(&agent, 2), undeployed("2026-11-23"));
    assert_eq!(agent.step().await.expect("an answer").changed.len(), 0);

    // What is here goes on without the site.
    world.site.script().is_away = true;
    world.bench.point.policies.wake(&[]);
    agent.scan().await.expect("scans");
    assert_eq!(world.told(&agent, 1), required("2026-11-23"));
}

#[tokio::test]
async fn who_forgot_what_it_was_told_is_told_again() {
    let world = world((1..=3).map(|number| update(number, "Anvil")).collect()).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    world.deploy(1, vec![assignment(Intent::Required, vec![assigned(1), assigned(2)])]).await;
    agent.scan().await.expect("scans");
    world.deploy(2, vec![assignment(Intent::Required, vec![assigned(2)])]).await;
    // A cookie of which nothing is known, as after a restart of the server.
    let last_change = WireTime::from_millis(NOW_MS * 2);
    let fresh = super::computers::session(&world.url, CLIENT, last_change, None).await;
    agent.replace_cookie(fresh);
    let info = agent.step().await.expect("an answer");
    let leaves = info.changed.iter().filter(|changed| changed.is_leaf);
    assert_eq!(leaves.count(), 2, "whatever was ever deployed, but nothing else");
    let (first, second) = (world.told(&agent, 1), world.told(&agent, 2));
    assert_eq!(
        (first.0, second.0),
        (DeploymentAction::PreDeploymentCheck, DeploymentAction::Install)
    );
    assert_eq!(agent.step().await.expect("an answer").changed.len(), 0);
}

#[tokio::test]
async fn many_changed_decisions_are_told_in_steps() {
    let count = u128::try_from(crate::computers::limits::DECISIONS_MAX).expect("is small") + 10;
    let world = world((1..=count).map(|number| update(number, "Anvil")).collect()).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    let all = (1..=count).map(assigned).collect();
    world.deploy(1, vec![assignment(Intent::Required, all)]).await;
    let first = agent.step().await.expect("an answer");
    assert_eq!((first.changed.len(), first.is_truncated), (1_000, true));
    let second = agent.step().await.expect("an answer");
    assert_eq!((second.changed.len(), second.is_truncated), (10, false));
    assert_eq!(agent.step().await.expect("an answer").changed.len(), 0);
    assert_eq!(agent.ids(DeploymentAction::Install).len(), 1_010);
}

#[tokio::test]
async fn what_nobody_has_the_files_of_waits() {
    let file = |number: u8| ItemFile {
        name: format!("{number}.cab"),
        size: 3,
        sha1: Sha1([number; 20]),
        sha256: Some(Sha256([number; 32])),
    };
    let (mut one, mut member, mut bundle) =
        (update(1, "Anvil"), update(2, "Anvil"), update(3, "Anvil"));
    one.files.push(file(1));
    member.files.push(file(2));
    member.properties.is_explicitly_deployable = false;
    bundle.relations.bundled = vec![vec![member.update]];
    let world = world(vec![one, member, bundle]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    let with = |number: u128, has: u8| AssignedUpdate {
        files: vec![AssignedFile {
            name: format!("{has}.cab"),
            size: 3,
            sha256: Sha256([has; 32]),
        }],
        ..assigned(number)
    };
    world.deploy(1, vec![assignment(Intent::Required, (1..=3).map(assigned).collect())]).await;
    agent.scan().await.expect("scans");
    assert_eq!(agent.ids(DeploymentAction::Install).len(), 0);
    let partly = vec![with(1, 1), assigned(2), assigned(3)];
    world.deploy(2, vec![assignment(Intent::Required, partly)]).await;
    agent.scan().await.expect("scans");
    assert_eq!(agent.ids(DeploymentAction::Install).len(), 1);
    let whole = vec![with(1, 1), with(2, 2), assigned(3)];
    world.deploy(3, vec![assignment(Intent::Required, whole)]).await;
    agent.scan().await.expect("scans");
    assert_eq!(world.told(&agent, 3).0, DeploymentAction::Install);
    assert_eq!(world.told(&agent, 2).0, DeploymentAction::Bundle, "only as part of the bundle");
}

#[tokio::test]
async fn files_come_from_the_best_distribution_point() {
    let digest = |number: u8| Sha256([number; 32]);
    let file = |number: u8, sha256| ItemFile {
        name: format!("{number}.cab"),
        size: 3,
        sha1: Sha1([number; 20]),
        sha256,
    };
    let mut owner = update(1, "Anvil");
    owner.files = vec![file(1, Some(digest(1))), file(2, None)];
    let world = world(vec![owner]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    // The document does not say what the second one is by SHA-256; the package does.
    let names =
        [1, 2].map(|n| AssignedFile { name: format!("{n}.cab"), size: 3, sha256: digest(n) });
    let assigned = AssignedUpdate { files: names.to_vec(), ..assigned(1) };
    world.deploy(1, vec![assignment(Intent::Required, vec![assigned])]).await;
    agent.scan().await.expect("scans");
    let locate = async || {
        let sha1 = vec![[1; 20], [2; 20], [9; 20]];
        let request = GetFileLocations { cookie: agent.cookie().cloned(), sha1 };
        let found: FileLocations = ask(&world.url, &request).await.expect("locations");
        let urls = found.locations.into_iter().map(|location| location.url);
        urls.map(|url| url.replace(&world.url, "SUP")).collect::<Vec<_>>()
    };
    let (one, other) = ("01".repeat(20), "02".repeat(20));
    let here = [format!("SUP/Content/01/{one}.cab"), format!("SUP/Content/02/{other}.cab")];
    assert_eq!(locate().await, here, "nobody has them");
    let point = |url: &str, after_minutes| rpc::pb::management::Point {
        http_url: url.to_owned(),
        after_minutes,
        ..Default::default()
    };
    let points = [point("", 0), point("http://far:7443", 120), point("http://near:7443/", 0)];
    world.site.script().points = points.to_vec();
    assert_eq!(locate().await, here, "answers are remembered");
    world.bench.clock.advance_ms(2 * 60 * 1_000);
    let at = |point: &str| [1, 2].map(|n| format!("{point}/content/sha256/{}", digest(n)));
    assert_eq!(locate().await, at("http://near:7443"));
    // A point that has to wait is better than nobody, and the last answer better than none.
    world.site.script().points.pop();
    world.bench.clock.advance_ms(2 * 60 * 1_000);
    assert_eq!(locate().await, at("http://far:7443"));
    world.site.script().is_away = true;
    world.bench.clock.advance_ms(2 * 60 * 1_000);
    assert_eq!(locate().await, at("http://far:7443"));
}

fn event(
    client: Uuid,
    number: i32,
    update: Option<u128>,
    hresult: i32,
    misc: &[&str],
) -> ReportingEvent {
    ReportingEvent {
        basic: BasicData {
            target: Some(TargetId { sid: client.to_string() }),
            sequence_number: 0,
            time: WireTime::from_millis(NOW_MS),
            instance: Uuid::new_v5(&client, format!("{number} {update:?} {misc:?}").as_bytes()),
            namespace: 1,
            event: number,
            source: 101,
            update: update.map(wire),
            hresult,
            app_name: None,
        },
        extended: Some(ExtendedData {
            replacement_strings: Vec::new(),
            misc: misc.iter().map(|&pair| pair.to_owned()).collect(),
            computer_brand: None,
            computer_model: None,
            bios_revision: None,
            processor_architecture: "Amd64Compatible".to_owned(),
            os_version: None,
            os_locale: 1033,
            device_id: None,
        }),
        private: None,
    }
}

async fn report(
    world: &World,
    cookie: Cookie,
    events: Vec<ReportingEvent>,
) -> Result<bool, (ErrorCode, String)> {
    let client_time = WireTime::from_millis(NOW_MS);
    let request = ReportEventBatch { cookie: Some(cookie), client_time, events };
    let answer: ReportEventBatchResponse = ask(&world.url, &request).await?;
    Ok(answer.is_accepted)
}

fn upper(numbers: &[u128]) -> String {
    let ids = numbers.iter().map(|n| Uuid::from_u128(*n).to_string().to_uppercase());
    ids.collect::<Vec<_>>().join(";")
}

type Said = (u128, ComplianceState, Option<(EnforcementState, i32)>);

fn states(report: &StateReport) -> Vec<Said> {
    let said = report.changes.iter();
    said.map(|c| (c.update.id.0.as_u128(), c.state.state, c.state.enforcement)).collect()
}

#[tokio::test]
async fn what_computers_report_becomes_numbered_reports_of_states() {
    use ComplianceState::{Installed, NotRequired, Required};
    let world = world((1..=3).map(|number| update(number, "Anvil")).collect()).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    let (u, v) = (format!("U={}", upper(&[1, 2])), format!("V={}", upper(&[3])));
    let status = event(CLIENT, 156, None, 0, &[&u, &v]);
    let detected = event(CLIENT, 147, None, 0, &["D=2"]);
    let events = vec![detected, status];
    assert_eq!(report(&world, cookie(&agent), events.clone()).await, Ok(true));
    world.settle().await.expect("a pass");
    let said = world.site.script().reports.remove(0);
    assert_eq!(states(&said), [(1, Required, None), (2, Required, None), (3, Installed, None)]);
    assert_eq!((said.full, said.serial_from, said.serial_to, said.covered), (true, 1, 3, 1));
    let digest = [(1, Required), (2, Required), (3, Installed)];
    let digest = digest.map(|(number, state)| (UpdateId(Uuid::from_u128(number)), state));
    assert_eq!(said.digest_after, state_digest(digest));
    assert_eq!(said.changes[0].update.revision, 1);

    // The same again, because an answer was lost, is nothing new.
    assert_eq!(report(&world, cookie(&agent), events).await, Ok(true));
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().reports, []);

    let failure = -2_145_124_318;
    let progress = vec![
        event(CLIENT, 167, Some(1), 0, &[]),
        event(CLIENT, 181, Some(1), 0, &[]),
        event(CLIENT, 182, Some(1), failure, &[]),
        event(CLIENT, 183, Some(2), 0, &[]),
    ];
    assert_eq!(report(&world, cookie(&agent), progress).await, Ok(true));
    // The site is away: nothing is lost.
    world.site.script().is_away = true;
    world.settle().await.expect_err("it is away");
    world.site.script().is_away = false;
    world.settle().await.expect("a pass");
    let said = world.site.script().reports.remove(0);
    let failed = Some((EnforcementState::Failed, failure));
    assert_eq!(states(&said), [(1, Required, failed), (2, Installed, None)]);
    assert_eq!((said.full, said.serial_from, said.serial_to), (false, 4, 5));

    // The site lacks something and is told everything.
    world.site.script().outcome = Outcome::SendFull;
    let v = format!("V={}", upper(&[1, 2]));
    report(&world, cookie(&agent), vec![event(CLIENT, 156, None, 0, &[&v])]).await.expect("taken");
    assert_eq!(world.settle().await.expect("a pass"), Told::Nothing);
    let said = world.site.script().reports.remove(0);
    assert_eq!(states(&said), [(1, Installed, None), (3, NotRequired, None)]);
    world.site.script().outcome = Outcome::Applied;
    world.settle().await.expect("a pass");
    let said = world.site.script().reports.remove(0);
    assert_eq!(states(&said), [(1, Installed, None), (2, Installed, None)]);
    assert!(said.full);
    let timeout = -2_145_107_940;
    report(&world, cookie(&agent), vec![event(CLIENT, 148, None, timeout, &[])])
        .await
        .expect("taken");
    world.settle().await.expect("a pass");
    let said = world.site.script().reports.remove(0);
    assert_eq!(said.scan_error.as_deref(), Some("0x8024401C"));
    assert_eq!((said.changes.len(), said.full), (0, false));
    let events = world.bench.point.computers.last_events(CLIENT).await.expect("reads");
    assert_eq!(events[..2], [(148, timeout), (156, 0)]);
    assert_eq!(events.len(), 8);
}

#[tokio::test]
async fn a_computer_speaks_for_itself() {
    let world = world(vec![update(1, "Anvil")]).await;
    let mut one = world.agent();
    one.scan().await.expect("scans");
    let other = Uuid::from_u128(0xc1);
    let mut another = agent(other, &world.url, &Default::default());
    another.scan().await.expect("scans");
    let v = format!("V={}", upper(&[1]));
    // Its own cookie does not make it somebody else, and neither does one that it made up.
    let events = vec![event(other, 156, None, 0, &[&v])];
    assert_eq!(report(&world, cookie(&one), events.clone()).await, Ok(true));
    let mut forged = cookie(&another);
    forged.data[30] ^= 1;
    let refused = report(&world, forged, events.clone()).await;
    assert_eq!(refused, Err((ErrorCode::InvalidCookie, String::new())));
    // Whoever never registered is not heard.
    let stranger = ReportEventBatch2 {
        computer_id: Uuid::from_u128(0xc2).to_string(),
        client_time: WireTime::from_millis(NOW_MS),
        events: vec![event(Uuid::from_u128(0xc2), 156, None, 0, &[&v])],
    };
    let _: ReportEventBatch2Response = ask(&world.url, &stranger).await.expect("an answer");
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().reports, []);
    for client in [CLIENT, other] {
        let standing = world.bench.point.computers.standing(client).await.expect("reads");
        assert_eq!(standing.expect("it has registered").1, 0);
    }
    assert_eq!(report(&world, cookie(&another), events).await, Ok(true));
    world.settle().await.expect("a pass");
    let reports = world.site.script().reports.clone();
    assert_eq!(reports.iter().map(|said| said.client.0).collect::<Vec<_>>(), [other]);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_restart() {
    let mut world = world(vec![update(1, "Anvil")]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    let u = format!("U={}", upper(&[1]));
    let status = vec![event(CLIENT, 156, None, 0, &[&u])];
    report(&world, cookie(&agent), status).await.expect("taken");
    world.restart().await;
    world.settle().await.expect("a pass");
    let first = world.site.script().reports.remove(0);
    assert_eq!(states(&first), [(1, ComplianceState::Required, None)]);
    // Nothing is said twice, and the numbers go on.
    world.restart().await;
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().reports, []);
    let events = vec![event(CLIENT, 183, Some(1), 0, &[])];
    let last_change = WireTime::from_millis(NOW_MS * 2);
    let session = super::computers::session(&world.url, CLIENT, last_change, None).await;
    report(&world, session, events).await.expect("taken");
    world.settle().await.expect("a pass");
    let second = world.site.script().reports.remove(0);
    assert_eq!((second.incarnation, second.serial_from), (first.incarnation, 2));
}

#[tokio::test]
async fn a_computer_the_site_does_not_know_is_told_of_anew() {
    let world = world(vec![update(1, "Anvil")]).await;
    let mut agent = world.agent();
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().registrations.len(), 1);
    world.site.script().outcome = Outcome::Rejected;
    let u = format!("U={}", upper(&[1]));
    report(&world, cookie(&agent), vec![event(CLIENT, 156, None, 0, &[&u])]).await.expect("taken");
    assert_eq!(world.settle().await.expect("a pass"), Told::Nothing);
    world.site.script().outcome = Outcome::Applied;
    world.settle().await.expect("a pass");
    let counts = {
        let script = world.site.script();
        (script.registrations.len(), script.reports.len(), script.reports[1].full)
    };
    assert_eq!(counts, (2, 2, true));
    // A day later the site hears that it is still there.
    world.bench.clock.advance_ms(25 * HOUR_MS);
    agent.scan().await.expect("scans");
    world.settle().await.expect("a pass");
    assert_eq!(world.site.script().registrations.len(), 3);
}

#[tokio::test]
async fn an_update_point_listens_for_wake_ups() {
    let world = world(vec![update(1, "Anvil")]).await;
    let stop = CancellationToken::new();
    let (point, stopped) = (world.bench.point.clone(), stop.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { policies::run(&point, &stopped).await.expect("ends in order") });
    world.site.seen.subscribe().wait_for(|seen| !seen.is_empty()).await.expect("a listener");
    stop.cancel();
    tasks.join_next().await.expect("it ran").expect("it ended in order");
}
