//! What the top says of clients whose site it does not hear (COMP-13).

use compliance::Holding;
use model::{ClientId, Timestamp, Vector};
use serde_json::Value;
use testkit::objects;
use uuid::Uuid;

use crate::harness::{Hierarchy, Process, offline, rows};

const PR1: u16 = 7540;

fn client() -> ClientId {
    ClientId(Uuid::from_u128(9))
}

fn start(hierarchy: &Hierarchy) -> Process {
    let process = hierarchy.start("tierline-primary", &hierarchy.site_config("PR1", PR1));
    hierarchy.wait_in_sync(PR1);
    process
}

/// As its site has it after a scan.
fn scanned() -> Holding {
    let vector = Vector {
        client: client(),
        incarnation: 1,
        serial: 1,
        covered: 1,
        scanned_at: Timestamp(0),
        scan_error: None,
        gap: false,
        required: Vec::new(),
        installed: Vec::new(),
        unjudged: Vec::new(),
        detail: Vec::new(),
        deployments: Vec::new(),
        scan: None,
    };
    Holding { vector, parked: Vec::new() }
}

#[test]
fn what_a_child_site_has_and_cannot_send_is_why_something_is_unknown() {
    let hierarchy = Hierarchy::new();
    let [_cas, pr1, _se1] = hierarchy.three_sites();
    let compliance = |arguments: &[&str]| -> Value {
        let asked = [&["compliance"], arguments, &["-o", "json"]].concat();
        serde_json::from_str(&hierarchy.tierline(&asked)).expect("output is JSON")
    };
    let id = client().to_string();
    let reason = || {
        let told = compliance(&["client", &id]);
        let row = told.get("row").unwrap_or(&told);
        row["reason"].as_str().unwrap_or_default().to_owned()
    };
    pr1.kill();
    let register = |w: &site_db::Writer<'_>| w.put_own(&objects::client(9, "PR1"));
    offline(&hierarchy, "PR1").write_blocking(register).expect("written");
    let pr1 = start(&hierarchy);
    hierarchy.wait_until("the top knows the client", || {
        !rows(&hierarchy.tierline(&["client", "list", "-o", "json"])).is_empty()
    });
    hierarchy.wait_until("the link is whole", || reason() == "no report received");

    // It is scanned, and its report has come as far as its site.
    pr1.kill();
    let scanned = |w: &site_db::Writer<'_>| w.write_holding(&scanned());
    offline(&hierarchy, "PR1").write_blocking(scanned).expect("written");
    hierarchy.wait_until("the top misses its child", || {
        reason().starts_with("no report received; not received from site PR1: its link is ")
    });
    let summary = compliance(&["summary"]).to_string();
    assert!(summary.contains("not received from site PR1"), "{summary}");
    let _pr1 = start(&hierarchy);
    hierarchy.wait_until("the report has arrived", || reason().is_empty());
}
