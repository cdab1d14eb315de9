//! Events on their way from computers into the ledger: a durable queue and who empties it.
//!
//! Owns the bytes in which a batch of events waits. A computer hears that its events were taken
//! when they are safe here; what they mean is found out later, once, because the ledger remembers
//! the last batch that it has, by number and digest: the numbers of a queue that was made anew, or
//! put back, mean nothing. Refuses to know what events mean. A batch that cannot be read is set
//! aside with the reason.

use model::{Sha256, Timestamp, error_chain};
use sha2::Digest as _;
use sqlite_engine::spool::{Entry, Spool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use transport::Backoff;
use uuid::Uuid;
use wsus_protocol::reporting::{ReportEventBatch2, ReportingEvent};
use wsus_protocol::{ErrorCode, WireTime, decode, encode};

use super::limits;
use super::states::Scanned;
use crate::Error;
use crate::point::Point;
use crate::soap::Refused;

/// What one computer reported at once.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) computer: Uuid,
    pub(crate) scanned: Scanned,
    pub(crate) received_at: Timestamp,
    /// When it was sent, by the computer's clock.
    pub(crate) client_time: WireTime,
    pub(crate) events: Vec<ReportingEvent>,
}

/// The queue, and who is told that there is something in it.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) spool: Spool,
    more: Notify,
}

impl Batch {
    /// Version and end of the scan and time of arrival (8 bytes each, little endian), then a
    /// message of the protocol.
    fn encode(self) -> Vec<u8> {
        let Batch { computer, scanned: Scanned { version, ended }, received_at, .. } = self;
        let (computer_id, client_time, events) =
            (computer.to_string(), self.client_time, self.events);
        let message = encode(&ReportEventBatch2 { computer_id, client_time, events });
        let numbers = [version.to_le_bytes(), ended.0.to_le_bytes(), received_at.0.to_le_bytes()];
        [numbers.as_flattened(), message.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Result<Batch, String> {
        let short = || "it ends in the middle".to_owned();
        let (version, rest) = bytes.split_first_chunk().ok_or_else(short)?;
        let (ended, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (received_at, message) = rest.split_first_chunk().ok_or_else(short)?;
        let message: ReportEventBatch2 = decode(message).map_err(|error| error_chain(&error))?;
        let computer = message.computer_id.parse().map_err(|_| "it is of nobody".to_owned())?;
        let time = |bytes: &[u8; 8]| Timestamp(i64::from_le_bytes(*bytes));
        let scanned = Scanned { version: u64::from_le_bytes(*version), ended: time(ended) };
        let ReportEventBatch2 { client_time, events, .. } = message;
        Ok(Batch { computer, scanned, received_at: time(received_at), client_time, events })
    }
}

impl Intake {
    pub(crate) fn new(spool: Spool) -> Intake {
        Intake { spool, more: Notify::new() }
    }

    /// Takes events; after this they survive a crash.
    pub(super) async fn take(&self, batch: Batch) -> Result<(), Refused> {
        let entry = batch.encode();
        if entry.len() > limits::BATCH_BYTES_MAX {
            return Err(Refused::parameter("eventBatch"));
        }
        match self.spool.append(vec![entry]).await {
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
        let (last, digest) = self.computers.folded().await?;
        if spool.queued(last).await?.is_some_and(|entry| digest == digest_of(&entry.body)) {
            // It was folded before a crash, and with it all before it.
            spool.acknowledge(last).await?;
        }
        loop {
            let entries = spool.oldest(limits::BATCHES_PER_FOLD, limits::FOLD_BYTES).await?;
            if entries.is_empty() {
                return Ok(());
            }
            let (mut batches, mut last) = (Vec::new(), None);
            for Entry { id, body } in entries {
                match Batch::decode(&body) {
                    Ok(batch) => {
                        batches.push(batch);
                        last = Some((id, digest_of(&body)));
                    }
                    Err(reason) => {
                        tracing::warn!(reason, "events of a computer were set aside");
                        spool.quarantine(id, reason).await?;
                    }
                }
            }
            let Some((id, digest)) = last else { continue };
            let graph = self.catalog.scan_graph().await?;
            let revision = move |id| graph.latest(id).map(|entry| entry.update.revision);
            self.computers.fold(batches, (id, digest), revision).await?;
            ambient::failpoint("sup.events_folded");
            spool.acknowledge(id).await?;
            self.registrar.news();
        }
    }
}

fn digest_of(body: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(body).into())
}
