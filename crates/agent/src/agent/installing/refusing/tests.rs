use expect_test::expect;
use model::EnforcementState;

use super::*;
use crate::control::Code;

/// Symptom: of an installer on a file system mounted with noexec it was said that it ended with
/// code 13, and that its vendor knows why. Cause: the system's number stood where the installer's
/// exit code stands. Repair: codes that say that it never began, each with what helps.
#[test]
fn what_keeps_an_installer_from_running_is_not_taken_for_its_exit_code() {
    let system = [13, 28, 8, 2, 12, 30, 5].map(io::Error::from_raw_os_error);
    let own = [
        io::Error::new(ErrorKind::InvalidData, "bytes that policy does not name"),
        io::Error::new(ErrorKind::Unsupported, "only Windows can run Cbs"),
        io::Error::new(ErrorKind::ResourceBusy, "process 7 is at work with dpkg"),
    ];
    let mut said = String::new();
    for error in system.into_iter().chain(own) {
        let Ended::NotRun { code, reason } = not_run(&error) else { panic!("{error}") };
        let code = Code::of(EnforcementState::Failed, code).expect("a failure");
        said += &format!("{reason}\n  {}: {}; {}\n", code.code, code.meaning, code.remedy);
    }
    expect![[r#"
        Permission denied (os error 13)
          0x80070005: the system does not let the agent run the installer; see whether data_dir is on a file system mounted with noexec, or something denies it
        No space left on device (os error 28)
          0x80070070: there is no room on the disk for the installer; free space where the agent's data_dir is
        Exec format error (os error 8)
          0x800700C1: the program is none that this system can start; publish one that is made for this kind of computer
        No such file or directory (os error 2)
          0x80070002: the program that would install the update is not on this computer; install that program, or name another in [handlers.install] of the agent's configuration
        Cannot allocate memory (os error 12)
          0x8007000E: the system has no room for another process; see what takes memory or processes on this computer
        Read-only file system (os error 30)
          0x80070013: what the agent writes to cannot be written; mount it for writing
        Input/output error (os error 5)
          0x80004005: it failed, and the system gives no code of its own; read the agent's log of that time
        bytes that policy does not name
          0x80091007: its bytes are not those that policy names; nothing was run; see `tierline-agent status` for the server that gave them, and have its content validated
        only Windows can run Cbs
          0x80004001: the update names no installer that this system can run; have the update published with an installer for this system
        process 7 is at work with dpkg
          1618: another installation is in progress on this computer; wait: it is tried again in ten minutes; if that stays so, see who holds the lock
    "#]].assert_eq(&said);
}
