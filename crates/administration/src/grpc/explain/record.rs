//! What is known of the update and of the client.

use std::collections::BTreeSet;

use compliance::{LiveItem, UnknownReason, state_of};
use model::{
    Category, ComplianceState, Detail, Hresult, Item, Ruling, UpdateId, Vector, Verdict as Ruled,
};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::super::category::categories;
use super::{Answer, Asked, Verdict, step, title, with_remedy};

/// An update that is not here, and whether it was.
pub(super) fn absent(r: &Reader<'_>, id: UpdateId) -> Answer<pb::ExplainedStep> {
    let ruling: Option<Ruling> = r.get(id.as_bytes())?;
    let Some(cleaned) = ruling.and_then(|ruling| ruling.cleaned) else {
        let says = format!("update {id} is not in the catalog of this site");
        let remedy = "choose its product and classification (`tierline category list`), then \
                      `tierline sync run`; at a child site, see `tierline sync status`";
        return Ok(with_remedy(
            step(("catalog", Verdict::No), says, "configuration items"),
            remedy,
        ));
    };
    let says = format!("update {id} revision {} was cleaned up", cleaned.revision);
    let evidence = format!("its ruling: gone since catalog version {}", cleaned.version);
    let remedy = "`tierline update reinstate` brings it back with the next synchronization";
    Ok(with_remedy(step(("catalog", Verdict::No), says, evidence), remedy))
}

/// The update and the bundles it comes with, without which it is in no group.
pub(super) fn wholes(r: &Reader<'_>, item: &Item) -> Answer<BTreeSet<UpdateId>> {
    let id = item.update.id;
    let mut found = BTreeSet::from([id]);
    if item.hidden {
        r.visit(Item::KIND, |_, body| {
            let other = Item::decode(&body)?;
            if other.bundles.iter().any(|part| part.id == id) {
                found.insert(other.update.id);
            }
            Ok(())
        })?;
    }
    Ok(found)
}

pub(super) fn catalog(asked: &Asked) -> pb::ExplainedStep {
    let Item { update, since, hidden, .. } = &asked.item;
    let with = if *hidden { "; it comes only with a bundle" } else { "" };
    let says = format!("\"{}\", revision {}{with}", title(&asked.item), update.revision);
    step(("catalog", Verdict::Yes), says, format!("in the catalog since version {since}"))
}

/// By which choice it came, and for which languages it is.
pub(super) fn chosen(r: &Reader<'_>, asked: &Asked) -> Answer<pb::ExplainedStep> {
    let tree = categories(r)?;
    let item = &asked.item;
    let languages = match item.languages.as_slice() {
        [] => "all languages".to_owned(),
        some => some.join(", "),
    };
    let evidence = format!("for {languages}");
    let named = item.products.iter().chain(item.classification.as_ref());
    let titles: Vec<String> = named
        .clone()
        .filter_map(|id| tree.selected_by(*id))
        .map(|by| by.title().to_owned())
        .collect();
    if !tree.iter().any(|category: &Category| category.subscribed) {
        return Ok(step(("choice", Verdict::Yes), "nothing is chosen: everything comes", evidence));
    }
    Ok(match titles.is_empty() {
        false => step(("choice", Verdict::Yes), format!("chosen: {}", titles.join(", ")), evidence),
        true => with_remedy(
            step(("choice", Verdict::No), "none of its products is chosen any more", evidence),
            "`tierline category subscribe` at the top-level site",
        ),
    })
}

/// What is ruled of it, and what supersedes it.
pub(super) fn standing(r: &Reader<'_>, asked: &Asked) -> Answer<Vec<pb::ExplainedStep>> {
    let (item, id) = (&asked.item, asked.item.update.id);
    let ruling: Option<Ruling> = r.get(id.as_bytes())?;
    let mut steps = Vec::new();
    if let Some(ruling) = &ruling {
        let by = if ruling.by.is_empty() { "a rule" } else { &ruling.by };
        let evidence = format!("ruled by {by} at {}", ruling.at);
        steps.push(match ruling.verdict {
            Ruled::Kept => step(("ruling", Verdict::Yes), "an administrator keeps it", evidence),
            verdict => with_remedy(
                step(("ruling", Verdict::No), format!("it is {}", verdict.as_str()), evidence),
                "`tierline update reinstate` takes that back",
            ),
        });
    }
    if item.expired {
        let says = match item.withdrawn {
            true => "expired: its source gives it no more",
            false => "expired",
        };
        let at = item.expired_at.map_or_else(String::new, |at| format!("since {at}"));
        steps.push(with_remedy(
            step(("expiry", Verdict::No), says, at),
            "deploy what supersedes it",
        ));
    }
    let over = r.superseders(id)?;
    if let Some(first) = over.first() {
        let more =
            if over.len() > 1 { format!(" and {} more", over.len() - 1) } else { String::new() };
        let says = format!("superseded by {first}{more}");
        steps.push(with_remedy(
            step(("supersedence", Verdict::Yes), says, "configuration items"),
            "new deployments take the newer one; those that are there keep it until it expires",
        ));
    }
    if steps.is_empty() {
        let says = "neither superseded, expired nor declined";
        steps.push(step(("standing", Verdict::Yes), says, "its item and rulings"));
    }
    Ok(steps)
}

pub(super) fn client(r: &Reader<'_>, asked: &Asked) -> pb::ExplainedStep {
    let (record, site) = (&asked.record, asked.owner.code);
    let says = format!("{} ({}), client of {site}", record.name, record.kind.as_str());
    let days = (r.now().0 - record.seen_on.0) / (24 * 60 * 60 * 1_000);
    let evidence = format!("last registered {days} days ago");
    let step = step(("client", Verdict::Yes), says, evidence);
    match days {
        0..=30 => step,
        _ => with_remedy(step, "see whether the computer still exists and reaches its site"),
    }
}

/// Whether what the client said covers the update.
pub(super) fn scan(r: &Reader<'_>, asked: &Asked) -> Answer<pb::ExplainedStep> {
    let Some(vector) = r.vector(asked.record.id)? else {
        let step = step(("scan", Verdict::Waits), "it has reported nothing", "no vector");
        return Ok(with_remedy(step, "`tierline client scan`, and see the agent's own status"));
    };
    let Vector { covered, serial, gap, scan_error, .. } = &vector;
    let evidence = format!("report {serial} covers catalog version {covered}");
    if let Some(said) = scan_error {
        let step = step(("scan", Verdict::No), format!("its last scan failed: {said}"), evidence);
        return Ok(with_remedy(step, "what the message names; then `tierline client scan`"));
    }
    if *gap {
        let says = "a part of its reports is missing; it is asked for everything";
        return Ok(step(("scan", Verdict::Waits), says, evidence));
    }
    Ok(match asked.item.since > *covered {
        true => with_remedy(
            step(("scan", Verdict::Waits), "it has not scanned since the update came", evidence),
            "`tierline client scan`",
        ),
        false => step(("scan", Verdict::Yes), "it has scanned since the update came", evidence),
    })
}

/// What the client says of the update.
pub(super) fn state(r: &Reader<'_>, asked: &Asked) -> Answer<pb::ExplainedStep> {
    let vector = r.vector(asked.record.id)?;
    let Some(live) = LiveItem::of(&asked.item) else {
        return Ok(step(("state", Verdict::Yes), "told with its bundle", "a part of a bundle"));
    };
    let (state, reason) = state_of(vector.as_ref(), live);
    let detail = vector.as_ref().and_then(|v| v.detail.iter().find(|d| d.item == live.number));
    let said = match reason {
        Some(reason) => format!("{}: {}", state.as_str(), reason.as_str()),
        None => state.as_str().to_owned(),
    };
    let verdict = match (state, reason) {
        (ComplianceState::Required | ComplianceState::Installed, _) => Verdict::Yes,
        (ComplianceState::NotRequired, _) => Verdict::No,
        (ComplianceState::Unknown, Some(UnknownReason::NotJudged)) => Verdict::No,
        (ComplianceState::Unknown, _) => Verdict::Waits,
    };
    let evidence = detail.map_or_else(|| "its last report".to_owned(), progress);
    let step = step(("state", verdict), said, evidence);
    let code = detail.filter(|detail| detail.state.is_failure()).map(|detail| Hresult(detail.code));
    Ok(match code.and_then(|code| code.remedy()) {
        Some(remedy) => with_remedy(step, remedy),
        None => step,
    })
}

/// How far it has come with it.
fn progress(detail: &Detail) -> String {
    let Detail { state, code, at, .. } = detail;
    let known = Hresult(*code);
    match state.is_failure() {
        true if known.is_known() => format!("{} at {at}: {known}", state.as_str()),
        true => format!("{} at {at} with code {code}", state.as_str()),
        false => format!("{} at {at}", state.as_str()),
    }
}
