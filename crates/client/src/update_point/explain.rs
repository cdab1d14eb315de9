//! What a client does about its update points, in values and in words (PAIN-14).

use std::fmt;

use model::{Switching, Timestamp};
use serde::Serialize;

use super::{Listed, Next, UpdatePoint};

/// The values in effect, and what comes of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    pub retry_minutes: u32,
    pub retries: u32,
    pub switch_minutes: u32,
    /// Scans that failed in a row, and for how many minutes.
    pub failures: u32,
    pub failing_minutes: u32,
    pub reason: Option<String>,
    pub points: Vec<Point>,
    /// In words.
    pub next: String,
}

/// An update point of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    pub url: String,
    pub after_minutes: u32,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It served last; it is left only after it has failed for long enough.
    Kept,
    /// It may be tried when it is its turn.
    Usable,
    /// Not before others have failed for `after_minutes`.
    Waits,
    /// It altered a document.
    Refused { until_ms: i64 },
}

impl UpdatePoint {
    #[must_use]
    pub fn explain(&self, listed: &Listed<'_>, now: Timestamp) -> Explained {
        let Switching { retry_minutes, retries, delay_minutes } = listed.switching;
        let failing_minutes = self.minutes(listed.switching, now);
        let kept = self.kept(listed).map(|server| server.url.as_str());
        let pool = self.pool(listed, now);
        let points = listed.servers.iter().map(|server| {
            let standing = match self.refused_until(&server.url, now) {
                Some(until) => Standing::Refused { until_ms: until.0 },
                None if Some(server.url.as_str()) == kept => Standing::Kept,
                None if pool.contains(server) => Standing::Usable,
                None => Standing::Waits,
            };
            let (url, after_minutes) = (server.url.clone(), server.after_minutes);
            Point { url, after_minutes, standing }
        });
        Explained {
            retry_minutes,
            retries,
            switch_minutes: delay_minutes,
            failures: self.trouble.as_ref().map_or(0, |trouble| trouble.failures),
            failing_minutes,
            reason: self.trouble.as_ref().map(|trouble| trouble.reason.clone()),
            points: points.collect(),
            next: self.words(listed, now),
        }
    }

    fn words(&self, listed: &Listed<'_>, now: Timestamp) -> String {
        let tried = |at: Timestamp| match self.next(listed, at) {
            Next::Try(servers) => {
                let urls: Vec<_> = servers.into_iter().map(|server| server.url).collect();
                urls.join(", then ")
            }
            Next::At(_) | Next::Asked | Next::Nobody => "whoever may be asked by then".to_owned(),
        };
        match self.next(listed, now) {
            Next::Try(_) => format!("the next scan asks {}", tried(now)),
            Next::At(at) => format!("at {at} a scan asks {}", tried(at)),
            Next::Asked => "nothing until the next scan is due: trying again would not help".into(),
            Next::Nobody => "nothing: policy names no software update point".to_owned(),
        }
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { retry_minutes, retries, switch_minutes, .. } = self;
        writeln!(
            f,
            "a scan that fails is tried again every {retry_minutes} minutes; after {retries} of \
             those and {switch_minutes} minutes more the next update point is asked"
        )?;
        for Point { url, after_minutes, standing } in &self.points {
            match standing {
                Standing::Kept => writeln!(f, "{url}: kept")?,
                Standing::Usable => writeln!(f, "{url}: usable")?,
                Standing::Waits => writeln!(f, "{url}: after {after_minutes} minutes of failing")?,
                Standing::Refused { until_ms } => {
                    writeln!(f, "{url}: refused until {}", Timestamp(*until_ms))?;
                }
            }
        }
        if let Some(reason) = &self.reason {
            let (times, minutes) = (self.failures, self.failing_minutes);
            writeln!(f, "{times} scans failed in {minutes} minutes: {reason}")?;
        }
        write!(f, "{}", self.next)
    }
}
