//! How the downloader gives up what it does not need, before it reads a byte.
//!
//! Owns the order, which the kernel prescribes in part, and the list of system calls that are left.
//! A right that is not given up in spite of all is either told ([`Missing`], where the kernel knows
//! no such thing) or an error that ends the process (its user, capabilities).

use std::collections::BTreeMap;
use std::io;

use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid, geteuid, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit, setsid,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, set_capabilities, set_name, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

/// Whom the downloader becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl User {
    /// As `/etc/passwd` has it; a user of a directory service has rights elsewhere.
    pub(super) fn named(name: &str) -> Result<User, String> {
        let users = std::fs::read_to_string("/etc/passwd")
            .map_err(|error| format!("/etc/passwd cannot be read: {error}"))?;
        User::among(&users, name)
    }

    /// `users` is the text of passwd(5).
    pub(super) fn among(users: &str, name: &str) -> Result<User, String> {
        let found = users.lines().find_map(|line| {
            // Its name, its password, its numbers.
            let mut fields = line.split(':');
            if fields.next() != Some(name) {
                return None;
            }
            let mut numbers = fields.skip(1).map(|field| field.parse().ok());
            Some(User { uid: numbers.next()??, gid: numbers.next()?? })
        });
        match found {
            Some(User { uid: 0, .. } | User { gid: 0, .. }) => {
                Err(format!("\"{name}\" has the rights of root; name a user that has none"))
            }
            Some(user) => Ok(user),
            None => Err(format!("there is no user \"{name}\" in /etc/passwd")),
        }
    }
}

/// What the system could not take from the downloader; each bit is one of [`GUARDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) u8);

const GUARDS: [&str; 6] = [
    "a session of its own",
    "limits of memory, files and processes",
    "a ban on new privileges",
    "the end with the agent",
    "a memory that others cannot read",
    "a filter of system calls",
];

const SESSION: u8 = 0;
const LIMITS: u8 = 1;
const PRIVILEGES: u8 = 2;
const DEATH: u8 = 3;
const MEMORY: u8 = 4;
pub(super) const FILTER: u8 = 5;

impl Missing {
    pub(super) fn note<T, E>(&mut self, guard: u8, result: Result<T, E>) {
        if result.is_err() {
            self.0 |= 1 << guard;
        }
    }

    /// In words; bits of which there is no guard say nothing.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let is_missing = |(bit, _): &(usize, _)| self.0 & (1 << bit) != 0;
        GUARDS.into_iter().enumerate().filter(is_missing).map(|(_, name)| name).collect()
    }
}

/// What is written to and allocated. One answer takes some hundred KiB; the rest is the runtime's.
const DATA_BYTES_MAX: u64 = 16 << 20;

/// Everything mapped, of which the program itself is the most: some ten MiB.
const ADDRESSES_BYTES_MAX: u64 = 256 << 20;

/// The three it was given, those of the runtime, and what a starter of the agent left open.
const FILES_MAX: u64 = 64;

/// No files, no threads, no processes, no remains.
const MOST: [(Resource, u64); 6] = [
    (Resource::Data, DATA_BYTES_MAX),
    (Resource::As, ADDRESSES_BYTES_MAX),
    (Resource::Nofile, FILES_MAX),
    (Resource::Nproc, 0),
    (Resource::Fsize, 0),
    (Resource::Core, 0),
];

/// Gives up everything but system calls, which [`filter`] does once there is a runtime. Only a
/// process of one thread may do this.
pub(super) fn confine(user: Option<User>) -> io::Result<Missing> {
    let mut missing = Missing::default();
    // For whoever lists processes; nothing depends on it.
    let _ = set_name(c"tierline-fetch");
    std::env::set_current_dir("/")?;
    missing.note(SESSION, setsid());
    for (resource, most) in MOST {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        missing.note(LIMITS, setrlimit(resource, limit));
    }
    if let Some(User { uid, gid }) = user {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
    }
    if geteuid().is_root() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, none)?;
    missing.note(PRIVILEGES, set_no_new_privs(true));
    // A change of the user would undo these two.
    missing.note(DEATH, set_parent_process_death_signal(Some(Signal::KILL)));
    missing.note(MEMORY, set_dumpable_behavior(DumpableBehavior::NotDumpable));
    Ok(missing)
}

/// What is open already and was not given to it: whoever started the agent has left it open. It
/// cannot be closed without unsafe code, so it is made of no use.
pub(super) fn inherited() -> io::Result<Vec<u64>> {
    let numbers = std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.parse().ok().filter(|number| *number > 2)
    });
    let numbers: Vec<u64> = numbers.collect();
    // The list itself was open, too.
    let is_open = |number: &u64| std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok();
    Ok(numbers.into_iter().filter(is_open).collect())
}

/// Leaves only the system calls that reading, writing and waiting take. Whatever else is called is
/// refused with EPERM, for ever.
pub(super) fn filter(inherited: &[u64]) -> Result<(), Box<dyn std::error::Error>> {
    Ok(apply_filter(&program(inherited)?)?)
}

fn program(inherited: &[u64]) -> Result<BpfProgram, Box<dyn std::error::Error>> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let deny = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    rules.extend(CALLS.iter().map(|call| (*call, Vec::new())));
    let other = |number: &u64| condition(0, SeccompCmpOp::Ne, *number);
    for call in TRANSFERS {
        let own: Vec<_> = inherited.iter().map(other).collect::<Result<_, _>>()?;
        let rule = if own.is_empty() { Vec::new() } else { vec![SeccompRule::new(own)?] };
        rules.insert(*call, rule);
    }
    // Memory that is written is never run, and is no file's.
    let executable = SeccompCmpOp::MaskedEq(u64::from(libc::PROT_EXEC.unsigned_abs()));
    let anonymous = u64::from(libc::MAP_ANONYMOUS.unsigned_abs());
    let is_data = condition(2, executable, 0)?;
    let is_no_file = condition(3, SeccompCmpOp::MaskedEq(anonymous), anonymous)?;
    rules.insert(libc::SYS_mprotect, vec![SeccompRule::new(vec![is_data.clone()])?]);
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![is_data, is_no_file])?]);
    Ok(SeccompFilter::new(rules, deny, SeccompAction::Allow, arch)?.try_into()?)
}

fn condition(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)
}

/// With what they read or write as their first argument: the connection and the frames.
const TRANSFERS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
];

/// None of them opens, connects, starts, signals or changes anything but what is open already.
const CALLS: &[libc::c_long] = &[
    libc::SYS_shutdown,
    libc::SYS_close,
    // Waiting.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_ctl,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_restart_syscall,
    libc::SYS_clock_gettime,
    // Memory; see also `program`.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_getrandom,
    // The end.
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

#[cfg(test)]
mod tests;
