//! What was stored and is not what was written, or of another client: it is set aside, counted and
//! told, and the agent goes on.

use std::path::PathBuf;

use model::SetAside;

use super::*;
use crate::control::{Request, Standing};

impl World {
    fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    /// Puts garbage in the place of a database.
    fn spoil(&self, name: &str) {
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(self.data(&format!("{name}{end}")));
        }
        std::fs::write(self.data(name), "garbage ".repeat(2_000)).expect("written");
    }

    /// What the site was told to be set aside.
    fn told_set_aside(&self) -> Vec<(String, u64)> {
        let reports = &self.mp.lock().reports;
        let all = reports.iter().flat_map(|report| &report.set_aside);
        all.map(|set_aside| (set_aside.what.clone(), set_aside.count)).collect()
    }

    /// One deployment that was carried out by an agent that has ended.
    async fn lived() -> World {
        let mut world = World::new().await;
        let documents = [world.script_update(1)];
        world.add_sup(&documents).await;
        world.add_dp().await.put(SCRIPT, SCRIPT);
        let mut agent = world.agent(world.machine()).await;
        world.assign(1, &documents, NOW);
        assert_eq!(agent.step().await.expect("a pass").installed, 1);
        world
    }

    /// The next life, in which policy is signed for the incarnation that it has.
    async fn lives_on(&self) -> Agent {
        let mut agent = self.agent(self.machine()).await;
        self.assign(2, &[self.script_update(1)], NOW);
        agent.woken().await;
        agent
    }

    /// It is told once, here and at the site, whatever comes afterwards.
    async fn was_set_aside(&self, mut agent: Agent, what: &str) {
        let mut ask = async |request| agent.ask_as(Standing::User, request).await;
        let status = ask(Request::Status).await;
        let status = &status["status"];
        assert_eq!(status["set_aside_count"], 1, "{status:#}");
        assert_eq!(status["set_aside"][0]["what"], what, "{status:#}");
        let history = ask(Request::History { limit: 100 }).await.to_string();
        assert_eq!(history.matches("was set aside").count(), 1, "{history}");
        assert_eq!(self.told_set_aside(), [(what.to_owned(), 1)]);
        drop(agent);
        self.lives_on().await;
        assert_eq!(self.told_set_aside(), [(what.to_owned(), 1)]);
        let kept = std::fs::read_dir(self.data("quarantine")).expect("it is there");
        assert!(kept.count() > 1, "the list, and what it names");
    }
}

/// Symptom: an agent whose database was damaged ended at each start, for ever. Cause: what cannot
/// be opened was an error like any other. Repair: it is set aside, and a new one begun.
#[tokio::test]
async fn a_damaged_memory_begins_anew() {
    let world = World::lived().await;
    let before = world.mp.lock().incarnation;
    world.spoil("agent.db");
    let agent = world.lives_on().await;
    assert_ne!(agent.incarnation(), before);
    assert_eq!(agent.summary().await.expect("one").installed, 1);
    assert_eq!(world.script_runs(), 1, "what is installed is found, not installed again");
    world.was_set_aside(agent, "what the agent remembered").await;
    // Whatever is not read at the start is seen only by whoever looks at all of it.
    let agent = world.lives_on().await;
    agent.store.close().await;
    drop(agent);
    let path = world.data("agent.db");
    let mut bytes = std::fs::read(&path).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xff);
    std::fs::write(&path, bytes).expect("written");
    world.lives_on().await;
    assert_eq!(world.told_set_aside().len(), 2);
}

/// Symptom: an agent that joined another hierarchy scanned and installed as the old one had told
/// it. Cause: nobody asked whose memory it was. Repair: another client's is set aside.
#[tokio::test]
async fn the_memory_of_another_client_is_not_obeyed() {
    let mut world = World::lived().await;
    std::fs::remove_file(world.target()).expect("it was installed");
    world.site.client = model::ClientId(uuid::Uuid::from_u128(77));
    world.mp.lock().offer = None;
    let mut agent = world.agent(world.machine()).await;
    assert_eq!(agent.client.policy().version, 0, "it is not its policy");
    assert_eq!(agent.step().await.expect("a pass").installed, 0);
    assert_eq!(world.script_runs(), 1);
    drop(agent);
    let agent = world.lives_on().await;
    assert_eq!(world.script_runs(), 2, "what its own site says is done");
    world.was_set_aside(agent, "what the agent remembered").await;
}

/// Symptom: unsent reports that could not be read were only logged, and gone with the next. Cause:
/// the table had no place for them. Repair: they are set aside one by one, and counted.
#[tokio::test]
async fn a_report_that_cannot_be_read_is_set_aside_and_everything_is_said() {
    let mut world = World::new().await;
    let documents = [world.script_update(1), software(2)];
    world.add_sup(&documents).await;
    world.mp.lock().is_deaf = true;
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW.plus_ms(HOUR_MS));
    agent.step().await.expect("a pass");
    let unsent = agent.summary().await.expect("one").unsent;
    assert!(unsent > 1);
    let spoil = "UPDATE report SET body = x'ff' WHERE serial = (SELECT max(serial) FROM report)";
    agent.store.perform(spoil).await;
    drop(agent);

    let mut agent = world.agent(world.machine()).await;
    assert_eq!(agent.summary().await.expect("one").unsent, unsent - 1, "the rest survives");
    world.mp.lock().is_deaf = false;
    agent.step().await.expect("a pass");
    assert_eq!(agent.summary().await.expect("one").unsent, 0);
    let told = world.told();
    assert!(told.lines().next().is_some_and(|first| first.contains("full=true")), "{told}");
    world.was_set_aside(agent, "reports that were not sent").await;
}

/// Symptom: an agent never started again after a version on trial had changed the layout of what is
/// remembered, and was given up. Cause: a newer layout was an error like any other, and the older
/// one gone. Repair: it is kept until then, and takes the place of the newer one.
#[tokio::test]
async fn what_was_remembered_before_a_newer_version_is_put_back() {
    let world = World::lived().await;
    let before = world.mp.lock().incarnation;
    Store::is_used_by_newer(&world.data("agent.db")).await;
    let mut agent = world.lives_on().await;
    assert_eq!(agent.incarnation(), before, "it is the same memory");
    assert_eq!(world.script_runs(), 1);
    let history = agent.ask_as(Standing::User, Request::History { limit: 100 }).await.to_string();
    assert!(history.contains("installed"), "{history}");
    world.was_set_aside(agent, "what the agent remembered").await;
    // What an older version has left nothing for begins anew.
    Store::is_used_by_newer(&world.data("agent.db")).await;
    std::fs::remove_file(world.data("agent.db.v1")).expect("it was kept");
    let agent = world.lives_on().await;
    assert_ne!(agent.incarnation(), before);
    assert_eq!(agent.summary().await.expect("one").installed, 1);
    assert_eq!(world.script_runs(), 1);
}

#[tokio::test]
async fn an_index_of_content_that_is_damaged_is_made_anew_from_the_files() {
    let world = World::lived().await;
    world.spoil("content/index.db");
    let agent = world.lives_on().await;
    assert_eq!(agent.hands.library.list().await.expect("it is read").len(), 1);
    world.was_set_aside(agent, "the index of content").await;
}

/// Symptom: a computer could not be scanned any more, whatever was tried. Cause: a damaged copy of
/// a catalog that was not in use was opened again and again. Repair: it is set aside.
#[tokio::test]
async fn damaged_documents_are_fetched_again_in_use_or_not() {
    let world = World::lived().await;
    let catalog = format!("catalog/{}.db", uuid::Uuid::from_u128(1));
    assert!(world.data(&catalog).exists());
    let what = format!("the documents of update point {}", uuid::Uuid::from_u128(1));
    world.spoil(&catalog);
    let agent = world.lives_on().await;
    assert_eq!(agent.summary().await.expect("one").scan_error, None);
    world.was_set_aside(agent, &what).await;

    for name in ["agent.db", "agent.db-wal", "agent.db-shm"] {
        let _ = std::fs::remove_file(world.data(name));
    }
    world.spoil(&catalog);
    let agent = world.lives_on().await;
    assert_eq!(agent.summary().await.expect("one").scan_error, None);
    assert_eq!(world.told_set_aside(), [(what.clone(), 1), (what, 2)]);
}

/// Symptom: a full disk ended the agent, and each of its next lives. Cause: whatever could not be
/// written was the end. Repair: it waits, nothing begins meanwhile, and people are answered.
#[tokio::test]
async fn on_a_full_disk_nothing_begins_until_there_is_room() {
    let mut world = World::new().await;
    let documents = [world.script_update(1)];
    world.add_sup(&documents).await;
    world.add_dp().await.put(SCRIPT, SCRIPT);
    let mut agent = world.agent(world.machine()).await;
    world.assign(1, &documents, NOW);
    agent.store.fill().await;
    for _ in 0..2 {
        let step = agent.step().await.expect("it does not end");
        assert_eq!((step.installed, world.script_runs()), (0, 0));
        assert_eq!(step.next, limits::FULL_RETRY);
    }
    let status = agent.ask_as(Standing::User, Request::Status).await;
    let said = status["status"]["disk_failing"].as_str().unwrap_or_default();
    assert!(said.contains("full"), "{status:#}");
    let refused = agent.ask_as(Standing::Administrator, Request::Reset).await;
    assert!(refused["refused"]["remedy"].as_str().is_some_and(|r| r.contains("make room")));
    for _ in 0..limits::WAITING_EVENTS_MAX + 10 {
        agent.ask_as(Standing::Administrator, Request::CacheClean).await;
        tokio::task::yield_now().await;
    }

    agent.store.make_room().await;
    assert_eq!(agent.step().await.expect("a pass").installed, 1);
    assert_eq!(world.script_runs(), 1);
    let status = agent.ask_as(Standing::User, Request::Status).await;
    assert!(status["status"]["disk_failing"].is_null(), "{status:#}");
    assert_eq!(agent.summary().await.expect("one").unsent, 0);
}

impl World {
    /// The window for what is deployed opens now.
    async fn before_a_window() -> (World, Agent) {
        let mut world = World::new().await;
        let documents = [world.script_update(1)];
        world.add_sup(&documents).await;
        world.add_dp().await.put(SCRIPT, SCRIPT);
        let mut agent = world.agent(world.machine()).await;
        // It is Friday, 10:00.
        world.windows = vec![windows::window("0 12 * * FRI")];
        world.assign(1, &documents, NOW);
        assert_eq!(agent.step().await.expect("a pass").fetched, 1);
        world.clock.advance_ms(2 * HOUR_MS);
        (world, agent)
    }
}

impl Agent {
    /// What may begin now; whether there was an installation among it, which is not begun.
    async fn round(&mut self) -> bool {
        let works = self.begin().await.expect("a pass");
        let is_due = works.iter().any(|work| matches!(work, Work::Install(_)));
        for work in works.into_iter().filter(|_| !is_due) {
            let outcomes = self.hands.clone().carry_out(work).await.expect("it is carried out");
            self.take(outcomes);
        }
        is_due
    }

    async fn rounds_before_an_installation(&mut self) -> usize {
        let mut rounds = 0;
        while !self.round().await {
            rounds += 1;
            assert!(rounds < 100, "nothing is installed");
        }
        rounds
    }
}

/// Symptom: an installation that was decided in its window began when the disk had room again, days
/// later. Cause: work that waited for the disk was done as it had been decided. Repair: what
/// disturbs the computer is decided anew.
#[tokio::test]
async fn what_was_decided_on_a_full_disk_is_decided_anew() {
    let (_apart, mut same) = World::before_a_window().await;
    let rounds = same.rounds_before_an_installation().await;
    let (world, mut agent) = World::before_a_window().await;
    for _ in 0..rounds {
        agent.round().await;
    }
    agent.store.fill().await;
    // Beside it, something for which there is no room.
    let (what, reason) = ("something".to_owned(), "x".repeat(500));
    let now = agent.hands.now();
    agent.client.tell(Outcome::SetAside(SetAside { what, reason, count: 1 }), now);
    assert!(agent.begin().await.expect("it does not end").is_empty());
    assert!(agent.backlog.is_to_install(), "it was decided");
    world.clock.advance_ms(3 * HOUR_MS);
    agent.store.make_room().await;
    assert_eq!(agent.step().await.expect("a pass").installed, 0);
    world.clock.advance_ms(7 * 24 * HOUR_MS - 3 * HOUR_MS);
    agent.step().await.expect("a pass");
    assert_eq!(world.script_runs(), 1);
}

/// Symptom: an agent whose data directory was a link to a larger disk did not start, and said that
/// the link was to be removed. Cause: what lies in the directory may be no link, and the directory
/// was looked at in the same way. Repair: what the link leads to is looked at.
#[tokio::test]
async fn the_data_directory_may_be_a_link() {
    let world = World::new().await;
    let (disk, data) = (world.directory.path().join("disk"), world.directory.path().join("data"));
    std::fs::create_dir(&disk).expect("a directory");
    std::os::unix::fs::symlink(&disk, data).expect("a link");
    let mut agent = world.agent(world.machine()).await;
    agent.step().await.expect("a pass");
    assert!(disk.join("agent.db").exists());
}
