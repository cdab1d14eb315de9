//! Who is at the other end of the socket, by what the kernel says.
//!
//! Groups are those of the calling process, as long as its user is still the one that connected:
//! a process that is gone, or another in its place, is a user without groups.

use std::fs;
use std::io;

use tokio::net::UnixStream;

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
}

/// Whom an agent takes for an administrator.
#[derive(Clone, Debug)]
pub(super) struct Administrators {
    /// The agent's own user, who could do anything to it without asking.
    pub(super) owner: u32,
    pub(super) groups: Vec<String>,
}

impl Caller {
    pub(super) fn of(stream: &UnixStream, administrators: &Administrators) -> io::Result<Caller> {
        let peer = stream.peer_cred()?;
        let uid = peer.uid();
        let status =
            peer.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let mut groups = status.map_or_else(Vec::new, |status| groups_of(&status, uid));
        groups.push(peer.gid());
        // Read anew each time: an administrator that is made or unmade counts at once.
        let named = fs::read_to_string("/etc/group").unwrap_or_default();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = name_of(&users, uid).unwrap_or_else(|| format!("user {uid}"));
        let standing = administrators.standing(uid, &groups, &named);
        Ok(Caller { uid, name, standing })
    }
}

impl Administrators {
    /// `named` is the text of group(5).
    fn standing(&self, uid: u32, groups: &[u32], named: &str) -> Standing {
        let is_meant = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next().unwrap_or_default();
            let gid = fields.nth(1).and_then(|gid| gid.parse().ok());
            self.groups.iter().any(|group| group == name)
                && gid.is_some_and(|gid| groups.contains(&gid))
        };
        match uid == 0 || uid == self.owner || named.lines().any(is_meant) {
            true => Standing::Administrator,
            false => Standing::User,
        }
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

/// From the text of passwd(5).
fn name_of(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests;
