//! Streams: rows of positions and digests, heads, and who owns which key.

use std::collections::BTreeMap;

use model::{Epoch, Group, KeyStatement, Owner, Position, StreamDigest, StreamId, Timestamp};
use replication::{Head, LocalStream, StreamState, Tree};
use rpc::object::ObjectBody as _;
use sqlite_engine::{Row, RowResult, params, parse_column};
use trust::Purpose;

use crate::{Error, Reader, Writer};

/// One stream as this site holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub id: StreamId,
    pub local: LocalStream,
    /// An event stream's chain value at its floor.
    pub floor_digest: StreamDigest,
    /// The owner's signature of the head.
    pub signature: Option<Vec<u8>>,
}

impl Stream {
    pub(crate) fn new(id: StreamId, epoch: Epoch) -> Stream {
        let position = Position { epoch, seq: 0 };
        let local = LocalStream { position, seen: position, ..LocalStream::default() };
        Stream { id, local, floor_digest: StreamDigest::default(), signature: None }
    }
}

const COLUMNS: &str = "s.grp, s.owner, s.epoch, s.epoch_id, s.seq, s.digest, s.floor, \
     s.floor_digest, s.settle_at, s.seen_epoch, s.seen_epoch_id, s.seen_seq, s.signature, s.state, \
     EXISTS (SELECT 1 FROM walk w WHERE w.grp = s.grp AND w.owner = s.owner)";

/// SQLite has no unsigned 64-bit column; the bits are what counts.
pub(crate) fn bits(value: u64) -> i64 {
    i64::from_le_bytes(value.to_le_bytes())
}

pub(crate) fn unbits(value: i64) -> u64 {
    u64::from_le_bytes(value.to_le_bytes())
}

pub(crate) fn digest_column(row: &Row<'_>, index: usize) -> RowResult<StreamDigest> {
    parse_column(row, index, |b: Vec<u8>| StreamDigest::from_slice(&b))
}

pub(crate) fn stream_column(row: &Row<'_>, index: usize) -> RowResult<StreamId> {
    Ok(StreamId {
        group: parse_column(row, index, Group::from_number)?,
        owner: parse_column(row, index + 1, |b: Vec<u8>| Owner::from_slice(&b))?,
    })
}

pub(crate) fn position_column(row: &Row<'_>, index: usize) -> RowResult<Position> {
    let epoch = Epoch { number: row.get(index)?, id: unbits(row.get(index + 1)?) };
    Ok(Position { epoch, seq: row.get(index + 2)? })
}

fn stream_row(row: &Row<'_>) -> RowResult<Stream> {
    let state = match row.get::<_, u8>(13)? {
        0 => StreamState::Sound,
        1 => StreamState::Forked,
        _ => StreamState::Damaged,
    };
    Ok(Stream {
        id: stream_column(row, 0)?,
        local: LocalStream {
            position: position_column(row, 2)?,
            digest: digest_column(row, 5)?,
            floor: row.get(6)?,
            settle_at: row.get(8)?,
            walking: row.get(14)?,
            seen: position_column(row, 9)?,
            state,
        },
        floor_digest: digest_column(row, 7)?,
        signature: row.get(12)?,
    })
}

/// What an owner signs: the head of a stream after one of his transactions.
pub(crate) fn head_message(id: StreamId, position: Position, digest: StreamDigest) -> Vec<u8> {
    let mut message = vec![id.group as u8];
    message.extend(id.owner.to_bytes());
    message.extend(position.epoch.number.to_le_bytes());
    message.extend(position.epoch.id.to_le_bytes());
    message.extend(position.seq.to_le_bytes());
    message.extend(digest.0);
    message
}

impl Reader<'_> {
    pub fn stream(&self, id: StreamId) -> Result<Option<Stream>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM stream s WHERE grp = ?1 AND owner = ?2");
        let key = params![id.group as u8, id.owner.to_bytes()];
        Ok(self.tx.query_optional(&sql, key, stream_row)?)
    }

    /// Every stream this site holds; a few per site of the hierarchy.
    pub fn streams(&self) -> Result<BTreeMap<StreamId, Stream>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM stream s");
        let rows = self.tx.query_all(&sql, [], stream_row)?;
        Ok(rows.into_iter().map(|stream| (stream.id, stream)).collect())
    }

    /// Whether every stream of a group is settled; planners wait until then.
    pub fn is_settled(&self, group: Group) -> Result<bool, Error> {
        let streams = self.streams()?;
        Ok(streams.values().filter(|s| s.id.group == group).all(|s| s.local.is_settled()))
    }

    /// The sites this site knows of.
    pub fn tree(&self) -> Result<Tree, Error> {
        let sites: Vec<_> = self.list()?.into_iter().map(|(_, site)| site).collect();
        Ok(Tree::new(self.identity().neighbor(), self.identity().parent, &sites))
    }

    /// What this site says of a stream.
    pub fn head(&self, stream: &Stream) -> Result<Head, Error> {
        let settled = stream.local.is_settled();
        let sql = "SELECT statement FROM owner_key WHERE code = ?1";
        let code = stream.id.owner.code.as_str();
        Ok(Head {
            stream: stream.id,
            position: stream.local.position,
            digest: settled.then_some(stream.local.digest),
            floor: stream.local.floor,
            seen: stream.local.seen.max(stream.local.position),
            signature: settled.then(|| stream.signature.clone()).flatten(),
            statement: self.tx.query_optional(sql, [code], |row| row.get(0))?,
            stopped: stream.local.state == StreamState::Forked,
        })
    }

    /// The digest this site knows for a position of a stream.
    pub fn boundary(&self, stream: &Stream, at: Position) -> Result<Option<StreamDigest>, Error> {
        let local = &stream.local;
        if at.epoch != local.position.epoch {
            return Ok(None);
        }
        if at.seq == local.position.seq {
            return Ok(local.is_settled().then_some(local.digest));
        }
        if at.seq == 0 {
            return Ok(Some(StreamDigest::default()));
        }
        let sql = "SELECT digest_after FROM entry
                   WHERE grp = ?1 AND owner = ?2 AND seq = ?3 AND digest_after IS NOT NULL";
        let key = params![stream.id.group as u8, stream.id.owner.to_bytes(), at.seq];
        Ok(self.tx.query_optional(sql, key, |row| digest_column(row, 0))?)
    }

    /// The verified signing key of a site.
    pub fn signing_key(&self, owner: &Owner) -> Result<Option<[u8; 32]>, Error> {
        let sql = "SELECT statement FROM owner_key WHERE code = ?1";
        let found: Option<Vec<u8>> =
            self.tx.query_optional(sql, [owner.code.as_str()], |row| row.get(0))?;
        let decode =
            |bytes: Vec<u8>| KeyStatement::decode(&bytes).map_err(Error::stored("key statement"));
        Ok(found.map(decode).transpose()?.map(|statement| statement.key))
    }

    pub(crate) fn check_signature(
        &self,
        id: StreamId,
        position: Position,
        (digest, signature): (StreamDigest, Option<&[u8]>),
    ) -> Result<(), Error> {
        // Before the owner's first transaction there is nothing to sign.
        let nothing = position.seq == 0 && digest == StreamDigest::default();
        if nothing || !id.group.is_signed() {
            return Ok(());
        }
        let refused = || Error::Signature { stream: id, seq: position.seq };
        let key = self.signing_key(&id.owner)?.ok_or_else(refused)?;
        let message = head_message(id, position, digest);
        let signature = signature.ok_or_else(refused)?;
        trust::verify_signature(Purpose::StreamHead, &key, &message, signature)
            .map_err(|_| refused())
    }
}

impl Writer<'_> {
    pub(crate) fn save_stream(&self, stream: &Stream) -> Result<(), Error> {
        let local = &stream.local;
        let state: u8 = match local.state {
            StreamState::Sound => 0,
            StreamState::Forked => 1,
            StreamState::Damaged => 2,
        };
        let seen = local.seen.max(local.position);
        self.write.execute(
            "INSERT OR REPLACE INTO stream VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                stream.id.group as u8,
                stream.id.owner.to_bytes(),
                local.position.epoch.number,
                bits(local.position.epoch.id),
                local.position.seq,
                local.digest.0,
                local.floor,
                stream.floor_digest.0,
                local.settle_at,
                seen.epoch.number,
                bits(seen.epoch.id),
                seen.seq,
                stream.signature,
                state
            ],
        )?;
        self.wake(Some(stream.id.group));
        Ok(())
    }

    /// Remembers the highest position anybody has told of.
    pub fn note_seen(&self, id: StreamId, seen: Position) -> Result<(), Error> {
        let Some(mut stream) = self.stream(id)? else { return Ok(()) };
        if seen > stream.local.seen {
            stream.local.seen = seen;
            self.save_stream(&stream)?;
        }
        Ok(())
    }

    pub fn set_state(&self, id: StreamId, state: StreamState) -> Result<(), Error> {
        let Some(mut stream) = self.stream(id)? else { return Ok(()) };
        if state == StreamState::Damaged {
            self.rehash(id)?;
        }
        if stream.local.state != state {
            stream.local.state = state;
            self.save_stream(&stream)?;
        }
        Ok(())
    }

    /// Keeps an owner's key statement after verifying it under the root.
    pub fn note_statement(&self, owner: &Owner, encoded: &[u8]) -> Result<(), Error> {
        let sql = "SELECT statement FROM owner_key WHERE code = ?1";
        let code = owner.code.as_str();
        let known: Option<Vec<u8>> = self.tx.query_optional(sql, [code], |row| row.get(0))?;
        if known.as_deref() == Some(encoded) {
            return Ok(());
        }
        let statement = KeyStatement::decode(encoded)?;
        let refused = |source| Error::Statement { site: owner.code.to_string(), source };
        let now: Timestamp = self.now();
        trust::verify_statement(&statement, &self.context.anchor, now).map_err(refused)?;
        let stale = known.map(|k| KeyStatement::decode(&k)).transpose()?;
        if statement.site != owner.code || stale.is_some_and(|s| s.epoch > statement.epoch) {
            return Ok(());
        }
        let sql = "INSERT OR REPLACE INTO owner_key VALUES (?1, ?2)";
        self.write.execute(sql, params![code, encoded])?;
        Ok(())
    }
}
