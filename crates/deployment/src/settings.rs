//! Which settings hold for a client (CSET-19).
//!
//! Owns the order in which profiles win: per setting, the lowest order that names it, the defaults
//! last, and then what the table of settings says. Refuses to know whom a profile reaches; a
//! profile is gone with everything it said (INT-36). Equal profiles give equal answers, whatever
//! their order.

use std::collections::BTreeMap;

use model::{
    ClientOptions, ClientSettings, DEFAULT_SETTINGS, ObjectCode, SETTINGS, Setting,
    SettingsProfile, read_span, setting_named,
};

const MINUTE_MS: u64 = 60_000;

/// The settings of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resultant<'a> {
    chosen: BTreeMap<&'a str, (&'a str, &'a ObjectCode)>,
}

/// A setting, its value, and the profile that says so.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    pub setting: &'static Setting,
    pub value: &'a str,
    /// None: it is the default of the table.
    pub profile: Option<&'a ObjectCode>,
}

/// Of the profiles that reach a client.
#[must_use]
pub fn resultant<'a>(profiles: impl IntoIterator<Item = &'a SettingsProfile>) -> Resultant<'a> {
    let mut ranked: Vec<&SettingsProfile> = profiles.into_iter().collect();
    // Two sites may give one order; then the code decides, the same everywhere.
    ranked.sort_by_key(|profile| (is_default(profile), profile.order, &profile.code));
    let mut chosen = BTreeMap::new();
    for profile in ranked {
        for (name, value) in &profile.values {
            chosen.entry(name.as_str()).or_insert((value.as_str(), &profile.code));
        }
    }
    Resultant { chosen }
}

fn is_default(profile: &SettingsProfile) -> bool {
    profile.code.as_str() == DEFAULT_SETTINGS
}

impl<'a> Resultant<'a> {
    /// Every setting there is, by name.
    pub fn all(&self) -> impl Iterator<Item = Chosen<'a>> {
        SETTINGS.iter().map(|setting| match self.chosen.get(setting.name) {
            Some((value, profile)) => Chosen { setting, value, profile: Some(profile) },
            None => Chosen { setting, value: setting.default, profile: None },
        })
    }

    /// The value of a setting of the table.
    #[must_use]
    pub fn get(&self, name: &str) -> &'a str {
        let default = || setting_named(name).map_or("", |setting| setting.default);
        self.chosen.get(name).map_or_else(default, |(value, _)| value)
    }

    /// Whether a setting that is yes or no is yes.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// What the client is told: only what differs from what it does by itself. Settings that this
    /// release does not know go along, for clients that do.
    #[must_use]
    pub fn options(&self) -> ClientOptions {
        let differs = |name: &str, value: &str| {
            setting_named(name).map_or(true, |setting| setting.default != value)
        };
        let told = self.chosen.iter().filter(|(name, (value, _))| differs(name, value));
        let values = told.map(|(name, (value, _))| ((*name).to_owned(), (*value).to_owned()));
        ClientOptions { values: values.collect() }
    }

    /// The numbers every client has, where a profile changes those of its site.
    #[must_use]
    pub fn settings(&self, site: ClientSettings) -> ClientSettings {
        let named = |name| self.chosen.get(name).map(|(value, _)| *value);
        let poll = named("policy.poll").and_then(|minutes| minutes.parse::<u64>().ok());
        let scan = named("scan.every").and_then(read_span);
        ClientSettings {
            policy_poll_ms: poll.map_or(site.policy_poll_ms, |minutes| minutes * MINUTE_MS),
            scan_interval_ms: scan.unwrap_or(site.scan_interval_ms),
            ..site
        }
    }
}

#[cfg(test)]
mod tests;
