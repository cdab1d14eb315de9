//! Judges: what must hold whatever happened (docs/replication.md, section 1).

use std::collections::BTreeMap;

use model::{Group, Position, SiteCode, StreamDigest, StreamId};
use site_db::{Error, Reader, SiteDb, Stream};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// R1: two settled sites at one position with different objects.
    OtherDigest { stream: StreamId, at: Position, sites: (SiteCode, SiteCode) },
    /// A settled site whose digest is not that of its objects.
    WrongDigest { stream: StreamId, site: SiteCode },
    /// R2: a site applied an effect before its cause.
    EffectBeforeCause { site: SiteCode, stream: StreamId, seq: u64 },
    /// R3: a position fell without a restore.
    PositionFell { site: SiteCode, stream: StreamId },
}

type Seen = BTreeMap<(StreamId, Position), (StreamDigest, SiteCode)>;

/// Looks at every site. `tainted` hierarchies had a silent rollback: forks are expected there, and
/// only what a site says of itself is judged.
pub fn check_world(
    sites: &BTreeMap<SiteCode, SiteDb>,
    tainted: bool,
) -> Result<Vec<Violation>, Error> {
    let (mut found, mut seen) = (Vec::new(), Seen::new());
    for (site, db) in sites {
        let site = *site;
        let (streams, mut early) = db.read_blocking(move |r| {
            let streams = r.streams()?;
            let early =
                if tainted { Vec::new() } else { effects_before_causes(r, site, &streams)? };
            let checked = streams.into_values().filter(|s| s.local.is_settled());
            let checked = checked.map(|stream| Ok((r.check_stream(&stream)?, stream)));
            Ok::<_, Error>((checked.collect::<Result<Vec<_>, Error>>()?, early))
        })?;
        found.append(&mut early);
        for (check, stream) in streams {
            if !check.is_sound() {
                found.push(Violation::WrongDigest { stream: stream.id, site });
            }
            let key = (stream.id, stream.local.position);
            let (digest, other) = *seen.entry(key).or_insert((check.computed, site));
            if digest != check.computed && !tainted {
                let (stream, at) = key;
                found.push(Violation::OtherDigest { stream, at, sites: (other, site) });
            }
        }
    }
    Ok(found)
}

/// Bodies of the workload name the positions their owner knew. What came by following must be
/// closed under that once the whole group is settled.
fn effects_before_causes(
    r: &Reader<'_>,
    site: SiteCode,
    streams: &BTreeMap<StreamId, Stream>,
) -> Result<Vec<Violation>, Error> {
    let mut found = Vec::new();
    for group in [Group::Control, Group::Catalog] {
        let held: Vec<&Stream> = streams.values().filter(|s| s.id.group == group).collect();
        if !held.iter().all(|s| s.local.is_settled()) {
            continue;
        }
        let floors = held.iter().map(|s| (s.id.owner, s.local.floor)).collect();
        let batch = r.read_batch(group, (0, &positions(&held, &floors)), EVERYTHING)?;
        let site_db::BatchRead::Entries { entries, .. } = batch else { continue };
        for entry in entries {
            let causes = entry.body.as_deref().map(causes).unwrap_or_default();
            let missing = causes.iter().any(|(owner, at)| {
                let here = held.iter().find(|s| s.id.owner.code.as_str() == owner);
                owner != site.as_str()
                    && *owner != entry.stream.owner.code.as_str()
                    && here.is_none_or(|s| *at > s.local.position)
            });
            if missing {
                let (stream, seq) = (entry.stream, entry.seq);
                found.push(Violation::EffectBeforeCause { site, stream, seq });
            }
        }
    }
    Ok(found)
}

const EVERYTHING: site_db::BatchLimits =
    site_db::BatchLimits { bytes: usize::MAX, transactions: usize::MAX };

fn positions(
    held: &[&Stream],
    floors: &BTreeMap<model::Owner, u64>,
) -> BTreeMap<model::Owner, Position> {
    let start = |s: &&Stream| {
        let seq = floors.get(&s.id.owner).copied().unwrap_or(0);
        (s.id.owner, Position { epoch: s.local.position.epoch, seq })
    };
    held.iter().map(start).collect()
}

/// `CODE:epoch:epoch id:seq` per owner the writer knew, before the first `|`.
fn causes(body: &[u8]) -> Vec<(String, Position)> {
    let text = String::from_utf8_lossy(body);
    let known = text.split('|').next().unwrap_or_default();
    let parse = |part: &str| {
        let mut fields = part.split(':');
        let owner = fields.next()?.to_owned();
        let number = fields.next()?.parse().ok()?;
        let id = fields.next()?.parse().ok()?;
        let seq = fields.next()?.parse().ok()?;
        Some((owner, Position { epoch: model::Epoch { number, id }, seq }))
    };
    known.split(',').filter_map(parse).collect()
}
