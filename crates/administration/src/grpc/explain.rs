//! Why a client has an update, or has not: the whole chain, each link with what tells it.
//!
//! Owns the order of the questions and the words of the answers. Refuses to decide anything: each
//! answer is that of what decides it. Nothing ends the chain early but an update that is not here;
//! what only another site knows says which one to ask.

mod reach;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use model::{ClientRecord, Item, Offer, Owner, Sha256, SiteCode, UpdateId};
use rpc::pb::admin as pb;
use site_db::Reader;

use self::reach::{deployments, policy, settings, windows};
use self::record::{catalog, chosen, client, scan, standing, state};
use super::noun::CLIENT;
use super::standing::{Shelf, files, packages};
use super::{Answer, LANGUAGE};
use crate::Admin;
use crate::admin::View;

/// What a link of the chain says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing is in the way here.
    Yes,
    /// This stops it.
    No,
    Waits,
    /// Another site knows.
    Unknown,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Verdict::Yes => "yes",
            Verdict::No => "no",
            Verdict::Waits => "waits",
            Verdict::Unknown => "unknown",
        }
    }
}

/// One link: what it is about, its verdict, what it says, and what tells it.
fn step(
    (name, verdict): (&str, Verdict),
    says: impl Into<String>,
    evidence: impl Into<String>,
) -> pb::ExplainedStep {
    pb::ExplainedStep {
        step: name.to_owned(),
        verdict: verdict.as_str().to_owned(),
        says: says.into(),
        evidence: evidence.into(),
        remedy: String::new(),
    }
}

fn with_remedy(step: pb::ExplainedStep, remedy: impl Into<String>) -> pb::ExplainedStep {
    pb::ExplainedStep { remedy: remedy.into(), ..step }
}

/// What only the client's own site knows, where that is another one.
fn elsewhere(v: &View<'_>, asked: &Asked, (name, what): (&str, &str)) -> Option<pb::ExplainedStep> {
    let (here, site) = (v.identity().code(), asked.owner.code);
    if here == site {
        return None;
    }
    let says = format!("{what} {site}");
    let step = step((name, Verdict::Unknown), says, format!("asked at {here}"));
    Some(with_remedy(
        step,
        format!("ask there: `tierline explain … --server URL` with the address of {site}"),
    ))
}

/// What is asked about, as it is here.
struct Asked {
    item: Item,
    /// It, and the bundles that it comes with.
    wholes: BTreeSet<UpdateId>,
    owner: Owner,
    record: ClientRecord,
}

/// The files that the client needs, which many servers may have.
struct Content {
    digests: BTreeMap<Sha256, String>,
    near: SiteCode,
    address: Option<IpAddr>,
}

pub(super) async fn update(
    admin: &Admin,
    (_, asked): (String, pb::ExplainUpdateRequest),
) -> Answer<Vec<pb::ExplainedStep>> {
    let asking = admin.clone();
    let read = move |r: &Reader<'_>| chain(&View { admin: &asking, reader: r }, &asked);
    let (mut steps, content) = admin.db.read(read).await?;
    if let Some(Content { digests, near, address }) = content {
        let wanted = digests.keys().copied().collect();
        let found = admin.db.locate((near, address), wanted).await?;
        steps.push(places(&digests, &found, address));
    }
    Ok(steps)
}

/// All links but where files are.
fn chain(
    v: &View<'_>,
    asked: &pb::ExplainUpdateRequest,
) -> Answer<(Vec<pb::ExplainedStep>, Option<Content>)> {
    let (id, (owner, record)) = (asked.update.parse()?, CLIENT.found(v, &asked.client)?);
    let Some(item) = v.get::<Item>(UpdateId::as_bytes(&id))? else {
        return Ok((vec![record::absent(v, id)?], None));
    };
    let wholes = record::wholes(v, &item)?;
    let asked = Asked { item, wholes, owner, record };
    let mut steps = vec![catalog(&asked), chosen(v, &asked)?];
    steps.extend(standing(v, &asked)?);
    steps.extend([client(v, &asked), scan(v, &asked)?, state(v, &asked)?]);
    steps.extend(deployments(v, &asked)?);
    steps.extend([settings(v, &asked)?, windows(v, &asked)?, policy(v, &asked)?]);
    let (packaged, content) = packaged(v, &asked)?;
    steps.push(packaged);
    steps.extend(elsewhere(v, &asked, ("content", "its files come as is known at")));
    Ok((steps, content))
}

/// Which packages hold its files, and the digests by which they are looked for.
fn packaged(v: &View<'_>, asked: &Asked) -> Answer<(pb::ExplainedStep, Option<Content>)> {
    let id = asked.item.update.id;
    let items = v.items_with_parts([id].into())?;
    let needed = files(id, &items);
    if needed.is_empty() {
        return Ok((step(("package", Verdict::Yes), "it has no files", "its document"), None));
    }
    let packages = packages(v)?;
    let shelf = Shelf::of(&packages);
    let (held, missing): (Vec<_>, Vec<_>) = needed.iter().partition(|(_, file)| shelf.has(file));
    let holders = packages.iter().filter(|package| {
        let of = Shelf::of([*package]);
        held.iter().any(|(_, file)| of.has(file))
    });
    let holders: Vec<&str> = holders.map(|package| package.code.as_str()).collect();
    let evidence = match holders.as_slice() {
        [] => "packages of all sites".to_owned(),
        codes => format!("packages {}", codes.join(", ")),
    };
    let step = match missing.as_slice() {
        [] => step(("package", Verdict::Yes), format!("{} files are held", held.len()), evidence),
        [(_, first), ..] => with_remedy(
            step(
                ("package", Verdict::No),
                format!(
                    "{} of {} files are in no package: {}",
                    missing.len(),
                    needed.len(),
                    first.name
                ),
                evidence,
            ),
            "`tierline package download CODE GROUP`",
        ),
    };
    let named = packages.iter().flat_map(|package| &package.files);
    let is_needed = |sha1| needed.iter().any(|(_, file)| file.sha1 == sha1);
    let named = named.filter(|file| is_needed(file.sha1));
    let digests: BTreeMap<_, _> = named.map(|file| (file.sha256, file.name.clone())).collect();
    let (near, address) = (asked.record.site, asked.record.address);
    // What is in no package is nowhere; from where files come is for the client's site to say.
    let is_here = v.identity().code() == asked.owner.code;
    let content = (is_here && !digests.is_empty()).then_some(Content { digests, near, address });
    Ok((step, content))
}

/// From where the client gets the files.
fn places(
    digests: &BTreeMap<Sha256, String>,
    found: &BTreeMap<Sha256, Vec<Offer>>,
    address: Option<IpAddr>,
) -> pb::ExplainedStep {
    let address = address.map_or("its address is not known".to_owned(), |a| format!("address {a}"));
    let nowhere = digests.iter().find(|(digest, _)| found.get(digest).is_none_or(Vec::is_empty));
    if let Some((_, name)) = nowhere {
        return with_remedy(
            step(
                ("content", Verdict::No),
                format!("no distribution point that the client may use has {name}"),
                address,
            ),
            "`tierline package distribute`, or `tierline boundary which` for the client's address",
        );
    }
    let offers = found.values().next().map_or(&[][..], Vec::as_slice);
    let place = |offer: &Offer| match offer.after_minutes {
        0 => offer.role.url.clone(),
        minutes => format!("{} after {minutes} minutes", offer.role.url),
    };
    let places: Vec<String> = offers.iter().map(place).collect();
    step(("content", Verdict::Yes), format!("from {}", places.join(", then ")), address)
}

/// The title that people know it by.
fn title(item: &Item) -> String {
    item.title(LANGUAGE)
}
