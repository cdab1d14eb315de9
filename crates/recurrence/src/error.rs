//! What can be wrong with a rule.

use model::ErrorClass;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "a recurrence has five fields (minute, hour, day, month, weekday), then perhaps \
         \"plus N days\" and \"in ZONE\", and this has {found}; \
         write it like \"0 2 * * TUE#2 plus 3 days in Europe/Berlin\""
    )]
    Fields { found: usize },
    #[error("\"{fields}\" cannot be read; the second Tuesday at 02:00 is \"0 2 * * TUE#2\"")]
    Cron { fields: String, source: croner::errors::CronError },
    #[error("\"{fields}\" never comes; there is no such day")]
    Never { fields: String },
    #[error("\"plus {days} days\": give 1 to {max} days")]
    Days { days: String, max: u8 },
    #[error("there is no time zone \"{zone}\" here; write it like Europe/Berlin or UTC")]
    Zone { zone: String, source: jiff::Error },
    #[error("a window is open for {min} to {max} minutes, not for {minutes}")]
    Minutes { minutes: u32, min: u32, max: u32 },
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Fields { .. }
            | Error::Cron { .. }
            | Error::Never { .. }
            | Error::Days { .. }
            | Error::Zone { .. }
            | Error::Minutes { .. } => ErrorClass::Invalid,
        }
    }
}
