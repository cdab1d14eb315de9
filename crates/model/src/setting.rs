//! Client settings: which there are, what each takes, and the profiles that say so.
//!
//! Owns the table of settings and how a value is checked and spelled. Refuses to know whom a
//! profile reaches and which one wins; whether a recurrence can be read, `recurrence` knows. A
//! value that a setting does not take is an [`Invalid`] that names the range.

use crate::{ClientOptions, Invalid, ObjectCode};

/// The profile that reaches every client, and that every other one outweighs.
pub const DEFAULT_SETTINGS: &str = "SMS00005";

/// Orders of profiles; the lowest wins.
pub const SETTINGS_ORDER_MAX: u32 = 9_999;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
const YEAR_MS: u64 = 365 * DAY_MS;

/// Some settings and whom they reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsProfile {
    pub code: ObjectCode,
    pub name: String,
    /// 1 to 9999; where several name one setting, the lowest wins. Zero in the defaults.
    pub order: u32,
    pub collections: Vec<ObjectCode>,
    /// Name and canonical value, ascending by name.
    pub values: Vec<(String, String)>,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub id: &'static str,
    pub kind: SettingKind,
    /// In canonical spelling.
    pub default: &'static str,
    pub meaning: &'static str,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum SettingKind {
    Flag,
    Number {
        min: u32,
        max: u32,
        unit: &'static str,
    },
    Choice(&'static [&'static str]),
    /// A time between two of something; less than the floor becomes the floor.
    Every {
        floor_ms: u64,
        max_ms: u64,
    },
    /// Whole hours below a day, or whole days of a year.
    HoursOrDays,
    /// A recurrence, or none.
    Recurrence,
    TimeOfDay,
}

use SettingKind::{Choice, Every, Flag, HoursOrDays, Number, Recurrence, TimeOfDay};

const fn setting(
    id: &'static str,
    name: &'static str,
    kind: SettingKind,
    default: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting { name, id, kind, default, meaning }
}

const DAYS: &[&str] =
    &["every", "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const INSTALLERS: &[&str] = &["all", "administrators", "administrators_and_primary", "nobody"];
const DAILY: SettingKind = Every { floor_ms: DAY_MS, max_ms: YEAR_MS };
const MINUTES_OF_TWO_WEEKS: SettingKind = Number { min: 1, max: 20_160, unit: "minutes" };

/// All settings, ascending by name.
#[rustfmt::skip]
pub static SETTINGS: &[Setting] = &[
    setting("INT-11", "agent.prompt", Flag, "yes",
        "ask the user to restart after an update of the agent itself"),
    setting("INT-12", "agent.schedule", Recurrence, "none",
        "when the agent itself is updated at the latest"),
    setting("CONT-21", "cache.max_mb", Number { min: 1, max: 1_048_576, unit: "MB" }, "5120",
        "how large the content cache may become; what a deployment needs is fetched all the same"),
    setting("CONT-21", "cache.max_percent", Number { min: 1, max: 100, unit: "%" }, "20",
        "the same as a part of the disk; the lower of the two holds"),
    setting("CONT-21", "cache.min_age", Number { min: 0, max: 10_080, unit: "minutes" }, "1440",
        "content that was used within so long is not removed to make room"),
    setting("CSET-05", "deadline.gather", Flag, "no",
        "with one deadline, install all whose deadline comes within the period"),
    setting("CSET-05", "deadline.gather_period", HoursOrDays, "7d",
        "the period of deadline.gather"),
    setting("CSET-09", "deadline.randomize", Flag, "no",
        "install up to two hours after the deadline; what a rule deploys always is"),
    setting("CSET-06", "delta.enabled", Flag, "no",
        "fetch only the parts of files that changed"),
    setting("CSET-06", "delta.fallback", Flag, "no",
        "turn to neighbors at once if parts cannot be fetched"),
    setting("CSET-06", "delta.port", Number { min: 1, max: 65_535, unit: "" }, "8005",
        "the local port for requests of parts"),
    setting("CSET-06", "delta.timeout", Number { min: 1, max: 60, unit: "minutes" }, "5",
        "how long a fetch of parts is waited for"),
    setting("INT-05", "detection.hours", Number { min: 8, max: 22, unit: "hours" }, "8",
        "how often updates and applications are detected"),
    setting("CSET-15", "external_orchestrator", Flag, "no",
        "other software decides when updates are installed; the client installs none by itself"),
    setting("CSET-08", "feature.dynamic", Choice(&["none", "yes", "no"]), "none",
        "feature updates fetch newer parts of themselves"),
    setting("CSET-08", "feature.priority", Choice(&["none", "normal", "low"]), "none",
        "priority of the threads that install feature updates"),
    setting("CSET-11", "grace.hours", Number { min: 0, max: 120, unit: "hours" }, "0",
        "how long a client that was off may wait after a deadline, if the deployment lets it"),
    setting("INT-06", "install.at", TimeOfDay, "03:00", "when scheduled installations begin"),
    setting("CSET-13", "install.by", Choice(INSTALLERS), "all",
        "which users may start installations"),
    setting("INT-06", "install.day", Choice(DAYS), "every", "on which days they begin"),
    setting("INT-07", "install.immediate", Flag, "yes",
        "install at once what interrupts nothing and needs no restart"),
    setting("INT-06", "install.maintenance", Flag, "yes",
        "scheduled installations use the system's automatic maintenance"),
    setting("INT-06", "install.mode", Choice(&["automatic", "prompt"]), "automatic",
        "install as scheduled, or ask the user"),
    setting("DEP-04", "internet", Flag, "no",
        "the computer is on the internet: content comes from its publishers' servers, and scans go \
         over TLS alone"),
    setting("CSET-14", "metered", Choice(&["allow", "limit", "block"]), "block",
        "what may be fetched over a metered connection"),
    setting("INT-09", "missed.delay", Number { min: 1, max: 60, unit: "minutes" }, "5",
        "after a start of the system, until scheduled installations that were missed begin"),
    setting("CSET-12", "policy.poll", Number { min: 3, max: 1_440, unit: "minutes" }, "60",
        "how often policy is asked for"),
    setting("CSET-03", "reevaluation.every", DAILY, "7d",
        "how often deployments are evaluated again"),
    setting("CSET-16", "restart.countdown", MINUTES_OF_TWO_WEEKS, "15",
        "the last part of the delay, in which the user sees a countdown"),
    setting("CSET-16", "restart.delay", MINUTES_OF_TWO_WEEKS, "90",
        "from the deadline to the restart"),
    setting("CSET-17", "restart.dialog", Flag, "no", "a dialog instead of a notification"),
    setting("CSET-17", "restart.force", Flag, "yes", "the client may restart the system"),
    setting("CSET-17", "restart.low_rights_servers", Flag, "no",
        "users without rights may restart servers"),
    setting("INT-13", "restart.prompt_delay", Number { min: 1, max: 1_440, unit: "minutes" }, "30",
        "until a user who put a restart off is asked again"),
    setting("CSET-16", "restart.remind", MINUTES_OF_TWO_WEEKS, "240",
        "between reminders; only if less than the delay without the countdown"),
    setting("INT-08", "restart.scheduled_delay", Number { min: 1, max: 30, unit: "minutes" }, "15",
        "from a scheduled installation to its restart"),
    setting("INT-10", "restart.user_control", Flag, "yes",
        "a user may put off the restart after a scheduled installation"),
    setting("CSET-02", "scan.every", DAILY, "7d",
        "how often a client scans; each begins up to two hours later"),
    setting("CSET-04", "scan.user_proxy", Flag, "no", "scans may use the proxy of the user"),
    setting("CSET-01", "software_updates.enabled", Flag, "yes",
        "no takes all deployments of updates off the client; yes brings them back"),
    setting("CSET-08", "third_party", Flag, "no",
        "updates of other publishers, and trust in their certificates"),
    setting("CONT-22", "throttle.enabled", Flag, "no", "content is fetched at a limited rate"),
    setting("CONT-22", "throttle.from", TimeOfDay, "09:00",
        "when the window of throttle.inside begins, by the clock of the client"),
    setting("CONT-22", "throttle.inside", Number { min: 1, max: 4_000_000, unit: "Kbps" }, "10",
        "the rate in the window, which is always if it begins and ends at one time"),
    setting("CONT-22", "throttle.outside", Number { min: 0, max: 4_000_000, unit: "Kbps" }, "0",
        "the rate at all other times; 0 is no limit"),
    setting("CONT-22", "throttle.to", TimeOfDay, "17:00", "when the window ends"),
    setting("CSET-04", "tls.pinning", Flag, "yes",
        "scans believe only the pinned certificate of an update point"),
    setting("SUPX-16", "update_point.retries", Number { min: 1, max: 100, unit: "times" }, "4",
        "scans that fail in a row, before a client leaves the update point it knows"),
    setting("SUPX-16", "update_point.retry", Number { min: 1, max: 1_440, unit: "minutes" }, "30",
        "between a scan that failed and the next with the same update point"),
    setting("SUPX-16", "update_point.switch", Number { min: 0, max: 60, unit: "minutes" }, "2",
        "after the last of those scans, until the next update point is tried"),
    setting("CSET-07", "windows.in_all", Flag, "no",
        "updates also use windows of all deployments where a window for updates exists"),
];

/// The setting of a name.
pub fn setting_named(name: &str) -> Result<&'static Setting, Invalid> {
    let found = SETTINGS.binary_search_by(|setting| setting.name.cmp(name));
    found.map(|at| &SETTINGS[at]).map_err(|_| {
        let reason = format!("there is no {name}; see `tierline client-settings options`");
        Invalid::new("setting", reason)
    })
}

impl Setting {
    /// A value as people write it, in its one spelling.
    pub fn read(&self, value: &str) -> Result<String, Invalid> {
        self.kind.read(value).ok_or_else(|| {
            let reason = format!("{} takes {}, not {value:?}", self.name, self.kind.takes());
            Invalid::new("setting", reason)
        })
    }
}

impl ClientOptions {
    /// The value of a setting of the table, in its one spelling: what policy says, if this release
    /// can read it, else the default. Nothing for a name that is in no table.
    #[must_use]
    pub fn get(&self, name: &str) -> String {
        let Ok(setting) = setting_named(name) else { return String::new() };
        let told = self.values.iter().find(|(told, _)| told == name);
        let told = told.and_then(|(_, value)| setting.kind.read(value));
        told.unwrap_or_else(|| setting.default.to_owned())
    }

    /// The value of a setting that takes a number.
    #[must_use]
    pub fn number(&self, name: &str) -> u32 {
        self.get(name).parse().unwrap_or(0)
    }

    /// Whether a setting that is yes or no is yes.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }
}

impl SettingKind {
    /// What it takes, in words.
    #[must_use]
    pub fn takes(&self) -> String {
        match self {
            Flag => "yes or no".to_owned(),
            Number { min, max, unit } => format!("{min} to {max} {unit}").trim_end().to_owned(),
            Choice(words) => words.join(", "),
            Every { floor_ms, max_ms } => format!(
                "a time up to {}d, such as 2d or 12h; less than {}d becomes {}d",
                max_ms / DAY_MS,
                floor_ms / DAY_MS,
                floor_ms / DAY_MS
            ),
            HoursOrDays => "1h to 23h or 1d to 365d".to_owned(),
            Recurrence => "none, or when, such as \"0 2 * * SAT in Europe/Berlin\"".to_owned(),
            TimeOfDay => "a time of day such as 03:00".to_owned(),
        }
    }

    fn read(&self, value: &str) -> Option<String> {
        let value = value.trim();
        match self {
            Flag => match value.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" => Some("yes".to_owned()),
                "no" | "false" | "off" => Some("no".to_owned()),
                _ => None,
            },
            Number { min, max, unit: _ } => {
                let number: u32 = value.parse().ok()?;
                (*min..=*max).contains(&number).then(|| number.to_string())
            }
            Choice(words) => {
                let word = value.to_ascii_lowercase();
                words.contains(&word.as_str()).then_some(word)
            }
            Every { floor_ms, max_ms } => {
                let ms = read_span(value)?;
                (ms <= *max_ms).then(|| spell_span(ms.max(*floor_ms)))
            }
            HoursOrDays => {
                let ms = read_span(value).filter(|ms| *ms >= HOUR_MS && *ms <= YEAR_MS)?;
                let whole = if ms < DAY_MS { HOUR_MS } else { DAY_MS };
                ms.is_multiple_of(whole).then(|| spell_span(ms))
            }
            Recurrence => Some(value.to_owned()).filter(|value| !value.is_empty()),
            TimeOfDay => read_time_of_day(value),
        }
    }
}

/// `90m`, `12h` or `7d` in milliseconds.
#[must_use]
pub fn read_span(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return None,
    };
    number.parse::<u64>().ok().filter(|number| *number > 0)?.checked_mul(unit)
}

fn spell_span(ms: u64) -> String {
    match ms {
        ms if ms.is_multiple_of(DAY_MS) => format!("{}d", ms / DAY_MS),
        ms if ms.is_multiple_of(HOUR_MS) => format!("{}h", ms / HOUR_MS),
        ms => format!("{}m", ms / MINUTE_MS),
    }
}

fn read_time_of_day(text: &str) -> Option<String> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
}

#[cfg(test)]
mod tests;
