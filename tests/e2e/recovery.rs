//! What docs/replication.md promises after crashes, restores, damage and trimmed logs.

use crate::harness::{Hierarchy, Process};

/// Kills a site at a named place while a change travels, and lets it come back.
fn crash_at(failpoint: &str, victim: &str) {
    let hierarchy = Hierarchy::new();
    let [cas, pr1, _se1] = hierarchy.three_sites();
    let (program, config, port, victim_process, other) = match victim {
        "CAS" => ("tierline-central", hierarchy.site_config("CAS", 7440), 7440, cas, pr1),
        _ => ("tierline-primary", hierarchy.site_config("PR1", 7540), 7540, pr1, cas),
    };
    victim_process.kill();
    let mut doomed = hierarchy.spawn(program, &config, &[("TIERLINE_FAILPOINT", failpoint)]);
    // A change at the site that lives, or at the victim itself, makes the link busy.
    let busy = if victim == "CAS" { "listens" } else { "listens" };
    doomed.wait_for(busy);
    if victim == "CAS" {
        let output = hierarchy.run("tierline", &["site", "token", "PR7"]);
        drop(output);
    } else {
        hierarchy.tierline(&["site", "token", "PR7"]);
    }
    doomed.wait_end();
    let _back = hierarchy.start(program, &config);
    let _ = port;
    check_equal(&hierarchy, other);
}

fn check_equal(hierarchy: &Hierarchy, _other: Process) {
    for port in [7440, 7540, 7640] {
        hierarchy.wait_in_sync(port);
        let rows = hierarchy.streams(port);
        assert!(rows.iter().all(|row| row["result"] == "ok"), "{rows:?}");
    }
}

#[test]
fn a_sender_killed_while_sending_sends_again() {
    crash_at("replication.batch_sent", "CAS");
}

#[test]
fn a_receiver_killed_before_its_commit_receives_again() {
    crash_at("replication.batch_applied", "PR1");
}
