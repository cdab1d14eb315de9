//! Revoked certificates, kept at hand for the acceptor.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use model::{Group, Revocation};
use site_db::SiteDb;
use tokio_util::sync::CancellationToken;
use transport::Revoked;

use crate::Error;

/// The identities that are refused, as the topology says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revocations(Arc<RwLock<BTreeSet<String>>>);

impl Revocations {
    pub(crate) fn check(&self) -> Revoked {
        let list = Arc::clone(&self.0);
        Arc::new(move |peer| {
            list.read().unwrap_or_else(PoisonError::into_inner).contains(&peer.to_string())
        })
    }

    pub(crate) async fn load(&self, db: &SiteDb) -> Result<(), Error> {
        let revoked = db.read(|r| r.list::<Revocation>()).await?;
        let list = revoked.into_iter().map(|(_, revocation)| revocation.identity).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(())
    }

    /// Keeps the list as fresh as the topology is here.
    pub(crate) async fn follow(self, db: SiteDb, shutdown: CancellationToken) {
        let mut changes = db.watch(&[Group::Topology]);
        while shutdown.run_until_cancelled(changes.changed()).await.is_some() {
            if let Err(error) = self.load(&db).await {
                tracing::warn!(error = %model::error_chain(&error), "revocations were not read");
            }
        }
    }
}
