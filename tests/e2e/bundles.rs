//! A catalog that goes as files from one hierarchy to another which no line leads to.

use std::path::Path;

use serde_json::{Value, json};
use testkit::sample::sample;
use update_metadata::Document;

use crate::harness::{Hierarchy, Process, column, holds, last, text};

/// The top of a hierarchy, and its update point, which no source is set for.
struct Top {
    hierarchy: Hierarchy,
    _processes: [Process; 2],
}

impl Top {
    fn start(code: &str) -> Top {
        let hierarchy = Hierarchy::new();
        let site = hierarchy.start("tierline-central", &hierarchy.site_config(code, 7440));
        hierarchy.login(code, 7440);
        let (https, http) = (hierarchy.at(8531), hierarchy.at(8530));
        let config = format!(
            "data = \"{}\"\nname = \"{code}-SUP\"\nhttps = \"{https}\"\nhttp = \"{http}\"\n\
             url = \"https://{https}\"\nhttp_url = \"http://{http}\"\n",
            hierarchy.data("sup").display(),
        );
        let config = hierarchy.config("sup", &config);
        let token = text(&hierarchy.asked(&["role", "token", "sup", "--site", code]), "token");
        hierarchy.join("tierline-sup", &config, &token);
        let sup = hierarchy.start("tierline-sup", &config);
        Top { hierarchy, _processes: [site, sup] }
    }

    /// Takes documents in, and makes a catalog version of them.
    fn take(&self, documents: &[Document]) {
        let write = |document: &Document| {
            let path = self.hierarchy.data(&format!("{}.xml", document.update.id));
            std::fs::write(&path, document.to_xml()).expect("a file can be written");
            path.to_str().expect("the path is text").to_owned()
        };
        let files: Vec<String> = documents.iter().map(write).collect();
        let line = ["catalog", "import"].into_iter().chain(files.iter().map(String::as_str));
        let report = self.hierarchy.asked(&line.collect::<Vec<_>>());
        holds(&report, &json!({ "imported": documents.len(), "rejected": [], "refused": "" }));
        self.synchronize();
    }

    fn synchronize(&self) {
        self.hierarchy.tierline(&["sync", "run", "--wait", "--timeout", "60s"]);
    }

    /// What became of a bundle, and whether the command succeeded.
    fn import(&self, bundle: &str, options: &[&str]) -> (bool, Value) {
        let line = [&["catalog", "import", bundle, "-o", "json"][..], options].concat();
        let output = self.hierarchy.run("tierline", &line);
        let printed = String::from_utf8(output.stdout).expect("output is text");
        (output.status.success(), last(&printed))
    }

    fn import_whole(&self, bundle: &str, options: &[&str]) -> Value {
        let (succeeded, report) = self.import(bundle, options);
        assert!(succeeded, "{report:#}");
        report
    }

    fn refuse(&self, bundle: &str, options: &[&str]) -> String {
        let (succeeded, report) = self.import(bundle, options);
        assert!(!succeeded, "{report:#}");
        holds(&report, &json!({ "imported": 0, "bundle": null }));
        text(&report, "refused")
    }

    /// All updates, with everything but which catalog version brought them here, and when it was
    /// seen here that they are expired.
    fn updates(&self) -> Vec<Value> {
        let mut rows = self.hierarchy.asked(&["update", "list"]);
        let rows = rows.as_array_mut().expect("a list");
        for row in rows.iter_mut() {
            for own in ["since", "expired_at"] {
                row.as_object_mut().expect("a row").remove(own);
            }
        }
        rows.sort_by_key(|row| text(row, "id"));
        std::mem::take(rows)
    }
}

/// Three bundles, each of what came after the one before.
fn chain(ours: &Top) -> Vec<(String, Value)> {
    let documents = sample(Path::new("/nowhere")).documents;
    let mut bundles = Vec::new();
    let mut since = json!(0);
    for (number, part) in
        [&documents[..20], &documents[20..40], &documents[40..]].iter().enumerate()
    {
        ours.take(part);
        let file = ours.hierarchy.data(&format!("{number}.tlbundle"));
        let file = file.to_str().expect("the path is text").to_owned();
        let export = ["catalog", "export", &file, "--since", &since.to_string()];
        let made = ours.hierarchy.asked(&export);
        holds(&made, &json!({ "since": since, "kind": "bundle", "direction": "export" }));
        since = made["anchor"].clone();
        bundles.push((file, made));
    }
    bundles
}

#[test]
fn a_catalog_arrives_where_no_line_leads() {
    let (ours, theirs) = (Top::start("CAS"), Top::start("TOP"));
    let bundles = chain(&ours);
    let [(first, made), (second, _), (third, _)] = bundles.as_slice() else { panic!("three") };
    let fingerprint = text(made, "fingerprint");

    // A stranger's, until somebody names it.
    let refused = theirs.refuse(first, &[]);
    assert!(refused.contains("--trust") && refused.contains(&fingerprint), "{refused}");
    let refused = theirs.refuse(first, &["--trust", &"0".repeat(64)]);
    assert!(refused.contains(&fingerprint), "{refused}");
    assert_eq!(theirs.updates(), Vec::<Value>::new());

    let report = theirs.import_whole(first, &["--trust", &fingerprint]);
    holds(&report, &json!({ "imported": made["documents"], "unchanged": 0, "refused": "" }));
    let expected = json!({
        "site": "CAS", "fingerprint": fingerprint, "anchor": made["anchor"], "same_set": true,
        "set_digest": made["set_digest"],
    });
    holds(&report["bundle"], &expected);
    let report = theirs.import_whole(first, &[]);
    holds(&report, &json!({ "imported": 0, "unchanged": made["documents"] }));

    let refused = theirs.refuse(third, &[]);
    assert!(refused.contains(&format!("the bundle from {} to", made["anchor"])), "{refused}");
    for bundle in [second, third] {
        let report = theirs.import_whole(bundle, &[]);
        holds(&report["bundle"], &json!({ "same_set": true }));
    }
    theirs.synchronize();
    let updates = theirs.updates();
    assert!(updates.len() > 30, "{}", updates.len());
    assert!(updates == ours.updates(), "{updates:#?}");

    let trusted = theirs.hierarchy.asked(&["catalog", "trusted"]);
    assert!(column(&trusted, "fingerprint").contains(&fingerprint), "{trusted:#}");
    theirs.hierarchy.asked(&["catalog", "distrust", &fingerprint]);
    let refused = theirs.refuse(first, &[]);
    assert!(refused.contains("--trust"), "{refused}");
    assert!(theirs.updates() == updates, "what is here stays");
}
