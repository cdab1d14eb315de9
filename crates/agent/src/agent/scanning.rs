//! Scans: which documents, from whom, and what they mean here.

use std::time::Duration;

use model::{RoleKind, ServerRef, UpdateRef, error_chain};
use tokio::time::Instant;
use update_catalog::Catalog;
use update_metadata::Document;

use super::Agent;
use crate::cache::{self, Copy};
use crate::client::plan::{Doubt, doubt};
use crate::client::scan::{Scan, Scanning};
use crate::machine::look;
use crate::servers::pass_over;
use crate::{Error, limits};

/// How far a scan goes for its documents (SCAN-09 … SCAN-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// What is here.
    Offline,
    /// What is here if it is new enough, else what the software update point has.
    Online,
    /// What the software update point has.
    Forced,
}

impl Agent {
    pub(super) async fn scan(&mut self, reach: Reach) -> Result<(), Error> {
        if self.scan_here(reach).await? {
            return Ok(());
        }
        let wanted = self.policy.settings().catalog_version;
        let mut failure = format!("waiting for catalog {wanted}: no software update point has it");
        let kind = RoleKind::SoftwareUpdatePoint;
        let servers = match &self.update_point {
            Some(url) => self.servers.of_keeping(kind, (url, limits::UPDATE_POINT_KEPT_MINUTES)),
            None => self.servers.of(kind),
        };
        for server in servers {
            match self.scan_with(&server, wanted).await {
                Ok(None) => {
                    self.servers.served(kind);
                    self.update_point = Some(server.url);
                    return Ok(());
                }
                Ok(Some(reason)) => failure = reason,
                Err(error) => {
                    let reason = pass_over(&server.url, "no scan with an update point", error)?;
                    failure = format!("waiting for catalog {wanted}: {reason}");
                }
            }
        }
        self.servers.unserved(kind);
        tracing::warn!(reason = failure, "the scan failed");
        self.scans.failed(&self.ambient);
        self.record.scan_error = Some(failure);
        self.say().await
    }

    /// Scans with what is here, if that will do.
    async fn scan_here(&mut self, reach: Reach) -> Result<bool, Error> {
        let is_new_enough = self.record.covered >= self.policy.settings().catalog_version;
        let is_fresh = self.refreshed.is_some_and(|at| at.elapsed() < limits::CATALOG_FRESH);
        let will_do = match reach {
            Reach::Offline => true,
            Reach::Online => is_new_enough && is_fresh,
            Reach::Forced => false,
        };
        let Some(copy) = self.copy.clone().filter(|_| will_do) else { return Ok(false) };
        let scan = match self.evaluate(&copy).await {
            Ok(scan) => scan,
            Err(error) => {
                tracing::warn!(reason = %error_chain(&error), "a scan with what is here failed");
                return Ok(false);
            }
        };
        match (doubt(&self.policy.assignments, &scan), reach) {
            (None, Reach::Online | Reach::Forced) => self.scanned_online(copy, scan, None).await?,
            // What was missing before is missing still.
            (None | Some(Doubt::Missing(_)), Reach::Offline) => self.scanned(copy, scan).await?,
            (Some(_), _) => return Ok(false),
        }
        Ok(true)
    }

    /// Scans with what `server` has; says why that was not possible.
    async fn scan_with(
        &mut self,
        server: &ServerRef,
        wanted: u64,
    ) -> Result<Option<String>, Error> {
        let (url, servers) = (&server.url, self.servers.clone());
        let (copy, version) = self.cache.follow(&servers, server, self.copy.as_ref()).await?;
        if version < wanted {
            return Ok(Some(format!("waiting for catalog {wanted}: {url} has {version}")));
        }
        let scan = self.evaluate(&copy).await?;
        let missing = match doubt(&self.policy.assignments, &scan) {
            Some(Doubt::Altered(UpdateRef { id, revision })) => {
                let reason =
                    format!("its document of update {id} revision {revision} is not policy's");
                self.refusals.note(url, &reason, self.now());
                // The site shall know at once, not with the next batch.
                self.sends.until(Instant::now());
                self.distrust(&copy).await;
                return Ok(Some(format!("{url} is refused: {reason}")));
            }
            Some(Doubt::Missing(UpdateRef { id, revision })) => Some(format!(
                "waiting for catalog: {url} does not have update {id} revision {revision} yet"
            )),
            None => None,
        };
        self.refreshed = Some(Instant::now());
        self.scanned_online(copy, scan, missing).await?;
        Ok(None)
    }

    /// Nothing is done upon documents that are altered or damaged.
    async fn distrust(&mut self, copy: &Copy) {
        if self.copy.as_ref().is_some_and(|current| current.server == copy.server) {
            (self.copy, self.scan, self.record.catalog) = (None, None, None);
        }
        self.cache.remove(copy).await;
    }

    async fn evaluate(&mut self, copy: &Copy) -> Result<Scan, Error> {
        match self.judge_all(&copy.catalog).await {
            Err(Error::Catalog(error)) => {
                self.distrust(copy).await;
                Err(Error::Catalog(error))
            }
            judged => judged,
        }
    }

    async fn judge_all(&mut self, catalog: &Catalog) -> Result<Scan, Error> {
        let mut facts = self.machine.facts().map_err(Error::Facts)?;
        let (mut scanning, mut since) = (Scanning::default(), 0);
        loop {
            let page = catalog.changed_documents(since).await?;
            for change in page.changes {
                since = change.number;
                let Some(stored) = change.content else { continue };
                // The catalog takes only documents that can be read.
                let Ok(mut document) = Document::parse(stored.xml.as_bytes()) else { continue };
                if change.is_declined {
                    // Others may need it; by itself it is neither counted nor installed.
                    document.properties.is_expired = true;
                    document.properties.is_explicitly_deployable = false;
                }
                if let Err(error) = look(&*self.machine, &document, &mut facts) {
                    // The rules that ask for the file stay unknown.
                    let update = stored.update.id;
                    tracing::info!(%update, reason = %error, "a file cannot be looked at");
                }
                scanning.add(&document, stored.sha256, &facts);
            }
            if page.is_last {
                self.step.scanned = true;
                return Ok(scanning.finish());
            }
            tokio::task::yield_now().await;
        }
    }

    /// A scan as the schedule and the site know it.
    async fn scanned_online(
        &mut self,
        copy: Copy,
        scan: Scan,
        missing: Option<String>,
    ) -> Result<(), Error> {
        if missing.is_some() {
            self.scans.failed(&self.ambient);
        } else {
            let interval = Duration::from_millis(self.policy.settings().scan_interval_ms);
            self.scans.due = Some(Instant::now() + interval);
            self.scans.succeeded();
        }
        self.record.scanned_at = self.now();
        self.record.scan_error = missing;
        self.scanned(copy, scan).await
    }

    async fn scanned(&mut self, copy: Copy, scan: Scan) -> Result<(), Error> {
        self.record.covered = cache::version(&copy.catalog).await?;
        self.record.updates = scan.visible().count() as u64;
        self.record.catalog = Some(copy.server);
        let old = self.copy.replace(copy.clone()).filter(|old| old.server != copy.server);
        self.scan = Some(scan);
        self.plan().await?;
        self.say().await?;
        if let Some(old) = old {
            self.cache.remove(&old).await;
        }
        let (covered, updates) = (self.record.covered, self.record.updates);
        tracing::info!(catalog.version = covered, updates, "the computer was scanned");
        Ok(())
    }
}
