//! A scan: SyncUpdates until nothing is needed, and what the answers mean for the computer.
//!
//! Owns the lists that are sent (MS-WUSP 3.1.5.7) and the states that come of the rules. A
//! revision is cached as soon as it is told of, so a scan that breaks off goes on where it was.

use std::collections::BTreeMap;

use model::{UpdateId, UpdateRef};
use update_metadata::{Applicability, evaluate};
use wsus_protocol::client::{SyncInfo, SyncParameters, SyncUpdates, UpdateInfo};

use super::{Agent, Error, Known, id_of};

/// The native client gives up after so many.
pub(super) const STEPS_MAX: usize = 200;
/// Bundles in bundles.
const NESTING_MAX: usize = 8;

/// What a scan cost and brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// SOAP requests of every kind, and the bytes of their answers as text.
    pub requests: usize,
    pub received: usize,
    /// Steps of the pass for software.
    pub steps: usize,
    pub new: usize,
    pub changed: usize,
    pub dropped: usize,
}

impl Agent {
    /// Judges what is known anew, asks until nothing is needed, and notes the event that follows.
    pub async fn scan(&mut self) -> Result<Scan, Error> {
        let (requests, received) = (self.requests, self.received);
        match self.software_pass().await {
            Ok(scan) => {
                self.note_detection();
                let (requests, received) = (self.requests - requests, self.received - received);
                Ok(Scan { requests, received, ..scan })
            }
            Err(error) => {
                self.note_failed_detection(&error);
                Err(error)
            }
        }
    }

    async fn software_pass(&mut self) -> Result<Scan, Error> {
        self.judge_anew();
        let mut scan = Scan::default();
        loop {
            scan.steps += 1;
            let info = self.step().await?;
            scan.new += info.new.len();
            scan.changed += info.changed.len();
            scan.dropped += info.out_of_scope.len() + info.deployed_out_of_scope.len();
            let is_more = info.is_truncated || info.new.iter().any(|new| !new.is_leaf);
            if !is_more {
                if info.driver_sync_not_needed != Some(true) {
                    self.driver_pass().await?;
                }
                return Ok(scan);
            }
            if scan.steps >= STEPS_MAX {
                return Err(Error::Steps);
            }
        }
    }

    /// One step of the pass for software, and what it changes in the cache.
    pub async fn step(&mut self) -> Result<SyncInfo, Error> {
        let info = self.sync(|agent| agent.held()).await?;
        for id in info.out_of_scope.iter().chain(&info.deployed_out_of_scope) {
            self.known.remove(id);
        }
        for changed in &info.changed {
            self.change(changed)?;
        }
        for new in &info.new {
            self.learn(new)?;
        }
        Ok(info)
    }

    /// Computers without devices have no drivers to ask for.
    async fn driver_pass(&mut self) -> Result<(), Error> {
        let skip = SyncParameters { skip_software: true, ..SyncParameters::default() };
        self.sync(|_| skip.clone()).await.map(drop)
    }

    /// SyncUpdates with these parameters; the answer changes nothing but the cookie.
    pub async fn sync(
        &mut self,
        parameters: impl Fn(&Agent) -> SyncParameters,
    ) -> Result<SyncInfo, Error> {
        let request = |agent: &Agent| SyncUpdates {
            cookie: agent.cookie.clone(),
            parameters: parameters(agent),
        };
        let info: SyncInfo = self.ask(request).await?;
        if info.new_cookie.is_some() {
            self.cookie.clone_from(&info.new_cookie);
        }
        Ok(info)
    }

    /// What a step tells the server: installed prerequisites, and all the rest.
    #[must_use]
    pub fn held(&self) -> SyncParameters {
        let is_base = |known: &Known| !known.is_leaf && known.own_state == Applicability::Installed;
        let (installed, others): (Vec<_>, Vec<_>) =
            self.known.iter().partition(|(_, known)| is_base(known));
        SyncParameters {
            installed_non_leaf: installed.into_iter().map(|(id, _)| *id).collect(),
            other_cached: others.into_iter().map(|(id, _)| *id).collect(),
            need_two_groups: true,
            ..SyncParameters::default()
        }
    }

    fn learn(&mut self, new: &UpdateInfo) -> Result<(), Error> {
        let id = new.id;
        let (Some(deployment), Some(xml)) = (new.deployment.clone(), &new.xml) else {
            return Err(Error::Bare { id });
        };
        let text = xml.to_text();
        let read = self.setup.documents.read(&text);
        let document = read.map_err(|source| Error::Text { id, text, source })?;
        let UpdateRef { id: update_id, revision } = document.update;
        let update = wsus_protocol::UpdateIdentity { update_id: update_id.0, revision };
        let own_state = evaluate(&document, self.setup.computer.facts());
        let known = Known { update, is_leaf: new.is_leaf, deployment, document, own_state };
        match self.known.insert(id, known) {
            None => Ok(()),
            Some(_) => Err(Error::Twice { id }),
        }
    }

    /// Texts come again only where they changed, which those of one revision never do.
    fn change(&mut self, changed: &UpdateInfo) -> Result<(), Error> {
        let known = self.known.get_mut(&changed.id);
        let (Some(known), Some(deployment)) = (known, changed.deployment.clone()) else {
            return Err(Error::Bare { id: changed.id });
        };
        (known.is_leaf, known.deployment) = (changed.is_leaf, deployment);
        Ok(())
    }

    pub(super) fn judge_anew(&mut self) {
        let facts = self.setup.computer.facts();
        for known in self.known.values_mut() {
            known.own_state = evaluate(&known.document, facts);
        }
    }

    /// What each update is to the computer, bundles by their members.
    #[must_use]
    pub fn states(&self) -> BTreeMap<UpdateId, Applicability> {
        let by_update: BTreeMap<UpdateId, &Known> =
            self.known.values().map(|known| (id_of(&known.update), known)).collect();
        by_update.iter().map(|(id, known)| (*id, state(known, &by_update, 0))).collect()
    }

    /// What is installed for an update: itself, or for each part of a bundle that is needed a
    /// member.
    pub(super) fn parts(&self, update: UpdateId) -> Vec<UpdateId> {
        let by_update: BTreeMap<UpdateId, &Known> =
            self.known.values().map(|known| (id_of(&known.update), known)).collect();
        let Some(known) = by_update.get(&update) else { return Vec::new() };
        let groups = &known.document.relations.bundled;
        if groups.is_empty() {
            return vec![update];
        }
        let needed = |member: &&UpdateRef| {
            let known = by_update.get(&member.id);
            known.is_some_and(|k| state(k, &by_update, 0) == Applicability::Applicable)
        };
        let chosen = groups.iter().filter_map(|group| group.iter().find(needed));
        chosen.flat_map(|member| self.parts(member.id)).collect()
    }
}

fn state(known: &Known, all: &BTreeMap<UpdateId, &Known>, depth: usize) -> Applicability {
    let groups = &known.document.relations.bundled;
    let rules = &known.document.rules;
    let is_silent = rules.is_installed.is_none() && rules.is_installable.is_none();
    if groups.is_empty() || depth > NESTING_MAX {
        return known.own_state.clone();
    }
    // A bundle that says nothing itself is what its members are.
    if !is_silent && known.own_state != Applicability::Applicable {
        return known.own_state.clone();
    }
    let member = |member: &UpdateRef| match all.get(&member.id) {
        Some(known) => state(known, all, depth + 1),
        None => Applicability::NotApplicable,
    };
    // A part is there if one of its members is; the least finished part decides.
    let part = |group: &Vec<UpdateRef>| group.iter().map(member).min_by_key(of_one);
    let parts = groups.iter().filter_map(part);
    parts.min_by_key(of_all).unwrap_or(Applicability::NotApplicable)
}

fn of_one(state: &Applicability) -> u8 {
    match state {
        Applicability::Installed => 0,
        Applicability::Applicable => 1,
        Applicability::Unknown(_) => 2,
        Applicability::NotApplicable => 3,
    }
}

fn of_all(state: &Applicability) -> u8 {
    match state {
        Applicability::Applicable => 0,
        Applicability::Unknown(_) => 1,
        Applicability::Installed => 2,
        Applicability::NotApplicable => 3,
    }
}
