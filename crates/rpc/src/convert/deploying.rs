//! Collections, update groups, deployments and their options.

use model::{
    Alert, ClientId, Collection, CollectionRule, Deployment, DeploymentId, DetailLevel, Download,
    Effect, Experience, Intent, Invalid, Notify, ObjectCode, Origin, Rollout, TimeBasis, Timestamp,
    UpdateGroup,
};

use super::{required, update_ids};
use crate::pb::object as pb;

pub(super) fn small<T: TryFrom<u32>>(field: &'static str, number: u32) -> Result<T, Invalid> {
    T::try_from(number).map_err(|_| Invalid::new(field, format!("{number} is too much")))
}

pub(super) fn codes(codes: &[String]) -> Result<Vec<ObjectCode>, Invalid> {
    codes.iter().map(|code| ObjectCode::new(code)).collect()
}

pub(super) fn code_if_any(code: Option<String>) -> Result<Option<ObjectCode>, Invalid> {
    code.map(|code| ObjectCode::new(&code)).transpose()
}

impl From<&Collection> for pb::Collection {
    fn from(value: &Collection) -> pb::Collection {
        let Collection { code, name, comment, limiting, rules, is_incremental, full_at } = value;
        let mut message = pb::Collection {
            code: code.to_string(),
            name: name.clone(),
            comment: comment.clone(),
            limiting: limiting.as_ref().map(ToString::to_string),
            full_only: !is_incremental,
            full_at: full_at.clone(),
            ..pb::Collection::default()
        };
        for rule in rules {
            match rule {
                CollectionRule::All => message.all = true,
                CollectionRule::Direct(client) => message.direct.push(client.as_bytes().to_vec()),
                CollectionRule::Query { name, text } => {
                    let (name, text) = (name.clone(), text.clone());
                    message.queries.push(pb::CollectionQuery { name, text });
                }
                CollectionRule::Include(code) => message.includes.push(code.to_string()),
                CollectionRule::Exclude(code) => message.excludes.push(code.to_string()),
            }
        }
        message
    }
}

/// Rules come back in the order of their kinds.
impl TryFrom<pb::Collection> for Collection {
    type Error = Invalid;

    fn try_from(message: pb::Collection) -> Result<Collection, Invalid> {
        let pb::Collection {
            code,
            name,
            all,
            direct,
            comment,
            limiting,
            queries,
            includes,
            excludes,
            full_only,
            full_at,
        } = message;
        let mut rules = if all { vec![CollectionRule::All] } else { Vec::new() };
        for client in direct {
            rules.push(CollectionRule::Direct(ClientId::from_slice(&client)?));
        }
        let query = |pb::CollectionQuery { name, text }| CollectionRule::Query { name, text };
        rules.extend(queries.into_iter().map(query));
        rules.extend(codes(&includes)?.into_iter().map(CollectionRule::Include));
        rules.extend(codes(&excludes)?.into_iter().map(CollectionRule::Exclude));
        Ok(Collection {
            code: ObjectCode::new(&code)?,
            name,
            comment,
            limiting: code_if_any(limiting)?,
            rules,
            is_incremental: !full_only,
            full_at,
        })
    }
}

impl From<&UpdateGroup> for pb::UpdateGroup {
    fn from(value: &UpdateGroup) -> pb::UpdateGroup {
        let UpdateGroup { code, name, description, updates, origin } = value;
        pb::UpdateGroup {
            code: code.to_string(),
            name: name.clone(),
            updates: updates.iter().map(|id| id.as_bytes().to_vec()).collect(),
            description: description.clone(),
            origin: origin.words(),
        }
    }
}

impl TryFrom<pb::UpdateGroup> for UpdateGroup {
    type Error = Invalid;

    fn try_from(message: pb::UpdateGroup) -> Result<UpdateGroup, Invalid> {
        let pb::UpdateGroup { code, name, updates, description, origin } = message;
        Ok(UpdateGroup {
            code: ObjectCode::new(&code)?,
            name,
            description,
            updates: update_ids(updates)?,
            origin: Origin::from_words(&origin)?,
        })
    }
}

impl From<Intent> for pb::Intent {
    fn from(value: Intent) -> pb::Intent {
        match value {
            Intent::Required => pb::Intent::Required,
            Intent::Available => pb::Intent::Available,
            Intent::Uninstall => pb::Intent::Uninstall,
        }
    }
}

pub(super) fn read_intent(number: i32) -> Result<Intent, Invalid> {
    match pb::Intent::try_from(number) {
        Ok(pb::Intent::Required) => Ok(Intent::Required),
        Ok(pb::Intent::Available) => Ok(Intent::Available),
        Ok(pb::Intent::Uninstall) => Ok(Intent::Uninstall),
        Ok(pb::Intent::Unspecified) | Err(_) => {
            Err(Invalid::new("intent", "is none of required, available and uninstall"))
        }
    }
}

impl From<&Experience> for pb::Experience {
    fn from(value: &Experience) -> pb::Experience {
        let Experience {
            notify,
            install_outside_window,
            restart_outside_window,
            suppress_restart_servers,
            suppress_restart_workstations,
            commit_write_filter,
            evaluate_after_restart,
            soft_deadline,
        } = *value;
        pb::Experience {
            notify: notify.as_str().to_owned(),
            install_outside_window,
            restart_outside_window,
            suppress_restart_servers,
            suppress_restart_workstations,
            commit_write_filter,
            evaluate_after_restart,
            soft_deadline,
        }
    }
}

impl TryFrom<pb::Experience> for Experience {
    type Error = Invalid;

    fn try_from(message: pb::Experience) -> Result<Experience, Invalid> {
        let pb::Experience {
            notify,
            install_outside_window,
            restart_outside_window,
            suppress_restart_servers,
            suppress_restart_workstations,
            commit_write_filter,
            evaluate_after_restart,
            soft_deadline,
        } = message;
        Ok(Experience {
            notify: Notify::from_name(&notify)?,
            install_outside_window,
            restart_outside_window,
            suppress_restart_servers,
            suppress_restart_workstations,
            commit_write_filter,
            evaluate_after_restart,
            soft_deadline,
        })
    }
}

impl From<Download> for pb::Download {
    fn from(value: Download) -> pb::Download {
        let Download { neighbors, default_group, microsoft_update, metered, has_packages } = value;
        pb::Download { neighbors, default_group, microsoft_update, metered, has_packages }
    }
}

impl From<pb::Download> for Download {
    fn from(message: pb::Download) -> Download {
        let pb::Download { neighbors, default_group, microsoft_update, metered, has_packages } =
            message;
        Download { neighbors, default_group, microsoft_update, metered, has_packages }
    }
}

impl From<Alert> for pb::Alert {
    fn from(Alert { below_percent, after_days }: Alert) -> pb::Alert {
        pb::Alert { below_percent: below_percent.into(), after_days: after_days.into() }
    }
}

impl TryFrom<pb::Alert> for Alert {
    type Error = Invalid;

    fn try_from(message: pb::Alert) -> Result<Alert, Invalid> {
        let pb::Alert { below_percent, after_days } = message;
        let below_percent = small("percentage of an alert", below_percent)?;
        Ok(Alert { below_percent, after_days: small("days of an alert", after_days)? })
    }
}

impl From<&Deployment> for pb::Deployment {
    fn from(value: &Deployment) -> pb::Deployment {
        let Deployment {
            id,
            name,
            description,
            group,
            collection,
            intent,
            effect,
            available_at,
            deadline,
            basis,
            enabled,
            created_at,
            experience,
            download,
            alert,
            detail,
            wakes,
            accepts_license,
            except,
            rollout,
            origin,
        } = value;
        pb::Deployment {
            id: id.as_bytes().to_vec(),
            name: name.clone(),
            group: group.to_string(),
            collection: collection.to_string(),
            intent: pb::Intent::from(*intent).into(),
            available_at_ms: available_at.0,
            deadline_ms: deadline.map(|d| d.0),
            enabled: *enabled,
            created_at_ms: created_at.0,
            description: description.clone(),
            effect: effect.as_str().to_owned(),
            basis: basis.as_str().to_owned(),
            experience: Some(experience.into()),
            download: Some((*download).into()),
            alert: alert.map(Into::into),
            detail: detail.as_str().to_owned(),
            wakes: *wakes,
            accepts_license: *accepts_license,
            except: except.iter().map(ToString::to_string).collect(),
            rollout: rollout.map(|Rollout { from, days, stopped_at }| pb::Rollout {
                from_ms: from.0,
                days: days.into(),
                stopped_at_ms: stopped_at.map(|at| at.0),
            }),
            origin: origin.words(),
        }
    }
}

impl TryFrom<pb::Deployment> for Deployment {
    type Error = Invalid;

    fn try_from(message: pb::Deployment) -> Result<Deployment, Invalid> {
        let pb::Deployment {
            id,
            name,
            group,
            collection,
            intent,
            available_at_ms,
            deadline_ms,
            enabled,
            created_at_ms,
            description,
            effect,
            basis,
            experience,
            download,
            alert,
            detail,
            wakes,
            accepts_license,
            except,
            rollout,
            origin,
        } = message;
        let rollout = rollout.map(|pb::Rollout { from_ms, days, stopped_at_ms }| {
            let days = small("days of a rollout", days)?;
            let stopped_at = stopped_at_ms.map(Timestamp);
            Ok(Rollout { from: Timestamp(from_ms), days, stopped_at })
        });
        Ok(Deployment {
            id: DeploymentId::from_slice(&id)?,
            name,
            description,
            group: ObjectCode::new(&group)?,
            collection: ObjectCode::new(&collection)?,
            intent: read_intent(intent)?,
            effect: Effect::from_name(&effect)?,
            available_at: Timestamp(available_at_ms),
            deadline: deadline_ms.map(Timestamp),
            basis: TimeBasis::from_name(&basis)?,
            enabled,
            created_at: Timestamp(created_at_ms),
            experience: required("experience", experience)?.try_into()?,
            download: required("download", download)?.into(),
            alert: alert.map(TryInto::try_into).transpose()?,
            detail: DetailLevel::from_name(&detail)?,
            wakes,
            accepts_license,
            except: codes(&except)?,
            rollout: rollout.transpose()?,
            origin: Origin::from_words(&origin)?,
        })
    }
}
