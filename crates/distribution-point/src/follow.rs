//! Following the site server: what to hold comes down, missing files are fetched, and what became
//! of each package is reported.
//!
//! One reconciler, run after every word of the site server and whenever a file was found damaged.

use std::collections::{BTreeMap, BTreeSet};

use ambient::failpoint;
use content_library::Begun;
use futures_util::StreamExt as _;
use model::{
    ContentFile, ContentManifest, ContentState, DistributionState, ErrorClass, ObjectCode, Sha256,
    Timestamp, error_chain,
};
use rpc::pb::content as pb;
use rpc::pb::content::content_service_client::ContentServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use transport::Backoff;

use crate::Error;
use crate::limits::{RETRY_MAX, RETRY_MIN};
use crate::manifests::Held;
use crate::point::Point;
use crate::status::{FAILED, INSTALLED};

/// What the site server was told in this session, so that it is told changes only.
type Told = BTreeMap<ObjectCode, (u32, ContentState, String)>;

/// What one pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    /// All is here that the site server has.
    Settled,
    /// Something came damaged, or is still held by a pass that was given up: once more.
    Again,
}

/// Follows until `shutdown`, over as many sessions as it takes.
pub(crate) async fn run(point: &Point, shutdown: &CancellationToken) -> Result<(), Error> {
    let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
    let work = async {
        loop {
            if let Err(error) = session(point, &mut backoff).await {
                tracing::info!(error = %error_chain(&error), "the site server is not followed");
            }
            tokio::time::sleep(backoff.wait(&point.ambient)).await;
        }
    };
    shutdown.run_until_cancelled(work).await;
    Ok(())
}

fn client(point: &Point) -> ContentServiceClient<Channel> {
    let client = ContentServiceClient::new(point.site.channel());
    client.max_decoding_message_size(rpc::limits::MESSAGE_BYTES_MAX)
}

async fn session(point: &Point, backoff: &mut Backoff) -> Result<(), Error> {
    let mut client = client(point);
    let mut states = client.watch_manifests(pb::WatchManifestsRequest {}).await?.into_inner();
    let (mut told, mut is_due) = (Told::new(), false);
    loop {
        let pass = async {
            match is_due {
                true => reconcile(point, &mut told).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            state = states.message() => {
                let Some(state) = state? else { return Ok(()) };
                backoff.reset();
                take_over(point, state).await?;
                is_due = true;
            }
            () = point.wake.notified() => is_due = true,
            pass = pass => match pass? {
                Pass::Settled => is_due = false,
                Pass::Again => tokio::time::sleep(backoff.wait(&point.ambient)).await,
            }
        }
    }
}

async fn take_over(point: &Point, state: pb::WatchManifestsResponse) -> Result<(), Error> {
    let manifests = state.manifests.into_iter().map(ContentManifest::try_from);
    let manifests = manifests.collect::<Result<Vec<_>, _>>()?;
    for manifest in &manifests {
        let files = manifest.files.iter().map(|file| file.sha256).collect();
        let holder = holder(&manifest.package, manifest.version);
        point.library.set_references(holder, files).await?;
    }
    for (code, version) in point.manifests.replace(manifests).await? {
        point.library.set_references(holder(&code, version), Vec::new()).await?;
    }
    Ok(())
}

/// The name by which the library knows who needs files.
fn holder(package: &ObjectCode, version: u32) -> String {
    format!("package {package} {version}")
}

/// Brings every package to what it shall be, as far as the site server has it.
async fn reconcile(point: &Point, told: &mut Told) -> Result<Pass, Error> {
    let mut outcome = Pass::Settled;
    for held in point.manifests.all().await? {
        let state = match install(point, told, &held).await {
            Ok(0) => (ContentState::Installed, String::new()),
            Ok(absent) => {
                (ContentState::Pending, format!("the site server has not got {absent} files yet"))
            }
            // The site server spoke while an earlier pass wrote it; that will be over in a moment.
            Err(Error::Library(content_library::Error::InReceipt { .. })) => {
                outcome = Pass::Again;
                (ContentState::Transferring, String::new())
            }
            Err(error) if is_own(&error) => {
                outcome = Pass::Again;
                (ContentState::Failed, error_chain(&error))
            }
            Err(error) => return Err(error),
        };
        let strings = |last| vec![held.package.to_string(), held.version.to_string(), last];
        if state.0 == ContentState::Installed && !held.is_installed {
            point.statuses.say(INSTALLED, strings(held.files.len().to_string())).await?;
            point.manifests.mark_installed(held.package.clone(), held.version).await?;
        }
        let is_news = report(point, told, &held, state.clone()).await?;
        if state.0 == ContentState::Failed && is_news {
            point.statuses.say(FAILED, strings(state.1)).await?;
        }
    }
    Ok(outcome)
}

/// A failure of this package alone; others go on.
fn is_own(error: &Error) -> bool {
    matches!(error, Error::Library(_))
}

/// Fetches what is missing of a package; says how many files the site server has not got yet.
async fn install(point: &Point, told: &mut Told, held: &Held) -> Result<usize, Error> {
    let all: BTreeSet<Sha256> = held.files.iter().map(|file| file.sha256).collect();
    let mut missing = point.library.missing(all.clone()).await?;
    if !missing.is_empty() {
        report(point, told, held, (ContentState::Transferring, String::new())).await?;
    }
    if !held.is_installed {
        // Files of other packages may have lain here for long: computed once more.
        for sha256 in all.difference(&missing) {
            point.library.verify(*sha256).await?;
        }
    }
    let mut absent = 0;
    for file in held.files.iter().filter(|file| missing.remove(&file.sha256)) {
        match fetch(point, file).await {
            Err(Error::Site(status)) if rpc::status::class(&status) == ErrorClass::NotFound => {
                absent += 1;
            }
            fetched => fetched?,
        }
    }
    Ok(absent)
}

async fn fetch(point: &Point, file: &ContentFile) -> Result<(), Error> {
    let Begun::Receiving(mut receipt) = point.library.begin(file.into()).await? else {
        return Ok(());
    };
    let (sha256, offset) = (file.sha256.0.to_vec().into(), receipt.offset());
    let request = pb::FetchFileRequest { sha256, offset };
    let pieces = client(point).fetch_file(request).await?.into_inner();
    receipt.receive(offset, pieces.map(|piece| Ok::<_, Error>(piece?.data))).await?;
    failpoint("dp.file_partial");
    receipt.finish().await?;
    Ok(())
}

/// Tells the site server where a package stands, and the caller whether that was news.
async fn report(
    point: &Point,
    told: &mut Told,
    held: &Held,
    (state, reason): (ContentState, String),
) -> Result<bool, Error> {
    let now = (held.version, state, reason.clone());
    if told.get(&held.package) == Some(&now) {
        return Ok(false);
    }
    let report = DistributionState {
        package: held.package.clone(),
        version: held.version,
        point: point.id,
        site: point.statuses.site,
        state,
        files: u32::try_from(held.files.len()).unwrap_or(u32::MAX),
        bytes: held.files.iter().map(|file| file.size).sum(),
        reason,
        at: Timestamp(point.ambient.now_ms()),
    };
    let distributions = vec![(&report).into()];
    client(point).report_distribution(pb::ReportDistributionRequest { distributions }).await?;
    told.insert(report.package, now);
    Ok(true)
}
