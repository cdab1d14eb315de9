//! Programs that are started, watched and given up, in a directory of their own.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use ambient::{ManualClock, SystemEntropy};
use client::agent_update::Rejected;
use client::digest::sha256;
use tempfile::TempDir;

use super::*;

const TRIAL_MS: i64 = 1_000;

struct Case {
    directory: TempDir,
    launcher: Launcher,
}

/// A file that is there as long as it is held.
#[derive(Debug)]
pub(crate) struct Held(pub(crate) PathBuf);

impl Turn for Held {
    fn take(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(fs::write(&self.0, "")?)
    }

    fn let_go(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(fs::remove_file(&self.0)?)
    }
}

impl Case {
    /// With a version on trial whose program is this.
    fn trying(program: &str) -> Case {
        let directory = TempDir::new().expect("a directory");
        let clock = Arc::new(ManualClock::at(0));
        let releases = Releases::within(directory.path());
        let held = Held(directory.path().join("held"));
        held.take().expect("taken");
        let launcher = Launcher {
            turn: Box::new(held),
            releases,
            limits: Limits { trial_ms: TRIAL_MS, starts: 2 },
            ambient: Ambient::new(clock, Arc::new(SystemEntropy)),
            shutdown: CancellationToken::new(),
        };
        let case = Case { directory, launcher };
        let (mut versions, bytes) = (Versions::default(), program.as_bytes());
        let wish = Wish { version: "9.1.0".to_owned(), may_be_older: false };
        versions.take(wish, sha256(bytes), RUNNING).expect("taken");
        let version = versions.trial.as_ref().expect("on trial").version.clone();
        let path = case.launcher.releases.program(&version);
        fs::create_dir_all(path.parent().expect("below")).expect("a directory");
        fs::write(&path, bytes).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("set");
        case.launcher.releases.save(&versions).expect("kept");
        case
    }

    /// Of the script, relative to the directory.
    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn rejected(&self) -> Option<Reason> {
        let versions = self.launcher.releases.load();
        assert_eq!(versions.good, None);
        let [Rejected { version, reason, .. }] = versions.rejected.as_slice() else { return None };
        let gone = !self.launcher.releases.place(version).exists();
        assert!(gone, "what is given up is removed, so that detection does not find it");
        assert_eq!(versions.trial, None);
        Some(*reason)
    }
}

async fn runs_here(case: &Case) {
    let ran = case.launcher.run().await.expect("no file fails");
    assert!(matches!(ran, Ran::Here), "{ran:?}");
}

#[tokio::test]
async fn without_versions_the_agent_runs_here_and_writes_nothing() {
    let case = Case::trying("");
    fs::remove_dir_all(case.at("agent")).expect("removed");
    runs_here(&case).await;
    assert!(!case.at("agent").exists());
}

#[tokio::test]
async fn a_program_that_cannot_be_started_gives_way() {
    let case = Case::trying("neither a script nor a program");
    runs_here(&case).await;
    assert_eq!(case.rejected(), Some(Reason::NotStarted));
}

#[tokio::test]
async fn a_program_that_was_changed_is_not_started() {
    let case = Case::trying("#!/bin/sh\nexit 0\n");
    fs::write(case.at("agent/9.1.0/tierline-agent"), "#!/bin/sh\ntouch ran\n").expect("written");
    runs_here(&case).await;
    assert_eq!(case.rejected(), Some(Reason::Damaged));
}

#[tokio::test]
async fn a_program_that_ends_by_itself_is_tried_again_and_then_gives_way() {
    let case =
        Case::trying("#!/bin/sh\ncd \"${0%/*}/..\"\n[ -e ../held ] || echo run >> runs\nexit 1\n");
    runs_here(&case).await;
    assert!(case.at("held").exists(), "this program has taken its turn again");
    assert_eq!(case.rejected(), Some(Reason::Ended));
    let runs = fs::read_to_string(case.at("agent/runs")).expect("it ran");
    assert_eq!(runs.lines().count(), 2);
}

#[tokio::test]
async fn a_program_that_is_silent_is_ended_and_gives_way() {
    let case = Case::trying("#!/bin/sh\necho $$ > \"${0%/*}/../id\"\nexec sleep 1000\n");
    runs_here(&case).await;
    assert_eq!(case.rejected(), Some(Reason::Silent));
    let id = fs::read_to_string(case.at("agent/id")).expect("it ran");
    assert!(!Path::new("/proc").join(id.trim()).exists(), "and does not run any more");
}

#[tokio::test]
async fn a_program_that_proves_itself_is_kept_and_runs_on() {
    // What the agent does in the end: the version on trial is the good one.
    let case = Case::trying("#!/bin/sh\ncd \"${0%/*}/..\"\ncp proved current\n");
    let mut proved = case.launcher.releases.load();
    proved.proved();
    let text = serde_json::to_string(&proved).expect("text");
    fs::write(case.at("agent/proved"), text).expect("written");
    let ran = case.launcher.run().await.expect("no file fails");
    assert!(matches!(ran, Ran::Elsewhere(Some(status)) if status.success()), "{ran:?}");
    assert!(case.at("agent/9.1.0/tierline-agent").exists());
    assert_eq!(case.launcher.releases.load(), proved);
}

#[tokio::test]
async fn an_end_by_order_is_passed_on_and_does_not_count() {
    let case = Case::trying(
        "#!/bin/sh\ncd \"${0%/*}/..\"\ntrap 'echo told > told; exit 0' TERM\ntouch runs\n\
         while :; do sleep 0.05; done\n",
    );
    let shutdown = case.launcher.shutdown.clone();
    let runs = case.at("agent/runs");
    let order = async {
        while !runs.exists() {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
    };
    let (ran, ()) = tokio::join!(case.launcher.run(), order);
    assert!(matches!(ran, Ok(Ran::Elsewhere(None))), "{ran:?}");
    assert!(case.at("agent/told").exists(), "it was asked to end");
    let trial = case.launcher.releases.load().trial.expect("still on trial");
    assert_eq!(trial.starts, 0);
}

/// Symptom: whoever could write to the directory of versions had root run his program. Cause: it
/// was run before anybody looked at whose it was. Repair: what others can change is refused first.
#[tokio::test]
async fn a_version_that_others_can_change_is_not_run() {
    let case = Case::trying("#!/bin/sh\ntouch \"${0%/*}/../ran\"\nexit 1\n");
    let before = case.launcher.releases.load();
    for name in ["agent", "agent/current", "agent/9.1.0", "agent/9.1.0/tierline-agent"] {
        let path = case.at(name);
        let was = fs::metadata(&path).expect("there").permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("set");
        let said = case.launcher.run().await.expect_err("it is refused").to_string();
        assert!(said.ends_with(&format!("chmod go-w {}", path.display())), "{said}");
        fs::set_permissions(&path, was).expect("set");
    }
    assert!(!case.at("agent/ran").exists());
    assert_eq!(case.launcher.releases.load(), before, "nor is it given up");
}
