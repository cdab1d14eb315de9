//! The clients and the virtual time that they live in.
//!
//! Owns the order of everything: whatever falls due is done at its moment, and time goes on when
//! nothing is left to do, or at the pace that is asked for. Refuses to know what a client decides.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use client::ledger::Record;
use client::scan::Judged;
use client::{Client, Memory, Notes, Outcome, Profile, Scanning, Shelf, Trigger};
use model::{ClientId, SiteCode, Timestamp};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use trust::Anchor;
use update_metadata::Applicability;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::chance::Chance;
use crate::computer::{Computer, Manner, Model};
use crate::limits::PAUSE_MS;
use crate::short::Short;
use crate::tally::{Standing, Tally};
use crate::wire::Wire;
use asking::{Asked, Told};
use schedule::{Schedule, What};

mod asking;
mod carrying;
mod schedule;

#[derive(Clone, Debug)]
pub struct Config {
    /// Clients are called by it and their number.
    pub name: String,
    pub site: SiteCode,
    pub seed: u64,
    pub clients: u32,
    /// One after the other; at least one.
    pub models: Vec<Model>,
    pub manner: Manner,
    pub begins: Timestamp,
    /// The clients start for the first time within this time.
    pub arrive_ms: i64,
    /// A scan that nobody waits for starts at a random moment within this time (SCAN-02).
    pub scan_spread_ms: i64,
}

/// How the clients reach their site.
#[derive(Clone, Debug)]
pub enum Link {
    Wire(Arc<Wire>),
    /// With the catalog that all of them have.
    Short(Arc<Short>),
}

/// How time passes.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as everything is answered. What falls due within so many milliseconds is done
    /// together, at the end of them.
    Free { together_ms: i64 },
    /// So many times as fast as it does outside; nobody waits for a server that is slow.
    Times(f64),
}

#[derive(Debug)]
pub struct Fleet {
    config: Arc<Config>,
    link: Link,
    seats: Vec<Seat>,
    catalog: Catalog,
    shelf: Shelf,
    schedule: Schedule,
    asked: JoinSet<Asked>,
    /// Scans that wait for documents.
    waiting: VecDeque<(u32, Scanning)>,
    /// None: nothing changes by itself.
    change_every_ms: Option<i64>,
    now: Timestamp,
    tally: Tally,
}

#[derive(Debug)]
struct Seat {
    id: ClientId,
    client: Client,
    computer: Computer,
    wakes_at: Timestamp,
}

impl Fleet {
    /// Without documents, unless they are given: the first client that scans fetches them.
    #[must_use]
    pub fn new(config: Config, link: Link, catalog: Option<Catalog>) -> Fleet {
        let anchor = Arc::new(match &link {
            Link::Wire(wire) => wire.anchor().clone(),
            Link::Short(short) => short.anchor().clone(),
        });
        let now = config.begins;
        let mut schedule = Schedule::default();
        let seats = (0..config.clients).map(|number| {
            let mut seat = Seat::new(&config, &anchor, number);
            seat.wakes_at = now.plus_ms(seat.computer.chance.below(config.arrive_ms));
            schedule.add(seat.wakes_at, number, What::Wake);
            seat
        });
        Fleet {
            seats: seats.collect(),
            config: Arc::new(config),
            link,
            catalog: catalog.unwrap_or_default(),
            shelf: Shelf::default(),
            schedule,
            asked: JoinSet::new(),
            waiting: VecDeque::new(),
            change_every_ms: None,
            now,
            tally: Tally::default(),
        }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// From now on, something on each computer changes by itself this often, and its client
    /// notices.
    pub fn change_every(&mut self, every_ms: i64) {
        self.change_every_ms = Some(every_ms);
        for (number, seat) in (0..).zip(&mut self.seats) {
            let first = self.now.plus_ms(seat.computer.chance.below(every_ms));
            self.schedule.add(first, number, What::Changed);
        }
    }

    /// What each client itself thinks of its updates.
    pub fn standings(&self) -> impl Iterator<Item = (ClientId, Standing)> {
        self.seats.iter().map(|seat| (seat.id, seat.standing()))
    }

    /// All of it together.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let mut sum = Standing::default();
        self.seats.iter().for_each(|seat| sum += seat.standing());
        sum
    }

    /// Lets everything happen until then, and waits for what was asked.
    pub async fn run_until(&mut self, until: Timestamp, pace: Pace) {
        let (started, from) = (Instant::now(), self.now);
        loop {
            while let Some(asked) = self.asked.try_join_next() {
                self.hear(asked);
            }
            let due = self.schedule.next_at().filter(|at| *at <= until);
            match (pace, due) {
                (_, None) if self.asked.is_empty() => break,
                (Pace::Free { together_ms }, Some(at)) if self.asked.is_empty() => {
                    self.advance(at.plus_ms(together_ms).min(until));
                }
                (Pace::Times(times), Some(at)) => {
                    let ms = (at.0 - from.0).max(0) as f64 / times;
                    let moment = started + Duration::from_secs_f64(ms / 1_000.0);
                    tokio::select! {
                        biased;
                        Some(asked) = self.asked.join_next() => self.hear(asked),
                        () = sleep_until(moment) => self.advance(at),
                    }
                }
                (Pace::Free { .. } | Pace::Times(_), _) => {
                    if let Some(asked) = self.asked.join_next().await {
                        self.hear(asked);
                    }
                }
            }
        }
        self.now = until;
    }

    fn advance(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        while let Some((at, number, what)) = self.schedule.take_due(self.now) {
            let seat = &mut self.seats[number as usize];
            match what {
                // Something has put it forward.
                What::Wake if seat.wakes_at != at => continue,
                What::Wake => seat.wakes_at = Timestamp(i64::MAX),
                What::Ended(outcome) => seat.client.tell(*outcome, self.now),
                What::Started => {
                    seat.computer.start();
                    let around =
                        seat.computer.surroundings(&self.config.models[seat.computer.model]);
                    seat.client.observe(around, self.now);
                }
                What::Changed => self.change(number),
            }
            self.step(number);
        }
    }

    /// Something was installed or removed by hand.
    fn change(&mut self, number: u32) {
        let Seat { client, computer, .. } = &mut self.seats[number as usize];
        let Some(every) = self.change_every_ms else { return };
        self.schedule.add(self.now.plus_ms(every), number, What::Changed);
        let applicable = self.catalog.applicable(&self.config.models, computer.model);
        let count = i64::try_from(applicable.len()).unwrap_or(0);
        let chosen = usize::try_from(computer.chance.below(count)).unwrap_or(0);
        if let (Some(update), true) = (applicable.get(chosen), client.scan().is_some()) {
            computer.toggle(*update);
            client.want_scan(Trigger::AfterInstall);
        }
    }

    /// What came of a question.
    fn hear(&mut self, asked: Result<Asked, JoinError>) {
        let Asked { number, told, times, trouble } = match asked {
            Ok(asked) => asked,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        for (kind, is_answered, took_ms) in times {
            self.tally.note(kind, is_answered, took_ms);
        }
        self.tally.last_trouble = trouble.or(self.tally.last_trouble.take());
        match told {
            Told::Outcome(outcome) => {
                self.tell(number, outcome);
                self.step(number);
            }
            Told::Pages(pages) => {
                pages.into_iter().flatten().for_each(|page| self.catalog.take(page));
                for (number, scanning) in std::mem::take(&mut self.waiting) {
                    let outcome = self.scan(number, &scanning);
                    self.tell(number, outcome);
                    self.step(number);
                }
            }
        }
    }

    fn tell(&mut self, number: u32, outcome: Outcome) {
        let client = &mut self.seats[number as usize].client;
        let is_new = matches!(
            &outcome,
            Outcome::Policy(Some(answered)) if matches!(answered.answer, client::Answer::New(_))
        );
        client.tell(outcome, self.now);
        if is_new {
            self.tally.policies += 1;
            client.share(&mut self.shelf);
        }
    }

    /// Lets a client do what it wants to do now, and looks at it again when it says so.
    fn step(&mut self, number: u32) {
        loop {
            self.tally.steps += 1;
            let client = &mut self.seats[number as usize].client;
            let works = client.next(self.now);
            // Nothing of a pretended computer outlives the process.
            drop(client.take_keeps());
            let told: Vec<Outcome> =
                works.into_iter().filter_map(|work| self.carry(number, work)).collect();
            if told.is_empty() {
                break;
            }
            told.into_iter().for_each(|outcome| self.tell(number, outcome));
        }
        let seat = &mut self.seats[number as usize];
        let Some(wake) = seat.client.wake_at() else { return };
        let wake = wake.max(self.now.plus_ms(PAUSE_MS));
        if wake < seat.wakes_at {
            seat.wakes_at = wake;
            self.schedule.add(wake, number, What::Wake);
        }
    }
}

impl Seat {
    fn new(config: &Config, anchor: &Arc<Anchor>, number: u32) -> Seat {
        let mut chance = Chance::new(config.seed, number);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&chance.draw().to_le_bytes());
        id[8..].copy_from_slice(&chance.draw().to_le_bytes());
        let id = ClientId(uuid::Builder::from_random_bytes(id).into_uuid());
        let (incarnation, seed) = (chance.draw() >> 1, chance.draw());
        let model = number as usize % config.models.len();
        let computer = Computer::new(model, chance);
        let profile = Profile {
            client: id,
            site: config.site,
            anchor: anchor.clone(),
            scan_spread_ms: config.scan_spread_ms,
        };
        let around = computer.surroundings(&config.models[model]);
        let client = Client::new(profile, memory(incarnation), around, seed, config.begins);
        Seat { id, client, computer, wakes_at: config.begins }
    }

    fn standing(&self) -> Standing {
        let mut standing = Standing { unsent: self.client.unsent() as u64, ..Standing::default() };
        let Some(scan) = self.client.scan() else { return standing };
        standing.scanned = 1;
        for judged in scan.counted() {
            let count = match judged.verdict {
                Applicability::Applicable => &mut standing.required,
                Applicability::Installed => &mut standing.installed,
                Applicability::NotApplicable => &mut standing.not_required,
                Applicability::Unknown(_) => &mut standing.unknown,
            };
            *count += 1;
        }
        let assigned = self.client.policy().assignments.iter().flat_map(|a| &a.updates);
        let found = assigned.filter_map(|assigned| scan.updates.get(&assigned.update.id));
        let is_open = |judged: &&Judged| judged.verdict == Applicability::Applicable;
        standing.open = found.filter(is_open).count() as u64;
        standing
    }
}

/// Of a computer that has just joined.
fn memory(incarnation: u64) -> Memory {
    let record = Record {
        incarnation,
        serial: 0,
        covered: 0,
        scanned_at: Timestamp(0),
        scan_error: None,
        updates: 0,
        catalog: None::<Uuid>,
        scan: None,
    };
    let notes = Notes::default();
    let (said, runs, unsent) = Default::default();
    Memory { record, said, runs, policy: None, unsent, has_damaged: false, notes }
}
