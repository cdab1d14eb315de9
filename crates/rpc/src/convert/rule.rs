//! Automatic deployment rules and phased deployments.

use model::{
    DeploymentId, DetailLevel, Due, Evaluate, GroupUse, Invalid, Next, ObjectCode, Phase, Phased,
    PhasedState, RoleId, Rule, RuleDeployment, Stage, Style, Success, TimeBasis, Timestamp,
};

use super::deploying::{code_if_any, read_intent, small};
use super::required;
use crate::pb::object as pb;

impl From<Due> for pb::Due {
    fn from(value: Due) -> pb::Due {
        match value {
            Due::Asap => pb::Due::default(),
            Due::After { minutes } => {
                pb::Due { after_minutes: Some(minutes), ..pb::Due::default() }
            }
            Due::At { days, minute_of_day } => pb::Due {
                days: Some(days.into()),
                minute_of_day: minute_of_day.into(),
                ..pb::Due::default()
            },
        }
    }
}

impl TryFrom<pb::Due> for Due {
    type Error = Invalid;

    fn try_from(message: pb::Due) -> Result<Due, Invalid> {
        let pb::Due { after_minutes, days, minute_of_day } = message;
        match (after_minutes, days) {
            (None, None) => Ok(Due::Asap),
            (Some(minutes), _) => Ok(Due::After { minutes }),
            (None, Some(days)) => Ok(Due::At {
                days: small("days", days)?,
                minute_of_day: small("minute of the day", minute_of_day)?,
            }),
        }
    }
}

impl From<&RuleDeployment> for pb::RuleDeployment {
    fn from(value: &RuleDeployment) -> pb::RuleDeployment {
        let RuleDeployment {
            name,
            collection,
            intent,
            available,
            deadline,
            basis,
            experience,
            download,
            alert,
            detail,
            wakes,
            is_enabled,
        } = value;
        pb::RuleDeployment {
            name: name.clone(),
            collection: collection.to_string(),
            intent: pb::Intent::from(*intent).into(),
            available: Some((*available).into()),
            deadline: deadline.map(Into::into),
            basis: basis.as_str().to_owned(),
            experience: Some(experience.into()),
            download: Some((*download).into()),
            alert: alert.map(Into::into),
            detail: detail.as_str().to_owned(),
            wakes: *wakes,
            enabled: *is_enabled,
        }
    }
}

impl TryFrom<pb::RuleDeployment> for RuleDeployment {
    type Error = Invalid;

    fn try_from(message: pb::RuleDeployment) -> Result<RuleDeployment, Invalid> {
        let pb::RuleDeployment {
            name,
            collection,
            intent,
            available,
            deadline,
            basis,
            experience,
            download,
            alert,
            detail,
            wakes,
            enabled,
        } = message;
        Ok(RuleDeployment {
            name,
            collection: ObjectCode::new(&collection)?,
            intent: read_intent(intent)?,
            available: required("availability", available)?.try_into()?,
            deadline: deadline.map(TryInto::try_into).transpose()?,
            basis: TimeBasis::from_name(&basis)?,
            experience: required("experience", experience)?.try_into()?,
            download: required("download", download)?.into(),
            alert: alert.map(TryInto::try_into).transpose()?,
            detail: DetailLevel::from_name(&detail)?,
            wakes,
            is_enabled: enabled,
        })
    }
}

impl From<&Rule> for pb::Rule {
    fn from(value: &Rule) -> pb::Rule {
        let Rule {
            code,
            name,
            description,
            style,
            filter,
            evaluate,
            group_use,
            group,
            package,
            points,
            languages,
            only_without_license,
            stage,
            splits,
            is_enabled,
            since,
            deployments,
            deployed,
        } = value;
        pb::Rule {
            code: code.to_string(),
            name: name.clone(),
            description: description.clone(),
            style: style.as_str().to_owned(),
            filter: filter.clone(),
            evaluate: match evaluate {
                Evaluate::Manual => "manual".to_owned(),
                Evaluate::OnChange => "on-change".to_owned(),
                Evaluate::At(recurrence) => recurrence.clone(),
            },
            group_use: group_use.as_str().to_owned(),
            group: group.as_ref().map(ToString::to_string),
            package: package.as_ref().map(ToString::to_string),
            points: points.iter().map(|id| id.as_bytes().to_vec()).collect(),
            languages: languages.clone(),
            only_without_license: *only_without_license,
            stage: stage.as_str().to_owned(),
            splits: *splits,
            enabled: *is_enabled,
            since: *since,
            deployments: deployments.iter().map(Into::into).collect(),
            deployed: deployed.iter().map(|id| id.as_bytes().to_vec()).collect(),
        }
    }
}

impl TryFrom<pb::Rule> for Rule {
    type Error = Invalid;

    fn try_from(message: pb::Rule) -> Result<Rule, Invalid> {
        let pb::Rule {
            code,
            name,
            description,
            style,
            filter,
            evaluate,
            group_use,
            group,
            package,
            points,
            languages,
            only_without_license,
            stage,
            splits,
            enabled,
            since,
            deployments,
            deployed,
        } = message;
        Ok(Rule {
            code: ObjectCode::new(&code)?,
            name,
            description,
            style: Style::from_name(&style)?,
            filter,
            evaluate: match evaluate.as_str() {
                "manual" => Evaluate::Manual,
                "on-change" => Evaluate::OnChange,
                _ => Evaluate::At(evaluate),
            },
            group_use: GroupUse::from_name(&group_use)?,
            group: code_if_any(group)?,
            package: code_if_any(package)?,
            points: points.iter().map(|id| RoleId::from_slice(id)).collect::<Result<_, _>>()?,
            languages,
            only_without_license,
            stage: Stage::from_name(&stage)?,
            splits,
            is_enabled: enabled,
            since,
            deployments: deployments
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            deployed: deployed
                .iter()
                .map(|id| DeploymentId::from_slice(id))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl From<&Phase> for pb::Phase {
    fn from(value: &Phase) -> pb::Phase {
        let Phase {
            name,
            collection,
            success,
            next,
            gradual_days,
            deadline,
            started_at,
            succeeded_at,
            deployment,
        } = value;
        let (percent, number) = match success {
            Success::Percent(percent) => (Some(u32::from(*percent)), None),
            Success::Count(number) => (None, Some(*number)),
        };
        pb::Phase {
            name: name.clone(),
            collection: collection.to_string(),
            success_percent: percent,
            success_count: number,
            next_after_days: match next {
                Next::Automatic { after_days } => Some(u32::from(*after_days)),
                Next::Manual => None,
            },
            gradual_days: u32::from(*gradual_days),
            deadline: Some((*deadline).into()),
            started_at_ms: started_at.map(|at| at.0),
            succeeded_at_ms: succeeded_at.map(|at| at.0),
            deployment: deployment.map(|id| id.as_bytes().to_vec()),
        }
    }
}

impl TryFrom<pb::Phase> for Phase {
    type Error = Invalid;

    fn try_from(message: pb::Phase) -> Result<Phase, Invalid> {
        let pb::Phase {
            name,
            collection,
            success_percent,
            success_count,
            next_after_days,
            gradual_days,
            deadline,
            started_at_ms,
            succeeded_at_ms,
            deployment,
        } = message;
        let success = match (success_percent, success_count) {
            (Some(percent), None) => Success::Percent(small("percentage of success", percent)?),
            (None, Some(number)) => Success::Count(number),
            _ => return Err(Invalid::new("success", "is neither a percentage nor a number")),
        };
        let next = match next_after_days {
            Some(days) => Next::Automatic { after_days: small("days to the next phase", days)? },
            None => Next::Manual,
        };
        Ok(Phase {
            name,
            collection: ObjectCode::new(&collection)?,
            success,
            next,
            gradual_days: small("days of a phase", gradual_days)?,
            deadline: required("deadline", deadline)?.try_into()?,
            started_at: started_at_ms.map(Timestamp),
            succeeded_at: succeeded_at_ms.map(Timestamp),
            deployment: deployment.map(|id| DeploymentId::from_slice(&id)).transpose()?,
        })
    }
}

impl From<&Phased> for pb::Phased {
    fn from(value: &Phased) -> pb::Phased {
        let Phased {
            code,
            name,
            description,
            group,
            phases,
            state,
            pause_above_failed_percent,
            template,
            created_at,
        } = value;
        pb::Phased {
            code: code.to_string(),
            name: name.clone(),
            description: description.clone(),
            group: group.to_string(),
            phases: phases.iter().map(Into::into).collect(),
            paused: match state {
                PhasedState::Paused { reason, by } => {
                    Some(pb::Pause { reason: reason.clone(), by: by.clone() })
                }
                PhasedState::Running | PhasedState::Completed => None,
            },
            completed: *state == PhasedState::Completed,
            pause_above_failed_percent: pause_above_failed_percent.map(Into::into),
            template: Some(template.into()),
            created_at_ms: created_at.0,
        }
    }
}

impl TryFrom<pb::Phased> for Phased {
    type Error = Invalid;

    fn try_from(message: pb::Phased) -> Result<Phased, Invalid> {
        let pb::Phased {
            code,
            name,
            description,
            group,
            phases,
            paused,
            completed,
            pause_above_failed_percent,
            template,
            created_at_ms,
        } = message;
        let state = match paused {
            _ if completed => PhasedState::Completed,
            Some(pb::Pause { reason, by }) => PhasedState::Paused { reason, by },
            None => PhasedState::Running,
        };
        Ok(Phased {
            code: ObjectCode::new(&code)?,
            name,
            description,
            group: ObjectCode::new(&group)?,
            phases: phases.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            state,
            pause_above_failed_percent: pause_above_failed_percent
                .map(|percent| small("percentage of failures", percent))
                .transpose()?,
            template: required("template", template)?.try_into()?,
            created_at: Timestamp(created_at_ms),
        })
    }
}
