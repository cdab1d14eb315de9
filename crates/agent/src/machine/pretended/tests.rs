use std::collections::BTreeMap;

use expect_test::expect;
use model::Sha256;
use tempfile::TempDir;
use update_metadata::{
    Applicability, Comparison, Document, Outcome, Rule, authoring, evaluate, linux as rules,
};

use super::*;
use crate::machine::look;
use crate::machine::tests::MINUTE;
use crate::world::software;

const WINDOWS: &str = r#"
    architecture = "amd64"
    form = "workstation"
    users = ["ANNA"]
    zone = "Europe/Berlin"

    [files]
    "C:\\Program Files\\Editor\\editor.exe" = { version = "2.0.0.0" }

    [outcomes.KB5034441]
    exit_code = 3010

    [windows]
    major = 10
    build = 22621
    product_type = 1
    installed_once = []
    folders = { 38 = "C:\\Program Files" }

    [windows.registry."software\\acme"]
    version = "1"

    [windows.msi_products.01234567-89ab-cdef-0123-456789abcdef]
    version = "1.5"
    patches = {}
"#;

async fn verdict(machine: &PretendedMachine, document: &Document) -> Applicability {
    let mut facts = machine.facts().await.expect("facts");
    look(machine, document, &mut facts).await.expect("looks");
    evaluate(document, &facts)
}

async fn carry_out(machine: &PretendedMachine, document: &Document) -> Ended {
    let code = |code, restart| (code, Outcome { needs_restart: restart, ..Outcome::SUCCEEDED });
    let codes = BTreeMap::from([code(0, false), code(3010, true)]);
    let installer = authoring::run("setup", "", codes);
    let job = Job { document, installer: &installer, files: Vec::new(), limit: MINUTE };
    machine.install(&job).await.expect("pretends")
}

fn document(installed: Rule) -> Document {
    let mut document = software(1);
    document.rules.is_installable = Some(Rule::Not(Box::new(installed.clone())));
    document.rules.is_installed = Some(installed);
    document
}

#[tokio::test]
async fn an_installation_makes_its_rule_true_and_is_kept() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("facts.toml");
    std::fs::write(&path, "id = \"debian\"\narchitecture = \"amd64\"\n").expect("writes");
    let newer = Some((Comparison::GreaterThanOrEqualTo, "2"));
    let document = document(Rule::And(vec![
        rules::package_installed("p", newer),
        rules::file_exists("/f", Some(Sha256([7; 32]))),
    ]));
    let machine = PretendedMachine::open(&path).expect("opens");
    assert_eq!(verdict(&machine, &document).await, Applicability::Applicable);
    let ended = carry_out(&machine, &document).await;
    assert_eq!(ended, Ended::Exited(0));
    let again = PretendedMachine::open(&path).expect("opens");
    assert_eq!(verdict(&again, &document).await, Applicability::Installed);
}

#[tokio::test]
async fn every_detection_rule_of_windows_is_judged_and_installed() {
    let code = "{89ABCDEF-0123-4567-89AB-CDEF01234567}";
    let known = "{01234567-89AB-CDEF-0123-456789ABCDEF}";
    for rule in [
        authoring::file("C:\\Windows\\a.dll", None, None),
        authoring::file("Editor\\Editor.exe", Some(38), Some("2.1.0.0")),
        authoring::product(code),
        authoring::patch("{1}", known),
        authoring::registry("SOFTWARE\\Acme\\Editor", None),
        authoring::registry("Software\\ACME", Some("Editor")),
        authoring::installed_once(),
    ] {
        let machine = PretendedMachine::read(WINDOWS).expect("reads");
        let document = document(rule.clone());
        assert_eq!(verdict(&machine, &document).await, Applicability::Applicable, "{rule:?}");
        assert_eq!(carry_out(&machine, &document).await, Ended::Exited(0));
        assert_eq!(verdict(&machine, &document).await, Applicability::Installed, "{rule:?}");
    }
    for rule in [
        authoring::file("editor\\editor.exe", Some(38), Some("2.0.0.0")),
        authoring::product(known),
        authoring::registry("SOFTWARE\\Acme", None),
        authoring::registry("Software\\ACME", Some("Version")),
    ] {
        let machine = PretendedMachine::read(WINDOWS).expect("reads");
        let document = document(rule.clone());
        assert_eq!(verdict(&machine, &document).await, Applicability::Installed, "{rule:?}");
    }
}

#[tokio::test]
async fn a_script_says_how_installations_end() {
    let text = format!(
        "architecture = \"amd64\"\n[outcomes.KB1]\nexit_code = 3010\n[outcomes.KB2]\nhangs = true\n\
         [outcomes.KB3]\nexit_code = 17\n[outcomes.{}]\ntakes_effect = false\n",
        software(4).update.id
    );
    let machine = PretendedMachine::read(&text).expect("reads");
    let mut said = String::new();
    for number in 1..=5 {
        let mut document = software(number);
        let path = format!("/{number}");
        document.rules.is_installed = Some(rules::file_exists(&path, None));
        document.properties.kb_articles = vec![number.to_string()];
        let ended = carry_out(&machine, &document).await;
        said += &format!("{number}: {ended:?} {:?}\n", verdict(&machine, &document).await);
    }
    expect![[r#"
        1: Exited(3010) Installed
        2: TimedOut Applicable
        3: Exited(17) Applicable
        4: Exited(0) Applicable
        5: Exited(0) Installed
    "#]]
    .assert_eq(&said);
}

#[tokio::test]
async fn a_computer_is_restarted_told_and_asked() {
    let machine = PretendedMachine::read(WINDOWS).expect("reads");
    assert_eq!((machine.form(), machine.zone().name()), (Form::Workstation, "Europe/Berlin"));
    assert_eq!(machine.users().expect("are known"), ["ANNA"]);
    let text = format!("asks_for_restart = true\n{WINDOWS}");
    let machine = PretendedMachine::read(&text).expect("reads");
    let before = machine.boot().expect("has one");
    assert!(machine.asks_for_restart().expect("is known"));
    for number in 0..=NOTICES_MAX {
        machine.notify(&format!("notice {number}")).await.expect("is told");
    }
    assert_eq!(machine.lock().now.notices.len(), NOTICES_MAX);
    assert_eq!(machine.lock().now.notices[0], "notice 1");
    machine.restart().await.expect("restarts");
    assert!(!machine.asks_for_restart().expect("is known"));
    assert_ne!(machine.boot().expect("has one"), before);
}

#[tokio::test]
async fn behind_a_closed_write_filter_nothing_outlasts_a_restart() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("facts.toml");
    std::fs::write(&path, "architecture = \"amd64\"\nwrite_filter = \"closed\"\n").expect("writes");
    let machine = PretendedMachine::open(&path).expect("opens");
    let document = document(rules::file_exists("/f", None));
    carry_out(&machine, &document).await;
    assert_eq!(verdict(&machine, &document).await, Applicability::Installed);
    machine.restart().await.expect("restarts");
    assert_eq!(verdict(&machine, &document).await, Applicability::Applicable, "it was dropped");
    let asked = async |wish| machine.write_filter(wish).await.expect("answers");
    assert_eq!(asked(Filter::Open).await, FilterState::Closed, "until the next start");
    machine.restart().await.expect("restarts");
    assert_eq!(asked(Filter::Ask).await, FilterState::Open);
    carry_out(&machine, &document).await;
    assert_eq!(asked(Filter::Close).await, FilterState::Open);
    machine.restart().await.expect("restarts");
    assert_eq!(asked(Filter::Ask).await, FilterState::Closed);
    assert_eq!(
        verdict(&machine, &document).await,
        Applicability::Installed,
        "it was written through"
    );
    let again = PretendedMachine::open(&path).expect("opens");
    assert_eq!(again.boot().expect("has one"), "pretended 3");
}

#[test]
fn a_facts_file_with_anything_wrong_is_refused() {
    for wrong in [
        "",
        "architecture = 1",
        "architecture = \"amd64\"\nkernel = 6",
        "architecture = \"amd64\"\nzone = \"Mars/Olympus\"",
        "architecture = \"amd64\"\n[files]\n\"/a\" = \"not hex\"",
        "architecture = \"amd64\"\n[files]\n\"/a\" = { size = \"large\" }",
        "architecture = \"amd64\"\n[windows]\nflavor = 1",
    ] {
        let error = PretendedMachine::read(wrong).expect_err("is refused");
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{wrong:?}");
    }
}
