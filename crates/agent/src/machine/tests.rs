use std::sync::Arc;

use ambient::Ambient;
use content_library::{ContentLibrary, Expected};
use expect_test::expect;
use model::{AssignedFile, Sha256};
use sqlite_engine::Executor;
use tempfile::TempDir;
use update_metadata::{Comparison, Outcome, Rule, System, evaluate, linux as rules};

use super::*;
use crate::digest::sha256;
use crate::world::software;

#[test]
fn a_linux_system_describes_itself() {
    let os = linux::read_os_release("NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n");
    assert_eq!((os.id.as_str(), os.version_id.as_deref()), ("debian", Some("12")));
    let status = "Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\n\
                  Package: b\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                  Package: c\nDescription: none\n";
    expect![[r#"{"a": "1:2-3"}"#]].assert_eq(&format!("{:?}", linux::read_dpkg_status(status)));
    let words = linux::split_arguments(r#" -a "b c"  d'e f' '' "#);
    expect![[r#"["-a", "b c", "de f", ""]"#]].assert_eq(&format!("{words:?}"));
}

/// Runs `script` as an update's installer; `named` is what policy names it by.
async fn install(script: &str, program: &str, named: &str) -> io::Result<i32> {
    let directory = TempDir::new().expect("a directory");
    let library = ContentLibrary::open(Ambient::seeded(1, 0), directory.path(), Executor::Inline)
        .expect("opens");
    let expected = Expected { name: "setup".to_owned(), size: None, sha256: None, sha1: None };
    let record =
        library.import(expected, io::Cursor::new(script.to_owned())).await.expect("is taken");
    let reader = library.open_file(record.sha256).await.expect("is there");
    let (name, sha256) = ("setup".to_owned(), sha256(named.as_bytes()));
    let file = AssignedFile { name, size: record.size, sha256 };
    let command = CommandLine {
        program: program.to_owned(),
        arguments: "'a b' c".to_owned(),
        return_codes: [].into(),
        default_outcome: Outcome::FAILED,
    };
    let document = software(1);
    let job = Job { document: &document, command: &command, files: vec![(&file, reader)] };
    LinuxMachine::new(directory.path()).install(&job).await
}

#[tokio::test]
async fn an_installer_runs_on_the_bytes_that_policy_names_and_nothing_else() {
    let script = "#!/bin/sh\n[ \"$1,$2\" = 'a b,c' ] && [ -z \"$HOME\" ] && exit 7\nexit 1\n";
    assert_eq!(install(script, "setup", script).await.expect("runs"), 7);
    let killed = "#!/bin/sh\nkill -9 $$\n";
    assert_eq!(install(killed, "setup", killed).await.expect("runs"), 137);
    assert_eq!(install(script, "/bin/false", script).await.expect("runs"), 1);
    let altered = install(script, "setup", killed).await.expect_err("refused");
    assert_eq!(altered.kind(), io::ErrorKind::InvalidData);
    for program in ["other", "../setup"] {
        let refused = install(script, program, script).await.expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{program}");
    }
}

#[tokio::test]
async fn a_pretended_installation_makes_its_rule_true_and_is_kept() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("facts.toml");
    std::fs::write(&path, "id = \"debian\"\narchitecture = \"amd64\"\n").expect("writes");
    let mut document = software(1);
    let newer = Some((Comparison::GreaterThanOrEqualTo, "2"));
    document.rules.is_installed = Some(Rule::And(vec![
        rules::package_installed("p", newer),
        rules::file_exists("/f", Some(Sha256([7; 32]))),
    ]));
    let verdict = |machine: &PretendedMachine| {
        let mut facts = machine.facts().expect("facts");
        assert!(matches!(facts.system, System::Linux(_)));
        look(machine, &document, &mut facts).expect("looks");
        evaluate(&document, &facts)
    };
    let machine = Arc::new(PretendedMachine::open(&path).expect("opens"));
    assert_eq!(verdict(&machine), update_metadata::Applicability::Applicable);
    let command = CommandLine {
        program: String::new(),
        arguments: String::new(),
        return_codes: [].into(),
        default_outcome: Outcome::FAILED,
    };
    let job = Job { document: &document, command: &command, files: Vec::new() };
    assert_eq!(machine.install(&job).await.expect("pretends"), 0);
    let again = PretendedMachine::open(&path).expect("opens");
    assert_eq!(verdict(&again), update_metadata::Applicability::Installed);
}
