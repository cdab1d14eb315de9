//! The options of a deployment: how it is installed, and at which clock.

use clap::Args;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use model::{Invalid, Timestamp};
use rpc::pb::admin as pb;

use crate::arguments::{Toward, duration, moment};
use crate::desk::Desk;
use crate::failure::Failure;

/// A flag that may be taken back: `--metered`, `--metered false`.
macro_rules! flags {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $flag:ident,)* }) => {
        $(#[$meta])*
        pub(super) struct $name {
            $(
                $(#[$doc])*
                #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
                $flag: Option<bool>,
            )*
        }
    };
}

flags! {
    #[derive(Args, Debug, Default)]
    Flags {
        /// Installs outside of maintenance windows after the deadline
        install_outside_window,
        /// Restarts outside of maintenance windows after the deadline
        restart_outside_window,
        /// Leaves restarts of servers to people
        suppress_restart_servers,
        /// Leaves restarts of workstations to people
        suppress_restart_workstations,
        /// Writes through the write filter of embedded computers, which restarts them
        commit_write_filter,
        /// Looks again after a restart whether all is installed
        evaluate_after_restart,
        /// Computers that were off at the deadline have the grace period of their settings
        soft_deadline,
        /// Loads from neighbor boundary groups, too [default: true]
        neighbors,
        /// Loads from the default boundary group, too [default: true]
        default_group,
        /// Loads from Microsoft Update, too
        microsoft_update,
        /// Loads over metered connections, too
        metered,
        /// Wakes computers at the deadline
        wake,
        /// Accepts license terms for the computers [default: true]
        accept_license,
        /// Counts only: nothing is offered or installed
        report_only,
    }
}

#[derive(Args, Debug, Default)]
pub(crate) struct Options {
    /// Times are those of each computer's own clock, as in 2026-12-01T02:00; what is relative is
    /// so to the clock of this machine
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    client_time: Option<bool>,
    /// What users see
    #[arg(long, value_parser = ["all", "center", "hidden"])]
    notify: Option<String>,
    /// What computers report
    #[arg(long, value_parser = ["all", "errors", "success-and-errors"])]
    detail: Option<String>,
    /// A status message if fewer comply, in percent; 0: none
    #[arg(long, value_name = "PERCENT")]
    alert_below: Option<u32>,
    /// So many days after the deadline [default: 7]
    #[arg(long, value_name = "DAYS")]
    alert_days: Option<u32>,
    #[command(flatten)]
    flags: Flags,
}

impl Options {
    pub(crate) fn told(&self) -> pb::DeploymentOptions {
        let flags = &self.flags;
        pb::DeploymentOptions {
            basis: self.client_time.map(|is| if is { "client" } else { "utc" }.to_owned()),
            notify: self.notify.clone(),
            install_outside_window: flags.install_outside_window,
            restart_outside_window: flags.restart_outside_window,
            suppress_restart_servers: flags.suppress_restart_servers,
            suppress_restart_workstations: flags.suppress_restart_workstations,
            commit_write_filter: flags.commit_write_filter,
            evaluate_after_restart: flags.evaluate_after_restart,
            soft_deadline: flags.soft_deadline,
            neighbors: flags.neighbors,
            default_group: flags.default_group,
            microsoft_update: flags.microsoft_update,
            metered: flags.metered,
            detail: self.detail.clone(),
            wakes: flags.wake,
            alert_below: self.alert_below,
            alert_days: self.alert_days,
            accepts_license: flags.accept_license,
            report_only: flags.report_only,
        }
    }

    /// The time that an option says, by the clock that it means.
    pub(super) fn time(
        &self,
        desk: &Desk,
        option: &str,
        text: Option<String>,
    ) -> Result<Option<Timestamp>, Failure> {
        match text {
            Some(text) if self.is_local() => local(desk, &text).map(Some).map_err(|error| {
                let remedy = "write 2026-12-01T02:00, or how long from now, as in 2h";
                Failure::of(&error, option, remedy)
            }),
            text => moment(desk, Toward::Future, option, text),
        }
    }

    /// As soon as possible by the clocks of computers is now by the clock of this machine.
    pub(super) fn asap(&self, text: Option<String>) -> Option<String> {
        text.or_else(|| self.is_local().then(|| "0s".to_owned()))
    }

    fn is_local(&self) -> bool {
        self.client_time == Some(true)
    }
}

/// A time on the wall, written as if it were UTC.
fn local(desk: &Desk, text: &str) -> Result<Timestamp, Invalid> {
    let bad = |_| Invalid::new("time", format!("\"{text}\" is no time of day on a clock"));
    let wall = match duration(text) {
        Ok(later) => {
            let ms = i64::try_from(later.as_millis()).unwrap_or(i64::MAX);
            let at = Timestamp(desk.ambient.now_ms()).plus_ms(ms);
            let at = jiff::Timestamp::from_millisecond(at.0).map_err(bad)?;
            at.to_zoned(TimeZone::system()).datetime()
        }
        Err(_) => text.parse::<DateTime>().map_err(bad)?,
    };
    let zoned = wall.to_zoned(TimeZone::UTC).map_err(bad)?;
    Ok(Timestamp(zoned.timestamp().as_millisecond()))
}
