//! The agent's copy of a software update point's catalog.
//!
//! Owns `<data>/catalog`: one database per server, named by its id, because changes are numbered
//! by each server alone. The one in use stays until another is complete. Refuses to know what the
//! documents mean. A stream that breaks is resumed where it was.

use std::path::{Path, PathBuf};

use ambient::failpoint;
use model::{Invalid, ServerRef, UpdateId, error_chain};
use rpc::limits::MESSAGE_BYTES_MAX;
use rpc::pb::metadata::metadata_service_client::MetadataServiceClient;
use rpc::pb::metadata::{
    Document as WireDocument, FollowDocumentsRequest, FollowDocumentsResponse,
};
use sqlite_engine::{Durability, Executor, Options};
use update_catalog::{Batch, Catalog};
use update_metadata::sdp::Rejected;
use uuid::Uuid;

use crate::Error;
use crate::limits::CATALOG_BYTES_MAX;
use crate::servers::Servers;

/// The name of the position in the server's changes.
const FOLLOWED: &str = "followed";

/// A catalog and the server it is a copy of.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub(crate) server: Uuid,
    pub(crate) catalog: Catalog,
}

#[derive(Debug)]
pub(crate) struct Cache {
    directory: PathBuf,
    executor: Executor,
}

impl Cache {
    pub(crate) fn new(data: &Path, executor: Executor) -> Result<Cache, Error> {
        let directory = data.join("catalog");
        std::fs::create_dir_all(&directory).map_err(|source| Error::Files {
            operation: "make",
            path: directory.clone(),
            source,
        })?;
        Ok(Cache { directory, executor })
    }

    pub(crate) fn open(&self, server: Uuid) -> Result<Copy, Error> {
        // What a power cut takes is fetched again; the position goes with it.
        let options = Options { executor: self.executor, durability: Durability::Normal };
        let catalog = Catalog::open(&self.path(server), server, options)?;
        Ok(Copy { server, catalog })
    }

    /// The copy that was in use. One that cannot be opened goes; all of it is fetched again.
    pub(crate) fn recall(&self, server: Uuid) -> Option<Copy> {
        let failed = |error: &Error| {
            tracing::warn!(reason = error_chain(error), "the cache of documents is not usable");
            self.sweep(|known| *known != server);
        };
        self.open(server).inspect_err(failed).ok()
    }

    /// Forgets a copy.
    pub(crate) async fn remove(&self, copy: &Copy) {
        copy.catalog.close().await;
        self.sweep(|server| *server != copy.server);
    }

    /// Removes the files of copies that are not kept. Whatever resists is met by the next sweep.
    fn sweep(&self, is_kept: impl Fn(&Uuid) -> bool) {
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let server = name.to_str().and_then(|name| name.split('.').next()?.parse().ok());
            if !server.as_ref().is_some_and(&is_kept) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, server: Uuid) -> PathBuf {
        self.directory.join(format!("{server}.db"))
    }

    /// Brings `current`, or a copy of another server, up to what `server` has completed; says which
    /// version that is and how many bytes of documents came.
    pub(crate) async fn follow(
        &self,
        servers: &Servers,
        server: &ServerRef,
        current: Option<&Copy>,
    ) -> Result<(Copy, u64, u64), Error> {
        let url = &server.url;
        let (server_id, anchor) = match current {
            Some(copy) => (copy.server.as_bytes().to_vec(), position(&copy.catalog).await?),
            None => (Vec::new(), 0),
        };
        let channel = servers.connection(server, url)?.channel();
        let client = MetadataServiceClient::new(channel);
        let mut client = client.max_decoding_message_size(MESSAGE_BYTES_MAX);
        let request = FollowDocumentsRequest { server_id, anchor };
        let mut stream = servers.answer(url, client.follow_documents(request)).await?;
        let (mut copy, mut bytes) = (None, 0);
        loop {
            let page = servers.bounded(url, stream.message()).await?;
            let Some(page) = page.map_err(Error::call(url))? else {
                let (name, offset) = ("its catalog".to_owned(), anchor);
                return Err(Error::CutOff { url: url.clone(), name, offset });
            };
            let copy = match &mut copy {
                Some(copy) => copy,
                none => none.insert(self.copy_of(url, &page.server_id, current)?),
            };
            let (is_done, version) = (page.done, page.version);
            bytes += page.documents.iter().map(|document| document.xml.len()).sum::<usize>();
            if bytes > CATALOG_BYTES_MAX {
                let reason = format!("are more than {CATALOG_BYTES_MAX} bytes");
                return Err(Error::answer(url)(Invalid::new("documents", reason)));
            }
            take(&copy.catalog, url, page).await?;
            failpoint("agent.catalog_page");
            if is_done {
                complete(&copy.catalog, version).await?;
                failpoint("agent.catalog_whole");
                return Ok((copy.clone(), version, bytes as u64));
            }
        }
    }

    fn copy_of(&self, url: &str, id: &[u8], current: Option<&Copy>) -> Result<Copy, Error> {
        let id = Uuid::from_slice(id).map_err(|_| {
            let reason = format!("{} bytes instead of 16", id.len());
            Error::answer(url)(Invalid::new("server_id", reason))
        })?;
        match current.filter(|current| current.server == id) {
            Some(current) => Ok(current.clone()),
            None => {
                // One copy beside that in use, however many names a server gives itself.
                let in_use = current.map(|current| current.server);
                self.sweep(|server| *server == id || Some(*server) == in_use);
                self.open(id)
            }
        }
    }
}

async fn position(catalog: &Catalog) -> Result<u64, Error> {
    let anchor = catalog.upstream_anchor(FOLLOWED).await?;
    // Written here; anything else means to start over.
    Ok(anchor.and_then(|anchor| anchor.parse().ok()).unwrap_or(0))
}

async fn take(catalog: &Catalog, url: &str, page: FollowDocumentsResponse) -> Result<(), Error> {
    let FollowDocumentsResponse { documents, removed, declined, anchor, .. } = page;
    let removed = removed.iter().map(|id| UpdateId::from_slice(id)).collect::<Result<_, _>>();
    catalog.remove(removed.map_err(Error::answer(url))?).await?;
    // What is declined is told anew with each document.
    let standing = |id: &[u8]| Ok((UpdateId::from_slice(id)?, declined.iter().any(|d| d == id)));
    let standing = documents.iter().map(|document| standing(&document.id));
    let standing = standing.collect::<Result<_, _>>().map_err(Error::answer(url))?;
    catalog.set_declined(standing).await?;
    let documents =
        documents.into_iter().map(|WireDocument { xml, id: _, revision: _ }| xml).collect();
    let anchor = Some((FOLLOWED, anchor.to_string()));
    let imported = catalog.import(Batch { documents, anchor, ..Batch::default() }).await?;
    for Rejected { place, reason } in imported.rejected {
        tracing::warn!(url, place, reason, "a document was rejected");
    }
    Ok(())
}

async fn complete(catalog: &Catalog, version: u64) -> Result<(), Error> {
    let state = catalog.state().await?;
    let is_known = state
        .version
        .is_some_and(|(known, changes)| known.version == version && changes == state.changes);
    if !is_known {
        catalog.complete_version(version).await?;
    }
    Ok(())
}

/// The last version that a copy has whole; zero: none.
pub(crate) async fn version(catalog: &Catalog) -> Result<u64, Error> {
    Ok(catalog.state().await?.version.map_or(0, |(version, _)| version.version))
}
