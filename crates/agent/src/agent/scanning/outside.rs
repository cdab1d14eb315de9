//! Scans with an update service outside of the hierarchy, where one is configured.
//!
//! Owns the order: follow, judge, report. What such a server tells says nothing about the site's
//! catalog, so these scans cover no version of it; its documents are none that policy names, so
//! nothing is ever installed upon them. A report that the server does not take is no failure of
//! the scan: it is made again after the next one.

use client::{Failure, Found, Reach, Scanning, Source};
use tokio::sync::Mutex;
use transport::BoxFuture;
use update_metadata::{Applicability, Document, Facts, evaluate};

use super::{Hands, code_of};
use crate::Error;
use crate::cache::Copy;
use crate::foreign::{Followed, Foreign, Judge};
use crate::machine::{Machine, look};
use crate::servers::pass_over;

/// WININET_E_DECODING_FAILED: no secure connection came about.
const NEEDS_TLS: i32 = 0x8007_2F8F_u32.cast_signed();

impl Hands {
    pub(super) async fn scan_outside(
        &self,
        foreign: &Mutex<Foreign>,
        scanning: &Scanning,
    ) -> Result<Result<Found, Failure>, Error> {
        let mut foreign = foreign.lock().await;
        let (url, here) = (foreign.url().to_owned(), self.copy());
        let here = here.filter(|copy| copy.server == foreign.id());
        let is_asked = match scanning.reach {
            _ if here.is_none() => true,
            Reach::Offline => false,
            Reach::Online => !scanning.is_fresh,
            Reach::Forced => true,
        };
        let is_open = url.starts_with("http://");
        if is_asked && is_open && scanning.policy.options.is_on("internet") {
            let reason = format!(
                "{url} is not asked without TLS by a computer on the internet; name its https \
                 address in wsus_url"
            );
            return Ok(Err(Failure { reason, code: NEEDS_TLS, is_distrusted: false }));
        }
        let copy = match here.map_or_else(|| self.cache.open(foreign.id()), Ok) {
            Ok(copy) => copy,
            Err(error) => {
                let code = code_of(&error);
                let reason = pass_over(&url, "no place for what it serves", error)?;
                return Ok(Err(Failure { reason, code, is_distrusted: false }));
            }
        };
        let found = match is_asked {
            true => self.ask_outside(&mut foreign, &copy).await,
            false => self.judge_outside(&foreign, &copy).await,
        };
        match found {
            Ok(found) => Ok(Ok(Found { covered: 0, ..found })),
            Err(error) => {
                let is_damaged = error.is_damage();
                self.cache.judge(&copy, &error).await;
                let is_distrusted = is_damaged && self.distrust(&copy).await;
                let code = code_of(&error);
                let reason = pass_over(&url, "no scan with the update service", error)?;
                Ok(Err(Failure { reason, code, is_distrusted }))
            }
        }
    }

    async fn ask_outside(&self, foreign: &mut Foreign, copy: &Copy) -> Result<Found, Error> {
        let followed = self.follow_outside(foreign, copy).await?;
        let mut scan = self.evaluate(copy).await?;
        followed.restrict(&mut scan);
        let bytes = u64::try_from(followed.cost.received).unwrap_or(u64::MAX);
        let source = Source { url: foreign.url().to_owned(), bytes };
        let found = self.found(copy.clone(), scan, Some(source), None).await?;
        let report = foreign.report(&copy.catalog, &followed, &found.scan);
        match self.while_running(report).await {
            Ok(events) => tracing::info!(events, "the update service was told"),
            Err(error) => {
                pass_over(foreign.url(), "the update service took no report", error)?;
            }
        }
        Ok(found)
    }

    async fn judge_outside(&self, foreign: &Foreign, copy: &Copy) -> Result<Found, Error> {
        let followed = foreign.remembered(&copy.catalog).await?;
        let mut scan = self.evaluate(copy).await?;
        followed.restrict(&mut scan);
        self.found(copy.clone(), scan, None, None).await
    }

    async fn follow_outside(&self, foreign: &mut Foreign, copy: &Copy) -> Result<Followed, Error> {
        let facts = self.machine.facts().await.map_err(Error::Facts)?;
        let mut judge = Looking { machine: &*self.machine, facts: facts.clone() };
        self.while_running(foreign.follow(&copy.catalog, &facts, &mut judge)).await
    }

    /// A server that lets others wait does not let the agent wait that is to stop.
    async fn while_running<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.servers.stop.cancelled() => Err(Error::Stopping),
            outcome = work => outcome,
        }
    }
}

/// Judges documents with the files that they ask for.
struct Looking<'a> {
    machine: &'a dyn Machine,
    facts: Facts,
}

impl Judge for Looking<'_> {
    fn judge<'a>(&'a mut self, document: &'a Document) -> BoxFuture<'a, Applicability> {
        Box::pin(async {
            // The rules that ask for a file that cannot be looked at stay unknown; the scan that
            // follows says so.
            let _ = look(self.machine, document, &mut self.facts).await;
            evaluate(document, &self.facts)
        })
    }
}
