//! The site's side of clients and management points: registrations and states in, policy, wake-ups
//! and locations out, and the compliance board.
//!
//! Owns the service `management` of a central or primary site and the only writer of the board.
//! Refuses to know how policy is planned and signed, where content is kept, and who wants a client
//! to wake; those meet it in the site database, in a handed-in question ([`Heads`]) and in
//! [`WakeUps`]. A report that cannot be read is refused alone and counted; a
//! database that fails is an answer to the caller, who keeps what he sent and tries again.

mod board;
mod error;
mod grpc;
mod intake;
mod inventory;
mod limits;
mod refusals;
mod wake;

use std::fmt;
use std::sync::Arc;

use compliance::{BoardHandle, BoardWriter};
use model::ClientId;
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::management::management_service_server::ManagementServiceServer;
use site_db::{SiteDb, StoredHead};
use tokio_util::sync::CancellationToken;
use transport::BoxFuture;

pub use board::Kept;
pub use error::Error;
pub use grpc::Management;
pub use wake::{Reason, WakeUps};

use board::Keeper;
use refusals::Refusals;

/// The newest signed head for a client in an incarnation; none before its policy is planned.
pub type Heads = Arc<
    dyn Fn(ClientId, u64) -> BoxFuture<'static, Result<Option<StoredHead>, site_db::Error>>
        + Send
        + Sync,
>;

pub struct Deps {
    pub db: SiteDb,
    pub heads: Heads,
    /// Who wants clients to wake speaks here.
    pub wake_ups: WakeUps,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("db", &self.db).finish_non_exhaustive()
    }
}

/// The component. Clones share it.
#[derive(Clone, Debug)]
pub struct ClientManager {
    deps: Arc<Deps>,
    keeper: Arc<Keeper>,
    refusals: Arc<Refusals>,
}

impl ClientManager {
    #[must_use]
    pub fn new(deps: Deps, board: BoardWriter) -> ClientManager {
        let keeper = Arc::new(Keeper::new(deps.db.clone(), board));
        ClientManager { deps: Arc::new(deps), keeper, refusals: Arc::default() }
    }

    /// For those who ask about compliance.
    #[must_use]
    pub fn board(&self) -> BoardHandle {
        self.keeper.handle()
    }

    /// What management points and secondary sites call. Open streams end with `shutdown`.
    #[must_use]
    pub fn service(&self, shutdown: CancellationToken) -> ManagementServiceServer<Management> {
        ManagementServiceServer::new(Management::new(self.clone(), shutdown))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Keeps the board until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        self.keeper.run(shutdown).await;
    }

    /// One pass of keeping the board.
    pub async fn step(&self) -> Result<Kept, Error> {
        self.keeper.step().await
    }
}

#[cfg(test)]
mod tests;
