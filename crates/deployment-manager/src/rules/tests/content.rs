//! What becomes of runs whose package is changed while they wait for its files.

use site_db::{Found, RunStep};

use super::*;
use crate::rules::content::NO_CONTENT;

impl World {
    /// A rule that takes updates 1 to 3 and waits for their files, and its package.
    async fn waiting(&mut self) -> (Rule, ObjectCode) {
        let rule = rule("size < 2");
        self.put(&rule);
        assert_eq!(self.run(&rule).await.outcome, RunOutcome::Waiting);
        (rule, self.list::<Package>().remove(0).code)
    }

    fn arrive(&self, package: &ObjectCode) {
        let package = package.clone();
        self.write(move |w| {
            for demand in w.demands()? {
                let sha256 = model::Sha256([demand.file.sha1.0[0]; 32]);
                w.note_found(&demand.file, Found::Stored { sha256, is_weak: false })?;
            }
            w.finish_download(&package)
        });
    }

    /// How the last run stands, and what its last step says.
    async fn told(&mut self, rule: &Rule) -> (RunOutcome, u32, String) {
        self.step().await;
        let RuleRun { outcome, code, number, .. } = self.last(rule);
        let rule = rule.code.clone();
        let steps = self.db.read_blocking(move |r| r.rule_steps(&rule, number)).expect("read");
        (outcome, code, steps.into_iter().last().map_or_else(String::new, |s: RunStep| s.detail))
    }
}

/// Symptom: whoever deleted the package of a run that waited made it a success. Cause: that nothing
/// is wanted any more was taken for that everything is here.
#[tokio::test]
async fn a_deleted_package_is_no_success() {
    let mut world = world();
    let (rule, package) = world.waiting().await;
    world.write(move |w| w.delete_package(&package));
    let told = world.told(&rule).await;
    let detail = "package PR100001 was deleted".to_owned();
    assert_eq!(told, (RunOutcome::Failed, NO_CONTENT, detail));
}

#[tokio::test]
async fn what_was_taken_out_is_no_success_until_it_is_fetched_again() {
    let mut world = world();
    let (rule, package) = world.waiting().await;
    let (emptied, gone) = (package.clone(), [(Sha1([2; 20]), 1_000)].into());
    world.write(move |w| w.remove_files(&emptied, &gone));
    world.arrive(&package);
    let told = world.told(&rule).await;
    let detail = "2.cab of 00000000-0000-0000-0000-000000000002 is not in package PR100001";
    assert_eq!(told, (RunOutcome::Failed, NO_CONTENT, detail.to_owned()));
    let again = package.clone();
    world.write(move |w| w.demand_files(&again, &w.update_files(vec![id(2)])?));
    assert_eq!(world.told(&rule).await.0, RunOutcome::Failed);
    world.arrive(&package);
    assert_eq!(world.told(&rule).await.0, RunOutcome::Succeeded);
}
