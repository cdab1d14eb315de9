//! What the code of a failed step means, and what helps: the words of a person at this computer.

use client::plan::BUSY;
use model::{EnforcementState, Hresult};
use serde::Serialize;

/// A code with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Code {
    /// As its origin writes it: `17`, `0x8024401C`.
    pub(crate) code: String,
    pub(crate) meaning: String,
    pub(crate) remedy: String,
}

/// Codes that mean something of their own where an agent says them: meaning and remedy.
const OWN: &[(u32, &str, &str)] = &[
    (
        0x8007_0002,
        "the program that would install the update is not on this computer",
        "install that program, or name another in [handlers.install] of the agent's configuration",
    ),
    (
        0x8007_0005,
        "the system does not let the agent run the installer",
        "see whether data_dir is on a file system mounted with noexec, or something denies it",
    ),
    (
        0x8007_000E,
        "the system has no room for another process",
        "see what takes memory or processes on this computer",
    ),
    (0x8007_0013, "what the agent writes to cannot be written", "mount it for writing"),
    (
        0x8007_0070,
        "there is no room on the disk for the installer",
        "free space where the agent's data_dir is",
    ),
    (
        0x8000_4001,
        "the update names no installer that this system can run",
        "have the update published with an installer for this system",
    ),
    (
        0x8000_4005,
        "it failed, and the system gives no code of its own",
        "read the agent's log of that time",
    ),
    (
        0x8009_1007,
        "its bytes are not those that policy names; nothing was run",
        "see `tierline-agent status` for the server that gave them, and have its content validated",
    ),
    (
        0x87D0_0324,
        "the installer said that it succeeded, and the update is not found afterwards",
        "see whether the installer did anything; else the update's detection rule is wrong",
    ),
];

impl Code {
    /// None if there is nothing to tell.
    pub(crate) fn of(state: EnforcementState, code: i32) -> Option<Code> {
        match (state, code) {
            (_, 0) => None,
            (_, ..0) => Some(Code::of_platform(code)),
            (EnforcementState::DownloadFailed, status @ 100..600) => Some(Code::new(
                status.to_string(),
                "the server answered with this HTTP status instead of the file",
                "see whether the content is on a distribution point of this place",
            )),
            (_, BUSY) => Some(Code::new(
                BUSY.to_string(),
                "another installation is in progress on this computer",
                "wait: it is tried again in ten minutes; if that stays so, see who holds the lock",
            )),
            (_, exit) => Some(Code::new(
                exit.to_string(),
                "its installer ended with this code",
                "see what its vendor says of the code, and the installer's own log",
            )),
        }
    }

    /// Of something that is no installer.
    pub(crate) fn of_platform(code: i32) -> Code {
        let text = format!("0x{code:08X}");
        let own = OWN.iter().find(|(own, ..)| own.cast_signed() == code);
        if let Some((_, meaning, remedy)) = own {
            return Code::new(text, *meaning, *remedy);
        }
        let known = Hresult(code);
        let meaning = known.meaning().unwrap_or("nothing is known of this code here");
        Code::new(text, meaning, known.remedy().unwrap_or("look for it in the agent's log"))
    }

    fn new(code: String, meaning: impl Into<String>, remedy: impl Into<String>) -> Code {
        Code { code, meaning: meaning.into(), remedy: remedy.into() }
    }
}

#[cfg(test)]
mod tests;
