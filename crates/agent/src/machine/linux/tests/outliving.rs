//! Installers that outlive the agent, whoever waits for them.

use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::machine::Settled;

/// Until the script has written to `begun`; then the agent's life ends.
async fn life(bench: &Bench, machine: &LinuxMachine, script: &str, limit: Duration) {
    let begun = bench.directory.path().join("begun");
    let mut begun = match begun.exists() {
        true => pipe::OpenOptions::new().read_write(true).open_receiver(&begun).expect("opens"),
        false => bench.fifo("begun").open_receiver(&begun).expect("opens"),
    };
    tokio::select! {
        biased;
        ended = bench.script_on(machine, script, limit) => panic!("{ended:?}"),
        byte = begun.read_u8() => drop(byte.expect("begins")),
    }
}

/// What the next life hears.
async fn next_life(bench: &Bench, limit: Duration) -> Option<Ended> {
    let mut document = bench.document.clone();
    document.installer = Some(authoring::run("setup", "", [].into()));
    let settled = bench.machine_apart().settle(limit, &[document]).await.expect("settles");
    settled.map(|Settled { update, ended }| {
        assert_eq!(update, bench.document.update);
        ended.expect("it ran")
    })
}

#[tokio::test]
async fn a_process_apart_says_what_the_agent_itself_would_have_seen() {
    let bench = Bench::new();
    let machine = bench.machine_apart();
    for (script, code) in [
        ("echo heard; exit 0", 0),
        ("exit 3010", 3010),
        ("kill -9 $$", 137),
        ("[ \"$TIERLINE_INSTALLATION$HOME\" = \"$TIERLINE_INSTALLATION\" ]", 0),
    ] {
        assert_eq!(
            bench.script_on(&machine, script, MINUTE).await,
            Ended::Exited(code),
            "{script}"
        );
    }
    let late = bench.script_on(&machine, "exec sleep 1000", SOON).await;
    assert_eq!(late, Ended::TimedOut);
    let error = bench.run(&machine, ("/no/such/program", ""), b"", MINUTE).await;
    assert_eq!(error.expect_err("is refused").raw_os_error(), Some(2));
    machine.forget_settled().expect("goes");
    assert_eq!(next_life(&bench, MINUTE).await, None, "it was told");
}

#[tokio::test]
async fn the_exit_code_of_an_installer_outlives_the_agent() {
    let bench = Bench::new();
    let root = bench.directory.path();
    let mut go_on = bench.fifo("go-on").open_sender(root.join("go-on")).expect("opens");
    let script = "echo first; echo > $1/begun; read line < $1/go-on; echo second; exit 3010";
    for _ in 0..2 {
        life(&bench, &bench.machine_apart(), script, MINUTE).await;
        let (ended, wrote) = tokio::join!(next_life(&bench, MINUTE), go_on.write_all(b"now\n"));
        wrote.expect("is heard");
        assert_eq!(ended, Some(Ended::Exited(3010)));
        assert_eq!(bench.said(), "first\nsecond\n");
    }
    // As long as nobody says that it is known, the next life hears it as well.
    assert_eq!(next_life(&bench, MINUTE).await, Some(Ended::Exited(3010)));
    bench.machine().forget_settled().expect("goes");
    assert_eq!(next_life(&bench, MINUTE).await, None);
}

#[tokio::test]
async fn an_installer_without_an_agent_is_ended_when_its_time_is_over() {
    let bench = Bench::new();
    let script = "echo $$ > $1/own; echo > $1/begun; exec sleep 1000";
    life(&bench, &bench.machine_apart(), script, 4 * SOON).await;
    let process = bench.process("own");
    assert!(is_running(process));
    // Nobody but whoever waits for it.
    gone(process).await;
    assert_eq!(next_life(&bench, MINUTE).await, Some(Ended::TimedOut));
}

/// Whoever ends everything that has the agent's name spares whoever waits.
#[tokio::test]
async fn to_be_asked_to_end_ends_nobody_who_waits() {
    let bench = Bench::new();
    let root = bench.directory.path();
    let mut go_on = bench.fifo("go-on").open_sender(root.join("go-on")).expect("opens");
    let script = "echo $PPID > $1/waiter; echo > $1/begun; read line < $1/go-on; exit 17";
    life(&bench, &bench.machine_apart(), script, MINUTE).await;
    kill_process(bench.process("waiter"), Signal::TERM).expect("is ours");
    go_on.write_all(b"now\n").await.expect("is heard");
    assert_eq!(next_life(&bench, MINUTE).await, Some(Ended::Exited(17)));
}

#[tokio::test]
async fn who_waits_may_be_killed_and_the_agent_sees_the_end_of_the_installer_itself() {
    let bench = Bench::new();
    let root = bench.directory.path();
    let mut waits = bench.fifo("waits").open_receiver(root.join("waits")).expect("opens");
    let mut go_on = bench.fifo("go-on").open_sender(root.join("go-on")).expect("opens");
    let script =
        "echo $PPID > $1/waiter; echo > $1/waits; read line < $1/go-on; touch $1/ended; exit 17";
    let machine = bench.machine_apart();
    let kill = async {
        waits.read_u8().await.expect("begins");
        let waiter = bench.process("waiter");
        kill_process(waiter, Signal::KILL).expect("is ours");
        gone(waiter).await;
        go_on.write_all(b"now\n").await.expect("is heard");
    };
    let (ended, ()) = tokio::join!(bench.script_on(&machine, script, MINUTE), kill);
    assert_eq!(ended, Ended::Unseen);
    assert!(root.join("ended").exists(), "it was waited for");
    assert_eq!(bench.script_on(&machine, "exit 3", MINUTE).await, Ended::Exited(3));
}

#[tokio::test]
async fn an_installer_that_nobody_waits_for_is_waited_for_by_the_next_life() {
    let bench = Bench::new();
    let root = bench.directory.path();
    let mut go_on = bench.fifo("go-on").open_sender(root.join("go-on")).expect("opens");
    let script = "echo first; echo > $1/begun; read line < $1/go-on; echo second; echo > $1/ended";
    life(&bench, &bench.machine(), script, MINUTE).await;
    assert!(!root.join("ended").exists());
    let (ended, wrote) = tokio::join!(next_life(&bench, MINUTE), go_on.write_all(b"now\n"));
    wrote.expect("is heard");
    assert_eq!(ended, None, "nobody saw it");
    assert!(root.join("ended").exists(), "it was waited for");
    assert_eq!(bench.said(), "first\nsecond\n");
    assert_eq!(next_life(&bench, MINUTE).await, None, "nothing is left");
}

#[tokio::test]
async fn an_installer_that_nobody_waits_for_and_that_takes_too_long_is_ended() {
    let bench = Bench::new();
    let script = "echo $$ > $1/own; echo > $1/begun; exec sleep 1000";
    life(&bench, &bench.machine(), script, MINUTE).await;
    let process = bench.process("own");
    assert!(is_running(process));
    assert_eq!(next_life(&bench, SOON).await, None);
    gone(process).await;
}

/// The first life ended before it knew the number of the process that it had started.
#[tokio::test]
async fn an_installer_that_was_only_announced_is_found() {
    let bench = Bench::new();
    let script = "echo $$ > $1/own; echo > $1/begun; exec sleep 1000";
    life(&bench, &bench.machine(), script, MINUTE).await;
    let record = bench.directory.path().join("data/installs/running");
    let known = fs::read_to_string(&record).expect("was recorded");
    let name = known.split_whitespace().last().expect("has one");
    fs::write(&record, format!("{name}\n")).expect("writes");
    let process = bench.process("own");
    assert_eq!(next_life(&bench, SOON).await, None);
    gone(process).await;
}

/// The ending of an earlier installer of the same update is not that of the next one.
#[tokio::test]
async fn an_ending_of_before_is_not_taken_for_that_of_the_next_one() {
    let bench = Bench::new();
    assert_eq!(bench.script("exit 17", MINUTE).await, Ended::Exited(17));
    let script = "echo $$ > $1/own; echo > $1/begun; exec sleep 1000";
    life(&bench, &bench.machine(), script, MINUTE).await;
    kill_process(bench.process("own"), Signal::KILL).expect("is ours");
    assert_eq!(next_life(&bench, MINUTE).await, None);
}

#[tokio::test]
async fn a_record_of_another_process_or_of_another_life_is_none() {
    let bench = Bench::new();
    let installs = bench.directory.path().join("data/installs");
    fs::create_dir_all(&installs).expect("is made");
    let (own, boot) = (std::process::id(), reading::boot_id().expect("has one"));
    for record in [format!("{own} 1 {boot} a"), format!("{own} 1 other a"), "what?".to_owned()] {
        fs::write(installs.join("running"), record).expect("writes");
        assert_eq!(next_life(&bench, MINUTE).await, None);
    }
}
