//! The plan of a site, kept, so that a few changed clients are planned without the others.
//!
//! What a client gets depends on the objects of the site and on that client alone. A [`Frame`] has
//! what comes from objects; clients are laid into it, all at first and then those that change. If
//! an object changes, or time alone changes something, a new planner is made.

use std::collections::BTreeMap;

use model::{ClientId, DeploymentId, RoleKind, ServerList, SettingsProfile, Window};

use crate::frame::{Acting, Frame, SPREAD_MINUTES, reach};
use crate::rollout::has;
use crate::{
    Audience, ClientPlan, Missing, Outcome, Part, PolicyPlan, World, resultant, window_list,
};

/// The setting that takes all deployments off a client (CSET-01).
const ENABLED: &str = "software_updates.enabled";

/// The setting that spreads deployments made by hand (CSET-09).
const RANDOMIZES: &str = "deadline.randomize";

#[derive(Clone, Debug)]
pub struct Planner {
    frame: Frame,
    plan: PolicyPlan,
    /// Which parts are no assignments.
    shared: Vec<u32>,
    /// By deployment, and whether it is spread.
    assignments: BTreeMap<(DeploymentId, bool), u32>,
}

/// Clients laid into the frame.
struct Laid {
    clients: Vec<ClientPlan>,
    options_wait: Vec<Missing>,
    windows_wait: Vec<Missing>,
    switch_waits: Vec<Missing>,
    /// For each acting deployment, whom it waits for.
    waiting: Vec<Vec<Missing>>,
}

/// What the settings of a client come to.
#[derive(Clone, Copy, Debug)]
struct Told {
    settings: u32,
    options: Option<u32>,
    is_on: bool,
    is_spread: bool,
}

impl Planner {
    /// Plans for everybody.
    #[must_use]
    pub fn new(world: &World) -> Planner {
        let frame = Frame::new(world);
        let plan = PolicyPlan { next_change: frame.next_change, ..PolicyPlan::default() };
        let (shared, assignments) = (Vec::new(), BTreeMap::new());
        let mut planner = Planner { frame, plan, shared, assignments };
        let laid = planner.lay(&world.audience);
        planner.plan.deployments = planner.frame.still.clone();
        for (acting, waiting) in planner.frame.acting.iter().zip(laid.waiting) {
            let outcome = match waiting.is_empty() {
                true => Outcome::Planned {
                    clients: 0,
                    updates: acting.assignment.updates.len(),
                    notes: acting.notes.clone(),
                },
                false => Outcome::Waiting(waiting),
            };
            planner.plan.deployments.insert(acting.assignment.deployment, outcome);
        }
        planner.plan.clients = laid.clients;
        planner.plan.options_wait = laid.options_wait;
        planner.plan.windows_wait = laid.windows_wait;
        planner.plan.switch_waits = laid.switch_waits;
        planner.count_all();
        planner
    }

    #[must_use]
    pub fn plan(&self) -> &PolicyPlan {
        &self.plan
    }

    #[must_use]
    pub fn into_plan(self) -> PolicyPlan {
        self.plan
    }

    /// Plans again for the clients of an audience, which are new or changed, and for those that
    /// are gone. Answers the clients whose parts are others now. None: what waits for what has
    /// changed, and everybody has to be planned again.
    pub fn apply(&mut self, audience: &Audience, gone: &[ClientId]) -> Option<Vec<ClientId>> {
        let laid = self.lay(audience);
        if !self.waits_like(&laid) {
            return None;
        }
        let mut changed = Vec::new();
        let mut added = Vec::new();
        for new in laid.clients {
            match self.plan.clients.binary_search_by_key(&new.client, |plan| plan.client) {
                Ok(index) if self.plan.clients[index] == new => {}
                Ok(index) => {
                    changed.push(new.client);
                    let old = std::mem::replace(&mut self.plan.clients[index], new);
                    self.count(&old.parts, |clients| clients.saturating_sub(1));
                    let new = self.plan.clients[index].parts.clone();
                    self.count(&new, |clients| clients + 1);
                }
                Err(_) => {
                    changed.push(new.client);
                    self.count(&new.parts, |clients| clients + 1);
                    added.push(new);
                }
            }
        }
        for client in gone {
            if let Ok(index) = self.plan.clients.binary_search_by_key(client, |plan| plan.client) {
                let parts = std::mem::take(&mut self.plan.clients[index].parts);
                self.count(&parts, |clients| clients.saturating_sub(1));
            }
        }
        // Every client has settings; one without parts was taken out above.
        self.plan.clients.retain(|plan| !plan.parts.is_empty());
        self.plan.clients.append(&mut added);
        self.plan.clients.sort_by_key(|plan| plan.client);
        Some(changed)
    }

    fn waits_like(&self, laid: &Laid) -> bool {
        let waits = |acting: &Acting| match &self.plan.deployments[&acting.assignment.deployment] {
            Outcome::Waiting(missing) => missing.clone(),
            _ => Vec::new(),
        };
        laid.options_wait == self.plan.options_wait
            && laid.windows_wait == self.plan.windows_wait
            && laid.switch_waits == self.plan.switch_waits
            && self.frame.acting.iter().map(waits).eq(laid.waiting.iter().cloned())
    }

    fn count_all(&mut self) {
        let mut counts = vec![0_u64; self.plan.parts.len()];
        for part in self.plan.clients.iter().flat_map(|plan| &plan.parts) {
            counts[*part as usize] += 1;
        }
        for (&(deployment, _), &part) in &self.assignments {
            if let Some(Outcome::Planned { clients, .. }) =
                self.plan.deployments.get_mut(&deployment)
            {
                *clients += counts[part as usize];
            }
        }
    }

    fn count(&mut self, parts: &[u32], change: impl Fn(u64) -> u64) {
        for part in parts {
            if let Part::Assignment(assignment) = &self.plan.parts[*part as usize]
                && let Some(Outcome::Planned { clients, .. }) =
                    self.plan.deployments.get_mut(&assignment.deployment)
            {
                *clients = change(*clients);
            }
        }
    }

    fn lay(&mut self, audience: &Audience) -> Laid {
        let end = audience.roster.numbers_end();
        let (mut profiles, mut windows) = (vec![Vec::new(); end], vec![Vec::new(); end]);
        let (mut options_wait, mut windows_wait) = (Vec::new(), Vec::new());
        let mut switch_waits = Vec::new();
        for (index, profile) in (0_u32..).zip(&self.frame.profiles) {
            match reach(profile, audience) {
                Ok(set) => audience.roster.numbers(&set).for_each(|n| profiles[n].push(index)),
                Err(missing) => {
                    switch_waits.extend(switches(profile).then(|| missing.clone()));
                    options_wait.push(missing);
                }
            }
        }
        for (index, window) in (0_u32..).zip(&self.frame.windows) {
            match audience.memberships.of(&window.collection) {
                Ok(set) => audience.roster.numbers(set).for_each(|n| windows[n].push(index)),
                Err(missing) => windows_wait.push(missing),
            }
        }
        let mut places = vec![0; end];
        for (index, near) in (0_usize..).zip(&audience.neighborhoods) {
            let set = audience.roster.set_of(near.clients.iter().copied());
            audience.roster.numbers(&set).for_each(|n| places[n] = index);
        }
        let servers: Vec<&ServerList> =
            audience.neighborhoods.iter().map(|near| &near.servers).collect();
        let mut memory = Memory::default();
        let mut laid = vec![(Vec::new(), false, false); end];
        for (_, number) in audience.roster.numbered() {
            let told = self.tell(&mut memory, &profiles[number], options_wait.is_empty());
            let near = self.near(&mut memory, (places[number], servers[places[number]]), told);
            let mut parts = vec![told.settings, near];
            parts.extend(told.options);
            if windows_wait.is_empty() {
                parts.extend(self.open(&mut memory, &windows[number]));
            }
            laid[number] = (parts, told.is_on, told.is_spread);
        }
        let waiting = self.assign(audience, &mut laid, (&switch_waits, &windows_wait));
        let plan = |(client, number): (ClientId, usize)| ClientPlan {
            client,
            // While it is not known, it is what it was.
            is_off: !laid[number].1 && switch_waits.is_empty(),
            parts: std::mem::take(&mut laid[number].0),
        };
        let clients = audience.roster.numbered().map(plan).collect();
        Laid { clients, options_wait, windows_wait, switch_waits, waiting }
    }

    /// Adds assignments to the parts of clients that are on; says which deployments wait.
    fn assign(
        &mut self,
        audience: &Audience,
        laid: &mut [(Vec<u32>, bool, bool)],
        (switch_waits, windows_wait): (&[Missing], &[Missing]),
    ) -> Vec<Vec<Missing>> {
        let mut waiting = Vec::with_capacity(self.frame.acting.len());
        for index in 0..self.frame.acting.len() {
            let acting = &self.frame.acting[index];
            let targets = match acting.targets(audience) {
                // Whoever had nothing must not get it because a switch cannot be seen.
                Ok(_) if !switch_waits.is_empty() => Err(switch_waits.to_vec()),
                // Nor at once because a window cannot be seen.
                Ok(_) if !windows_wait.is_empty() && !acting.ignores_windows() => {
                    Err(windows_wait.to_vec())
                }
                targets => targets,
            };
            let targets = match targets {
                Ok(targets) => targets,
                Err(missing) => {
                    waiting.push(missing);
                    continue;
                }
            };
            waiting.push(Vec::new());
            if acting.assignment.updates.is_empty() {
                continue;
            }
            let (id, share) = (acting.assignment.deployment, acting.share);
            let always = acting.assignment.spread_minutes > 0;
            let mut made = [None; 2];
            let clients = audience.roster.clients(&targets);
            for (number, client) in audience.roster.numbers(&targets).zip(clients) {
                let (_, is_on, is_spread) = laid[number];
                if !is_on || !has(client, id, share) {
                    continue;
                }
                let is_spread = always || is_spread;
                let part = *made[usize::from(is_spread)]
                    .get_or_insert_with(|| self.assignment(index, is_spread));
                laid[number].0.push(part);
            }
        }
        waiting
    }

    fn assignment(&mut self, acting: usize, is_spread: bool) -> u32 {
        let assignment = &self.frame.acting[acting].assignment;
        let next = index(self.plan.parts.len());
        let part = *self.assignments.entry((assignment.deployment, is_spread)).or_insert(next);
        if part == next {
            let mut assignment = assignment.clone();
            assignment.spread_minutes = if is_spread { SPREAD_MINUTES } else { 0 };
            self.plan.parts.push(Part::Assignment(assignment));
        }
        part
    }

    fn tell(&mut self, memory: &mut Memory, profiles: &[u32], options_known: bool) -> Told {
        if let Some(told) = memory.told.get(profiles) {
            return *told;
        }
        let all = &self.frame.profiles;
        let reaching: Vec<SettingsProfile> =
            profiles.iter().map(|index| all[*index as usize].clone()).collect();
        let resultant = resultant(&reaching);
        let options = Some(resultant.options()).filter(|o| options_known && !o.values.is_empty());
        let settings = self.intern(Part::Settings(resultant.settings(self.frame.settings)));
        let told = Told {
            settings,
            options: options.map(|options| self.intern(Part::Options(options))),
            is_on: resultant.is_on(ENABLED),
            is_spread: resultant.is_on(RANDOMIZES),
        };
        memory.told.insert(profiles.to_vec(), told);
        told
    }

    /// A client that is off needs no update point (SYNC-20).
    fn near(
        &mut self,
        memory: &mut Memory,
        (place, list): (usize, &ServerList),
        told: Told,
    ) -> u32 {
        if let Some(part) = memory.near.get(&(place, told.is_on)) {
            return *part;
        }
        let keeps = |kind| told.is_on || kind != RoleKind::SoftwareUpdatePoint;
        let servers = list.servers.iter().filter(|server| keeps(server.kind)).cloned().collect();
        let part = self.intern(Part::Servers(ServerList { servers }));
        memory.near.insert((place, told.is_on), part);
        part
    }

    fn open(&mut self, memory: &mut Memory, windows: &[u32]) -> Option<u32> {
        if windows.is_empty() {
            return None;
        }
        if let Some(part) = memory.open.get(windows) {
            return Some(*part);
        }
        let all = &self.frame.windows;
        let open: Vec<&Window> = windows.iter().map(|index| &all[*index as usize]).collect();
        let part = self.intern(Part::Windows(window_list(open)));
        memory.open.insert(windows.to_vec(), part);
        Some(part)
    }

    /// The index of a part that is no assignment: there are few of them.
    fn intern(&mut self, part: Part) -> u32 {
        let same = |known: &&u32| self.plan.parts[**known as usize] == part;
        if let Some(known) = self.shared.iter().find(same) {
            return *known;
        }
        let next = index(self.plan.parts.len());
        self.shared.push(next);
        self.plan.parts.push(part);
        next
    }
}

/// What was worked out for other clients of the same audience.
#[derive(Debug, Default)]
struct Memory {
    told: BTreeMap<Vec<u32>, Told>,
    near: BTreeMap<(usize, bool), u32>,
    open: BTreeMap<Vec<u32>, u32>,
}

fn switches(profile: &SettingsProfile) -> bool {
    profile.values.iter().any(|(name, _)| name == ENABLED)
}

fn index(parts: usize) -> u32 {
    u32::try_from(parts).expect("there are far fewer parts than 2^32")
}
