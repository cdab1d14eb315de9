//! Replication: links, streams, their verification, and forks.

use model::{Group, Invalid, Position, SiteCode, SiteRecord, StreamId};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::{Neighbor, Reader, Recovering, Stream, StreamCheck, StreamState, Walk, verify_all};

use super::Answer;
use crate::admin::{Change, View};
use crate::audit::Deed;
use crate::links::{LinkStatus, expected_links};
use crate::{Admin, Error};

pub(super) fn status(
    v: &View<'_>,
    _: pb::GetReplicationStatusRequest,
) -> Answer<Vec<pb::ReplicationLink>> {
    let row = |(side, link): (&str, LinkStatus)| pb::ReplicationLink {
        neighbor: link.neighbor.to_string(),
        side: side.to_owned(),
        state: link.state.as_str().to_owned(),
        lag_changes: link.lag_changes,
        failed_attempts: link.failed_attempts,
        last_contact: link.last_contact.map(wire_time),
        problem: link.problem,
    };
    Ok(expected_links(v, &(v.admin.links)())?.into_iter().map(row).collect())
}

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetReplicationLinkRequest,
) -> Answer<Vec<pb::LinkStream>> {
    let (here, code): (_, SiteCode) = (v.identity().code(), asked.neighbor.parse()?);
    let mut links = expected_links(v, &(v.admin.links)())?.into_iter().map(|(_, link)| link);
    let link = links.find(|link| link.neighbor == code);
    let link = link.ok_or(Error::NoLink { here, asked: code })?;
    let kind = v.require::<SiteRecord>(code.as_str().as_bytes())?.kind;
    let (tree, peer) = (v.tree()?, Neighbor { code, kind });
    let row = |stream: Stream| {
        let direction = match () {
            () if tree.takes(stream.id, peer) => "in",
            () if tree.offers(stream.id, peer) => "out",
            () => return None,
        };
        Some(stream_row(&stream, direction, &link))
    };
    Ok(v.streams()?.into_values().filter_map(row).collect())
}

fn stream_row(stream: &Stream, direction: &str, link: &LinkStatus) -> pb::LinkStream {
    let local = &stream.local;
    let theirs = link.heads.iter().find(|head| head.stream == stream.id);
    pb::LinkStream {
        stream: stream.id.to_string(),
        direction: direction.to_owned(),
        epoch: local.position.epoch.number,
        seq: local.position.seq,
        neighbor_seq: theirs.map(|head| head.position.seq),
        floor: local.floor,
        settled: local.is_settled(),
        state: match local.state {
            StreamState::Sound => "sound".to_owned(),
            StreamState::Forked => "forked".to_owned(),
            StreamState::Damaged => "damaged".to_owned(),
        },
        digest: local.digest.to_string(),
    }
}

pub(super) async fn verify(
    admin: &Admin,
    _: (String, pb::VerifyReplicationRequest),
) -> Answer<Vec<pb::VerifiedStream>> {
    let checks = verify_all(&admin.db).await?;
    let links = (admin.links)();
    let unsettled = admin.db.read(|r| Ok::<_, Error>(r.streams()?)).await?.into_values();
    let unsettled = unsettled.filter(|stream| !stream.local.is_settled());
    let mut rows: Vec<_> = checks.iter().map(|check| verified_row(check, &links)).collect();
    rows.extend(unsettled.map(|stream| pb::VerifiedStream {
        stream: stream.id.to_string(),
        result: "unsettled".to_owned(),
        epoch: stream.local.position.epoch.number,
        seq: stream.local.position.seq,
        ..pb::VerifiedStream::default()
    }));
    rows.sort_by(|a, b| a.stream.cmp(&b.stream));
    Ok(rows)
}

/// Only equal positions are comparable; a neighbor elsewhere is neither equal nor different.
fn verified_row(check: &StreamCheck, links: &[LinkStatus]) -> pb::VerifiedStream {
    let (mut equal_at, mut differs_at) = (Vec::new(), Vec::new());
    for link in links {
        let at = |head: &&crate::KnownHead| {
            head.stream == check.stream && head.position == check.position
        };
        match link.heads.iter().find(at).and_then(|head| head.digest) {
            Some(digest) if digest == check.computed => equal_at.push(link.neighbor.to_string()),
            Some(_) => differs_at.push(link.neighbor.to_string()),
            None => {}
        }
    }
    let result = match () {
        () if !check.is_sound() => "damaged",
        () if !differs_at.is_empty() => "differs",
        () => "ok",
    };
    pb::VerifiedStream {
        stream: check.stream.to_string(),
        result: result.to_owned(),
        epoch: check.position.epoch.number,
        seq: check.position.seq,
        damaged_objects: check.damaged,
        equal_at,
        differs_at,
        digest: check.computed.to_string(),
    }
}

pub(super) fn resolve(
    c: &Change<'_>,
    asked: pb::ResolveStreamRequest,
) -> Answer<pb::ResolveStreamResponse> {
    let is_owners = match asked.keep.as_str() {
        "owner" => true,
        "replica" => false,
        _ => return Err(Invalid::new("keep", "is \"owner\" or \"replica\"").into()),
    };
    let id = forked_stream(c, &asked.stream)?;
    let next = if is_owners {
        c.begin_epoch(id)?;
        // The status stream itself may be the one; it is writable again by now.
        c.audit(Deed::Changed, format!("fork of {id}: owner's history kept"))?;
        "a new epoch began; every copy is taken again from here"
    } else {
        // A walk that cannot be resumed makes recovery take the stream again, bucket by bucket,
        // with what it overwrites in the repair report.
        c.begin_walk(id, &Walk::new(id.owner.code, 0, Position::default()))?;
        c.set_recovering(Recovering::Yes(site_db::Losses::Refused))?;
        let account = c.account;
        tracing::warn!(stream = %id, account, "a fork is resolved: replica's history kept");
        "recovery began; the stream is taken back from the furthest copy"
    };
    Ok(pb::ResolveStreamResponse { stream: id.to_string(), next: next.to_owned() })
}

/// A forked stream by its name, such as `control/CAS`. Its fork is resolved where it began: at its
/// owner.
fn forked_stream(r: &Reader<'_>, name: &str) -> Result<StreamId, Error> {
    let shape = || Invalid::new("stream", format!("\"{name}\" is not like control/CAS"));
    let (group, owner) = name.split_once('/').ok_or_else(shape)?;
    let (group, owner): (_, SiteCode) = (Group::from_name(group)?, owner.parse()?);
    let me = r.identity().owner;
    if owner != me.code {
        return Err(Error::ForeignOwner { what: format!("stream {name}"), owner });
    }
    let id = StreamId { group, owner: me };
    let forked = r.stream(id)?.is_some_and(|s| s.local.state == StreamState::Forked);
    if forked { Ok(id) } else { Err(Error::NotForked { stream: id }) }
}
