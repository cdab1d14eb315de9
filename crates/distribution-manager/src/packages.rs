//! The reconciler of packages: from what they want to what they hold.
//!
//! One pass looks for wanted files in the content library, makes the next version of every package
//! that has all it wants (PKG-07, PKG-08), and says in the library what is needed at this site.

use std::collections::{BTreeMap, BTreeSet};

use content_library::ContentLibrary;
use model::{ContentManifest, Group, ObjectCode, Severity, Sha256, StatusMessage, error_chain};
use site_db::{ContentDemand, Found, SiteDb, Writer};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::limits::{COLLECT_EVERY, LEASE_MS};

const COMPONENT: &str = "SMS_DISTRIBUTION_MANAGER";

/// Before the code and the version of a package, its name as one who needs files.
const HOLDER: &str = "package ";

/// Before the code of a package, its name as one who has some of the files it waits for.
const WANTER: &str = "wanted ";

/// A package has a new content version: its code, the version and the number of files.
const PACKAGE_VERSION: u32 = 60_110;

#[derive(Debug)]
pub(crate) struct Packages {
    db: SiteDb,
    library: ContentLibrary,
    /// For whom the library keeps files; none before it was asked.
    held: Option<BTreeSet<String>>,
    /// The files it was told to keep for packages that wait for others; none before it was asked.
    wanted: Option<BTreeMap<String, BTreeSet<Sha256>>>,
    /// The files of published updates that it was told to keep.
    published: Option<BTreeSet<Sha256>>,
}

impl Packages {
    pub(crate) fn new(db: SiteDb, library: ContentLibrary) -> Packages {
        Packages { db, library, held: None, wanted: None, published: None }
    }

    pub(crate) async fn run(mut self, shutdown: &CancellationToken) {
        let mut local = self.db.watch(&[]);
        let mut manifests = self.db.watch(&[Group::Topology]);
        let mut collect = interval(COLLECT_EVERY);
        collect.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Err(error) = self.step().await {
                tracing::warn!(error = %error_chain(&error), "packages were not reconciled");
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = local.changed() => {}
                () = manifests.changed() => {}
                _ = collect.tick() => self.collect().await,
            }
        }
    }

    pub(crate) async fn collect(&self) {
        match self.library.collect_garbage(LEASE_MS).await {
            Ok(collected) if collected.files == 0 => {}
            Ok(collected) => tracing::info!(?collected, "content without a package was deleted"),
            Err(error) => {
                tracing::warn!(error = %error_chain(&error), "content was not collected");
            }
        }
    }

    /// One pass; says which packages have a new version.
    pub(crate) async fn step(&mut self) -> Result<Vec<ObjectCode>, Error> {
        let mut wanted: BTreeMap<ObjectCode, Vec<ContentDemand>> = BTreeMap::new();
        for mut demand in self.db.read(|r| r.demands()).await? {
            if demand.found == Found::Unknown {
                demand.found = self.look(&demand).await?;
            }
            wanted.entry(demand.package.clone()).or_default().push(demand);
        }
        self.hold_wanted(&wanted).await?;
        let mut complete = Vec::new();
        for (code, demands) in wanted {
            if self.are_stored(&demands).await? {
                let finished = code.clone();
                self.db.write(move |w| finish(w, &finished)).await?;
                complete.push(code);
            }
        }
        self.hold().await?;
        self.hold_published().await?;
        let left = self.db.read(|r| r.demands()).await?;
        self.let_go(&left.into_iter().map(|demand| wanter(&demand.package)).collect()).await?;
        Ok(complete)
    }

    /// Looks for a wanted file and records where it is.
    async fn look(&self, demand: &ContentDemand) -> Result<Found, Error> {
        let record = self.library.find(&(&demand.file).into()).await?;
        let found = record.map_or(Found::Missing, |record| Found::Stored {
            sha256: record.sha256,
            is_weak: record.is_weak,
        });
        let file = demand.file.clone();
        self.db.write(move |w| w.note_found(&file, found)).await?;
        Ok(found)
    }

    /// Whether all of them are in the library, also those that were found long ago: a damaged file
    /// is taken out. What is gone is wanted anew.
    async fn are_stored(&self, demands: &[ContentDemand]) -> Result<bool, Error> {
        let found: BTreeSet<Sha256> = demands.iter().filter_map(stored).collect();
        if demands.iter().any(|demand| stored(demand).is_none()) {
            return Ok(false);
        }
        let gone = self.library.missing(found).await?;
        let is_gone = |demand: &&ContentDemand| stored(demand).is_some_and(|f| gone.contains(&f));
        for demand in demands.iter().filter(is_gone) {
            self.look(demand).await?;
        }
        Ok(gone.is_empty())
    }

    /// The library keeps what a package has already of the files it waits for, however long the
    /// others take.
    async fn hold_wanted(
        &mut self,
        wanted: &BTreeMap<ObjectCode, Vec<ContentDemand>>,
    ) -> Result<(), Error> {
        let mut held = match self.wanted.take() {
            Some(held) => held,
            None => {
                let holders = self.library.holders(WANTER.to_owned()).await?;
                holders.into_iter().map(|holder| (holder, BTreeSet::new())).collect()
            }
        };
        for (code, demands) in wanted {
            let found: BTreeSet<Sha256> = demands.iter().filter_map(stored).collect();
            let (holder, files) = (wanter(code), found.iter().copied().collect());
            if held.get(&holder).is_none_or(|held| *held != found) {
                self.library.set_references(holder.clone(), files).await?;
                held.insert(holder, found);
            }
        }
        self.wanted = Some(held);
        Ok(())
    }

    /// Ends what was kept for packages that wait no more; their versions are kept by now.
    async fn let_go(&mut self, waiting: &BTreeSet<String>) -> Result<(), Error> {
        let mut held = self.wanted.take().unwrap_or_default();
        for gone in held.keys().filter(|holder| !waiting.contains(*holder)) {
            self.library.set_references(gone.clone(), Vec::new()).await?;
        }
        held.retain(|holder, _| waiting.contains(holder));
        self.wanted = Some(held);
        Ok(())
    }

    /// The update point has the files of what is published here, too; the library keeps them for
    /// the day that one has to be replaced.
    async fn hold_published(&mut self) -> Result<(), Error> {
        let published = self.db.read(|r| r.published_files()).await?;
        if self.published.as_ref() != Some(&published) {
            let files = published.iter().copied().collect();
            self.library.set_references("published".to_owned(), files).await?;
            self.published = Some(published);
        }
        Ok(())
    }

    /// The library keeps the files of packages made here and of those meant for below, of each
    /// only those of its version now, and of a deleted package none.
    async fn hold(&mut self) -> Result<(), Error> {
        let needed = self.needed().await?;
        let held = match self.held.take() {
            Some(held) => held,
            None => self.library.holders(HOLDER.to_owned()).await?,
        };
        for (holder, manifest) in &needed {
            if !held.contains(holder) {
                let files = manifest.files.iter().map(|file| file.sha256).collect();
                self.library.set_references(holder.clone(), files).await?;
            }
        }
        for gone in held.iter().filter(|holder| !needed.contains_key(*holder)) {
            self.library.set_references(gone.clone(), Vec::new()).await?;
        }
        self.held = Some(needed.into_keys().collect());
        Ok(())
    }

    /// The manifests whose files are needed here, by the name that the library knows them by.
    async fn needed(&self) -> Result<BTreeMap<String, ContentManifest>, Error> {
        let site = self.db.identity().code();
        let read = self.db.read(move |r| {
            let below = r.points_below(site)?;
            let mut all = r.list::<ContentManifest>()?;
            all.retain(|(owner, manifest)| {
                owner.code == site || manifest.targets.iter().any(|point| below.contains(point))
            });
            Ok::<_, Error>(all)
        });
        let name = |m: &ContentManifest| format!("{HOLDER}{} {}", m.package, m.version);
        Ok(read.await?.into_iter().map(|(_, manifest)| (name(&manifest), manifest)).collect())
    }
}

fn wanter(code: &ObjectCode) -> String {
    format!("{WANTER}{code}")
}

fn stored(demand: &ContentDemand) -> Option<Sha256> {
    match demand.found {
        Found::Stored { sha256, .. } => Some(sha256),
        Found::Unknown | Found::Missing => None,
    }
}

fn finish(w: &Writer<'_>, code: &ObjectCode) -> Result<(), site_db::Error> {
    let package = w.finish_download(code)?;
    let (version, files) = (package.version.to_string(), package.files.len().to_string());
    w.append_status(&StatusMessage {
        id: PACKAGE_VERSION,
        severity: Severity::Information,
        component: COMPONENT.to_owned(),
        site: package.site,
        machine: package.site.to_string(),
        at: w.now(),
        strings: vec![code.to_string(), version, files],
    })
}
