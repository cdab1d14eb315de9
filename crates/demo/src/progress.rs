//! What a person sees meanwhile, on standard error: a line that lives while a step lasts, and one
//! that stays. Without a terminal only the latter, and what the steps have to tell.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

const TICK: Duration = Duration::from_millis(80);

#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
}

/// A step under way.
#[derive(Debug)]
pub(crate) struct Step {
    bar: ProgressBar,
    title: String,
    started: Instant,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress { started: Instant::now() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn step(&self, title: impl Into<String>) -> Step {
        let title = title.into();
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner:.cyan} {prefix:.bold}  {wide_msg:.dim}");
        bar.set_style(style.expect("the template is well-formed"));
        bar.set_prefix(title.clone());
        bar.enable_steady_tick(TICK);
        if bar.is_hidden() {
            line(&format!("… {title}"));
        }
        Step { bar, title, started: Instant::now() }
    }
}

impl Step {
    /// What is going on right now; the next word replaces it.
    pub(crate) fn tell(&self, what: impl Into<String>) {
        let what = what.into();
        if self.bar.message() != what {
            self.bar.set_message(what);
        }
    }

    pub(crate) fn done(self, outcome: impl std::fmt::Display) {
        let Step { bar, title, started } = self;
        bar.finish_and_clear();
        let seconds = started.elapsed().as_secs_f32();
        line(&format!("✔ {title}: {outcome} ({seconds:.1} s)"));
    }
}

/// A line that stays. Nobody is left to be told if standard error is gone.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
