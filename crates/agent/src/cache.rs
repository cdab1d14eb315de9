//! The agent's copy of a software update point's catalog.
//!
//! Owns `<data>/catalog`: one database per server, named by its id, because changes are numbered
//! by each server alone. The one in use stays until another is complete. Refuses to know what the
//! documents mean. A stream that breaks is resumed where it was.

use std::io;
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
use crate::limits::DISK_RESERVE_BYTES;
use crate::quarantine::{Found, Quarantine};
use crate::servers::Servers;

mod course;

use course::{Course, Held};

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
    quarantine: Quarantine,
    /// Bytes of the disk that stay free.
    pub(crate) reserve: u64,
}

impl Cache {
    pub(crate) fn new(
        data: &Path,
        executor: Executor,
        quarantine: Quarantine,
    ) -> Result<Cache, Error> {
        let directory = data.join("catalog");
        std::fs::create_dir_all(&directory).map_err(|source| Error::Files {
            operation: "make",
            path: directory.clone(),
            source,
        })?;
        Ok(Cache { directory, executor, quarantine, reserve: DISK_RESERVE_BYTES })
    }

    /// One that is damaged is set aside, and begins anew.
    pub(crate) fn open(&self, server: Uuid) -> Result<Copy, Error> {
        match self.open_found(server) {
            Err(error) if error.is_damage() => {
                self.set_aside(server, &error)?;
                self.open_found(server)
            }
            opened => opened,
        }
    }

    fn open_found(&self, server: Uuid) -> Result<Copy, Error> {
        // What a power cut takes is fetched again; the position goes with it.
        let options = Options { executor: self.executor, durability: Durability::Normal };
        let catalog = Catalog::open(&self.path(server), server, options)?;
        Ok(Copy { server, catalog })
    }

    /// The copy that was in use. One that cannot be opened goes; all of it is fetched again.
    pub(crate) fn recall(&self, server: Uuid) -> Option<Copy> {
        let failed = |error: &Error| {
            tracing::warn!(reason = error_chain(error), "the cache of documents is not usable");
            if error.is_damage() && self.set_aside(server, error).is_ok() {
                return;
            }
            self.sweep(|known| *known != server);
        };
        self.open_found(server).inspect_err(failed).ok()
    }

    /// What an error of a copy says of it: one that is damaged is set aside.
    pub(crate) async fn judge(&self, copy: &Copy, error: &Error) {
        if !error.is_damage() {
            return;
        }
        copy.catalog.close().await;
        if let Err(error) = self.set_aside(copy.server, error) {
            tracing::warn!(reason = error_chain(&error), "damaged documents are in the way");
        }
    }

    fn set_aside(&self, server: Uuid, error: &Error) -> Result<(), Error> {
        let what = format!("the documents of update point {server}");
        let found = Found::database(&self.path(server));
        self.quarantine.set_aside(&what, &error_chain(error), found)
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
        let mut begun = None;
        loop {
            let asked = servers.now();
            let page = servers.bounded(url, stream.message()).await?;
            let Some(page) = page.map_err(Error::call(url))? else {
                let (name, offset) = ("its catalog".to_owned(), anchor);
                return Err(Error::CutOff { url: url.clone(), name, offset });
            };
            let times = (asked, servers.now());
            let (copy, course) = match &mut begun {
                Some(begun) => begun,
                none => none.insert(self.begin(url, &page, current, anchor).await?),
            };
            let (is_done, version) = (page.done, page.version);
            let fits = course.take(&page, times).and_then(|()| self.check_room());
            if let Err(error) = fits {
                self.give_up(copy, course, current).await;
                return Err(error);
            }
            let taken = match take(&copy.catalog, url, page).await {
                Ok(()) if is_done => complete(&copy.catalog, version).await,
                taken => taken,
            };
            if let Err(error) = taken {
                self.judge(copy, &error).await;
                return Err(error);
            }
            failpoint("agent.catalog_page");
            if is_done {
                failpoint("agent.catalog_whole");
                return Ok((copy.clone(), version, course.bytes));
            }
        }
    }

    /// The copy that a stream fills, which begins with this page, and the stream's course.
    async fn begin<'a>(
        &self,
        url: &'a str,
        page: &FollowDocumentsResponse,
        current: Option<&Copy>,
        anchor: u64,
    ) -> Result<(Copy, Course<'a>), Error> {
        let copy = self.copy_of(url, &page.server_id, current)?;
        let is_current = current.is_some_and(|current| current.server == copy.server);
        let bytes = std::fs::metadata(self.path(copy.server)).map_or(0, |file| file.len());
        // Another server sends everything anew, whatever there is of it.
        let (anchor, documents) = match is_current {
            true => (anchor, copy.catalog.revisions().await?),
            false => (0, 0),
        };
        Ok((copy, Course::new(url, anchor, Held { documents, bytes })))
    }

    /// What has become too large goes, unless it is in use.
    async fn give_up(&self, copy: &Copy, course: &Course<'_>, current: Option<&Copy>) {
        if course.is_full() && current.is_none_or(|current| current.server != copy.server) {
            self.remove(copy).await;
        }
    }

    fn check_room(&self) -> Result<(), Error> {
        let failed = |source| Error::Files {
            operation: "keep documents in",
            path: self.directory.clone(),
            source,
        };
        let found = rustix::fs::statvfs(&self.directory).map_err(|error| failed(error.into()))?;
        if found.f_bavail.saturating_mul(found.f_frsize) < self.reserve {
            let reason = format!("less than {} bytes of the disk are free", self.reserve);
            return Err(failed(io::Error::new(io::ErrorKind::StorageFull, reason)));
        }
        Ok(())
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
