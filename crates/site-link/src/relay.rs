//! The management service of a secondary site: a relay to its primary.
//!
//! Owns a spool of registrations and reports, which it acknowledges once they are safe there, but
//! for registrations of Windows computers, which the primary itself has to take; and a
//! copy of the policy that passed through, which it hands out alone while the primary is away. It
//! says for whom its caller speaks, because the primary sees this site's certificate alone.
//! Refuses to know what policy and reports mean. What the primary refuses is set aside with the
//! reason and holds up nothing.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{
    ClientId, ClientKind, ClientRecord, ErrorClass, PeerKind, RoleKind, Sha256, Timestamp,
    error_chain,
};
use rpc::forward::{self, Answer, Incomplete, Next, ToldBacklog, Verdict};
use rpc::limits::{MESSAGE_BYTES_MAX, REPORTS_MAX};
use rpc::object::ObjectBody as _;
use rpc::pb::management as pb;
use rpc::pb::management::management_service_client::ManagementServiceClient;
use rpc::pb::management::management_service_server::{ManagementService, ManagementServiceServer};
use rpc::status::is_absence;
use sha2::Digest as _;
use site_db::{Reader, SiteDb, StoredHead, Writer};
use sqlite_engine::spool::Spool;
use tokio::sync::{Notify, broadcast};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use transport::{Backoff, Connection, answered};

use crate::Error;

/// Who is missed where no answer comes.
const PRIMARY: &str = "the primary site";

/// How long a question waits for the primary before the copy here answers.
const PRIMARY_WAIT: Duration = Duration::from_secs(5);

/// How long the primary may take to commit hundreds of reports.
const SUBMIT_WAIT: Duration = Duration::from_secs(60);

/// Digests in one question, as the primary has it; parts in one answer, likewise.
const DIGESTS_MAX: usize = 1_000;
const PARTS_BYTES: usize = MESSAGE_BYTES_MAX / 2;

/// Parts unused for so long belong to policy that is gone; heads expire long before.
const PARTS_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1000;

const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// Wake-ups a management point may lie behind before it is told to wake everybody instead.
const WAKE_UPS_WAITING: usize = 256;

type Primary = ManagementServiceClient<Channel>;

/// The relay. Clones share it.
#[derive(Clone, Debug)]
pub struct ManagementRelay(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: SiteDb,
    spool: Spool,
    primary: Primary,
    more: Notify,
    incomplete: Mutex<Incomplete>,
    /// Clients that shall send their whole inventory; likewise.
    undescribed: Mutex<BTreeSet<ClientId>>,
    told: Mutex<ToldBacklog>,
    wake_ups: broadcast::Sender<pb::WatchWakeUpsResponse>,
}

/// The service on the wire.
#[derive(Debug)]
pub struct RelayService {
    relay: Arc<Shared>,
    shutdown: CancellationToken,
}

impl ManagementRelay {
    #[must_use]
    pub fn new(db: SiteDb, spool: Spool, primary: &Connection) -> ManagementRelay {
        let primary = ManagementServiceClient::new(primary.channel())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let (more, incomplete, undescribed) = (Notify::new(), Mutex::default(), Mutex::default());
        let wake_ups = broadcast::Sender::new(WAKE_UPS_WAITING);
        ManagementRelay(Arc::new(Shared {
            db,
            spool,
            primary,
            more,
            incomplete,
            undescribed,
            told: Mutex::default(),
            wake_ups,
        }))
    }

    /// What management points of the site call. Open streams end with `shutdown`.
    #[must_use]
    pub fn service(&self, shutdown: CancellationToken) -> ManagementServiceServer<RelayService> {
        let relay = Arc::clone(&self.0);
        ManagementServiceServer::new(RelayService { relay, shutdown })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    /// Forwards, and listens for wake-ups, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let both =
            async { tokio::try_join!(self.0.keep_forwarding(), self.0.keep_listening()).map(drop) };
        shutdown.run_until_cancelled(both).await.unwrap_or(Ok(()))
    }
}

impl Shared {
    fn incomplete(&self) -> MutexGuard<'_, Incomplete> {
        self.incomplete.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, ToldBacklog> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn undescribed(&self) -> MutexGuard<'_, BTreeSet<ClientId>> {
        self.undescribed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn append(&self, entries: Vec<Vec<u8>>) -> Result<(), Error> {
        self.spool.append(entries).await?;
        self.more.notify_one();
        Ok(())
    }

    async fn keep_forwarding(&self) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
        loop {
            match self.forward().await {
                Ok(()) => {
                    backoff.reset();
                    self.more.notified().await;
                }
                Err(error) => self.pause(&mut backoff, &error).await,
            }
        }
    }

    async fn keep_listening(&self) -> Result<(), Error> {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX, 50)?;
        loop {
            if let Err(error) = self.listen(&mut backoff).await {
                self.pause(&mut backoff, &error).await;
            }
        }
    }

    async fn pause(&self, backoff: &mut Backoff, error: &Error) {
        tracing::info!(error = %error_chain(error), "the primary site is not reached");
        tokio::time::sleep(backoff.wait(self.db.ambient())).await;
    }

    /// Forwards all that is spooled, and says at last that nothing waits.
    async fn forward(&self) -> Result<(), Error> {
        let mut count = REPORTS_MAX;
        loop {
            let entries = self.spool.read(0, count).await?;
            let entries = entries.into_iter().map(|entry| (entry.id, entry.body)).collect();
            let usage = self.spool.usage().await?;
            let next = forward::next(entries);
            let Some(mut next) = next.or_else(|| self.told().last_word(usage.quarantined)) else {
                return Ok(());
            };
            next.say_backlog(usage.queued, usage.quarantined);
            let answer = self.ask(&next).await;
            if answer.is_ok() {
                self.told().note(&next);
            }
            count = REPORTS_MAX;
            let verdicts = next.settle(answer);
            self.want_full(&verdicts);
            for verdict in verdicts {
                match verdict {
                    Verdict::Acknowledge(id) => self.spool.acknowledge(id).await?,
                    Verdict::SetAside(id, reason) => {
                        tracing::warn!(reason, "what a client sent was set aside");
                        self.spool.quarantine(id, reason).await?;
                    }
                    Verdict::SendFull(..) => {}
                    Verdict::SendInventory(client) => drop(self.undescribed().insert(client)),
                    Verdict::OneByOne => count = 1,
                    Verdict::Later(status) => return Err(status.into()),
                }
            }
        }
    }

    /// Wakes all those at once that shall say everything and were not woken just now.
    fn want_full(&self, verdicts: &[Verdict]) {
        let now = Timestamp(self.db.ambient().now_ms());
        let clients = self.incomplete().want_all(verdicts, now);
        if !clients.is_empty() {
            let _ = self.wake_ups.send(awaited(&clients));
        }
    }

    async fn ask(&self, next: &Next) -> Result<Answer, Status> {
        let mut primary = self.primary.clone();
        match next {
            Next::Unreadable { .. } => Ok(Answer::default()),
            Next::Register { request, .. } => {
                let answer = primary.register_client(request.clone());
                answered(SUBMIT_WAIT, PRIMARY, answer).await.map(|_| Answer::default())
            }
            Next::Submit { request, .. } => {
                let answer = primary.submit_states(request.clone());
                answered(SUBMIT_WAIT, PRIMARY, answer).await.map(Answer::from)
            }
            Next::SubmitInventories { request, .. } => {
                let answer = primary.submit_inventories(request.clone());
                answered(SUBMIT_WAIT, PRIMARY, answer).await.map(Answer::from)
            }
        }
    }

    async fn listen(&self, backoff: &mut Backoff) -> Result<(), Error> {
        let stream = self.primary.clone().watch_wake_ups(pb::WatchWakeUpsRequest {}).await?;
        let mut stream = stream.into_inner();
        backoff.reset();
        // It is told anew what waits here.
        self.told().forget();
        self.more.notify_one();
        // Whoever was to wake while nobody listened.
        let _ = self.wake_ups.send(everybody());
        while let Some(wake_up) = stream.message().await? {
            // Without a management point there is nobody to tell.
            let _ = self.wake_ups.send(wake_up);
        }
        Err(Error::Ended)
    }

    /// The primary's head, which is kept here; or the one that was kept.
    async fn policy(
        &self,
        client: ClientId,
        ask: pb::GetPolicyRequest,
    ) -> Result<Option<pb::SignedHead>, Error> {
        let (incarnation, have) = (ask.incarnation, ask.have_version);
        match answered(PRIMARY_WAIT, PRIMARY, self.primary.clone().get_policy(ask)).await {
            Ok(pb::GetPolicyResponse { head: None }) => Ok(None),
            Ok(pb::GetPolicyResponse { head: Some(signed) }) => {
                let said = rpc::convert::decode_head(&signed.head)?;
                let head = StoredHead {
                    incarnation: said.incarnation,
                    version: said.version,
                    head: signed.head.clone(),
                    signature: signed.signature.clone(),
                    parts: Vec::new(),
                };
                self.db.write(move |w| w.put_head(client, &head)).await?;
                Ok(Some(signed))
            }
            Err(status) if is_absence(&status) => {
                let kept = self.db.read(move |r| kept_head(r, client)).await?;
                let kept = kept.filter(|(k, _)| k.incarnation == incarnation && k.version > have);
                Ok(kept.map(|(StoredHead { head, signature, .. }, key_statement)| pb::SignedHead {
                    head,
                    signature,
                    key_statement,
                }))
            }
            Err(status) => Err(status.into()),
        }
    }

    /// Parts, of which those that are not here come from the primary.
    async fn parts(&self, digests: Vec<Sha256>) -> Result<Vec<Vec<u8>>, Error> {
        let wanted = digests.clone();
        let absent = self.db.read(move |r| absent_parts(r, &wanted)).await?;
        if !absent.is_empty() {
            let request = pb::GetPartsRequest { digests: absent };
            match answered(PRIMARY_WAIT, PRIMARY, self.primary.clone().get_parts(request)).await {
                Ok(answer) => self.db.write(move |w| keep_parts(w, &answer.parts)).await?,
                Err(status) if is_absence(&status) => {}
                Err(status) => return Err(status.into()),
            }
        }
        Ok(self.db.read(move |r| r.policy_parts(&digests, PARTS_BYTES)).await?)
    }

    /// Where files are: the primary knows most, this site its own distribution points.
    async fn locations(
        &self,
        ask: pb::GetLocationsRequest,
        files: BTreeSet<Sha256>,
    ) -> Result<Vec<pb::FileLocations>, Error> {
        let address = rpc::convert::read_address(&ask.address)?;
        match answered(PRIMARY_WAIT, PRIMARY, self.primary.clone().get_locations(ask)).await {
            Ok(pb::GetLocationsResponse { files }) => Ok(files),
            Err(status) if is_absence(&status) => {
                let near = self.db.identity().code();
                let found = self.db.locate((near, address), files).await?;
                Ok(found.into_iter().map(Into::into).collect())
            }
            Err(status) => Err(status.into()),
        }
    }

    /// What the sender of an inventory hears before the primary has heard of it.
    fn first_word_of_inventory(&self, report: &[u8]) -> pb::Outcome {
        match forward::described(report) {
            Some(client) if self.undescribed().remove(&client) => pb::Outcome::SendFull,
            _ => pb::Outcome::Unspecified,
        }
    }

    /// What a report's sender hears before the primary has heard of it.
    fn first_word(&self, report: &[u8]) -> (pb::Outcome, u64) {
        match forward::reporter(report) {
            Some((client, report)) => self.incomplete().first_word(client, &report),
            None => (pb::Outcome::Unspecified, 0),
        }
    }
}

/// Wakes these clients to say everything.
fn awaited(clients: &[ClientId]) -> pb::WatchWakeUpsResponse {
    let clients = clients.iter().map(|client| client.as_bytes().to_vec()).collect();
    pb::WatchWakeUpsResponse { clients, wake_up: pb::WakeUp::State.into() }
}

/// Wakes every client to ask for policy.
fn everybody() -> pb::WatchWakeUpsResponse {
    pb::WatchWakeUpsResponse { clients: Vec::new(), wake_up: pb::WakeUp::Policy.into() }
}

fn kept_head(r: &Reader<'_>, client: ClientId) -> Result<Option<(StoredHead, Vec<u8>)>, Error> {
    let Some(head) = r.policy_head(client)? else { return Ok(None) };
    let site = rpc::convert::decode_head(&head.head)?.site;
    Ok(Some((head, r.key_statement(site)?.unwrap_or_default())))
}

fn absent_parts(r: &Reader<'_>, digests: &[Sha256]) -> Result<Vec<Vec<u8>>, Error> {
    let mut absent = Vec::new();
    for digest in digests {
        if r.policy_part(digest)?.is_none() {
            absent.push(digest.0.to_vec());
        }
    }
    Ok(absent)
}

/// Keeps parts under the names that their bytes give them, and drops those long out of use.
fn keep_parts(w: &Writer<'_>, parts: &[Vec<u8>]) -> Result<(), Error> {
    for part in parts {
        w.put_part(&Sha256(sha2::Sha256::digest(part).into()), part)?;
    }
    w.drop_parts(w.now().plus_ms(-PARTS_KEPT_MS))?;
    Ok(())
}

/// What a management point reads of an error; a refusal of the primary as it is.
fn refuse(error: Error) -> Status {
    match error {
        Error::Connection(status) => *status,
        error => rpc::status::from_error(error.class(), &error),
    }
}

fn sha256_list(bytes: &[Vec<u8>]) -> Result<Vec<Sha256>, Status> {
    if bytes.len() > DIGESTS_MAX {
        let text = format!("{} digests, of at most {DIGESTS_MAX}; ask in parts", bytes.len());
        return Err(rpc::status::refuse(ErrorClass::Invalid, text));
    }
    let read = |bytes: &Vec<u8>| Sha256::from_slice(bytes);
    bytes.iter().map(read).collect::<Result<_, _>>().map_err(invalid)
}

/// For whom a role of this site speaks.
fn voice<T>(request: &Request<T>) -> Result<pb::Voice, Status> {
    match transport::peer(request)?.kind {
        PeerKind::Role(RoleKind::SoftwareUpdatePoint) => Ok(pb::Voice::Windows),
        PeerKind::Role(RoleKind::ManagementPoint) => Ok(pb::Voice::Agents),
        PeerKind::Role(RoleKind::DistributionPoint)
        | PeerKind::Site
        | PeerKind::Client
        | PeerKind::Administrator => {
            let text = "management and software update points of this site speak for its clients";
            Err(rpc::status::refuse(ErrorClass::Denied, text))
        }
    }
}

fn invalid(error: model::Invalid) -> Status {
    rpc::status::from_error(ErrorClass::Invalid, &error)
}

#[tonic::async_trait]
impl ManagementService for RelayService {
    async fn register_client(
        &self,
        request: Request<pb::RegisterClientRequest>,
    ) -> Result<Response<pb::RegisterClientResponse>, Status> {
        let voice = voice(&request)?;
        let request = pb::RegisterClientRequest { voice: voice.into(), ..request.into_inner() };
        // What this release cannot read, the primary judges.
        let record = ClientRecord::decode(&request.client).ok();
        let is_windows = record.is_some_and(|record| record.kind == ClientKind::Windows);
        match voice == pb::Voice::Windows {
            // An update point must not ask for policy before a computer is known, and whether the
            // name of one is free only the primary can tell.
            true if is_windows => {
                let mut primary = self.relay.primary.clone();
                let asked = primary.register_client(request);
                answered(PRIMARY_WAIT, PRIMARY, asked).await?;
            }
            false if !is_windows => {
                let entry = forward::registration(&request);
                self.relay.append(vec![entry]).await.map_err(refuse)?;
            }
            _ => {
                let text = "Windows computers register at a software update point, all others at \
                            a management point";
                return Err(rpc::status::refuse(ErrorClass::Conflict, text));
            }
        }
        Ok(Response::new(pb::RegisterClientResponse {}))
    }

    async fn get_policy(
        &self,
        request: Request<pb::GetPolicyRequest>,
    ) -> Result<Response<pb::GetPolicyResponse>, Status> {
        let client = ClientId::from_slice(&request.get_ref().client).map_err(invalid)?;
        let voice = voice(&request)?.into();
        let ask = pb::GetPolicyRequest { voice, ..request.into_inner() };
        let head = self.relay.policy(client, ask).await.map_err(refuse)?;
        Ok(Response::new(pb::GetPolicyResponse { head }))
    }

    async fn get_parts(
        &self,
        request: Request<pb::GetPartsRequest>,
    ) -> Result<Response<pb::GetPartsResponse>, Status> {
        let digests = sha256_list(&request.get_ref().digests)?;
        let parts = self.relay.parts(digests).await.map_err(refuse)?;
        Ok(Response::new(pb::GetPartsResponse { parts }))
    }

    async fn submit_states(
        &self,
        request: Request<pb::SubmitStatesRequest>,
    ) -> Result<Response<pb::SubmitStatesResponse>, Status> {
        let voice = voice(&request)?;
        let reports = request.into_inner().reports;
        let words: Vec<_> = reports.iter().map(|report| self.relay.first_word(report)).collect();
        // What is behind is of no use to the primary.
        let useful = reports.iter().zip(&words).filter(|(_, word)| word.0 != pb::Outcome::Behind);
        let entries = useful.map(|(report, _)| forward::report(voice, report)).collect();
        self.relay.append(entries).await.map_err(refuse)?;
        let (outcomes, known_serials) =
            words.into_iter().map(|(outcome, known)| (i32::from(outcome), known)).unzip();
        Ok(Response::new(pb::SubmitStatesResponse { outcomes, known_serials }))
    }

    async fn submit_inventories(
        &self,
        request: Request<pb::SubmitInventoriesRequest>,
    ) -> Result<Response<pb::SubmitInventoriesResponse>, Status> {
        let voice = voice(&request)?;
        let reports = request.into_inner().reports;
        let entries = reports.iter().map(|report| forward::inventory(voice, report)).collect();
        self.relay.append(entries).await.map_err(refuse)?;
        let word = |report: &Vec<u8>| self.relay.first_word_of_inventory(report).into();
        let outcomes = reports.iter().map(word).collect();
        Ok(Response::new(pb::SubmitInventoriesResponse { outcomes }))
    }

    type WatchWakeUpsStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchWakeUpsResponse, Status>> + Send>>;

    async fn watch_wake_ups(
        &self,
        _: Request<pb::WatchWakeUpsRequest>,
    ) -> Result<Response<Self::WatchWakeUpsStream>, Status> {
        let wake_ups = BroadcastStream::new(self.relay.wake_ups.subscribe());
        // Who lagged behind does not know whom he missed.
        let wake_ups = wake_ups.map(|wake_up| Ok(wake_up.unwrap_or_else(|_| everybody())));
        let shutdown = self.shutdown.clone().cancelled_owned();
        let wake_ups = futures_util::StreamExt::take_until(wake_ups, shutdown);
        Ok(Response::new(Box::pin(wake_ups)))
    }

    async fn get_locations(
        &self,
        request: Request<pb::GetLocationsRequest>,
    ) -> Result<Response<pb::GetLocationsResponse>, Status> {
        let files = sha256_list(&request.get_ref().sha256)?.into_iter().collect();
        let files = self.relay.locations(request.into_inner(), files).await.map_err(refuse)?;
        Ok(Response::new(pb::GetLocationsResponse { files }))
    }
}

#[cfg(test)]
mod tests;
