//! Runs of automatic deployment rules: what one would take, asking for one, and what they did.

use std::collections::BTreeMap;

use deployment::{Matched, blank_rule};
use model::{ALL_SYSTEMS, Evaluate, Item, ObjectCode, Rule, Style};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::RuleRun;

use super::noun::RULE;
use super::rule::order::read_filter;
use super::rule::schedule::{occurrences, read_schedule};
use super::update::{Catalog, Counted};
use super::{Answer, given};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

pub(super) fn preview(
    v: &View<'_>,
    asked: pb::PreviewRuleRequest,
) -> Answer<pb::PreviewRuleResponse> {
    let rule = meant(v, asked)?;
    let filter = read_filter(&rule.filter)?;
    let catalog = Catalog::read(v)?;
    let counted = Counted::read(v)?;
    let Matched { updates, .. } = counted.matching(v, &catalog, &rule, &filter)?;
    let limit = v.deployment_updates_max()?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<&Item> = updates.iter().filter_map(|id| catalog.items.get(id)).collect();
    let rows: Vec<pb::Update> = items.iter().map(|item| counted.row(&catalog, item)).collect();
    let mut classifications: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows {
        *classifications.entry(row.classification.clone()).or_default() += 1;
    }
    let classifications = classifications.into_iter();
    Ok(pb::PreviewRuleResponse {
        count: rows.len() as u64,
        classifications: classifications
            .map(|(classification, count)| pb::ClassificationCount { classification, count })
            .collect(),
        limit,
        groups: u32::try_from(rows.len().div_ceil(size.max(1))).unwrap_or(u32::MAX),
        size_bytes: rows.iter().map(|row| row.size_bytes).sum(),
        runs: occurrences(&rule, v.now()).into_iter().map(wire_time).collect(),
        rows: rows.into_iter().map(update_row).collect(),
    })
}

/// The rule that is named, or one that is not saved yet.
fn meant(v: &View<'_>, asked: pb::PreviewRuleRequest) -> Answer<Rule> {
    let pb::PreviewRuleRequest { code, filter, only_without_license, evaluate } = asked;
    let mut rule = match given(code) {
        Some(code) => RULE.found(v, &code)?.1,
        None => {
            let code = ObjectCode::new(ALL_SYSTEMS)?;
            Rule { filter, only_without_license, ..blank_rule(code.clone(), code) }
        }
    };
    if let Some(evaluate) = given(evaluate) {
        rule.evaluate = Evaluate::At(read_schedule(v, &evaluate)?);
    }
    Ok(rule)
}

fn update_row(row: pb::Update) -> pb::RuleUpdate {
    pb::RuleUpdate {
        id: row.id,
        title: row.title,
        kb: row.kb,
        classification: row.classification,
        severity: row.severity,
        released_at: row.released_at,
        size_bytes: row.size_bytes,
        required: row.required.unwrap_or(0),
    }
}

pub(super) fn run(c: &Change<'_>, asked: pb::RunRuleRequest) -> Answer<u64> {
    let rule = RULE.owned(c, &asked.code)?;
    if rule.style == Style::Template {
        return Err(Error::TemplateRuns { code: rule.code });
    }
    let run = c.begin_rule_run(&rule.code, "asked")?;
    c.audit(Deed::Ran, format!("rule {}, run {}", rule.code, run.number))?;
    Ok(run.number)
}

fn run_row(run: RuleRun) -> pb::RuleRun {
    pb::RuleRun {
        number: run.number,
        reason: run.reason,
        started_at: Some(wire_time(run.started_at)),
        ended_at: run.ended_at.map(wire_time),
        outcome: run.outcome.as_str().to_owned(),
        code: run.code,
        updates: run.updates,
    }
}

pub(super) fn list(v: &View<'_>, asked: pb::ListRuleRunsRequest) -> Answer<Vec<pb::RuleRun>> {
    let (_, rule) = RULE.found(v, &asked.code)?;
    Ok(v.rule_runs(&rule.code)?.into_iter().map(run_row).collect())
}

pub(super) fn show(v: &View<'_>, asked: pb::GetRuleRunRequest) -> Answer<pb::GetRuleRunResponse> {
    let (_, rule) = RULE.found(v, &asked.code)?;
    let runs = v.rule_runs(&rule.code)?;
    let is_asked = |run: &RuleRun| asked.number == 0 || run.number == asked.number;
    let run = runs.into_iter().find(is_asked).ok_or_else(|| Error::Unknown {
        what: "run",
        name: if asked.number == 0 { "yet".to_owned() } else { asked.number.to_string() },
        see: "tierline rule runs",
    })?;
    let steps = (1..).zip(v.rule_steps(&rule.code, run.number)?);
    let steps = steps.map(|(step, done)| pb::RuleStep {
        step,
        what: done.what,
        result: done.result,
        detail: done.detail,
        at: Some(wire_time(done.at)),
    });
    Ok(pb::GetRuleRunResponse { steps: steps.collect(), row: Some(run_row(run)) })
}
