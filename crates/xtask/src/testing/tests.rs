use super::*;

#[test]
fn report_names_each_skipped_test_and_ends_with_their_count() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    assert_eq!(report(&[]), "skipped: 0\n");
    let skipped = [file("imports_catalogs", "no reference data\n"), file("real::b", "gone")];
    let expected =
        "skipped: imports_catalogs (no reference data)\nskipped: real::b (gone)\nskipped: 2\n";
    assert_eq!(report(&skipped), expected);
}

#[test]
fn missing_tools_are_installed_or_asked_for() {
    let plan = |installer| plan_installation(TOOLS, installer);
    let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
                   gcc libc6-dev python3 python3-venv";
    assert_eq!(plan(Installer::Root).unwrap(), format!("apt-get update && {install}"));
    assert_eq!(
        plan(Installer::Sudo).unwrap(),
        format!("sudo -n apt-get update && sudo -n {install}")
    );
    let request = plan(Installer::Nobody).unwrap_err().to_string();
    assert_eq!(
        request,
        "the tests need gcc libc6-dev python3 python3-venv: install them, then try again"
    );
}
