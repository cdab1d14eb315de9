//! Real processes in real directories.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use client::digest::sha256;
use expect_test::expect;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use update_metadata::{Applicability, Comparison, authoring, evaluate, linux as linux_rules};

use super::*;
use crate::machine::tests::{Bench, MINUTE};

mod outliving;

/// Long enough for a shell to begin on a busy computer.
const SOON: Duration = Duration::from_millis(500);

/// How often an attacker is met.
const SWAPS: usize = 20;

impl Bench {
    fn machine(&self) -> LinuxMachine {
        self.machine_with(Setup::default())
    }

    /// With a process of its own that waits for installers.
    fn machine_apart(&self) -> LinuxMachine {
        let mut words = waiting::tests::words();
        words.push(waiting::VERB.into());
        LinuxMachine { waiter: Waiter::Apart(words), ..self.machine() }
    }

    fn machine_with(&self, setup: Setup) -> LinuxMachine {
        LinuxMachine::with(&self.directory.path().join("data"), setup)
    }

    /// Runs a script as an update's installer, with the directory of this bench as its argument.
    async fn script(&self, script: &str, limit: Duration) -> Ended {
        self.script_on(&self.machine(), script, limit).await
    }

    async fn script_on(&self, machine: &LinuxMachine, script: &str, limit: Duration) -> Ended {
        let script = format!("#!/bin/sh\n{script}\n");
        let argument = self.directory.path().to_str().expect("a plain path").to_owned();
        let command = ("setup", argument.as_str());
        self.run(machine, command, script.as_bytes(), limit).await.expect("runs")
    }

    /// What installers wrote.
    fn transcript(&self) -> Vec<u8> {
        let update = self.document.update;
        let name = format!("data/installs/{}-{}.log", update.id, update.revision);
        fs::read(self.directory.path().join(name)).expect("is kept")
    }

    fn said(&self) -> String {
        String::from_utf8(self.transcript()).expect("is text")
    }

    /// The process whose number a script wrote to `name`.
    fn process(&self, name: &str) -> Pid {
        let text = fs::read_to_string(self.directory.path().join(name)).expect("was written");
        Pid::from_raw(text.trim().parse().expect("a number")).expect("no zero")
    }

    fn fifo(&self, name: &str) -> pipe::OpenOptions {
        let path = self.directory.path().join(name);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("is made");
        let mut options = pipe::OpenOptions::new();
        options.read_write(true);
        options
    }
}

/// Whoever inherits an orphan notices its end a moment later.
async fn gone(process: Pid) {
    while is_running(process) {
        tokio::task::yield_now().await;
    }
}

fn is_running(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.is_ok_and(|stat| reading::started(&stat).is_some())
}

#[tokio::test]
async fn an_exit_code_is_what_the_document_calls_it() {
    let bench = Bench::new();
    for (script, code) in [
        ("exit 0", 0),
        // Only one byte of it arrives.
        ("exit 3010", 3010),
        ("exit 17", 17),
        ("kill -9 $$", 137),
        ("/no/such/program", 127),
    ] {
        assert_eq!(bench.script(script, MINUTE).await, Ended::Exited(code), "{script}");
    }
}

#[tokio::test]
async fn an_installer_is_alone_with_what_it_needs() {
    let bench = Bench::new();
    let script = "[ \"$HOME\" = '' ] && cat && read pid name state parent group rest < /proc/$$/stat\n\
                  [ \"$group\" = $$ ] && echo own group\n\
                  stat -c '%a %n' . *\n\
                  echo $DEBIAN_FRONTEND >&2\n\
                  echo $PATH";
    assert_eq!(bench.script(script, MINUTE).await, Ended::Exited(0));
    expect![[r#"
        own group
        700 .
        500 setup
        noninteractive
        /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    "#]]
    .assert_eq(&bench.said());
    let left: Vec<_> =
        fs::read_dir(bench.directory.path().join("data/staging")).expect("is there").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn after_its_maximum_run_time_the_whole_group_ends() {
    let bench = Bench::new();
    let script = "trap 'echo asked >> $1/asked' TERM\n\
                  (trap '' TERM; exec sleep 1000) & echo $! > $1/deaf\n\
                  sleep 1000 & echo $! > $1/plain\n\
                  echo begun\n\
                  while :; do wait; done";
    let setup = Setup { stop_grace: SOON, ..Setup::default() };
    let script = format!("#!/bin/sh\n{script}\n");
    let argument = bench.directory.path().to_str().expect("a plain path").to_owned();
    let machine = bench.machine_with(setup);
    let ended = bench.run(&machine, ("setup", &argument), script.as_bytes(), SOON).await;
    assert_eq!(ended.expect("runs"), Ended::TimedOut);
    assert_eq!(bench.said(), "begun\n");
    assert!(bench.directory.path().join("asked").exists(), "it was asked to end first");
    for name in ["deaf", "plain"] {
        gone(bench.process(name)).await;
    }
    assert_eq!(bench.script("exit 3", MINUTE).await, Ended::Exited(3), "the next one runs");
}

/// Symptom: each installer that was ended after its time took half a minute longer. Cause: one that
/// had ended, and that nobody had waited for, was taken for running. Repair: what has ended has.
#[tokio::test]
async fn an_installer_that_ends_when_it_is_asked_to_is_not_waited_for() {
    let bench = Bench::new();
    let machine = bench.machine_with(Setup { stop_grace: 60 * MINUTE, ..Setup::default() });
    let ended = bench.run(&machine, ("setup", ""), b"#!/bin/sh\nexec sleep 1000\n", SOON).await;
    assert_eq!(ended.expect("runs"), Ended::TimedOut);
}

#[tokio::test]
async fn a_child_that_keeps_the_output_open_holds_up_nobody() {
    let bench = Bench::new();
    let script = "sleep 1000 & echo $! > $1/child; echo ended";
    assert_eq!(bench.script(script, MINUTE).await, Ended::Exited(0));
    assert_eq!(bench.said(), "ended\n");
    let child = bench.process("child");
    assert!(is_running(child), "what an installer leaves running is left alone");
    kill_process(child, Signal::KILL).expect("is ours");
}

#[tokio::test]
async fn the_end_of_a_gigabyte_of_output_is_kept() {
    let bench = Bench::new();
    let script = "head -c 1000000000 /dev/zero; echo; echo the end >&2";
    assert_eq!(bench.script(script, MINUTE).await, Ended::Exited(0));
    let transcript = bench.transcript();
    assert_eq!(transcript.len() as u64, limits::TRANSCRIPT_BYTES);
    assert!(transcript.ends_with(b"\0\nthe end\n"));
}

#[tokio::test]
async fn transcripts_are_kept_for_so_many_updates() {
    let mut bench = Bench::new();
    let installs = bench.directory.path().join("data/installs");
    fs::create_dir_all(&installs).expect("is made");
    for number in 0..limits::TRANSCRIPTS_MAX {
        fs::write(installs.join(format!("{number}.log")), "").expect("is written");
    }
    let last = File::options().write(true).open(installs.join("7.log")).expect("opens");
    last.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("is old");
    bench.document.update.revision = 9;
    assert_eq!(bench.script("echo new", MINUTE).await, Ended::Exited(0));
    let logs = fs::read_dir(&installs).expect("is there");
    let logs = logs.filter(|log| log.as_ref().is_ok_and(|log| log.path().extension().is_some()));
    assert_eq!(logs.count(), limits::TRANSCRIPTS_MAX);
    assert!(!installs.join("7.log").exists(), "the oldest one made room");
    assert_eq!(bench.said(), "new\n");
}

#[tokio::test]
async fn programs_that_cannot_be_run_say_why() {
    let bench = Bench::new();
    let machine = bench.machine();
    let plain = bench.directory.path().join("plain");
    fs::write(&plain, "#!/bin/sh\n").expect("is written");
    let plain = plain.to_str().expect("a plain path");
    let mut said = String::new();
    for program in [plain, "/no/such/program", "other", "../setup", ""] {
        let error = bench.run(&machine, (program, ""), b"#!/bin/sh\n", MINUTE).await;
        let error = error.expect_err("is refused");
        let program = program.replace(bench.directory.path().to_str().expect("plain"), "DIRECTORY");
        said += &format!("{program:?} {:?} {:?}\n", error.kind(), error.raw_os_error());
    }
    let lost = bench.run(&machine, ("setup", ""), b"#!/no/such/interpreter\n", MINUTE).await;
    said += &format!("{:?}\n", lost.expect_err("is refused").raw_os_error());
    expect![[r#"
        "DIRECTORY/plain" PermissionDenied Some(13)
        "/no/such/program" NotFound Some(2)
        "other" InvalidInput None
        "../setup" InvalidInput None
        "" InvalidInput None
        Some(2)
    "#]]
    .assert_eq(&said);
}

#[tokio::test]
async fn a_name_of_a_file_stays_a_name() {
    let bench = Bench::new();
    let machine = bench.machine();
    let long = "x".repeat(300);
    let mut said = String::new();
    for name in ["../up", "a/b", "/etc/a", "", ".", "..", "a\0b", &long] {
        let (file, reader) = bench.file(name, b"#!/bin/sh\n", b"#!/bin/sh\n").await;
        let installer = authoring::run("/bin/true", "", [].into());
        let job = bench.job(&installer, vec![(&file, reader)], MINUTE);
        let error = machine.install(&job).await.expect_err("is refused");
        said += &format!("{:.6?} {:?}\n", name, error.kind());
    }
    expect![[r#"
        "../up" InvalidInput
        "a/b" InvalidInput
        "/etc/a" InvalidInput
        "" InvalidInput
        "." InvalidInput
        ".." InvalidInput
        "a\0b" InvalidInput
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" InvalidFilename
    "#]]
    .assert_eq(&said);
    // Neither an option, nor blanks, nor a word of a shell.
    for name in ["-rf", "a b", "a\nb", "$(reboot); #", "é"] {
        let script = b"#!/bin/sh\nexit 5\n";
        let (file, reader) = bench.file(name, script, script).await;
        let installer = authoring::run(name, "", [].into());
        let job = bench.job(&installer, vec![(&file, reader)], MINUTE);
        assert_eq!(machine.install(&job).await.expect("runs"), Ended::Exited(5), "{name:?}");
    }
    let (file, reader) = bench.file("twice", b"a", b"a").await;
    let installer = authoring::run("/bin/true", "", [].into());
    let job = bench.job(&installer, vec![(&file, reader.clone()), (&file, reader)], MINUTE);
    let error = machine.install(&job).await.expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn only_the_bytes_that_policy_names_are_run() {
    let bench = Bench::new();
    let script = b"#!/bin/sh\nexit 7\n";
    let installer = authoring::run("setup", "", [].into());
    let (file, reader) = bench.file("setup", script, b"another").await;
    let job = bench.job(&installer, vec![(&file, reader)], MINUTE);
    let error = bench.machine().install(&job).await.expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let program = fs::read("/usr/bin/readlink").expect("a program");
    let staged = bench.directory.path().join("data/staging");
    let update = bench.document.update;
    let staged = staged.join(format!("{}-{}/setup\n", update.id, update.revision));
    for machine in [bench.machine(), bench.machine_apart()] {
        let ended = bench.run(&machine, ("setup", "/proc/self/exe"), &program, MINUTE).await;
        assert_eq!(ended.expect("runs"), Ended::Exited(0));
        assert_eq!(bench.said(), staged.to_str().expect("plain"));
    }
}

/// Does something again and again until it is dropped.
struct Attack {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Attack {
    fn new(mut once: impl FnMut() + Send + 'static) -> Attack {
        let ends = Arc::new(AtomicBool::new(false));
        let seen = ends.clone();
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                once();
            }
        });
        Attack { ends, thread: Some(thread) }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is taken here alone");
        thread.join().expect("whoever attacks has no reason to panic");
    }
}

/// Writes `content` over a file without making it another one.
fn overwrite(path: &Path, content: &[u8]) {
    let mut file = File::options().write(true).open(path).expect("opens");
    file.write_all(content).expect("writes");
}

/// The files below `directory`.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = entries.map(|entry| entry.path()).map(|path| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    });
    below.flatten().collect()
}

/// A script that leaves a mark behind, which no test wants to see.
fn evil(root: &Path) -> (Vec<u8>, PathBuf) {
    let mark = root.join("evil-ran");
    (format!("#!/bin/sh\necho evil >> '{}'\n#", mark.display()).into_bytes(), mark)
}

/// Files of the content cache are overwritten and staged ones replaced all the time while
/// installers run. Whoever replaces staged files needs the agent's own rights; a program that is
/// run through its descriptor is the verified one even then.
#[tokio::test]
async fn whatever_is_swapped_meanwhile_nothing_but_verified_bytes_runs() {
    let bench = Bench::new();
    let (machines, root) =
        ([bench.machine(), bench.machine_apart()], bench.directory.path().to_owned());
    let (script, mark) = evil(&root);
    let program = fs::read("/usr/bin/true").expect("a program");
    let (file, reader) = bench.file("setup", &program, &program).await;
    let cached = files_below(&root.join("content"))
        .into_iter()
        .find(|path| fs::metadata(path).is_ok_and(|found| found.len() == program.len() as u64));
    let (cached, whole, half) = (cached.expect("is cached"), program, script.clone());
    let in_cache = Attack::new(move || {
        overwrite(&cached, &half);
        overwrite(&cached, &whole);
    });
    let (staging, beside) = (root.join("data/staging"), root.join("evil"));
    let in_staging = Attack::new(move || {
        fs::write(&beside, &script).expect("writes");
        fs::set_permissions(&beside, Permissions::from_mode(0o755)).expect("may");
        for directory in fs::read_dir(&staging).into_iter().flatten().flatten() {
            let _ = fs::rename(&beside, directory.path().join("setup"));
        }
    });
    let installer = authoring::run("setup", "", [].into());
    let job = bench.job(&installer, vec![(&file, reader)], MINUTE);
    let (mut ran, mut refused) = (0, 0);
    while ran < SWAPS || refused < SWAPS {
        match machines[ran % 2].install(&job).await {
            Ok(Ended::Exited(0)) => ran += 1,
            Err(error) if error.kind() == ErrorKind::InvalidData => refused += 1,
            // Another file came first, or into the directory that was just being removed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            other => panic!("{other:?} after {ran} and {refused}"),
        }
        assert!(!mark.exists(), "after {ran} and {refused}");
    }
    drop((in_cache, in_staging));
}

/// Scripts are run by their path, which nobody else can reach. The attacker is another user of the
/// same computer, so that it takes root to be two of them.
#[tokio::test]
async fn nobody_else_can_reach_what_is_staged() {
    let bench = Bench::new();
    let (machine, root) = (bench.machine(), bench.directory.path().to_owned());
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for directory in [&root, &root.join("data")] {
        fs::create_dir_all(directory).expect("is there");
        fs::set_permissions(directory, Permissions::from_mode(0o777)).expect("may");
    }
    let (script, mark) = evil(&root);
    fs::write(root.join("evil"), script).expect("writes");
    fs::set_permissions(root.join("evil"), Permissions::from_mode(0o755)).expect("may");
    let swap = "echo begun > begun; while :; do for d in data/staging/*; do \
                cp -f evil $d/setup; ln -sf ../evil $d/setup; mv $d $d.old; done; \
                chmod 777 data/staging; done 2> /dev/null";
    let mut begun = bench.fifo("begun").open_receiver(root.join("begun")).expect("opens");
    fs::set_permissions(root.join("begun"), Permissions::from_mode(0o666)).expect("may");
    let mut other = tokio::process::Command::new("/usr/bin/setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-c", swap]);
    let mut other = other.current_dir(&root).kill_on_drop(true).spawn().expect("starts");
    begun.read_u8().await.expect("begins");
    for _ in 0..SWAPS {
        assert_eq!(
            bench.run(&machine, ("setup", ""), b"#!/bin/sh\nexit 5\n", MINUTE).await.expect("runs"),
            Ended::Exited(5)
        );
    }
    assert!(!mark.exists());
    other.kill().await.expect("is ours");
}

#[tokio::test]
async fn commands_of_the_configuration_restart_tell_and_filter() {
    let bench = Bench::new();
    let root = bench.directory.path();
    let hook = |name: &str, script: &str| {
        let path = root.join(name);
        fs::write(&path, format!("#!/bin/sh\ncd {}\n{script}\n", root.display())).expect("writes");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("may");
        vec![path.to_str().expect("plain").to_owned()]
    };
    let setup = Setup {
        restart: hook("restart", "echo restart >> told"),
        notify: hook("notify", "cat >> told; echo >> told"),
        write_filter: hook("filter", "echo $1 >> told; echo closed"),
        restart_flags: vec![root.join("told")],
        form: Some(Form::Workstation),
        ..Setup::default()
    };
    let machine = bench.machine_with(setup);
    assert!(!machine.asks_for_restart().expect("is known"));
    machine.notify("at 12:00; $(reboot)").await.expect("is told");
    machine.restart().await.expect("is told");
    for wish in [Filter::Ask, Filter::Open, Filter::Close] {
        assert_eq!(machine.write_filter(wish).await.expect("answers"), FilterState::Closed);
    }
    assert!(machine.asks_for_restart().expect("is known"));
    assert_eq!(machine.form(), Form::Workstation);
    let told = fs::read_to_string(root.join("told")).expect("was told");
    assert_eq!(told, "at 12:00; $(reboot)\nrestart\nask\nopen\nclose\n");
    let nothing = Setup { notify: Vec::new(), restart: Vec::new(), ..Setup::default() };
    let machine = bench.machine_with(nothing);
    machine.notify("nobody").await.expect("nobody is no error");
    assert_eq!(machine.restart().await.expect_err("cannot").kind(), ErrorKind::Unsupported);
    let absent = machine.write_filter(Filter::Open).await.expect("answers");
    assert_eq!(absent, FilterState::Absent);
    let broken = Setup {
        restart: hook("broken", "exit 1"),
        write_filter: hook("vague", "echo maybe"),
        ..Setup::default()
    };
    let machine = bench.machine_with(broken);
    assert!(machine.restart().await.is_err());
    let vague = machine.write_filter(Filter::Ask).await.expect_err("is not understood");
    assert_eq!(vague.kind(), ErrorKind::InvalidData);
}

/// What a package of Debian becomes, from its build to its detection, in a root directory of its own.
#[tokio::test]
async fn a_debian_package_is_installed_into_the_root_and_detected() {
    let bench = Bench::new();
    let root = bench.directory.path().join("root");
    let package = debian_package(bench.directory.path(), "1.2-3");
    empty_dpkg(&root);
    fs::write(root.join("etc/os-release"), "ID=debian\nVERSION_ID=\"12\"\n").expect("writes");
    let machine = bench.machine_with(Setup { root: root.clone(), ..Setup::default() });
    let mut document = bench.document.clone();
    let at_least = Some((Comparison::GreaterThanOrEqualTo, "1.2-3"));
    document.rules.is_installed = Some(linux_rules::package_installed("tierline-sample", at_least));
    let verdict = async || evaluate(&document, &machine.facts().await.expect("facts"));
    assert_eq!(verdict().await, Applicability::Applicable);
    let (file, reader) = bench.file("sample.deb", &package, &package).await;
    let installer = authoring::run("sample.deb", "--force-depends", [].into());
    let files = vec![(&file, reader)];
    let job = Job { document: &document, ..bench.job(&installer, files, MINUTE) };
    let ended = machine.install(&job).await.expect("runs");
    assert_eq!(
        (ended, verdict().await),
        (Ended::Exited(0), Applicability::Installed),
        "{}",
        bench.said()
    );
    assert!(bench.said().contains("Setting up tierline-sample"), "{}", bench.said());
    let found = machine.file("/usr/share/tierline-sample/file", Wanted::Digest);
    assert_eq!(
        found.await.expect("is known").expect("is there").sha256,
        Some(sha256(b"content\n"))
    );
}

fn debian_package(directory: &Path, version: &str) -> Vec<u8> {
    debian_package_with(directory, ("sample", version), None)
}

/// One with a script that runs before it is unpacked, or none.
fn debian_package_with(
    directory: &Path,
    (name, version): (&str, &str),
    script: Option<&str>,
) -> Vec<u8> {
    let tree = directory.join(format!("tree-{name}"));
    let share = tree.join(format!("usr/share/tierline-{name}"));
    fs::create_dir_all(tree.join("DEBIAN")).expect("is made");
    fs::create_dir_all(&share).expect("is made");
    fs::write(share.join("file"), "content\n").expect("writes");
    if let Some(script) = script {
        let path = tree.join("DEBIAN/preinst");
        fs::write(&path, script).expect("writes");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("may");
    }
    let control = format!(
        "Package: tierline-{name}\nVersion: {version}\nArchitecture: all\n\
         Maintainer: Nobody <nobody@example.com>\nDescription: sample\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).expect("writes");
    fs::set_permissions(tree.join("DEBIAN"), Permissions::from_mode(0o755)).expect("may");
    let file = directory.join(format!("{name}.deb"));
    let mut build = std::process::Command::new("/usr/bin/dpkg-deb");
    let built = build.arg("--build").arg(&tree).arg(&file).output().expect("starts");
    assert!(built.status.success(), "{built:?}");
    fs::read(file).expect("was built")
}

/// Symptom: an update whose installation met apt or dpkg at work failed, and waited for an hour,
/// four hours, a day. Cause: the exit code of a package manager that is not let in is like any
/// other failure. Repair: its locks are looked at before and after.
#[tokio::test]
async fn a_package_waits_while_dpkg_is_at_work_for_somebody_else() {
    let bench = Bench::new();
    let root = bench.directory.path().join("root");
    empty_dpkg(&root);
    let mut begun = bench.fifo("begun").open_receiver(bench.directory.path().join("begun"));
    let begun = begun.as_mut().expect("opens");
    let end = bench.fifo("end").open_sender(bench.directory.path().join("end"));
    let mut end = end.expect("opens");
    let place = bench.directory.path().display();
    let script = format!("#!/bin/sh\necho > {place}/begun\nread end < {place}/end\n");
    debian_package_with(bench.directory.path(), ("slow", "1"), Some(&script));
    let mut other = tokio::process::Command::new("/usr/bin/dpkg");
    other.arg(format!("--root={}", root.display())).args(["--force-script-chrootless", "-i"]);
    let mut other =
        other.arg(bench.directory.path().join("slow.deb")).spawn().expect("dpkg starts");
    begun.read_u8().await.expect("it is at work");

    let lock_wait = SOON;
    let setup = || Setup { root: root.clone(), lock_wait, ..Setup::default() };
    let machine = bench.machine_with(setup());
    let package = debian_package(bench.directory.path(), "1.2-3");
    let (file, reader) = bench.file("sample.deb", &package, &package).await;
    let installer = authoring::run("sample.deb", "--force-depends", [].into());
    let job = bench.job(&installer, vec![(&file, reader)], MINUTE);
    let busy = machine.install(&job).await.expect_err("somebody else is at work");
    assert_eq!(busy.kind(), ErrorKind::ResourceBusy, "{busy}");
    let holder = other.id().expect("it runs");
    assert_eq!(busy.to_string(), format!("process {holder} is at work with dpkg"));
    assert!(!bench.directory.path().join("data/installs").exists(), "nothing was started");

    // One that ends soon is waited for.
    let patient = Setup { lock_wait: MINUTE, ..setup() };
    let machine = bench.machine_with(patient);
    let ending = async {
        tokio::task::yield_now().await;
        end.write_all(b"now\n").await.expect("it reads");
        other.wait().await.expect("it ends")
    };
    let (ended, other) = tokio::join!(machine.install(&job), ending);
    assert!(other.success(), "{other}");
    assert_eq!(ended.expect("runs"), Ended::Exited(0), "{}", bench.said());
}

/// Where dpkg has never been at work.
fn empty_dpkg(root: &Path) {
    for directory in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "etc"] {
        fs::create_dir_all(root.join(directory)).expect("is made");
    }
    fs::write(root.join("var/lib/dpkg/status"), "").expect("writes");
    fs::write(root.join("var/lib/dpkg/available"), "").expect("writes");
}

/// Symptom to be avoided: a rule asks for the digest of a file, and whoever owns it puts a pipe in
/// its place after it was looked at: an agent that opens the pipe waits for ever.
#[test]
fn a_pipe_in_the_place_of_a_file_holds_up_nobody() {
    let bench = Bench::new();
    let _options = bench.fifo("pipe");
    let error = hash(&bench.directory.path().join("pipe")).expect_err("it is no file");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
