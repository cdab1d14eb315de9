//! Boundaries and boundary groups, from the command line of one site to all others.

use serde_json::Value;

use crate::harness::{Hierarchy, field, rows};

fn texts(rows: &[Value], column: &str) -> Vec<String> {
    rows.iter().map(|row| row[column].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn boundaries_of_one_site_are_used_at_all() {
    let hierarchy = Hierarchy::new();
    let _sites = hierarchy.three_sites();
    let at = |port: u16, line: &[&str]| {
        let url = hierarchy.url(port);
        hierarchy.tierline(&[line, &["--server", &url, "-o", "json"]].concat())
    };
    let create = ["boundary", "create", "10.1.0.0/16", "2001:db8::/48", "10.2.0.1-10.2.0.99"];
    let made = rows(&at(7440, &create));
    assert_eq!(texts(&made, "type"), ["subnet", "prefix", "range"]);
    let codes = texts(&made, "code");
    let group = ["boundary-group", "create", "Berlin", "--assign", "PR1", "--boundary"];
    let berlin = field(&at(7440, &[&group[..], &[&codes[0]]].concat()), "code");
    let bonn = field(&at(7540, &["boundary-group", "create", "Bonn"]), "code");
    assert_eq!((&berlin[..3], &bonn[..3]), ("CAS", "PR1"));
    hierarchy.wait_in_sync(7440);
    hierarchy.wait_in_sync(7540);
    for port in [7440, 7540, 7640] {
        assert_eq!(rows(&at(port, &["boundary", "list"])).len(), 3);
        let groups = rows(&at(port, &["boundary-group", "list"]));
        assert_eq!(texts(&groups, "name"), ["Berlin", "Bonn", "Default-Site-Boundary-GroupPR1"]);
        let place: Value = serde_json::from_str(&at(port, &["boundary", "which", "10.1.2.3"]))
            .expect("output is JSON");
        assert_eq!(
            (&place["assigned_site"], &place["groups"][0]["code"]),
            (&Value::from("PR1"), &Value::from(berlin.as_str()))
        );
    }
    // A group belongs to its site; another names the owner.
    let url = hierarchy.url(7540);
    let add = ["boundary-group", "add", &berlin, "--boundary", &codes[1], "--server", &url];
    let refused = hierarchy.refused("tierline", &add);
    assert!(refused.contains("belongs to site CAS"), "{refused}");
    at(7540, &["boundary-group", "relate", &bonn, &berlin, "--minutes", "15", "--sup", "never"]);
    let shown: Value = serde_json::from_str(&at(7540, &["boundary-group", "show", &bonn]))
        .expect("output is JSON");
    let link = &shown["related"][0];
    assert_eq!((&link["dp"], &link["sup"]), (&Value::from("15"), &Value::from("never")));
    let refused = hierarchy.refused("tierline", &["boundary", "delete", &codes[0]]);
    assert!(refused.contains("boundary-group remove"), "{refused}");
}
