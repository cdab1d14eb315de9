//! What the system says of time, memory and load.
//!
//! Owns how measurements are taken and summed up. Refuses to know what is measured. Fails where the
//! system does not say, which is anywhere but on Linux.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Add;

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

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// A running measurement.
#[derive(Debug)]
pub(crate) struct Meter(Instant, f64);

impl Meter {
    pub(crate) fn start() -> Result<Meter> {
        let cpu = cpu_seconds("self")?;
        Ok(Meter(Instant::now(), cpu))
    }

    pub(crate) fn stop(self) -> Result<Cost> {
        let wall = self.0.elapsed().as_secs_f64();
        Ok(Cost { wall, cpu: cpu_seconds("self")? - self.1 })
    }
}

/// Values of one kind, shown as median and extremes.
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
        let Spread(values) = self;
        let (Some(min), Some(max)) = (values.first(), values.last()) else { return f.pad("–") };
        let median = (values[values.len() / 2] + values[(values.len() - 1) / 2]) / 2.0;
        let digits = f.precision().unwrap_or(2);
        write!(f, "{median:.digits$} ({min:.digits$}–{max:.digits$})")
    }
}

/// Memory of a process in MiB: what is resident, and its proportional share of it.
pub(crate) fn memory(process: u32) -> Result<(f64, f64)> {
    let resident = number(&format!("/proc/{process}/status"), "VmRSS:")?;
    let share = number(&format!("/proc/{process}/smaps_rollup"), "Pss:")?;
    Ok((resident / 1_024.0, share / 1_024.0))
}

/// The most that was ever resident of a process, in MiB.
pub(crate) fn peak_memory(process: &str) -> Result<f64> {
    Ok(number(&format!("/proc/{process}/status"), "VmHWM:")? / 1_024.0)
}

/// From now on [`peak_memory`] tells of what comes.
pub(crate) fn forget_peak(process: &str) -> Result<()> {
    let path = format!("/proc/{process}/clear_refs");
    // proc(5): 5 resets the peak to what is resident.
    std::fs::write(&path, "5").with_context(|| format!("cannot write {path}"))
}

pub(crate) fn open_files(process: u32) -> Result<usize> {
    let path = format!("/proc/{process}/fd");
    Ok(std::fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?.count())
}

/// Of each thread of a process: the nanoseconds it has run, and how often it went to sleep.
#[derive(Clone, Debug, Default)]
pub(crate) struct Threads(BTreeMap<String, (u64, u64)>);

impl Threads {
    pub(crate) fn of(process: u32) -> Result<Threads> {
        let mut threads = BTreeMap::new();
        for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
            let task = task?.path();
            // The system keeps more digits here than in its hundredths of a second.
            let ran = read(&format!("{}/schedstat", task.display()))?;
            let ran = ran.split(' ').next().unwrap_or_default().parse().context("schedstat")?;
            let status = format!("{}/status", task.display());
            let slept = number(&status, "voluntary_ctxt_switches:")?;
            threads.insert(task.display().to_string(), (ran, slept as u64));
        }
        Ok(Threads(threads))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Seconds of processor, and how often a thread woke up, since `before`.
    pub(crate) fn since(&self, before: &Threads) -> (f64, u64) {
        let news = self.0.iter().map(|(task, (ran, slept))| {
            let (ran_before, slept_before) = before.0.get(task).copied().unwrap_or_default();
            (ran - ran_before, slept - slept_before)
        });
        let (ran, woke) = news.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        (ran as f64 / 1e9, woke)
    }
}

pub(crate) fn class() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = number("/proc/meminfo", "MemTotal:")? / 1_024.0 / 1_024.0;
    Ok(format!("{cores} cores, {memory:.0} GiB"))
}

/// The load of the last minute, and how often work waited for a core in the last ten seconds.
pub(crate) fn load() -> Result<String> {
    let average = read("/proc/loadavg")?;
    let average = average.split(' ').next().unwrap_or_default().to_owned();
    // Not every kernel says it.
    let pressure = read("/proc/pressure/cpu").unwrap_or_default();
    let waiting = pressure.split(' ').find_map(|word| word.strip_prefix("avg10="));
    Ok(format!("load {average}, waiting for a core {} %", waiting.unwrap_or("–")))
}

/// Processor time of all threads of a process so far.
pub(crate) fn cpu_seconds(process: &str) -> Result<f64> {
    let stat = read(&format!("/proc/{process}/stat"))?;
    // The name before the last parenthesis may hold anything; the times are 12th and 13th after it.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>().context("/proc/PID/stat")? / TICKS_PER_SECOND)
}

fn number(path: &str, name: &str) -> Result<f64> {
    let text = read(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    value.with_context(|| format!("no {name} in {path}"))?.parse().context(name.to_owned())
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}
