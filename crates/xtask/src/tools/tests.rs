use super::*;

#[test]
fn missing_tools_are_installed_or_asked_for() {
    let tool = |packages| Tool { program: "none", probe: &[], packages };
    let missing = [tool("gcc libc6-dev"), tool("python3")];
    let plan = |installer| plan_installation(&missing, installer);
    let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
                   gcc libc6-dev python3";
    assert_eq!(plan(Installer::Root).unwrap(), format!("apt-get update && {install}"));
    assert_eq!(
        plan(Installer::Sudo).unwrap(),
        format!("sudo -n apt-get update && sudo -n {install}")
    );
    let request = plan(Installer::Nobody).unwrap_err().to_string();
    assert_eq!(request, "this needs gcc libc6-dev python3: install them, then try again");
}
