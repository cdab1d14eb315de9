use expect_test::expect;

use super::*;

fn handlers(install: &[(&str, &str)]) -> HandlersSection {
    let install = install.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    HandlersSection { install: install.collect() }
}

#[test]
fn what_is_written_adds_to_the_handlers_and_takes_away() {
    let written = handlers(&[("MSI", "/usr/bin/msiexec /i {file} /qn {arguments}"), ("rpm", "")]);
    let setup = Setup::validate(&MachineSection::default(), &written, &mut |key, reason| {
        panic!("{key}: {reason}")
    });
    let setup = setup.expect("is valid");
    assert_eq!(setup.install.keys().collect::<Vec<_>>(), ["deb", "msi"]);
    assert_eq!(setup.install["msi"].len(), 5);
    assert_eq!(setup.at("/etc/os-release"), Path::new("/etc/os-release"));
}

#[test]
fn every_problem_is_named() {
    let machine = MachineSection {
        root: "root".to_owned(),
        form: "tablet".to_owned(),
        notify: "wall".to_owned(),
        restart_flags: vec!["flag".to_owned()],
        ..MachineSection::default()
    };
    let mut problems = String::new();
    let mut note = |key: &str, reason: String| problems += &format!("{key}: {reason}\n");
    assert!(Setup::validate(&machine, &handlers(&[("deb", "dpkg -i")]), &mut note).is_none());
    expect![[r#"
        machine.notify: "wall" is not the absolute path of a program
        handlers.install.deb: "dpkg" is not the absolute path of a program
        machine.root: "root" is not absolute
        machine.restart_flags: "flag" is not absolute
        machine.form: "tablet" is neither server nor workstation
    "#]]
    .assert_eq(&problems);
    let patient = Setup::default().stopping_after(Duration::MAX);
    assert_eq!(patient.stop_grace, limits::STOP_GRACE_MAX);
}
