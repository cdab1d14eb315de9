//! Pretended computers: what a kind of them is, and what is different with each.

use model::{Timestamp, UpdateId};
use recurrence::Zone;
use update_metadata::{Facts, LinuxFacts, System, WindowsFacts};

use client::Surroundings;

use crate::chance::Chance;

/// What Windows calls itself where people work; servers have higher numbers.
const WORKSTATION: u32 = 1;

/// Computers that are alike: documents are judged once for all of them.
#[derive(Clone, Debug)]
pub struct Model {
    pub facts: Facts,
    /// As a client introduces itself.
    pub(crate) os: String,
    pub(crate) architecture: String,
    is_server: bool,
}

impl Model {
    #[must_use]
    pub fn new(facts: Facts) -> Model {
        let (os, is_server) = match &facts.system {
            System::Linux(LinuxFacts { id, version_id, .. }) => {
                (format!("linux {id} {}", version_id.as_deref().unwrap_or_default()), true)
            }
            System::Windows(found) => {
                let WindowsFacts { major, minor, build, product_type, .. } = **found;
                (format!("windows {major}.{minor}.{build}"), product_type > WORKSTATION)
            }
        };
        let architecture = facts.architecture.map_or_else(String::new, |a| format!("{a:?}"));
        let architecture = architecture.to_lowercase();
        Model { facts, os: os.trim_end().to_owned(), architecture, is_server }
    }
}

/// How pretended work goes.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// A download, and an installation, ends within so many virtual minutes.
    pub fetch_minutes: u32,
    pub install_minutes: u32,
    /// Of a thousand installations, how many fail, and how many ask for a restart.
    pub failing: u32,
    pub restarting: u32,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner { fetch_minutes: 5, install_minutes: 10, failing: 20, restarting: 100 }
    }
}

/// What is different with one computer.
#[derive(Debug)]
pub(crate) struct Computer {
    pub(crate) model: usize,
    pub(crate) chance: Chance,
    starts: u32,
    is_going_down: bool,
    /// Beside what the model has; few, in no order.
    installed: Vec<UpdateId>,
    /// Installed once it has restarted.
    unfinished: Vec<UpdateId>,
}

impl Computer {
    pub(crate) fn new(model: usize, chance: Chance) -> Computer {
        let (installed, unfinished) = Default::default();
        Computer { model, chance, starts: 1, is_going_down: false, installed, unfinished }
    }

    pub(crate) fn surroundings(&self, model: &Model) -> Surroundings {
        Surroundings {
            boot: self.starts.to_string(),
            zone: Zone::utc(),
            is_server: model.is_server,
            has_users: false,
            asks_for_restart: false,
            filter: client::WriteFilter::Absent,
        }
    }

    pub(crate) fn installed(&self) -> &[UpdateId] {
        &self.installed
    }

    pub(crate) fn has(&self, update: UpdateId) -> bool {
        self.installed.contains(&update)
    }

    pub(crate) fn install(&mut self, update: UpdateId, needs_restart: bool) {
        let place = if needs_restart { &mut self.unfinished } else { &mut self.installed };
        if !place.contains(&update) {
            place.push(update);
        }
    }

    /// Installed if it was not, gone if it was.
    pub(crate) fn toggle(&mut self, update: UpdateId) {
        let before = self.installed.len();
        self.installed.retain(|installed| *installed != update);
        if self.installed.len() == before {
            self.installed.push(update);
        }
    }

    /// Whether it goes down because of this; it may be doing so already.
    pub(crate) fn shut_down(&mut self) -> bool {
        !std::mem::replace(&mut self.is_going_down, true)
    }

    pub(crate) fn start(&mut self) {
        self.starts += 1;
        self.is_going_down = false;
        self.installed.append(&mut self.unfinished);
    }

    /// A moment within so many minutes, not at once.
    pub(crate) fn within(&mut self, minutes: u32, now: Timestamp) -> Timestamp {
        let span = i64::from(minutes.max(1)) * crate::limits::MINUTE_MS;
        now.plus_ms(1 + self.chance.below(span))
    }
}
