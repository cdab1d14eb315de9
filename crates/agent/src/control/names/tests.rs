use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;

/// A computer whose directory is this script.
fn computer(script: &str) -> (TempDir, Names) {
    let directory = TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let users = "root:x:0:0::/:/bin/sh\nbroken\nalice:x:1000:1000::/home/alice:/bin/sh\n";
    fs::write(at("passwd"), users).expect("writes");
    fs::write(at("group"), "root:x:0:\nsudo:x:27:alice\nbad\n").expect("writes");
    let script = format!("#!/bin/sh\necho asked >> {}\n{script}\n", at("asked").display());
    fs::write(at("getent"), script).expect("writes");
    fs::set_permissions(at("getent"), Permissions::from_mode(0o755)).expect("may");
    let names = Names::at(at("passwd"), at("group"), at("getent"));
    (directory, names)
}

fn asked(directory: &TempDir) -> usize {
    let asked = fs::read_to_string(directory.path().join("asked"));
    asked.map_or(0, |asked| asked.lines().count())
}

const DIRECTORY: &str = "case \"$2 $3\" in\n\
    'passwd 70001') echo 'carol@corp:*:70001:70000::/home/carol:/bin/sh';;\n\
    'group site admins') echo 'site admins:*:70010:';;\n\
    *) exit 2;;\nesac";

#[tokio::test]
async fn users_and_groups_are_called_by_their_names_wherever_those_are_kept() {
    let (directory, names) = computer(DIRECTORY);
    assert_eq!(names.user(1000).await, "alice");
    assert_eq!(names.group("sudo").await, Some(27));
    assert_eq!(names.group("70010").await, Some(70_010), "a number is a group, too");
    assert_eq!(asked(&directory), 0, "files come first");
    assert_eq!(names.user(70_001).await, "carol@corp");
    assert_eq!(names.group("site admins").await, Some(70_010));
    assert_eq!(names.user(70_002).await, "user 70002");
    assert_eq!(names.group("wheel").await, None);
    assert_eq!(asked(&directory), 4);
    names.user(70_001).await;
    names.group("wheel").await;
    assert_eq!(asked(&directory), 4, "answers are remembered for a while");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_does_not_answer_is_not_waited_for_long() {
    let (_directory, names) = computer("exec sleep 1000");
    let begun = Instant::now();
    assert_eq!(names.group("wheel").await, None);
    assert_eq!(begun.elapsed().as_secs(), NAME_WAIT.as_secs());
    assert_eq!(names.group("wheel").await, None);
    assert_eq!(begun.elapsed().as_secs(), NAME_WAIT.as_secs(), "it is not asked again at once");
}

#[tokio::test]
async fn where_nothing_can_be_asked_files_do() {
    let names = Names::at("/nowhere", "/nowhere", "/nowhere");
    assert_eq!((names.user(5).await, names.group("wheel").await), ("user 5".to_owned(), None));
}
