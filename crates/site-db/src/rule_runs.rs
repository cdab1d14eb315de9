//! The runs of automatic deployment rules: what each did, step by step, and what a rule has seen.
//!
//! Owns the tables; they are local, because a rule runs at its owner only. Refuses to know what a
//! step means (deployment-manager does). A run is recorded in the transaction of what it does.

use model::{Group, Invalid, Kind, ObjectCode, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::{Error, Reader, Writer};

/// Runs kept of each rule: two years of weeks, or a month of three a day.
const RUNS_KEPT: u64 = 100;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// Begun, and nothing done yet.
    Running,
    /// Everything is made; files are still being fetched.
    Waiting,
    Succeeded,
    /// It took what it had taken before.
    Unchanged,
    Failed,
}

impl RunOutcome {
    const ALL: [RunOutcome; 5] = [
        RunOutcome::Running,
        RunOutcome::Waiting,
        RunOutcome::Succeeded,
        RunOutcome::Unchanged,
        RunOutcome::Failed,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunOutcome::Running => "running",
            RunOutcome::Waiting => "waiting",
            RunOutcome::Succeeded => "succeeded",
            RunOutcome::Unchanged => "unchanged",
            RunOutcome::Failed => "failed",
        }
    }

    fn from_name(name: &str) -> Result<RunOutcome, Invalid> {
        let found = RunOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == name);
        found.ok_or_else(|| Invalid::new("outcome", format!("there is no outcome \"{name}\"")))
    }
}

/// One run of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRun {
    pub rule: ObjectCode,
    pub number: u64,
    pub reason: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub outcome: RunOutcome,
    /// Why it failed, as a number that can be looked up; 0: nothing did.
    pub code: u32,
    /// How many it took.
    pub updates: u64,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStep {
    pub what: String,
    pub result: String,
    pub detail: String,
    pub at: Timestamp,
}

/// What a rule has seen: when, at which catalog version, and a digest of what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSeen {
    pub at: Timestamp,
    pub catalog: u64,
    pub digest: Vec<u8>,
    /// A digest of the rule and of what it would have taken, if its last run failed.
    pub failed: Option<Vec<u8>>,
}

const RUN: &str = "SELECT rule, number, reason, started_at, ended_at, outcome, code, updates
     FROM rule_run";

fn run(row: &Row<'_>) -> RowResult<RuleRun> {
    Ok(RuleRun {
        rule: parse_column(row, 0, |code: String| ObjectCode::new(&code))?,
        number: row.get(1)?,
        reason: row.get(2)?,
        started_at: Timestamp(row.get(3)?),
        ended_at: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        outcome: parse_column(row, 5, |name: String| RunOutcome::from_name(&name))?,
        code: row.get(6)?,
        updates: row.get(7)?,
    })
}

impl Reader<'_> {
    /// The newest runs of a rule, newest first.
    pub fn rule_runs(&self, rule: &ObjectCode) -> Result<Vec<RuleRun>, Error> {
        let sql = format!("{RUN} WHERE rule = ?1 ORDER BY number DESC");
        Ok(self.tx.query_all(&sql, [rule.as_str()], run)?)
    }

    /// The newest run of a rule.
    pub fn last_rule_run(&self, rule: &ObjectCode) -> Result<Option<RuleRun>, Error> {
        let sql = format!("{RUN} WHERE rule = ?1 ORDER BY number DESC LIMIT 1");
        Ok(self.tx.query_optional(&sql, [rule.as_str()], run)?)
    }

    /// The steps of a run, in their order.
    pub fn rule_steps(&self, rule: &ObjectCode, number: u64) -> Result<Vec<RunStep>, Error> {
        let sql = "SELECT what, result, detail, at FROM rule_step
                   WHERE rule = ?1 AND number = ?2 ORDER BY step";
        Ok(self.tx.query_all(sql, params![rule.as_str(), number], |row| {
            Ok(RunStep {
                what: row.get(0)?,
                result: row.get(1)?,
                detail: row.get(2)?,
                at: Timestamp(row.get(3)?),
            })
        })?)
    }

    pub fn rule_seen(&self, rule: &ObjectCode) -> Result<Option<RuleSeen>, Error> {
        let sql = "SELECT at, catalog, digest, failed FROM rule_input WHERE rule = ?1";
        Ok(self.tx.query_optional(sql, [rule.as_str()], |row| {
            let (at, catalog) = (Timestamp(row.get(0)?), row.get(1)?);
            Ok(RuleSeen { at, catalog, digest: row.get(2)?, failed: row.get(3)? })
        })?)
    }

    /// Grows with every change of the catalog and of what administrators say of its updates.
    pub fn catalog_generation(&self) -> Result<u64, Error> {
        let sql = "SELECT coalesce(max(lsn), 0) FROM (
                     SELECT max(lsn) AS lsn FROM entry WHERE grp = ?1
                     UNION ALL SELECT max(lsn) FROM entry WHERE grp = ?2 AND kind = ?3)";
        let said = Kind::UpdateSetting;
        let of = params![Group::Catalog as u8, said.group() as u8, said as u8];
        Ok(self.tx.query_row(sql, of, |row| row.get(0))?)
    }
}

impl Writer<'_> {
    /// Begins a run; one that was begun and has done nothing yet is this one.
    pub fn begin_rule_run(&self, rule: &ObjectCode, reason: &str) -> Result<RuleRun, Error> {
        let last = self.last_rule_run(rule)?;
        if let Some(begun) = last.filter(|last| last.outcome == RunOutcome::Running) {
            return Ok(begun);
        }
        let begun = RuleRun {
            rule: rule.clone(),
            number: self.next(&format!("rule_run {rule}"))?,
            reason: reason.to_owned(),
            started_at: self.now(),
            ended_at: None,
            outcome: RunOutcome::Running,
            code: 0,
            updates: 0,
        };
        self.save_rule_run(&begun)?;
        let kept = begun.number.saturating_sub(RUNS_KEPT);
        for table in ["rule_run", "rule_step"] {
            let sql = format!("DELETE FROM {table} WHERE rule = ?1 AND number <= ?2");
            self.write.execute(&sql, params![rule.as_str(), kept])?;
        }
        Ok(begun)
    }

    pub fn save_rule_run(&self, run: &RuleRun) -> Result<(), Error> {
        self.write.execute(
            "INSERT OR REPLACE INTO rule_run
             (rule, number, reason, started_at, ended_at, outcome, code, updates)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                run.rule.as_str(),
                run.number,
                run.reason,
                run.started_at.0,
                run.ended_at.map(|at| at.0),
                run.outcome.as_str(),
                run.code,
                run.updates
            ],
        )?;
        self.wake(None);
        Ok(())
    }

    /// Adds a step to a run.
    pub fn add_rule_step(
        &self,
        run: &RuleRun,
        (what, result): (&str, &str),
        detail: &str,
    ) -> Result<(), Error> {
        self.write.execute(
            "INSERT INTO rule_step (rule, number, step, what, result, detail, at)
             VALUES (?1, ?2, (SELECT coalesce(max(step), 0) + 1 FROM rule_step
                              WHERE rule = ?1 AND number = ?2), ?3, ?4, ?5, ?6)",
            params![run.rule.as_str(), run.number, what, result, detail, self.now().0],
        )?;
        Ok(())
    }

    pub fn set_rule_seen(&self, rule: &ObjectCode, seen: &RuleSeen) -> Result<(), Error> {
        self.write.execute(
            "INSERT OR REPLACE INTO rule_input (rule, digest, at, catalog, failed)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![rule.as_str(), seen.digest, seen.at.0, seen.catalog, seen.failed],
        )?;
        Ok(())
    }

    /// Forgets what a rule did and saw; numbers of runs are not given again.
    pub fn drop_rule_runs(&self, rule: &ObjectCode) -> Result<(), Error> {
        for table in ["rule_run", "rule_step", "rule_input"] {
            let sql = format!("DELETE FROM {table} WHERE rule = ?1");
            self.write.execute(&sql, [rule.as_str()])?;
        }
        Ok(())
    }
}
