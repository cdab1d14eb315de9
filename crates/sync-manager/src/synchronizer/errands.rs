//! Third-party updates, by the first update point: updates published here, catalogs that are
//! subscribed to, and the content of their updates (SUPX-21).
//!
//! Each errand is carried out once; its report says what came of it. If the update point breaks
//! off, it is tried again, but not for ever, and whatever takes too long is stopped: others wait. A
//! look at a catalog that failed is a status message too, with its address and the reason, and is
//! due again within the hour.

use model::{RoleId, RoleRecord, Severity, StatusMessage, error_chain};
use site_db::{ErrandKind, ErrandReport, ImportReport, Subscription, Writer};
use tokio::time::timeout;

use super::Synchronizer;
use crate::Error;
use crate::limits::{TASK_MAX, TRIES_MAX};
use crate::session::{Answer, Answers, Order};

/// The counter of orders.
pub(super) const ORDER: &str = "sync_order";

const COMPONENT: &str = "SMS_ISVUPDATES_SYNCAGENT";

/// A catalog was looked at and brought something: its name, its address, updates taken in.
const REFRESHED: u32 = 60_160;

/// A catalog could not be looked at, or part of it not be taken in: its name, its address, why.
const NOT_REFRESHED: u32 = 60_161;

/// The content of an update was not published: the update, why.
const NO_CONTENT: u32 = 60_162;

impl Synchronizer {
    /// Hands what waits longest to the first update point, if it is connected.
    pub(super) async fn run_errand(&mut self) -> Result<bool, Error> {
        if !self.db.identity().is_top() {
            return Ok(false);
        }
        self.db.write(|w| w.refresh_due()).await?;
        let Some(errand) = self.db.read(|r| r.pending_errand()).await? else { return Ok(false) };
        let first = match self.first().await {
            Ok(first) if self.sessions.is_connected(first.id) => first,
            Ok(_) | Err(Error::NoPoint { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let kind = errand.kind.clone();
        let subscription = self.db.read(move |r| match &kind {
            ErrandKind::Refresh { subscription } => r.subscription(subscription),
            ErrandKind::Publish { .. } | ErrandKind::Content { .. } => Ok(None),
        });
        let subscription = subscription.await?;
        let report = match order(&errand.kind, subscription.clone()) {
            Some(order) => self.carry_out(&first, errand.id, order).await?,
            None => ErrandReport {
                refused: "the subscription has ended".to_owned(),
                ..ErrandReport::default()
            },
        };
        let finish = move |w: &Writer<'_>| {
            w.finish_errand(&errand, &report)?;
            match message(&errand.kind, subscription.as_ref(), &report) {
                Some((id, severity, strings)) => w.append_status(&StatusMessage {
                    id,
                    severity,
                    component: COMPONENT.to_owned(),
                    site: w.identity().code(),
                    machine: first.name.clone(),
                    at: w.now(),
                    strings,
                }),
                None => Ok(()),
            }
        };
        self.db.write(finish).await?;
        Ok(true)
    }

    async fn carry_out(
        &self,
        first: &RoleRecord,
        errand: i64,
        order: Order,
    ) -> Result<ErrandReport, Error> {
        let begin = move |w: &Writer<'_>| Ok::<_, Error>((w.try_errand(errand)?, w.next(ORDER)?));
        let (tries, number) = self.db.write(begin).await?;
        let report = match tries > TRIES_MAX {
            true => broke_off(),
            false => {
                let mut answers = self.sessions.send(first, number, order).await?;
                self.bounded((first.id, number), reported(&mut answers)).await?
            }
        };
        let ImportReport { imported, unchanged, rejected, revised, refused, .. } = report;
        Ok(ErrandReport { imported, unchanged, rejected, revised, refused })
    }

    /// The report of an errand or a file, which is stopped after a while.
    pub(super) async fn bounded(
        &self,
        (role, order): (RoleId, u64),
        report: impl Future<Output = Result<ImportReport, Error>>,
    ) -> Result<ImportReport, Error> {
        let refused = |refused| Ok(ImportReport { refused, ..ImportReport::default() });
        match timeout(TASK_MAX, report).await {
            Ok(Err(Error::PointFailed { reason, .. })) => refused(reason),
            Ok(report) => report,
            Err(_) => {
                // If it is not connected any more, there is nothing to stop.
                let _ = self.sessions.send_more(role, order, Order::Cancel { order }).await;
                let hours = TASK_MAX.as_secs() / 3_600;
                refused(error_chain(&Error::Unfinished { hours }))
            }
        }
    }
}

/// What an update point made of an errand or a file.
pub(super) async fn reported(answers: &mut Answers) -> Result<ImportReport, Error> {
    loop {
        if let Answer::Imported(report) = answers.next().await? {
            return Ok(report);
        }
    }
}

/// Instead of another try.
pub(super) fn broke_off() -> ImportReport {
    let refused = format!(
        "the update point broke off {TRIES_MAX} times at this; see its log, and hand it in again \
         once that is repaired"
    );
    ImportReport { refused, ..ImportReport::default() }
}

fn order(kind: &ErrandKind, subscription: Option<Subscription>) -> Option<Order> {
    match kind.clone() {
        ErrandKind::Publish { name, package } => Some(Order::Publish { name, package }),
        ErrandKind::Content { update } => Some(Order::PublishContent { update }),
        ErrandKind::Refresh { .. } => subscription.map(Order::RefreshCatalog),
    }
}

/// What administrators are told beside the report.
fn message(
    kind: &ErrandKind,
    subscription: Option<&Subscription>,
    report: &ErrandReport,
) -> Option<(u32, Severity, Vec<String>)> {
    let ErrandReport { imported, rejected, refused, .. } = report;
    let trouble = Some(refused).filter(|refused| !refused.is_empty()).or(rejected.first());
    match (kind, subscription, trouble) {
        (ErrandKind::Refresh { .. }, Some(Subscription { name, url, .. }), Some(why)) => {
            let strings = vec![name.clone(), url.clone(), why.clone()];
            let severity = if refused.is_empty() { Severity::Warning } else { Severity::Error };
            Some((NOT_REFRESHED, severity, strings))
        }
        (ErrandKind::Refresh { .. }, Some(Subscription { name, url, .. }), None) => {
            let strings = vec![name.clone(), url.clone(), imported.to_string()];
            (*imported > 0).then_some((REFRESHED, Severity::Information, strings))
        }
        (ErrandKind::Content { update }, _, Some(why)) => {
            Some((NO_CONTENT, Severity::Error, vec![update.to_string(), why.clone()]))
        }
        // Whoever publishes waits for the report.
        (ErrandKind::Content { .. } | ErrandKind::Publish { .. }, ..)
        | (ErrandKind::Refresh { .. }, None, _) => None,
    }
}
