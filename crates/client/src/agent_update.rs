//! Which version of the agent runs, where its site deploys new ones.
//!
//! Owns the decision: a new version is on trial until it has proved that it can do its work, which
//! is to ask for policy and to have a report taken. One that is not started, ends too often, or
//! proves nothing in time gives way to the version before, and is not tried again. Refuses to know
//! files and processes. Whatever happens, there is a version to run: the installed one.

use model::{Sha256, Timestamp, compare_debian};
use serde::{Deserialize, Serialize};

use crate::plan::BUSY;

/// Versions that failed and are remembered: one that is deployed is not tried again and again.
const REJECTED_MAX: usize = 16;

/// A version of the agent beside the installed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// As the deployment calls it.
    pub version: String,
    /// Of the program.
    #[serde(with = "digest")]
    pub sha256: Sha256,
    /// The installed version when it was first tried: a newer package is meant to replace it.
    #[serde(default)]
    pub beside: String,
}

/// Why a version is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The system could not start it.
    NotStarted,
    /// It ended by itself too often.
    Ended,
    /// It proved nothing in time.
    Silent,
    /// Its program is gone, or not what was staged.
    Damaged,
}

impl Reason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NotStarted => "it could not be started",
            Reason::Ended => "it ended by itself too often",
            Reason::Silent => "it has neither policy nor a report taken in time",
            Reason::Damaged => "its program is gone or damaged",
        }
    }

    /// What is reported of its deployment: the HRESULTs of ERROR_BAD_EXE_FORMAT,
    /// ERROR_PROCESS_ABORTED, ERROR_TIMEOUT and ERROR_FILE_CORRUPT.
    #[must_use]
    pub fn code(self) -> i32 {
        let code: u32 = match self {
            Reason::NotStarted => 0x8007_00C1,
            Reason::Ended => 0x8007_042B,
            Reason::Silent => 0x8007_05B4,
            Reason::Damaged => 0x8007_0570,
        };
        code.cast_signed()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    pub version: Version,
    /// Since when it is tried, in milliseconds; none: it never was.
    pub since: Option<i64>,
    pub starts: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    pub version: Version,
    pub reason: Reason,
    /// The client knows it.
    #[serde(default)]
    pub is_told: bool,
}

/// How long and how often a version is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub trial_ms: i64,
    pub starts: u32,
}

/// What is remembered of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// Has proved itself; none: the installed one runs.
    pub good: Option<Version>,
    pub trial: Option<Trial>,
    /// The latest last.
    pub rejected: Vec<Rejected>,
}

/// What is to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Installed,
    Good(Version),
    /// Watched, and ended at that time unless it has proved itself.
    Trial(Version, Timestamp),
}

/// Why a version is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("{version} failed here before: {}", reason.as_str())]
    Failed { version: String, reason: Reason },
    #[error("{version} is older than {running}, and the deployment does not say --allow-downgrade")]
    Older { version: String, running: String },
    #[error("{version} waits: {trial} is on trial, and has not proved itself yet")]
    OnTrial { version: String, trial: String },
    #[error("{version} is in use with other bytes; call the new one by another version")]
    InUse { version: String },
    #[error("\"{version}\" is no version: letters, digits and .+~- after a digit, at most 64")]
    NoVersion { version: String },
}

impl NotTaken {
    /// What is reported of its deployment.
    #[must_use]
    pub fn code(&self) -> i32 {
        let code: u32 = match self {
            NotTaken::Failed { reason, .. } => return reason.code(),
            NotTaken::OnTrial { .. } => return BUSY,
            // ERROR_PRODUCT_VERSION, ERROR_INVALID_PARAMETER
            NotTaken::Older { .. } | NotTaken::InUse { .. } => 0x8007_0666,
            NotTaken::NoVersion { .. } => 0x8007_0057,
        };
        code.cast_signed()
    }
}

/// What an update of the agent says of itself: `self-update --to VERSION [--allow-downgrade]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub version: String,
    pub may_be_older: bool,
}

/// The file of an update, and the program of its installer, that is an agent.
pub const PROGRAM: &str = "tierline-agent";

impl Wish {
    /// Of an installer; none: it is an installer like others.
    #[must_use]
    pub fn of(program: &str, arguments: &str) -> Option<Wish> {
        let mut words = arguments.split_ascii_whitespace();
        if program != PROGRAM || words.next() != Some("self-update") || words.next() != Some("--to")
        {
            return None;
        }
        let version = words.next()?.to_owned();
        match (words.next(), words.next()) {
            (None, _) => Some(Wish { version, may_be_older: false }),
            (Some("--allow-downgrade"), None) => Some(Wish { version, may_be_older: true }),
            _ => None,
        }
    }
}

impl Versions {
    /// Takes a version on trial, where `running` runs. It replaces one whose trial has not begun;
    /// one that has begun might be the very one that runs, and is not cut short.
    pub fn take(&mut self, wish: Wish, sha256: Sha256, running: &str) -> Result<(), NotTaken> {
        let Wish { version, may_be_older } = wish;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".+~-".contains(c);
        let begins = version.starts_with(|c: char| c.is_ascii_digit());
        if !begins || version.len() > 64 || !version.chars().all(is_plain) {
            return Err(NotTaken::NoVersion { version });
        }
        if let Some(before) = self.rejected.iter().find(|r| r.version.sha256 == sha256) {
            return Err(NotTaken::Failed { version, reason: before.reason });
        }
        let tried = self.trial.as_ref().filter(|trial| trial.since.is_some());
        if let Some(tried) = tried.filter(|tried| tried.version.sha256 != sha256) {
            let trial = tried.version.version.clone();
            return Err(NotTaken::OnTrial { version, trial });
        }
        if !may_be_older && compare_debian(&version, running).is_lt() {
            return Err(NotTaken::Older { version, running: running.to_owned() });
        }
        let same_name = |good: &&Version| good.version == version && good.sha256 != sha256;
        if self.good.as_ref().filter(same_name).is_some() {
            return Err(NotTaken::InUse { version });
        }
        let is_good = self.good.as_ref().is_some_and(|good| good.sha256 == sha256);
        let version = Version { version, sha256, beside: String::new() };
        self.trial = (!is_good).then_some(Trial { version, since: None, starts: 0 });
        Ok(())
    }

    /// What starts now, at a computer with `installed`.
    pub fn start(&mut self, installed: &str, limits: Limits, now: Timestamp) -> Start {
        if let Some(trial) = &mut self.trial {
            // A clock that went back does not prolong it by more than itself.
            let since = trial.since.map_or(now.0, |since| since.min(now.0));
            let until = Timestamp(since).plus_ms(limits.trial_ms);
            if trial.starts >= limits.starts {
                self.reject(Reason::Ended);
            } else if now >= until {
                self.reject(Reason::Silent);
            } else {
                if trial.since.is_none() {
                    trial.version.beside = installed.to_owned();
                }
                (trial.since, trial.starts) = (Some(since), trial.starts + 1);
                return Start::Trial(trial.version.clone(), until);
            }
        }
        let is_replaced = |good: &Version| {
            good.beside != installed && compare_debian(&good.version, installed).is_lt()
        };
        match &self.good {
            Some(good) if is_replaced(good) => {
                self.good = None;
                Start::Installed
            }
            Some(good) => Start::Good(good.clone()),
            None => Start::Installed,
        }
    }

    /// The version on trial was told to end: that start proves nothing.
    pub fn interrupted(&mut self) {
        if let Some(trial) = &mut self.trial {
            trial.starts = trial.starts.saturating_sub(1);
        }
    }

    /// The version on trial does its work.
    pub fn proved(&mut self) {
        self.good = self.trial.take().map(|trial| trial.version).or(self.good.take());
    }

    /// The version on trial is given up.
    pub fn reject(&mut self, reason: Reason) {
        if let Some(Trial { version, .. }) = self.trial.take() {
            self.note(version, reason);
        }
    }

    /// The good version cannot be used any more: the installed one has to do.
    pub fn lose(&mut self, reason: Reason) {
        if let Some(version) = self.good.take() {
            self.note(version, reason);
        }
    }

    fn note(&mut self, version: Version, reason: Reason) {
        self.rejected.retain(|rejected| rejected.version.sha256 != version.sha256);
        self.rejected.push(Rejected { version, reason, is_told: false });
        let surplus = self.rejected.len().saturating_sub(REJECTED_MAX);
        self.rejected.drain(..surplus);
    }

    /// Those that the client is to know of.
    pub fn untold(&self) -> impl Iterator<Item = &Rejected> {
        self.rejected.iter().filter(|rejected| !rejected.is_told)
    }

    /// The client knows them all, and remembers.
    pub fn told(&mut self) {
        self.rejected.iter_mut().for_each(|rejected| rejected.is_told = true);
    }

    /// Versions whose programs are still needed.
    pub fn kept(&self) -> impl Iterator<Item = &Version> {
        self.good.iter().chain(self.trial.as_ref().map(|trial| &trial.version))
    }
}

mod digest {
    //! A digest as text.

    use model::Sha256;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(sha256: &Sha256, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(sha256)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sha256, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
