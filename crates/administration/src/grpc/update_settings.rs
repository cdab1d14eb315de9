//! What administrators know better about updates than their publishers: run time and severity.

use deployment::{RUN_MINUTES, run_minutes};
use model::{Invalid, Item, MsrcSeverity, UpdateSetting};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::noun::UPDATE;
use super::{Answer, LANGUAGE, given};
use crate::admin::{Change, View, check_top};
use crate::audit::Deed;

/// What an update has without a setting of its own.
const NO_SEVERITY: &str = "none";

/// More are another call.
const UPDATES_MAX: usize = 1_000;

pub(super) fn set(
    c: &Change<'_>,
    asked: pb::SetUpdateSettingsRequest,
) -> Answer<Vec<pb::UpdateSettings>> {
    check_top(c)?;
    let pb::SetUpdateSettingsRequest { updates, run_minutes, severity, reset } = asked;
    if updates.is_empty() || updates.len() > UPDATES_MAX {
        let reason = format!("are 1 to {UPDATES_MAX} at once, not {}", updates.len());
        return Err(Invalid::new("updates", reason).into());
    }
    let minutes = read_minutes(run_minutes)?;
    let severity = given(severity).map(|name| read_severity(&name)).transpose()?;
    let mut rows = Vec::with_capacity(updates.len());
    for id in &updates {
        let (_, item) = UPDATE.found(c, id)?;
        let held = c.get::<UpdateSetting>(item.update.id.as_bytes())?;
        let before = held.filter(|_| !reset);
        let now = UpdateSetting {
            update: item.update.id,
            max_run_minutes: minutes.or(before.and_then(|before| before.max_run_minutes)),
            severity: severity.unwrap_or(before.and_then(|before| before.severity)),
        };
        if now.max_run_minutes.is_some() || now.severity.is_some() {
            c.put_own(&now)?;
        } else if held.is_some() {
            c.delete(&now)?;
        }
        rows.push(row(&item, Some(&now)));
    }
    c.audit(Deed::Changed, format!("settings of updates {}", updates.join(", ")))?;
    Ok(rows)
}

fn read_minutes(minutes: u32) -> Result<Option<u16>, Invalid> {
    if minutes == 0 {
        return Ok(None);
    }
    let read = u16::try_from(minutes).ok().filter(|minutes| RUN_MINUTES.contains(minutes));
    let (min, max) = RUN_MINUTES.into_inner();
    let reason = || format!("is {min} to {max} minutes, not {minutes}");
    read.map(Some).ok_or_else(|| Invalid::new("run time", reason()))
}

fn read_severity(name: &str) -> Result<Option<MsrcSeverity>, Invalid> {
    if name == NO_SEVERITY {
        return Ok(None);
    }
    let reason = || format!("is critical, important, moderate, low or {NO_SEVERITY}, not {name}");
    MsrcSeverity::from_name(name).map(Some).ok_or_else(|| Invalid::new("severity", reason()))
}

fn row(item: &Item, set: Option<&UpdateSetting>) -> pb::UpdateSettings {
    let is_set = set.is_some_and(|set| set.max_run_minutes.is_some());
    let severity = set.and_then(|set| set.severity).map(MsrcSeverity::as_str);
    pb::UpdateSettings {
        id: item.update.id.to_string(),
        title: item.title(LANGUAGE),
        run_minutes: run_minutes(item.classification, set).into(),
        run_minutes_from: if is_set { "administrator" } else { "default" }.to_owned(),
        severity: severity.unwrap_or_default().to_owned(),
    }
}

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetUpdateSettingsRequest,
) -> Answer<Vec<pb::UpdateSettings>> {
    let shown = |id: &str| {
        let (_, item) = UPDATE.found(v, id)?;
        let set = v.get::<UpdateSetting>(item.update.id.as_bytes())?;
        Ok(row(&item, set.as_ref()))
    };
    if !asked.updates.is_empty() {
        return asked.updates.iter().map(|id| shown(id)).collect();
    }
    all(v)?.into_iter().map(|set| shown(&set.update.to_string())).collect()
}

/// An update that is deleted takes what is said of it along.
fn all(r: &Reader<'_>) -> Answer<Vec<UpdateSetting>> {
    let mut known = Vec::new();
    for (_, set) in r.list::<UpdateSetting>()? {
        if r.get::<Item>(set.update.as_bytes())?.is_some() {
            known.push(set);
        }
    }
    Ok(known)
}
