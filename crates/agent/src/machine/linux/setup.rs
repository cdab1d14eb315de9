//! How this computer is cared for: the sections `[machine]` and `[handlers]` of the configuration.
//!
//! Owns their form, their defaults and their checks. Commands are split into words once and never
//! meet a shell; a word may hold placeholders, which `handlers` fills.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words::split;
use crate::limits;
use model::Form;

/// `[machine]` as written. `deploy/agent.example.toml` says what each key means.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineSection {
    pub root: String,
    pub form: String,
    pub restart: String,
    pub notify: String,
    pub write_filter: String,
    pub restart_flags: Vec<String>,
    pub run_time_max: String,
    pub stop_grace: String,
}

impl Default for MachineSection {
    fn default() -> MachineSection {
        MachineSection {
            root: "/".to_owned(),
            form: String::new(),
            restart: "/usr/bin/systemctl reboot".to_owned(),
            notify: "/usr/bin/wall".to_owned(),
            write_filter: String::new(),
            restart_flags: ["/run/reboot-required", "/run/reboot-needed"].map(str::to_owned).into(),
            run_time_max: "7d".to_owned(),
            stop_grace: "30s".to_owned(),
        }
    }
}

/// `[handlers]` as written: by extension, what installs such a file. An empty command: nothing
/// does. What is not written keeps its default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct HandlersSection {
    pub install: BTreeMap<String, String>,
}

/// Packages that ask nothing and keep the configuration an administrator changed.
const INSTALL: [(&str, &str); 2] = [
    (
        "deb",
        "/usr/bin/dpkg --root={root} --install --force-confdef --force-confold {arguments} {file}",
    ),
    ("rpm", "/usr/bin/rpm --root={root} --upgrade --quiet {arguments} {file}"),
];

impl Default for HandlersSection {
    fn default() -> HandlersSection {
        let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        HandlersSection { install: INSTALL.into_iter().map(owned).collect() }
    }
}

const FORMS: [(&str, Option<Form>); 3] =
    [("", None), ("server", Some(Form::Server)), ("workstation", Some(Form::Workstation))];

/// A program and its arguments.
pub(super) type Words = Vec<String>;

/// Both sections, checked.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where the system that is cared for begins.
    pub(super) root: PathBuf,
    /// As the computer itself says, if absent.
    pub(super) form: Option<Form>,
    pub(super) restart: Words,
    /// None of them: nobody is told.
    pub(super) notify: Words,
    /// None of them: there is no write filter.
    pub(super) write_filter: Words,
    pub(super) restart_flags: Vec<PathBuf>,
    /// No installer runs for longer, whatever its update is given.
    pub(super) run_time_max: Duration,
    /// Between the request to end and the end of an installer that ran for too long.
    pub(super) stop_grace: Duration,
    /// How long a package manager that is at work for somebody else is waited for.
    pub(super) lock_wait: Duration,
    pub(super) install: BTreeMap<String, Words>,
}

impl Default for Setup {
    fn default() -> Setup {
        let (machine, handlers) = (MachineSection::default(), HandlersSection::default());
        Setup::validate(&machine, &handlers, &mut |_, _| {}).expect("the defaults are valid")
    }
}

/// Is told what is wrong: the key, and the reason.
type Note<'a> = dyn FnMut(&str, String) + 'a;

impl Setup {
    /// Notes whatever is wrong, but for durations, which are the caller's to read.
    #[must_use]
    pub fn validate(
        machine: &MachineSection,
        handlers: &HandlersSection,
        note: &mut Note<'_>,
    ) -> Option<Setup> {
        let mut words = |key: &str, text: &str| check(note, key, command(text));
        let restart = words("machine.restart", &machine.restart);
        let notify = words("machine.notify", &machine.notify);
        let write_filter = words("machine.write_filter", &machine.write_filter);
        let install = table(&handlers.install, note);
        let root = check(note, "machine.root", absolute(&machine.root));
        let flags = machine.restart_flags.iter().map(|flag| absolute(flag));
        let flags = check(note, "machine.restart_flags", flags.collect::<Result<_, _>>());
        let form = FORMS.iter().find(|(word, _)| *word == machine.form);
        let unknown = || format!("\"{}\" is neither server nor workstation", machine.form);
        let form = check(note, "machine.form", form.ok_or_else(unknown));
        Some(Setup {
            root: root?,
            form: form?.1,
            restart: restart?,
            notify: notify?,
            write_filter: write_filter?,
            restart_flags: flags?,
            run_time_max: limits::RUN_TIME_MAX,
            stop_grace: limits::STOP_GRACE,
            lock_wait: limits::LOCK_WAIT,
            install: install?,
        })
    }

    /// With another bound for how long installers run.
    #[must_use]
    pub fn running_for(self, most: Duration) -> Setup {
        Setup { run_time_max: most.min(limits::RUN_TIME_MAX), ..self }
    }

    /// With another time between the request to end and the end of an installer.
    #[must_use]
    pub fn stopping_after(self, grace: Duration) -> Setup {
        Setup { stop_grace: grace.min(limits::STOP_GRACE_MAX), ..self }
    }

    /// Where `path` of the system is.
    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}

fn check<T>(note: &mut Note<'_>, key: &str, found: Result<T, String>) -> Option<T> {
    found.map_err(|reason| note(key, reason)).ok()
}

fn table(
    written: &BTreeMap<String, String>,
    note: &mut Note<'_>,
) -> Option<BTreeMap<String, Words>> {
    let mut all = BTreeMap::from(INSTALL);
    all.extend(written.iter().map(|(extension, text)| (&**extension, &**text)));
    let split = all.into_iter().map(|(extension, text)| {
        let words = check(note, &format!("handlers.install.{extension}"), command(text))?;
        Some((extension.to_lowercase(), words))
    });
    let split: Option<Vec<_>> = split.collect();
    Some(split?.into_iter().filter(|(_, words)| !words.is_empty()).collect())
}

/// Programs are named by where they are, so that nobody's search path decides which one runs.
fn command(text: &str) -> Result<Words, String> {
    let words = split(text);
    match words.first() {
        Some(program) if !program.starts_with('/') => {
            Err(format!("\"{program}\" is not the absolute path of a program"))
        }
        _ => Ok(words),
    }
}

fn absolute(path: &str) -> Result<PathBuf, String> {
    let is_absolute = Path::new(path).is_absolute();
    is_absolute.then(|| PathBuf::from(path)).ok_or_else(|| format!("\"{path}\" is not absolute"))
}

#[cfg(test)]
mod tests;
