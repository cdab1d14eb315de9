//! Installing one update, and letting detection say what came of it.

use std::io;
use std::time::Duration;

use ambient::failpoint;
use client::Ended;
use model::{AssignedUpdate, ErrorClass, Timestamp, error_chain};
use update_metadata::{Applicability, Document, InstallResult, Installer, evaluate};

use super::carrying::Hands;
use super::describing::applicability;
use crate::limits;
use crate::machine::{self, Job, look};

mod refusing;

/// CRYPT_E_HASH_VALUE: bytes are not those that policy names.
pub(super) const WRONG_DIGEST: i32 = 0x8009_1007_u32.cast_signed();
/// E_NOTIMPL: the document names no installer that this system can run.
const NO_INSTALLER: i32 = 0x8000_4001_u32.cast_signed();
/// E_FAIL, where the system gives no code of its own.
pub(super) const UNSPECIFIED: i32 = 0x8000_4005_u32.cast_signed();
/// ERROR_TIMEOUT as an HRESULT: it was ended after its maximum run time.
const TIMED_OUT: i32 = 0x8007_05B4_u32.cast_signed();

const MINUTE_MS: i64 = 60_000;

impl Hands {
    /// What detection says now; else the code to report.
    pub(super) async fn detect(&self, assigned: &AssignedUpdate) -> Result<Applicability, i32> {
        let document = self.document(assigned).await?;
        match document.installer {
            Some(_) => Ok(self.judge(&document).await),
            None => Err(NO_INSTALLER),
        }
    }

    pub(super) async fn install(&self, assigned: &AssignedUpdate) -> (Ended, Applicability) {
        let update = assigned.update;
        let unknown = |code| (Ended::Failed(code), Applicability::Applicable);
        let document = match self.document(assigned).await {
            Ok(document) => document,
            Err(code) => return unknown(code),
        };
        let Some(installer) = &document.installer else { return unknown(NO_INSTALLER) };
        let mut files = Vec::new();
        for file in &assigned.files {
            match self.library.open_file(file.sha256).await {
                Ok(reader) => files.push((file, reader)),
                Err(error) => {
                    let reason = error_chain(&error);
                    tracing::warn!(update = %update.id, reason, "content is not usable");
                    return match error.class() {
                        // Damaged on this computer's own disk: taken out, and fetched again.
                        ErrorClass::Corrupt | ErrorClass::NotFound => {
                            (Ended::ContentLost(vec![file.sha256]), Applicability::Applicable)
                        }
                        _ => unknown(UNSPECIFIED),
                    };
                }
            }
        }
        let used = assigned.files.iter().map(|file| file.sha256).collect();
        if let Err(error) = self.library.mark_used(used).await {
            tracing::warn!(reason = %error_chain(&error), "that content is used cannot be noted");
        }
        failpoint("agent.installing");
        if let Some(wish) = self.wishes_agent(installer) {
            return (self.adopt(wish, &files).await, self.judge(&document).await);
        }
        tracing::info!(update = %update.id, revision = update.revision, "an installation started");
        let limit = match assigned.max_run_minutes {
            // Nothing can be done in no time; it is as if nothing had been said.
            0 => limits::INSTALL_MAX,
            minutes => Duration::from_secs(60 * u64::from(minutes)),
        };
        let job = Job { document: &document, installer, files, limit };
        let begun = self.now();
        let ended = self.machine.install(&job).await;
        self.measure(assigned, begun);
        failpoint("agent.installed");
        let detected = self.judge(&document).await;
        let ended = ended_as(ended, installer);
        let found = applicability(&detected);
        tracing::info!(update = %update.id, %ended, found, "an installation ended");
        (ended, detected)
    }

    /// Waits for the installer of an earlier life, that of one of these updates, and says how it
    /// ended; none if there is none, or nobody saw it.
    pub(super) async fn settle(
        &self,
        updates: Vec<AssignedUpdate>,
        limit: Duration,
    ) -> Option<(AssignedUpdate, Ended, Applicability)> {
        let mut documents = Vec::new();
        for assigned in &updates {
            documents.extend(self.document(assigned).await.ok());
        }
        let settled = match self.machine.settle(limit, &documents).await {
            Ok(settled) => settled?,
            Err(error) => {
                tracing::warn!(reason = %error, "an installer of before cannot be waited for");
                return None;
            }
        };
        let document = documents.iter().find(|document| document.update == settled.update)?;
        let ended = ended_as(settled.ended, document.installer.as_ref()?);
        let detected = self.judge(document).await;
        let update = settled.update;
        let found = applicability(&detected);
        tracing::info!(update = %update.id, %ended, found, "an earlier installation ended");
        let assigned = updates.into_iter().find(|assigned| assigned.update == update)?;
        Some((assigned, ended, detected))
    }

    /// Whoever planned with its run time shall know (PAIN-16).
    fn measure(&self, assigned: &AssignedUpdate, begun: Timestamp) {
        let took = self.now().0.saturating_sub(begun.0) / MINUTE_MS;
        let given = assigned.max_run_minutes;
        if took > i64::from(given) {
            let update = assigned.update.id;
            tracing::warn!(%update, took, given, "an installation took longer than it was given");
        }
    }

    /// The document from the cache, if it is the one that policy names; else the code to report.
    async fn document(&self, assigned: &AssignedUpdate) -> Result<Document, i32> {
        let Some(copy) = self.copy() else { return Err(UNSPECIFIED) };
        let stored = copy.catalog.documents(vec![assigned.update]).await.unwrap_or_else(|error| {
            tracing::warn!(reason = %error_chain(&error), "a document cannot be read");
            Vec::new()
        });
        let mut named = stored.into_iter().filter(|stored| stored.sha256 == assigned.document);
        let Some(stored) = named.next() else { return Err(WRONG_DIGEST) };
        Document::parse(stored.xml.as_bytes()).map_err(|_| UNSPECIFIED)
    }

    async fn judge(&self, document: &Document) -> Applicability {
        let detected = async {
            let mut facts = self.machine.facts().await?;
            look(&*self.machine, document, &mut facts).await?;
            Ok(evaluate(document, &facts))
        };
        let detected: io::Result<Applicability> = detected.await;
        detected.unwrap_or_else(|error| Applicability::Unknown(error.to_string()))
    }
}

fn ended_as(ended: io::Result<machine::Ended>, installer: &Installer) -> Ended {
    let code = match ended {
        Ok(machine::Ended::Exited(code)) => code,
        Ok(machine::Ended::TimedOut) => return Ended::Failed(TIMED_OUT),
        Ok(machine::Ended::Unseen) => return Ended::Unseen,
        Err(error) => return refusing::not_run(&error),
    };
    let outcome = match installer {
        Installer::CommandLine(command) => command.outcome(code),
        other => other.outcome(code),
    };
    match outcome.result {
        InstallResult::Failed | InstallResult::Cancelled => Ended::Failed(code),
        InstallResult::Succeeded => Ended::Succeeded { needs_restart: outcome.needs_restart },
    }
}
