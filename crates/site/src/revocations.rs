//! The list of revoked certificates, as fresh as the topology is here.

use daemon::Revocations;
use model::{Group, Revocation};
use site_db::SiteDb;
use tokio_util::sync::CancellationToken;

use crate::Error;

pub(crate) async fn load(list: &Revocations, db: &SiteDb) -> Result<(), Error> {
    let revoked = db.read(|r| r.list::<Revocation>()).await?;
    list.replace(revoked.into_iter().map(|(_, revocation)| revocation.identity).collect());
    Ok(())
}

pub(crate) async fn follow(list: Revocations, db: SiteDb, shutdown: CancellationToken) {
    let mut changes = db.watch(&[Group::Topology]);
    while shutdown.run_until_cancelled(changes.changed()).await.is_some() {
        if let Err(error) = load(&list, &db).await {
            tracing::warn!(error = %model::error_chain(&error), "revocations were not read");
        }
    }
}
