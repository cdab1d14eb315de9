//! The time of an installation, as somebody at this computer writes it.

use model::Timestamp;
use recurrence::Zone;

use crate::control::Refused;

/// With its offset from UTC, or as the clock of this computer shows it then.
pub(super) fn moment(text: &str, zone: &Zone) -> Result<Timestamp, Refused> {
    let text = text.trim();
    let shown = || format!("{text}Z").parse().map(|civil| zone.moment(civil));
    text.parse().or_else(|_| shown()).map_err(|_| {
        let remedy = "write 2026-11-22T03:00 for this computer's clock, 2026-11-22T03:00Z for UTC";
        Refused::new(format!("{text:?} is no time"), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_that_of_the_clock_here_unless_it_says_otherwise() {
        let zone = Zone::named("Europe/Berlin").expect("is known");
        let at = |text| moment(text, &zone).map(|at| at.to_string()).map_err(|no| no.what);
        for (text, expected) in [
            ("2026-11-22T03:00", Ok("2026-11-22T02:00:00.000Z")),
            (" 2026-07-22 03:00:30 ", Ok("2026-07-22T01:00:30.000Z")),
            ("2026-11-22T03:00Z", Ok("2026-11-22T03:00:00.000Z")),
            ("2026-11-22T03:00-05:00", Ok("2026-11-22T08:00:00.000Z")),
            // The hour that a clock skips: when it shows the next one.
            ("2026-03-29T02:30", Ok("2026-03-29T01:00:00.000Z")),
            ("soon", Err("\"soon\" is no time")),
            ("2026-11-22", Err("\"2026-11-22\" is no time")),
        ] {
            assert_eq!(at(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
