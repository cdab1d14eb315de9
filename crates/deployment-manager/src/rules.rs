//! Automatic deployment rules: the pass that finds which are due and runs them.
//!
//! Owns when rules are looked at and what they are told of the world; a run itself is one
//! transaction of [`apply`]. A rule runs at its owner only, from a catalog that is whole here.
//! Rules that ask for counts wait until somebody has counted; they never take that for none. A pass
//! that fails is logged and made again: what a run did, its record says.

mod apply;
mod approve;
mod content;
mod read;

use std::time::Duration;

use compliance::{Board, BoardHandle};
use deployment::{
    Matched, RuleMemory, RunReason, Surroundings, UPDATES, UpdateIndex, due, matching, next_run,
};
use model::{Evaluate, Group, Rule, Style, Timestamp, UpdateId, error_chain};
use query::Query;
use sha2::{Digest as _, Sha256};
use site_db::{RuleSeen, RunOutcome, SiteDb};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::apply::{Findings, apply};
use self::read::{Known, KnownRule, read_index, read_rules};
use crate::limits::{COUNTS_AWAITED, FAILURE_PAUSE, LOOK_EVERY, PAUSE_FACTOR};
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
        let known = match self.db.read(read_rules).await.map_err(Error::ReadRules)? {
            Ok(known) => known,
            Err(group) => return Ok(RulesStep::Waiting(group)),
        };
        let (mut runs, mut counting) = (0, 0);
        for rule in &known.rules {
            runs += usize::from(self.look_after(&known, rule, &mut counting).await?);
        }
        let enabled = known.rules.iter().filter(|known| known.rule.is_enabled);
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
            Duty::Run(findings) => {
                let rule = rule.rule.clone();
                let ran = self.db.write(move |w| apply(w, &rule, &findings)).await;
                ran.map_err(Error::KeepRun)
            }
        }
    }

    async fn duty(&mut self, known: &Known, known_rule: &KnownRule) -> Result<Duty, Error> {
        let KnownRule { rule, last, seen } = known_rule;
        let asked = last.as_ref().filter(|run| run.outcome == RunOutcome::Running);
        if asked.is_none() && (!rule.is_enabled || rule.evaluate == Evaluate::Manual) {
            return Ok(Duty::Nothing);
        }
        let here = |digest| RuleSeen { at: known.now, catalog: known.catalog, digest };
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
        let here = here(digest(&matched));
        let reason = match (asked, seen) {
            (Some(run), _) => Some(run.reason.clone()),
            // Approvals are for what comes after the rule was made.
            (None, None) if rule.style == Style::Approval => return Ok(Duty::Remember(here)),
            (None, None) => Some(RunReason::Synchronization.as_str().to_owned()),
            (None, Some(seen)) => {
                due(rule, &memory(seen), &memory(&here)).map(|reason| reason.as_str().to_owned())
            }
        };
        let Some(reason) = reason else { return Ok(Duty::Nothing) };
        let is_same = !is_asked
            && !is_scheduled
            && seen.as_ref().is_some_and(|seen| seen.digest == here.digest);
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
            let (now, deployed, groups) = (known.now, &deployed, &known.groups);
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

fn memory(seen: &RuleSeen) -> RuleMemory<&[u8]> {
    RuleMemory { at: seen.at, catalog: seen.catalog, inputs: &seen.digest }
}

/// Of what a rule takes: another set of updates has another one.
fn digest(matched: &Result<Matched, String>) -> Vec<u8> {
    let mut hash = Sha256::new();
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
