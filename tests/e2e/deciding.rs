//! What goes where and when, decided at the command line alone: by hand, by a rule, in phases, and
//! within windows. Each answer is asked for as JSON and checked for what it must hold.

use std::path::Path;

use ambient::Ambient;
use model::{Timestamp, UpdateId};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::sample::{Sample, sample};
use update_metadata::{Document, UpdateKind};

use crate::harness::{Hierarchy, column, holds, text};
use crate::main_job::{AGENT, DP, Plant, write_catalog};

/// How long a command waits that waits.
const WAIT: [&str; 3] = ["--wait", "--timeout", "60s"];

/// What computers require and nobody has deployed, once the top has heard of it.
fn needed(hierarchy: &Hierarchy) -> Value {
    let query = "required > 0 and not deployed and not superseded and product like \"%Linux%\"";
    let mut found = Value::Null;
    hierarchy.wait_until("the top knows what is required", || {
        found = hierarchy.asked(&["update", "list", "--where", query]);
        found.as_array().is_some_and(|rows| !rows.is_empty())
    });
    found
}

/// What a client finds without a deployment it says within a quarter of an hour, unless its site
/// is configured otherwise.
fn report_at_once(plant: &mut Plant) {
    plant.stop("PR1");
    let config = plant.hierarchy.site_config("PR1", 7540);
    let text = std::fs::read_to_string(&config).expect("it was written");
    let config =
        plant.hierarchy.config("PR1", &format!("{text}\n[clients]\nstate_batch = \"0s\"\n"));
    plant.processes.push(("PR1", plant.hierarchy.start("tierline-primary", &config)));
}

/// The id of the one client, once its site knows it.
fn client(hierarchy: &Hierarchy) -> String {
    let mut found = Value::Null;
    hierarchy.wait_until("the site knows the client", || {
        found = hierarchy.asked(&["client", "list", "--server", &hierarchy.url(7540)]);
        found.as_array().is_some_and(|rows| rows.len() == 1)
    });
    holds(&found[0], &json!({ "name": "host-1", "site": "PR1", "kind": "agent" }));
    text(&found[0], "id")
}

#[test]
fn an_administrator_decides_by_hand_and_is_told_why_it_arrived() {
    let mut plant = Plant::new();
    report_at_once(&mut plant);
    plant.synchronize();
    plant.start(AGENT);
    let (hierarchy, real) = (&plant.hierarchy, plant.sample.real.to_string());
    let found = needed(hierarchy);
    assert_eq!(column(&found, "id"), [real.as_str()]);
    let update = json!({
        "classification": "Security Updates", "required": 1, "installed": 0, "deployed": false,
        "superseded": false, "expired": false, "declined": false, "mark": "missing",
    });
    holds(&found[0], &update);

    let group = text(&hierarchy.asked(&["group", "create", "May", "--update", &real]), "code");
    let shown = hierarchy.asked(&["group", "show", &group]);
    holds(&shown, &json!({ "owner": "CAS", "updates": 1, "missing": 1, "mark": "missing" }));
    assert_eq!(column(&shown["members"], "id"), [real.as_str()]);

    let package = text(&hierarchy.asked(&["package", "create", "May"]), "code");
    // What nobody has fetched is not deployed.
    let early = ["deployment", "create", "May", "--group", &group];
    let refused = hierarchy.refused("tierline", &early);
    assert!(refused.contains("--new-package") && refused.contains(&real), "{refused}");
    let download = ["package", "download", &package, "--group", &group];
    let full = hierarchy.asked(&[&download[..], &WAIT].concat());
    holds(&full, &json!({ "code": package, "missing": 0, "missing_files": [] }));
    assert_eq!(column(&full["files"], "name"), ["install.sh"]);
    let distribute = ["package", "distribute", &package, "--dp", "PR1-DP"];
    let spread = hierarchy.asked(&[&distribute[..], &WAIT].concat());
    assert_eq!(column(&spread, "dp"), ["PR1-DP"]);
    holds(&spread[0], &json!({ "state": "installed", "verified": true, "files": 1 }));
    holds(&hierarchy.asked(&["group", "show", &group]), &json!({ "missing": 0, "mark": "normal" }));

    let made = hierarchy.asked(&early);
    let deployment = text(&made, "id");
    holds(&made, &json!({ "wanted": 0, "package": "" }));
    holds(&made["parts"][0], &json!({ "id": deployment, "group": group, "updates": 1 }));
    arrives(&plant, &deployment);
    explained(&plant, &deployment);
}

/// The deployment is installed once, and the top says so.
fn arrives(plant: &Plant, deployment: &str) {
    let (hierarchy, real) = (&plant.hierarchy, plant.sample.real.to_string());
    let ended = hierarchy.asked(&[&["deployment", "status", deployment][..], &WAIT].concat());
    holds(&ended, &json!({ "id": deployment, "in_progress": 0, "unknown": 0, "failed": 0 }));
    plant.complies(deployment);
    let status = hierarchy.asked(&["deployment", "status", deployment]);
    holds(&status, &json!({ "targeted": 1, "compliant": 1, "in_progress": 0, "failed": 0 }));
    holds(&status["updates"][0], &json!({ "id": real, "installed": 1, "required": 0 }));
    let update = json!({ "installed": 1, "required": 0, "deployed": true, "mark": "normal" });
    holds(&hierarchy.asked(&["update", "show", &real]), &update);
}

/// The site of the client says of every step that nothing is in the way; the top says of what only
/// that site knows where to ask. What stops an update is named with what helps.
fn explained(plant: &Plant, deployment: &str) {
    let hierarchy = &plant.hierarchy;
    let (id, real) = (client(hierarchy), plant.sample.real.to_string());
    let explain = |update: &str, port: u16| {
        let answer = ["explain", update, &id, "--server", &hierarchy.url(port)];
        hierarchy.asked(&answer)["steps"].take()
    };
    let verdicts = |steps: &Value| -> Vec<(String, String)> {
        column(steps, "step").into_iter().zip(column(steps, "verdict")).collect()
    };
    let whole = explain(&real, 7540);
    for name in [
        "catalog",
        "choice",
        "standing",
        "client",
        "scan",
        "state",
        "group",
        "deployment",
        "settings",
        "window",
        "policy",
        "package",
        "content",
    ] {
        assert!(column(&whole, "step").iter().any(|step| step == name), "{name}: {whole:#}");
    }
    assert!(verdicts(&whole).iter().all(|(_, verdict)| verdict == "yes"), "{whole:#}");
    assert!(column(&whole, "says").iter().any(|says| says.contains(deployment)), "{whole:#}");

    let at_the_top = explain(&real, 7440);
    let others: Vec<_> =
        verdicts(&at_the_top).into_iter().filter(|(_, verdict)| verdict != "yes").collect();
    let unknown = ["policy", "content"].map(|name| (name.to_owned(), "unknown".to_owned()));
    assert_eq!(others, unknown, "{at_the_top:#}");

    let expired = plant.sample.documents.iter().find(|d| d.properties.is_expired);
    let expired = expired.expect("the sample has one").update.id.to_string();
    let steps = explain(&expired, 7540);
    for name in ["expiry", "group"] {
        let all = steps.as_array().expect("steps");
        let step = all.iter().find(|step| step["step"] == name).expect("it is told");
        assert!(step["verdict"] == "no" && step["remedy"] != "", "{step:#}");
    }
}

/// News among the catalog's old updates: which of it a monthly rule takes, and what it leaves.
struct News {
    documents: Vec<Document>,
    taken: Vec<String>,
    expired: String,
    superseded: String,
    declined: String,
}

impl News {
    fn new() -> News {
        let ambient = Ambient::system();
        // None of it is installed here.
        let sample = sample(Path::new("/nowhere"));
        let again = |title: &str| again(&sample, &ambient, title);
        let [security, critical] =
            ["tierline-sample-2 1.2-2", "tierline-sample-3 1.3-2"].map(again);
        let (mut expired, plain) =
            (again("tierline-sample-0 1.0-2"), again("tierline-sample-4 1.4-2"));
        let (old, mut new) = (again("tierline-sample-5 1.5-2"), again("tierline-sample-6 1.6-2"));
        let declined = again("Update for Sample Part 4");
        expired.properties.is_expired = true;
        new.relations.superseded = vec![old.update.id];
        let id = |document: &Document| document.update.id.to_string();
        let mut taken = [&security, &critical, &new].map(id).to_vec();
        taken.sort();
        let (left, superseded, unwanted) = (id(&expired), id(&old), id(&declined));
        let categories = sample.documents.iter();
        let categories = categories.filter(|d| d.properties.kind == UpdateKind::Category).cloned();
        let documents = categories.chain([security, critical, expired, plain, old, new, declined]);
        let documents = documents.collect();
        News { documents, taken, expired: left, superseded, declined: unwanted }
    }
}

/// An update of the sample as another one of today.
fn again(sample: &Sample, ambient: &Ambient, title: &str) -> Document {
    let titled = sample.documents.iter().find(|document| document.texts[0].title == title);
    let mut document = titled.expect("the sample has it").clone();
    document.update.id = UpdateId(ambient.random_id());
    document.properties.created_at = Timestamp(ambient.now_ms());
    document
}

#[test]
fn a_rule_takes_the_news_of_the_month_and_nothing_outdated() {
    let (directory, news) = (TempDir::new().expect("a directory"), News::new());
    let catalog = directory.path().join("news.zip");
    write_catalog(&catalog, &news.documents);
    let mut plant = Plant::of_update_points(&[catalog]);
    plant.join_role(DP, "dp", &plant.dp_config());
    plant.start(DP);
    plant.synchronize();
    let hierarchy = &plant.hierarchy;
    let listed = hierarchy.asked(&["update", "list", "--where", "released > 30d"]);
    assert_eq!(column(&listed, "id").len(), 7, "{listed:#}");
    let declined = hierarchy.asked(&["update", "decline", &news.declined]);
    holds(&declined, &json!({ "declined": 1, "unchanged": 0 }));

    let create = ["rule", "create", "Patches", "--template", "patch-tuesday"];
    let to = ["--collection", "SMS00001", "--point", "PR1-DP"];
    let made = hierarchy.asked(&[&create[..], &to].concat());
    let rule = text(&made, "code");
    assert_eq!(made["runs"].as_array().map(Vec::len), Some(5), "{made:#}");
    let mut previewed = column(&hierarchy.asked(&["rule", "preview", &rule]), "id");
    previewed.sort();
    assert_eq!(previewed, news.taken);
    let nothing = hierarchy.asked(&["group", "list"]);
    assert_eq!(nothing, json!([]), "a preview makes nothing");

    let ended = hierarchy.asked(&[&["rule", "run", &rule][..], &WAIT].concat());
    holds(&ended, &json!({ "reason": "asked", "outcome": "succeeded", "updates": 3, "code": 0 }));
    let steps = hierarchy.asked(&["rule", "steps", &rule]);
    assert_eq!(column(&steps["steps"], "what"), column(&ended["steps"], "what"));
    for (what, result) in
        [("evaluate", "done"), ("group", "done"), ("deploy", "done"), ("content", "done")]
    {
        let steps = steps["steps"].as_array().expect("steps");
        let found = steps.iter().rfind(|step| step["what"] == what).expect("it is told");
        holds(found, &json!({ "result": result }));
    }
    ruled(hierarchy, &rule, &news);
}

/// What a run made is whole, and holds nothing that may not be deployed.
fn ruled(hierarchy: &Hierarchy, rule: &str, news: &News) {
    let shown = hierarchy.asked(&["rule", "show", rule]);
    let (group, package) = (text(&shown, "group"), text(&shown, "package"));
    let made = hierarchy.asked(&["group", "show", &group]);
    let mut members = column(&made["members"], "id");
    members.sort();
    assert_eq!(members, news.taken);
    let clean = json!({
        "updates": 3, "superseded": 0, "expired": 0, "declined": 0, "missing": 0,
        "mark": "normal", "origin": format!("rule {rule}"),
    });
    holds(&made, &clean);
    let deployed = &shown["deployments"][0]["deployed"];
    let deployment = deployed[0].as_str().unwrap_or_else(|| panic!("none in {shown:#}"));
    let told = hierarchy.asked(&["deployment", "show", deployment]);
    let expected = json!({
        "group": group, "collection": "SMS00001", "intent": "required", "enabled": true,
        "superseded": 0, "expired": 0, "declined": 0, "missing": 0, "mark": "normal",
        "origin": format!("rule {rule}"), "has_packages": true,
    });
    holds(&told, &expected);
    let time = |name| text(&told, name).parse::<Timestamp>().expect("a time in RFC 3339");
    assert_eq!(time("deadline").0 - time("available_at").0, 7 * 24 * 60 * 60 * 1000);
    hierarchy.wait_until("the package is at the distribution point", || {
        let status = hierarchy.asked(&["content", "status", &package]);
        status[0]["dp"] == "PR1-DP" && status[0]["verified"] == true
    });
    // By hand neither, and a group that a rule fills has no phases.
    for (update, word) in
        [(&news.expired, "expired"), (&news.superseded, "superseded"), (&news.declined, "declined")]
    {
        let create = ["group", "create", "By hand", "--update", update];
        let refused = hierarchy.refused("tierline", &create);
        assert!(refused.contains(update.as_str()) && refused.contains(word), "{refused}");
    }
    let phases = ["--phase", "SMS00001", "--phase", "SMS00002"];
    let phased = [&["phased", "create", "Patches", "--group", &group][..], &phases].concat();
    let refused = hierarchy.refused("tierline", &phased);
    assert!(refused.contains(rule), "{refused}");
}

#[test]
fn phases_windows_and_settings_reach_a_collection() {
    let mut plant = Plant::new();
    plant.synchronize();
    plant.start(AGENT);
    let group = plant.distribute();
    let hierarchy = &plant.hierarchy;
    let client = client(hierarchy);
    let query = "name = \"host-1\" and kind = \"agent\"";
    let pilots = hierarchy.asked(&["collection", "create", "Pilots", "--where", query]);
    let pilots = text(&pilots, "code");
    hierarchy.wait_until("the collection has the client", || {
        let members = hierarchy.asked(&["collection", "members", &pilots]);
        column(&members, "id") == [client.as_str()]
    });
    phased(&plant, &group, &pilots);
    windows(hierarchy, &client, &pilots);
}

fn phased(plant: &Plant, group: &str, pilots: &str) {
    let hierarchy = &plant.hierarchy;
    let first = format!("{pilots},name=Pilots,success=90%,after=2,deadline=asap");
    let second = "SMS00001,gradual=5,deadline=7";
    let create = ["phased", "create", "May", "--group", group, "--pause-above", "10"];
    let phases = ["--phase", &first, "--phase", second];
    let previewed = hierarchy.asked(&[&create[..], &phases, &["--preview"]].concat());
    holds(&previewed, &json!({ "code": "" }));
    let made = hierarchy.asked(&[&create[..], &phases].concat());
    let code = text(&made, "code");
    let expected =
        json!({ "name": "Pilots", "success": "90 %", "next": "after 2 days", "deadline": "asap" });
    holds(&made["phases"][0], &expected);
    let expected = json!({ "state": "waiting", "gradual_days": 5, "deadline": "7 days" });
    holds(&made["phases"][1], &expected);
    let show = || hierarchy.asked(&["phased", "show", &code]);
    hierarchy.wait_until("the first phase complies", || show()["phases"][0]["compliant"] == 1);
    assert_eq!(plant.runs(), 1, "installed exactly once");

    let paused = hierarchy.asked(&["phased", "pause", &code, "--reason", "printers fail"]);
    holds(&paused, &json!({ "state": "paused", "phase": 1, "pause_above": 10 }));
    assert!(text(&paused, "reason").starts_with("printers fail (by "), "{paused:#}");
    let refused = hierarchy.refused("tierline", &["phased", "next", &code]);
    assert!(refused.contains("paused"), "{refused}");
    holds(&hierarchy.asked(&["phased", "list"])[0], &json!({ "code": code, "state": "paused" }));
    let resumed = hierarchy.asked(&["phased", "resume", &code]);
    holds(&resumed, &json!({ "state": "running", "reason": "", "phase": 1 }));
    succeeded(hierarchy, (&code, pilots));
}

/// A phased deployment that goes on is counted at once: its first phase has succeeded, and the
/// second one waits its days, with nobody left for it.
fn succeeded(hierarchy: &Hierarchy, (code, pilots): (&str, &str)) {
    let mut phases = Value::Null;
    hierarchy.wait_until("the first phase has succeeded", || {
        phases = hierarchy.asked(&["phased", "show", code])["phases"].take();
        phases[0]["state"] == "succeeded"
    });
    let [first, second] = [&phases[0], &phases[1]];
    holds(first, &json!({ "targeted": 1, "compliant": 1, "failed": 0 }));
    holds(second, &json!({ "state": "waiting", "deployment": "", "targeted": 0 }));
    let time = |value: &Value, name| text(value, name).parse::<Timestamp>().expect("a time");
    let days = time(second, "earliest").0 - time(first, "succeeded_at").0;
    assert_eq!(days, 2 * 24 * 60 * 60 * 1000);
    let told = hierarchy.asked(&["deployment", "show", &text(first, "deployment")]);
    holds(&told, &json!({ "collection": pilots, "origin": format!("phase {code} 1") }));
}

fn windows(hierarchy: &Hierarchy, client: &str, pilots: &str) {
    let at = "0 22 * * TUE#2 plus 3 days in Europe/Berlin";
    let create = ["window", "create", "Nights", pilots, "--at", at, "--minutes", "240"];
    let made = hierarchy.asked(&create);
    let window = text(&made, "code");
    holds(&made, &json!({ "collection": pilots, "at": at, "minutes": 240, "enabled": true }));
    let next = made["next"].as_array().expect("times");
    let is_night = |shown: &Value| shown.as_str().is_some_and(|text| text.contains(" 22:00 CE"));
    assert!(next.len() == 5 && next.iter().all(is_night), "{made:#}");
    let spans = hierarchy.asked(&["window", "next", "--client", client, "--minutes", "240"]);
    assert_eq!(spans.as_array().map(Vec::len), Some(5), "{spans:#}");
    holds(&spans[0], &json!({ "minutes": 240, "windows": [window] }));
    let none = hierarchy.asked(&["window", "next", "--client", client, "--minutes", "241"]);
    assert_eq!(none, json!([]), "what does not fit is never begun");

    let create = ["client-settings", "create", "Pilots", "--order", "10"];
    let values = ["--set", "metered=limit", "--set", "restart.delay=120"];
    let profile = text(&hierarchy.asked(&[&create[..], &values].concat()), "code");
    let resultant = || {
        let rows = hierarchy.asked(&["client-settings", "resultant", client]);
        let row = |name: &str| {
            let rows = rows.as_array().expect("rows");
            rows.iter().find(|row| row["name"] == name).expect("the setting").clone()
        };
        ["metered", "restart.delay", "policy.poll"].map(row)
    };
    holds(&resultant()[0], &json!({ "value": "block", "profile": "default" }));
    let deployed = hierarchy.asked(&["client-settings", "deploy", &profile, "--to", pilots]);
    holds(&deployed, &json!({ "order": 10, "collections": [pilots], "settings": 2 }));
    let [metered, delay, poll] = resultant();
    holds(&metered, &json!({ "value": "limit", "profile": profile, "default": "block" }));
    holds(&delay, &json!({ "value": "120", "profile_name": "Pilots", "default": "90" }));
    holds(&poll, &json!({ "value": "60", "profile": "default" }));
    // A restart that is put off past the end of the window would never come.
    let short = ["window", "create", "Short", pilots, "--at", at, "--minutes", "120"];
    let refused = hierarchy.refused("tierline", &short);
    assert!(refused.contains("restart.delay"), "{refused}");
}
