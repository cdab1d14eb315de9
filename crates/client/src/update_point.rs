//! Which software update point a client scans with, and when it leaves one that fails
//! (SUPX-16, SUPX-17, BG-06, PAIN-14).
//!
//! Owns the choice. A client keeps to the update point that last served it, wherever that is,
//! because another one sends all documents again; it leaves it only after it has failed for as
//! long as the settings say, and one that altered a document at once. Refuses to know how a scan
//! is carried out. Time in which this computer was off, or reached nobody at all, is nobody's
//! failure and counts for nothing.
//!
//! | knows one | failing for | tries |
//! | --- | --- | --- |
//! | yes | less than `retries` × `retry` | that one again, every `retry` |
//! | yes | as long | after `switch` the next of the list, and so on, one every `switch` |
//! | no | any | all of the list, one after the other, at growing distances up to `retry` |

use std::collections::BTreeMap;

use model::{Hresult, Retry, ServerRef, Switching, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits::{MINUTE_MS, RETRY_MIN};

mod explain;

pub use explain::{Explained, Point, Standing};

/// What a client remembers of its update points, also over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatePoint {
    /// Served the last scan that succeeded.
    good: Option<String>,
    trouble: Option<Trouble>,
    /// Altered a document; not asked again before then, as long as there is another one.
    refused: BTreeMap<String, i64>,
}

/// Scans that failed in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trouble {
    last_url: String,
    last_at: i64,
    /// Time in which this client tried, without that in which it was off.
    lasted_ms: i64,
    failures: u32,
    /// Another one than that which is kept has been tried.
    has_left: bool,
    wait: Wait,
    reason: String,
}

/// What has to pass before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Wait {
    /// The time that the settings say.
    Retry,
    /// A moment: the update point is there, and only has to catch up.
    Soon,
    /// As long; none of it counts.
    Away,
    /// Trying again changes nothing: whatever asks for the next scan.
    Schedule,
    /// That has come.
    Asked,
}

/// How a scan with an update point ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Succeeded,
    /// It could not be reached, or trying again may help (SUPX-19).
    Failed,
    /// It answered, but does not have the catalog of policy yet.
    Behind,
    /// Trying again does not help.
    FailedForGood,
    /// It served a document that is not the one policy names.
    Refused,
    /// No server of any kind was reached: this computer is elsewhere (SUPX-17).
    Away,
}

impl Ended {
    /// As a code of the update agent says.
    #[must_use]
    pub fn with(code: Hresult) -> Ended {
        match code.retry() {
            Retry::Yes => Ended::Failed,
            Retry::No => Ended::FailedForGood,
        }
    }
}

/// What is tried next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// These, in this order, until one serves.
    Try(Vec<ServerRef>),
    At(Timestamp),
    /// When the next scan is asked for.
    Asked,
    /// Policy names nobody.
    Nobody,
}

/// What policy says at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Software update points in their order.
    pub servers: &'a [ServerRef],
    pub switching: Switching,
}

impl UpdatePoint {
    /// The one that served last, as long as policy lists it.
    #[must_use]
    pub fn kept<'a>(&self, listed: &Listed<'a>) -> Option<&'a ServerRef> {
        let good = self.good.as_deref()?;
        listed.servers.iter().find(|server| server.url == good)
    }

    /// What is tried now, or when anything is.
    #[must_use]
    pub fn next(&self, listed: &Listed<'_>, now: Timestamp) -> Next {
        let kept = self.kept(listed);
        let Some(trouble) = &self.trouble else {
            return self.choose(listed, kept.is_none(), now);
        };
        if trouble.wait == Wait::Schedule {
            return Next::Asked;
        }
        let due = Timestamp(trouble.last_at).plus_ms(self.wait_ms(trouble, listed, now));
        // A clock that was set back by more than the wait must not make it endless.
        if due > now && trouble.last_at <= now.0 {
            return Next::At(due);
        }
        self.choose(listed, kept.is_none(), now)
    }

    /// Somebody or something asks for a scan: what failed for good may be tried again.
    pub fn ask(&mut self) {
        if let Some(trouble) = &mut self.trouble
            && trouble.wait == Wait::Schedule
        {
            trouble.wait = Wait::Asked;
        }
    }

    /// How a scan with `url` ended.
    pub fn tell(
        &mut self,
        url: &str,
        (ended, reason): (Ended, &str),
        switching: Switching,
        now: Timestamp,
    ) {
        let wait = match ended {
            Ended::Succeeded => {
                self.good = Some(url.to_owned());
                self.trouble = None;
                self.refused.remove(url);
                return;
            }
            Ended::Refused => return self.refuse(url, switching, now),
            Ended::Failed => Wait::Retry,
            Ended::Away => Wait::Away,
            Ended::Behind => Wait::Soon,
            Ended::FailedForGood => Wait::Schedule,
        };
        let mut trouble = self.trouble.take().unwrap_or_else(|| Trouble {
            last_url: url.to_owned(),
            last_at: now.0,
            lasted_ms: 0,
            failures: 0,
            has_left: false,
            wait: Wait::Asked,
            reason: String::new(),
        });
        if matches!(ended, Ended::Failed | Ended::Behind) {
            trouble.lasted_ms += trouble.counted(switching, now);
            trouble.failures = trouble.failures.saturating_add(1);
            trouble.has_left |= self.good.as_deref() != Some(url);
            url.clone_into(&mut trouble.last_url);
        }
        (trouble.last_at, trouble.wait) = (now.0, wait);
        reason.clone_into(&mut trouble.reason);
        self.trouble = Some(trouble);
    }

    fn refuse(&mut self, url: &str, switching: Switching, now: Timestamp) {
        let until = now.plus_ms(i64::from(switching.minutes().max(1)) * MINUTE_MS);
        self.refused.retain(|_, until| *until > now.0);
        self.refused.insert(url.to_owned(), until.0);
        if self.good.take_if(|good| good == url).is_some() {
            // Others are asked without waiting for anything.
            self.trouble = None;
        }
    }

    /// Until when it is left alone.
    fn refused_until(&self, url: &str, now: Timestamp) -> Option<Timestamp> {
        self.refused.get(url).filter(|until| **until > now.0).map(|until| Timestamp(*until))
    }

    /// Whether the one that is kept has failed for long enough.
    fn leaves(&self, switching: Switching) -> bool {
        let limit = i64::from(switching.retries.saturating_mul(switching.retry_minutes));
        self.trouble.as_ref().is_some_and(|trouble| trouble.lasted_ms >= limit * MINUTE_MS)
    }

    /// Minutes for which this client has looked in vain, up to `now`.
    fn minutes(&self, switching: Switching, now: Timestamp) -> u32 {
        let lasted = self.trouble.as_ref();
        let lasted =
            lasted.map_or(0, |trouble| trouble.lasted_ms + trouble.counted(switching, now));
        u32::try_from(lasted / MINUTE_MS).unwrap_or(u32::MAX)
    }

    /// Those that may be asked at a moment: the one that is kept wherever it is, and the nearest
    /// however far they are.
    fn pool(&self, listed: &Listed<'_>, now: Timestamp) -> Vec<ServerRef> {
        let is_trusted = |server: &&ServerRef| self.refused_until(&server.url, now).is_none();
        let trusted: Vec<&ServerRef> = listed.servers.iter().filter(is_trusted).collect();
        let nearest = trusted.iter().map(|server| server.after_minutes).min().unwrap_or(0);
        let minutes = self.minutes(listed.switching, now).max(nearest);
        let kept = self.kept(listed).map(|server| server.url.as_str());
        let may = |server: &&ServerRef| {
            server.after_minutes <= minutes || Some(server.url.as_str()) == kept
        };
        trusted.into_iter().filter(may).cloned().collect()
    }

    fn choose(&self, listed: &Listed<'_>, knows_none: bool, now: Timestamp) -> Next {
        let mut pool = self.pool(listed, now);
        if pool.is_empty() {
            // There is nobody else: one that altered a document may have been repaired.
            return match listed.servers {
                [] => Next::Nobody,
                refused => Next::Try(refused.to_vec()),
            };
        }
        if knows_none {
            return Next::Try(pool);
        }
        let last = self.trouble.as_ref().map(|trouble| trouble.last_url.as_str());
        let place = |url: Option<&str>| pool.iter().position(|server| Some(&*server.url) == url);
        let at = match self.leaves(listed.switching) {
            // In a circle, beginning behind the one that failed last.
            true => place(last).map_or(0, |place| (place + 1) % pool.len()),
            false => place(self.good.as_deref()).unwrap_or(0),
        };
        Next::Try(vec![pool.swap_remove(at)])
    }

    fn wait_ms(&self, trouble: &Trouble, listed: &Listed<'_>, now: Timestamp) -> i64 {
        let Switching { retry_minutes, delay_minutes, .. } = listed.switching;
        let retry = i64::from(retry_minutes.max(1)) * MINUTE_MS;
        let least = i64::try_from(RETRY_MIN.as_millis()).unwrap_or(MINUTE_MS);
        let growing = least << trouble.failures.saturating_sub(1).min(20);
        let is_leaving = self.leaves(listed.switching) && self.pool(listed, now).len() > 1;
        match trouble.wait {
            Wait::Schedule | Wait::Asked => 0,
            Wait::Away => retry,
            Wait::Retry | Wait::Soon if self.kept(listed).is_none() => growing.min(retry),
            // In the circle not without a pause.
            Wait::Retry | Wait::Soon if is_leaving && trouble.has_left => {
                i64::from(delay_minutes.max(1)) * MINUTE_MS
            }
            Wait::Retry | Wait::Soon if is_leaving => i64::from(delay_minutes) * MINUTE_MS,
            Wait::Retry => retry,
            Wait::Soon => growing.min(retry),
        }
    }
}

impl Trouble {
    /// How much of the time since the last attempt counts: for the rest of it this computer was
    /// off, or elsewhere, or had nothing to do.
    fn counted(&self, switching: Switching, now: Timestamp) -> i64 {
        let limit = i64::from(switching.retry_minutes) * MINUTE_MS;
        match self.wait {
            Wait::Retry | Wait::Soon => (now.0 - self.last_at).clamp(0, limit),
            Wait::Away | Wait::Schedule | Wait::Asked => 0,
        }
    }
}

#[cfg(test)]
mod tests;
