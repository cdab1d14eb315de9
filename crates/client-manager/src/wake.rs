//! Wake-ups: hints for clients that hold a stream open. Nothing depends on their arrival.

use std::sync::Arc;

use model::ClientId;
use tokio::sync::broadcast;

use crate::limits::{WAKE_CLIENTS_MAX, WAKE_UPS_WAITING};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Policy,
    Scan,
    /// To say everything now.
    State,
}

/// Clients and why they shall wake; none named: all.
#[derive(Clone, Debug)]
pub(crate) struct WakeUp {
    pub(crate) clients: Arc<[ClientId]>,
    pub(crate) reason: Reason,
}

/// Where those speak who want clients to wake. Clones share it.
#[derive(Clone, Debug)]
pub struct WakeUps(broadcast::Sender<WakeUp>);

impl Default for WakeUps {
    fn default() -> WakeUps {
        WakeUps(broadcast::Sender::new(WAKE_UPS_WAITING))
    }
}

impl WakeUps {
    /// Wakes these clients; nobody for an empty list.
    pub fn wake(&self, clients: &[ClientId], reason: Reason) {
        for clients in clients.chunks(WAKE_CLIENTS_MAX) {
            // Without a management point there is nobody to wake.
            let _ = self.0.send(WakeUp { clients: clients.into(), reason });
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<WakeUp> {
        self.0.subscribe()
    }
}
