//! What this computer calls its users and groups.
//!
//! Owns where that is looked up: passwd(5) and group(5) first, read anew each time, so that a
//! change counts at once; then whatever else the computer knows them by, such as a directory, with
//! getent(1). That may take long or never end: it is bounded in time and size, and its answers are
//! remembered for a minute, also that there was none.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::limits::{NAME_BYTES_MAX, NAME_REMEMBERED, NAME_WAIT, NAMES_MAX};

#[derive(Debug)]
pub(super) struct Names {
    users: PathBuf,
    groups: PathBuf,
    getent: PathBuf,
    /// By what was asked: when, and the line that came.
    heard: Mutex<BTreeMap<String, (Instant, Option<String>)>>,
}

impl Names {
    pub(super) fn of_this_computer() -> Names {
        Names::at("/etc/passwd", "/etc/group", "/usr/bin/getent")
    }

    pub(super) fn at(
        users: impl Into<PathBuf>,
        groups: impl Into<PathBuf>,
        getent: impl Into<PathBuf>,
    ) -> Names {
        let (users, groups, getent) = (users.into(), groups.into(), getent.into());
        Names { users, groups, getent, heard: Mutex::default() }
    }

    pub(super) async fn user(&self, uid: u32) -> String {
        let users = fs::read_to_string(&self.users).unwrap_or_default();
        let known = match users.lines().find_map(|line| name_of(line, uid)) {
            Some(name) => Some(name),
            None => self.ask("passwd", &uid.to_string()).await.and_then(|l| name_of(&l, uid)),
        };
        known.unwrap_or_else(|| format!("user {uid}"))
    }

    /// The number of a group, which may be called by it.
    pub(super) async fn group(&self, name: &str) -> Option<u32> {
        if let Ok(number) = name.parse() {
            return Some(number);
        }
        let groups = fs::read_to_string(&self.groups).unwrap_or_default();
        match groups.lines().find_map(|line| number_of(line, name)) {
            Some(number) => Some(number),
            None => self.ask("group", name).await.and_then(|line| number_of(&line, name)),
        }
    }

    async fn ask(&self, database: &str, key: &str) -> Option<String> {
        let question = format!("{database} {key}");
        // One at a time: whoever asks the same meanwhile finds the answer.
        let mut heard = self.heard.lock().await;
        let now = Instant::now();
        if let Some((at, line)) = heard.get(&question)
            && now - *at < NAME_REMEMBERED
        {
            return line.clone();
        }
        let line = timeout(NAME_WAIT, self.getent(database, key)).await.ok().flatten();
        if heard.len() >= NAMES_MAX {
            heard.clear();
        }
        heard.insert(question, (Instant::now(), line.clone()));
        line
    }

    async fn getent(&self, database: &str, key: &str) -> Option<String> {
        let mut command = Command::new(&self.getent);
        command.args(["--", database, key]).env_clear().current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().ok()?;
        let mut said = Vec::new();
        child.stdout.take()?.take(NAME_BYTES_MAX).read_to_end(&mut said).await.ok()?;
        let line = String::from_utf8_lossy(&said).lines().next()?.to_owned();
        child.wait().await.ok()?.success().then_some(line)
    }
}

/// From a line of passwd(5).
fn name_of(line: &str, uid: u32) -> Option<String> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
}

/// From a line of group(5).
fn number_of(line: &str, name: &str) -> Option<u32> {
    let mut fields = line.split(':');
    fields.next().filter(|known| *known == name)?;
    fields.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests;
