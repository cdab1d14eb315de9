//! The handle of an open site database, and what closures get.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use ambient::Ambient;
use model::{Group, Timestamp};
use sqlite_engine::{Database, Durability, Executor, Options, ReadTx, Schema, WriteTx};
use tokio::sync::watch;
use trust::{Anchor, SigningKey};

use crate::locations::KeptMap;
use crate::{Error, Identity, Recovering};

pub(crate) const SCHEMA: Schema = Schema {
    name: "site",
    application_id: 0x544c_5344,
    migrations: &[include_str!("../schema/0001_create.sql")],
};

/// Deliberate defects, so that a test can show that it would notice them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlantedFault {
    None,
    /// The log holds keys only: a sender reads the current body, and nobody compares digests.
    #[cfg(feature = "planted-faults")]
    KeysOnly,
}

/// What every closure may use besides its transaction.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) identity: Identity,
    pub(crate) signer: SigningKey,
    pub(crate) anchor: Anchor,
    pub(crate) ambient: Ambient,
    pub(crate) fault: PlantedFault,
    pub(crate) changes: watch::Sender<Commits>,
    pub(crate) boundaries: KeptMap,
}

/// How many commits changed each group; the last counter is for local tables.
type Commits = [u64; 7];

/// An open site database. Clones share it.
#[derive(Clone, Debug)]
pub struct SiteDb {
    database: Database,
    pub(crate) context: Arc<Context>,
}

impl SiteDb {
    /// Opens or makes the database of one site. A file that belongs to another site is refused.
    pub fn open(
        path: &Path,
        executor: Executor,
        identity: Identity,
        (signer, anchor): (SigningKey, Anchor),
        ambient: Ambient,
    ) -> Result<SiteDb, Error> {
        SiteDb::open_planted(
            path,
            executor,
            identity,
            (signer, anchor),
            (ambient, PlantedFault::None),
        )
    }

    /// [`SiteDb::open`] with a deliberate defect.
    pub fn open_planted(
        path: &Path,
        executor: Executor,
        identity: Identity,
        (signer, anchor): (SigningKey, Anchor),
        (ambient, fault): (Ambient, PlantedFault),
    ) -> Result<SiteDb, Error> {
        let options = Options { executor, durability: Durability::Full };
        let database = Database::open(path, SCHEMA, options)?;
        let changes = watch::Sender::new([0; 7]);
        let boundaries = KeptMap::default();
        let context =
            Arc::new(Context { identity, signer, anchor, ambient, fault, changes, boundaries });
        let db = SiteDb { database, context };
        db.write_blocking(|w| w.claim())?;
        Ok(db)
    }

    /// Sets a restored file recovering before anything is served from it.
    pub fn mark_recovering(path: &Path, recovering: Recovering) -> Result<(), Error> {
        let options = Options { executor: Executor::Inline, durability: Durability::Full };
        let database = Database::open(path, SCHEMA, options)?;
        database.write_blocking(move |tx| crate::identity::set_recovering(tx, recovering))
    }

    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.context.identity
    }

    #[must_use]
    pub fn ambient(&self) -> &Ambient {
        &self.context.ambient
    }

    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.context.anchor
    }

    #[must_use]
    pub fn signer(&self) -> &SigningKey {
        &self.context.signer
    }

    pub async fn read<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<sqlite_engine::Error> + Send + 'static,
    {
        let context = Arc::clone(&self.context);
        self.database.read(move |tx| closure(&Reader { tx, context: &context })).await
    }

    /// Runs `closure` in a write transaction; `Ok` is durable.
    pub async fn write<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Writer<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<sqlite_engine::Error> + Send + 'static,
    {
        let context = Arc::clone(&self.context);
        self.database.write(move |tx| closure(&Writer::new(tx, &context))).await
    }

    pub fn read_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<sqlite_engine::Error> + Send + 'static,
    {
        let context = Arc::clone(&self.context);
        self.database.read_blocking(move |tx| closure(&Reader { tx, context: &context }))
    }

    pub fn write_blocking<T, E, F>(&self, closure: F) -> Result<T, E>
    where
        F: FnOnce(&Writer<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<sqlite_engine::Error> + Send + 'static,
    {
        let context = Arc::clone(&self.context);
        self.database.write_blocking(move |tx| closure(&Writer::new(tx, &context)))
    }

    /// Wake-ups after commits that changed one of `groups` (none named: local tables).
    #[must_use]
    pub fn watch(&self, groups: &[Group]) -> Changes {
        let mut receiver = self.context.changes.subscribe();
        let seen = *receiver.borrow_and_update();
        Changes { receiver, seen, groups: groups.to_vec() }
    }

    pub async fn backup(&self, path: &Path) -> Result<(), Error> {
        Ok(self.database.backup(path).await?)
    }

    /// Structural problems of the file.
    pub async fn check_file(&self) -> Result<Vec<String>, Error> {
        Ok(self.database.check().await?)
    }

    /// The layout as SQL text.
    pub async fn dump_schema(&self) -> Result<String, Error> {
        Ok(self.database.dump_schema().await?)
    }

    pub async fn close(&self) {
        self.database.close().await;
    }
}

/// A subscription to commits. Wake-ups carry no data.
#[derive(Debug)]
pub struct Changes {
    receiver: watch::Receiver<Commits>,
    seen: Commits,
    groups: Vec<Group>,
}

impl Changes {
    /// Returns once something changed since the last call; at once if it already has.
    pub async fn changed(&mut self) {
        loop {
            let now = *self.receiver.borrow_and_update();
            let moved = |group: &Group| now[slot(Some(*group))] != self.seen[slot(Some(*group))];
            let local = self.groups.is_empty() && now[slot(None)] != self.seen[slot(None)];
            let hit = local || self.groups.iter().any(moved);
            self.seen = now;
            if hit {
                return;
            }
            if self.receiver.changed().await.is_err() {
                // The database is gone; there will be no other change.
                std::future::pending::<()>().await;
            }
        }
    }
}

pub(crate) fn slot(group: Option<Group>) -> usize {
    group.map_or(6, |g| usize::from(g as u8) - 1)
}

/// A snapshot of the site database.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub(crate) tx: &'a ReadTx,
    pub(crate) context: &'a Context,
}

impl Reader<'_> {
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.context.identity
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.context.ambient.now_ms())
    }
}

/// The write transaction of the moment.
#[derive(Debug)]
pub struct Writer<'a> {
    pub(crate) write: &'a WriteTx,
    reader: Reader<'a>,
    shared: &'a Arc<Context>,
}

impl<'a> Writer<'a> {
    fn new(write: &'a WriteTx, shared: &'a Arc<Context>) -> Writer<'a> {
        Writer { write, reader: Reader { tx: write, context: shared }, shared }
    }

    /// Wakes subscribers of a group (none: of local tables) once this is committed.
    pub fn wake(&self, group: Option<Group>) {
        let context = Arc::clone(self.shared);
        self.write.on_commit(move || {
            context.changes.send_modify(|commits| commits[slot(group)] += 1);
        });
    }
}

impl<'a> Deref for Writer<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}
