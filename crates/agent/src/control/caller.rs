//! Who is at the other end of the socket, by what the kernel says.
//!
//! Groups are those of the calling process, as long as its user is still the one that connected:
//! a process that is gone, or another in its place, is a user without groups.

use std::fs;
use std::io;

use tokio::net::UnixStream;

use super::names::Names;
use crate::machine::is_logged_on;

/// A user of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) uid: u32,
    /// As the computer calls the user.
    pub(crate) name: String,
    pub(crate) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Administrator,
    User,
    /// A user who is not logged on: a service, or somebody's background job.
    Absent,
}

/// Whom an agent takes for an administrator.
#[derive(Clone, Debug)]
pub(super) struct Administrators {
    /// The agent's own user, who could do anything to it without asking.
    pub(super) owner: u32,
    pub(super) groups: Vec<String>,
}

/// Whoever has connected, as the kernel knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    groups: Vec<u32>,
}

impl Peer {
    pub(super) fn of(stream: &UnixStream) -> io::Result<Peer> {
        let peer = stream.peer_cred()?;
        let uid = peer.uid();
        let status =
            peer.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let mut groups = status.map_or_else(Vec::new, |status| groups_of(&status, uid));
        groups.push(peer.gid());
        Ok(Peer { uid, groups })
    }
}

impl Caller {
    /// May wait for whatever knows the names of users and groups.
    pub(super) async fn of(peer: Peer, administrators: &Administrators, names: &Names) -> Caller {
        let Peer { uid, groups } = peer;
        let name = names.user(uid).await;
        let standing = match administrators.include(uid, &groups, names).await {
            true => Standing::Administrator,
            false if is_logged_on(uid, &name) => Standing::User,
            false => Standing::Absent,
        };
        Caller { uid, name, standing }
    }
}

impl Administrators {
    async fn include(&self, uid: u32, groups: &[u32], names: &Names) -> bool {
        if uid == 0 || uid == self.owner {
            return true;
        }
        for group in &self.groups {
            if names.group(group).await.is_some_and(|gid| groups.contains(&gid)) {
                return true;
            }
        }
        false
    }
}

/// The groups in `/proc/PID/status`, if the process is one of `uid`.
fn groups_of(status: &str, uid: u32) -> Vec<u32> {
    let numbers = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let words = line.unwrap_or_default().split_whitespace();
        words.filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
    };
    // Real, effective, saved, of the file system; the socket knows the effective one.
    match numbers("Uid:").get(1) {
        Some(effective) if *effective == uid => numbers("Groups:"),
        Some(_) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
