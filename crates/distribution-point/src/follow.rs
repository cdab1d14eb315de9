//! Following the site server: what to hold comes down, missing files are fetched, and what became
//! of each package is reported.
//!
//! One reconciler, run after every word of the site server and whenever a file was found damaged.

use std::collections::{BTreeMap, BTreeSet};

use ambient::failpoint;
use content_library::{Begun, Expected, Holder, plan_transfers};
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
use crate::limits::{RETRY_MAX, RETRY_MIN, ROUND};
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
    /// Something came damaged; it shall be fetched once more.
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
        let (code, version) = (manifest.package.clone(), manifest.version);
        point.library.set_references(&Holder::Package { code, version }, files).await?;
    }
    for (code, version) in point.manifests.replace(manifests).await? {
        point.library.set_references(&Holder::Package { code, version }, Vec::new()).await?;
    }
    Ok(())
}

/// Brings every package to what it shall be, as far as the site server has it.
async fn reconcile(point: &Point, told: &mut Told) -> Result<Pass, Error> {
    let mut outcome = Pass::Settled;
    for held in point.manifests.all().await? {
        let state = match install(point, told, &held).await {
            Ok(missing) if missing.is_empty() => (ContentState::Installed, String::new()),
            Ok(missing) => {
                let count = missing.len();
                (ContentState::Pending, format!("the site server has not got {count} files yet"))
            }
            Err(error) if is_own(&error) => {
                outcome = Pass::Again;
                (ContentState::Failed, error_chain(&error))
            }
            Err(error) => return Err(error),
        };
        let (version, strings) = (held.version.to_string(), held.package.to_string());
        match &state {
            (ContentState::Installed, _) if !held.is_installed => {
                let files = held.files.len().to_string();
                point.statuses.say(INSTALLED, vec![strings, version, files]).await?;
                point.manifests.mark_installed(held.package.clone(), held.version).await?;
            }
            (ContentState::Failed, cause) if !is_told(told, &held, &state) => {
                point.statuses.say(FAILED, vec![strings, version, cause.clone()]).await?;
            }
            _ => {}
        }
        report(point, told, &held, state).await?;
    }
    Ok(outcome)
}

/// A failure of this package alone; others go on.
fn is_own(error: &Error) -> bool {
    matches!(error, Error::Library(_))
}

/// Fetches what is missing of a package; says what the site server has not got yet.
async fn install(point: &Point, told: &mut Told, held: &Held) -> Result<BTreeSet<Sha256>, Error> {
    let all: BTreeSet<Sha256> = held.files.iter().map(|file| file.sha256).collect();
    let missing = point.library.missing(all.clone()).await?;
    if !missing.is_empty() {
        report(point, told, held, (ContentState::Transferring, String::new())).await?;
    }
    if !held.is_installed {
        // Files of other packages may have lain here for long: computed once more.
        for sha256 in all.difference(&missing) {
            point.library.verify(*sha256).await?;
        }
    }
    let mut settled: BTreeSet<Sha256> = all.difference(&missing).copied().collect();
    let mut absent = BTreeSet::new();
    loop {
        let plan = plan_transfers(&held.files, &settled, ROUND);
        if plan.fetch.is_empty() {
            return Ok(absent);
        }
        for file in plan.fetch {
            settled.insert(file.sha256);
            match fetch(point, &file).await {
                Err(Error::Site(status)) if rpc::status::class(&status) == ErrorClass::NotFound => {
                    absent.insert(file.sha256);
                }
                fetched => fetched?,
            }
        }
    }
}

async fn fetch(point: &Point, file: &ContentFile) -> Result<(), Error> {
    let ContentFile { sha256, size, name } = file.clone();
    let wanted = Expected { name, size: Some(size), sha256: Some(sha256), sha1: None };
    let Begun::Receiving(mut receipt) = point.library.begin(wanted).await? else { return Ok(()) };
    let sha256 = sha256.0.to_vec().into();
    let request = pb::FetchFileRequest { sha256, offset: receipt.offset() };
    let mut pieces = client(point).fetch_file(request).await?.into_inner();
    while let Some(pb::FetchFileResponse { data }) = pieces.message().await? {
        receipt.write(receipt.offset(), data).await?;
        failpoint("dp.file_partial");
    }
    receipt.finish().await?;
    Ok(())
}

fn is_told(told: &Told, held: &Held, (state, reason): &(ContentState, String)) -> bool {
    let now = (held.version, *state, reason.clone());
    told.get(&held.package) == Some(&now)
}

async fn report(
    point: &Point,
    told: &mut Told,
    held: &Held,
    (state, reason): (ContentState, String),
) -> Result<(), Error> {
    if is_told(told, held, &(state, reason.clone())) {
        return Ok(());
    }
    let report = DistributionState {
        package: held.package.clone(),
        version: held.version,
        point: point.id,
        site: point.statuses.site,
        state,
        files: u32::try_from(held.files.len()).unwrap_or(u32::MAX),
        bytes: held.files.iter().map(|file| file.size).sum(),
        reason: reason.clone(),
        at: Timestamp(point.ambient.now_ms()),
    };
    let distributions = vec![(&report).into()];
    client(point).report_distribution(pb::ReportDistributionRequest { distributions }).await?;
    told.insert(report.package, (report.version, state, reason));
    Ok(())
}
