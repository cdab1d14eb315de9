//! Frames ↔ messages: the one converter of this boundary.

use model::{
    Epoch, Group, HierarchyId, Invalid, Owner, Position, SiteKind, StreamDigest, StreamId,
};
use replication::{Batch, Entry, Frame, Head, Hello, ObjectRef, ResetReason, TransactionEnd};
use rpc::limits::BATCH_BYTES_MAX;
use rpc::pb::replication as pb;

/// Level of compression of batches: more gains little on text and costs much.
const ZSTD_LEVEL: i32 = 3;

fn missing(field: &'static str) -> Invalid {
    Invalid::new(field, "is missing")
}

fn encode_stream(stream: StreamId) -> Option<pb::StreamId> {
    let StreamId { group, owner } = stream;
    Some(pb::StreamId { group: group as u32, owner: owner.to_bytes().to_vec() })
}

fn decode_stream(message: Option<pb::StreamId>) -> Result<StreamId, Invalid> {
    let pb::StreamId { group, owner } = message.ok_or_else(|| missing("stream"))?;
    Ok(StreamId { group: Group::from_number(group)?, owner: Owner::from_slice(&owner)? })
}

fn encode_position(position: Position) -> Option<pb::Position> {
    let Position { epoch: Epoch { number, id }, seq } = position;
    Some(pb::Position { epoch: number, epoch_id: id, seq })
}

fn decode_position(message: Option<pb::Position>) -> Result<Position, Invalid> {
    let pb::Position { epoch, epoch_id, seq } = message.ok_or_else(|| missing("position"))?;
    if i64::try_from(seq).is_err() {
        return Err(Invalid::new("position", "is out of range"));
    }
    Ok(Position { epoch: Epoch { number: epoch, id: epoch_id }, seq })
}

fn decode_digest(bytes: Option<Vec<u8>>) -> Result<Option<StreamDigest>, Invalid> {
    bytes.map(|b| StreamDigest::from_slice(&b)).transpose()
}

fn encode_hello(hello: Hello) -> pb::Hello {
    let Hello { protocol, hierarchy, site, kind, boot, recovering } = hello;
    pb::Hello {
        protocol,
        hierarchy: hierarchy.as_bytes().to_vec(),
        site: site.to_bytes().to_vec(),
        kind: kind.as_str().to_owned(),
        boot,
        recovering,
    }
}

fn decode_hello(message: pb::Hello) -> Result<Hello, Invalid> {
    let pb::Hello { protocol, hierarchy, site, kind, boot, recovering } = message;
    Ok(Hello {
        protocol,
        hierarchy: HierarchyId::from_slice(&hierarchy)?,
        site: Owner::from_slice(&site)?,
        kind: kind.parse::<SiteKind>()?,
        boot,
        recovering,
    })
}

fn encode_head(head: Head) -> pb::Head {
    let Head { stream, position, digest, floor, seen, signature, statement, stopped } = head;
    pb::Head {
        stream: encode_stream(stream),
        position: encode_position(position),
        digest: digest.map(|d| d.0.to_vec()),
        floor,
        seen: encode_position(seen),
        signature,
        key_statement: statement,
        stopped,
    }
}

fn decode_head(message: pb::Head) -> Result<Head, Invalid> {
    let pb::Head { stream, position, digest, floor, seen, signature, key_statement, stopped } =
        message;
    Ok(Head {
        stream: decode_stream(stream)?,
        position: decode_position(position)?,
        digest: decode_digest(digest)?,
        floor,
        seen: decode_position(seen)?,
        signature,
        statement: key_statement,
        stopped,
    })
}

fn encode_object(object: ObjectRef) -> pb::ObjectRef {
    let ObjectRef { kind, id, seq, hash } = object;
    pb::ObjectRef { kind, id, seq, hash: hash.0.to_vec() }
}

fn decode_object(message: pb::ObjectRef) -> Result<ObjectRef, Invalid> {
    let pb::ObjectRef { kind, id, seq, hash } = message;
    Ok(ObjectRef { kind, id, seq, hash: StreamDigest::from_slice(&hash)? })
}

fn encode_batch(batch: Batch) -> pb::Batch {
    let Batch { number, from, entries } = batch;
    let index = |stream: StreamId| {
        let found = from.iter().position(|(id, _)| *id == stream);
        u32::try_from(found.unwrap_or(usize::MAX)).unwrap_or(u32::MAX)
    };
    let entries = entries.into_iter().map(|entry| {
        let Entry { stream, seq, kind, id, body, end } = entry;
        let (digest_after, signature_after) =
            end.map_or((None, None), |end| (Some(end.digest.0.to_vec()), end.signature));
        pb::Entry { stream: index(stream), seq, kind, id, body, digest_after, signature_after }
    });
    let list = rpc::convert::encode_entries(entries.collect());
    let compressed = zstd::bulk::compress(&list, ZSTD_LEVEL).expect("memory to memory cannot fail");
    pb::Batch {
        number,
        from: from
            .iter()
            .map(|(stream, position)| pb::BatchStart {
                stream: encode_stream(*stream),
                position: encode_position(*position),
            })
            .collect(),
        entries: compressed,
        length: u32::try_from(list.len()).unwrap_or(u32::MAX),
    }
}

fn decode_batch(message: pb::Batch) -> Result<Batch, Invalid> {
    let pb::Batch { number, from, entries, length } = message;
    let from = from.into_iter().map(|start| {
        let pb::BatchStart { stream, position } = start;
        Ok((decode_stream(stream)?, decode_position(position)?))
    });
    let from: Vec<(StreamId, Position)> = from.collect::<Result<_, Invalid>>()?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > BATCH_BYTES_MAX {
        let reason = format!("announces {length} bytes of at most {BATCH_BYTES_MAX}");
        return Err(Invalid::new("batch", reason));
    }
    let bad = |e: &dyn std::fmt::Display| Invalid::new("batch", e.to_string());
    let list = zstd::bulk::decompress(&entries, length).map_err(|e| bad(&e))?;
    let entries = rpc::convert::decode_entries(&list)?.into_iter().map(|entry| {
        let pb::Entry { stream, seq, kind, id, body, digest_after, signature_after } = entry;
        let index = usize::try_from(stream).unwrap_or(usize::MAX);
        let (stream, _) = from.get(index).ok_or_else(|| missing("stream of an entry"))?;
        let end = decode_digest(digest_after)?
            .map(|digest| TransactionEnd { digest, signature: signature_after });
        Ok(Entry { stream: *stream, seq, kind, id, body, end })
    });
    let entries = entries.collect::<Result<_, Invalid>>()?;
    Ok(Batch { number, from, entries })
}

fn encode_reset(stream: StreamId, reason: ResetReason) -> pb::Reset {
    let (reason, gap) = match reason {
        ResetReason::NotServed => (pb::ResetReason::NotServed, None),
        ResetReason::Reconcile => (pb::ResetReason::Reconcile, None),
        ResetReason::Digest => (pb::ResetReason::Digest, None),
        ResetReason::Gap { position, digest } => {
            (pb::ResetReason::Reconcile, Some((position, digest)))
        }
    };
    pb::Reset {
        stream: encode_stream(stream),
        reason: reason.into(),
        position: gap.and_then(|(position, _)| encode_position(position)),
        digest: gap.map(|(_, digest)| digest.0.to_vec()),
    }
}

fn decode_reset(message: pb::Reset) -> Result<Frame, Invalid> {
    let pb::Reset { stream, reason, position, digest } = message;
    let reason = match (pb::ResetReason::try_from(reason), decode_digest(digest)?) {
        (Ok(pb::ResetReason::NotServed), _) => ResetReason::NotServed,
        (Ok(pb::ResetReason::Digest), _) => ResetReason::Digest,
        (Ok(pb::ResetReason::Reconcile), None) => ResetReason::Reconcile,
        (Ok(pb::ResetReason::Reconcile), Some(digest)) => {
            ResetReason::Gap { position: decode_position(position)?, digest }
        }
        (Ok(pb::ResetReason::Unspecified) | Err(_), _) => return Err(missing("reason")),
    };
    Ok(Frame::Reset { stream: decode_stream(stream)?, reason })
}

pub(crate) fn encode(frame: Frame) -> pb::Frame {
    use pb::frame::Frame as F;
    let frame = match frame {
        Frame::Hello(hello) => F::Hello(encode_hello(hello)),
        Frame::Heads(heads) => {
            F::Heads(pb::Heads { heads: heads.into_iter().map(encode_head).collect() })
        }
        Frame::Follow { stream, position, digest } => F::Follow(pb::Follow {
            stream: encode_stream(stream),
            position: encode_position(position),
            digest: digest.map(|d| d.0.to_vec()),
        }),
        Frame::Reset { stream, reason } => F::Reset(encode_reset(stream, reason)),
        Frame::Batch(batch) => F::Batch(encode_batch(batch)),
        Frame::Ack { number } => F::Ack(pb::Ack { number }),
        Frame::Doubt { stream, position } => F::Doubt(pb::Doubt {
            stream: encode_stream(stream),
            position: encode_position(position),
        }),
        Frame::Verdict { stream, sound } => {
            F::Verdict(pb::Verdict { stream: encode_stream(stream), sound })
        }
        Frame::WalkStart { stream } => {
            F::WalkStart(pb::WalkStart { stream: encode_stream(stream) })
        }
        Frame::WalkBuckets { stream, position, buckets } => F::WalkBuckets(pb::WalkBuckets {
            stream: encode_stream(stream),
            position: encode_position(position),
            buckets: buckets
                .into_iter()
                .map(|(bucket, digest)| pb::BucketDigest { bucket, digest: digest.0.to_vec() })
                .collect(),
        }),
        Frame::WalkBucket { stream, bucket, have } => F::WalkBucket(pb::WalkBucket {
            stream: encode_stream(stream),
            bucket,
            have: have.into_iter().map(encode_object).collect(),
        }),
        Frame::WalkObjects { stream, bucket, have, bodies } => F::WalkObjects(pb::WalkObjects {
            stream: encode_stream(stream),
            bucket,
            have: have.into_iter().map(encode_object).collect(),
            bodies: bodies
                .into_iter()
                .map(|(object, body)| pb::WalkObject { object: Some(encode_object(object)), body })
                .collect(),
        }),
        Frame::WalkEnd { stream } => F::WalkEnd(pb::WalkEnd { stream: encode_stream(stream) }),
        Frame::WalkEnded { stream, position, digest, signature } => F::WalkEnded(pb::WalkEnded {
            stream: encode_stream(stream),
            position: encode_position(position),
            digest: digest.0.to_vec(),
            signature,
        }),
        Frame::SyncRequest { catalog_version } => {
            F::SyncRequest(pb::SyncRequest { catalog_version })
        }
    };
    pb::Frame { frame: Some(frame) }
}

pub(crate) fn decode(message: Option<pb::Frame>) -> Result<Frame, Invalid> {
    use pb::frame::Frame as F;
    let frame = message.and_then(|m| m.frame).ok_or_else(|| missing("frame"))?;
    Ok(match frame {
        F::Hello(hello) => Frame::Hello(decode_hello(hello)?),
        F::Heads(pb::Heads { heads }) => {
            Frame::Heads(heads.into_iter().map(decode_head).collect::<Result<_, _>>()?)
        }
        F::Follow(pb::Follow { stream, position, digest }) => Frame::Follow {
            stream: decode_stream(stream)?,
            position: decode_position(position)?,
            digest: decode_digest(digest)?,
        },
        F::Reset(reset) => decode_reset(reset)?,
        F::Batch(batch) => Frame::Batch(decode_batch(batch)?),
        F::Ack(pb::Ack { number }) => Frame::Ack { number },
        F::Doubt(pb::Doubt { stream, position }) => {
            Frame::Doubt { stream: decode_stream(stream)?, position: decode_position(position)? }
        }
        F::Verdict(pb::Verdict { stream, sound }) => {
            Frame::Verdict { stream: decode_stream(stream)?, sound }
        }
        F::WalkStart(pb::WalkStart { stream }) => {
            Frame::WalkStart { stream: decode_stream(stream)? }
        }
        F::WalkBuckets(pb::WalkBuckets { stream, position, buckets }) => Frame::WalkBuckets {
            stream: decode_stream(stream)?,
            position: decode_position(position)?,
            buckets: buckets
                .into_iter()
                .map(|b| Ok((b.bucket, StreamDigest::from_slice(&b.digest)?)))
                .collect::<Result<_, Invalid>>()?,
        },
        F::WalkBucket(pb::WalkBucket { stream, bucket, have }) => Frame::WalkBucket {
            stream: decode_stream(stream)?,
            bucket,
            have: have.into_iter().map(decode_object).collect::<Result<_, _>>()?,
        },
        F::WalkObjects(pb::WalkObjects { stream, bucket, have, bodies }) => {
            let bodies = bodies.into_iter().map(|object| {
                let pb::WalkObject { object, body } = object;
                Ok((decode_object(object.ok_or_else(|| missing("object"))?)?, body))
            });
            Frame::WalkObjects {
                stream: decode_stream(stream)?,
                bucket,
                have: have.into_iter().map(decode_object).collect::<Result<_, _>>()?,
                bodies: bodies.collect::<Result<_, Invalid>>()?,
            }
        }
        F::WalkEnd(pb::WalkEnd { stream }) => Frame::WalkEnd { stream: decode_stream(stream)? },
        F::WalkEnded(pb::WalkEnded { stream, position, digest, signature }) => Frame::WalkEnded {
            stream: decode_stream(stream)?,
            position: decode_position(position)?,
            digest: StreamDigest::from_slice(&digest)?,
            signature,
        },
        F::SyncRequest(pb::SyncRequest { catalog_version }) => {
            Frame::SyncRequest { catalog_version }
        }
    })
}
