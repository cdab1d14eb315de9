//! Between whole passes: which clients changed, as long as nothing else has.
//!
//! Owns what a plan was made from, so that it is noticed when something else than a client is
//! different; then, and every now and then because time passes, everything is planned again.
//! Refuses to know what the change means for policy. Compliance is counted a moment after it is
//! stored, so that whoever changed is looked at once more in the next pass.

use std::collections::{BTreeMap, BTreeSet};

use compliance::BoardHandle;
use deployment::{Audience, Census, Inventories};
use model::{
    BoundaryMap, ClientId, Group, ObjectCode, Position, StreamDigest, StreamId, Timestamp,
};
use site_db::{Changed, Error, Reader};

use crate::census::read_inventories;
use crate::limits::{FOLLOWED_MAX, LOOK_EVERY};
use crate::neighborhoods::neighborhoods_of;

/// Policy is planned only from what is whole here.
const NEEDED: [Group; 3] = [Group::Control, Group::Topology, Group::Catalog];

/// Everything that is no client and no state of one, by what tells that it is the same.
#[derive(Debug, PartialEq, Eq)]
struct Basis {
    streams: BTreeMap<StreamId, (Position, StreamDigest)>,
    complete_version: u64,
    kept_at: BTreeMap<ObjectCode, Timestamp>,
    /// Without a board it is not known who is a member by what clients say.
    has_board: bool,
}

/// How far a plan has followed.
#[derive(Debug)]
pub(crate) struct Trail {
    basis: Basis,
    /// The last row of the log that was looked at.
    row: i64,
    /// Who changed last.
    again: BTreeSet<ClientId>,
    census: Census,
    /// When everything is planned again in any case.
    whole_at: Timestamp,
}

/// Clients that changed.
pub(crate) struct Few {
    pub(crate) audience: Audience,
    pub(crate) gone: Vec<ClientId>,
    row: i64,
    again: BTreeSet<ClientId>,
}

/// Inventories count where a query asks for what they say.
fn what_counts(census: &Census) -> Changed {
    match census.inventories.needs().is_nothing() {
        true => Changed::Standing,
        false => Changed::Anything,
    }
}

/// What is asked of inventories, without their answers.
fn nothing_but(inventories: &Inventories) -> Inventories {
    Inventories::new(inventories.needs().clone())
}

/// The group that is not settled here.
pub(crate) fn unsettled(r: &Reader<'_>) -> Result<Option<Group>, Error> {
    for group in NEEDED {
        if !r.is_settled(group)? {
            return Ok(Some(group));
        }
    }
    Ok(None)
}

impl Basis {
    fn read(r: &Reader<'_>, board: &BoardHandle) -> Result<Basis, Error> {
        let streams = r.streams()?.into_values().filter(|s| NEEDED.contains(&s.id.group));
        Ok(Basis {
            streams: streams.map(|s| (s.id, (s.local.position, s.local.digest))).collect(),
            complete_version: r.complete_version()?,
            kept_at: r.kept_at()?,
            has_board: board.read(|_| ()).is_some(),
        })
    }
}

impl Trail {
    /// Where a plan begins that is made of this snapshot, the one before having come to the row
    /// `before`.
    pub(crate) fn begin(
        r: &Reader<'_>,
        census: &Census,
        board: &BoardHandle,
        before: Option<i64>,
    ) -> Result<Trail, Error> {
        let again = match before {
            Some(row) => r.changed_clients(row, what_counts(census))?.0,
            None => BTreeSet::new(),
        };
        let hour = i64::try_from(LOOK_EVERY.as_millis()).unwrap_or(i64::MAX);
        Ok(Trail {
            basis: Basis::read(r, board)?,
            row: r.last_row()?,
            again,
            census: census.around(BTreeMap::new(), nothing_but(&census.inventories), r.now()),
            whole_at: r.now().plus_ms(hour),
        })
    }

    /// The clients that changed since, and the ones before; None: everything has to be planned.
    pub(crate) fn changed(
        &self,
        r: &Reader<'_>,
        map: &BoundaryMap,
        board: &BoardHandle,
    ) -> Result<Option<Few>, Error> {
        if r.now() >= self.whole_at || unsettled(r)?.is_some() {
            return Ok(None);
        }
        if Basis::read(r, board)? != self.basis {
            return Ok(None);
        }
        let what = what_counts(&self.census);
        let (mut again, mut row) = r.changed_clients(self.row, what)?;
        loop {
            let (more, last) = r.changed_clients(row, what)?;
            if last == row {
                break;
            }
            row = last;
            again.extend(more);
            if again.len() > FOLLOWED_MAX {
                return Ok(None);
            }
        }
        let clients: BTreeSet<ClientId> = again.union(&self.again).copied().collect();
        let (neighborhoods, records) = neighborhoods_of(r, map, &clients)?;
        let gone = clients.into_iter().filter(|client| !records.contains_key(client)).collect();
        let here = records.keys().copied().collect();
        let needs = self.census.inventories.needs().clone();
        let inventories = read_inventories(r, needs, Some(&here))?;
        let census = self.census.around(records, inventories, r.now());
        let audience = census.audience(neighborhoods, board);
        Ok(Some(Few { audience, gone, row, again }))
    }

    /// Everything is planned again when time alone makes another plan.
    pub(crate) fn until(mut self, next_change: Option<Timestamp>) -> Trail {
        self.whole_at = next_change.map_or(self.whole_at, |at| at.min(self.whole_at));
        self
    }

    /// Whether it was planned without the board.
    pub(crate) fn awaits_board(&self) -> bool {
        !self.basis.has_board
    }

    pub(crate) fn row(&self) -> i64 {
        self.row
    }

    pub(crate) fn follow(&mut self, few: Few) {
        (self.row, self.again) = (few.row, few.again);
    }

    /// Whether members of some collection depend on what clients say of updates.
    pub(crate) fn asks_states(&self) -> bool {
        self.census.asks_states()
    }
}

impl Few {
    pub(crate) fn is_nobody(&self) -> bool {
        self.audience.roster.all().is_empty() && self.gone.is_empty()
    }
}
