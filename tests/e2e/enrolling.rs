//! A computer without a token is enrolled by approval, all of it by commands.

use crate::harness::{Hierarchy, field, holds, rows, text};

#[test]
fn a_computer_is_enrolled_once_its_fingerprint_is_approved() {
    let hierarchy = Hierarchy::new();
    let config = hierarchy.site_config("PR1", 7540);
    let mut site = std::fs::read_to_string(&config).expect("written before");
    site.push_str("top_level = true\n");
    std::fs::write(&config, site).expect("a file can be written");
    let _pr1 = hierarchy.start("tierline-primary", &config);
    hierarchy.login("PR1", 7540);
    let invitation =
        field(&hierarchy.tierline(&["client", "invitation", "-o", "json"]), "invitation");
    let data = hierarchy.data("agent");
    let config = hierarchy
        .config("agent", &format!("data_dir = \"{}\"\nname = \"web-17\"\n", data.display()));
    let config = config.to_str().expect("the path is text");
    let join = ["--config", config, "join", &invitation];

    // The computer shows the fingerprint, and the administrator finds the same.
    let asked = hierarchy.run("tierline-agent", &join);
    let (said, error) =
        (String::from_utf8_lossy(&asked.stdout), String::from_utf8_lossy(&asked.stderr));
    assert!(error.contains("waits for approval until"), "{error}");
    let fingerprint = said.trim().rsplit(' ').next().expect("a word").to_owned();
    let waiting = rows(&hierarchy.tierline(&["client", "pending", "-o", "json"]));
    assert_eq!(waiting.len(), 1, "{waiting:#?}");
    let row = |state: &str| serde_json::json!({"name": "web-17", "site": "PR1", "state": state});
    holds(&waiting[0], &row("waiting"));
    assert_eq!(text(&waiting[0], "fingerprint"), fingerprint);

    let refuse = ["client", "refuse", &fingerprint, "-o", "json"];
    hierarchy.tierline(&refuse);
    let error = hierarchy.refused("tierline-agent", &join);
    assert!(error.contains("admin refused to enrol this computer"), "{error}");
    hierarchy.tierline(&["client", "approve", &fingerprint]);
    let joined = hierarchy.run("tierline-agent", &join);
    let said = String::from_utf8_lossy(&joined.stdout).into_owned();
    assert!(joined.status.success() && said.contains("joined as tierline://"), "{said}");
    let decided = rows(&hierarchy.tierline(&["client", "pending", "-o", "json"]));
    holds(&decided[0], &row("approved"));
    assert!(said.contains(&text(&decided[0], "identity")), "{said}");
    let error = hierarchy.refused("tierline", &refuse);
    assert!(error.contains("take it back with `tierline client remove`"), "{error}");
}
