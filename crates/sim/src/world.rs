//! The random model of docs/replication.md, section 8, over real site databases and the real
//! exchange: random writes, lost links, trims, restores and lost disks, then quiet.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambient::Ambient;
use model::{Group, Kind, SiteCode, SiteRecord, StreamId};
use replication::{Frame, Losses, Neighbor, StreamState};
use site_db::{BatchLimits, Error, Executor, Own, PlantedFault, Recovering, SiteDb};
use site_link::{Exchange, Hints, LinkBoard};
use tempfile::TempDir;
use trust::SigningKey;

use crate::checks::{Violation, check_world};
use crate::keys::{Keys, SITES, START_MS, code};

/// Which faults a run may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Lost links, crashes in mid-batch, trims.
    Links,
    /// Also announced restores and lost disks.
    Announced,
    /// Also restores nobody announced.
    Silent,
    /// As [`Mode::Links`], with the planted fault of a log that holds keys only.
    KeysOnly,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub violations: Vec<Violation>,
    /// Streams that did not end equal everywhere.
    pub diverged: Vec<String>,
    /// A recovery had to be told to accept losses.
    pub accepted_loss: bool,
    pub forks: u32,
    pub frames: u64,
}

struct Wire {
    child: SiteCode,
    ends: [Exchange; 2],
    /// Frames under way to the child and to the parent.
    queues: [VecDeque<Frame>; 2],
}

/// A hierarchy of real databases on virtual wires.
pub struct World {
    ambient: Ambient,
    mode: Mode,
    dir: TempDir,
    files: u64,
    sites: BTreeMap<SiteCode, SiteDb>,
    boards: BTreeMap<SiteCode, Arc<LinkBoard>>,
    wires: Vec<Wire>,
    saved: BTreeMap<SiteCode, PathBuf>,
    tainted: bool,
    positions: BTreeMap<(SiteCode, StreamId), model::Position>,
    steps: u32,
    outcome: Outcome,
}

/// Judging costs more than a step.
const JUDGED_EVERY: u32 = 5;

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Runs the model once.
pub fn run_model(seed: u64, mode: Mode, steps: u32) -> Result<Outcome, Error> {
    let mut world = World::new(seed, mode)?;
    for _ in 0..steps {
        world.step()?;
        if !world.outcome.violations.is_empty() {
            return Ok(world.outcome);
        }
    }
    // Under the planted fault nothing ever becomes quiet: repairs meet the fault again.
    if mode != Mode::KeysOnly {
        world.quiet()?;
    }
    Ok(world.outcome)
}

impl World {
    fn new(seed: u64, mode: Mode) -> Result<World, Error> {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let mut world = World {
            ambient: Ambient::seeded(seed, START_MS),
            mode,
            dir: dir.expect("a temporary directory can be made"),
            files: 0,
            sites: BTreeMap::new(),
            boards: BTreeMap::new(),
            wires: Vec::new(),
            saved: BTreeMap::new(),
            tainted: false,
            positions: BTreeMap::new(),
            steps: 0,
            outcome: Outcome::default(),
        };
        for (site, ..) in SITES {
            let path = world.file();
            world.open(code(site), &path)?;
        }
        for (site, kind, parent) in SITES {
            let Some(parent) = parent else { continue };
            let owner = if parent == "CAS" { "CAS" } else { "PR1" };
            world.admit(code(owner), site, kind, parent)?;
            let child = code(site);
            let ends = world.session(child);
            world.wires.push(Wire { child, ends, queues: Default::default() });
        }
        for wire in 0..world.wires.len() {
            world.connect(wire)?;
        }
        Ok(world)
    }

    fn file(&mut self) -> PathBuf {
        self.files += 1;
        self.dir.path().join(format!("{}.db", self.files))
    }

    fn open(&mut self, site: SiteCode, path: &Path) -> Result<(), Error> {
        let keys = &Keys::get().sites[&site];
        let fault = match self.mode {
            Mode::KeysOnly => PlantedFault::KeysOnly,
            Mode::Links | Mode::Announced | Mode::Silent => PlantedFault::None,
        };
        let trust = (SigningKey::from_seed(keys.seed), Keys::get().anchor.clone());
        let ambient = (self.ambient.clone(), fault);
        let db =
            SiteDb::open_planted(path, Executor::Inline, keys.identity.clone(), trust, ambient)?;
        let (owner, statement) = (keys.identity.owner, keys.statement.clone());
        db.write_blocking(move |w| w.note_statement(&owner, &statement))?;
        self.sites.insert(site, db);
        let board = Arc::new(LinkBoard::default());
        for (other, _, parent) in SITES {
            if parent == Some(site.as_str()) {
                board.expect_neighbor(code(other), false);
            }
        }
        if let Some(parent) = keys.identity.parent {
            board.expect_neighbor(parent, true);
        }
        self.boards.insert(site, board);
        Ok(())
    }

    fn admit(
        &self,
        owner: SiteCode,
        site: &str,
        kind: model::SiteKind,
        parent: &str,
    ) -> Result<(), Error> {
        let uuid = Keys::get().sites[&code(site)].identity.owner.uuid;
        let record = SiteRecord {
            code: code(site),
            uuid,
            kind,
            parent: Some(code(parent)),
            name: site.to_owned(),
            url: String::new(),
        };
        self.sites[&owner].write_blocking(move |w| w.put_own(&record))
    }

    fn parent_of(child: SiteCode) -> SiteCode {
        Keys::get().sites[&child].identity.parent.expect("only the top has no parent")
    }

    /// Fresh exchanges of a link: the child's, then the parent's.
    fn session(&self, child: SiteCode) -> [Exchange; 2] {
        let parent = World::parent_of(child);
        let end = |me: SiteCode, peer: SiteCode| {
            let kind = Keys::get().sites[&peer].identity.kind;
            let limits = BatchLimits {
                bytes: usize::MAX,
                transactions: 1 + usize::try_from(self.draw(4)).unwrap_or(0),
            };
            let board = Arc::clone(&self.boards[&me]);
            let neighbor = Neighbor { code: peer, kind };
            Exchange::new(self.ambient.random_u64(), neighbor, limits, board, Hints::default())
        };
        [end(child, parent), end(parent, child)]
    }

    fn draw(&self, below: u64) -> u64 {
        self.ambient.random_u64() % below
    }

    /// Cuts a link: everything under way is lost, both ends begin anew.
    fn connect(&mut self, wire: usize) -> Result<(), Error> {
        let child = self.wires[wire].child;
        let ends = self.session(child);
        self.wires[wire] = Wire { child, ends, queues: Default::default() };
        for end in 0..2 {
            let db = self.site_of(wire, end);
            let exchange = &mut self.wires[wire].ends[end];
            let frames = on_reader(&db, exchange)?;
            self.wires[wire].queues[1 - end].extend(frames);
        }
        Ok(())
    }

    fn site_of(&self, wire: usize, end: usize) -> SiteDb {
        let child = self.wires[wire].child;
        let site = if end == 0 { child } else { World::parent_of(child) };
        self.sites[&site].clone()
    }

    /// Delivers the next frame to one end, or lets it say what is new. A session that ends is
    /// begun anew. Answers whether anything happened.
    fn drive(&mut self, wire: usize, end: usize, crash: bool) -> Result<bool, Error> {
        let frame = self.wires[wire].queues[end].pop_front();
        let moved = frame.is_some();
        let db = self.site_of(wire, end);
        let exchange = &mut self.wires[wire].ends[end];
        let result = on_writer(&db, exchange, frame, crash);
        self.outcome.frames += 1;
        match result {
            Ok(frames) => {
                let said = !frames.is_empty();
                self.wires[wire].queues[1 - end].extend(frames);
                Ok(moved || said)
            }
            Err(_) => {
                self.connect(wire)?;
                Ok(true)
            }
        }
    }

    fn step(&mut self) -> Result<(), Error> {
        let sites: Vec<SiteCode> = self.sites.keys().copied().collect();
        let site = sites[usize::try_from(self.draw(4)).unwrap_or(0)];
        let chance = self.draw(1000);
        let restores = matches!(self.mode, Mode::Announced | Mode::Silent);
        match chance {
            0..250 => self.write(site)?,
            250..900 => {
                let wire = usize::try_from(self.draw(3)).unwrap_or(0);
                let end = usize::try_from(self.draw(2)).unwrap_or(0);
                for _ in 0..1 + self.draw(4) {
                    let crash = self.draw(20) == 0;
                    self.drive(wire, end, crash)?;
                    self.drive(wire, 1 - end, false)?;
                }
            }
            900..930 => {
                let wire = usize::try_from(self.draw(3)).unwrap_or(0);
                self.connect(wire)?;
            }
            930..965 => self.trim(site)?,
            965..980 if restores => self.save(site)?,
            980..990 if restores => self.restore(site)?,
            990.. if restores => self.lose_disk(site)?,
            _ => {}
        }
        self.steps += 1;
        // The planted fault shows only while a batch is cut in the middle of somebody's history.
        let due = self.mode == Mode::KeysOnly || self.steps.is_multiple_of(JUDGED_EVERY);
        if due { self.judge() } else { Ok(()) }
    }

    fn judge(&mut self) -> Result<(), Error> {
        self.outcome.violations.extend(check_world(&self.sites, self.tainted)?);
        for (site, db) in &self.sites {
            if db.read_blocking(|r| r.recovering())? != Recovering::No {
                // A recorded restore is the one time a position may fall.
                self.positions.retain(|(at, _), _| at != site);
                continue;
            }
            for (id, stream) in db.read_blocking(|r| r.streams())? {
                let now = stream.local.position;
                let before = self.positions.insert((*site, id), now);
                if before.is_some_and(|b| b.epoch == now.epoch && b.seq > now.seq) && !self.tainted
                {
                    self.outcome
                        .violations
                        .push(Violation::PositionFell { site: *site, stream: id });
                }
            }
        }
        Ok(())
    }

    /// One transaction of a site's own, whose bodies name what the site knew.
    fn write(&self, site: SiteCode) -> Result<(), Error> {
        let identity = &Keys::get().sites[&site].identity;
        let (group, kind) = match self.draw(2) {
            0 if identity.parent.is_none() => (Group::Catalog, Kind::Category),
            _ if identity.parent.is_some_and(|p| p.as_str() == "PR1") => return Ok(()),
            _ => (Group::Control, Kind::UpdateGroup),
        };
        let changes: Vec<(u64, bool, u64)> = (0..1 + self.draw(3))
            .map(|_| (self.draw(10), self.draw(10) < 3, self.ambient.random_u64()))
            .collect();
        let written = self.sites[&site].write_blocking(move |w| {
            let known = w.streams()?.into_values().filter(|s| s.id.group == group).map(|s| {
                let at = s.local.position;
                format!("{}:{}:{}:{}", s.id.owner.code, at.epoch.number, at.epoch.id, at.seq)
            });
            let known = known.collect::<Vec<_>>().join(",");
            let own = changes.into_iter().map(|(key, delete, value)| {
                let id = format!("{site}-{key}").into_bytes();
                if delete && w.body(kind, &id).is_ok_and(|body| body.is_some()) {
                    return Own::delete(kind, id);
                }
                Own::put_bytes(kind, id, format!("{known}|{value}").into_bytes())
            });
            w.write_own(group, own.collect())
        });
        match written {
            // Forked and recovering streams refuse to be written.
            Ok(()) | Err(Error::NotWritable { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn trim(&self, site: SiteCode) -> Result<(), Error> {
        let random = self.ambient.random_u64();
        self.sites[&site].write_blocking(move |w| {
            let streams: Vec<_> = w.streams()?.into_values().collect();
            let Some(stream) = streams.get(pick(random, streams.len())) else { return Ok(()) };
            let local = &stream.local;
            let span = local.position.seq.saturating_sub(local.floor) + 1;
            w.trim(stream.id, local.floor + random % span)
        })
    }

    fn save(&mut self, site: SiteCode) -> Result<(), Error> {
        let path = self.file();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime without drivers can be made");
        runtime.block_on(self.sites[&site].backup(&path))?;
        self.saved.insert(site, path);
        Ok(())
    }

    fn restore(&mut self, site: SiteCode) -> Result<(), Error> {
        let Some(saved) = self.saved.get(&site).cloned() else { return Ok(()) };
        let path = self.file();
        std::fs::copy(saved, &path).expect("a file can be copied");
        if self.mode == Mode::Silent {
            self.tainted = true;
        } else {
            SiteDb::mark_recovering(&path, Recovering::Yes(Losses::Refused))?;
        }
        self.replace(site, &path)
    }

    fn lose_disk(&mut self, site: SiteCode) -> Result<(), Error> {
        let path = self.file();
        self.replace(site, &path)?;
        self.sites[&site].write_blocking(|w| w.set_recovering(Recovering::Yes(Losses::Refused)))
    }

    /// A process comes back with another database.
    fn replace(&mut self, site: SiteCode, path: &Path) -> Result<(), Error> {
        self.sites.remove(&site);
        self.positions.retain(|(at, _), _| *at != site);
        self.open(site, path)?;
        for wire in 0..self.wires.len() {
            let child = self.wires[wire].child;
            if child == site || World::parent_of(child) == site {
                self.connect(wire)?;
            }
        }
        Ok(())
    }

    /// No more faults: everything must become equal, forks once somebody decides.
    fn quiet(&mut self) -> Result<(), Error> {
        const ROUNDS: u32 = 40;
        for round in 0..ROUNDS {
            self.settle()?;
            self.readmit()?;
            self.resolve_forks()?;
            if round == ROUNDS / 2 {
                self.accept_losses()?;
            }
            if self.differences()?.is_empty() && round > 2 {
                break;
            }
        }
        self.judge()?;
        self.outcome.diverged = self.differences()?;
        Ok(())
    }

    /// Drives all links until nobody says anything new.
    fn settle(&mut self) -> Result<(), Error> {
        const TURNS_MAX: u32 = 3_000;
        let mut turns = 0;
        loop {
            let mut moved = false;
            for wire in 0..self.wires.len() {
                for end in 0..2 {
                    moved |= self.drive(wire, end, false)?;
                }
            }
            turns += 1;
            if !moved || turns > TURNS_MAX {
                break;
            }
        }
        for wire in 0..self.wires.len() {
            self.connect(wire)?;
        }
        Ok(())
    }

    /// What a lost disk took and no neighbor had: the records of sites are made again by joining.
    fn readmit(&self) -> Result<(), Error> {
        for (site, kind, parent) in SITES {
            let Some(parent) = parent else { continue };
            let owner = &self.sites[&code(parent)];
            let known = owner.read_blocking(move |r| {
                Ok::<_, Error>(
                    r.get::<SiteRecord>(site.as_bytes())?.is_some()
                        || r.recovering()? != Recovering::No,
                )
            })?;
            if !known {
                match self.admit(code(parent), site, kind, parent) {
                    Ok(()) | Err(Error::NotWritable { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// The operator keeps the owner's history of every forked stream.
    fn resolve_forks(&mut self) -> Result<(), Error> {
        let mut forked: Vec<StreamId> = Vec::new();
        for db in self.sites.values() {
            let streams = db.read_blocking(|r| r.streams())?;
            let bad = streams.into_values().filter(|s| s.local.state == StreamState::Forked);
            forked.extend(bad.map(|s| s.id));
        }
        forked.sort_unstable();
        forked.dedup();
        for id in forked {
            self.outcome.forks += 1;
            self.sites[&id.owner.code].write_blocking(move |w| w.begin_epoch(id))?;
        }
        Ok(())
    }

    fn accept_losses(&mut self) -> Result<(), Error> {
        for db in self.sites.values() {
            let waits = db.read_blocking(|r| r.recovering())? != Recovering::No;
            if waits {
                self.outcome.accepted_loss = true;
                db.write_blocking(|w| w.set_recovering(Recovering::Yes(Losses::Accepted)))?;
            }
        }
        Ok(())
    }

    /// Streams that are not equal at every subscriber.
    fn differences(&self) -> Result<Vec<String>, Error> {
        let mut heads: BTreeMap<StreamId, Vec<String>> = BTreeMap::new();
        for db in self.sites.values() {
            for (id, stream) in db.read_blocking(|r| r.streams())? {
                let local = stream.local;
                let text =
                    format!("{:?} {:?} {}", local.position, local.digest, local.is_settled());
                let all = heads.entry(id).or_default();
                if !all.contains(&text) {
                    all.push(text);
                }
            }
        }
        let differing = heads
            .into_iter()
            .filter(|(_, all)| all.len() > 1 || all.iter().any(|text| text.ends_with("false")));
        Ok(differing.map(|(id, all)| format!("{id}: {all:?}")).collect())
    }
}

fn pick(random: u64, of: usize) -> usize {
    usize::try_from(random % u64::try_from(of.max(1)).unwrap_or(1)).unwrap_or(0)
}

/// Moves an exchange through a closure of the database and back. An inline database runs the
/// closure on this thread, so a channel of one is enough.
fn on_reader(db: &SiteDb, exchange: &mut Exchange) -> Result<Vec<Frame>, Error> {
    let mine = std::mem::replace(exchange, spare());
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let frames = db.read_blocking(move |r| {
        let mut mine = mine;
        let frames = mine.start(r);
        // The receiver is on this thread's stack.
        let _ = sender.send(mine);
        frames.map_err(|_| Error::Conflict { what: "no greeting".into() })
    })?;
    *exchange = receiver.recv().expect("the closure ran");
    Ok(frames)
}

fn on_writer(
    db: &SiteDb,
    exchange: &mut Exchange,
    frame: Option<Frame>,
    crash: bool,
) -> Result<Vec<Frame>, site_link::Error> {
    let mine = std::mem::replace(exchange, spare());
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let frames = db.write_blocking(move |w| {
        let mut mine = mine;
        let frames = match frame {
            Some(frame) => mine.handle(w, frame),
            None => mine.pump(w),
        };
        // The receiver is on this thread's stack.
        let _ = sender.send(mine);
        // A crash before the commit: nothing happened, and the session is gone.
        if crash { Err(site_link::Error::Ended) } else { frames }
    })?;
    *exchange = receiver.recv().expect("the closure ran");
    Ok(frames)
}

fn spare() -> Exchange {
    let neighbor = Neighbor { code: code("CAS"), kind: model::SiteKind::Central };
    let limits = BatchLimits { bytes: 1, transactions: 1 };
    Exchange::new(0, neighbor, limits, Arc::new(LinkBoard::default()), Hints::default())
}
