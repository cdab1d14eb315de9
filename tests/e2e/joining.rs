//! Three sites join by token and converge; what must be refused is refused, and says why.

use model::{Item, LocalizedText, Sha256, Timestamp, UpdateId, UpdateRef};
use site_db::Own;

use crate::harness::{Hierarchy, field, offline};

/// Puts generated items into the stopped central site's database, as its owner.
pub(crate) fn generate_items(hierarchy: &Hierarchy, count: u32) {
    write_items(hierarchy, (1..=count).map(|number| item(number, 1)).collect());
}

/// Gives every generated item another revision.
pub(crate) fn revise_items(hierarchy: &Hierarchy, count: u32) {
    write_items(hierarchy, (1..=count).map(|number| item(number, 2)).collect());
}

fn write_items(hierarchy: &Hierarchy, items: Vec<Item>) {
    let db = offline(hierarchy, "CAS");
    db.write_blocking(move |w| {
        w.write_own(model::Group::Catalog, items.iter().map(Own::put).collect())
    })
    .expect("items are written");
}

fn item(number: u32, revision: u32) -> Item {
    let title = format!("Generated update {number} for convergence");
    let id = UpdateId(uuid::Uuid::from_u128(u128::from(number)));
    Item {
        number,
        update: UpdateRef { id, revision },
        since: 1,
        document: Sha256([7; 32]),
        texts: vec![LocalizedText { language: "en".into(), title, description: "d".repeat(300) }],
        classification: None,
        products: vec![],
        company: None,
        severity: None,
        kb_articles: vec![number.to_string()],
        bulletins: vec![],
        cves: vec![],
        created_at: Timestamp(0),
        expired: false,
        expired_at: None,
        withdrawn: false,
        hidden: false,
        linux_only: false,
        may_restart: false,
        languages: Vec::new(),
        has_license: false,
        prerequisites: Vec::new(),
        supersedes: vec![],
        bundles: vec![],
        files: vec![],
    }
}

#[test]
fn three_processes_converge_on_20_000_items() {
    let hierarchy = Hierarchy::new();
    let [cas, _pr1, _se1] = hierarchy.three_sites();
    cas.kill();
    generate_items(&hierarchy, 20_000);
    let _cas = hierarchy.start("tierline-central", &hierarchy.site_config("CAS", 7440));
    for port in [7440, 7540, 7640] {
        hierarchy.wait_in_sync(port);
    }
    let top = hierarchy.streams(7440);
    for port in [7540, 7640] {
        let here = hierarchy.streams(port);
        let catalog = |rows: &[serde_json::Value]| {
            let row = rows.iter().find(|row| row["stream"] == "catalog/CAS").cloned();
            row.unwrap_or_else(|| panic!("no catalog among {rows:?}"))
        };
        let (above, below) = (catalog(&top), catalog(&here));
        assert_eq!(above["digest"], below["digest"], "{above} {below}");
        assert_eq!(below["seq"], 20_000);
        assert!(here.iter().all(|row| row["result"] == "ok"), "{here:?}");
    }
}

#[test]
fn what_must_not_join_is_refused_and_told_why() {
    let hierarchy = Hierarchy::new();
    let [_cas, _pr1, _se1] = hierarchy.three_sites();
    let config = hierarchy.site_config("PR2", 7740);
    let path = config.to_str().expect("the path is text");
    let join =
        |token: &str| hierarchy.refused("tierline-primary", &["--config", path, "join", token]);

    let token = hierarchy.site_token("PR2", "primary", "CAS");
    let mangled = token.replace(&token[token.len() - 6..], "AAAAAA");
    let said = join(&mangled);
    assert!(said.contains("token"), "a wrong token: {said}");

    hierarchy.join("tierline-primary", &config, &token);
    let other = hierarchy.site_config("PR3", 7840);
    let other_path = other.to_str().expect("the path is text");
    let said = hierarchy.refused("tierline-primary", &["--config", other_path, "join", &token]);
    assert!(said.contains("used"), "a used token: {said}");

    let expired = hierarchy.tierline(&["site", "token", "PR4", "--valid", "1s", "-o", "json"]);
    let expires: model::Timestamp =
        field(&expired, "expires_at").parse().expect("a time in RFC 3339");
    while ambient::Ambient::system().now_ms() <= expires.0 {
        std::thread::yield_now();
    }
    let config = hierarchy.site_config("PR4", 7940);
    let config = config.to_str().expect("the path is text");
    let token = field(&expired, "token");
    let said = hierarchy.refused("tierline-primary", &["--config", config, "join", &token]);
    assert!(said.contains("expired"), "an expired token: {said}");

    let token = ["site", "token"];
    let refuse = |code| hierarchy.refused("tierline", &[&token[..], &[code]].concat());
    assert!(refuse("PR1").contains("PR1"), "a duplicate code");
    assert!(refuse("SMS").contains("reserved"), "a reserved code");
    assert!(refuse("SE1").contains("SE1"), "the code of a secondary");
}

#[test]
fn a_foreign_hierarchy_is_refused() {
    let (ours, theirs) = (Hierarchy::new(), Hierarchy::new());
    let _cas = ours.start("tierline-central", &ours.site_config("CAS", 7440));
    ours.login("CAS", 7440);
    let foreign = theirs.site_config("CAS", 8440);
    let _foreign = theirs.start("tierline-central", &foreign);
    // Our administrator's certificate at their server.
    let url = theirs.url(8440);
    let said = ours.refused("tierline", &["site", "list", "--server", &url]);
    assert!(said.contains("hierarchy") || said.contains("certificate"), "{said}");
    // Their site with a token of ours, after it belongs to another hierarchy.
    let token = ours.site_token("PR9", "primary", "CAS");
    let config = theirs.site_config("PR9", 8540);
    theirs.login("CAS", 8440);
    theirs.join("tierline-primary", &config, &theirs.site_token("PR9", "primary", "CAS"));
    let config = config.to_str().expect("the path is text");
    let said = theirs.refused("tierline-primary", &["--config", config, "join", &token]);
    assert!(said.contains("hierarchy") || said.contains("joined"), "{said}");
}
