//! `tierline demo`, as the README says it: it ends by itself, and everything it checks holds.

use serde_json::Value;

use crate::harness::Hierarchy;

/// The report of a demonstration whose checks have to hold.
fn report(arguments: &[&str]) -> Value {
    let output =
        Hierarchy::new().run("tierline", &[&["demo", "--once", "-o", "json"], arguments].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|found| panic!("no report: {found}; {error}"));
    let checks = report["checks"].as_array().expect("checks are a list");
    let failing: Vec<_> = checks.iter().filter(|check| check["ok"] != true).collect();
    assert!(failing.is_empty(), "{failing:#?}\n{error}");
    assert!(output.status.success() && report["ok"] == true, "{error}");
    report
}

fn count(rows: &Value) -> usize {
    rows.as_array().map_or(0, Vec::len)
}

#[test]
fn every_check_of_the_demonstration_holds() {
    let report = report(&[]);
    // One real agent and five in memory, in three sites, with what they were deployed.
    assert_eq!(count(&report["checks"]), 10);
    assert_eq!((count(&report["sites"]), count(&report["clients"])), (3, 6));
    for deployment in report["deployments"].as_array().expect("a list") {
        assert_eq!(deployment["targeted"], 6, "{deployment:#}");
        assert_eq!(deployment["compliant"], 6, "{deployment:#}");
    }
    assert_eq!(count(&report["deployments"]), 2);
}

#[test]
fn clients_in_virtual_time_are_counted_as_they_count_themselves() {
    let report = report(&["--clients", "0", "--fleet", "20"]);
    assert_eq!(count(&report["checks"]), 11);
    assert_eq!(report["fleet"]["clients"], 20);
    let installations = report["fleet"]["installations"].as_u64().expect("a number");
    assert!(installations >= 20, "{:#}", report["fleet"]);
}
