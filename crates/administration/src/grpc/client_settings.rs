//! Profiles of client settings: made, changed, and deployed.
//!
//! What comes of them for a client is `resultant`, what is refused is `check`.

mod check;
mod resultant;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ALL_SYSTEMS, DEFAULT_SETTINGS, Invalid, ObjectCode, SETTINGS, SettingKind, SettingsProfile,
    WindowZone, setting_named,
};
use rpc::pb::admin as pb;
use site_db::Reader;

use self::check::check;
pub(super) use self::check::check_window;
pub(super) use self::resultant::{Reaching, resultant};
use super::noun::SETTINGS_PROFILE;
use super::{Answer, collection, given};
use crate::Error;
use crate::admin::{Change, View, check_top, top_of};
use crate::audit::Deed;

/// The profile that reaches everybody, which needs no object until it says something.
fn defaults() -> SettingsProfile {
    SettingsProfile {
        code: ObjectCode::new(DEFAULT_SETTINGS).expect("the built-in code is well-formed"),
        name: "Default Client Settings".to_owned(),
        order: 0,
        collections: Vec::new(),
        values: Vec::new(),
    }
}

fn find(r: &Reader<'_>, code: &str) -> Answer<(String, SettingsProfile)> {
    match SETTINGS_PROFILE.found(r, code) {
        Ok((owner, profile)) => Ok((owner.code.to_string(), profile)),
        Err(Error::Unknown { .. }) if code == DEFAULT_SETTINGS => Ok((top_of(r)?, defaults())),
        Err(error) => Err(error),
    }
}

/// To be changed: the defaults at the top-level site, others at their owner.
fn owned(c: &Change<'_>, code: &str) -> Answer<SettingsProfile> {
    if code == DEFAULT_SETTINGS {
        check_top(c)?;
        return Ok(find(c, code)?.1);
    }
    SETTINGS_PROFILE.owned(c, code)
}

/// What all profiles but the defaults let be done to them.
fn check_made(code: &str, what: &str) -> Result<(), Invalid> {
    if code == DEFAULT_SETTINGS {
        let reason = format!("{code} are the defaults of all clients; they are not {what}");
        return Err(Invalid::new("profile", reason));
    }
    Ok(())
}

fn row(owner: String, profile: &SettingsProfile) -> pb::SettingsProfile {
    let SettingsProfile { code, name, order, collections, values } = profile;
    let collections: Vec<String> = match code.as_str() {
        DEFAULT_SETTINGS => vec![ALL_SYSTEMS.to_owned()],
        _ => collections.iter().map(ToString::to_string).collect(),
    };
    let (code, name) = (code.to_string(), name.clone());
    let settings = super::count(values.iter());
    pb::SettingsProfile { code, name, owner, order: *order, collections, settings }
}

fn value_rows(profile: SettingsProfile) -> Vec<pb::SettingValue> {
    let rows = profile.values.into_iter();
    rows.map(|(name, value)| pb::SettingValue { name, value }).collect()
}

pub(super) fn settings(_: &View<'_>, _: pb::ListSettingsRequest) -> Answer<Vec<pb::Setting>> {
    let rows = SETTINGS.iter().map(|setting| pb::Setting {
        name: setting.name.to_owned(),
        id: setting.id.to_owned(),
        takes: setting.kind.takes(),
        default: setting.default.to_owned(),
        meaning: setting.meaning.to_owned(),
    });
    Ok(rows.collect())
}

pub(super) fn list(
    v: &View<'_>,
    _: pb::ListSettingsProfilesRequest,
) -> Answer<Vec<pb::SettingsProfile>> {
    let made = v.list::<SettingsProfile>()?.into_iter();
    let mut made: Vec<_> = made
        .filter(|(_, profile)| profile.code.as_str() != DEFAULT_SETTINGS)
        .map(|(owner, profile)| (owner.code.to_string(), profile))
        .collect();
    made.sort_by_key(|(_, profile)| (profile.order, profile.code.clone()));
    let all = std::iter::once(find(v, DEFAULT_SETTINGS)?).chain(made);
    Ok(all.map(|(owner, profile)| row(owner, &profile)).collect())
}

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetSettingsProfileRequest,
) -> Answer<pb::GetSettingsProfileResponse> {
    let (owner, profile) = find(v, &asked.code)?;
    let row = Some(row(owner, &profile));
    Ok(pb::GetSettingsProfileResponse { row, values: value_rows(profile) })
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreateSettingsProfileRequest) -> Answer<String> {
    let pb::CreateSettingsProfileRequest { name, order, values } = asked;
    let code = SETTINGS_PROFILE.new_code(c)?;
    let values = changed(Vec::new(), values, &[])?;
    let mut profile = SettingsProfile { code, name, order, collections: Vec::new(), values };
    if order == 0 {
        profile.order = last_order(c)?.saturating_add(1);
    }
    check(c, &profile)?;
    c.audit(Deed::Created, format!("client settings {} ({})", profile.code, profile.name))?;
    c.put_own(&profile)?;
    Ok(profile.code.to_string())
}

pub(super) fn set(
    c: &Change<'_>,
    asked: pb::SetSettingsRequest,
) -> Answer<pb::SetSettingsResponse> {
    let pb::SetSettingsRequest { code, set, reset, name, order } = asked;
    let held = owned(c, &code)?;
    if given(name.clone()).is_some() || order != 0 {
        check_made(&code, "renamed or ordered")?;
    }
    let named: Vec<_> = set.iter().map(|value| &value.name).chain(&reset).cloned().collect();
    let profile = SettingsProfile {
        name: given(name).unwrap_or(held.name),
        order: if order == 0 { held.order } else { order },
        values: changed(held.values, set, &reset)?,
        ..held
    };
    check(c, &profile)?;
    c.audit(Deed::Changed, format!("client settings {code}: {}", named.join(", ")))?;
    c.put_own(&profile)?;
    let row = Some(row(c.identity().code().to_string(), &profile));
    Ok(pb::SetSettingsResponse { row, values: value_rows(profile) })
}

pub(super) fn deploy(
    c: &Change<'_>,
    asked: pb::DeploySettingsProfileRequest,
) -> Answer<pb::SettingsProfile> {
    let pb::DeploySettingsProfileRequest { code, add, remove } = asked;
    check_made(&code, "deployed")?;
    let mut profile = SETTINGS_PROFILE.owned(c, &code)?;
    let mut reached: BTreeSet<ObjectCode> = profile.collections.into_iter().collect();
    for collection in &add {
        reached.insert(collection::find(c, collection)?.1.code);
    }
    for collection in &remove {
        let is_known = reached.remove(&ObjectCode::new(collection)?);
        let reason = || format!("{code} does not reach {collection}");
        is_known.then_some(()).ok_or_else(|| Invalid::new("collection", reason()))?;
    }
    profile.collections = reached.into_iter().collect();
    check(c, &profile)?;
    let now: Vec<_> = profile.collections.iter().map(ObjectCode::as_str).collect();
    c.audit(Deed::Changed, format!("client settings {code} reach: {}", now.join(", ")))?;
    c.put_own(&profile)?;
    Ok(row(c.identity().code().to_string(), &profile))
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteSettingsProfileRequest,
) -> Answer<pb::DeleteSettingsProfileResponse> {
    check_made(&asked.code, "deleted; reset their values")?;
    let profile = SETTINGS_PROFILE.owned(c, &asked.code)?;
    c.audit(Deed::Removed, format!("client settings {} ({})", profile.code, profile.name))?;
    c.delete(&profile)?;
    Ok(pb::DeleteSettingsProfileResponse {})
}

/// The values of a profile after a change, each in its one spelling.
fn changed(
    held: Vec<(String, String)>,
    set: Vec<pb::SettingValue>,
    reset: &[String],
) -> Answer<Vec<(String, String)>> {
    let mut values: BTreeMap<String, String> = held.into_iter().collect();
    for name in reset {
        values.remove(setting_named(name)?.name);
    }
    for pb::SettingValue { name, value } in set {
        let setting = setting_named(&name)?;
        let mut value = setting.read(&value)?;
        if matches!(setting.kind, SettingKind::Recurrence) && value != setting.default {
            value = moment(setting.name, &value)?;
        }
        values.insert(name, value);
    }
    Ok(values.into_iter().collect())
}

fn moment(name: &str, value: &str) -> Result<String, Invalid> {
    let read = recurrence::read_start(value);
    let (rule, zone) = read.map_err(|error| Invalid::new("setting", format!("{name}: {error}")))?;
    Ok(match zone {
        WindowZone::Client => format!("{rule} in client"),
        WindowZone::Named(zone) => format!("{rule} in {zone}"),
    })
}

fn last_order(r: &Reader<'_>) -> Answer<u32> {
    let orders = r.list::<SettingsProfile>()?.into_iter().map(|(_, profile)| profile.order);
    Ok(orders.max().unwrap_or(0))
}
