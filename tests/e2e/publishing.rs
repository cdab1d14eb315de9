//! An update of one's own, from a file at the command line to the computer that runs it.

use std::fs;
use std::path::Path;

use serde_json::json;
use testkit::sample::sha256;

use crate::harness::{holds, text};
use crate::main_job::{AGENT, Plant};

/// What the update leaves behind.
const FIXED: &str = "fixed\n";

/// Adds a line per run, and ends with a code that means success because the publisher says so.
const SCRIPT: &str = "#!/bin/sh\necho run >> \"$1/runs.log\"\necho fixed > \"$1/fixed\"\nexit 7\n";

/// The script in a directory of its own, and the answers that publish it.
fn publish(plant: &Plant, directory: &Path) -> serde_json::Value {
    let script = directory.join("fix.sh");
    fs::create_dir(directory).expect("a directory can be made");
    fs::write(&script, SCRIPT).expect("a file can be written");
    let detect = format!("file={}@{}", directory.join("fixed").display(), sha256(FIXED.as_bytes()));
    let [script, directory] = [&script, directory].map(|path| path.to_str().expect("it is text"));
    let answers = [
        ("--title", "Editor fix"),
        ("--vendor", "Acme"),
        ("--product", "Editor"),
        ("--classification", "Security Updates"),
        ("--severity", "important"),
        ("--arguments", directory),
        ("--detect", &detect),
        ("--return-code", "7=success"),
        ("--timeout", "60s"),
    ];
    let answers = answers.iter().flat_map(|(option, value)| [*option, *value]);
    plant
        .hierarchy
        .asked(&["update", "publish", script].into_iter().chain(answers).collect::<Vec<_>>())
}

/// Waits until the top counts the one client as compliant, and looks what really happened.
fn installed_once(plant: &Plant, deployment: &str, directory: &Path) {
    plant.hierarchy.wait_until("the top counts the client", || {
        let row = plant.hierarchy.asked(&["compliance", "deployment", deployment]);
        row["compliant"] == 1 && row["targeted"] == 1
    });
    let read = |name| fs::read_to_string(directory.join(name)).expect("the script left it");
    assert_eq!((read("fixed"), read("runs.log")), (FIXED.to_owned(), "run\n".to_owned()));
}

#[test]
fn a_published_script_is_installed_exactly_once() {
    let mut plant = Plant::new();
    plant.start(AGENT);
    let directory = plant.hierarchy.data("editor");
    let shown = publish(&plant, &directory);
    let expected = json!({
        "title": "Editor fix", "revision": 1, "classification": "Security Updates",
        "third_party": true, "metadata_only": false, "mark": "missing", "company": "Acme",
        "products": ["Editor"], "deployed": false,
    });
    holds(&shown, &expected);
    holds(&shown["files"][0], &json!({ "name": "fix.sh", "size_bytes": SCRIPT.len() }));

    let hierarchy = &plant.hierarchy;
    let update = text(&shown, "id");
    let group = text(&hierarchy.asked(&["group", "create", "Fix", "--update", &update]), "code");
    let create = ["deployment", "create", "Fix", "--group", &group, "--new-package", "Fix"];
    let made = hierarchy.asked(&create);
    assert_eq!(made["wanted"], 1, "{made:#}");
    installed_once(&plant, &text(&made, "id"), &directory);
    let package = hierarchy.asked(&["package", "show", &text(&made, "package")]);
    holds(&package, &json!({ "name": "Fix", "missing": 0 }));
    holds(&package["points"][0], &json!({ "dp": "PR1-DP", "verified": true }));
    holds(
        &hierarchy.asked(&["update", "show", &update]),
        &json!({ "installed": 1, "required": 0 }),
    );

    // What is there already is not run again by another deployment.
    let again = hierarchy.asked(&["deployment", "create", "Again", "--group", &group]);
    installed_once(&plant, &text(&again, "id"), &directory);
}
