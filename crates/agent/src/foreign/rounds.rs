//! A scan of the server: SyncUpdates until nothing is needed, and what the answers change here.
//!
//! Documents are stored as soon as they are told of, so a scan that breaks off goes on where it
//! was. A server that tells the same again, or says that there is more and brings nothing, is not
//! asked any further.

use std::collections::{BTreeMap, BTreeSet};

use model::{UpdateId, UpdateRef, error_chain};
use update_catalog::{Batch, Catalog};
use update_metadata::sdp::Rejected;
use update_metadata::{Applicability, Document};
use wsus_protocol::Escaped;
use wsus_protocol::client::{
    Deployment, ExtendedUpdateInfo, FragmentType, GetExtendedUpdateInfo, SyncInfo, SyncUpdates,
    UpdateInfo,
};
use wsus_protocol::fragments::join;

use super::memory::{Known, Memory, Told};
use super::{Cost, Followed, Foreign, Judge, is_reported, limits};
use crate::Error;

/// The languages of titles, most wanted first.
const LOCALES: [&str; 2] = ["en-US", "en"];

/// What the server tells of an update beyond what a scan needs.
#[derive(Default)]
struct Details {
    extended: String,
    texts: Vec<String>,
}

/// A revision as a round brings it: its number, its Core fragment, how it is deployed.
struct New {
    id: i32,
    is_leaf: bool,
    core: Escaped,
    deployment: Deployment,
}

impl Foreign {
    pub(super) async fn follow_within(
        &mut self,
        catalog: &Catalog,
        judge: &mut dyn Judge,
    ) -> Result<Followed, Error> {
        let (requests, received) = (self.web.requests, self.web.received);
        let last = std::mem::take(&mut self.memory);
        self.memory = Memory::read(catalog, &mut *judge).await?;
        self.memory.cookie = last.cookie.or(self.memory.cookie.take());
        let mut cost = Cost::default();
        let outcome = self.rounds(catalog, judge, received, &mut cost).await;
        // Whatever was learned before a failure need not be told again.
        self.memory.keep(catalog).await?;
        outcome?;
        self.sweep(catalog).await?;
        cost.requests = self.web.requests - requests;
        cost.received = self.web.received - received;
        let (version, actions) = (complete(catalog).await?, self.memory.updates());
        tracing::info!(
            url = self.server.url,
            requests = cost.requests,
            rounds = cost.rounds,
            updates = actions.len(),
            "an update service outside of the hierarchy was followed"
        );
        Ok(Followed { version, actions, cost })
    }

    async fn rounds(
        &mut self,
        catalog: &Catalog,
        judge: &mut dyn Judge,
        received: usize,
        cost: &mut Cost,
    ) -> Result<(), Error> {
        loop {
            cost.rounds += 1;
            let info: SyncInfo = self.ask(sync).await?;
            let is_more = info.is_truncated || info.new.iter().any(|new| !new.is_leaf);
            let is_news = !info.new.is_empty();
            cost.new += info.new.len();
            cost.changed += info.changed.len();
            cost.dropped += info.out_of_scope.len() + info.deployed_out_of_scope.len();
            self.take(catalog, &mut *judge, info).await?;
            if !is_more {
                return Ok(());
            }
            if !is_news {
                return Err(self.gives_up("it says that there is more, and tells nothing new"));
            }
            if cost.rounds >= limits::ROUNDS_MAX {
                return Err(self.gives_up("it does not end; the next scan goes on from here"));
            }
            if self.web.received - received > limits::SCAN_BYTES_MAX {
                return Err(self.gives_up("it sends more than a gigabyte"));
            }
            if cost.rounds.is_multiple_of(limits::ROUNDS_PER_WRITE) {
                self.memory.keep(catalog).await?;
            }
        }
    }

    async fn take(
        &mut self,
        catalog: &Catalog,
        judge: &mut dyn Judge,
        info: SyncInfo,
    ) -> Result<(), Error> {
        let dropped = info.out_of_scope.iter().chain(&info.deployed_out_of_scope);
        let dropped: Vec<Known> = dropped.filter_map(|id| self.memory.known.remove(id)).collect();
        self.let_go(catalog, dropped).await?;
        for UpdateInfo { id, deployment, is_leaf, xml: _ } in info.changed {
            // What was never told is told as new, once it is not among what is held.
            let Some(known) = self.memory.known.get_mut(&id) else { continue };
            known.is_leaf = is_leaf;
            known.action = deployment.map_or(known.action, |deployment| deployment.action);
        }
        // It says that what changed is known, and new is what is not held.
        self.take_cookie(info.new_cookie)?;
        let (mut chunk, size) = (Vec::new(), self.details_at_once());
        for new in info.new {
            chunk.push(self.admit(new, &chunk)?);
            if chunk.len() == size {
                self.learn(catalog, &mut *judge, std::mem::take(&mut chunk)).await?;
            }
        }
        self.learn(catalog, judge, chunk).await
    }

    /// The native client fails without text or deployment, and where something is told twice.
    fn admit(&self, new: UpdateInfo, others: &[New]) -> Result<New, Error> {
        let UpdateInfo { id, deployment, is_leaf, xml } = new;
        if self.memory.known.contains_key(&id) || others.iter().any(|other| other.id == id) {
            return Err(self.gives_up(&format!("it tells of revision {id} twice")));
        }
        if self.memory.known.len() + others.len() >= limits::UPDATES_MAX {
            let reason = format!("it tells of more than {} updates", limits::UPDATES_MAX);
            return Err(self.gives_up(&reason));
        }
        let (Some(deployment), Some(core)) = (deployment, xml) else {
            let reason = format!("revision {id} comes without what every revision needs");
            return Err(self.gives_up(&reason));
        };
        Ok(New { id, is_leaf, core, deployment })
    }

    async fn learn(
        &mut self,
        catalog: &Catalog,
        judge: &mut dyn Judge,
        chunk: Vec<New>,
    ) -> Result<(), Error> {
        let mut details = self.details(&chunk).await?;
        let (mut documents, mut updates, mut learned) = (Vec::new(), BTreeSet::new(), Vec::new());
        for New { id, is_leaf, core, deployment } in chunk {
            let details = details.remove(&id).unwrap_or_default();
            let (mut update, mut is_installed) = (None, false);
            match document(&core, &details) {
                Ok((xml, document)) => {
                    is_installed = judge.judge(&document).await == Applicability::Installed;
                    update = Some(document.update);
                    updates.insert(document.update.id);
                    documents.push(xml);
                }
                Err(reason) => {
                    let url = &self.server.url;
                    tracing::warn!(url, revision = id, reason, "an update cannot be read");
                }
            }
            let (action, told) = (deployment.action, Told::Nothing);
            learned.push((id, Known { update, is_leaf, action, told, is_installed }));
        }
        self.store(catalog, documents, &updates).await?;
        // What was known of another revision of an update goes on with this one.
        let told: BTreeMap<UpdateId, Told> = self.told();
        for (_, known) in &mut learned {
            let told = known.update.and_then(|update| told.get(&update.id));
            known.told = told.copied().unwrap_or(known.told);
        }
        self.memory.stored.extend(updates);
        self.memory.known.extend(learned);
        Ok(())
    }

    fn told(&self) -> BTreeMap<UpdateId, Told> {
        let known = self.memory.known.values();
        known.filter_map(|known| Some((known.update?.id, known.told))).collect()
    }

    /// A server that was set up anew may give another text to a revision that is here.
    async fn store(
        &self,
        catalog: &Catalog,
        documents: Vec<String>,
        updates: &BTreeSet<UpdateId>,
    ) -> Result<(), Error> {
        if documents.is_empty() {
            return Ok(());
        }
        let is_here = !self.memory.stored.is_disjoint(updates);
        let again = if is_here { documents.clone() } else { Vec::new() };
        let imported = catalog.import(Batch { documents, ..Batch::default() }).await?;
        let mut rejected = imported.rejected;
        if !rejected.is_empty() && is_here {
            catalog.remove(updates.iter().copied().collect()).await?;
            let batch = Batch { documents: again, ..Batch::default() };
            rejected = catalog.import(batch).await?.rejected;
        }
        for Rejected { place, reason } in rejected {
            tracing::warn!(url = self.server.url, place, reason, "a document was rejected");
        }
        Ok(())
    }

    /// What an administrator sees of those that are reported on; the rest is only evaluated.
    async fn details(&mut self, chunk: &[New]) -> Result<BTreeMap<i32, Details>, Error> {
        let shown = chunk.iter().filter(|new| is_reported(new.deployment.action));
        let revisions: Vec<i32> = shown.map(|new| new.id).collect();
        let mut details: BTreeMap<i32, Details> = BTreeMap::new();
        if revisions.is_empty() {
            return Ok(details);
        }
        let info: ExtendedUpdateInfo = self
            .ask(|foreign| GetExtendedUpdateInfo {
                cookie: foreign.memory.cookie.clone(),
                revisions: revisions.clone(),
                fragments: vec![FragmentType::Extended, FragmentType::LocalizedProperties],
                locales: LOCALES.map(str::to_owned).to_vec(),
                device_attributes: None,
                geo_id: None,
                caller_attributes: None,
            })
            .await?;
        for update in info.updates {
            if !revisions.contains(&update.id) {
                let reason = format!("it details revision {}, unasked", update.id);
                return Err(self.gives_up(&reason));
            }
            let (details, text) = (details.entry(update.id).or_default(), update.xml.to_text());
            match text.trim_start().starts_with("<LocalizedProperties") {
                true => details.texts.push(text),
                false => details.extended.push_str(&text),
            }
        }
        Ok(details)
    }

    /// The catalog shows the latest revision alone: it goes with its update, unless a later one
    /// is there. An earlier one is told again.
    async fn let_go(&mut self, catalog: &Catalog, dropped: Vec<Known>) -> Result<(), Error> {
        let mut latest: BTreeMap<UpdateId, u32> = BTreeMap::new();
        for update in self.memory.known.values().filter_map(|known| known.update) {
            let known = latest.entry(update.id).or_default();
            *known = update.revision.max(*known);
        }
        let is_last = |update: &UpdateRef| {
            latest.get(&update.id).is_none_or(|latest| *latest <= update.revision)
        };
        let dropped = dropped.into_iter().filter_map(|known| known.update).filter(is_last);
        let gone: BTreeSet<UpdateId> = dropped.map(|update| update.id).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let is_gone = |known: &Known| known.update.is_some_and(|update| gone.contains(&update.id));
        self.memory.known.retain(|_, known| !is_gone(known));
        self.remove(catalog, gone.into_iter().collect()).await
    }

    /// Removes documents of what the server does not know any more since it was set up anew.
    async fn sweep(&mut self, catalog: &Catalog) -> Result<(), Error> {
        let told = self.memory.updates();
        let stored = self.memory.stored.iter().copied();
        let strays = stored.filter(|id| !told.contains_key(id)).collect();
        self.remove(catalog, strays).await
    }

    async fn remove(&mut self, catalog: &Catalog, updates: Vec<UpdateId>) -> Result<(), Error> {
        for updates in updates.chunks(limits::REMOVED) {
            catalog.remove(updates.to_vec()).await?;
            for id in updates {
                self.memory.stored.remove(id);
            }
        }
        Ok(())
    }

    fn gives_up(&self, reason: &str) -> Error {
        Error::ForeignScan { url: self.server.url.clone(), reason: reason.to_owned() }
    }
}

fn sync(foreign: &Foreign) -> SyncUpdates {
    SyncUpdates { cookie: foreign.memory.cookie.clone(), parameters: foreign.memory.held() }
}

/// The document of a revision, and what it says; or why there is none.
fn document(core: &Escaped, details: &Details) -> Result<(String, Document), String> {
    let texts: Vec<&str> = details.texts.iter().map(String::as_str).collect();
    let joined = join(&core.to_text(), &details.extended, &texts);
    let xml = joined.map_err(|error| error_chain(&error))?;
    let document = Document::parse(xml.as_bytes()).map_err(|error| error_chain(&error))?;
    Ok((xml, document))
}

/// The version of the catalog as it stands.
async fn complete(catalog: &Catalog) -> Result<u64, Error> {
    let state = catalog.state().await?;
    match state.version {
        Some((last, changes)) if changes == state.changes => Ok(last.version),
        last => {
            let next = last.map_or(1, |(last, _)| last.version + 1);
            Ok(catalog.complete_version(next).await?.version)
        }
    }
}
