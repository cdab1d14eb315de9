//! A computer whose installers do what a scenario says, and that writes down what is done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use ambient::ManualClock;
use model::Form;
use update_metadata::{LinuxFacts, System};

use super::{Arc, BoxFuture, Ended, Facts, FileFact, Job, Log, MINUTE_MS, Machine, Wanted, io};
use crate::machine::{Filter, FilterState};

#[derive(Debug)]
pub(super) struct Computer {
    log: Log,
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) form: Form,
    pub(super) has_users: bool,
    pub(super) filter: FilterState,
    next_filter: FilterState,
    /// What installers have left, what of it outlasts a restart, and what comes with one.
    installed: BTreeSet<u128>,
    lasting: BTreeSet<u128>,
    coming: BTreeSet<u128>,
    /// How installers end; the others succeed at once.
    pub(super) endings: BTreeMap<u128, Ending>,
    boot: u32,
    is_down: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ending {
    pub(super) code: i32,
    pub(super) minutes: i64,
}

/// What the installer of an update leaves.
pub(super) fn path(number: u128) -> String {
    format!("/opt/{number}")
}

impl Computer {
    pub(super) fn new(log: Log, clock: Arc<ManualClock>) -> Computer {
        let state = State {
            form: Form::Workstation,
            has_users: false,
            filter: FilterState::Absent,
            next_filter: FilterState::Absent,
            installed: BTreeSet::new(),
            lasting: BTreeSet::new(),
            coming: BTreeSet::new(),
            endings: BTreeMap::new(),
            boot: 1,
            is_down: false,
        };
        Computer { log, clock, state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("whole")
    }

    pub(super) fn end(&self, number: u128, ending: Ending) {
        self.lock().endings.insert(number, ending);
    }

    /// Its installer wants a restart, which completes it.
    pub(super) fn needs_restart(&self, number: u128) {
        self.end(number, Ending { code: 3010, minutes: 0 });
    }

    /// Somebody else installs or removes it.
    pub(super) fn set(&self, number: u128, is_installed: bool) {
        let state = &mut *self.lock();
        for held in [&mut state.installed, &mut state.lasting] {
            match is_installed {
                true => held.insert(number),
                false => held.remove(&number),
            };
        }
    }

    pub(super) fn is_down(&self) -> bool {
        self.lock().is_down
    }

    pub(super) fn start(&self) {
        self.log.say("the system starts");
        let state = &mut *self.lock();
        let coming = std::mem::take(&mut state.coming);
        state.lasting.extend(coming);
        state.installed.clone_from(&state.lasting);
        (state.filter, state.is_down) = (state.next_filter, false);
        state.boot += 1;
    }

    pub(super) fn close_filter(&self) {
        let mut state = self.lock();
        (state.filter, state.next_filter) = (FilterState::Closed, FilterState::Closed);
    }

    fn run_installer(&self, number: u128) -> Ended {
        self.log.say(&format!("the installer of {number} runs"));
        let ending = self.lock().endings.get(&number).copied().unwrap_or_default();
        if ending.minutes > 0 {
            self.clock.advance_ms(ending.minutes * MINUTE_MS);
            self.log.say(&format!("the installer of {number} ends"));
        }
        let state = &mut *self.lock();
        let is_lasting = state.filter != FilterState::Closed;
        match ending.code {
            0 => {
                state.installed.insert(number);
                state.lasting.extend(is_lasting.then_some(number));
            }
            3010 => state.coming.extend(is_lasting.then_some(number)),
            _ => {}
        }
        Ended::Exited(ending.code)
    }
}

impl Machine for Arc<Computer> {
    fn facts(&self) -> BoxFuture<'_, io::Result<Facts>> {
        let system = System::Linux(LinuxFacts::default());
        let facts = Facts { architecture: None, files: BTreeMap::new(), system };
        Box::pin(std::future::ready(Ok(facts)))
    }

    fn file<'a>(
        &'a self,
        asked: &'a str,
        _: Wanted,
    ) -> BoxFuture<'a, io::Result<Option<FileFact>>> {
        let state = self.lock();
        let found = state.installed.iter().any(|number| path(*number) == asked);
        Box::pin(std::future::ready(Ok(found.then(FileFact::default))))
    }

    fn boot(&self) -> io::Result<String> {
        Ok(self.lock().boot.to_string())
    }

    fn form(&self) -> Form {
        self.lock().form
    }

    fn users(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().has_users.then(|| "alice".to_owned()).into_iter().collect())
    }

    fn notify<'a>(&'a self, notice: &'a str) -> BoxFuture<'a, io::Result<()>> {
        self.log.say(&format!("users are told: {notice}"));
        Box::pin(async { Ok(()) })
    }

    fn restart(&self) -> BoxFuture<'_, io::Result<()>> {
        self.log.say("the system restarts");
        self.lock().is_down = true;
        Box::pin(async { Ok(()) })
    }

    fn write_filter(&self, wish: Filter) -> BoxFuture<'_, io::Result<FilterState>> {
        let mut state = self.lock();
        let (next, word) = match wish {
            Filter::Ask => return Box::pin(std::future::ready(Ok(state.filter))),
            Filter::Open => (FilterState::Open, "opens"),
            Filter::Close => (FilterState::Closed, "closes"),
        };
        self.log.say(&format!("the write filter {word} with the next start"));
        state.next_filter = next;
        Box::pin(std::future::ready(Ok(state.filter)))
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<Ended>> {
        let number = job.document.update.id.0.as_u128();
        Box::pin(async move { Ok(self.run_installer(number)) })
    }
}
