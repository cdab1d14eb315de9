//! The process of a real agent that reads what servers with files answer: what it has left to do
//! harm with, and what becomes of a download when it ends in the middle.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures_util::{StreamExt as _, stream};

use crate::agent_hostile::{Impostor, MEMORY_KIB_MAX, peak_kib};
use crate::agent_real::Computer;
use crate::harness::text;
use crate::main_job::{AGENT, DP, Plant};

/// Bytes of a file that come before its server says nothing any more.
const FIRST_BYTES: usize = 20;

fn status(id: u32) -> String {
    fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default()
}

/// The words of a line of `/proc/PID/status`.
fn words(status: &str, key: &str) -> Vec<String> {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The downloader of an agent, if one is at work.
fn downloader(agent: u32) -> Option<u32> {
    let processes = fs::read_dir("/proc").expect("it can be listed").filter_map(Result::ok);
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_downloader = |id: &u32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        words(&status(*id), "PPid") == [agent.to_string()]
            && command.split(|byte| *byte == 0).nth(1) == Some(b"fetch-content")
    };
    ids.into_iter().find(is_downloader)
}

/// What a download has left so far, in all.
fn waiting(data: &Path) -> u64 {
    let partial = fs::read_dir(data.join("content/partial")).into_iter().flatten();
    partial.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

/// Who owns the processes of this test, and who reads strangers for it.
fn reader() -> (bool, String) {
    let own = fs::metadata("/proc/self").expect("it is there").uid();
    let users = fs::read_to_string("/etc/passwd").expect("it can be read");
    let nobody = users.lines().find(|line| line.starts_with("nobody:")).expect("there is one");
    let nobody = nobody.split(':').nth(2).expect("it has a number");
    (own == 0, if own == 0 { nobody.to_owned() } else { own.to_string() })
}

/// It has no rights, no file, and little memory.
fn has_nothing(id: u32) {
    let (is_root, uid) = reader();
    let status = status(id);
    assert_eq!(words(&status, "Uid"), vec![uid; 4], "{status}");
    if is_root {
        assert!(words(&status, "Groups").is_empty(), "{status}");
    }
    for (key, value) in [
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        ("Threads", "1"),
        ("CapInh", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
    ] {
        assert_eq!(words(&status, key), [value], "{key} of {status}");
    }
    let peak = peak_kib(id);
    assert!(peak < MEMORY_KIB_MAX, "the downloader had {peak} KiB");
    let at = |what: &str| format!("/proc/{id}/{what}");
    assert_eq!(fs::read_link(at("cwd")).expect("it runs"), Path::new("/"));
    let environment = fs::read(at("environ")).expect("it runs");
    assert!(environment.is_empty(), "{environment:?}");
    let open = fs::read_dir(at("fd")).expect("it runs").filter_map(Result::ok);
    let open: Vec<String> = open
        .filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_str()?.to_owned()))
        .collect();
    let is_harmless = |link: &String| {
        ["socket:", "pipe:", "anon_inode:", "/dev/null"].iter().any(|kind| link.starts_with(kind))
    };
    assert!(open.iter().all(is_harmless), "{open:?}");
    let limits = fs::read_to_string(at("limits")).expect("it runs");
    for key in ["Max processes", "Max file size", "Max core file size"] {
        let line = limits.lines().find_map(|line| line.strip_prefix(key)).expect("it is there");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..2], ["0", "0"], "{key}: {line}");
    }
}

#[test]
fn a_downloader_has_no_rights_and_a_download_outlives_it() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let fix = computer.script("fix", "echo new > fix.new");
    let bytes = Bytes::from(fs::read(&fix).expect("it was written"));
    let fix = plant.publish_script(&fix, computer.root(), &["--detect", "file=/opt/fix.new"]);
    let deployment = plant.deploy_all("Fix", &[&fix]);
    plant.wait_distributed(1);
    plant.stop(DP);

    let begins_and_stops = move || {
        let first = bytes.slice(..FIRST_BYTES);
        let first = stream::once(async { Ok::<_, std::convert::Infallible>(first) });
        Response::new(Body::from_stream(first.chain(stream::pending())))
    };
    let impostor = Impostor::new(&plant.hierarchy.at(7543), None, begins_and_stops);
    computer.start_agent(&mut plant);
    let agent = plant.process(AGENT).id();
    let data = plant.hierarchy.data("agent");
    plant.hierarchy.wait_until("the file comes", || waiting(&data) == FIRST_BYTES as u64);
    let id = downloader(agent).expect("it is at work");
    has_nothing(id);
    let reader = text(&plant.agent_says(&["status"]), "downloader");
    assert!(!reader.contains(','), "{reader}");

    let killed = Command::new("kill").args(["-KILL", &id.to_string()]).status();
    assert!(killed.expect("it can be run").success());
    impostor.end();
    plant.start(DP);
    plant.complied(&deployment);
    assert_eq!(computer.runs("fix"), 1);
    assert_eq!(downloader(agent), None, "none is left");
    plant.stop_well();
}

#[test]
fn a_head_without_end_ends_nothing_but_its_answer() {
    let mut plant = Plant::new();
    let computer = Computer::new(&plant);
    let fix = computer.script("fix", "echo new > fix.new");
    let fix = plant.publish_script(&fix, computer.root(), &["--detect", "file=/opt/fix.new"]);
    let deployment = plant.deploy_all("Fix", &[&fix]);
    plant.wait_distributed(1);
    plant.stop(DP);

    let listener = TcpListener::bind(plant.hierarchy.at(7543)).expect("the address is free");
    let endless = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        let mut said = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ");
        let (line, mut sent) = ([b'y'; 64 << 10], 0_u64);
        while said.is_ok() {
            said = stream.write_all(&line);
            sent += 64 << 10;
        }
        sent
    });
    computer.start_agent(&mut plant);
    plant.wait_told(&fix, ("required", "download_failed", 0x8000_4005_u32.cast_signed()));
    let sent = endless.join().expect("it ends when it is left");
    assert!(sent < 64 << 20, "{sent} bytes were taken");
    plant.start(DP);
    plant.complied(&deployment);
    assert_eq!(computer.runs("fix"), 1);
    plant.stop_well();
}
