//! What docs/replication.md promises after crashes, restores, damage and trimmed logs.

use crate::harness::{Hierarchy, Process, offline};
use crate::joining::{generate_items, revise_items};

/// Three sites, the central one and the primary killed, and items at the central one that the
/// primary has not seen.
fn with_news(items: u32) -> (Hierarchy, Process) {
    let hierarchy = Hierarchy::new();
    let [cas, pr1, se1] = hierarchy.three_sites();
    cas.kill();
    pr1.kill();
    generate_items(&hierarchy, items);
    (hierarchy, se1)
}

fn start(hierarchy: &Hierarchy, code: &str) -> Process {
    let (program, port) = program(code);
    hierarchy.start(program, &hierarchy.site_config(code, port))
}

fn program(code: &str) -> (&'static str, u16) {
    match code {
        "CAS" => ("tierline-central", 7440),
        _ => ("tierline-primary", 7540),
    }
}

/// Starts a site that ends itself at a named place, and waits for its end.
fn start_doomed(hierarchy: &Hierarchy, code: &str, failpoint: &str) {
    let (name, port) = program(code);
    let config = hierarchy.site_config(code, port);
    let mut doomed = hierarchy.spawn(name, &config, &[("TIERLINE_FAILPOINT", failpoint)]);
    let status = doomed.wait_end();
    assert!(!status.success(), "{failpoint} was never passed");
}

fn all_equal(hierarchy: &Hierarchy, items: u64) {
    for port in [7440, 7540, 7640] {
        hierarchy.wait_in_sync(port);
        let rows = hierarchy.streams(port);
        assert!(rows.iter().all(|row| row["result"] == "ok"), "{rows:?}");
        let catalog = rows.iter().find(|row| row["stream"] == "catalog/CAS");
        assert_eq!(catalog.expect("the catalog is here")["seq"], items, "{rows:?}");
    }
}

#[test]
fn a_sender_killed_while_sending_sends_again() {
    let (hierarchy, _se1) = with_news(3_000);
    let _pr1 = start(&hierarchy, "PR1");
    start_doomed(&hierarchy, "CAS", "replication.batch_sent:2");
    let _cas = start(&hierarchy, "CAS");
    all_equal(&hierarchy, 3_000);
}

#[test]
fn a_receiver_killed_before_its_commit_receives_again() {
    let (hierarchy, _se1) = with_news(3_000);
    let _cas = start(&hierarchy, "CAS");
    start_doomed(&hierarchy, "PR1", "replication.batch_applied:2");
    let _pr1 = start(&hierarchy, "PR1");
    all_equal(&hierarchy, 3_000);
}

/// A log trimmed past the child: it reconciles instead of following, also when it is killed in the
/// middle of that.
#[test]
fn a_child_below_the_floor_reconciles_and_survives_a_kill_meanwhile() {
    let (hierarchy, _se1) = with_news(500);
    revise_items(&hierarchy, 500);
    let db = offline(&hierarchy, "CAS");
    db.write_blocking(|w| {
        let streams = w.streams()?.into_values();
        for stream in streams.filter(|s| s.id.group == model::Group::Catalog) {
            w.trim(stream.id, stream.local.position.seq)?;
        }
        Ok::<_, site_db::Error>(())
    })
    .expect("the log is trimmed");
    drop(db);
    let _cas = start(&hierarchy, "CAS");
    start_doomed(&hierarchy, "PR1", "replication.bucket_taken:20");
    let _pr1 = start(&hierarchy, "PR1");
    all_equal(&hierarchy, 1_000);
}

/// A restored site takes back what its neighbors know and then begins a new epoch.
#[test]
fn a_primary_restored_from_an_older_backup_takes_its_own_changes_back() {
    let hierarchy = Hierarchy::new();
    let [_cas, pr1, _se1] = hierarchy.three_sites();
    let backup = hierarchy.dir.path().join("pr1.backup");
    let backup = backup.to_str().expect("the path is text");
    let url = hierarchy.url(7540);
    hierarchy.tierline(&["db", "backup", backup, "--server", &url]);
    let config = hierarchy.site_config("SE2", 7840);
    hierarchy.join("tierline-secondary", &config, &hierarchy.site_token("SE2", "secondary", "PR1"));
    hierarchy.wait_in_sync(7440);
    pr1.kill();

    let config = hierarchy.site_config("PR1", 7540);
    let config = config.to_str().expect("the path is text");
    let restored = hierarchy.run("tierline-primary", &["--config", config, "restore", backup]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let mut pr1 = start(&hierarchy, "PR1");
    pr1.wait_for("recovery ended");
    // SE2 never started; without it the links of CAS and SE1 are what has to be equal.
    hierarchy.wait_in_sync(7440);
    hierarchy.wait_in_sync(7640);
    let sites = hierarchy.tierline(&["site", "list", "--server", &url, "-o", "json"]);
    assert!(sites.contains("SE2"), "the site that joined after the backup is back: {sites}");
    let topology = |port| {
        let rows = hierarchy.streams(port);
        rows.into_iter().find(|row| row["stream"] == "topology/PR1").expect("it is here")
    };
    assert_eq!(topology(7540)["epoch"], 2, "a recovered owner begins a new epoch");
    assert_eq!(topology(7540)["digest"], topology(7440)["digest"]);
    assert_eq!(topology(7540)["digest"], topology(7640)["digest"]);
}

/// A row altered by hand is found by `replication verify` and taken again from the neighbor.
#[test]
fn a_row_altered_by_hand_is_found_and_repaired() {
    let (hierarchy, _se1) = with_news(50);
    let _cas = start(&hierarchy, "CAS");
    let pr1 = start(&hierarchy, "PR1");
    all_equal(&hierarchy, 50);
    pr1.kill();
    let file = rusqlite::Connection::open(hierarchy.data("PR1").join("site.db")).expect("it opens");
    let changed = file.execute(
        "UPDATE entry SET body = x'0801' WHERE lsn = (SELECT max(lsn) FROM live WHERE kind = 402)",
        [],
    );
    assert_eq!(changed, Ok(1));
    drop(file);

    let mut pr1 = start(&hierarchy, "PR1");
    let url = hierarchy.url(7540);
    let found =
        hierarchy.run("tierline", &["replication", "verify", "--server", &url, "-o", "json"]);
    assert!(!found.status.success(), "damage is a failure");
    let rows = crate::harness::rows(&String::from_utf8_lossy(&found.stdout));
    let catalog = rows.iter().find(|row| row["stream"] == "catalog/CAS").expect("it is here");
    assert_eq!((&catalog["result"], &catalog["damaged_objects"]), (&"damaged".into(), &1.into()));
    pr1.wait_for("reconciling");
    pr1.wait_for("the reconcile ended");
    all_equal(&hierarchy, 50);
}
