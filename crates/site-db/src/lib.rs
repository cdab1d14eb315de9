//! The site database: everything one site server knows.
//!
//! Owns the replicated objects (log and store in one), event streams, their projections for
//! queries, and the site's local tables. Objects are written through one function and nowhere
//! else, so that an object, its log entry, the stream's digest and its projection commit together
//! or not at all. Refuses to know links, roles and the outside; a batch from a neighbor is a value
//! that is applied whole or refused. A write that contradicts what is stored is an [`Error`] and
//! leaves nothing behind.

mod alerts;
mod articles;
mod backlogs;
mod bundles;
mod categories;
mod cleanup;
mod content;
mod db;
mod deployment_limits;
mod enrolments;
mod errands;
mod error;
mod events;
mod exports;
mod follow;
mod identity;
mod imports;
mod inventories;
mod items;
mod kept_members;
mod locations;
mod maintain;
mod objects;
mod own;
mod packages;
mod phases;
mod policies;
mod project;
mod put;
mod reconcile;
mod refresh;
mod rule_runs;
mod rulings;
mod settings;
mod states;
mod streams;
mod subscriptions;
mod superseding;
mod sync;
mod tokens;

pub use backlogs::Backlog;
pub use bundles::{CatalogFacts, Direction, Signer, StoredBundle, TrustedRoot};
pub use cleanup::{CLEANUP_AGE_DAYS, CLEANUP_EVERY_MS, CleanupRun};
pub use content::{ContentDemand, Found};
pub use db::{Changes, PlantedFault, Reader, SiteDb, Writer};
pub use deployment_limits::DEPLOYMENT_UPDATES_MAX;
pub use enrolments::{Decision, EnrolmentRequest};
pub use errands::{Errand, ErrandKind, ErrandReport};
pub use error::Error;
pub use events::{EventGap, StatusFilter};
pub use exports::{ExportStanding, PendingExport};
pub use follow::{BatchLimits, BatchRead};
pub use identity::{Identity, Recovering};
pub use imports::{Consent, GivenDocument, ImportReport, PendingImport};
pub use items::NumberedItem;
pub use maintain::{StreamCheck, age_logs, check_all, verify_all};
pub use own::Own;
pub use policies::{HeadPart, StoredHead};
pub use reconcile::Walk;
pub use replication::{Batch, Losses, Neighbor, StreamState};
pub use rule_runs::{RuleRun, RuleSeen, RunOutcome, RunStep};
pub use rulings::{CatalogRuling, own_ruling};
pub use sqlite_engine::{Error as EngineError, Executor, WriteTx};
pub use states::{Changed, ClientStanding, StandingVector};
pub use streams::Stream;
pub use subscriptions::Subscription;
pub use sync::{SyncPoint, SyncRequest, SyncRhythm, SyncRun, SyncSchedule, SyncSource, SyncStep};
pub use tokens::{StoredToken, TokenUse};

#[cfg(test)]
mod tests;
