//! What goes from here to the site: computers that registered, then what they said.
//!
//! One pass does all there is to do. A computer counts as known when the site itself has taken its
//! registration; only then is anything said of it. One that the site does not want stays here,
//! is answered as before, and is offered again when it was here a day later. What the site asks for
//! again is sent in the next pass, which comes soon as long as the site takes anything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt as _};
use model::{ErrorClass, SiteCode, StateReport, error_chain};
use rpc::convert::encode_report;
use rpc::forward::ToldBacklog;
use rpc::limits::{MESSAGE_BYTES_MAX, REPORTS_MAX};
use rpc::object::ObjectBody as _;
use rpc::pb::management as pb;
use rpc::pb::management::Outcome;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use transport::{Backoff, answered};
use uuid::Uuid;

use super::limits;
use super::policies::Management;
use super::register::{Newcomer, Reception};
use crate::Error;
use crate::point::Point;

/// Who is told that there is something to send.
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    more: Notify,
    /// What the site knows of what waits here.
    told: Mutex<ToldBacklog>,
}

impl Registrar {
    fn told(&self) -> MutexGuard<'_, ToldBacklog> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn news(&self) {
        self.more.notify_one();
    }
}

/// Sends until `stop`.
pub(crate) async fn run(
    point: &Point,
    site: SiteCode,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let Some(management) = point.policies.site.clone() else { return Ok(()) };
    let mut backoff = Backoff::new(limits::RETRY_MIN, limits::RETRY_MAX, 50)?;
    loop {
        let step = point.tell_site(site, &management);
        let ended = match stop.run_until_cancelled(step).await {
            Some(Ok(Told::Everything)) => {
                backoff.reset();
                stop.run_until_cancelled(point.registrar.more.notified()).await
            }
            Some(outcome) => {
                match outcome {
                    Ok(Told::Everything | Told::NotAll) => backoff.reset(),
                    Ok(Told::Nothing) => {}
                    Err(error) => {
                        tracing::info!(error = %error_chain(&error), "computers wait for the site");
                    }
                }
                let wait = tokio::time::sleep(backoff.wait(&point.ambient));
                stop.run_until_cancelled(wait).await
            }
            None => None,
        };
        if ended.is_none() {
            return Ok(());
        }
    }
}

/// How far a pass came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Everything,
    /// The site asked for some of it again; it shall not be asked at once.
    NotAll,
    /// It did so for all of it.
    Nothing,
}

/// What became of what was sent, one by one.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    taken: usize,
    put_off: usize,
}

impl Tally {
    fn told(self) -> Told {
        match self {
            Tally { put_off: 0, .. } => Told::Everything,
            Tally { taken: 0, .. } => Told::Nothing,
            Tally { .. } => Told::NotAll,
        }
    }

    fn and(self, other: Tally) -> Tally {
        Tally { taken: self.taken + other.taken, put_off: self.put_off + other.put_off }
    }
}

impl Point {
    /// Tells the site of everything that it lacks, each computer and each report once; what the
    /// site does not take waits for the next pass, and holds up nothing.
    pub(crate) async fn tell_site(
        &self,
        site: SiteCode,
        management: &Management,
    ) -> Result<Told, Error> {
        let (mut tally, mut last) = (Tally::default(), None);
        let started_ms = self.ambient.now_ms();
        loop {
            let newcomers = self.computers.newcomers(site, last, started_ms).await?;
            let Some(newcomer) = newcomers.last() else { break };
            last = Some(newcomer.place);
            tally = tally.and(self.introduce_all(newcomers, management).await?);
        }
        let mut last = None;
        loop {
            let reports = self.computers.reports(last, REPORTS_MAX).await?;
            if reports.is_empty() {
                self.say_backlog(management.clone()).await?;
                return Ok(tally.told());
            }
            let (submitted, through) = self.submit(reports, management.clone()).await?;
            (tally, last) = (tally.and(submitted), Some(through));
        }
    }

    /// Batches of events and computers that the site has not heard of, and batches that nobody can
    /// read (COMP-12, COMP-14).
    async fn backlog(&self) -> Result<(u64, u64), Error> {
        let usage = self.intake.spool.usage().await?;
        Ok((usage.queued + self.computers.unsaid().await?, usage.quarantined))
    }

    /// At the end of a pass; what is still to be said was put off, or has just come.
    async fn say_backlog(&self, mut management: Management) -> Result<(), Error> {
        let backlog = self.backlog().await?;
        if self.registrar.told().has_heard(backlog) {
            return Ok(());
        }
        let (waiting, set_aside) = backlog;
        let request = pb::SubmitStatesRequest { waiting, set_aside, ..Default::default() };
        let asked = management.submit_states(request);
        answered(limits::SUBMIT_WAIT, limits::SITE, asked).await.map_err(Error::site)?;
        self.registrar.told().say(backlog);
        Ok(())
    }

    async fn introduce_all(
        &self,
        newcomers: Vec<Newcomer>,
        management: &Management,
    ) -> Result<Tally, Error> {
        let introduced = newcomers.into_iter().map(|one| self.introduce(one, management.clone()));
        let mut introduced = stream::iter(introduced).buffer_unordered(limits::QUESTIONS_PARALLEL);
        let (mut tally, mut failure) = (Tally::default(), None);
        while let Some(outcome) = introduced.next().await {
            match outcome {
                Ok(()) => tally.taken += 1,
                // Something is wrong with this one.
                Err(error) if is_of_one(&error) => {
                    tracing::warn!(error = %error_chain(&error), "the site failed at a computer");
                    tally.put_off += 1;
                    failure = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match failure {
            Some(error) if tally.taken == 0 => Err(error),
            _ => Ok(tally),
        }
    }

    async fn introduce(&self, newcomer: Newcomer, mut management: Management) -> Result<(), Error> {
        let Newcomer { record, incarnation, .. } = &newcomer;
        let (client, home) = (record.encode(), record.site.to_string());
        let (incarnation, voice) = (*incarnation, pb::Voice::Unspecified.into());
        let request = pb::RegisterClientRequest { client, incarnation, home, voice };
        let asked = management.register_client(request);
        let asked = answered(limits::SITE_WAIT, limits::SITE, asked).await;
        let reception = match asked.map_err(Error::site) {
            Ok(pb::RegisterClientResponse {}) => Reception::Known,
            Err(error) if is_refusal(&error) => {
                let (client, error) = (record.id, error_chain(&error));
                tracing::warn!(client.id = %client, error, "the site does not want a computer");
                Reception::Refused
            }
            Err(error) => return Err(error),
        };
        self.computers.received(&newcomer, reception, self.ambient.now_ms()).await?;
        // It may have policy now.
        self.policies.wake(&[record.id.0]);
        Ok(())
    }

    /// Says what became of them, and which was the last that was sent.
    async fn submit(
        &self,
        mut reports: Vec<StateReport>,
        mut management: Management,
    ) -> Result<(Tally, Uuid), Error> {
        let mut encoded: Vec<Vec<u8>> = reports.iter().map(encode_report).collect();
        let mut bytes = 0;
        let fits = |report: &&Vec<u8>| {
            bytes += report.len();
            bytes <= MESSAGE_BYTES_MAX / 2
        };
        // One report always fits.
        let count = encoded.iter().take_while(fits).count().max(1);
        encoded.truncate(count);
        reports.truncate(count);
        let through = reports.last().map_or(Uuid::nil(), |report| report.client.0);
        let voice = pb::Voice::Unspecified.into();
        let (waiting, set_aside) = self.backlog().await?;
        let waiting = waiting.saturating_sub(encoded.len() as u64);
        let request = pb::SubmitStatesRequest { reports: encoded, voice, waiting, set_aside };
        let asked = management.submit_states(request);
        let answer = answered(limits::SUBMIT_WAIT, limits::SITE, asked).await;
        match answer {
            Ok(_) => self.registrar.told().say((waiting, set_aside)),
            // A site that was away may have forgotten what it was told.
            Err(_) => self.registrar.told().forget(),
        }
        let pb::SubmitStatesResponse { outcomes, mut known_serials } =
            answer.map_err(Error::site)?;
        known_serials.resize(outcomes.len(), 0);
        // Of an answer that cannot be read nobody knows what was taken.
        let outcomes: Result<Vec<Outcome>, _> =
            outcomes.into_iter().map(Outcome::try_from).collect();
        let outcomes = outcomes.ok().filter(|outcomes| outcomes.len() == reports.len());
        let outcomes = outcomes.ok_or(Error::SiteAnswer { what: "outcomes" })?;
        let is_taken = |outcome: &&Outcome| {
            matches!(outcome, Outcome::Unspecified | Outcome::Applied | Outcome::Known)
        };
        let taken = outcomes.iter().filter(is_taken).count();
        let tally = Tally { taken, put_off: outcomes.len() - taken };
        let settled = reports.into_iter().zip(outcomes.into_iter().zip(known_serials));
        self.computers.settle(settled.collect()).await?;
        Ok((tally, through))
    }
}

/// Whether it is this computer that the site does not want, so that saying the same again is in
/// vain. A site that admits nobody, or does not know the question, says nothing of a computer.
fn is_refusal(error: &Error) -> bool {
    let Error::Site(status) = error else { return false };
    status.code() != Code::Unimplemented
        && matches!(rpc::status::class(status), ErrorClass::Invalid | ErrorClass::Conflict)
}

/// Whether others may be received all the same.
fn is_of_one(error: &Error) -> bool {
    let Error::Site(status) = error else { return false };
    matches!(rpc::status::class(status), ErrorClass::Internal | ErrorClass::Corrupt)
}
