//! What goes from here to the site: computers that registered, then what they said.
//!
//! One pass does all there is to do. A computer counts as known when the site itself has taken its
//! registration; only then is anything said of it. One that the site does not want stays here,
//! is answered as before, and is offered again when it was here a day later.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use model::{ErrorClass, SiteCode, StateReport, error_chain};
use rpc::convert::encode_report;
use rpc::limits::{MESSAGE_BYTES_MAX, REPORTS_MAX};
use rpc::object::ObjectBody as _;
use rpc::pb::management as pb;
use rpc::pb::management::Outcome;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use transport::Backoff;

use super::limits;
use super::policies::{Management, answered};
use super::register::{Newcomer, Reception};
use crate::Error;
use crate::point::Point;

/// Who is told that there is something to send.
#[derive(Debug, Default)]
pub(crate) struct Registrar {
    more: Notify,
}

impl Registrar {
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
                if let Err(error) = outcome {
                    tracing::info!(error = %error_chain(&error), "computers wait for the site");
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
    /// The site asked for something again; it shall not be asked at once.
    NotAll,
}

impl Point {
    /// Tells the site of everything that it lacks.
    pub(crate) async fn tell_site(
        &self,
        site: SiteCode,
        management: &Management,
    ) -> Result<Told, Error> {
        loop {
            let newcomers = self.computers.newcomers(site, limits::NEWCOMERS_PER_PASS).await?;
            if newcomers.is_empty() {
                break;
            }
            let introduced =
                newcomers.into_iter().map(|one| self.introduce(one, management.clone()));
            let introduced = stream::iter(introduced).buffer_unordered(limits::QUESTIONS_PARALLEL);
            introduced.try_collect::<()>().await?;
        }
        loop {
            let reports = self.computers.reports(REPORTS_MAX).await?;
            if reports.is_empty() {
                return Ok(Told::Everything);
            }
            if self.submit(reports, management.clone()).await? == Told::NotAll {
                return Ok(Told::NotAll);
            }
        }
    }

    async fn introduce(
        &self,
        Newcomer { record, incarnation }: Newcomer,
        mut management: Management,
    ) -> Result<(), Error> {
        let (client, home) = (record.encode(), record.site.to_string());
        let request = pb::RegisterClientRequest { client, incarnation, home };
        let reception = match answered(management.register_client(request)).await {
            Ok(pb::RegisterClientResponse {}) => Reception::Known,
            Err(error) if is_refusal(&error) => {
                let (client, error) = (record.id, error_chain(&error));
                tracing::warn!(client.id = %client, error, "the site does not want a computer");
                Reception::Refused
            }
            Err(error) => return Err(error),
        };
        self.computers.received(record.id.0, reception, self.ambient.now_ms()).await?;
        // It may have policy now.
        self.policies.wake(&[record.id.0]);
        Ok(())
    }

    async fn submit(
        &self,
        mut reports: Vec<StateReport>,
        mut management: Management,
    ) -> Result<Told, Error> {
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
        let request = pb::SubmitStatesRequest { reports: encoded };
        let answer = tokio::time::timeout(limits::SUBMIT_WAIT, management.submit_states(request));
        let answer = answer.await.unwrap_or_else(|_| {
            let text = format!("the site server did not answer within {:?}", limits::SUBMIT_WAIT);
            Err(rpc::status::refuse(ErrorClass::Unavailable, text))
        });
        let refused = |status: Status| Error::Site(Box::new(status));
        let outcomes = answer.map_err(refused)?.into_inner().outcomes;
        if outcomes.len() != reports.len() {
            return Err(Error::SiteAnswer { what: "outcomes" });
        }
        let outcome = |number: i32| Outcome::try_from(number).unwrap_or(Outcome::Unspecified);
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(outcome).collect();
        let is_taken = |outcome: &Outcome| {
            matches!(outcome, Outcome::Unspecified | Outcome::Applied | Outcome::Known)
        };
        let told = if outcomes.iter().all(is_taken) { Told::Everything } else { Told::NotAll };
        let settled = reports.into_iter().zip(outcomes).collect();
        self.computers.settle(settled).await?;
        Ok(told)
    }
}

/// Whether saying the same again is in vain.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error.class(),
        ErrorClass::Invalid | ErrorClass::Conflict | ErrorClass::Denied | ErrorClass::NotFound
    )
}
