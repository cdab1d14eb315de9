//! What a person at an agent's computer types, as a process beside the agent that runs.

use std::process::Output;

use serde_json::Value;

use crate::main_job::{AGENT, Plant};

/// Runs a verb as a person would; answers with its exit code, output and errors.
fn run(plant: &Plant, verb: &[&str]) -> (Option<i32>, String, String) {
    let config = plant.agent_config();
    let config = config.to_str().expect("the path is text");
    let arguments = [&["--config", config], verb].concat();
    let Output { status, stdout, stderr } = plant.hierarchy.run(AGENT, &arguments);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

fn asked(plant: &Plant, verb: &[&str]) -> Value {
    let (code, output, error) = run(plant, &[verb, &["-o", "json"]].concat());
    assert_eq!(code, Some(0), "{verb:?}: {error}");
    serde_json::from_str(&output).expect("output is JSON")
}

/// Of an agent that has installed the one update of its one deployment.
pub(crate) fn answers_after_an_installation(plant: &Plant) {
    let status = asked(plant, &["status"]);
    assert!(status["policy_version"].as_u64().is_some_and(|version| version > 0), "{status:#}");
    assert_eq!(status["deployments"][0]["state"], "compliant", "{status:#}");
    let history = asked(plant, &["history"]);
    let rows = history.as_array().expect("rows");
    let installed = rows.iter().find(|row| row["kind"] == "installation");
    let installed = installed.unwrap_or_else(|| panic!("no installation: {history:#}"));
    assert_eq!((&installed["what"], &installed["code"]), (&"installed".into(), &"0".into()));
    let update = installed["update"].as_str().expect("an id");
    let explained = asked(plant, &["explain", update]);
    assert_eq!(
        (&explained["applicability"], &explained["attempts"]),
        (&"installed".into(), &1.into())
    );

    let (code, output, _) = run(plant, &["scan", "--evaluate"]);
    assert_eq!((code, output.starts_with("the scan begins")), (Some(0), true), "{output}");
    let (code, _, error) = run(plant, &["hide", update]);
    assert_eq!((code, error.contains("is required")), (Some(1), true), "{error}");
    let (code, _, error) = run(plant, &["install", "everything"]);
    assert_eq!((code, error.contains("is not a UUID")), (Some(2), true), "{error}");
}

/// Once the agent is gone.
pub(crate) fn says_that_nobody_answers(plant: &Plant) {
    let (code, output, error) = run(plant, &["status"]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(error.contains("no agent answers at"), "{error}");
    assert!(error.contains("remedy: start it with"), "{error}");
}
