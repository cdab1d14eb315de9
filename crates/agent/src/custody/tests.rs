use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use tempfile::TempDir;

use super::*;

/// A version of the agent in its place.
fn place() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    let version = directory.path().join("9.1.0");
    fs::create_dir(&version).expect("a directory");
    fs::write(version.join("tierline-agent"), "#!/bin/sh\n").expect("written");
    fs::write(directory.path().join("current"), "{}").expect("written");
    for name in ["", "9.1.0", "9.1.0/tierline-agent", "current"] {
        allow(&directory.path().join(name), 0o700);
    }
    directory
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn whatever_others_can_change_is_named_with_its_remedy() {
    let place = place();
    let whole = place.path();
    check_all(whole).expect("all of it is ours");
    check_all(&whole.join("nowhere")).expect("nobody has what is not there");
    for name in ["", "9.1.0", "9.1.0/tierline-agent", "current"] {
        let path = if name.is_empty() { whole.to_owned() } else { whole.join(name) };
        allow(&path, 0o722);
        let said = check_all(whole).expect_err("others may write").to_string();
        assert!(said.ends_with(&format!("run: chmod go-w {}", path.display())), "{said}");
        assert!(said.contains("its mode 0722"), "{said}");
        allow(&path, 0o700);
        let found = fs::metadata(&path).expect("there");
        if geteuid().is_root() {
            chown(&path, Some(65_534), None).expect("root may");
            let said = check_all(whole).expect_err("it is somebody else's").to_string();
            assert!(said.ends_with(&format!("run: chown 0 {}", path.display())), "{said}");
            chown(&path, Some(0), None).expect("root may");
        } else {
            judge(&path, &found, found.uid() + 1).expect_err("it is somebody else's");
        }
    }
}

#[test]
fn a_link_out_of_it_is_not_followed() {
    let place = place();
    let link = place.path().join("9.2.0");
    symlink("/tmp", &link).expect("linked");
    let said = check_all(place.path()).expect_err("it leads elsewhere").to_string();
    assert!(said.ends_with(&format!("run: rm {}", link.display())), "{said}");
}
