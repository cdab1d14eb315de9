//! One run of a rule: groups, files and deployments, and the record of all that, in one
//! transaction. A process that ends meanwhile has done nothing of it.
//!
//! What a run makes is named after the rule, its group and its deployments, so that a group that is
//! filled again keeps its deployments, and with them what administrators changed of them (ADR-11).

use std::collections::BTreeSet;

use deployment::{Filling, Matched, TooMany, UPDATES, made_id, parts, takes_superseded};
use model::{
    Deployment, DeploymentId, Evaluate, GroupUse, ObjectCode, Package, Rule, RuleDeployment, Stage,
    Style, UpdateGroup, UpdateId,
};
use query::Query;
use rpc::object::ObjectBody;
use site_db::{Error, Own, RuleRun, RuleSeen, RunOutcome, Writer};

use super::approve::approve;
use super::content::{ended, is_fetching};
use super::{attempt, digest};
use crate::limits::DECISIONS_MAX;

/// Updates that a step names.
const NAMED_MAX: usize = 10;

/// Characters of a package's name (DEPX-14); a rule's may be longer.
const PACKAGE_NAME_MAX: usize = 50;

/// Why a run failed, for `tierline explain`: more updates than a deployment may hold.
const TOO_MANY: u32 = 0x8007_0718;
/// The filter cannot be read.
const BAD_FILTER: u32 = 0x8007_000D;
/// Something that the rule names is not there, or what it makes cannot be written.
const REFUSED: u32 = 0x8000_4005;

/// What was found out before the transaction.
pub(super) struct Findings {
    pub(super) reason: String,
    /// Or why the filter cannot be read.
    pub(super) matched: Result<Matched, String>,
    /// It is what the last run took.
    pub(super) is_same: bool,
    pub(super) seen: RuleSeen,
}

struct Run<'a> {
    w: &'a Writer<'a>,
    rule: Rule,
    run: RuleRun,
    /// Objects to be written together.
    changes: Vec<Own>,
}

/// Runs a rule; false: it changed meanwhile, and the next pass sees to it.
pub(super) fn apply(w: &Writer<'_>, rule: &Rule, findings: &Findings) -> Result<bool, Error> {
    if w.get::<Rule>(rule.code.as_str().as_bytes())?.as_ref() != Some(rule) {
        return Ok(false);
    }
    let begun = w.begin_rule_run(&rule.code, &findings.reason)?;
    let mut run = Run { w, rule: rule.clone(), run: begun, changes: Vec::new() };
    match &findings.matched {
        Err(problem) => run.fail("evaluate", BAD_FILTER, problem)?,
        Ok(matched) if findings.is_same => {
            run.run.updates = matched.updates.len() as u64;
            run.step("evaluate", "done", "it takes what the last run took; nothing is done")?;
            run.end(RunOutcome::Unchanged)?;
        }
        Ok(matched) => run.fill(matched)?,
    }
    run.remember(findings)?;
    Ok(true)
}

/// Records that a run could not be made, of which nothing is kept, and why; false: the rule changed
/// meanwhile.
pub(super) fn give_up(
    w: &Writer<'_>,
    rule: &Rule,
    findings: &Findings,
    problem: &str,
) -> Result<bool, Error> {
    if w.get::<Rule>(rule.code.as_str().as_bytes())?.as_ref() != Some(rule) {
        return Ok(false);
    }
    let begun = w.begin_rule_run(&rule.code, &findings.reason)?;
    let mut run = Run { w, rule: rule.clone(), run: begun, changes: Vec::new() };
    run.fail("run", REFUSED, problem)?;
    run.remember(findings)?;
    Ok(true)
}

impl Run<'_> {
    fn step(&self, what: &str, result: &str, detail: &str) -> Result<(), Error> {
        self.w.add_rule_step(&self.run, (what, result), detail)
    }

    fn end(&mut self, outcome: RunOutcome) -> Result<(), Error> {
        self.run.outcome = outcome;
        ended(self.w, &self.rule, self.run.clone())
    }

    /// What a run that failed would have taken is still to be taken. The digest is of the rule as
    /// the run left it, which may have a package now.
    fn remember(&self, findings: &Findings) -> Result<(), Error> {
        let code = &self.rule.code;
        let limit = self.w.deployment_updates_max()?;
        let (digest, failed) = match self.run.outcome {
            RunOutcome::Failed => {
                let held = self.w.rule_seen(code)?.map_or_else(Vec::new, |held| held.digest);
                (held, Some(attempt(&self.rule, limit, &findings.matched)))
            }
            _ => (digest(&self.rule, limit, &findings.matched), None),
        };
        self.w.set_rule_seen(code, &RuleSeen { digest, failed, ..findings.seen.clone() })
    }

    fn fail(&mut self, step: &str, code: u32, detail: &str) -> Result<(), Error> {
        self.step(step, "failed", detail)?;
        if self.rule.evaluate == Evaluate::OnChange {
            let code = &self.rule.code;
            let when = format!(
                "when the catalog, the rule or what it takes is different, or in a day; at once \
                 with `tierline rule run {code}`"
            );
            self.step("again", "waiting", &when)?;
        }
        self.run.code = code;
        self.end(RunOutcome::Failed)
    }

    /// What is still deployable now: the catalog may have changed since it was asked.
    fn deployable(&self, matched: &Matched) -> Result<Vec<UpdateId>, Error> {
        let filter = Query::parse(&self.rule.filter, &UPDATES);
        let over = match filter.is_ok_and(|filter| takes_superseded(&filter)) {
            true => BTreeSet::new(),
            false => self.w.superseded_among(matched.updates.iter().copied())?,
        };
        let mut updates = Vec::with_capacity(matched.updates.len());
        for id in &matched.updates {
            let item = self.w.item_by_id(*id)?.filter(|_| !over.contains(id));
            updates.extend(item.filter(|i| !i.expired && !i.declined && !i.hidden).map(|i| i.id));
        }
        Ok(updates)
    }

    fn fill(&mut self, matched: &Matched) -> Result<(), Error> {
        let updates = self.deployable(matched)?;
        self.run.updates = updates.len() as u64;
        let others = match matched.other_languages.as_slice() {
            [] => String::new(),
            ids => format!("; left out, being for other languages only: {}", named(ids)),
        };
        self.step("evaluate", "done", &format!("{} updates match{others}", updates.len()))?;
        if self.rule.style == Style::Approval {
            return self.approve(&updates);
        }
        let rule = self.rule.clone();
        let limit = usize::try_from(self.w.deployment_updates_max()?).unwrap_or(usize::MAX);
        let filled = match parts(&rule, &updates, limit) {
            Err(TooMany { count, limit }) => {
                let detail = format!(
                    "{count} updates match, and a deployment may hold {limit}: narrow the filter, \
                     or let the rule split them; they are {}",
                    named(&updates)
                );
                return self.fail("limit", TOO_MANY, &detail);
            }
            // A group that is filled again is emptied, too.
            Ok(parts) if parts.is_empty() && rule.group_use == GroupUse::Refill => vec![&[][..]],
            Ok(parts) => parts,
        };
        let mut deployed = Vec::new();
        for (place, part) in filled.iter().enumerate() {
            let started_at = self.run.started_at;
            let (part_number, parts) = (place + 1, filled.len());
            let filling =
                Filling { rule: &rule, started_at, part: part_number, parts, is_same: false };
            let (group, is_same) = self.group(&filling, part)?;
            let filling = Filling { is_same, ..filling };
            deployed.extend(self.deploy(&filling, &group)?);
            self.rule.group = Some(group);
        }
        let is_staged = self.stage_content(&updates)?;
        if !deployed.is_empty() {
            self.rule.deployed = deployed;
        }
        self.changes.push(Own::put(&self.rule));
        self.w.write_own(Rule::KIND.group(), std::mem::take(&mut self.changes))?;
        self.end(if is_staged { RunOutcome::Waiting } else { RunOutcome::Succeeded })
    }

    /// Decides instead of deploying: approvals stay when the rule goes (INT-19).
    fn approve(&mut self, updates: &[UpdateId]) -> Result<(), Error> {
        let Some(made) = approve(self.w, &self.rule, updates)? else {
            let detail = format!(
                "more than {DECISIONS_MAX} approvals would be new at once: narrow the filter, or \
                 let the rule approve for fewer collections"
            );
            return self.fail("limit", TOO_MANY, &detail);
        };
        let has_deadline = self.rule.deployments.iter().any(|order| order.deadline.is_some());
        let hint = if has_deadline { "; computers may restart after the deadline" } else { "" };
        self.step("approve", "done", &format!("{made} approvals are new{hint}"))?;
        let is_staged = self.stage_content(updates)?;
        self.changes.push(Own::put(&self.rule));
        self.w.write_own(Rule::KIND.group(), std::mem::take(&mut self.changes))?;
        self.end(if is_staged { RunOutcome::Waiting } else { RunOutcome::Succeeded })
    }

    /// Fills a new group, or the one of the runs before; also whether that held the same before.
    fn group(
        &mut self,
        filling: &Filling<'_>,
        updates: &[UpdateId],
    ) -> Result<(ObjectCode, bool), Error> {
        let mut held: Option<UpdateGroup> = None;
        if let Some(code) = self.rule.group.as_ref().filter(|_| is_refill(&self.rule)) {
            held = self.own(code.as_str().as_bytes())?;
        }
        let code = match &held {
            Some(held) => held.code.clone(),
            None => self.w.new_code::<UpdateGroup>("update group")?,
        };
        let before = held.as_ref().map_or(0, |held| held.updates.len());
        let is_same = held.as_ref().is_some_and(|held| are_same(&held.updates, updates));
        let group = filling.group(code.clone(), held, updates.to_vec());
        let count = updates.len();
        self.step("group", "done", &format!("{code}: {before} updates out, {count} in"))?;
        self.changes.push(Own::put(&group));
        Ok((code, is_same))
    }

    fn deploy(
        &mut self,
        filling: &Filling<'_>,
        group: &ObjectCode,
    ) -> Result<Vec<DeploymentId>, Error> {
        let mut made = Vec::with_capacity(filling.rule.deployments.len());
        for order in &filling.rule.deployments {
            let id = made_id(&filling.rule.code, group, order);
            let held = self.own::<Deployment>(id.as_bytes())?;
            // One whose order was taken out of the rule meanwhile is over.
            let held = held.filter(|_| filling.rule.deployed.contains(&id));
            let verb = if held.is_some() { "kept" } else { "made" };
            let deployment = filling.deployment(order, (id, group), held);
            let (until, on) = (deployment.deadline, deployment.available_at);
            let until = until.map_or_else(String::new, |at| format!(", deadline {at}"));
            let to = &deployment.collection;
            let detail = format!("{verb} {id}: {group} to {to}, available {on}{until}");
            self.step("deploy", "done", &detail)?;
            self.changes.push(Own::put(&deployment));
            made.push(id);
        }
        Ok(made)
    }

    /// Wants the files of what the run took; whether any are still to come.
    fn stage_content(&mut self, updates: &[UpdateId]) -> Result<bool, Error> {
        let wants = |order: &RuleDeployment| order.download.has_packages;
        let is_wanted = self.rule.stage != Stage::Report && self.rule.deployments.iter().any(wants);
        if !is_wanted || updates.is_empty() {
            return Ok(false);
        }
        let package = self.package()?;
        let (mut files, mut unknown) = (Vec::new(), Vec::new());
        for id in updates {
            match self.w.update_files(vec![*id]) {
                Ok(named) => files.extend(named),
                // A part of a bundle that has not arrived; the update waits for it.
                Err(Error::NotFound { .. }) => unknown.push(*id),
                Err(error) => return Err(error),
            }
        }
        if !unknown.is_empty() {
            let detail = format!("parts of these are not here yet: {}", named(&unknown));
            self.step("content", "waiting", &detail)?;
        }
        let wanted = self.w.demand_files(&package, &files)?;
        let is_staged = is_fetching(self.w, &package)?;
        let result = if is_staged { "waiting" } else { "done" };
        let detail =
            format!("package {package}: {} files, {wanted} of them to be fetched", files.len());
        self.step("content", result, &detail)?;
        Ok(is_staged)
    }

    /// The package of the rule; one is made at the first run, and shared by all that follow
    /// (ADR-16).
    fn package(&mut self) -> Result<ObjectCode, Error> {
        let is_first = self.rule.deployed.is_empty();
        let held = match &self.rule.package {
            Some(code) => self.own::<Package>(code.as_str().as_bytes())?,
            None => None,
        };
        let (code, is_new) = match held {
            Some(package) => (package.code, false),
            None => {
                let name: String = self.rule.name.chars().take(PACKAGE_NAME_MAX).collect();
                (self.w.create_package(&name, "")?.code, true)
            }
        };
        if (is_first || is_new) && !self.rule.points.is_empty() {
            self.w.add_targets(&code, &self.rule.points)?;
        }
        self.rule.package = Some(code.clone());
        Ok(code)
    }

    /// An object of this site.
    fn own<T: ObjectBody>(&self, id: &[u8]) -> Result<Option<T>, Error> {
        let held = self.w.get_owned::<T>(id)?;
        let own = held.filter(|(owner, _)| *owner == self.w.identity().owner);
        Ok(own.map(|(_, value)| value))
    }
}

fn is_refill(rule: &Rule) -> bool {
    rule.group_use == GroupUse::Refill
}

fn are_same(one: &[UpdateId], other: &[UpdateId]) -> bool {
    let set = |ids: &[UpdateId]| ids.iter().copied().collect::<BTreeSet<_>>();
    set(one) == set(other)
}

fn named(ids: &[UpdateId]) -> String {
    let first: Vec<String> = ids.iter().take(NAMED_MAX).map(UpdateId::to_string).collect();
    let more = ids.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}
