//! What becomes of the files of a run, and how runs end.

use model::{ObjectCode, Rule, Severity, StatusMessage};
use site_db::{ContentDemand, Error, Reader, RuleRun, RunOutcome, Writer};

use super::Rules;
use super::read::KnownRule;

/// Why a run failed, for `tierline explain`: a file cannot be had.
pub(super) const NO_CONTENT: u32 = 0x87D2_0417;

/// The component that speaks of rules.
const COMPONENT: &str = "SMS_RULE_ENGINE";

fn demands(r: &Reader<'_>, package: &ObjectCode) -> Result<Vec<ContentDemand>, Error> {
    let demands = r.demands()?.into_iter();
    Ok(demands.filter(|demand| demand.package == *package).collect())
}

/// Whether files of a package are still to come.
pub(super) fn is_fetching(r: &Reader<'_>, package: &ObjectCode) -> Result<bool, Error> {
    Ok(!demands(r, package)?.is_empty())
}

/// Records how a run stands; once it is over, also for the people who read status messages.
pub(super) fn ended(w: &Writer<'_>, rule: &Rule, run: RuleRun) -> Result<(), Error> {
    let is_over = !matches!(run.outcome, RunOutcome::Running | RunOutcome::Waiting);
    let ended_at = if is_over { Some(w.now()) } else { None };
    let said = match run.outcome {
        RunOutcome::Failed => Some((60_141, Severity::Error)),
        RunOutcome::Succeeded => Some((60_142, Severity::Information)),
        RunOutcome::Running | RunOutcome::Waiting | RunOutcome::Unchanged => None,
    };
    if let Some((id, severity)) = said {
        let site = w.identity().code();
        let last = w.rule_steps(&rule.code, run.number)?.pop();
        let mut strings = vec![
            format!("{} ({})", rule.code, rule.name),
            run.reason.clone(),
            run.updates.to_string(),
        ];
        if run.outcome == RunOutcome::Failed {
            strings.push(format!("{:#010x}", run.code));
            strings.extend(last.map(|step| step.detail));
        }
        w.append_status(&StatusMessage {
            id,
            severity,
            component: COMPONENT.to_owned(),
            site,
            machine: site.to_string(),
            at: w.now(),
            strings,
        })?;
    }
    w.save_rule_run(&RuleRun { ended_at, ..run })
}

impl Rules {
    /// Ends a run whose files are all there, or of which one cannot be had (DEPX-19); the download
    /// itself goes on, and a run that failed for it succeeds once it is done.
    pub(super) async fn follow_content(&self, known: &KnownRule) -> Result<(), crate::Error> {
        let KnownRule { rule, last, .. } = known;
        let (Some(run), Some(package)) = (last.clone(), rule.package.clone()) else {
            return Ok(());
        };
        let is_waiting = run.outcome == RunOutcome::Waiting;
        let has_failed = run.outcome == RunOutcome::Failed && run.code == NO_CONTENT;
        if !is_waiting && !has_failed {
            return Ok(());
        }
        let package_of = package.clone();
        let read = self.db.read(move |r| demands(r, &package_of)).await;
        let left = read.map_err(crate::Error::ReadRules)?;
        let failed = left.iter().find(|demand| !demand.reason.is_empty());
        let (result, detail, ended_run) = match (left.is_empty(), failed) {
            (true, _) => {
                let run = RuleRun { outcome: RunOutcome::Succeeded, code: 0, ..run };
                ("done", format!("package {package}: every file is here"), run)
            }
            (false, Some(demand)) if is_waiting => {
                let run = RuleRun { outcome: RunOutcome::Failed, code: NO_CONTENT, ..run };
                let (file, update) = (&demand.file.name, demand.update);
                ("failed", format!("{file} of {update}: {}", demand.reason), run)
            }
            _ => return Ok(()),
        };
        let rule = rule.clone();
        let kept = self.db.write(move |w| {
            w.add_rule_step(&ended_run, ("content", result), &detail)?;
            ended(w, &rule, ended_run)
        });
        kept.await.map_err(crate::Error::KeepRun)
    }
}
