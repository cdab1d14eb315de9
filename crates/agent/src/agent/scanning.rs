//! Scans: which documents, from whom, and what they mean here.

use std::sync::{Arc, PoisonError};

use client::plan::{Doubt, doubt};
use client::scan::{Scan, Scanning as Judging};
use client::update_point::Ended;
use client::{Attempt, Failure, Found, Reach, Scanned, Scanning, Source};
use model::{Hresult, RoleKind, ServerRef, UpdateRef, error_chain};
use update_catalog::Catalog;
use update_metadata::Document;

use super::carrying::Hands;
use crate::Error;
use crate::cache::{self, Copy};
use crate::machine::look;
use crate::servers::pass_over;

mod outside;

/// WU_E_NO_SERVICE: no update point has what policy asks for.
const NO_CATALOG: i32 = 0x8024_0010_u32.cast_signed();

impl Hands {
    pub(super) async fn scan(&self, scanning: Scanning) -> Result<Scanned, Error> {
        let begun = self.now();
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stale) = stale {
            self.cache.remove(&stale).await;
        }
        let mut attempts = Vec::new();
        let end = match (&self.foreign, &scanning) {
            (Some(foreign), scanning) => self.scan_outside(foreign, scanning).await?,
            (None, scanning) => match self.scan_here(scanning).await? {
                Some(found) => Ok(found),
                None => self.scan_there(scanning, &mut attempts).await?,
            },
        };
        if let Err(failure) = &end {
            tracing::warn!(reason = failure.reason, "the scan failed");
        }
        Ok(Scanned { begun, attempts, end })
    }

    /// Scans with what is here, if that will do.
    async fn scan_here(&self, scanning: &Scanning) -> Result<Option<Found>, Error> {
        let will_do = match scanning.reach {
            Reach::Offline => true,
            Reach::Online => scanning.is_fresh,
            Reach::Forced => false,
        };
        let Some(copy) = self.copy().filter(|_| will_do) else { return Ok(None) };
        let scan = match self.evaluate(&copy).await {
            Ok(scan) => scan,
            Err(error) => {
                tracing::warn!(reason = %error_chain(&error), "a scan with what is here failed");
                return Ok(None);
            }
        };
        match (doubt(&scanning.policy.assignments, &scan), scanning.reach) {
            // What was missing before is missing still.
            (None, _) | (Some(Doubt::Missing(_)), Reach::Offline) => {
                self.found(copy, scan, None, None).await.map(Some)
            }
            (Some(_), _) => Ok(None),
        }
    }

    /// Scans with the first update point that has what is wanted.
    async fn scan_there(
        &self,
        scanning: &Scanning,
        attempts: &mut Vec<Attempt>,
    ) -> Result<Result<Found, Failure>, Error> {
        let wanted = scanning.wanted;
        let mut failure = Failure {
            reason: format!("waiting for catalog {wanted}: no software update point has it"),
            code: NO_CATALOG,
            is_distrusted: false,
        };
        for server in &scanning.servers {
            let url = server.url.clone();
            let (ended, reason) = match self.scan_with(server, scanning).await {
                Ok(Judgment::Found(found)) => {
                    self.servers.served(RoleKind::SoftwareUpdatePoint);
                    let ended =
                        if found.missing.is_some() { Ended::Behind } else { Ended::Succeeded };
                    attempts.push(Attempt { url, ended, reason: String::new() });
                    return Ok(Ok(*found));
                }
                Ok(Judgment::Behind(reason)) => (Ended::Behind, reason),
                Ok(Judgment::Altered { reason, was_in_use }) => {
                    failure.is_distrusted |= was_in_use;
                    (Ended::Refused, reason)
                }
                Err(error) => {
                    failure.code = code_of(&error);
                    let reason = pass_over(&url, "no scan with an update point", error)?;
                    let ended = self.ended(failure.code);
                    (ended, format!("waiting for catalog {wanted}: {reason}"))
                }
            };
            failure.reason.clone_from(&reason);
            attempts.push(Attempt { url, ended, reason });
        }
        self.servers.unserved(RoleKind::SoftwareUpdatePoint);
        Ok(Err(failure))
    }

    /// A computer that reaches nobody at all is elsewhere; its update point is not to blame
    /// (SUPX-17).
    fn ended(&self, code: i32) -> Ended {
        match self.servers.is_alone() {
            true => Ended::Away,
            false => Ended::with(Hresult(code)),
        }
    }

    async fn scan_with(&self, server: &ServerRef, scanning: &Scanning) -> Result<Judgment, Error> {
        let (url, wanted) = (&server.url, scanning.wanted);
        let current = self.copy();
        let (copy, version, bytes) =
            self.cache.follow(&self.servers, server, current.as_ref()).await?;
        if version < wanted {
            let reason = format!("waiting for catalog {wanted}: {url} has {version}");
            return Ok(Judgment::Behind(reason));
        }
        let scan = self.evaluate(&copy).await?;
        let missing = match doubt(&scanning.policy.assignments, &scan) {
            Some(Doubt::Altered(UpdateRef { id, revision })) => {
                let reason =
                    format!("its document of update {id} revision {revision} is not policy's");
                self.refusals.note(url, &reason, self.now());
                let was_in_use = self.distrust(&copy).await;
                let reason = format!("{url} is refused: {reason}");
                return Ok(Judgment::Altered { reason, was_in_use });
            }
            Some(Doubt::Missing(UpdateRef { id, revision })) => Some(format!(
                "waiting for catalog: {url} does not have update {id} revision {revision} yet"
            )),
            None => None,
        };
        let source = Source { url: url.clone(), bytes };
        let found = self.found(copy, scan, Some(source), missing).await?;
        Ok(Judgment::Found(Box::new(found)))
    }

    /// Nothing is done upon documents that are altered or damaged. Says whether they were in use.
    async fn distrust(&self, copy: &Copy) -> bool {
        let was_in_use = {
            let mut current = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
            current.take_if(|current| current.server == copy.server).is_some()
        };
        self.cache.remove(copy).await;
        was_in_use
    }

    async fn evaluate(&self, copy: &Copy) -> Result<Scan, Error> {
        match self.judge_all(&copy.catalog).await {
            Err(error) if error.is_damage() => {
                self.cache.judge(copy, &error).await;
                self.distrust(copy).await;
                Err(error)
            }
            judged => judged,
        }
    }

    async fn judge_all(&self, catalog: &Catalog) -> Result<Scan, Error> {
        let mut facts = self.machine.facts().await.map_err(Error::Facts)?;
        let (mut judging, mut since) = (Judging::default(), 0);
        loop {
            let page = catalog.few_documents(since).await?;
            for change in page.changes {
                since = change.number;
                let Some(stored) = change.content else { continue };
                // The catalog takes only documents that can be read.
                let parsed = Document::parse_without_texts(stored.xml.as_bytes());
                let Ok(mut document) = parsed else { continue };
                if change.is_declined {
                    // Others may need it; by itself it is neither counted nor installed.
                    document.properties.is_expired = true;
                    document.properties.is_explicitly_deployable = false;
                }
                if let Err(error) = look(&*self.machine, &document, &mut facts).await {
                    // The rules that ask for the file stay unknown.
                    let update = stored.update.id;
                    tracing::info!(%update, reason = %error, "a file cannot be looked at");
                }
                judging.add(&document, stored.sha256, &facts);
            }
            if page.is_last {
                return Ok(judging.finish());
            }
            tokio::task::yield_now().await;
        }
    }

    /// The copy is the one in use from now on.
    async fn found(
        &self,
        copy: Copy,
        scan: Scan,
        from: Option<Source>,
        missing: Option<String>,
    ) -> Result<Found, Error> {
        let covered = cache::version(&copy.catalog).await?;
        let updates = scan.visible().count();
        let mut current = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        let old = current.replace(copy.clone()).filter(|old| old.server != copy.server);
        drop(current);
        if old.is_some() {
            *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = old;
        }
        tracing::info!(catalog.version = covered, updates, "the computer was scanned");
        Ok(Found { scan: Arc::new(scan), catalog: copy.server, covered, from, missing })
    }
}

/// What came of a scan with one update point.
enum Judgment {
    Found(Box<Found>),
    /// It does not have the catalog yet.
    Behind(String),
    /// It serves what policy does not name.
    Altered {
        reason: String,
        was_in_use: bool,
    },
}

/// As administrators know it: the codes of the Windows Update Agent.
pub(crate) fn code_of(error: &Error) -> i32 {
    let code: u32 = match error {
        // WININET_E_CANNOT_CONNECT
        Error::Reach { .. } | Error::ForeignReach { .. } | Error::Connect(_) => 0x8007_2EFD,
        // WININET_E_DECODING_FAILED, which is of TLS
        Error::Distrusted { .. } => 0x8007_2F8F,
        // WU_E_PT_HTTP_STATUS_REQUEST_TIMEOUT
        Error::Silent { .. } | Error::Dripping { .. } | Error::Endless { .. } => 0x8024_4013,
        // WININET_E_CONNECTION_ABORTED
        Error::CutOff { .. } | Error::Broken { .. } => 0x8007_2EFE,
        // As HTTP 503.
        Error::Call { .. } if error.class() == model::ErrorClass::Unavailable => 0x8024_4022,
        // WU_E_PT_HTTP_STATUS_DENIED
        Error::Call { .. } if error.class() == model::ErrorClass::Denied => 0x8024_4017,
        // WU_E_PT_EXCEEDED_MAX_SERVER_TRIPS
        Error::ForeignScan { .. } => 0x8024_4010,
        // WU_E_PT_SOAP_SERVER
        Error::ForeignSoap { .. } => 0x8024_4007,
        // WU_E_PT_HTTP_STATUS_NOT_MAPPED
        Error::ForeignHttp { .. } => 0x8024_402B,
        // WU_E_XML_INVALID
        Error::Answer { .. } => 0x8024_0008,
        // WU_E_UNEXPECTED
        _ => 0x8024_FFFF,
    };
    code.cast_signed()
}
