//! Automatic deployment rules: what they are, and changing them.
//!
//! Owns the objects; what a rule shall be is read in [`order`], and when it comes in [`schedule`].
//! Runs and templates have files of their own.

pub(super) mod order;
pub(super) mod schedule;

use deployment::{blank_deployment, blank_rule, made_id, next_run};
use model::{
    ALL_SYSTEMS, Deployment, Due, GroupUse, Invalid, ObjectCode, Origin, Owner, Phased, Rule,
    RuleDeployment, Style,
};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::{Reader, RuleSeen};

use self::order::{apply, check, told};
use self::schedule::occurrences;
use super::deployment::options;
use super::noun::RULE;
use super::{Answer, collection, given, rule_template};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Deployments of one rule: each is looked after by people.
const DEPLOYMENTS_MAX: usize = 50;

fn row(r: &Reader<'_>, owner: Owner, rule: &Rule) -> Answer<pb::Rule> {
    let last = r.last_rule_run(&rule.code)?;
    let problem = match &last {
        Some(run) if run.code != 0 => r.rule_steps(&rule.code, run.number)?.pop(),
        _ => None,
    };
    let due = rule.is_enabled.then(|| {
        let seen = r.rule_seen(&rule.code)?;
        Ok::<_, Error>(next_run(rule, seen.map_or(r.now(), |seen| seen.at)))
    });
    let text =
        |code: &Option<ObjectCode>| code.as_ref().map_or_else(String::new, ObjectCode::to_string);
    Ok(pb::Rule {
        code: rule.code.to_string(),
        name: rule.name.clone(),
        owner: owner.code.to_string(),
        style: rule.style.as_str().to_owned(),
        evaluate: order::evaluate_words(&rule.evaluate).to_owned(),
        enabled: rule.is_enabled,
        stage: rule.stage.as_str().to_owned(),
        group: text(&rule.group),
        package: text(&rule.package),
        deployments: u32::try_from(rule.deployments.len()).unwrap_or(u32::MAX),
        outcome: last.as_ref().map_or_else(String::new, |run| run.outcome.as_str().to_owned()),
        problem: problem.map_or_else(String::new, |step| step.detail),
        last_run: last.map(|run| wire_time(run.started_at)),
        next_run: due.transpose()?.flatten().map(wire_time),
    })
}

fn deployment_row(
    r: &Reader<'_>,
    rule: &Rule,
    (number, order): (u32, &RuleDeployment),
) -> Answer<pb::RuleDeployment> {
    let mut deployed = Vec::new();
    for id in &rule.deployed {
        let made = r.get::<Deployment>(id.as_bytes())?;
        let name = if order.name.is_empty() { &rule.name } else { &order.name };
        let is_this = |made: &Deployment| made.name.starts_with(name.as_str());
        deployed.extend(made.filter(is_this).map(|made| made.id.to_string()));
    }
    let due = |due: &Due| order::due_words(due);
    Ok(pb::RuleDeployment {
        number,
        name: order.name.clone(),
        collection: order.collection.to_string(),
        intent: order.intent.as_str().to_owned(),
        available: due(&order.available),
        deadline: order.deadline.as_ref().map_or_else(String::new, due),
        enabled: Some(order.is_enabled),
        options: Some(pb::DeploymentOptions {
            accepts_license: None,
            report_only: None,
            ..options::told(&sample(order, r.now()))
        }),
        deployed,
    })
}

/// A deployment as the rule would make it at this moment, to be checked and shown like one.
fn sample(order: &RuleDeployment, now: model::Timestamp) -> Deployment {
    let id = model::DeploymentId(uuid::Uuid::nil());
    let group = ObjectCode::new(ALL_SYSTEMS).expect("a good code");
    let available_at = deployment::resolve(&order.available, now);
    Deployment {
        name: if order.name.is_empty() { "sample".to_owned() } else { order.name.clone() },
        intent: order.intent,
        available_at,
        deadline: order.deadline.as_ref().map(|due| deployment::resolve(due, available_at)),
        basis: order.basis,
        experience: order.experience,
        download: order.download,
        alert: order.alert,
        detail: order.detail,
        wakes: order.wakes,
        ..Deployment::plain(id, group, order.collection.clone(), now)
    }
}

pub(super) fn list(v: &View<'_>, asked: pb::ListRulesRequest) -> Answer<Vec<pb::Rule>> {
    let style = given(asked.style).map_or(Ok(Style::Rule), |style| Style::from_name(&style))?;
    let rules = v.list::<Rule>()?.into_iter().filter(|(_, rule)| rule.style == style);
    rules.map(|(owner, rule)| row(v, owner, &rule)).collect()
}

pub(super) fn show(v: &View<'_>, asked: pb::GetRuleRequest) -> Answer<pb::GetRuleResponse> {
    let (owner, rule) = RULE.found(v, &asked.code)?;
    let orders = (1..).zip(&rule.deployments);
    let deployments = orders.map(|order| deployment_row(v, &rule, order)).collect::<Answer<_>>()?;
    let row = row(v, owner, &rule)?;
    Ok(pb::GetRuleResponse { row: Some(row), order: Some(told(v, &rule)?), deployments })
}

pub(super) fn create(
    c: &Change<'_>,
    asked: pb::CreateRuleRequest,
) -> Answer<pb::CreateRuleResponse> {
    let pb::CreateRuleRequest { style, template, order, deployments, collection } = asked;
    let code = RULE.new_code(c)?;
    let collection = given(collection).unwrap_or_else(|| ALL_SYSTEMS.to_owned());
    let blank = blank_rule(code, ObjectCode::new(&collection)?);
    let style = given(style).map_or(Ok(Style::Rule), |style| Style::from_name(&style))?;
    let catalog = c.catalog_version()?.map_or(0, |catalog| catalog.version);
    let rule = rule_template::start(c, &template, blank)?;
    let mut rule = apply(c, Rule { style, since: catalog, ..rule }, order.unwrap_or_default())?;
    if !deployments.is_empty() {
        rule.deployments.clear();
    }
    for message in deployments {
        let message = match message.collection.is_empty() {
            true => pb::RuleDeployment { collection: collection.clone(), ..message },
            false => message,
        };
        add(c, &mut rule, message)?;
    }
    for order in &rule.deployments {
        collection::find(c, order.collection.as_str())?;
    }
    check(c, &rule)?;
    c.audit(Deed::Created, format!("{} {} ({})", what(&rule), rule.code, rule.name))?;
    c.put_own(&rule)?;
    let runs = occurrences(&rule, c.now()).into_iter().map(wire_time).collect();
    Ok(pb::CreateRuleResponse { code: rule.code.to_string(), runs })
}

fn what(rule: &Rule) -> &'static str {
    match rule.style {
        Style::Rule => "automatic deployment rule",
        Style::Approval => "approval rule",
        Style::Template => "rule template",
    }
}

/// Adds a deployment, unless it cannot be told from one that is there.
fn add(c: &Change<'_>, rule: &mut Rule, message: pb::RuleDeployment) -> Result<(), Error> {
    let collection = given(message.collection.clone()).unwrap_or_else(|| ALL_SYSTEMS.to_owned());
    collection::find(c, &collection)?;
    let order = order::deployment(blank_deployment(ObjectCode::new(&collection)?), message)?;
    options::check(&sample(&order, c.now()))?;
    let is_like =
        |held: &RuleDeployment| (&held.collection, &held.name) == (&order.collection, &order.name);
    if rule.deployments.iter().any(is_like) {
        let reason = format!("has one to {} already; give this one another name", order.collection);
        return Err(Invalid::new("deployments", reason).into());
    }
    if rule.deployments.len() >= DEPLOYMENTS_MAX {
        let reason =
            format!("are at most {DEPLOYMENTS_MAX}; use a collection that includes others");
        return Err(Invalid::new("deployments", reason).into());
    }
    rule.deployments.push(order);
    Ok(())
}

pub(super) fn change(
    c: &Change<'_>,
    asked: pb::ChangeRuleRequest,
) -> Answer<pb::ChangeRuleResponse> {
    let held = RULE.owned(c, &asked.code)?;
    let rule = apply(c, held.clone(), asked.order.unwrap_or_default())?;
    check(c, &rule)?;
    c.audit(Deed::Changed, format!("{} {}", what(&rule), rule.code))?;
    c.put_own(&rule)?;
    count_anew(c, &held, &rule)?;
    let runs = occurrences(&rule, c.now()).into_iter().map(wire_time).collect();
    Ok(pb::ChangeRuleResponse { row: Some(row(c, c.identity().owner, &rule)?), runs })
}

pub(super) fn set_enabled(
    c: &Change<'_>,
    asked: pb::SetRuleEnabledRequest,
) -> Answer<pb::SetRuleEnabledResponse> {
    let pb::SetRuleEnabledRequest { code, enabled } = asked;
    let held = RULE.owned(c, &code)?;
    let rule = Rule { is_enabled: enabled, ..held.clone() };
    let state = if enabled { "enabled" } else { "disabled" };
    c.audit(Deed::Changed, format!("{} {code}: {state}", what(&rule)))?;
    c.put_own(&rule)?;
    count_anew(c, &held, &rule)?;
    Ok(pb::SetRuleEnabledResponse {})
}

/// A rule that is enabled or comes at other times counts from now: what it would have run meanwhile
/// is not made up for.
fn count_anew(c: &Change<'_>, held: &Rule, new: &Rule) -> Result<(), Error> {
    let is_begun = new.is_enabled && !held.is_enabled || new.evaluate != held.evaluate;
    if let Some(seen) = c.rule_seen(&new.code)?.filter(|_| is_begun) {
        c.set_rule_seen(&new.code, &RuleSeen { at: c.now(), ..seen })?;
    }
    Ok(())
}

pub(super) fn delete(c: &Change<'_>, asked: pb::DeleteRuleRequest) -> Answer<Vec<String>> {
    let rule = RULE.owned(c, &asked.code)?;
    c.audit(Deed::Removed, format!("{} {}", what(&rule), rule.code))?;
    c.delete(&rule)?;
    c.drop_rule_runs(&rule.code)?;
    let made = c.list::<Deployment>()?.into_iter().map(|(_, deployment)| deployment);
    let made = made.filter(|made| made.origin == Origin::Rule(rule.code.clone()));
    Ok(made.map(|deployment| deployment.id.to_string()).collect())
}

pub(super) fn add_deployment(c: &Change<'_>, asked: pb::AddRuleDeploymentRequest) -> Answer<u32> {
    let mut rule = RULE.owned(c, &asked.code)?;
    add(c, &mut rule, asked.deployment.unwrap_or_default())?;
    let number = rule.deployments.len();
    c.audit(Deed::Changed, format!("{} {}: deployment {number} added", what(&rule), rule.code))?;
    c.put_own(&rule)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

pub(super) fn remove_deployment(
    c: &Change<'_>,
    asked: pb::RemoveRuleDeploymentRequest,
) -> Answer<pb::RemoveRuleDeploymentResponse> {
    let pb::RemoveRuleDeploymentRequest { code, number } = asked;
    let mut rule = RULE.owned(c, &code)?;
    let count = rule.deployments.len();
    let place = usize::try_from(number).unwrap_or(0);
    if place == 0 || place > count {
        let reason = format!("is none of 1 to {count}; see `tierline rule show {code}`");
        return Err(Invalid::new("number", reason).into());
    }
    let order = rule.deployments.remove(place - 1);
    withdraw(c, &mut rule, &order)?;
    c.audit(Deed::Changed, format!("{} {code}: deployment {number} removed", what(&rule)))?;
    c.put_own(&rule)?;
    Ok(pb::RemoveRuleDeploymentResponse {})
}

/// Disables what an order made of a group that is filled again: later updates would come under
/// times that no run looks after any more.
fn withdraw(c: &Change<'_>, rule: &mut Rule, order: &RuleDeployment) -> Result<(), Error> {
    let is_refill = rule.group_use == GroupUse::Refill;
    let Some(group) = rule.group.as_ref().filter(|_| is_refill) else { return Ok(()) };
    let id = made_id(&rule.code, group, order);
    rule.deployed.retain(|held| *held != id);
    match c.get_owned::<Deployment>(id.as_bytes())? {
        Some((owner, made)) if owner == c.identity().owner && made.enabled => {
            let reason =
                format!("deployment {id}: disabled, its order is taken out of {}", rule.code);
            c.audit(Deed::Changed, reason)?;
            Ok(c.put_own(&Deployment { enabled: false, ..made })?)
        }
        _ => Ok(()),
    }
}

/// Refuses the group of a phased deployment: phases alone deploy it (PHASE-02).
fn check_phases(r: &Reader<'_>, group: &ObjectCode) -> Result<(), Error> {
    let all = r.list::<Phased>()?.into_iter();
    match all.map(|(_, phased)| phased).find(|phased| phased.group == *group) {
        Some(phased) => Err(Error::PhasedGroup { group: group.clone(), phased: phased.code }),
        None => Ok(()),
    }
}
