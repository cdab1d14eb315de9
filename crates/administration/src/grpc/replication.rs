//! Replication: links, streams, their verification, and forks.

use model::{Group, Position, SiteCode, SiteRecord, StreamId};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::{
    Neighbor, Reader, Recovering, Stream, StreamCheck, StreamState, Walk, Writer, verify_all,
};

use crate::admin::Call;
use crate::audit::{Deed, audit};
use crate::links::{LinkStatus, Side, expected_links};
use crate::{Admin, Error};

pub(super) async fn status(
    admin: &Admin,
    _: Call<pb::GetReplicationStatusRequest>,
) -> Result<pb::GetReplicationStatusResponse, Error> {
    let told = (admin.links)();
    let links = admin.db.read(move |r| expected_links(r, &told)).await?;
    let row = |(side, link): (Side, LinkStatus)| pb::ReplicationLink {
        neighbor: link.neighbor.to_string(),
        side: match side {
            Side::Parent => "parent".to_owned(),
            Side::Child => "child".to_owned(),
        },
        state: link.state.as_str().to_owned(),
        lag_changes: link.lag_changes,
        failed_attempts: link.failed_attempts,
        last_contact: link.last_contact.map(wire_time),
        problem: link.problem,
    };
    Ok(pb::GetReplicationStatusResponse { rows: links.into_iter().map(row).collect() })
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetReplicationLinkRequest>,
) -> Result<pb::GetReplicationLinkResponse, Error> {
    let (code, told) = (call.message.neighbor.parse()?, (admin.links)());
    let rows = admin.db.read(move |r| link_rows(r, code, &told)).await?;
    Ok(pb::GetReplicationLinkResponse { rows })
}

fn link_rows(
    r: &Reader<'_>,
    code: SiteCode,
    told: &[LinkStatus],
) -> Result<Vec<pb::LinkStream>, Error> {
    let here = r.identity().code();
    let links = expected_links(r, told)?;
    let link = links.into_iter().map(|(_, link)| link).find(|link| link.neighbor == code);
    let link = link.ok_or(Error::NoLink { here, asked: code })?;
    let kind = r.require::<SiteRecord>(code.as_str().as_bytes())?.kind;
    let (tree, peer) = (r.tree()?, Neighbor { code, kind });
    let row = |stream: Stream| {
        let direction = match () {
            () if tree.takes(stream.id, peer) => "in",
            () if tree.offers(stream.id, peer) => "out",
            () => return None,
        };
        Some(stream_row(&stream, direction, &link))
    };
    Ok(r.streams()?.into_values().filter_map(row).collect())
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
        state: state_text(local.state).to_owned(),
        digest: local.digest.to_string(),
    }
}

fn state_text(state: StreamState) -> &'static str {
    match state {
        StreamState::Sound => "sound",
        StreamState::Forked => "forked",
        StreamState::Damaged => "damaged",
    }
}

pub(super) async fn verify(
    admin: &Admin,
    _: Call<pb::VerifyReplicationRequest>,
) -> Result<pb::VerifyReplicationResponse, Error> {
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
    Ok(pb::VerifyReplicationResponse { rows })
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

/// Whose history stays.
#[derive(Clone, Copy)]
enum Keep {
    Owner,
    Replica,
}

pub(super) async fn resolve(
    admin: &Admin,
    call: Call<pb::ResolveStreamRequest>,
) -> Result<pb::ResolveStreamResponse, Error> {
    let account = call.account();
    let pb::ResolveStreamRequest { stream, keep } = call.message;
    let keep = match keep.as_str() {
        "owner" => Keep::Owner,
        "replica" => Keep::Replica,
        _ => return Err(model::Invalid::new("keep", "is \"owner\" or \"replica\"").into()),
    };
    admin
        .db
        .write(move |w| {
            let id = find_stream(w, &stream)?;
            resolve_stream(w, id, keep)?;
            // The status stream itself may be the one; it is writable again by now.
            let next = match keep {
                Keep::Owner => "a new epoch began; every copy is taken again from here",
                Keep::Replica => "recovery began; the stream is taken back from the furthest copy",
            };
            if matches!(keep, Keep::Owner) {
                audit(w, &account, Deed::Changed, format!("fork of {id}: owner's history kept"))?;
            } else {
                tracing::warn!(stream = %id, account, "a fork is resolved: replica's history kept");
            }
            Ok(pb::ResolveStreamResponse { stream: id.to_string(), next: next.to_owned() })
        })
        .await
}

/// A stream by its name, such as `control/CAS`. Its fork is resolved where it began: at its owner.
fn find_stream(w: &Writer<'_>, name: &str) -> Result<StreamId, Error> {
    let shape = || model::Invalid::new("stream", format!("\"{name}\" is not like control/CAS"));
    let (group, owner) = name.split_once('/').ok_or_else(shape)?;
    let (group, owner): (_, SiteCode) = (Group::from_name(group)?, owner.parse()?);
    let me = w.identity().owner;
    if owner != me.code {
        return Err(Error::ForeignOwner { what: format!("stream {name}"), owner });
    }
    Ok(StreamId { group, owner: me })
}

fn resolve_stream(w: &Writer<'_>, id: StreamId, keep: Keep) -> Result<(), Error> {
    let forked = w.stream(id)?.is_some_and(|s| s.local.state == StreamState::Forked);
    if !forked {
        return Err(Error::NotForked { stream: id });
    }
    match keep {
        Keep::Owner => w.begin_epoch(id)?,
        Keep::Replica => {
            // A walk that cannot be resumed makes recovery take the stream again, bucket by
            // bucket, with what it overwrites in the repair report.
            w.begin_walk(id, &Walk::new(id.owner.code, 0, Position::default()))?;
            w.set_recovering(Recovering::Yes(site_db::Losses::Refused))?;
        }
    }
    Ok(())
}
