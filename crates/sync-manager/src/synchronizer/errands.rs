//! Third-party updates, by the first update point: updates published here, catalogs that are
//! subscribed to, and the content of their updates (SUPX-21).
//!
//! Each errand is tried once; its report says what came of it. A look at a catalog that failed is a
//! status message too, with its address and the reason, and is due again within the hour.

use model::{RoleRecord, Severity, StatusMessage};
use site_db::{ErrandKind, ErrandReport, ImportReport, Subscription, Writer};

use super::Synchronizer;
use crate::Error;
use crate::session::{Answer, Order};

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
            Some(order) => self.carry_out(&first, order).await?,
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

    async fn carry_out(&mut self, first: &RoleRecord, order: Order) -> Result<ErrandReport, Error> {
        let mut answers = self.ask(first, order).await?;
        loop {
            match answers.next().await {
                Ok(Answer::Imported(report)) => {
                    let ImportReport { imported, unchanged, rejected, revised, refused, .. } =
                        report;
                    return Ok(ErrandReport { imported, unchanged, rejected, revised, refused });
                }
                Ok(_) => {}
                Err(Error::PointFailed { reason, .. }) => {
                    return Ok(ErrandReport { refused: reason, ..ErrandReport::default() });
                }
                Err(error) => return Err(error),
            }
        }
    }
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
