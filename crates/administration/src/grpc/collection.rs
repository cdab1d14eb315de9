//! Collections of managed computers: which there are, who is in them, and what queries mean.
//!
//! Owns how they are shown. What they may say is `change`, what members depend on is `membership`.
//! Members that cannot be told are no empty list but a refusal that says what is waited for.

mod change;
mod membership;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use deployment::{CLIENTS, Census, InventoryNeeds, MEMBER, Missing, Needs, closure, references};
use model::{
    ALL_SYSTEMS, BUILT_IN_COLLECTIONS, ClientId, ClientRecord, Collection, CollectionRule, Invalid,
    ObjectCode,
};
use query::Query;
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::Reader;

pub(super) use self::change::{change, create, delete};
pub(super) use self::membership::{Stands, census, standing};
use self::membership::{ask, census_of, census_of_client, collections};
use super::client::client_row;
use super::noun::COLLECTION;
use super::{Answer, Answers, given, pages};
use crate::Error;
use crate::admin::{Change, View, top_of};
use crate::audit::Deed;

/// How many rows a preview has at most, and if nothing else is asked (COLL-08).
const PREVIEW_MAX: u32 = 10_000;
const PREVIEW_DEFAULT: u32 = 5_000;
/// Of the computers that a collection names: all of them are its members.
const DIRECT_SHOWN: usize = 1_000;

/// Everything that is registered is asked about.
const RECORDS: Needs =
    Needs { records: true, inventories: InventoryNeeds::NOTHING, items: BTreeSet::new() };

/// A collection and its owner's code; the built-in ones need no object.
pub(super) fn find(r: &Reader<'_>, code: &str) -> Result<(String, Collection), Error> {
    if let Some(found) = ObjectCode::new(code).ok().and_then(|code| Collection::built_in(&code)) {
        return Ok((top_of(r)?, found));
    }
    let (owner, collection) = COLLECTION.found(r, code)?;
    Ok((owner.code.to_string(), collection))
}

/// The collections that a client is in, and those that cannot be told.
pub(super) fn of_client(
    v: &View<'_>,
    client: &ClientRecord,
) -> Answer<(BTreeSet<ObjectCode>, BTreeSet<ObjectCode>)> {
    let codes: Vec<ObjectCode> = collections(v)?.into_keys().collect();
    let census = census_of_client(v, client)?;
    Ok(ask(&census, v, |members, population| {
        let reached = members.with(client.id, population.roster).cloned().collect();
        let waiting = codes.iter().filter(|code| members.of(code).is_err());
        (reached, waiting.cloned().collect())
    }))
}

/// The built-in collections, and those of all sites in order of code.
fn all(r: &Reader<'_>) -> Answer<Vec<(String, Collection)>> {
    let mut rows = Vec::new();
    for code in BUILT_IN_COLLECTIONS {
        rows.push(find(r, code)?);
    }
    let made = r.list::<Collection>()?.into_iter();
    let made = made.filter(|(_, one)| Collection::built_in(&one.code).is_none());
    rows.extend(made.map(|(owner, one)| (owner.code.to_string(), one)));
    Ok(rows)
}

fn row(
    r: &Reader<'_>,
    (owner, found): (String, Collection),
    members: Result<u64, Missing>,
) -> Answer<pb::Collection> {
    let (members, problem) = match members {
        Ok(members) => (members, String::new()),
        Err(missing) => (0, format!("waits for {missing}")),
    };
    let kept_at = if found.is_incremental { None } else { r.kept_at()?.remove(&found.code) };
    Ok(pb::Collection {
        code: found.code.to_string(),
        name: found.name,
        owner,
        members,
        comment: found.comment,
        limiting: found.limiting.map(|code| code.to_string()).unwrap_or_default(),
        rules: found.rules.len() as u64,
        incremental: found.is_incremental,
        full_at: found.full_at.unwrap_or_default(),
        evaluated_at: Some(wire_time(kept_at.unwrap_or_else(|| r.now()))),
        problem,
    })
}

pub(super) fn list(v: &View<'_>, _: pb::ListCollectionsRequest) -> Answer<Vec<pb::Collection>> {
    let rows = all(v)?;
    let census = census_of(v, collections(v)?, RECORDS)?;
    let counts = ask(&census, v, |members, _| {
        let count = |one: &Collection| members.of(&one.code).map(compliance::ClientSet::len);
        rows.iter().map(|(_, one)| count(one)).collect::<Vec<_>>()
    });
    rows.into_iter().zip(counts).map(|(found, count)| row(v, found, count)).collect()
}

fn row_of(v: &View<'_>, code: &str) -> Answer<pb::Collection> {
    let found = find(v, code)?;
    let needed = closure(&found.1.code, &collections(v)?);
    let census = census_of(v, needed, RECORDS)?;
    let count =
        ask(&census, v, |members, _| members.of(&found.1.code).map(compliance::ClientSet::len));
    row(v, found, count)
}

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetCollectionRequest,
) -> Answer<pb::GetCollectionResponse> {
    let (_, collection) = find(v, &asked.code)?;
    let (direct, others): (Vec<_>, Vec<_>) =
        collection.rules.iter().partition(|rule| matches!(rule, CollectionRule::Direct(_)));
    let shown = others.into_iter().chain(direct.into_iter().take(DIRECT_SHOWN));
    let rules = shown.map(|rule| rule_row(v, rule)).collect::<Answer<_>>()?;
    Ok(pb::GetCollectionResponse { row: Some(row_of(v, &asked.code)?), rules })
}

fn rule_row(r: &Reader<'_>, rule: &CollectionRule) -> Answer<pb::CollectionRule> {
    // What is not here yet has no name.
    let named = |code: &ObjectCode| find(r, code.as_str()).map_or(String::new(), |one| one.1.name);
    let (kind, name, value) = match rule {
        CollectionRule::All => ("all", String::new(), String::new()),
        CollectionRule::Direct(client) => {
            let record = r.get::<ClientRecord>(client.as_bytes())?;
            ("direct", record.map_or(String::new(), |record| record.name), client.to_string())
        }
        CollectionRule::Query { name, text } => ("query", name.clone(), text.clone()),
        CollectionRule::Include(code) => ("include", named(code), code.to_string()),
        CollectionRule::Exclude(code) => ("exclude", named(code), code.to_string()),
    };
    Ok(pb::CollectionRule { kind: kind.to_owned(), name, value })
}

pub(super) fn list_members(
    v: &View<'_>,
    asked: pb::ListCollectionMembersRequest,
) -> Answer<Answers<pb::ListCollectionMembersResponse>> {
    let (_, collection) = find(v, &asked.code)?;
    let census = census_of(v, closure(&collection.code, &collections(v)?), RECORDS)?;
    let members = ask(&census, v, |members, population| {
        let set = members.of(&collection.code)?;
        Ok(population.roster.clients(set).collect())
    });
    let what = format!("the members of collection {}", collection.code);
    let rows = records(census, told(what, members)?);
    Ok(pages(rows, |rows| pb::ListCollectionMembersResponse { rows }))
}

pub(super) fn preview(
    v: &View<'_>,
    asked: pb::PreviewQueryRequest,
) -> Answer<Answers<pb::PreviewQueryResponse>> {
    let limit = asked.limit.unwrap_or(PREVIEW_DEFAULT);
    if !(1..=PREVIEW_MAX).contains(&limit) {
        let reason = format!("{limit} rows cannot be shown; ask for 1 to {PREVIEW_MAX}");
        return Err(Invalid::new("preview", reason).into());
    }
    let limiting = given(asked.limiting).unwrap_or_else(|| ALL_SYSTEMS.to_owned());
    let (_, limiting) = find(v, &limiting)?;
    let rows = selected(v, &asked.text, &limiting.code)?;
    let matching = rows.len() as u64;
    let rows: Vec<_> = rows.into_iter().take(limit as usize).collect();
    if rows.is_empty() {
        let answer = pb::PreviewQueryResponse { rows, matching };
        return Ok(Box::pin(futures_util::stream::iter([Ok(answer)])));
    }
    Ok(pages(rows, move |rows| pb::PreviewQueryResponse { rows, matching }))
}

/// A query that asks for collections that are here.
fn readable(r: &Reader<'_>, text: &str) -> Answer<Query> {
    let query = Query::parse(text, &CLIENTS)?;
    query.arguments(MEMBER).into_iter().try_for_each(|code| find(r, code).map(drop))?;
    Ok(query)
}

/// The clients among the members of a collection that a query means, in order of id.
pub(super) fn selected(v: &View<'_>, text: &str, limiting: &ObjectCode) -> Answer<Vec<pb::Client>> {
    let query = readable(v, text)?;
    // A collection that says nothing else, so that both refer to the same.
    let rule = CollectionRule::Query { name: String::new(), text: text.to_owned() };
    let asks = Collection::plain(limiting.clone(), String::new(), vec![rule]);
    let (all, mut needed) = (collections(v)?, BTreeMap::new());
    for code in references(&asks).iter().chain([limiting]) {
        needed.extend(closure(code, &all));
    }
    let mut needs = RECORDS;
    needs.add(&query);
    let census = census_of(v, needed, needs)?;
    let meant = ask(&census, v, |members, population| {
        let set = members.select(&query, population)?.intersection(members.of(limiting)?);
        Ok(population.roster.clients(&set).collect())
    });
    let meant = told("what the query means".to_owned(), meant)?;
    Ok(records(census, meant))
}

fn told(what: String, members: Result<Vec<ClientId>, Missing>) -> Answer<Vec<ClientId>> {
    members.map_err(|missing| Error::Untold { what, missing: missing.to_string() })
}

fn records(mut from: Census, clients: Vec<ClientId>) -> Vec<pb::Client> {
    let records = clients.iter().filter_map(|client| from.clients.remove(client));
    records.map(client_row).collect()
}

/// Evaluates by rules what is kept between its full evaluations.
pub(super) fn evaluate(
    c: &Change<'_>,
    asked: pb::EvaluateCollectionRequest,
) -> Answer<pb::Collection> {
    let (_, collection) = find(c, &asked.code)?;
    c.audit(Deed::Ran, format!("evaluation of collection {}", collection.code))?;
    c.drop_members(&collection.code)?;
    let view = View { admin: c.admin, reader: c.writer };
    let needed = closure(&collection.code, &collections(c)?);
    let census = census_of(c, needed, RECORDS)?;
    let members = ask(&census, &view, |members, population| {
        let set = members.of(&collection.code)?;
        Ok(population.roster.clients(set).collect())
    });
    let what = format!("the members of collection {}", collection.code);
    let members = told(what, members)?;
    if !collection.is_incremental {
        c.keep_members(&collection.code, &members)?;
    }
    row_of(&view, collection.code.as_str())
}
