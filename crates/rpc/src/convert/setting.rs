//! Holds, client settings, maintenance windows, settings of updates.

use model::{
    DeploymentId, Hold, Invalid, MsrcSeverity, ObjectCode, SettingsProfile, SiteCode, Timestamp,
    UpdateId, UpdateSetting, Window, WindowKind, WindowZone,
};

use super::deploying::{codes, small};
use crate::pb::object as pb;

impl From<&Hold> for pb::Hold {
    fn from(value: &Hold) -> pb::Hold {
        let Hold { deployment, site, by, at, reason } = value;
        pb::Hold {
            deployment: deployment.as_bytes().to_vec(),
            site: site.to_string(),
            by: by.clone(),
            at_ms: at.0,
            reason: reason.clone(),
        }
    }
}

impl TryFrom<pb::Hold> for Hold {
    type Error = Invalid;

    fn try_from(message: pb::Hold) -> Result<Hold, Invalid> {
        let pb::Hold { deployment, site, by, at_ms, reason } = message;
        let deployment = DeploymentId::from_slice(&deployment)?;
        Ok(Hold { deployment, site: SiteCode::new(&site)?, by, at: Timestamp(at_ms), reason })
    }
}

impl From<&SettingsProfile> for pb::SettingsProfile {
    fn from(value: &SettingsProfile) -> pb::SettingsProfile {
        let SettingsProfile { code, name, order, collections, values } = value;
        pb::SettingsProfile {
            code: code.to_string(),
            name: name.clone(),
            order: *order,
            collections: collections.iter().map(ToString::to_string).collect(),
            values: wire_values(values),
        }
    }
}

impl TryFrom<pb::SettingsProfile> for SettingsProfile {
    type Error = Invalid;

    fn try_from(message: pb::SettingsProfile) -> Result<SettingsProfile, Invalid> {
        let pb::SettingsProfile { code, name, order, collections, values } = message;
        Ok(SettingsProfile {
            code: ObjectCode::new(&code)?,
            name,
            order,
            collections: codes(&collections)?,
            values: read_values(values),
        })
    }
}

pub(super) fn wire_values(values: &[(String, String)]) -> Vec<pb::SettingValue> {
    let value = |(name, value): &(String, String)| pb::SettingValue {
        name: name.clone(),
        value: value.clone(),
    };
    values.iter().map(value).collect()
}

pub(super) fn read_values(values: Vec<pb::SettingValue>) -> Vec<(String, String)> {
    values.into_iter().map(|pb::SettingValue { name, value }| (name, value)).collect()
}

pub(super) fn wire_zone(zone: &WindowZone) -> Option<String> {
    match zone {
        WindowZone::Client => None,
        WindowZone::Named(name) => Some(name.clone()),
    }
}

pub(super) fn read_zone(zone: Option<String>) -> WindowZone {
    zone.map_or(WindowZone::Client, WindowZone::Named)
}

impl From<&Window> for pb::Window {
    fn from(value: &Window) -> pb::Window {
        let Window { code, name, collection, at, zone, minutes, kind, is_enabled } = value;
        pb::Window {
            code: code.to_string(),
            name: name.clone(),
            collection: collection.to_string(),
            at: at.clone(),
            zone: wire_zone(zone),
            minutes: *minutes,
            kind: kind.as_str().to_owned(),
            enabled: *is_enabled,
        }
    }
}

impl TryFrom<pb::Window> for Window {
    type Error = Invalid;

    fn try_from(message: pb::Window) -> Result<Window, Invalid> {
        let pb::Window { code, name, collection, at, zone, minutes, kind, enabled } = message;
        Ok(Window {
            code: ObjectCode::new(&code)?,
            name,
            collection: ObjectCode::new(&collection)?,
            at,
            zone: read_zone(zone),
            minutes,
            kind: WindowKind::from_name(&kind)?,
            is_enabled: enabled,
        })
    }
}

impl From<&UpdateSetting> for pb::UpdateSetting {
    fn from(value: &UpdateSetting) -> pb::UpdateSetting {
        let UpdateSetting { update, max_run_minutes, severity } = value;
        pb::UpdateSetting {
            update: update.as_bytes().to_vec(),
            max_run_minutes: max_run_minutes.map(Into::into),
            severity: severity.map(|severity| severity.as_str().to_owned()),
        }
    }
}

impl TryFrom<pb::UpdateSetting> for UpdateSetting {
    type Error = Invalid;

    fn try_from(message: pb::UpdateSetting) -> Result<UpdateSetting, Invalid> {
        let pb::UpdateSetting { update, max_run_minutes, severity } = message;
        let unknown = |name: &str| Invalid::new("severity", format!("\"{name}\" is unknown"));
        let severity = severity
            .map(|name| MsrcSeverity::from_name(&name).ok_or_else(|| unknown(&name)))
            .transpose()?;
        Ok(UpdateSetting {
            update: UpdateId::from_slice(&update)?,
            max_run_minutes: max_run_minutes
                .map(|minutes| small("run time", minutes))
                .transpose()?,
            severity,
        })
    }
}
