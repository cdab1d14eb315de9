//! What an agent says of itself to whoever runs it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{ClientId, ComplianceState, RefusedServer, Timestamp, UpdateId};
use rpc::limits::REFUSED_TEXT_BYTES_MAX as TOLD_BYTES_MAX;

use crate::store::Store;
use crate::{Error, limits};

/// The agent's own view of its states; site and agent must agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub client: ClientId,
    pub incarnation: u64,
    /// Of the last state message.
    pub serial: u64,
    /// The catalog version of the last scan.
    pub covered: u64,
    pub scan_error: Option<String>,
    pub required: u64,
    pub installed: u64,
    pub not_required: u64,
    pub unknown: u64,
    /// Reports that no management point has acknowledged.
    pub unsent: u64,
    /// How often an installer was started, by update.
    pub runs: BTreeMap<UpdateId, u32>,
    /// Servers that were not believed since the start, the newest last.
    pub refusals: Vec<Refusal>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub url: String,
    pub reason: String,
    pub at: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals(Arc<Mutex<Refused>>);

#[derive(Debug, Default)]
struct Refused {
    /// The newest last.
    all: VecDeque<Refusal>,
    /// What the client has not taken up, the oldest first. The same comes again only when it is no
    /// longer among `all`, so that a server that stays bad is no flood.
    untold: VecDeque<RefusedServer>,
}

impl Refusals {
    pub(crate) fn note(&self, url: &str, reason: &str, at: Timestamp) {
        tracing::warn!(url, reason, "a server was refused");
        let Refused { all, untold } = &mut *self.lock();
        let is_known = all.iter().any(|known| known.url == url && known.reason == reason);
        if !is_known && untold.len() < limits::REFUSALS_MAX {
            untold.push_back(RefusedServer { url: cut(url), reason: cut(reason) });
        }
        if all.len() >= limits::REFUSALS_MAX {
            all.pop_front();
        }
        all.push_back(Refusal { url: url.to_owned(), reason: reason.to_owned(), at });
    }

    /// What the client has not taken up yet.
    pub(crate) fn take_untold(&self) -> Vec<RefusedServer> {
        self.lock().untold.drain(..).collect()
    }

    pub(crate) fn list(&self) -> Vec<Refusal> {
        self.lock().all.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(TOLD_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A look at an agent, also while it runs.
#[derive(Clone, Debug)]
pub struct View {
    pub(crate) client: ClientId,
    pub(crate) store: Store,
    pub(crate) refusals: Refusals,
}

impl View {
    pub async fn summary(&self) -> Result<Summary, Error> {
        let record = self.store.record().await?;
        let states = self.store.states().await?;
        let runs = self.store.runs().await?.into_iter();
        let count =
            |wanted| states.values().filter(|held| held.state.state == wanted).count() as u64;
        let required = count(ComplianceState::Required);
        let installed = count(ComplianceState::Installed);
        let rest = record.updates.saturating_sub(required + installed);
        // What was said stands; silence says nothing where the last scan failed.
        let unknown = match record.scan_error {
            Some(_) => rest,
            None => count(ComplianceState::Unknown).min(rest),
        };
        Ok(Summary {
            client: self.client,
            incarnation: record.incarnation,
            serial: record.serial,
            covered: record.covered,
            scan_error: record.scan_error,
            required,
            installed,
            not_required: rest - unknown,
            unknown,
            unsent: self.store.unsent().await?,
            runs: runs
                .filter(|(_, run)| run.attempts > 0)
                .map(|(id, r)| (id, r.attempts))
                .collect(),
            refusals: self.refusals.list(),
        })
    }
}
