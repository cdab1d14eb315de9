//! Wake-ups: one stream from the site server, one to each client that holds one open.
//!
//! They are hints. Whenever some may have been lost, clients are told to ask for policy.

use std::sync::Arc;

use ambient::Ambient;
use model::{ClientId, error_chain};
use rpc::pb::management as pb;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use transport::Backoff;

use crate::Error;
use crate::intake::Intake;
use crate::limits::{RETRY_MAX, RETRY_MIN, WAKE_UPS_WAITING};
use crate::point::Site;

/// Clients in ascending order, none for all, and why.
type WakeUp = (Arc<[Vec<u8>]>, i32);

#[derive(Debug)]
pub(crate) struct WakeUps(broadcast::Sender<WakeUp>);

impl Default for WakeUps {
    fn default() -> WakeUps {
        WakeUps(broadcast::Sender::new(WAKE_UPS_WAITING))
    }
}

impl WakeUps {
    /// What one client hears. The first reason comes at once: who listens from now on may have
    /// missed what came before.
    pub(crate) fn listen(&self, client: ClientId) -> impl Stream<Item = i32> + use<> {
        let ask_for_policy = pb::WakeUp::Policy.into();
        let heard = BroadcastStream::new(self.0.subscribe()).filter_map(move |wake_up| {
            let Ok((clients, reason)) = wake_up else { return Some(ask_for_policy) };
            let found = clients.binary_search_by(|other| other[..].cmp(client.as_bytes()));
            (clients.is_empty() || found.is_ok()).then_some(reason)
        });
        tokio_stream::once(ask_for_policy).chain(heard)
    }

    /// Holds the stream from the site server until `shutdown`; `intake` hears when it begins.
    pub(crate) async fn run(
        &self,
        ambient: &Ambient,
        site: &Site,
        intake: &Intake,
        shutdown: &CancellationToken,
    ) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
        loop {
            let follow = self.follow(site, intake, &mut backoff);
            let Some(ended) = shutdown.run_until_cancelled(follow).await else {
                return Ok(());
            };
            if let Err(error) = ended {
                tracing::info!(error = %error_chain(&error), "no wake-ups come from the site");
            }
            let wait = tokio::time::sleep(backoff.wait(ambient));
            if shutdown.run_until_cancelled(wait).await.is_none() {
                return Ok(());
            }
        }
    }

    async fn follow(
        &self,
        site: &Site,
        intake: &Intake,
        backoff: &mut Backoff,
    ) -> Result<(), Error> {
        let stream = site.clone().watch_wake_ups(pb::WatchWakeUpsRequest {}).await?;
        let mut stream = stream.into_inner();
        backoff.reset();
        intake.greet();
        self.pass_on(Vec::new(), pb::WakeUp::Policy.into());
        while let Some(pb::WatchWakeUpsResponse { clients, wake_up }) = stream.message().await? {
            self.pass_on(clients, wake_up);
        }
        Ok(())
    }

    /// Wakes these alone; without any it would be everybody.
    pub(crate) fn wake(&self, clients: &[ClientId], reason: pb::WakeUp) {
        let clients = clients.iter().map(|client| client.as_bytes().to_vec()).collect();
        self.pass_on(clients, reason.into());
    }

    fn pass_on(&self, mut clients: Vec<Vec<u8>>, wake_up: i32) {
        clients.sort_unstable();
        // Without a client there is nobody to wake.
        let _ = self.0.send((clients.into(), wake_up));
    }
}
