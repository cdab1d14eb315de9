//! Automatic deployment rules: the pass that finds which are due and runs them.
//!
//! Owns when rules are looked at and what they are told of the world; a run itself is one
//! transaction of [`apply`]. A rule runs at its owner only, from a catalog that is whole here.
//! Rules that ask for counts wait until somebody has counted; they never take that for none. A pass
//! that fails is logged and made again: what a run did, its record says. A rule that cannot run has
//! a run that failed, and holds up no other.

mod apply;
mod approve;
mod content;
mod read;

use std::sync::Arc;
use std::time::Duration;

use compliance::{Board, BoardHandle};
use deployment::{
    Matched, RuleMemory, RunReason, Surroundings, UPDATES, UpdateIndex, due, matching, next_run,
};
use model::{Evaluate, Group, Rule, Style, Timestamp, UpdateId, error_chain};
use query::Query;
use rpc::object::ObjectBody as _;
use sha2::{Digest as _, Sha256};
use site_db::{RuleSeen, RunOutcome, SiteDb};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::apply::{Findings, apply, give_up};
use self::read::{Known, KnownRule, read_deployed, read_index, read_rules};
use crate::limits::{COUNTS_AWAITED, FAILURE_PAUSE, LOOK_EVERY, PAUSE_FACTOR, RETRY_AFTER};
use crate::{DeploymentManager, Error};

/// What a pass over the rules did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesStep {
    /// This group is not settled here: nothing runs.
    Waiting(Group),
    Looked {
        runs: usize,
        /// Rules that wait for counts.
        counting: usize,
        /// When the next rule is due.
        next: Option<Timestamp>,
    },
}

/// Looks after the rules of one site.
#[derive(Debug)]
pub struct Rules {
    db: SiteDb,
    board: BoardHandle,
    /// Of the catalog at a generation.
    index: Option<(u64, UpdateIndex)>,
}

impl DeploymentManager {
    /// Until `shutdown`.
    pub(crate) async fn run_rules(&self, shutdown: &CancellationToken) {
        Rules::new(self.deps.db.clone(), self.deps.board.clone()).run(shutdown).await;
    }
}

/// What a rule has to do now.
enum Duty {
    Nothing,
    /// It asks for counts, and nobody has counted yet.
    Counts,
    /// It is met for the first time.
    Remember(RuleSeen),
    Run(Findings),
}

impl Rules {
    #[must_use]
    pub fn new(db: SiteDb, board: BoardHandle) -> Rules {
        Rules { db, board, index: None }
    }

    /// Runs what is due whenever something changed or a schedule says so, until `shutdown`.
    async fn run(mut self, shutdown: &CancellationToken) {
        let groups = [Group::Control, Group::Catalog, Group::State];
        let mut objects = self.db.watch(&groups);
        let mut local = self.db.watch(&[]);
        loop {
            let (pause, wait) = self.pass().await;
            let changed = async {
                tokio::select! {
                    biased;
                    () = objects.changed() => {}
                    () = local.changed() => {}
                }
            };
            let next = async {
                sleep(pause).await;
                // Nothing has to change for a schedule to come due.
                let _ = timeout(wait, changed).await;
            };
            if shutdown.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    /// Makes a pass; answers how long to rest, and how long to wait for a change after that.
    async fn pass(&mut self) -> (Duration, Duration) {
        let started = Instant::now();
        match self.step().await {
            Ok(step) => (started.elapsed() * PAUSE_FACTOR, self.wait(step)),
            Err(error) => {
                tracing::error!(error = %error_chain(&error), "rules were not looked after");
                (FAILURE_PAUSE, Duration::ZERO)
            }
        }
    }

    fn wait(&self, step: RulesStep) -> Duration {
        let RulesStep::Looked { counting, next, .. } = step else { return LOOK_EVERY };
        if counting > 0 {
            return COUNTS_AWAITED;
        }
        let ms = next.map(|next| next.0.saturating_sub(self.db.ambient().now_ms()));
        let until = ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        until.map_or(LOOK_EVERY, |until| until.min(LOOK_EVERY))
    }

    /// Looks at every rule once.
    pub async fn step(&mut self) -> Result<RulesStep, Error> {
        let mut known = match self.db.read(read_rules).await.map_err(Error::ReadRules)? {
            Ok(known) => known,
            Err(group) => return Ok(RulesStep::Waiting(group)),
        };
        let (mut runs, mut counting, mut problem) = (0, 0, None);
        let (rules, mut is_old) = (std::mem::take(&mut known.rules), false);
        for rule in &rules {
            // What one run has just deployed, the next does not take for not deployed.
            if is_old && rule.asks_deployed() {
                known.deployed = self.db.read(read_deployed).await.map_err(Error::ReadRules)?;
                is_old = false;
            }
            match self.look_after(&known, rule, &mut counting).await {
                Ok(ran) => {
                    runs += usize::from(ran);
                    is_old |= ran;
                }
                // The others are looked after all the same.
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        if let Some(error) = problem {
            return Err(error);
        }
        let enabled = rules.iter().filter(|known| known.rule.is_enabled);
        let next = enabled.filter_map(|known_rule| next_run(&known_rule.rule, known.now)).min();
        Ok(RulesStep::Looked { runs, counting, next })
    }

    /// Whether it ran.
    async fn look_after(
        &mut self,
        known: &Known,
        rule: &KnownRule,
        counting: &mut usize,
    ) -> Result<bool, Error> {
        self.follow_content(rule).await?;
        match self.duty(known, rule).await? {
            Duty::Nothing => Ok(false),
            Duty::Counts => {
                *counting += 1;
                Ok(false)
            }
            Duty::Remember(seen) => {
                let code = rule.rule.code.clone();
                let kept = self.db.write(move |w| w.set_rule_seen(&code, &seen)).await;
                kept.map(|()| false).map_err(Error::KeepRun)
            }
            Duty::Run(findings) => self.carry_out(rule.rule.clone(), findings).await,
        }
    }

    /// Runs a rule; what stands against that is what came of the run.
    async fn carry_out(&self, rule: Rule, findings: Findings) -> Result<bool, Error> {
        let asked = Arc::new((rule, findings));
        let run = Arc::clone(&asked);
        let ran = self.db.write(move |w| apply(w, &run.0, &run.1)).await;
        let error = match ran {
            Ok(ran) => return Ok(ran),
            Err(error) => error_chain(&error),
        };
        tracing::error!(rule = %asked.0.code, error, "a rule could not run");
        let kept = self.db.write(move |w| give_up(w, &asked.0, &asked.1, &error)).await;
        kept.map_err(Error::KeepRun)
    }

    async fn duty(&mut self, known: &Known, known_rule: &KnownRule) -> Result<Duty, Error> {
        let KnownRule { rule, last, seen } = known_rule;
        let asked = last.as_ref().filter(|run| run.outcome == RunOutcome::Running);
        if asked.is_none() && (!rule.is_enabled || rule.evaluate == Evaluate::Manual) {
            return Ok(Duty::Nothing);
        }
        let (now, catalog) = (known.now, known.catalog);
        let here = |digest| RuleSeen { at: now, catalog, digest, failed: None };
        let is_scheduled = matches!(rule.evaluate, Evaluate::At(_));
        if asked.is_none() && is_scheduled {
            // What it takes is only asked for once it is due.
            let Some(seen) = seen else { return Ok(Duty::Remember(here(Vec::new()))) };
            if due(rule, &memory(seen), &memory(&here(Vec::new()))).is_none() {
                return Ok(Duty::Nothing);
            }
        }
        let is_asked = asked.is_some();
        let Some(matched) = self.matched(known, rule, is_asked).await? else {
            return Ok(Duty::Counts);
        };
        let of = |matched: &Result<Matched, String>| digest(rule, known.limit, matched);
        // After a run that failed, another one waits until that may come out differently.
        let has_failed = seen.as_ref().is_some_and(|seen| seen.failed.is_some());
        let tried = has_failed.then(|| attempt(rule, known.limit, &matched));
        let here = RuleSeen { failed: tried, ..here(of(&matched)) };
        // Approvals are for what came after the rule was made, however late it is met.
        let first = RuleSeen { catalog: rule.since, failed: None, ..here.clone() };
        let first = RuleSeen { digest: of(&Ok(Matched::default())), ..first };
        let (seen, is_first) = match seen {
            None if rule.style == Style::Approval => (Some(&first), true),
            seen => (seen.as_ref(), false),
        };
        let reason = match (asked, seen) {
            (Some(run), _) => Some(run.reason.clone()),
            (None, None) => Some(RunReason::Synchronization.as_str().to_owned()),
            (None, Some(seen)) => {
                let again = || has_failed && is_time_again(rule, seen.at, known.now);
                let due = due(rule, &memory(seen), &memory(&here));
                due.map(RunReason::as_str).or(again().then_some(AGAIN)).map(str::to_owned)
            }
        };
        let Some(reason) = reason else {
            return Ok(if is_first { Duty::Remember(first) } else { Duty::Nothing });
        };
        let is_same =
            !is_asked && !is_scheduled && seen.is_some_and(|seen| seen.digest == here.digest);
        Ok(Duty::Run(Findings { reason, matched, is_same, seen: here }))
    }

    /// What a rule takes now, or why its filter cannot be read. None: nobody has counted yet.
    async fn matched(
        &mut self,
        known: &Known,
        rule: &Rule,
        is_asked: bool,
    ) -> Result<Option<Result<Matched, String>>, Error> {
        let query = match Query::parse(&rule.filter, &UPDATES) {
            Ok(query) => query,
            Err(error) => return Ok(Some(Err(error.to_string()))),
        };
        self.refresh(known.generation).await?;
        let (_, index) = self.index.as_ref().expect("it was made if it was not there");
        let deployed = known.deployed(rule, &query);
        let ask = |board: Option<&Board>| {
            let (now, deployed, groups) = (known.now, &deployed, &known.deployed.groups);
            let around = Surroundings { now, board, deployed, groups };
            matching(rule, &query, index, &around)
        };
        let found = self.board.read(|board| ask(Some(board))).unwrap_or_else(|| ask(None));
        Ok(found.map(|mut matched| {
            if rule.style == Style::Approval && !is_asked {
                matched.updates.retain(|id| index.since(*id) > rule.since);
            }
            Ok(matched)
        }))
    }

    /// Makes the index anew if the catalog changed.
    async fn refresh(&mut self, generation: u64) -> Result<(), Error> {
        if self.index.as_ref().is_some_and(|(made_of, _)| *made_of == generation) {
            return Ok(());
        }
        let index = self.db.read(read_index).await.map_err(Error::ReadRules)?;
        self.index = Some((generation, index));
        Ok(())
    }
}

/// What stands in the record of a run that is made because the last one failed.
const AGAIN: &str = "again after a failure";

fn memory(seen: &RuleSeen) -> RuleMemory<&[u8]> {
    let inputs = seen.failed.as_ref().unwrap_or(&seen.digest);
    RuleMemory { at: seen.at, catalog: seen.catalog, inputs }
}

/// Whether a run that failed is made again though nothing is different: its cause may be elsewhere.
fn is_time_again(rule: &Rule, failed_at: Timestamp, now: Timestamp) -> bool {
    let rest = i64::try_from(RETRY_AFTER.as_millis()).unwrap_or(i64::MAX);
    rule.evaluate == Evaluate::OnChange && rule.is_enabled && now >= failed_at.plus_ms(rest)
}

/// Of everything that a run depends on which is known here: with the same, it fails again.
fn attempt(rule: &Rule, limit: u32, matched: &Result<Matched, String>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(digest(rule, limit, matched));
    hash.update(rule.encode());
    hash.finalize().to_vec()
}

/// Of what a rule takes and makes of it: another set of updates has another one, and so have other
/// deployments of the same.
fn digest(rule: &Rule, limit: u32, matched: &Result<Matched, String>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(limit.to_le_bytes());
    // When it runs, how it is called and what it has made changes nothing of what it would make.
    let made = Rule {
        name: String::new(),
        description: String::new(),
        filter: String::new(),
        evaluate: Evaluate::Manual,
        is_enabled: true,
        group: None,
        points: Vec::new(),
        deployed: Vec::new(),
        ..rule.clone()
    };
    let made = made.encode();
    hash.update((made.len() as u64).to_le_bytes());
    hash.update(made);
    match matched {
        Ok(Matched { updates, other_languages }) => {
            let mut add = |ids: &[UpdateId]| {
                hash.update((ids.len() as u64).to_le_bytes());
                ids.iter().for_each(|id| hash.update(id.as_bytes()));
            };
            add(updates);
            add(other_languages);
        }
        Err(problem) => hash.update(problem.as_bytes()),
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests;
