//! Carrying out deployments: fetching, installing, and finding out what came of it.

use std::collections::BTreeSet;
use std::io;

use ambient::failpoint;
use model::{
    AssignedFile, AssignedUpdate, EnforcementState, ErrorClass, Sha256, Timestamp, error_chain,
};
use update_metadata::{Applicability, CommandLine, Document, InstallResult, Installer, evaluate};

use super::Agent;
use super::scanning::Reach;
use crate::Error;
use crate::calls::{ManagementPoint, first_to_answer};
use crate::client::fallback::sources;
use crate::client::plan::{Phase, Plan, Run, Situation, decide};
use crate::download::Downloads;
use crate::machine::{Job, look};

/// CRYPT_E_HASH_VALUE: bytes are not those that policy names.
const WRONG_DIGEST: i32 = 0x8009_1007_u32.cast_signed();
/// The installer succeeded and detection does not see it (0x87D00324).
const NOT_DETECTED: i32 = 0x87D0_0324_u32.cast_signed();
/// E_NOTIMPL: the document names no installer that this system can run.
const NO_INSTALLER: i32 = 0x8000_4001_u32.cast_signed();
/// E_FAIL, where the system gives no code of its own.
const UNSPECIFIED: i32 = 0x8000_4005_u32.cast_signed();

const MINUTE_MS: i64 = 60_000;

impl Agent {
    /// Does what deployments ask for now.
    pub(super) async fn enforce(&mut self) -> Result<(), Error> {
        let (mut has_fetched, mut told) = (false, None);
        loop {
            let plan = self.plan().await?;
            self.say().await?;
            if !plan.fetch.is_empty() && !has_fetched && self.fetches.is_due() {
                has_fetched = true;
                self.fetch(&plan.fetch).await?;
            } else if let Some(assigned) = plan.install.first() {
                // It may take an hour; others want to know that it begins. Telling them takes time
                // as well: only what is still to be installed afterwards begins.
                if told.replace(assigned.update) != Some(assigned.update) {
                    self.send().await?;
                    continue;
                }
                told = None;
                self.install(assigned).await?;
            } else {
                break;
            }
        }
        if self.step.installed > 0 {
            // Installing one update can change what others are (SCAN-17).
            self.scan(Reach::Offline).await?;
        }
        Ok(())
    }

    /// What to do now; where everything stands goes into the next report.
    pub(super) async fn plan(&mut self) -> Result<Plan, Error> {
        (self.awaits_content, self.wake_at) = (false, None);
        let Some(scan) = &self.scan else { return Ok(Plan::default()) };
        let assignments = &self.policy.assignments;
        let updates = assignments.iter().flat_map(|assignment| &assignment.updates);
        let files = updates.flat_map(|assigned| &assigned.files).map(|file| file.sha256);
        let named: BTreeSet<Sha256> = files.collect();
        let missing = self.library.missing(named.clone()).await?;
        let retry = self.policy.settings().scan_interval_ms;
        let clock = self.machine.zone();
        let (calendar, _) = self.policy.calendar(&clock);
        let plan = decide(&Situation {
            assignments,
            scan,
            runs: &self.runs,
            present: &(&named - &missing),
            troubles: &self.troubles,
            boot: &self.machine.boot().unwrap_or_default(),
            calendar: &calendar,
            clock: &clock,
            client: self.client,
            retry_ms: i64::try_from(retry).unwrap_or(i64::MAX),
            now: self.now(),
        });
        self.progress.clone_from(&plan.progress);
        (self.awaits_content, self.wake_at) = (!plan.fetch.is_empty(), plan.wake_at);
        Ok(plan)
    }

    async fn fetch(&mut self, files: &[AssignedFile]) -> Result<(), Error> {
        let servers = &*self.servers;
        let locate =
            |server| async move { ManagementPoint::new(servers, &server)?.locations(files).await };
        let locations = first_to_answer(servers, "no locations of content", locate).await?;
        let locations = locations.unwrap_or_default();
        self.troubles.clear();
        let (library, refusals) = (&self.library, &self.refusals);
        let downloads = Downloads { servers, library, refusals, now: self.now() };
        self.searches.keep(|sha256| files.iter().any(|file| file.sha256 == *sha256));
        for file in files {
            let minutes = self.searches.minutes(file.sha256, downloads.now);
            let points = locations.get(&file.sha256).map_or(&[][..], Vec::as_slice);
            let fetched = downloads.fetch(file, &sources(points, minutes)).await;
            let trouble = match fetched {
                Ok(()) => {
                    self.searches.end(&file.sha256);
                    self.step.fetched += 1;
                    continue;
                }
                Err(Some(Error::Stopping)) => return Err(Error::Stopping),
                Err(None) => (EnforcementState::WaitingForContent, 0),
                Err(Some(error)) => (EnforcementState::DownloadFailed, fetch_code(&error)),
            };
            self.troubles.insert(file.sha256, trouble);
        }
        if self.troubles.is_empty() {
            self.fetches.succeeded();
        } else {
            self.fetches.failed(&self.ambient);
        }
        Ok(())
    }

    /// Installs one update unless detection says that it is not needed any more (SCAN-16), and
    /// lets detection say what came of it.
    async fn install(&mut self, assigned: &AssignedUpdate) -> Result<(), Error> {
        let update = assigned.update;
        let document = match self.document(assigned).await {
            Ok(document) => document,
            Err(code) => return self.settle(assigned, Phase::Failed(code), 0).await,
        };
        let Some(Installer::CommandLine(command)) = &document.installer else {
            return self.settle(assigned, Phase::Failed(NO_INSTALLER), 0).await;
        };
        match self.detect(&document) {
            Applicability::Applicable => {}
            // So it was before, or a run that nobody saw the end of has made it so.
            Applicability::Installed => {
                self.judge(assigned, Applicability::Installed);
                return self.settle(assigned, Phase::Installed, 0).await;
            }
            verdict @ (Applicability::NotApplicable | Applicability::Unknown(_)) => {
                self.judge(assigned, verdict);
                return Ok(());
            }
        }
        let mut files = Vec::new();
        for file in &assigned.files {
            match self.library.open_file(file.sha256).await {
                Ok(reader) => files.push((file, reader)),
                Err(error) => {
                    let reason = error_chain(&error);
                    tracing::warn!(update = %update.id, reason, "content is not usable");
                    return match error.class() {
                        // Damaged on this computer's own disk: taken out, and fetched again.
                        ErrorClass::Corrupt | ErrorClass::NotFound => Ok(()),
                        _ => self.settle(assigned, Phase::Failed(UNSPECIFIED), 0).await,
                    };
                }
            }
        }
        self.settle(assigned, Phase::Installing, 1).await?;
        failpoint("agent.installing");
        tracing::info!(update = %update.id, revision = update.revision, "an installation started");
        let job = Job { document: &document, command, files };
        let begun = self.now();
        let ended = self.machine.install(&job).await;
        self.measure(assigned, begun);
        self.step.installed += 1;
        failpoint("agent.installed");
        let detected = self.detect(&document);
        let phase = phase_of(ended, command, &detected);
        tracing::info!(update = %update.id, ?phase, "an installation ended");
        self.settle(assigned, phase, 0).await?;
        if phase == Phase::Installed {
            self.judge(assigned, detected);
        }
        Ok(())
    }

    /// What has begun is never stopped, and whoever planned with its run time shall know (PAIN-16).
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
        let Some(copy) = &self.copy else { return Err(UNSPECIFIED) };
        let stored = copy.catalog.documents(vec![assigned.update]).await.unwrap_or_else(|error| {
            tracing::warn!(reason = %error_chain(&error), "a document cannot be read");
            Vec::new()
        });
        let mut named = stored.into_iter().filter(|stored| stored.sha256 == assigned.document);
        let Some(stored) = named.next() else { return Err(WRONG_DIGEST) };
        Document::parse(stored.xml.as_bytes()).map_err(|_| UNSPECIFIED)
    }

    fn detect(&self, document: &Document) -> Applicability {
        let detected = self.machine.facts().and_then(|mut facts| {
            look(&*self.machine, document, &mut facts)?;
            Ok(evaluate(document, &facts))
        });
        detected.unwrap_or_else(|error| Applicability::Unknown(error.to_string()))
    }

    fn judge(&mut self, assigned: &AssignedUpdate, verdict: Applicability) {
        let scan = self.scan.as_mut();
        if let Some(judged) = scan.and_then(|scan| scan.updates.get_mut(&assigned.update.id)) {
            judged.verdict = verdict;
        }
    }

    /// Remembers where an installation stands. `starts` are added to how often it was started.
    async fn settle(
        &mut self,
        assigned: &AssignedUpdate,
        phase: Phase,
        starts: u32,
    ) -> Result<(), Error> {
        let update = assigned.update;
        let attempts = self.runs.get(&update.id).map_or(0, |run| run.attempts) + starts;
        let boot = self.machine.boot().unwrap_or_default();
        let run = Run { revision: update.revision, phase, attempts, at: self.now(), boot };
        self.store.set_run(update.id, run.clone()).await?;
        self.runs.insert(update.id, run);
        Ok(())
    }
}

/// The exit code says whether it succeeded, detection whether that is true.
fn phase_of(ended: io::Result<i32>, command: &CommandLine, detected: &Applicability) -> Phase {
    let code = match ended {
        Ok(code) => code,
        Err(error) => {
            tracing::warn!(reason = %error, "an installer could not be run");
            return Phase::Failed(match error.kind() {
                io::ErrorKind::InvalidData => WRONG_DIGEST,
                _ => error.raw_os_error().unwrap_or(UNSPECIFIED),
            });
        }
    };
    let outcome = command.outcome(code);
    match (outcome.result, outcome.needs_restart, detected) {
        (InstallResult::Failed | InstallResult::Cancelled, ..) => Phase::Failed(code),
        (InstallResult::Succeeded, true, _) => Phase::PendingRestart,
        (InstallResult::Succeeded, false, Applicability::Applicable) => Phase::Failed(NOT_DETECTED),
        (InstallResult::Succeeded, false, _) => Phase::Installed,
    }
}

fn fetch_code(error: &Error) -> i32 {
    match error {
        Error::Fetch { status, .. } => i32::from(*status),
        Error::Content(_) => WRONG_DIGEST,
        _ => UNSPECIFIED,
    }
}
