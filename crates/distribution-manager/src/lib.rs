//! Content of a site: packages, and the way of their files to distribution points.
//!
//! Owns the site's content library and what it is for: files that packages want are taken in when
//! an update point uploads them, make the next content version of their packages, and go down as
//! *manifest first, then only what is missing*, to distribution points and to child sites that have
//! some below them. At a child site it fetches from the parent what the distribution points at and
//! below it shall hold, and passes on what they report. Every file is verified after every hop.
//!
//! Refuses to know where files come from (update points do) and who installs them. Work is one
//! reconciler that reads what shall be and what is; whatever fails is left for the next pass.

mod error;
mod fetcher;
mod grpc;
mod limits;
mod packages;

use content_library::ContentLibrary;
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::content::content_service_server::ContentServiceServer;
use site_db::SiteDb;
use tokio_util::sync::CancellationToken;
use transport::Connection;

pub use error::Error;
use fetcher::Fetcher;
pub use grpc::Contents;
use packages::Packages;

/// What the component is given.
#[derive(Clone, Debug)]
pub struct Deps {
    pub db: SiteDb,
    pub library: ContentLibrary,
    /// The parent site; none at the top.
    pub parent: Option<Connection>,
}

/// The component.
#[derive(Debug)]
pub struct DistributionManager {
    deps: Deps,
}

impl DistributionManager {
    #[must_use]
    pub fn new(deps: Deps) -> DistributionManager {
        DistributionManager { deps }
    }

    /// What child sites, distribution points and update points call. Streams end with `shutdown`.
    #[must_use]
    pub fn service(&self, shutdown: CancellationToken) -> ContentServiceServer<Contents> {
        let Deps { db, library, parent: _ } = self.deps.clone();
        ContentServiceServer::new(Contents { db, library, shutdown })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Deps { db, library, parent } = self.deps;
        let packages = Packages::new(db.clone(), library.clone());
        let fetch = async {
            match parent {
                Some(parent) => Fetcher::new(db, library, parent)?.run(&shutdown).await,
                None => Ok(()),
            }
        };
        let ((), fetched) = tokio::join!(packages.run(&shutdown), fetch);
        fetched
    }
}

#[cfg(test)]
mod tests;
