//! Wake-ups: reasons to act now, without data.
//!
//! Owns the stream that is held open at a management point. Refuses to know what is done about a
//! wake-up. Whatever was missed while no stream was open is made up for by asking for policy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ambient::Ambient;
use model::{RoleKind, ServerRef};
use rpc::pb::client::client_service_client::ClientServiceClient;
use rpc::pb::client::{WakeRequest, WakeResponse};
use rpc::pb::management::WakeUp;
use tokio::sync::Notify;
use transport::Backoff;

use crate::Error;
use crate::limits::{RETRY_MAX, RETRY_MIN};
use crate::servers::{Servers, pass_over};

/// Reasons that have come up since they were last taken; many of a kind are one.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    policy: AtomicBool,
    scan: AtomicBool,
    state: AtomicBool,
    notify: Notify,
}

impl Wakes {
    pub(crate) fn want_policy(&self) {
        self.policy.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }

    pub(crate) fn want_scan(&self) {
        self.scan.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }

    pub(crate) fn want_state(&self) {
        self.state.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }

    pub(crate) fn take_state(&self) -> bool {
        self.state.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn take_policy(&self) -> bool {
        self.policy.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn take_scan(&self) -> bool {
        self.scan.swap(false, Ordering::SeqCst)
    }

    pub(crate) async fn any(&self) {
        self.notify.notified().await;
    }
}

pub(crate) fn backoff() -> Backoff {
    Backoff::new(RETRY_MIN, RETRY_MAX, 50).expect("the bounds are constants in order")
}

/// Keeps a stream open at one management point or another until the agent stops.
pub(crate) async fn listen(ambient: Ambient, servers: Arc<Servers>, wakes: Arc<Wakes>) {
    let mut backoff = backoff();
    while !servers.stop.is_cancelled() {
        for server in servers.of(RoleKind::ManagementPoint) {
            let ended = follow(&servers, &server, &wakes, &mut backoff).await;
            let failure = "no wake-ups from a management point";
            if ended.or_else(|error| pass_over(&server.url, failure, error).map(drop)).is_err() {
                return;
            }
        }
        let wait = tokio::time::sleep(backoff.wait(&ambient));
        servers.stop.run_until_cancelled(wait).await;
    }
}

async fn follow(
    servers: &Servers,
    server: &ServerRef,
    wakes: &Wakes,
    backoff: &mut Backoff,
) -> Result<(), Error> {
    let url = &server.url;
    let mut client = ClientServiceClient::new(servers.connection(server, url)?.channel());
    let mut stream = servers.answer(url, client.wake(WakeRequest {})).await?;
    backoff.reset();
    wakes.want_policy();
    loop {
        let next = servers.stop.run_until_cancelled(stream.message()).await;
        let next = next.ok_or(Error::Stopping)?.map_err(Error::call(url))?;
        let Some(WakeResponse { wake_up }) = next else {
            tracing::debug!(url, "the wake-up stream ended");
            return Ok(());
        };
        match WakeUp::try_from(wake_up) {
            Ok(WakeUp::Policy) => wakes.want_policy(),
            Ok(WakeUp::Scan) => wakes.want_scan(),
            Ok(WakeUp::State) => wakes.want_state(),
            // A newer server knows more reasons; policy is where all of them begin.
            Ok(WakeUp::Unspecified) | Err(_) => wakes.want_policy(),
        }
    }
}
