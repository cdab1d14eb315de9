use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

use tempfile::TempDir;

use super::*;

/// Of no process here, and root's only by name.
const SOMEBODY: u32 = 65_534;

fn directory() -> (TempDir, PathBuf) {
    let outer = TempDir::new().expect("a directory");
    let data = outer.path().join("way/data");
    (outer, data)
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// What is said, with the place of the test taken out.
fn refused(outer: &TempDir, data: &Path) -> String {
    let said = make(data).expect_err("it is refused").to_string();
    said.replace(&outer.path().display().to_string(), "TMP")
}

#[test]
fn a_directory_is_made_for_this_user_alone() {
    let (_outer, data) = directory();
    find(&data).expect_err("it is not there");
    make(&data).expect("made");
    assert_eq!(fs::metadata(&data).expect("there").mode() & 0o7777, 0o700);
    make(&data).expect("it may be there");
    find(&data).expect("it is");
}

#[test]
fn whoever_may_write_to_it_or_on_the_way_is_named_with_the_remedy() {
    let (outer, data) = directory();
    make(&data).expect("made");
    let way = outer.path().join("way");
    for (path, mode) in [(&data, 0o777), (&data, 0o1777), (&data, 0o720), (&way, 0o702)] {
        allow(path, mode);
        let owner = geteuid().as_raw();
        let name = path.strip_prefix(outer.path()).expect("below").display();
        let expected = format!(
            "TMP/{name} can be changed by others (its owner is {owner}, its mode {mode:04o}), and \
             what lies there is believed; run: chmod go-w TMP/{name}"
        );
        assert_eq!(refused(&outer, &data), expected);
        allow(path, 0o700);
    }
    allow(&way, 0o1777);
    make(&data).expect("in such a directory nobody can put another in its place");
}

#[test]
fn whoever_owns_it_or_the_way_is_named_with_the_remedy() {
    let (outer, data) = directory();
    make(&data).expect("made");
    // Only root can give things away; for others the directory is looked at with other eyes.
    if !geteuid().is_root() {
        let found = fs::metadata(&data).expect("there");
        is_owned(&data, &found, SOMEBODY).expect_err("it is somebody else's");
        return;
    }
    let link = outer.path().join("link");
    symlink(&data, &link).expect("linked");
    make(&link).expect("a way of our own");
    for (path, asked) in [(&data, &data), (&data, &link), (&link, &link)] {
        lchown(path, Some(SOMEBODY), None).expect("root may");
        let said = refused(&outer, asked);
        let name = path.strip_prefix(outer.path()).expect("below").display();
        assert!(said.contains("its owner is 65534"), "{said}");
        let remedy = format!("run: chown -h 0 TMP/{name}");
        let as_the_service =
            format!("{remedy}; or, if a service works there, this again with sudo -u '#65534'");
        let remedy = if path == &link { remedy } else { as_the_service };
        assert!(said.ends_with(&remedy), "{said}");
        lchown(path, Some(0), None).expect("root may");
    }
}

#[test]
fn a_way_without_end_is_refused() {
    let (outer, _) = directory();
    let link = outer.path().join("link");
    symlink("./link", &link).expect("linked");
    assert_eq!(refused(&outer, &link.join("data")), "cannot follow TMP/link");
}
