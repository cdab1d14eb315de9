//! A computer that exists only as a facts file, with Linux or with Windows.
//!
//! Downloads and checks around it are real. An installation ends as the file says, makes true what
//! the document's own rule asks for, so that a scan finds it installed, and is kept in the file; so
//! are restarts and notices. No time passes in it: an installer that hangs has timed out at once.
//!
//! Behind a closed write filter, whatever changes is gone with the next restart.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Form, Inventory};
use recurrence::Zone;
use transport::BoxFuture;
use update_metadata::{Facts, FileFact, InstallResult};

use super::{Ended, Filter, FilterState, Job, Machine, Wanted};
use crate::inventory::bounded;
use crate::limits::NOTICES_MAX;

mod described;
mod facts_file;
mod pretending;

use facts_file::{FactsFile, WriteFilter};

#[derive(Debug)]
pub struct PretendedMachine {
    state: Mutex<State>,
    /// Where what lasts is kept; nowhere for one that lives in memory.
    path: Option<PathBuf>,
}

#[derive(Debug)]
struct State {
    /// As it is now.
    now: FactsFile,
    /// What is left of it after a restart.
    lasting: FactsFile,
}

impl PretendedMachine {
    /// The computer described in the TOML file at `path`.
    pub fn open(path: &Path) -> io::Result<PretendedMachine> {
        let mut machine = PretendedMachine::read(&std::fs::read_to_string(path)?)?;
        machine.path = Some(path.to_owned());
        Ok(machine)
    }

    /// The computer that this TOML text describes, in memory.
    pub fn read(text: &str) -> io::Result<PretendedMachine> {
        let now = FactsFile::read(text)?;
        let state = State { lasting: now.clone(), now };
        Ok(PretendedMachine { state: Mutex::new(state), path: None })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is now; it lasts if nothing filters it.
    fn change<T>(&self, change: impl FnOnce(&mut FactsFile) -> T) -> io::Result<T> {
        let mut state = self.lock();
        let result = change(&mut state.now);
        if state.now.write_filter != WriteFilter::Closed {
            // The filter is asked for the next start, and so is no part of what is now.
            let write_filter = state.lasting.write_filter;
            state.lasting = FactsFile { write_filter, ..state.now.clone() };
        }
        self.keep(&state)?;
        Ok(result)
    }

    fn keep(&self, state: &State) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        // Beside it first, so that a crash leaves one whole file or the other.
        let beside = path.with_extension("new");
        std::fs::write(&beside, toml::to_string(&state.lasting).map_err(invalid)?)?;
        std::fs::rename(&beside, path)
    }

    fn pretend(&self, job: &Job<'_>) -> io::Result<Ended> {
        let (document, update) = (job.document, job.document.update.id);
        let outcome = self.lock().now.outcome(document);
        if outcome.hangs {
            return Ok(Ended::TimedOut);
        }
        let meaning = job.installer.outcome(outcome.exit_code);
        let has_effect = outcome.takes_effect && meaning.result == InstallResult::Succeeded;
        if let Some(rule) = document.rules.is_installed.as_ref().filter(|_| has_effect) {
            self.change(|now| pretending::make_true(rule, update, now))?;
        }
        Ok(Ended::Exited(outcome.exit_code))
    }

    fn pretend_restart(&self) -> io::Result<()> {
        let mut state = self.lock();
        let boot = state.now.boot + 1;
        let lasting = FactsFile { boot, asks_for_restart: false, ..state.lasting.clone() };
        *state = State { now: lasting.clone(), lasting };
        self.keep(&state)
    }

    fn filter(&self, wish: Filter) -> io::Result<FilterState> {
        let mut state = self.lock();
        let wish = match wish {
            _ if state.now.write_filter == WriteFilter::Absent => None,
            Filter::Ask => None,
            Filter::Open => Some(WriteFilter::Open),
            Filter::Close => Some(WriteFilter::Closed),
        };
        if let Some(wish) = wish {
            state.lasting.write_filter = wish;
            self.keep(&state)?;
        }
        Ok(state.now.write_filter.into())
    }
}

impl Machine for PretendedMachine {
    fn facts(&self) -> BoxFuture<'_, io::Result<Facts>> {
        Box::pin(async { self.lock().now.facts() })
    }

    fn file<'a>(&'a self, path: &'a str, _: Wanted) -> BoxFuture<'a, io::Result<Option<FileFact>>> {
        Box::pin(async { self.lock().now.file(path) })
    }

    fn inventory(&self) -> BoxFuture<'_, Inventory> {
        Box::pin(async { bounded(self.lock().now.inventory()) })
    }

    fn boot(&self) -> io::Result<String> {
        Ok(format!("pretended {}", self.lock().now.boot))
    }

    fn zone(&self) -> Zone {
        self.lock().now.zone().expect("it was read before")
    }

    fn form(&self) -> Form {
        self.lock().now.form.into()
    }

    fn asks_for_restart(&self) -> io::Result<bool> {
        Ok(self.lock().now.asks_for_restart)
    }

    fn users(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().now.users.clone())
    }

    fn notify<'a>(&'a self, notice: &'a str) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async {
            self.change(|now| {
                now.notices.push(notice.to_owned());
                let beyond = now.notices.len().saturating_sub(NOTICES_MAX);
                now.notices.drain(..beyond);
            })
        })
    }

    fn restart(&self) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(async { self.pretend_restart() })
    }

    fn write_filter(&self, wish: Filter) -> BoxFuture<'_, io::Result<FilterState>> {
        Box::pin(async move { self.filter(wish) })
    }

    fn install<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, io::Result<Ended>> {
        Box::pin(async { self.pretend(job) })
    }
}

fn invalid(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests;
