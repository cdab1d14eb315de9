//! What an agent says of itself to whoever runs it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use model::{ClientId, ComplianceState, Timestamp, UpdateId};

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
pub(crate) struct Refusals(Arc<Mutex<VecDeque<Refusal>>>);

impl Refusals {
    pub(crate) fn note(&self, url: &str, reason: &str, at: Timestamp) {
        tracing::warn!(url, reason, "a server was refused");
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.len() >= limits::REFUSALS_MAX {
            refusals.pop_front();
        }
        refusals.push_back(Refusal { url: url.to_owned(), reason: reason.to_owned(), at });
    }

    fn list(&self) -> Vec<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
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
