//! Opening what an agent remembers.
//!
//! Owns what happens to what cannot be used: it is set aside, and the agent goes on without it. A
//! memory that is damaged, or another client's, begins anew with a new incarnation, to which the
//! site gives everything again; an index of content is made anew from the files. After a newer
//! version of the agent, which was given up, what was remembered before it takes its place. What
//! only cannot be opened now, on a full disk or without the right to, is an error.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use ambient::Ambient;
use client::Memory;
use content_library::ContentLibrary;
use model::{ClientId, PeerIdentity, error_chain};
use sqlite_engine::Executor;

use super::Config;
use crate::agent_update::Releases;
use crate::cache::Cache;
use crate::inventory::Told;
use crate::quarantine::{Found, Quarantine};
use crate::store::Store;
use crate::{Error, custody};

/// All that is kept in the data directory.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) memory: Memory,
    pub(super) library: ContentLibrary,
    pub(super) cache: Cache,
    pub(super) told: Told,
    pub(super) quarantine: Quarantine,
}

impl Opened {
    pub(super) async fn of(
        config: &Config,
        ambient: &Ambient,
        own: &PeerIdentity,
        client: ClientId,
    ) -> Result<Opened, Error> {
        let (data, executor) = (&config.data, config.executor);
        prepare(data)?;
        let quarantine = Quarantine::within(data, ambient.clone())?;
        let place = Place { ambient, data, own, executor, quarantine: &quarantine };
        let (store, memory) = place.memory().await?;
        let library = place.library()?;
        let cache = Cache::new(data, executor, quarantine.clone())?;
        let told = Told::open(&data.join("inventory"), client, &quarantine)?;
        Ok(Opened { store, memory, library, cache, told, quarantine })
    }
}

struct Place<'a> {
    ambient: &'a Ambient,
    data: &'a Path,
    own: &'a PeerIdentity,
    executor: Executor,
    quarantine: &'a Quarantine,
}

impl Place<'_> {
    async fn memory(&self) -> Result<(Store, Memory), Error> {
        match self.recall().await {
            Err(error) if error.is_damage() => {
                let path = self.data.join("agent.db");
                let (found, reason) = (Found::database(&path), error_chain(&error));
                self.quarantine.set_aside("what the agent remembered", &reason, found)?;
                if error.is_of_newer() && Store::put_back(&path)? {
                    tracing::warn!(
                        "the agent goes on with what it remembered before the newer one"
                    );
                }
                self.recall().await
            }
            recalled => recalled,
        }
    }

    async fn recall(&self) -> Result<(Store, Memory), Error> {
        let path = self.data.join("agent.db");
        let store = Store::open(self.ambient, &path, self.own, self.executor)?;
        let read = self.read(&store).await;
        if read.is_err() {
            // It may be moved now.
            store.close().await;
        }
        Ok((store, read?))
    }

    /// Reports that cannot be read do not make the rest useless: the site is told everything.
    async fn read(&self, store: &Store) -> Result<Memory, Error> {
        store.is_of(self.own).await?;
        let (memory, damaged) = store.memory().await?;
        let Some(first) = damaged.first() else { return Ok(memory) };
        let reason = error_chain(&first.source);
        let serials = damaged.iter().map(|report| report.serial).collect();
        let parts = damaged.into_iter().map(|report| {
            let name = format!("report-{}", report.serial);
            (name, report.body)
        });
        let parts = Found::Parts(parts.collect());
        self.quarantine.set_aside("reports that were not sent", &reason, parts)?;
        store.forget_damaged(serials).await?;
        Ok(memory)
    }

    fn library(&self) -> Result<ContentLibrary, Error> {
        let root = self.data.join("content");
        let open = || ContentLibrary::open(self.ambient.clone(), &root, self.executor);
        match open().map_err(Error::Content) {
            Err(error) if error.is_damage() => {
                let found = Found::database(&root.join("index.db"));
                let reason = error_chain(&error);
                self.quarantine.set_aside("the index of content", &reason, found)?;
                Ok(open()?)
            }
            opened => opened,
        }
    }
}

/// Whoever may write into the data directory decides what is run.
fn prepare(data: &Path) -> Result<(), Error> {
    let failed =
        |operation| move |source| Error::Files { operation, path: data.to_owned(), source };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(failed("make"))?;
    // It may be a link to a larger disk; the way there is looked at before.
    custody::check(&data.canonicalize().map_err(failed("look at"))?)
}

/// Problems of what an agent remembers, and files of its cache that are damaged; those are taken
/// out and fetched again. Makes nothing that is not there.
pub(crate) async fn check(data: &Path) -> Result<Vec<String>, Error> {
    Releases::within(data).check()?;
    let store = Store::existing(&data.join("agent.db"))?;
    let mut problems = store.check().await?;
    if problems.is_empty() {
        let (_, damaged) = store.memory().await?;
        let said = damaged.iter().map(|report| {
            let reason = error_chain(&report.source);
            format!("the report that ends with serial {} cannot be read: {reason}", report.serial)
        });
        problems.extend(said);
    }
    tracing::info!(path = %data.join("agent.db").display(), "what the agent remembers was checked");
    let content = data.join("content");
    if content.join("index.db").exists() {
        let library = ContentLibrary::open(Ambient::system(), &content, Executor::Inline)?;
        problems.extend(library.check().await?.iter().map(ToString::to_string));
        let files = library.list().await?.len();
        tracing::info!(path = %content.display(), files, "content was checked");
    }
    Ok(problems)
}
