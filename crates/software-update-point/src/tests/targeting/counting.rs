//! What Windows computers find is what their site counts: computers that speak the protocol, the
//! whole way of their events through this update point, and the rules by which a site takes reports.

use std::collections::{BTreeMap, BTreeSet};

use compliance::{Board, Holding, ItemNumbers, LiveItem, StateCounts, fold};
use model::{ReportOutcome, UpdateId};
use proptest::prelude::*;
use testkit::facts::Computer;
use testkit::sample::sample;
use testkit::windows::{Documents, Fate, Offer, Setup};
use update_metadata::Applicability;

use super::*;

const COMPUTERS: usize = 3;
const UPDATES: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Scan(usize),
    /// The computer sends what happened, and how everything stands.
    Report(usize),
    Install(usize, usize, Fate),
    Remove(usize, usize),
    Restart(usize),
    /// The update point takes events into account.
    Fold,
    Tell(Way),
    Revise(usize),
    Expire(usize),
    /// The site is what it was before.
    PutSiteBack,
}

/// What becomes of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Answered,
    AnswerIsLost,
    Lost,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (computer, update) = (0..COMPUTERS, 0..UPDATES);
    let fate = prop::sample::select(vec![
        Fate::Succeeds,
        Fate::NeedsRestart,
        Fate::Fails(-5),
        Fate::FailsToDownload(-7),
    ]);
    let way = prop_oneof![
        5 => Just(Way::Answered),
        1 => Just(Way::AnswerIsLost),
        1 => Just(Way::Lost),
    ];
    let step = prop_oneof![
        4 => computer.clone().prop_map(Step::Scan),
        5 => computer.clone().prop_map(Step::Report),
        6 => (computer.clone(), update.clone(), fate).prop_map(|(c, u, fate)| Step::Install(c, u, fate)),
        2 => (computer.clone(), update.clone()).prop_map(|(c, u)| Step::Remove(c, u)),
        1 => computer.prop_map(Step::Restart),
        5 => Just(Step::Fold),
        5 => way.prop_map(Step::Tell),
        1 => update.clone().prop_map(Step::Revise),
        1 => update.prop_map(Step::Expire),
        1 => Just(Step::PutSiteBack),
    ];
    prop::collection::vec(step, 0..60)
}

/// A computer, and what it said last of everything.
struct Pc {
    agent: Agent,
    /// The catalog version of its last scan, and of the last one that it reported.
    scanned: u64,
    covered: u64,
    said: Option<BTreeMap<UpdateId, ComplianceState>>,
    /// Installed, but for a restart.
    pending: BTreeSet<UpdateId>,
}

struct Counting {
    world: World,
    documents: Vec<Document>,
    version: u64,
    /// What brought each update, or its last revision.
    since: Vec<u64>,
    pcs: Vec<Pc>,
    site: BTreeMap<ClientId, Holding>,
    /// The site as it was when it was last told something.
    before: BTreeMap<ClientId, Holding>,
    is_put_back: bool,
}

fn pc_id(number: usize) -> Uuid {
    Uuid::from_u128(0xc0 + number as u128)
}

impl Counting {
    async fn new() -> Counting {
        let mut world = world_by(Executor::Thread, Vec::new()).await;
        let directory = tempfile::tempdir().expect("a directory");
        let all = sample(directory.path()).documents;
        let (items, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|d| d.is_item());
        let is_plain = |document: &Document| {
            !document.uses_linux_rules()
                && document.relations.bundled.is_empty()
                && document.properties.is_explicitly_deployable
                && !document.properties.is_expired
        };
        let mut documents: Vec<Document> = items.into_iter().filter(is_plain).collect();
        documents.rotate_right(UPDATES / 2);
        documents.truncate(UPDATES);
        // Nothing has to be fetched.
        documents.iter_mut().for_each(|document| document.files.clear());
        complete(&world.bench, &[&others[..], &documents[..]].concat(), 2).await;
        let texts = Documents::default();
        let mut pcs = Vec::new();
        for number in 0..COMPUTERS {
            let ambient = Ambient::new(world.bench.clock.clone(), Arc::new(SystemEntropy));
            let mut agent = Agent::new(Setup {
                url: world.url.clone(),
                client: pc_id(number),
                dns_name: format!("pc{number}.example.com"),
                // Every third is a Linux computer.
                computer: Computer::new(3 * u32::try_from(number).expect("is small")),
                ambient,
                documents: texts.clone(),
            });
            agent.scan().await.expect("scans");
            pcs.push(Pc { agent, scanned: 2, covered: 0, said: None, pending: BTreeSet::new() });
        }
        world.settle().await.expect("they are known");
        world.tasks.detach_all();
        let since = vec![2; UPDATES];
        let (site, before) = Default::default();
        let (version, is_put_back) = (2, false);
        Counting { world, documents, version, since, pcs, site, before, is_put_back }
    }

    async fn step(&mut self, step: Step) {
        self.world.bench.clock.advance_ms(1_000);
        match step {
            Step::Scan(number) => {
                let pc = &mut self.pcs[number];
                pc.agent.scan().await.expect("scans");
                pc.scanned = self.version;
            }
            Step::Report(number) => self.report(number).await,
            Step::Install(number, update, fate) => self.install(number, update, fate).await,
            Step::Remove(number, update) => {
                let (id, offer) = self.wish(update, DeploymentAction::Uninstall);
                let agent = &mut self.pcs[number].agent;
                if agent.states().get(&id) == Some(&Applicability::Installed) {
                    agent.carry_out(&offer, Fate::Succeeds).await.expect("removes");
                }
            }
            Step::Restart(number) => {
                self.pcs[number].agent.restart();
                self.pcs[number].pending.clear();
            }
            Step::Fold => self.world.bench.point.fold_events().await.expect("folds"),
            Step::Tell(way) => drop(self.tell(way).await),
            Step::Revise(update) => self.publish(update, |_| ()).await,
            Step::Expire(update) => self.publish(update, |d| d.properties.is_expired = true).await,
            Step::PutSiteBack => {
                self.site = self.before.clone();
                self.is_put_back = true;
            }
        }
    }

    fn wish(&self, update: usize, action: DeploymentAction) -> (UpdateId, Offer) {
        let UpdateRef { id, revision } = self.documents[update].update;
        let update = UpdateIdentity { update_id: id.0, revision };
        (id, Offer { update, action, is_assigned: true, deadline: None })
    }

    /// If the computer needs it.
    async fn install(&mut self, number: usize, update: usize, fate: Fate) {
        let (id, offer) = self.wish(update, DeploymentAction::Install);
        let Pc { agent, pending, .. } = &mut self.pcs[number];
        if agent.states().get(&id) == Some(&Applicability::Applicable) && !pending.contains(&id) {
            agent.carry_out(&offer, fate).await.expect("ends somehow");
            if fate == Fate::NeedsRestart {
                pending.insert(id);
            }
        }
    }

    async fn publish(&mut self, update: usize, change: impl FnOnce(&mut Document)) {
        let document = &mut self.documents[update];
        document.update.revision += 1;
        change(document);
        self.version += 1;
        self.since[update] = self.version;
        complete(&self.world.bench, std::slice::from_ref(document), self.version).await;
    }

    async fn report(&mut self, number: usize) {
        let Pc { agent, scanned, covered, said, .. } = &mut self.pcs[number];
        agent.report().await.expect("reports");
        *covered = *scanned;
        let state = |verdict| match verdict {
            Applicability::Installed => ComplianceState::Installed,
            Applicability::Applicable => ComplianceState::Required,
            Applicability::NotApplicable | Applicability::Unknown(_) => {
                ComplianceState::NotRequired
            }
        };
        *said = Some(agent.states().into_iter().map(|(id, own)| (id, state(own))).collect());
    }

    /// Everything that the update point has to say; whether it was all taken.
    async fn tell(&mut self, way: Way) -> bool {
        let computers = &self.world.bench.point.computers;
        let reports = computers.reports(None, 99).await.expect("reads");
        if way == Way::Lost {
            return false;
        }
        self.before = self.site.clone();
        let items: ItemNumbers = self.items().map(|(id, item)| (id, item.number)).collect();
        let mut settled = Vec::new();
        for report in reports {
            let folded = fold(self.site.get(&report.client), &report, &items);
            if let Some(holding) = folded.write {
                self.site.insert(report.client, holding);
            }
            let outcome = match folded.outcome {
                ReportOutcome::Applied => (Outcome::Applied, 0),
                ReportOutcome::Known => (Outcome::Known, 0),
                ReportOutcome::SendFull => (Outcome::SendFull, 0),
                ReportOutcome::Behind(known) => (Outcome::Behind, known),
            };
            settled.push((report, outcome));
        }
        let is_all = settled.iter().all(|(_, (outcome, _))| *outcome == Outcome::Applied);
        if way == Way::Answered {
            computers.settle(settled).await.expect("writes");
        }
        is_all && way == Way::Answered
    }

    fn items(&self) -> impl Iterator<Item = (UpdateId, LiveItem)> {
        let numbered = self.documents.iter().zip(&self.since).zip(1..);
        numbered.map(|((document, since), number)| {
            (document.update.id, LiveItem { number, since: *since })
        })
    }

    /// Until the site has everything, and then it counts what the computers said.
    async fn check(&mut self) {
        // With the next word of each computer the site hears that something is missing.
        let talkative = (0..COMPUTERS).filter(|number| self.pcs[*number].said.is_some());
        for number in talkative.collect::<Vec<_>>() {
            if self.is_put_back {
                self.report(number).await;
            }
        }
        self.is_put_back = false;
        self.world.bench.point.fold_events().await.expect("folds");
        let mut passes = 0;
        while !self.tell(Way::Answered).await {
            passes += 1;
            assert!(passes < 4, "it comes to an end");
        }
        let clients = (0..COMPUTERS).map(|number| ClientId(pc_id(number)));
        let vectors: Vec<_> = self.site.values().map(|held| held.vector.clone()).collect();
        let board = Board::rebuild(clients, vectors);
        for ((id, item), document) in self.items().zip(&self.documents) {
            if document.properties.is_expired {
                continue;
            }
            let mut counts = StateCounts::default();
            for pc in &self.pcs {
                let said = pc.said.as_ref().and_then(|said| said.get(&id)).copied();
                let is_new = pc.said.is_none() || item.since > pc.covered;
                let count = match said.unwrap_or(ComplianceState::NotRequired) {
                    ComplianceState::Required => &mut counts.required,
                    ComplianceState::Installed => &mut counts.installed,
                    _ if is_new => &mut counts.unknown,
                    _ => &mut counts.not_required,
                };
                *count += 1;
            }
            assert_eq!(board.update_counts(item), counts, "{}", document.texts[0].title);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Computers scan, install, fail, restart and report; updates are revised and expire; what is
    /// said gets lost on its way, and the site is put back to what it was before. Once the site has
    /// what there is to say, it counts what the computers found.
    #[test]
    fn what_windows_computers_find_is_what_is_counted(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut counting = Counting::new().await;
            for (number, step) in steps.into_iter().enumerate() {
                counting.step(step).await;
                if number % 20 == 19 {
                    counting.check().await;
                }
            }
            for number in 0..COMPUTERS {
                counting.step(Step::Scan(number)).await;
                counting.step(Step::Report(number)).await;
            }
            counting.check().await;
        });
    }
}
