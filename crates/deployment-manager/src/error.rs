//! Why a pass was not finished.

use model::ErrorClass;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("what policy depends on cannot be read")]
    ReadWorld(#[source] site_db::Error),
    #[error("what rules depend on cannot be read")]
    ReadRules(#[source] site_db::Error),
    #[error("the run of a rule cannot be kept")]
    KeepRun(#[source] site_db::Error),
    #[error("the plan of policy cannot be kept")]
    KeepPlan(#[source] site_db::Error),
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::ReadWorld(error)
            | Error::ReadRules(error)
            | Error::KeepRun(error)
            | Error::KeepPlan(error) => error.class(),
        }
    }
}
