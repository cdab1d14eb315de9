//! What the system says of time, memory and load.
//!
//! Owns how measurements are taken and summed up. Refuses to know what is measured. Fails where the
//! system does not say, which is anywhere but on Linux.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;

/// Linux counts processor time for user space in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

/// What some work took, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    /// Of all threads of this process, in user space and in the kernel.
    pub(crate) cpu: f64,
}

impl std::ops::Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// A running measurement.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    cpu: f64,
}

impl Meter {
    pub(crate) fn start() -> Result<Meter> {
        Ok(Meter { cpu: cpu_seconds()?, started: Instant::now() })
    }

    pub(crate) fn stop(&self) -> Result<Cost> {
        let wall = self.started.elapsed().as_secs_f64();
        Ok(Cost { wall, cpu: cpu_seconds()? - self.cpu })
    }
}

/// Some values of one kind; shown as median and extremes.
#[derive(Clone, Debug)]
pub(crate) struct Spread(Vec<f64>);

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Spread {
        let mut values = Vec::from_iter(values);
        values.sort_by(f64::total_cmp);
        Spread(values)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(min), Some(max)) = (self.0.first(), self.0.last()) else { return f.pad("–") };
        let middle = self.0.len() / 2;
        let median = (self.0[middle] + self.0[(self.0.len() - 1) / 2]) / 2.0;
        let digits = f.precision().unwrap_or(2);
        write!(f, "{median:.digits$} ({min:.digits$}–{max:.digits$})")
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Memory of a process in MiB: what is resident, and its proportional share of it.
pub(crate) fn memory(process: u32) -> Result<(f64, f64)> {
    let resident = kibibytes(&format!("/proc/{process}/status"), "VmRSS:")?;
    let share = kibibytes(&format!("/proc/{process}/smaps_rollup"), "Pss:")?;
    Ok((resident / 1_024.0, share / 1_024.0))
}

/// The class of the machine and how busy it is.
pub(crate) fn describe() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = kibibytes("/proc/meminfo", "MemTotal:")? / 1_024.0 / 1_024.0;
    Ok(format!("machine: {cores} cores, {memory:.0} GiB; {}", load()?))
}

pub(crate) fn load() -> Result<String> {
    let average = read("/proc/loadavg")?;
    let average: Vec<&str> = average.split_whitespace().take(3).collect();
    // Not every kernel says how long work waited for a processor.
    let pressure = read("/proc/pressure/cpu").unwrap_or_default();
    let waiting = pressure.split_whitespace().find_map(|word| word.strip_prefix("avg10="));
    let waiting = waiting.map_or(String::new(), |share| format!(", waited for a core {share} %"));
    Ok(format!("load {}{waiting}", average.join(" ")))
}

fn cpu_seconds() -> Result<f64> {
    let stat = read("/proc/self/stat")?;
    // The name before the last parenthesis may hold anything; user and kernel time follow it as
    // the 12th and 13th field.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    let ticks: f64 = ticks.sum::<Result<_, _>>().context("/proc/self/stat")?;
    Ok(ticks / TICKS_PER_SECOND)
}

fn kibibytes(path: &str, name: &str) -> Result<f64> {
    let text = read(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|value| value.split_whitespace().next());
    value.with_context(|| format!("no {name} in {path}"))?.parse().context(path.to_owned())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
