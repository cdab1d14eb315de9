//! The client settings that the client itself carries out, read from its policy.
//!
//! Owns which option means what here. A value that cannot be read is as its default: a site checks
//! values before it tells them, and a newer one may know more of them.

use std::str::FromStr;

use model::{ClientOptions, Timestamp, read_span, setting_named};
use recurrence::{Recurrence, Zone};

use crate::limits::{DAY_MS, HOUR_MS, MINUTE_MS, NUMBER_MAX};
use crate::restart;

/// Who may start installations (CSET-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installers {
    All,
    Administrators,
    AdministratorsAndPrimary,
    Nobody,
}

/// What settings say, in the units of this crate.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Deployments are evaluated again this often (CSET-03, DEP-25).
    pub reevaluate_ms: i64,
    /// Scans this often, where it is set (INT-05).
    pub detect_ms: Option<i64>,
    /// With one deadline come all within this time (CSET-05).
    pub gather_ms: i64,
    /// After a deadline that may be missed (CSET-11).
    pub grace_ms: i64,
    /// After a restart, before what was missed begins (INT-09).
    pub missed_ms: i64,
    /// Other software decides when to install (CSET-15).
    pub is_orchestrated: bool,
    /// Content comes from its publishers (DEP-04).
    pub is_on_internet: bool,
    pub schedule: Schedule,
    /// New versions of the agent are installed at these times only (INT-12).
    pub agent_schedule: Option<Recurrence>,
    /// Users are told of a restart that a new version of the agent needs (INT-11).
    pub prompts_for_agent: bool,
    pub restart: restart::Rules,
    pub installers: Installers,
}

/// When something without a deadline is installed (INT-06, INT-07).
#[derive(Clone, Debug)]
pub struct Schedule {
    /// None: only when a user starts it.
    at: Option<Recurrence>,
    /// What interrupts nothing is installed as soon as it is here.
    pub is_immediate: bool,
}

impl Schedule {
    /// The first scheduled moment at or after `since`; none: a user starts it.
    #[must_use]
    pub fn next(&self, since: Timestamp) -> Option<Timestamp> {
        self.at.as_ref()?.after(since.plus_ms(-1))
    }
}

impl Rules {
    #[must_use]
    pub fn of(options: &ClientOptions, clock: &Zone) -> Rules {
        let is = |name| text(options, name) == "yes";
        let minutes = |name| number(options, name).saturating_mul(MINUTE_MS);
        let gather =
            if is("deadline.gather") { span(options, "deadline.gather_period") } else { 0 };
        let set = |name| options.values.iter().any(|(known, _)| known == name);
        let detect = set("detection.hours").then(|| number(options, "detection.hours") * HOUR_MS);
        Rules {
            reevaluate_ms: span(options, "reevaluation.every"),
            detect_ms: detect,
            gather_ms: gather,
            grace_ms: number(options, "grace.hours") * HOUR_MS,
            missed_ms: minutes("missed.delay"),
            is_orchestrated: is("external_orchestrator"),
            is_on_internet: is("internet"),
            schedule: Schedule {
                at: schedule(options, clock),
                is_immediate: is("install.immediate"),
            },
            agent_schedule: agent_schedule(options, clock),
            prompts_for_agent: is("agent.prompt"),
            restart: restart::Rules {
                delay_ms: minutes("restart.delay"),
                countdown_ms: minutes("restart.countdown"),
                remind_ms: minutes("restart.remind"),
                prompt_ms: minutes("restart.prompt_delay"),
                scheduled_delay_ms: minutes("restart.scheduled_delay"),
                is_forced: is("restart.force"),
                is_deferrable: is("restart.user_control"),
            },
            installers: match text(options, "install.by") {
                "administrators" => Installers::Administrators,
                "administrators_and_primary" => Installers::AdministratorsAndPrimary,
                "nobody" => Installers::Nobody,
                _ => Installers::All,
            },
        }
    }
}

/// With a zone of its own, or by the clock of the computer.
fn agent_schedule(options: &ClientOptions, clock: &Zone) -> Option<Recurrence> {
    let at = text(options, "agent.schedule");
    let recurrence = Recurrence::from_str(at).ok()?;
    Some(if at.contains(" in ") { recurrence } else { recurrence.in_zone(clock.clone()) })
}

fn schedule(options: &ClientOptions, clock: &Zone) -> Option<Recurrence> {
    if text(options, "install.mode") == "prompt" {
        return None;
    }
    let (hour, minute) = text(options, "install.at").split_once(':')?;
    let day = match text(options, "install.day") {
        "every" => "*".to_owned(),
        day => day.get(..3)?.to_ascii_uppercase(),
    };
    let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
    let at = Recurrence::from_str(&format!("{minute} {hour} * * {day}")).ok()?;
    Some(at.in_zone(clock.clone()))
}

fn text<'a>(options: &'a ClientOptions, name: &str) -> &'a str {
    let given = options.values.iter().find(|(known, _)| known == name);
    let default = || setting_named(name).map_or("", |setting| setting.default);
    given.map_or_else(default, |(_, value)| value.as_str())
}

/// A whole number; the default where it is none.
fn number(options: &ClientOptions, name: &str) -> i64 {
    let default = || setting_named(name).ok().and_then(|setting| setting.default.parse().ok());
    let number: i64 = text(options, name).parse().ok().or_else(default).unwrap_or(0);
    number.clamp(0, NUMBER_MAX)
}

fn span(options: &ClientOptions, name: &str) -> i64 {
    let default = || setting_named(name).ok().and_then(|setting| read_span(setting.default));
    let ms = read_span(text(options, name)).or_else(default).unwrap_or(0);
    i64::try_from(ms).unwrap_or(i64::MAX).min(NUMBER_MAX * DAY_MS)
}

#[cfg(test)]
mod tests;
