//! What becomes of the files of a run, and how runs end.

use std::collections::BTreeSet;

use model::{
    Deployment, ItemFile, ObjectCode, Package, Rule, Severity, StatusMessage, UpdateGroup, UpdateId,
};
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

/// How the content of a run stands.
enum Standing {
    Here,
    Coming,
    /// With the first file that cannot be had, or why none can.
    Lacks(String),
}

fn standing(r: &Reader<'_>, rule: &Rule, package: &ObjectCode) -> Result<Standing, Error> {
    let left = demands(r, package)?;
    if let Some(ContentDemand { update, file, reason, .. }) =
        left.iter().find(|demand| !demand.reason.is_empty())
    {
        return Ok(Standing::Lacks(format!("{} of {update}: {reason}", file.name)));
    }
    if !left.is_empty() {
        return Ok(Standing::Coming);
    }
    // Nothing is wanted any more of what somebody deleted or took out.
    let Some(held) = r.get::<Package>(package.as_str().as_bytes())? else {
        return Ok(Standing::Lacks(format!("package {package} was deleted")));
    };
    let held: BTreeSet<_> = held.files.iter().map(|file| (file.sha1, file.size)).collect();
    let files = deployed_files(r, rule)?;
    let lacking = files.iter().find(|(_, file)| !held.contains(&(file.sha1, file.size)));
    Ok(lacking.map_or(Standing::Here, |(update, file)| {
        Standing::Lacks(format!("{} of {update} is not in package {package}", file.name))
    }))
}

/// The files of what the last run deployed, without updates of which a part has not arrived: the
/// run did not want those either. What approvals took is not recorded.
fn deployed_files(r: &Reader<'_>, rule: &Rule) -> Result<Vec<(UpdateId, ItemFile)>, Error> {
    let mut updates = BTreeSet::new();
    for id in &rule.deployed {
        let Some(made) = r.get::<Deployment>(id.as_bytes())? else { continue };
        let group = r.get::<UpdateGroup>(made.group.as_str().as_bytes())?;
        updates.extend(group.into_iter().flat_map(|group| group.updates));
    }
    let mut files = Vec::new();
    for id in updates {
        match r.update_files(vec![id]) {
            Ok(named) => files.extend(named),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files)
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
    /// Ends a run whose files are all there, or of which one cannot be had (DEPX-19); a download
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
        let (asked, package_of) = (rule.clone(), package.clone());
        let read = self.db.read(move |r| standing(r, &asked, &package_of)).await;
        let (result, detail, ended_run) = match read.map_err(crate::Error::ReadRules)? {
            Standing::Here => {
                let run = RuleRun { outcome: RunOutcome::Succeeded, code: 0, ..run };
                ("done", format!("package {package}: every file is here"), run)
            }
            Standing::Lacks(detail) if is_waiting => {
                let run = RuleRun { outcome: RunOutcome::Failed, code: NO_CONTENT, ..run };
                ("failed", detail, run)
            }
            Standing::Lacks(_) | Standing::Coming => return Ok(()),
        };
        let rule = rule.clone();
        let kept = self.db.write(move |w| {
            w.add_rule_step(&ended_run, ("content", result), &detail)?;
            ended(w, &rule, ended_run)
        });
        kept.await.map_err(crate::Error::KeepRun)
    }
}
