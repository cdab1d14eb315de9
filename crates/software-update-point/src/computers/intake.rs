//! Events on their way from computers into the ledger: a durable queue and who empties it.
//!
//! Owns the bytes in which a batch of events waits. A computer hears that its events were taken
//! when they are safe here; what they mean is found out later, once, because the ledger remembers
//! how far it has come. Refuses to know what events mean. A batch that cannot be read is set aside
//! with the reason.

use model::{Timestamp, error_chain};
use sqlite_engine::spool::{Entry, Spool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use transport::Backoff;
use uuid::Uuid;
use wsus_protocol::reporting::{ReportEventBatch2, ReportingEvent};
use wsus_protocol::{ErrorCode, WireTime, decode, encode};

use super::limits;
use crate::Error;
use crate::point::Point;
use crate::soap::Refused;

/// What one computer reported at once.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) computer: Uuid,
    /// The catalog version that its last scan was answered from.
    pub(crate) scanned: u64,
    pub(crate) received_at: Timestamp,
    pub(crate) events: Vec<ReportingEvent>,
}

/// The queue, and who is told that there is something in it.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) spool: Spool,
    more: Notify,
}

impl Batch {
    /// Version and time (8 bytes each, little endian), then a message of the protocol.
    fn encode(self) -> Vec<u8> {
        let Batch { computer, scanned, received_at, events } = self;
        let computer_id = computer.to_string();
        let client_time = WireTime::from_millis(received_at.0);
        let message = encode(&ReportEventBatch2 { computer_id, client_time, events });
        [&scanned.to_le_bytes(), &received_at.0.to_le_bytes(), message.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Result<Batch, String> {
        let short = || "it ends in the middle".to_owned();
        let (scanned, rest) = bytes.split_first_chunk().ok_or_else(short)?;
        let (received_at, message) = rest.split_first_chunk().ok_or_else(short)?;
        let message: ReportEventBatch2 = decode(message).map_err(|error| error_chain(&error))?;
        let computer = message.computer_id.parse().map_err(|_| "it is of nobody".to_owned())?;
        Ok(Batch {
            computer,
            scanned: u64::from_le_bytes(*scanned),
            received_at: Timestamp(i64::from_le_bytes(*received_at)),
            events: message.events,
        })
    }
}

impl Intake {
    pub(crate) fn new(spool: Spool) -> Intake {
        Intake { spool, more: Notify::new() }
    }

    /// Takes events; after this they survive a crash.
    pub(super) async fn take(&self, batch: Batch) -> Result<(), Refused> {
        match self.spool.append(vec![batch.encode()]).await {
            Ok(()) => {
                self.more.notify_one();
                Ok(())
            }
            Err(sqlite_engine::Error::SpoolFull { .. }) => {
                Err(Refused::with(ErrorCode::ServerBusy, ""))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Empties the queue into the ledger until `stop`.
pub(crate) async fn run(point: &Point, stop: &CancellationToken) -> Result<(), Error> {
    let mut backoff = Backoff::new(limits::RETRY_MIN, limits::RETRY_MAX, 50)?;
    loop {
        let ended = match stop.run_until_cancelled(point.fold_events()).await {
            Some(Ok(())) => {
                backoff.reset();
                stop.run_until_cancelled(point.intake.more.notified()).await
            }
            Some(Err(error)) => {
                tracing::error!(error = %error_chain(&error), "events of computers wait");
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

impl Point {
    /// Takes everything that waits into account.
    pub(crate) async fn fold_events(&self) -> Result<(), Error> {
        let spool = &self.intake.spool;
        loop {
            let folded = self.computers.folded().await?;
            let entries = spool.read(folded, limits::BATCHES_PER_FOLD).await?;
            let Some(last) = entries.last().map(|entry| entry.id) else {
                // What is left was folded before a crash.
                return Ok(spool.acknowledge(folded).await?);
            };
            let mut batches = Vec::new();
            for Entry { id, body } in entries {
                match Batch::decode(&body) {
                    Ok(batch) => batches.push((id, Some(batch))),
                    Err(reason) => {
                        tracing::warn!(reason, "events of a computer were set aside");
                        spool.quarantine(id, reason).await?;
                        batches.push((id, None));
                    }
                }
            }
            let graph = self.catalog.scan_graph().await?;
            let revision = move |id| graph.latest(id).map(|entry| entry.update.revision);
            self.computers.fold(batches, revision).await?;
            ambient::failpoint("sup.events_folded");
            spool.acknowledge(last).await?;
            self.registrar.news();
        }
    }
}
