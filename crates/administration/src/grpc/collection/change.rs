//! Making, changing and deleting collections.
//!
//! Owns every refusal that concerns a collection as a whole. Refuses to know who its members are.

use deployment::{circle, references};
use model::{
    ALL_SYSTEMS, BUILT_IN_COLLECTIONS, Collection, Deployment, Invalid, ObjectCode, Phased, Rule,
    SettingsProfile, Window,
};
use recurrence::Recurrence;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::membership::collections;
use super::rules::{Additions, Removals, Rules, check_name};
use super::{find, row_of};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;
use crate::grpc::approval::follow_collections;
use crate::grpc::noun::COLLECTION;
use crate::grpc::{Answer, given};

pub(in crate::grpc) fn create(
    c: &Change<'_>,
    asked: pb::CreateCollectionRequest,
) -> Answer<String> {
    let pb::CreateCollectionRequest {
        name,
        clients,
        comment,
        limiting,
        queries,
        includes,
        excludes,
        full_at,
        full_only,
    } = asked;
    let limiting = given(limiting).unwrap_or_else(|| ALL_SYSTEMS.to_owned());
    let mut rules = Rules::default();
    rules.add(c, Additions { queries, clients, includes, excludes })?;
    let made = Collection {
        comment,
        limiting: Some(find(c, &limiting)?.1.code),
        is_incremental: !full_only,
        full_at: schedule(full_at)?,
        ..Collection::plain(COLLECTION.new_code(c)?, name, rules.together())
    };
    write(c, &made, Deed::Created)?;
    Ok(made.code.to_string())
}

pub(in crate::grpc) fn change(
    c: &Change<'_>,
    asked: pb::ChangeCollectionRequest,
) -> Answer<pb::Collection> {
    let mut made = own(c, &asked.code)?;
    let limited_before = made.limiting.clone();
    let mut rules = Rules::of(&made);
    rules.remove(&Removals {
        queries: asked.remove_queries,
        clients: asked.remove_clients,
        includes: asked.remove_includes,
        excludes: asked.remove_excludes,
    })?;
    let added = Additions {
        queries: asked.add_queries,
        clients: asked.add_clients,
        includes: asked.add_includes,
        excludes: asked.add_excludes,
    };
    rules.add(c, added)?;
    made.rules = rules.together();
    made.name = asked.name.unwrap_or(made.name);
    made.comment = asked.comment.unwrap_or(made.comment);
    if let Some(limiting) = asked.limiting {
        made.limiting = Some(find(c, &limiting)?.1.code);
    }
    if let Some(text) = asked.full_at {
        made.full_at = schedule(text)?;
    }
    made.is_incremental = asked.full_only.map_or(made.is_incremental, |full_only| !full_only);
    write(c, &made, Deed::Changed)?;
    if made.limiting != limited_before {
        follow_collections(c)?;
    }
    row_of(&View { admin: c.admin, reader: c.writer }, made.code.as_str())
}

pub(in crate::grpc) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteCollectionRequest,
) -> Answer<pb::DeleteCollectionResponse> {
    let gone = own(c, &asked.code)?;
    let what = format!("collection {}", gone.code);
    if let Some(by) = user_of(c, &gone.code)? {
        return Err(Error::InUse { what, by, remedy: "take it out there first, or delete that" });
    }
    c.audit(Deed::Removed, format!("{what} ({})", gone.name))?;
    c.drop_members(&gone.code)?;
    c.delete(&gone)?;
    Ok(pb::DeleteCollectionResponse {})
}

/// To be changed: no built-in one, and at its owner only.
fn own(r: &Reader<'_>, code: &str) -> Answer<Collection> {
    let code = ObjectCode::new(code)?;
    if Collection::built_in(&code).is_some() {
        return Err(Error::BuiltIn { code });
    }
    COLLECTION.owned(r, code.as_str())
}

fn schedule(text: String) -> Answer<Option<String>> {
    let Some(text) = given(text) else { return Ok(None) };
    let rule: Recurrence = text.parse().map_err(|error: recurrence::Error| {
        Invalid::new("schedule", model::error_chain(&error).to_string())
    })?;
    Ok(Some(rule.to_string()))
}

/// Nothing is written if something is wrong with it.
fn write(c: &Change<'_>, made: &Collection, deed: Deed) -> Answer<()> {
    check_name("collection name", &made.name)?;
    if !made.is_incremental && made.full_at.is_none() {
        let reason = "its members would never change; give it a schedule, or let them follow";
        return Err(Invalid::new("collection", reason).into());
    }
    let mut all = collections(c)?;
    let is_same = |other: &Collection| other.name == made.name && other.code != made.code;
    let built_in = BUILT_IN_COLLECTIONS.into_iter().map(|code| find(c, code));
    let built_in = built_in.collect::<Answer<Vec<_>>>()?.into_iter().map(|(_, one)| one);
    if all.values().any(is_same) || built_in.into_iter().any(|one| is_same(&one)) {
        let (name, see) = (made.name.clone(), "tierline collection list");
        return Err(Error::NameTaken { what: "collection", name, see });
    }
    all.insert(made.code.clone(), made.clone());
    let way = circle(&made.code, &all);
    if !way.is_empty() {
        let codes: Vec<&str> = way.iter().map(ObjectCode::as_str).collect();
        return Err(Error::Circle { way: codes.join(" → ") });
    }
    c.audit(deed, format!("collection {} ({})", made.code, made.name))?;
    // Who changes it expects to see what that does.
    c.drop_members(&made.code)?;
    Ok(c.put_own(made)?)
}

/// What names a collection, as people call it.
fn user_of(r: &Reader<'_>, code: &ObjectCode) -> Answer<Option<String>> {
    let refers = |other: &Collection| other.code != *code && references(other).contains(code);
    let other = r.list::<Collection>()?.into_iter().find(|(_, other)| refers(other));
    if let Some((_, other)) = other {
        return Ok(Some(format!("collection {}", other.code)));
    }
    let targets = |one: &Deployment| one.collection == *code || one.except.contains(code);
    if let Some((_, one)) = r.list::<Deployment>()?.into_iter().find(|(_, one)| targets(one)) {
        return Ok(Some(format!("deployment {}", one.id)));
    }
    let targets = |one: &Rule| one.deployments.iter().any(|made| made.collection == *code);
    if let Some((_, one)) = r.list::<Rule>()?.into_iter().find(|(_, one)| targets(one)) {
        return Ok(Some(format!("rule {}", one.code)));
    }
    let targets = |one: &Phased| one.phases.iter().any(|phase| phase.collection == *code);
    if let Some((_, one)) = r.list::<Phased>()?.into_iter().find(|(_, one)| targets(one)) {
        return Ok(Some(format!("phased deployment {}", one.code)));
    }
    let targets = |one: &SettingsProfile| one.collections.contains(code);
    if let Some((_, one)) = r.list::<SettingsProfile>()?.into_iter().find(|(_, one)| targets(one)) {
        return Ok(Some(format!("settings profile {}", one.code)));
    }
    let targets = |one: &Window| one.collection == *code;
    let window = r.list::<Window>()?.into_iter().find(|(_, one)| targets(one));
    Ok(window.map(|(_, one)| format!("maintenance window {}", one.code)))
}
