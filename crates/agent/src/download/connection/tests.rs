//! Downloaders in the wrong hands: real processes that do what no downloader does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use expect_test::expect;
use model::ErrorClass;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use super::*;

/// A downloader that runs this script.
fn pretender(directory: &TempDir, script: &str) -> Downloader {
    let path = directory.path().join("downloader");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("its own");
    Downloader::Process(Program { path, user: None })
}

fn order() -> Order {
    Order { host: "dp:80".to_owned(), path: "/content".to_owned(), offset: 20, size: 56 }
}

async fn asked(downloader: &Downloader) -> Result<Result<(u64, Connection), Unfit>, Error> {
    let (stream, _far) = duplex(1 << 10);
    Connection::ask(downloader, "DP", Box::new(stream), &order()).await
}

/// What becomes of a download whose downloader writes this, as printf(1) has it.
async fn said(frames: &str) -> String {
    let directory = TempDir::new().expect("a directory");
    let downloader = pretender(&directory, &format!("printf '{frames}'"));
    let error = match asked(&downloader).await {
        Ok(Ok((start, mut connection))) => loop {
            match connection.piece().await {
                Ok(Some(_)) => {}
                Ok(None) => return format!("whole from {start}"),
                Err(error) => break error,
            }
        },
        Ok(Err(unfit)) => return format!("{unfit:?}"),
        Err(error) => error,
    };
    format!("{:?}: {}", error.class(), error_chain(&error))
}

#[tokio::test]
async fn a_downloader_in_the_wrong_hands_is_found_out() {
    let confined = r"\001\000\000\000\001\000";
    let begins = r"\002\000\000\000\010\000\000\000\000\000\000\000\024";
    let piece = r"\006\000\000\000\001x";
    let end = r"\010\000\000\000\000";
    let all = [
        said(&format!("{confined}{begins}{piece}{end}")).await,
        said("").await,
        said("HTTP/1.1 200 OK").await,
        said(begins).await,
        said(confined).await,
        said(&format!("{confined}{confined}")).await,
        said(&format!("{confined}{piece}")).await,
        said(&format!("{confined}{begins}{begins}")).await,
        said(&format!("{confined}{begins}{piece}")).await,
        said(&format!(r"{confined}\002\000\000\000\010\000\000\000\000\000\000\000\025")).await,
        said(&format!(r"{confined}{begins}\006\377\377\377\377")).await,
        said(&format!(r"{confined}\005\000\000\000\005\002long")).await,
        said(&format!(r"{confined}\007\000\000\000\004gone")).await,
    ];
    expect![[r#"
        whole from 20
        Unavailable: the downloader ended while it read from DP
        Corrupt: the downloader that reads from DP says what none would say: tag: 72 is of no frame
        Corrupt: the downloader that reads from DP says what none would say: order: begins at byte 20
        Unavailable: the downloader ended while it read from DP
        Corrupt: the downloader that reads from DP says what none would say: order: tells confinement out of place
        Corrupt: the downloader that reads from DP says what none would say: order: tells a piece out of place
        Corrupt: the downloader that reads from DP says what none would say: order: begins at byte 20
        Unavailable: the downloader ended while it read from DP
        Corrupt: the downloader that reads from DP says what none would say: order: begins at byte 21
        Corrupt: the downloader that reads from DP says what none would say: length: a frame 6 has 4294967295 bytes
        Other(Invalid { field: "content-range", reason: "long" })
        Unavailable: cannot reach DP: gone"#]]
    .assert_eq(&all.join("\n"));
}

#[tokio::test]
async fn one_that_is_left_is_killed_and_its_source_with_it() {
    let directory = TempDir::new().expect("a directory");
    let said = directory.path().join("pid");
    let script = format!(
        r"echo $$ > {}; printf '\001\000\000\000\001\000\002\000\000\000\010\000\000\000\000\000\000\000\000'; exec sleep 1000",
        said.display()
    );
    let downloader = pretender(&directory, &script);
    let (stream, mut far) = duplex(1 << 10);
    let answer = Connection::ask(&downloader, "DP", Box::new(stream), &order()).await;
    let (start, connection) = answer.expect("it speaks").expect("it is fit");
    assert_eq!(start, 0);
    let pid = number(&said);
    assert!(test_kill_process(pid).is_ok(), "it runs");
    drop(connection);
    // The stream ends where the source is.
    assert_eq!(far.read(&mut [0; 1]).await.expect("an end"), 0);
    while test_kill_process(pid).is_ok() {
        tokio::task::yield_now().await;
    }
}

fn number(path: &Path) -> Pid {
    let text = std::fs::read_to_string(path).expect("it has said so");
    Pid::from_raw(text.trim().parse().expect("a number")).expect("no zero")
}

#[tokio::test]
async fn what_is_no_downloader_is_told_before_it_is_needed() {
    let path = "/nonexistent".into();
    let missing = Downloader::Process(Program { path, user: None });
    let error = asked(&missing).await.expect_err("there is none");
    assert_eq!(error.class(), ErrorClass::Unavailable);
    let directory = TempDir::new().expect("a directory");
    let all = [
        survey(&missing).await,
        survey(&pretender(&directory, "exit 1")).await,
        survey(&pretender(&directory, r"printf '\001\000\000\000\001\040'")).await,
        survey(&pretender(&directory, r"printf '\001\000\000\000\001\000'")).await,
        survey(&Downloader::Inside).await,
    ];
    expect![[r#"
        a process, which fails: the downloader cannot be started: No such file or directory (os error 2)
        a process, which ends at once
        a process, without a filter of system calls
        a process
        the agent itself"#]]
    .assert_eq(&all.join("\n"));
}
