//! Phased deployments against a real site database, a board and a clock that stands.

use ambient::{ManualClock, SeededEntropy};
use compliance::{Board, BoardWriter};
use deployment::default_template;
use model::{
    Collection, CollectionRule, Detail, Due, EnforcementState, Next, Phase, Phased, PhasedState,
    Success, Vector,
};

use site_db::StatusFilter;

use super::*;

const HOUR_MS: i64 = 60 * 60 * 1_000;

/// What a client says of update 50.
#[derive(Clone, Copy)]
pub(super) enum Says {
    Requires,
    Has,
    Failed,
}

pub(super) struct Fleet {
    pub(super) db: SiteDb,
    pub(super) manager: DeploymentManager,
    pub(super) clock: Arc<ManualClock>,
    board: BoardWriter,
}

/// PR1 with update 50 in a group, and clients 10 to 13: 10 in collection PR100010, 10 and 11 in
/// PR100011.
pub(super) fn fleet() -> Fleet {
    let clock = Arc::new(ManualClock::at(0));
    let ambient = Ambient::new(Arc::clone(&clock) as _, Arc::new(SeededEntropy::new(1)));
    let pki = Pki::new(&ambient);
    let owner = Owner { code: code("PR1"), uuid: id(1) };
    let hierarchy = pki.anchor().hierarchy();
    let identity = Identity { hierarchy, owner, kind: SiteKind::Primary, parent: None };
    let SiteKeys { signer, .. } = pki.site(owner.code);
    let keys = (signer, pki.anchor().clone());
    let db = SiteDb::open(Path::new(":memory:"), Executor::Inline, identity, keys, ambient);
    let db = db.expect("a site");
    let group = UpdateGroup::plain(object("PR100001"), "May".to_owned(), vec![UpdateId(id(50))]);
    let collection = |text: &str, clients: &[u128]| {
        let rules = clients.iter().map(|n| CollectionRule::Direct(ClientId(id(*n)))).collect();
        Own::put(&Collection::plain(object(text), text.to_owned(), rules))
    };
    let collections = [collection("PR100010", &[10]), collection("PR100011", &[10, 11])];
    db.write_blocking(move |w| {
        w.write_own(Group::Catalog, vec![Own::put(&item(50))])?;
        w.write_own(Group::Clients, (10..14).map(|n| put_client(n, "PR1")).collect())?;
        w.write_own(Group::Control, [vec![Own::put(&group)], collections.to_vec()].concat())
    })
    .expect("written");
    let board = BoardWriter::default();
    let deps = Deps { db: db.clone(), wake: Arc::new(|_| ()), board: board.handle() };
    Fleet { manager: DeploymentManager::new(Config::default(), deps), db, clock, board }
}

fn phase(collection: &str, success: Success, next: Next) -> Phase {
    Phase {
        name: collection.to_owned(),
        collection: object(collection),
        success,
        next,
        gradual_days: 0,
        deadline: Due::Asap,
        started_at: None,
        succeeded_at: None,
        deployment: None,
    }
}

fn three() -> Phased {
    let next = Next::Automatic { after_days: 1 };
    let last = Phase { gradual_days: 4, ..phase(ALL_SYSTEMS, Success::Count(1), Next::Manual) };
    Phased {
        code: object("PR100099"),
        name: "May".to_owned(),
        description: String::new(),
        group: object("PR100001"),
        phases: vec![
            phase("PR100010", Success::Percent(95), next),
            phase("PR100011", Success::Percent(100), next),
            last,
        ],
        state: PhasedState::Running,
        pause_above_failed_percent: Some(40),
        template: default_template(),
        created_at: Timestamp(0),
    }
}

impl Fleet {
    pub(super) fn say(&self, says: &[(u128, Says)]) {
        let vector = |(client, says): &(u128, Says)| {
            let (at, item) = (Timestamp(0), 50);
            let failed = Detail { item, state: EnforcementState::Failed, code: 5, at };
            Vector {
                client: ClientId(id(*client)),
                incarnation: 1,
                serial: 1,
                covered: 2,
                scanned_at: at,
                scan_error: None,
                gap: false,
                required: if matches!(says, Says::Has) { vec![] } else { vec![item] },
                installed: if matches!(says, Says::Has) { vec![item] } else { vec![] },
                unjudged: Vec::new(),
                deployments: Vec::new(),
                scan: None,
                detail: if matches!(says, Says::Failed) { vec![failed] } else { vec![] },
            }
        };
        let clients = (10..14).map(|number| ClientId(id(number)));
        self.board.replace(Board::rebuild(clients, says.iter().map(vector)));
    }

    /// Looks once after some hours, and tells the state of each phase and all that was made.
    async fn look(&self, hours: i64) -> String {
        self.clock.advance_ms(hours * HOUR_MS);
        let steps = self.manager.step_phases().await.expect("a look");
        let phased = self.phased();
        let phases =
            phased.phases.iter().map(|phase| match (phase.started_at, phase.succeeded_at) {
                (None, _) => "-".to_owned(),
                (Some(at), None) => format!("from {}", at.0 / HOUR_MS),
                (Some(at), Some(end)) => format!("from {} to {}", at.0 / HOUR_MS, end.0 / HOUR_MS),
            });
        let phases = phases.collect::<Vec<_>>().join(", ");
        let state = match phased.state {
            PhasedState::Running => "running".to_owned(),
            PhasedState::Completed => "completed".to_owned(),
            PhasedState::Paused { reason, .. } => format!("paused: {reason}"),
        };
        let made = self.deployments().len();
        format!("{steps} steps: {phases}; {made} deployments; {state}\n")
    }

    fn put(&self, phased: Phased) {
        self.db.write_blocking(move |w| w.put_own(&phased)).expect("written");
    }

    fn phased(&self) -> Phased {
        let code = object("PR100099");
        let read = self.db.read_blocking(move |r| r.require::<Phased>(code.as_str().as_bytes()));
        read.expect("it is there")
    }

    fn deployments(&self) -> Vec<Deployment> {
        let read = self.db.read_blocking(|r| r.list::<Deployment>()).expect("read");
        read.into_iter().map(|(_, deployment)| deployment).collect()
    }

    fn messages(&self) -> Vec<u32> {
        let read = self.db.read_blocking(|r| r.status_messages(&StatusFilter::default(), 100));
        let mut rows = read.expect("read");
        rows.sort_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, message)| message.id).collect()
    }
}

#[tokio::test]
async fn three_phases_follow_one_another_in_virtual_time() {
    use Says::{Has, Requires};
    let fleet = fleet();
    fleet.put(three());
    let mut told = fleet.look(0).await;
    told += &fleet.look(48).await;
    fleet.say(&[(10, Requires), (11, Has)]);
    told += &fleet.look(1).await;
    fleet.say(&[(10, Has), (11, Requires)]);
    told += &fleet.look(1).await;
    told += &fleet.look(23).await;
    told += &fleet.look(1).await;
    // Client 10 was in the first phase: only client 11 counts.
    fleet.say(&[(10, Requires), (11, Has)]);
    told += &fleet.look(2).await;
    told += &fleet.look(24).await;
    told += &fleet.look(24).await;
    fleet.say(&[(13, Has)]);
    told += &fleet.look(1).await;
    told += &fleet.look(100).await;
    expect![[r#"
        1 steps: from 0, -, -; 1 deployments; running
        0 steps: from 0, -, -; 1 deployments; running
        0 steps: from 0, -, -; 1 deployments; running
        1 steps: from 0 to 50, -, -; 1 deployments; running
        0 steps: from 0 to 50, -, -; 1 deployments; running
        1 steps: from 0 to 50, from 74, -; 2 deployments; running
        1 steps: from 0 to 50, from 74 to 76, -; 2 deployments; running
        1 steps: from 0 to 50, from 74 to 76, from 100; 3 deployments; running
        0 steps: from 0 to 50, from 74 to 76, from 100; 3 deployments; running
        2 steps: from 0 to 50, from 74 to 76, from 100 to 125; 3 deployments; completed
        0 steps: from 0 to 50, from 74 to 76, from 100 to 125; 3 deployments; completed
    "#]]
    .assert_eq(&told);
    let mut names: Vec<String> = fleet.deployments().into_iter().map(|made| made.name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["May (phase 1: PR100010)", "May (phase 2: PR100011)", "May (phase 3: SMS00001)"]
    );
    assert_eq!(fleet.messages(), [60_143, 60_143, 60_143, 60_145]);
}

#[tokio::test]
async fn failures_stop_it_and_the_growth_of_its_phases() {
    let fleet = fleet();
    let mut phased = three();
    phased.phases[0].gradual_days = 4;
    fleet.put(phased);
    let mut told = fleet.look(0).await;
    fleet.say(&[(10, Says::Failed)]);
    told += &fleet.look(24).await;
    told += &fleet.look(24).await;
    expect![[r#"
        1 steps: from 0, -, -; 1 deployments; running
        1 steps: from 0, -, -; 1 deployments; paused: phase 1: 1 of 1 computers failed, above 40 %
        0 steps: from 0, -, -; 1 deployments; paused: phase 1: 1 of 1 computers failed, above 40 %
    "#]]
    .assert_eq(&told);
    let stopped = fleet.deployments()[0].rollout.expect("gradual").stopped_at;
    assert_eq!(stopped, Some(Timestamp(24 * HOUR_MS)));
    assert_eq!(fleet.messages(), [60_143, 60_144]);
}

#[tokio::test]
async fn nothing_starts_over_a_collection_that_is_not_here() {
    let fleet = fleet();
    let mut phased = three();
    phased.phases[0].collection = object("PR100777");
    fleet.put(phased);
    let mut told = fleet.look(0).await;
    fleet.say(&[10, 11, 12, 13].map(|client| (client, Says::Has)));
    told += &fleet.look(100).await;
    expect![[r#"
        1 steps: from 0, -, -; 1 deployments; running
        0 steps: from 0, -, -; 1 deployments; running
    "#]]
    .assert_eq(&told);
}

/// Symptom: after a restore a phase was taken for a success, or for one without updates. Cause: what
/// had not arrived was left out of the count. Repair: nothing is counted before all of it is here.
#[tokio::test]
async fn nothing_starts_or_stops_over_what_has_not_arrived() {
    use Says::Has;
    let fleet = fleet();
    let group = |updates: &[u128]| {
        let updates = updates.iter().map(|number| UpdateId(id(*number))).collect();
        UpdateGroup::plain(object("PR100001"), "May".to_owned(), updates)
    };
    let fill = |updates: &[u128]| {
        let group = group(updates);
        fleet.db.write_blocking(move |w| w.put_own(&group)).expect("written");
    };
    fleet.put(three());
    fleet.say(&[10, 11, 12, 13].map(|client| (client, Has)));
    fill(&[50, 51]);
    let mut told = fleet.look(0).await;
    fill(&[50]);
    told += &fleet.look(0).await;
    fill(&[50, 51]);
    told += &fleet.look(1).await;
    fill(&[51]);
    told += &fleet.look(1).await;
    fill(&[50]);
    let walking = Owner { code: code("CAS"), uuid: id(2) };
    let stream = StreamId { group: Group::Catalog, owner: walking };
    let from = Position { epoch: Epoch { number: 1, id: 1 }, seq: 9 };
    let walk = Walk::new(code("CAS"), 1, from);
    fleet.db.write_blocking(move |w| w.begin_walk(stream, &walk)).expect("written");
    told += &fleet.look(1).await;
    expect![[r#"
        0 steps: -, -, -; 0 deployments; running
        1 steps: from 0, -, -; 1 deployments; running
        0 steps: from 0, -, -; 1 deployments; running
        0 steps: from 0, -, -; 1 deployments; running
        0 steps: from 0, -, -; 1 deployments; running
    "#]]
    .assert_eq(&told);
}
