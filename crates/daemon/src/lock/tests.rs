use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;

#[test]
fn a_second_process_is_refused_by_the_name_of_the_first() {
    let data = TempDir::new().expect("a directory");
    let first = Lock::of(data.path()).expect("free");
    let said = Lock::of(data.path()).expect_err("held").to_string();
    let (id, path) = (std::process::id(), data.path().display());
    let expected =
        format!("process {id} works in {path} already; stop it first, or name another directory");
    assert_eq!(said, expected);
    first.let_go().expect("it is held");
    let second = Lock::of(data.path()).expect("free");
    first.take().expect_err("held by the second");
    drop(second);
    first.take().expect("free again");
}

#[test]
fn a_program_that_the_process_starts_does_not_hold_it() {
    let data = TempDir::new().expect("a directory");
    let lock = Lock::of(data.path()).expect("free");
    let mut cat = Command::new("cat");
    let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
    drop(lock);
    Lock::of(data.path()).expect("free, although the child runs");
    drop(child.stdin.take());
    child.wait().expect("it ends");
}

#[test]
fn who_holds_it_is_not_said_by_whoever_wrote_nonsense() {
    let data = TempDir::new().expect("a directory");
    let _held = Lock::of(data.path()).expect("free");
    std::fs::write(data.path().join("lock"), "x".repeat(1_000)).expect("written");
    let said = Lock::of(data.path()).expect_err("held").to_string();
    assert!(said.starts_with("another process works in "), "{said}");
}
