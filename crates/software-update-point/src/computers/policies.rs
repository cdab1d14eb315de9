//! What each computer is told to do: its policy, fetched from the site and turned into decisions.
//!
//! Owns when policy is asked for: when a computer is here for the first time, when its hour is
//! over, and after a wake-up. Wake-ups are hints; whenever some may have been lost, nothing is
//! taken for fresh. Without the site, what is kept here goes on; while it does not answer, one
//! computer in half a minute finds that out for all. Refuses to know how deployments are planned;
//! signatures are not looked at, because computers could not believe us more for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Assignment, ClientId, ErrorClass, Sha256, Timestamp, UpdateId, error_chain};
use rpc::convert::{Part, decode_head, decode_part};
use rpc::pb::management as pb;
use rpc::pb::management::management_service_client::ManagementServiceClient;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Response, Status};
use transport::{Backoff, answered};
use update_catalog::ScanGraph;
use uuid::Uuid;

use super::audience::{Arrived, Audience, decide};
use super::limits;
use super::shelf::{Kept, StoredPart};
use crate::Error;
use crate::point::Point;

/// The site server, as a management point calls it.
pub(crate) type Management = ManagementServiceClient<Channel>;

#[derive(Debug)]
pub(crate) struct Policies {
    pub(super) site: Option<Management>,
    /// Questions under way.
    turns: Semaphore,
    /// Until when the site is not asked, because it did not answer; 0: it is asked.
    away_until_ms: AtomicI64,
    fresh: Mutex<Fresh>,
}

/// What needs not be looked up.
#[derive(Debug, Default)]
struct Fresh {
    /// Rises with every wake-up: an answer that was asked for before may be old.
    wakings: u64,
    computers: BTreeMap<Uuid, Answer>,
    /// What the same parts make of the same catalog: most computers have the policy of others.
    shared: BTreeMap<(Vec<Sha256>, u64), Answer>,
    /// By their numbers, as computers were told them before.
    audiences: BTreeMap<u64, Arc<Audience>>,
    /// The last audience that was made, as far as somebody was told as one since the start.
    latest: u64,
    /// Every update that an audience was told to install, up to this audience; no set if there may
    /// have been others.
    ever: Option<(u64, Ever)>,
}

/// Whether a question may go to the site server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Given,
    /// Alone: its absence is over, unless this one learns better.
    ToTry,
    Refused,
}

pub(super) type Ever = Option<Arc<BTreeSet<UpdateId>>>;

#[derive(Clone, Debug)]
struct Answer {
    audience: Arc<Audience>,
    until: Timestamp,
    /// The catalog version it was made for.
    version: u64,
}

impl Policies {
    pub(crate) fn new(site: Option<Management>) -> Policies {
        let turns = Semaphore::new(limits::QUESTIONS_PARALLEL);
        let away_until_ms = AtomicI64::new(0);
        Policies { site, turns, away_until_ms, fresh: Mutex::default() }
    }

    fn fresh(&self) -> MutexGuard<'_, Fresh> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The site has other policy for these computers; for all, if none is named.
    pub(crate) fn wake(&self, computers: &[Uuid]) {
        let mut fresh = self.fresh();
        fresh.wakings += 1;
        match computers {
            [] => fresh.computers.clear(),
            named => named.iter().for_each(|id| drop(fresh.computers.remove(id))),
        }
    }

    /// Whether the site may be asked now.
    fn may_ask(&self, now_ms: i64) -> Leave {
        let until = self.away_until_ms.load(Ordering::Relaxed);
        // A clock that was put back does not make the absence longer.
        let is_away = now_ms < until && until - now_ms <= limits::ABSENCE_MS;
        let (away, next) = (&self.away_until_ms, now_ms + limits::ABSENCE_MS);
        let alone = |until| {
            away.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        match until {
            0 => Leave::Given,
            until if !is_away && alone(until) => Leave::ToTry,
            _ => Leave::Refused,
        }
    }

    fn note_answer<T>(&self, answer: &Result<T, Error>, now_ms: i64) {
        let until = match answer {
            Err(error) if error.class() == ErrorClass::Unavailable => now_ms + limits::ABSENCE_MS,
            _ => 0,
        };
        self.away_until_ms.store(until, Ordering::Relaxed);
    }

    fn answer(&self, computer: Uuid, version: u64, now: Timestamp) -> Option<Arc<Audience>> {
        let fresh = self.fresh();
        let answer = fresh.computers.get(&computer)?;
        (answer.version == version && now < answer.until).then(|| answer.audience.clone())
    }
}

impl Point {
    /// What this computer is told of its updates. `graph` is the catalog that it scans.
    pub(crate) async fn audience(
        &self,
        computer: Uuid,
        graph: &ScanGraph,
    ) -> Result<Arc<Audience>, Error> {
        if self.policies.site.is_none() {
            return Ok(Arc::default());
        }
        let now = Timestamp(self.ambient.now_ms());
        if let Some(audience) = self.policies.answer(computer, graph.version(), now) {
            return Ok(audience);
        }
        let wakings = self.policies.fresh().wakings;
        let Some(kept) = self.computers.kept(computer).await? else { return Ok(Arc::default()) };
        let (kept, validity_ms) = self.newest(computer, kept).await?;
        let shared = self.decided(kept.parts, graph, now).await?;
        let audience = shared.audience.clone();
        let answer = Answer { until: shared.until.min(now.plus_ms(validity_ms)), ..shared };
        let mut fresh = self.policies.fresh();
        fresh.latest = fresh.latest.max(audience.id);
        if fresh.wakings == wakings {
            fresh.computers.insert(computer, answer);
        }
        Ok(audience)
    }

    /// What these parts of policy make of the updates of this catalog.
    async fn decided(
        &self,
        parts: Vec<Sha256>,
        graph: &ScanGraph,
        now: Timestamp,
    ) -> Result<Answer, Error> {
        let key = (parts, graph.version());
        if let Some(answer) = self.policies.fresh().shared.get(&key)
            && now < answer.until
        {
            return Ok(answer.clone());
        }
        let stored = self.computers.parts(key.0.clone()).await?;
        if stored.len() < key.0.len() {
            // To tell what is left would take deployments away.
            return Err(Error::PolicyParts { missing: key.0.len() - stored.len() });
        }
        let arrived = arrived(stored);
        let waiting = self.waiting(&arrived, graph).await?;
        let (decisions, next) = decide(&arrived, &waiting, now);
        let audience = self.computers.audience(decisions, now.0).await?;
        let until = next.unwrap_or(Timestamp(i64::MAX));
        let answer = Answer { audience, until, version: graph.version() };
        let mut fresh = self.policies.fresh();
        if fresh.shared.len() >= limits::AUDIENCES_REMEMBERED {
            fresh.shared.clear();
        }
        fresh.shared.insert(key, answer.clone());
        Ok(answer)
    }

    /// The audience that a computer was told as, if it is known.
    pub(super) async fn told_audience(&self, id: u64) -> Result<Option<Arc<Audience>>, Error> {
        if let Some(audience) = self.policies.fresh().audiences.get(&id) {
            return Ok(Some(audience.clone()));
        }
        let found = self.computers.audience_of(id).await?;
        if let Some(audience) = &found {
            let mut fresh = self.policies.fresh();
            if fresh.audiences.len() >= limits::AUDIENCES_REMEMBERED {
                fresh.audiences.clear();
            }
            fresh.audiences.insert(id, audience.clone());
        }
        Ok(found)
    }

    /// Every update that some audience, `now` among them, was ever told to install; none if nobody
    /// knows that.
    pub(super) async fn ever_decided(&self, now: &Audience) -> Result<Ever, Error> {
        let latest = {
            let mut fresh = self.policies.fresh();
            fresh.latest = fresh.latest.max(now.id);
            fresh.latest
        };
        if let Some((through, ever)) = &self.policies.fresh().ever
            && *through >= latest
        {
            return Ok(ever.clone());
        }
        let ever = self.computers.ever_decided().await?.map(Arc::new);
        self.policies.fresh().ever = Some((latest, ever.clone()));
        Ok(ever)
    }

    /// The newest policy of a computer, and for how long nobody needs to ask again.
    async fn newest(&self, computer: Uuid, kept: Kept) -> Result<(Kept, i64), Error> {
        if !kept.is_known {
            return Ok((kept, limits::ABSENCE_MS));
        }
        let (newer, parts) = match self.ask_policy(computer, &kept).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok((kept, limits::POLICY_MS)),
            Err(error) => {
                tracing::info!(error = %error_chain(&error), "policy kept here goes on");
                return Ok((kept, limits::ABSENCE_MS));
            }
        };
        let now_ms = self.ambient.now_ms();
        match self.computers.keep_policy(computer, newer.clone(), parts, now_ms).await? {
            true => Ok((newer, limits::POLICY_MS)),
            false => {
                tracing::warn!(client = %computer, "the site gave policy without all of its parts");
                Ok((kept, limits::ABSENCE_MS))
            }
        }
    }

    /// Newer policy, with the parts of it that are not here.
    async fn ask_policy(
        &self,
        computer: Uuid,
        kept: &Kept,
    ) -> Result<Option<(Kept, Vec<Vec<u8>>)>, Error> {
        let Some(mut site) = self.policies.site.clone() else { return Ok(None) };
        let is_whole = self.computers.absent_parts(kept.parts.clone()).await?.is_empty();
        let request = pb::GetPolicyRequest {
            client: computer.as_bytes().to_vec(),
            incarnation: kept.incarnation,
            have_version: if is_whole { kept.version } else { 0 },
            voice: pb::Voice::Unspecified.into(),
        };
        let answer = self.ask_site(site.get_policy(request)).await?;
        let Some(signed) = answer.head else { return Ok(None) };
        let head = decode_head(&signed.head)?;
        if (head.client, head.incarnation) != (ClientId(computer), kept.incarnation) {
            return Err(Error::SiteAnswer { what: "policy" });
        }
        let newer = Kept { version: head.version, parts: head.parts.clone(), ..kept.clone() };
        let absent = self.computers.absent_parts(head.parts).await?;
        let mut parts = Vec::new();
        for digests in absent.chunks(limits::PARTS_PER_QUESTION) {
            let digests = digests.iter().map(|digest| digest.0.to_vec()).collect();
            let question = site.get_parts(pb::GetPartsRequest { digests });
            let answer = self.ask_site(question).await?;
            parts.extend(answer.parts);
        }
        Ok(Some((newer, parts)))
    }

    /// The site's answer for a computer that waits, unless the site does not answer these days.
    pub(super) async fn ask_site<T>(
        &self,
        question: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Error> {
        let policies = &self.policies;
        let refuse =
            |text: &str| Error::Site(Box::new(rpc::status::refuse(ErrorClass::Unavailable, text)));
        let leave = policies.may_ask(self.ambient.now_ms());
        if leave == Leave::Refused {
            return Err(refuse("the site server did not answer a moment ago"));
        }
        let turn = tokio::time::timeout(limits::SITE_WAIT, policies.turns.acquire()).await;
        let _turn = turn.map_err(|_| refuse("too much is asked of the site server"))?;
        let is_lost = policies.away_until_ms.load(Ordering::Relaxed) != 0;
        if is_lost && leave != Leave::ToTry {
            return Err(refuse("the site server did not answer those before"));
        }
        let answer = answered(limits::SITE_WAIT, limits::SITE, question).await;
        let answer = answer.map_err(Error::site);
        policies.note_answer(&answer, self.ambient.now_ms());
        answer
    }

    /// Updates that cannot be installed yet, because nobody has their files or those of their
    /// members.
    async fn waiting(
        &self,
        arrived: &[Arrived],
        graph: &ScanGraph,
    ) -> Result<BTreeSet<UpdateId>, Error> {
        let assigned = arrived.iter().flat_map(|arrived| &arrived.assignment.updates);
        let bare = assigned.filter(|assigned| assigned.files.is_empty());
        let bare: BTreeSet<UpdateId> = bare.map(|assigned| assigned.update.id).collect();
        let mut waiting = BTreeSet::new();
        for id in &bare {
            let Some(entry) = graph.latest(*id) else { continue };
            if !self.catalog.files(entry.update).await?.is_empty() {
                waiting.insert(*id);
            }
        }
        // Bundles of bundles are rare, so this soon comes to its end.
        loop {
            let waits =
                |id: &&UpdateId| graph.members(**id).any(|member| waiting.contains(&member));
            let more: Vec<UpdateId> =
                bare.iter().filter(|id| !waiting.contains(id)).filter(waits).copied().collect();
            if more.is_empty() {
                return Ok(waiting);
            }
            waiting.extend(more);
        }
    }

    /// The assignments that a computer has, for the digests that the catalog does not know.
    pub(super) async fn assignments(&self, computer: Uuid) -> Result<Vec<Assignment>, Error> {
        let Some(kept) = self.computers.kept(computer).await? else { return Ok(Vec::new()) };
        let stored = self.computers.parts(kept.parts).await?;
        Ok(arrived(stored).into_iter().map(|arrived| arrived.assignment).collect())
    }
}

fn arrived(stored: Vec<StoredPart>) -> Vec<Arrived> {
    let assignment = |StoredPart { bytes, seen_at }| match decode_part(&bytes) {
        Ok(Part::Assignment(assignment)) => Some(Arrived { assignment, seen_at }),
        Ok(Part::Settings(_) | Part::Servers(_) | Part::Windows(_) | Part::Options(_)) => None,
        Err(error) => {
            tracing::warn!(error = %error_chain(&error), "a part of policy cannot be read");
            None
        }
    };
    stored.into_iter().filter_map(assignment).collect()
}

/// Listens for wake-ups until `stop`.
pub(crate) async fn run(point: &Point, stop: &CancellationToken) -> Result<(), Error> {
    let Some(site) = &point.policies.site else { return Ok(()) };
    let mut backoff = Backoff::new(limits::RETRY_MIN, limits::RETRY_MAX, 50)?;
    loop {
        let listening = listen(&point.policies, site, &mut backoff);
        let Some(ended) = stop.run_until_cancelled(listening).await else { return Ok(()) };
        if let Err(status) = ended {
            let error = error_chain(&status);
            tracing::info!(error, "no wake-ups come from the site");
        }
        let wait = tokio::time::sleep(backoff.wait(&point.ambient));
        if stop.run_until_cancelled(wait).await.is_none() {
            return Ok(());
        }
    }
}

async fn listen(
    policies: &Policies,
    site: &Management,
    backoff: &mut Backoff,
) -> Result<(), Status> {
    let stream = site.clone().watch_wake_ups(pb::WatchWakeUpsRequest {}).await?;
    let mut stream = stream.into_inner();
    backoff.reset();
    // It is there, and so is whoever was to wake while nobody listened.
    policies.away_until_ms.store(0, Ordering::Relaxed);
    policies.wake(&[]);
    while let Some(wake_up) = stream.message().await? {
        let named = wake_up.clients.iter().filter_map(|id| Uuid::from_slice(id).ok());
        let named: Vec<Uuid> = named.collect();
        if named.is_empty() == wake_up.clients.is_empty() {
            policies.wake(&named);
        }
    }
    Ok(())
}
