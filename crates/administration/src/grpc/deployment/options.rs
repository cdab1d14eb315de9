//! How a deployment is installed: from the words of a request, back to them, and what goes
//! together.
//!
//! Owns which options exclude each other. Refuses to know where a deployment is kept. A word that
//! is not one of the known, and a number out of its range, are refused by name.

use model::{Alert, Deployment, DetailLevel, Effect, Intent, Invalid, Notify, TimeBasis};
use rpc::pb::admin as pb;

use crate::grpc::naming::{check_description, check_name};

/// The percentage below which an alert is due, and the days until then, unless others are said.
const ALERT_BELOW: u8 = 95;
const ALERT_DAYS: u16 = 7;

/// Days that an alert may wait: longer than any update stays in use.
const ALERT_DAYS_MAX: u16 = 365;

/// Takes over what is asked; what is absent stays.
pub(crate) fn apply(
    asked: &pb::DeploymentOptions,
    deployment: &mut Deployment,
) -> Result<(), Invalid> {
    set(&mut deployment.basis, word(asked.basis.as_deref(), TimeBasis::from_name)?);
    set(&mut deployment.detail, word(asked.detail.as_deref(), DetailLevel::from_name)?);
    set(&mut deployment.wakes, asked.wakes);
    set(&mut deployment.accepts_license, asked.accepts_license);
    let effect = |is_report| if is_report { Effect::Report } else { Effect::Install };
    set(&mut deployment.effect, asked.report_only.map(effect));
    let experience = &mut deployment.experience;
    set(&mut experience.notify, word(asked.notify.as_deref(), Notify::from_name)?);
    set(&mut experience.install_outside_window, asked.install_outside_window);
    set(&mut experience.restart_outside_window, asked.restart_outside_window);
    set(&mut experience.suppress_restart_servers, asked.suppress_restart_servers);
    set(&mut experience.suppress_restart_workstations, asked.suppress_restart_workstations);
    set(&mut experience.commit_write_filter, asked.commit_write_filter);
    set(&mut experience.evaluate_after_restart, asked.evaluate_after_restart);
    set(&mut experience.soft_deadline, asked.soft_deadline);
    let download = &mut deployment.download;
    set(&mut download.neighbors, asked.neighbors);
    set(&mut download.default_group, asked.default_group);
    set(&mut download.microsoft_update, asked.microsoft_update);
    set(&mut download.metered, asked.metered);
    deployment.alert = alert(deployment.alert, asked)?;
    Ok(())
}

fn set<T>(field: &mut T, asked: Option<T>) {
    if let Some(asked) = asked {
        *field = asked;
    }
}

fn word<T>(
    asked: Option<&str>,
    from_name: fn(&str) -> Result<T, Invalid>,
) -> Result<Option<T>, Invalid> {
    asked.map(from_name).transpose()
}

fn alert(held: Option<Alert>, asked: &pb::DeploymentOptions) -> Result<Option<Alert>, Invalid> {
    let (below, days) = (asked.alert_below, asked.alert_days);
    if below == Some(0) || (below.is_none() && days.is_none()) {
        return Ok(held.filter(|_| below.is_none()));
    }
    let held = held.unwrap_or(Alert { below_percent: ALERT_BELOW, after_days: ALERT_DAYS });
    let bad = |reason: String| Invalid::new("alert", reason);
    let below_percent = match below.map_or(Ok(held.below_percent), u8::try_from) {
        Ok(percent @ 1..=100) => percent,
        _ => return Err(bad("comes below 1 to 100 percent; 0: never".to_owned())),
    };
    let after_days = match days.map_or(Ok(held.after_days), u16::try_from) {
        Ok(days @ 0..=ALERT_DAYS_MAX) => days,
        _ => return Err(bad(format!("comes after 0 to {ALERT_DAYS_MAX} days"))),
    };
    Ok(Some(Alert { below_percent, after_days }))
}

pub(in crate::grpc) fn told(deployment: &Deployment) -> pb::DeploymentOptions {
    let Deployment { experience, download, .. } = deployment;
    pb::DeploymentOptions {
        basis: Some(deployment.basis.as_str().to_owned()),
        notify: Some(experience.notify.as_str().to_owned()),
        install_outside_window: Some(experience.install_outside_window),
        restart_outside_window: Some(experience.restart_outside_window),
        suppress_restart_servers: Some(experience.suppress_restart_servers),
        suppress_restart_workstations: Some(experience.suppress_restart_workstations),
        commit_write_filter: Some(experience.commit_write_filter),
        evaluate_after_restart: Some(experience.evaluate_after_restart),
        soft_deadline: Some(experience.soft_deadline),
        neighbors: Some(download.neighbors),
        default_group: Some(download.default_group),
        microsoft_update: Some(download.microsoft_update),
        metered: Some(download.metered),
        detail: Some(deployment.detail.as_str().to_owned()),
        wakes: Some(deployment.wakes),
        alert_below: deployment.alert.map(|alert| alert.below_percent.into()),
        alert_days: deployment.alert.map(|alert| alert.after_days.into()),
        accepts_license: Some(deployment.accepts_license),
        report_only: Some(deployment.effect == Effect::Report),
    }
}

/// Refuses what does not go together.
pub(crate) fn check(deployment: &Deployment) -> Result<(), Invalid> {
    check_name(&deployment.name)?;
    check_description(&deployment.description)?;
    let refuse = |field, reason| Err(Invalid::new(field, reason));
    let is_available = deployment.intent == Intent::Available;
    let Deployment { experience, download, available_at, .. } = deployment;
    match deployment.deadline {
        Some(_) if is_available => refuse("deadline", "is only for required deployments"),
        Some(deadline) if deadline < *available_at => {
            refuse("deadline", "is before the updates become available")
        }
        _ if is_available && experience.notify == Notify::Hidden => refuse(
            "notify",
            "hides what the user is offered; hidden is only for required deployments",
        ),
        _ if is_available && deployment.wakes => refuse(
            "wakes",
            "is only for required deployments: an offer has no deadline to wake for",
        ),
        _ if is_available && experience.soft_deadline => {
            refuse("soft_deadline", "is only for required deployments")
        }
        _ if !download.has_packages && !download.microsoft_update => {
            refuse("microsoft_update", "is the only source of a deployment without a package")
        }
        _ => Ok(()),
    }
}
