//! A child site's way to its parent: fetches what the distribution points at and below it shall
//! hold, and passes on what they say.
//!
//! A file that the parent has not got yet is asked for again when the parent says that something
//! arrived there.

use content_library::{Begun, ContentLibrary};
use futures_util::StreamExt as _;
use model::{ContentFile, ErrorClass, Invalid, error_chain};
use rpc::pb::content as pb;
use rpc::pb::content::content_service_client::ContentServiceClient;
use site_db::SiteDb;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use transport::{Backoff, Connection};

use crate::Error;
use crate::limits::{ARRIVALS_EVERY, REPORTS_MAX, RETRY_MAX, RETRY_MIN};

#[derive(Debug)]
pub(crate) struct Fetcher {
    db: SiteDb,
    library: ContentLibrary,
    parent: Connection,
    backoff: Backoff,
}

impl Fetcher {
    pub(crate) fn new(
        db: SiteDb,
        library: ContentLibrary,
        parent: Connection,
    ) -> Result<Fetcher, Error> {
        let backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
        Ok(Fetcher { db, library, parent, backoff })
    }

    pub(crate) async fn run(self, shutdown: &CancellationToken) -> Result<(), Error> {
        let work = async { tokio::join!(self.follow_always(), self.forward_always()) };
        shutdown.run_until_cancelled(work).await;
        Ok(())
    }

    fn client(&self) -> ContentServiceClient<Channel> {
        let client = ContentServiceClient::new(self.parent.channel());
        client.max_decoding_message_size(rpc::limits::MESSAGE_BYTES_MAX)
    }

    async fn follow_always(&self) {
        let mut backoff = self.backoff.clone();
        loop {
            if let Err(error) = self.follow(&mut backoff).await {
                tracing::info!(error = %error_chain(&error), "content was not fetched");
            }
            tokio::time::sleep(backoff.wait(self.db.ambient())).await;
        }
    }

    /// Fetches until the connection ends. A new state takes the place of the one under way.
    async fn follow(&self, backoff: &mut Backoff) -> Result<(), Error> {
        let mut states =
            self.client().watch_manifests(pb::WatchManifestsRequest {}).await?.into_inner();
        let mut wanted = Vec::new();
        loop {
            let fetch = async {
                match wanted.is_empty() {
                    true => std::future::pending().await,
                    false => self.fetch_missing(&wanted).await,
                }
            };
            tokio::select! {
                biased;
                state = states.message() => {
                    let Some(state) = state? else { return Ok(()) };
                    backoff.reset();
                    wanted = decode_files(state)?;
                }
                fetched = fetch => {
                    fetched?;
                    wanted.clear();
                }
            }
        }
    }

    /// Fetches what the parent has of what is missing, each file once and in the order wanted.
    async fn fetch_missing(&self, wanted: &[ContentFile]) -> Result<(), Error> {
        let all = wanted.iter().map(|file| file.sha256).collect();
        let mut missing = self.library.missing(all).await?;
        let mut noted = Instant::now();
        for file in wanted.iter().filter(|file| missing.remove(&file.sha256)) {
            match self.fetch(file).await {
                // Not there yet: the parent says when something arrived.
                Err(error) if error.class() == ErrorClass::NotFound => {}
                fetched => fetched?,
            }
            if noted.elapsed() >= ARRIVALS_EVERY {
                self.db.write(|w| w.note_arrival()).await?;
                noted = Instant::now();
            }
        }
        // Also if nothing was missing: a pass that a new state cut short has told nobody.
        Ok(self.db.write(|w| w.note_arrival()).await?)
    }

    async fn fetch(&self, file: &ContentFile) -> Result<(), Error> {
        let Begun::Receiving(mut receipt) = self.library.begin(file.into()).await? else {
            return Ok(());
        };
        let (sha256, offset) = (file.sha256.0.to_vec().into(), receipt.offset());
        let request = pb::FetchFileRequest { sha256, offset };
        let pieces = self.client().fetch_file(request).await?.into_inner();
        receipt.receive(offset, pieces.map(|piece| Ok::<_, Error>(piece?.data))).await?;
        let record = receipt.finish().await?;
        tracing::info!(content.sha256 = %record.sha256, size = record.size, "a file arrived");
        Ok(())
    }

    async fn forward_always(&self) {
        let (mut backoff, mut changes) = (self.backoff.clone(), self.db.watch(&[]));
        loop {
            match self.forward().await {
                Ok(0) => {
                    backoff.reset();
                    changes.changed().await;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::info!(error = %error_chain(&error), "reports wait for the parent");
                    tokio::time::sleep(backoff.wait(self.db.ambient())).await;
                }
            }
        }
    }

    /// Passes on one batch of what distribution points said; says how many.
    async fn forward(&self) -> Result<usize, Error> {
        let states = self.db.read(|r| r.unforwarded_states(REPORTS_MAX)).await?;
        if states.is_empty() {
            return Ok(0);
        }
        let distributions = states.iter().map(Into::into).collect();
        let report = pb::ReportDistributionRequest { distributions };
        self.client().report_distribution(report).await?;
        let count = states.len();
        self.db.write(move |w| w.mark_forwarded(&states)).await?;
        Ok(count)
    }
}

fn decode_files(state: pb::WatchManifestsResponse) -> Result<Vec<ContentFile>, Invalid> {
    let files = state.manifests.into_iter().flat_map(|manifest| manifest.files);
    files.map(TryInto::try_into).collect()
}
