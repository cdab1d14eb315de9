//! What a rule shall be: from the words of a request, back to them, and what goes together.

use deployment::UPDATES;
use model::{
    Deployment, Due, Evaluate, GroupUse, Intent, Invalid, LANGUAGES, ObjectCode, RoleId, Rule,
    RuleDeployment, Stage, Style,
};
use query::Query;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::sample;
use super::schedule::read_schedule;
use crate::Error;
use crate::grpc::content::{distribution_points, find_point};
use crate::grpc::deployment::options;
use crate::grpc::naming::{check_description, check_name};
use crate::grpc::noun::PACKAGE;

const MANUAL: &str = "manual";
const ON_CHANGE: &str = "on-change";
/// Instead of names of distribution points.
const NO_POINTS: &str = "none";

const MINUTES_PER_DAY: u32 = 24 * 60;
/// Days that a deployment may wait after its run: longer than any update stays in use.
const DAYS_MAX: u32 = 365;

/// Takes over what is asked; what is absent or empty stays.
pub(in crate::grpc) fn apply(
    r: &Reader<'_>,
    rule: Rule,
    asked: pb::RuleOrder,
) -> Result<Rule, Error> {
    let pb::RuleOrder { name, description, filter, evaluate, group_use, package, .. } = &asked;
    let text = |asked: &Option<String>, held: &str| asked.as_deref().unwrap_or(held).to_owned();
    let mut new = Rule {
        name: text(name, &rule.name),
        description: text(description, &rule.description),
        filter: text(filter, &rule.filter),
        only_without_license: asked.only_without_license.unwrap_or(rule.only_without_license),
        splits: asked.splits.unwrap_or(rule.splits),
        is_enabled: asked.enabled.unwrap_or(rule.is_enabled),
        ..rule
    };
    if let Some(evaluate) = evaluate {
        new.evaluate = read_evaluate(r, evaluate)?;
    }
    if let Some(group_use) = group_use {
        new.group_use = GroupUse::from_name(group_use)?;
    }
    if let Some(stage) = &asked.stage {
        new.stage = Stage::from_name(stage)?;
    }
    if let Some(package) = package {
        new.package = match package.as_str() {
            "" => None,
            code => Some(PACKAGE.owned(r, code)?.code),
        };
    }
    if !asked.points.is_empty() {
        new.points = read_points(r, &asked.points)?;
    }
    if !asked.languages.is_empty() {
        new.languages = read_languages(&asked.languages)?;
    }
    Ok(new)
}

fn read_evaluate(r: &Reader<'_>, text: &str) -> Result<Evaluate, Error> {
    match text {
        MANUAL => Ok(Evaluate::Manual),
        ON_CHANGE => Ok(Evaluate::OnChange),
        text => Ok(Evaluate::At(read_schedule(r, text)?)),
    }
}

pub(in crate::grpc) fn evaluate_words(evaluate: &Evaluate) -> &str {
    match evaluate {
        Evaluate::Manual => MANUAL,
        Evaluate::OnChange => ON_CHANGE,
        Evaluate::At(text) => text,
    }
}

fn read_points(r: &Reader<'_>, names: &[String]) -> Result<Vec<RoleId>, Error> {
    if names == [NO_POINTS] {
        return Ok(Vec::new());
    }
    let all = distribution_points(r)?;
    let found = names.iter().map(|name| Ok(find_point(&all, name)?.id));
    let mut points = found.collect::<Result<Vec<RoleId>, Error>>()?;
    points.sort_unstable();
    points.dedup();
    Ok(points)
}

fn read_languages(tags: &[String]) -> Result<Vec<String>, Invalid> {
    let mut chosen = Vec::new();
    for tag in tags.iter().map(|tag| tag.to_ascii_lowercase()) {
        if !LANGUAGES.iter().any(|language| language.tag == tag) {
            let reason = format!("has no \"{tag}\"; see `tierline sync languages show`");
            return Err(Invalid::new("languages", reason));
        }
        chosen.push(tag);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

/// What it is, in the words that make it.
pub(in crate::grpc) fn told(r: &Reader<'_>, rule: &Rule) -> Result<pb::RuleOrder, Error> {
    let all = distribution_points(r)?;
    let named = rule.points.iter().map(|id| {
        let point = all.iter().find(|point| point.id == *id);
        point.map_or_else(|| id.to_string(), |point| point.name.clone())
    });
    let package = rule.package.as_ref();
    Ok(pb::RuleOrder {
        name: Some(rule.name.clone()),
        description: Some(rule.description.clone()),
        filter: Some(rule.filter.clone()),
        evaluate: Some(evaluate_words(&rule.evaluate).to_owned()),
        group_use: Some(rule.group_use.as_str().to_owned()),
        package: Some(package.map_or_else(String::new, ObjectCode::to_string)),
        points: named.collect(),
        languages: rule.languages.clone(),
        only_without_license: Some(rule.only_without_license),
        stage: Some(rule.stage.as_str().to_owned()),
        splits: Some(rule.splits),
        enabled: Some(rule.is_enabled),
    })
}

/// Refuses what does not go together, and names that are taken.
pub(in crate::grpc) fn check(r: &Reader<'_>, rule: &Rule) -> Result<(), Error> {
    check_name(&rule.name)?;
    check_description(&rule.description)?;
    let others = r.list::<Rule>()?.into_iter().map(|(_, other)| other);
    let mut others = others.filter(|other| other.code != rule.code && other.style == rule.style);
    if let Some(other) = others.find(|other| other.name == rule.name) {
        let reason = format!("\"{}\" is taken by {}", rule.name, other.code);
        return Err(Invalid::new("name", reason).into());
    }
    read_filter(&rule.filter)?;
    check_points(r, rule)?;
    if rule.splits && rule.group_use == GroupUse::Refill {
        let reason = "goes with new groups only: a group that is filled again is one";
        return Err(Invalid::new("splits", reason).into());
    }
    match &rule.group {
        Some(group) => super::check_phases(r, group),
        None => Ok(()),
    }
}

/// Refuses points that packages of this site never go to; a template is checked where it is used.
fn check_points(r: &Reader<'_>, rule: &Rule) -> Result<(), Error> {
    if rule.points.is_empty() || rule.style == Style::Template {
        return Ok(());
    }
    let (site, all) = (r.identity().code(), distribution_points(r)?);
    let reachable = r.points_below(site)?;
    let Some(stranger) = rule.points.iter().find(|point| !reachable.contains(point)) else {
        return Ok(());
    };
    let known = all.iter().find(|point| point.id == *stranger);
    let name = known.map_or_else(|| stranger.to_string(), |point| point.name.clone());
    let reason = format!(
        "{name} is no distribution point at or below {site}; see `tierline dp list`, or write \
         {NO_POINTS}"
    );
    Err(Invalid::new("points", reason).into())
}

pub(in crate::grpc) fn read_filter(text: &str) -> Result<Query, Invalid> {
    if text.is_empty() {
        let reason = "is empty; write what to take, such as: classification = \
                      \"Security Updates\" and required > 0";
        return Err(Invalid::new("filter", reason));
    }
    Query::parse(text, &UPDATES).map_err(|error| Invalid::new("filter", error.to_string()))
}

/// What a deployment of a rule shall be.
pub(in crate::grpc) fn deployment(
    blank: RuleDeployment,
    asked: pb::RuleDeployment,
) -> Result<RuleDeployment, Error> {
    let pb::RuleDeployment { name, intent, available, deadline, enabled, options, .. } = asked;
    let options = options.unwrap_or_default();
    if options.report_only.is_some() || options.accepts_license.is_some() {
        let reason = "has no word on reports and licenses: --stage and --without-license of the \
                      rule say that";
        return Err(Invalid::new("deployment", reason).into());
    }
    let intent = if intent.is_empty() { Intent::Required } else { Intent::from_name(&intent)? };
    let due = |field, text: &str| (!text.is_empty()).then(|| read_due(field, text)).transpose();
    let deadline = match (intent, due("deadline", &deadline)?) {
        (Intent::Uninstall, _) => {
            let reason = "is required or available; approvals uninstall";
            return Err(Invalid::new("intent", reason).into());
        }
        (Intent::Available, asked) => asked,
        (Intent::Required, asked) => asked.or(blank.deadline),
    };
    let order = RuleDeployment {
        name,
        intent,
        available: due("available", &available)?.unwrap_or(Due::Asap),
        deadline,
        is_enabled: enabled.unwrap_or(true),
        ..blank
    };
    let mut sample: Deployment = sample(&order, model::Timestamp(0));
    options::apply(&options, &mut sample)?;
    let Deployment { basis, experience, download, alert, detail, wakes, .. } = sample;
    Ok(RuleDeployment { basis, experience, download, alert, detail, wakes, ..order })
}

/// `asap`, `90m`, `4h`, `7d`, or `7d at 02:00`.
fn read_due(field: &'static str, text: &str) -> Result<Due, Invalid> {
    let bad = || {
        let reason = format!("\"{text}\" is none of asap, such as 90m, 4h or 7d, and 7d at 02:00");
        Invalid::new(field, reason)
    };
    if text == "asap" {
        return Ok(Due::Asap);
    }
    let (span, time) = text.split_once(" at ").map_or((text, None), |(s, t)| (s, Some(t)));
    let unit = match span.chars().last() {
        Some('m') => 1,
        Some('h') => 60,
        Some('d') => MINUTES_PER_DAY,
        _ => return Err(bad()),
    };
    let number: u32 = span[..span.len() - 1].parse().map_err(|_| bad())?;
    let minutes = number.checked_mul(unit).filter(|m| *m <= DAYS_MAX * MINUTES_PER_DAY);
    let minutes = minutes
        .ok_or_else(|| Invalid::new(field, format!("\"{text}\" is more than {DAYS_MAX} days")))?;
    let Some(time) = time else { return Ok(Due::After { minutes }) };
    let (hour, minute) = time.split_once(':').ok_or_else(bad)?;
    let (hour, minute): (u16, u16) =
        (hour.parse().map_err(|_| bad())?, minute.parse().map_err(|_| bad())?);
    let days = u16::try_from(minutes / MINUTES_PER_DAY).map_err(|_| bad())?;
    if hour > 23 || minute > 59 || minutes % MINUTES_PER_DAY != 0 {
        return Err(bad());
    }
    Ok(Due::At { days, minute_of_day: hour * 60 + minute })
}

pub(in crate::grpc) fn due_words(due: &Due) -> String {
    match due {
        Due::Asap => "asap".to_owned(),
        Due::After { minutes } if minutes % MINUTES_PER_DAY == 0 => {
            format!("{}d", minutes / MINUTES_PER_DAY)
        }
        Due::After { minutes } if minutes % 60 == 0 => format!("{}h", minutes / 60),
        Due::After { minutes } => format!("{minutes}m"),
        Due::At { days, minute_of_day } => {
            format!("{days}d at {:02}:{:02}", minute_of_day / 60, minute_of_day % 60)
        }
    }
}
