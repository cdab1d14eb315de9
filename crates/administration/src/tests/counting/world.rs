//! A site with updates, computers, one collection, and deployments: of a group that changes to the
//! collection, to everybody, of another group to the collection, and one that comes and goes.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
pub(super) enum Step {
    State(u128, u32, ComplianceState, Option<EnforcementState>),
    Deployment(u128, usize, Option<DeploymentState>),
    Scan(u128, bool),
    Send(u128, Fate),
    Remove(u128),
    /// It comes back by another name.
    Return(u128),
    /// It has lost its memory.
    Reborn(u128),
    Snapshot(u128),
    PutBack(u128),
    Revise(u32),
    Expire(u32),
    Decline(u32),
    Reinstate(u32),
    /// What changed makes a new version of the catalog.
    Complete,
    Group(u32),
    Member(u128),
    Deploy,
    Look,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Arrives,
    ArrivesTwice,
    IsLost,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (computer, number) = (1..=COMPUTERS, 1..=UPDATES);
    let state = prop::sample::select(ComplianceState::ALL);
    let progress = prop::option::of(prop::sample::select(EnforcementState::ALL));
    let stands = (
        prop::sample::select(AssignmentCompliance::ALL),
        prop::option::of(prop::sample::select(AssignmentEnforcement::ALL)),
        prop::sample::select(AssignmentEvaluation::ALL),
    );
    let stands = stands.prop_map(|(compliance, enforcement, evaluation)| DeploymentState {
        compliance,
        enforcement,
        evaluation,
        code: 0,
        at: at(0),
    });
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        1 => Just(Fate::ArrivesTwice),
        2 => Just(Fate::IsLost),
    ];
    let of_computers = prop_oneof![
        24 => (computer.clone(), number.clone(), state, progress)
            .prop_map(|(computer, update, state, progress)| {
                Step::State(computer, update, state, progress)
            }),
        8 => (computer.clone(), 0..4_usize, prop::option::of(stands))
            .prop_map(|(computer, which, state)| Step::Deployment(computer, which, state)),
        14 => (computer.clone(), prop::bool::weighted(0.8)).prop_map(|(c, ok)| Step::Scan(c, ok)),
        28 => (computer.clone(), fate).prop_map(|(computer, fate)| Step::Send(computer, fate)),
        1 => computer.clone().prop_map(Step::Remove),
        2 => computer.clone().prop_map(Step::Return),
        1 => computer.clone().prop_map(Step::Reborn),
        2 => computer.clone().prop_map(Step::Snapshot),
        2 => computer.clone().prop_map(Step::PutBack),
        4 => computer.prop_map(Step::Member),
    ];
    let of_administrators = prop_oneof![
        2 => number.clone().prop_map(Step::Revise),
        1 => number.clone().prop_map(Step::Expire),
        2 => number.clone().prop_map(Step::Decline),
        2 => number.clone().prop_map(Step::Reinstate),
        2 => Just(Step::Complete),
        2 => number.prop_map(Step::Group),
        1 => Just(Step::Deploy),
        2 => Just(Step::Look),
    ];
    prop::collection::vec(prop_oneof![6 => of_computers, 1 => of_administrators], 0..150)
}

pub(super) struct World {
    pub(super) site: Site,
    /// The last one comes and goes.
    pub(super) deployments: Vec<Option<DeploymentId>>,
    pub(super) computers: BTreeMap<u128, Computer>,
    pub(super) truth: Reference,
}

impl World {
    pub(super) async fn new() -> World {
        let site = Site::top("PR1", SiteKind::Primary).await;
        let truth = Reference {
            known: BTreeMap::new(),
            items: (1..=UPDATES).map(|number| (number, objects::item(number))).collect(),
            declined: BTreeSet::new(),
            version: 1,
            grouped: BTreeSet::from([1, 2]),
            members: BTreeSet::from([1]),
        };
        let items: Vec<Own> = truth.items.values().map(Own::put).collect();
        let written = site.db.write(move |w| {
            w.write_own(Group::Catalog, items)?;
            w.complete_catalog()
        });
        assert_eq!(written.await.expect("written"), truth.version);
        let (deployments, computers) = (vec![None; 4], BTreeMap::new());
        let mut world = World { site, deployments, computers, truth };
        for number in 1..=COMPUTERS {
            world.enter(number, 0).await;
        }
        world.write_group("PR1000A1", world.truth.grouped.clone()).await;
        world.write_group("PR1000A2", BTreeSet::from([2, 3, 4])).await;
        world.write_members().await;
        for which in 0..3 {
            world.deploy(which).await;
        }
        world
    }

    pub(super) fn client(&self, number: u128) -> ClientId {
        client(number, self.computers[&number].life)
    }

    async fn enter(&mut self, number: u128, life: u128) {
        let kind = if is_windows(number) { ClientKind::Windows } else { ClientKind::Simulated };
        let record = objects::client(number, "PR1");
        let record = ClientRecord { id: client(number, life), kind, ..record };
        self.site.db.write(move |w| w.put_own(&record)).await.expect("written");
        let computer = Computer { life, incarnation: 1, ..Computer::default() };
        self.computers.insert(number, computer);
        self.truth.known.insert(number, None);
    }

    async fn deploy(&mut self, which: usize) {
        let group = if which >= 2 { "PR1000A2" } else { "PR1000A1" };
        let collection = if is_to_all(which) { "" } else { "PR1000C1" };
        let request = pb::CreateDeploymentRequest {
            name: format!("{group} to {collection}"),
            intent: "required".to_owned(),
            group: group.to_owned(),
            collection: collection.to_owned(),
            ..Default::default()
        };
        let made = self.site.admin().create_deployment(request).await.told();
        self.deployments[which] = Some(made.id.parse().expect("an id"));
    }

    async fn write_group(&self, code: &str, updates: BTreeSet<u32>) {
        let code = ObjectCode::new(code).expect("a code");
        let updates = updates.into_iter().map(update).collect();
        let group = UpdateGroup::plain(code, "Monthly".to_owned(), updates);
        self.site.db.write(move |w| w.put_own(&group)).await.expect("written");
    }

    pub(super) async fn write_members(&self) {
        let here = self.truth.members.iter().filter(|number| self.computers.contains_key(number));
        let direct = |number: &u128| CollectionRule::Direct(self.client(*number));
        let collection = Collection {
            code: ObjectCode::new("PR1000C1").expect("a code"),
            name: "Pilots".to_owned(),
            comment: String::new(),
            limiting: None,
            rules: here.map(direct).collect(),
            is_incremental: true,
            full_at: None,
        };
        self.site.db.write(move |w| w.put_own(&collection)).await.expect("written");
    }

    /// Of the next version of the catalog.
    async fn write_item(&mut self, number: u32) {
        let item = self.truth.items.get_mut(&number).expect("it is there");
        item.since = self.truth.version + 1;
        let item = vec![Own::put(&*item)];
        self.site.db.write(move |w| w.write_own(Group::Catalog, item)).await.expect("written");
        self.complete().await;
    }

    async fn complete(&mut self) {
        let complete = self.site.db.write(|w| w.complete_catalog());
        self.truth.version = complete.await.expect("written");
    }

    pub(super) async fn step(&mut self, step: Step) {
        match step {
            Step::Send(number, fate) => self.send(number, fate).await,
            Step::Remove(number) => {
                if let Some(Computer { life, .. }) = self.computers.remove(&number) {
                    self.truth.known.remove(&number);
                    let id = client(number, life).to_string();
                    let request = pb::RemoveClientRequest { id, reason: String::new() };
                    self.site.admin().remove_client(request).await.told();
                    self.truth.members.remove(&number);
                }
            }
            Step::Return(number) if !self.computers.contains_key(&number) => {
                let life = self.site.ambient.random_id().as_u128() << 8;
                self.enter(number, life).await;
            }
            Step::Return(_) => {}
            Step::Revise(number) => {
                let item = self.truth.items.get_mut(&number).expect("it is there");
                item.update.revision += 1;
                item.expired = false;
                self.write_item(number).await;
            }
            Step::Expire(number) => {
                self.truth.items.get_mut(&number).expect("it is there").expired = true;
                self.write_item(number).await;
            }
            Step::Decline(number) => {
                let ids = vec![update(number).to_string()];
                let request = pb::DeclineUpdatesRequest { ids, ..Default::default() };
                self.site.admin().decline_updates(request).await.told();
                self.truth.declined.insert(number);
            }
            Step::Reinstate(number) => {
                let ids = vec![update(number).to_string()];
                let request = pb::ReinstateUpdatesRequest { ids };
                self.site.admin().reinstate_updates(request).await.told();
                if self.truth.declined.remove(&number) {
                    let item = self.truth.items.get_mut(&number).expect("it is there");
                    item.since = self.truth.version + 1;
                }
            }
            Step::Complete => self.complete().await,
            Step::Group(number) => {
                toggle(&mut self.truth.grouped, number);
                self.write_group("PR1000A1", self.truth.grouped.clone()).await;
            }
            Step::Member(number) => {
                toggle(&mut self.truth.members, number);
                self.truth.members.retain(|number| self.computers.contains_key(number));
                self.write_members().await;
            }
            Step::Deploy => match self.deployments[3].take() {
                // What does not count any more cannot be deployed.
                None if self.truth.updates(3).len() < 3 => {}
                None => self.deploy(3).await,
                Some(id) => {
                    let request = pb::DeleteDeploymentRequest { id: id.to_string() };
                    self.site.admin().delete_deployment(request).await.told();
                    for computer in self.computers.values_mut() {
                        computer.is.deployments.remove(&id);
                    }
                }
            },
            Step::Look => {
                self.keep_board().await;
                answers_agree(self).await;
            }
            of_computer => self.happens(of_computer),
        }
    }

    /// At one computer, of which nobody hears yet.
    fn happens(&mut self, step: Step) {
        let (Step::State(number, ..)
        | Step::Deployment(number, ..)
        | Step::Scan(number, _)
        | Step::Reborn(number)
        | Step::Snapshot(number)
        | Step::PutBack(number)) = step
        else {
            return;
        };
        let (counted, version) = (self.truth.counted().collect(), self.truth.version);
        let Some(computer) = self.computers.get_mut(&number) else { return };
        match step {
            Step::State(_, update, state, progress) => {
                let is_open = state == ComplianceState::Required;
                let enforcement = progress.filter(|_| is_open).map(|progress| (progress, 0));
                let state = UpdateState { state, enforcement };
                let known = computer.is.seen.contains(&update).then_some(&mut computer.is.states);
                for states in [Some(&mut computer.has), known].into_iter().flatten() {
                    states.insert(update, state);
                    states.retain(|_, state| state.state != ComplianceState::NotRequired);
                }
            }
            Step::Deployment(_, which, state) => {
                let Some(id) = self.deployments[which] else { return };
                match state.filter(|_| !is_windows(number)) {
                    Some(state) => computer.is.deployments.insert(id, state),
                    None => computer.is.deployments.remove(&id),
                };
            }
            Step::Scan(_, true) => computer.scan(counted, version),
            Step::Scan(_, false) => computer.is.scan_error = Some("no disk".to_owned()),
            Step::Reborn(_) => {
                let (is, told) = Default::default();
                let Computer { life, ref has, incarnation, .. } = *computer;
                let (incarnation, has) = (incarnation + 1, has.clone());
                let new = Computer { life, has, is, told, incarnation, ..Computer::default() };
                *computer = new;
            }
            Step::Snapshot(_) => {
                let Computer { is, told, serial, .. } = &*computer;
                computer.snapshot = Some((is.clone(), told.clone(), *serial));
            }
            _ => computer.put_back(),
        }
    }

    async fn send(&mut self, number: u128, fate: Fate) {
        let Some(computer) = self.computers.get_mut(&number) else { return };
        // An update point says everything that the last event of status listed.
        let is_full = computer.serial == 0 || computer.wants_full || is_windows(number);
        let report = computer.report(client(number, computer.life), is_full);
        computer.told = computer.is.clone();
        let (is, incarnation) = (computer.is.clone(), computer.incarnation);
        let times = match fate {
            Fate::Arrives => 1,
            Fate::ArrivesTwice => 2,
            Fate::IsLost => 0,
        };
        for _ in 0..times {
            let outcome = self.take(report.clone()).await;
            self.computers.get_mut(&number).expect("it reports").hear(outcome);
            match outcome {
                ReportOutcome::Applied => self.truth.hear(number, is.clone(), incarnation),
                ReportOutcome::SendFull => {
                    let known = self.truth.known.get_mut(&number).expect("it reports");
                    known.iter_mut().for_each(|heard| heard.is_gap = true);
                }
                ReportOutcome::Known | ReportOutcome::Behind(_) => {}
            }
        }
    }

    /// Every computer scans what there is now, and what it finds gets to the site.
    pub(super) async fn catch_up(&mut self) {
        self.complete().await;
        for number in self.computers.keys().copied().collect::<Vec<_>>() {
            self.happens(Step::Scan(number, true));
            // It is behind, or something is missing, or all is well.
            for _ in 0..3 {
                self.send(number, Fate::Arrives).await;
            }
            let computer = &self.computers[&number];
            assert!(!computer.wants_full, "nothing is missing of {number}");
            let heard = self.truth.known[&number].as_ref().expect("it was heard");
            assert!(!heard.is_gap, "there is no gap of {number}");
        }
    }

    /// As a site takes a report.
    pub(super) async fn take(&self, report: StateReport) -> ReportOutcome {
        let taken = self.site.db.write(move |w| {
            let held = w.holding(report.client)?;
            let updates = report.changes.iter().map(|change| change.update.id);
            let items = w.item_numbers(held.as_ref(), updates)?;
            let folded = compliance::fold(held.as_ref(), &report, &items);
            if let Some(holding) = &folded.write {
                w.write_holding(holding)?;
            }
            Ok::<_, site_db::Error>(folded.outcome)
        });
        taken.await.expect("taken")
    }

    /// The board as its keeper makes it.
    pub(super) async fn keep_board(&self) {
        let read = self.site.db.read(|r| {
            let (mut clients, mut vectors) = (Vec::new(), Vec::new());
            r.visit_standings(|standing| {
                clients.push(standing.client);
                vectors.extend(standing.vector.and_then(|vector| vector.vector));
            })?;
            Ok::<_, site_db::Error>(Board::rebuild(clients, vectors))
        });
        self.site.board.replace(read.await.expect("read"));
    }
}
