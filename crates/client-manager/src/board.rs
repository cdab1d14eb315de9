//! Keeping the board: one scan at start, then whatever the database's log says has changed, own
//! vectors and replicated ones alike.
//!
//! Owns which vector the board was told of last, by its row. Refuses to lead the database: every
//! pass reads what is committed. If the log no longer tells what changed (a reconcile took rows
//! out), the board is made anew.

use std::collections::BTreeMap;

use compliance::{Board, BoardHandle, BoardWriter};
use model::{ClientId, Group, Kind, Timestamp, Vector, error_chain};
use site_db::{ClientStanding, Reader, SiteDb};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::limits::{FAILURE_PAUSE, LOOK_EVERY, PARKED_MS, PAUSE_FACTOR};

/// What one pass did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The board was made of the whole database.
    Rebuilt,
    /// It was brought up to date.
    Followed,
}

type Told = BTreeMap<ClientId, (bool, Option<i64>)>;

/// How far the board has followed.
#[derive(Debug)]
struct Place {
    /// The last row of the log that was looked at.
    last: i64,
    /// Of each client on the board: whether its record was here, and the row of its vector.
    told: Told,
}

#[derive(Debug)]
pub(crate) struct Keeper {
    db: SiteDb,
    board: BoardWriter,
    /// None before the first scan.
    place: Mutex<Option<Place>>,
}

/// A client as it is now, and the vector that the board was told of.
type Change = (ClientStanding, Option<Vector>);

impl Keeper {
    pub(crate) fn new(db: SiteDb, board: BoardWriter) -> Keeper {
        Keeper { db, board, place: Mutex::new(None) }
    }

    pub(crate) fn handle(&self) -> BoardHandle {
        self.board.handle()
    }

    pub(crate) async fn run(&self, shutdown: CancellationToken) {
        let mut changes = self.db.watch(&[Group::Clients, Group::State]);
        let mut look_at = Instant::now();
        loop {
            let started = Instant::now();
            let mut kept = self.step().await.map(drop);
            if kept.is_ok() && started >= look_at {
                look_at = started + LOOK_EVERY;
                kept = self.give_up_parked().await;
            }
            let pause = match kept {
                Ok(()) => started.elapsed() * PAUSE_FACTOR,
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::error!(error, "the compliance board was not brought up to date");
                    FAILURE_PAUSE
                }
            };
            let next = async {
                sleep(pause).await;
                // Nothing has to change for the next look.
                let _ = timeout(LOOK_EVERY, changes.changed()).await;
            };
            if shutdown.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    /// Brings the board up to date and makes sure that it is about the clients that are here.
    pub(crate) async fn step(&self) -> Result<Kept, Error> {
        let mut place = self.place.lock().await;
        if let Some(mut known) = place.take()
            && self.take_changes(&mut known).await?
            && self.is_complete(&known).await?
        {
            *place = Some(known);
            return Ok(Kept::Followed);
        }
        *place = Some(self.rebuild().await?);
        Ok(Kept::Rebuilt)
    }

    /// Brings the board up to date after a commit; nothing while it is warming up.
    pub(crate) async fn follow(&self) -> Result<(), Error> {
        let mut place = self.place.lock().await;
        if let Some(mut known) = place.take()
            && self.take_changes(&mut known).await?
        {
            *place = Some(known);
        }
        Ok(())
    }

    /// Applies what the log says has changed. False: it no longer tells what the board was told
    /// before.
    async fn take_changes(&self, place: &mut Place) -> Result<bool, Error> {
        loop {
            let after = place.last;
            let (standings, last) = self.db.read(move |r| r.changed_standings(after)).await?;
            if last == after {
                return Ok(true);
            }
            let told = |standing: &ClientStanding| place.told.get(&standing.client)?.1;
            let rows: Vec<Option<i64>> = standings.iter().map(told).collect();
            let changes: Option<Vec<Change>> = self
                .db
                .read(move |r| {
                    let pairs = standings.into_iter().zip(rows);
                    pairs.map(|(standing, row)| change(r, standing, row)).collect()
                })
                .await
                .map_err(|error: Error| error)?;
            let Some(changes) = changes else { return Ok(false) };
            self.board.change(|board| {
                changes.iter().for_each(|(standing, old)| apply(board, standing, old.as_ref()));
            });
            changes.iter().for_each(|(standing, _)| note(&mut place.told, standing));
            place.last = last;
        }
    }

    /// Whether exactly the clients and vectors that are here were told; a reconcile deletes
    /// without a trace in the log.
    async fn is_complete(&self, place: &Place) -> Result<bool, Error> {
        let counts = self.db.read(|r| Ok((r.count(Kind::Client)?, r.count(Kind::Vector)?)));
        let here: Result<_, site_db::Error> = counts.await;
        let registered = place.told.values().filter(|told| told.0).count();
        let vectors = place.told.values().filter(|told| told.1.is_some()).count();
        Ok(here? == (registered as u64, vectors as u64))
    }

    async fn rebuild(&self) -> Result<Place, Error> {
        let made = self.db.read(|r| {
            let (mut board, mut told) = (Board::default(), BTreeMap::new());
            let last = r.visit_standings(|standing| {
                apply(&mut board, &standing, None);
                note(&mut told, &standing);
            })?;
            Ok::<_, Error>((board, Place { last, told }))
        });
        let (board, place) = made.await?;
        tracing::info!(clients = place.told.len(), "the compliance board was made");
        self.board.replace(board);
        Ok(place)
    }

    async fn give_up_parked(&self) -> Result<(), Error> {
        let before = Timestamp(self.db.ambient().now_ms() - PARKED_MS);
        let states = self.db.write(move |w| w.drop_parked(before)).await?;
        if states > 0 {
            tracing::warn!(states, "states of updates that never arrived were given up");
        }
        Ok(())
    }
}

/// `row`: of the vector the board was told of. None if the log does not hold it any more.
fn change(
    r: &Reader<'_>,
    standing: ClientStanding,
    row: Option<i64>,
) -> Result<Option<Change>, Error> {
    let Some(row) = row else { return Ok(Some((standing, None))) };
    let same = |old: &Vector| old.client == standing.client;
    let told = r.vector_at(row)?.filter(|old| old.vector.as_ref().is_none_or(same));
    Ok(told.map(|old| (standing, old.vector)))
}

fn apply(board: &mut Board, standing: &ClientStanding, old: Option<&Vector>) {
    let new = standing.vector.as_ref();
    if new.is_none() && !standing.registered {
        return board.remove(standing.client);
    }
    board.apply(standing.client, old, new.and_then(|new| new.vector.as_ref()));
}

fn note(told: &mut Told, standing: &ClientStanding) {
    let row = standing.vector.as_ref().map(|vector| vector.lsn);
    if standing.registered || row.is_some() {
        told.insert(standing.client, (standing.registered, row));
    } else {
        told.remove(&standing.client);
    }
}
