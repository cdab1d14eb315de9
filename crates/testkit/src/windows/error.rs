//! Why the agent gave up.

use wsus_protocol::ErrorCode;

use super::scan::STEPS_MAX;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A fault that has no remedy, or comes again after it.
    #[error("{operation} was refused: {code} {message:?}")]
    Refused { operation: &'static str, code: ErrorCode, message: String },
    #[error("{operation} was answered with what is no answer")]
    Answer {
        operation: &'static str,
        #[source]
        source: wsus_protocol::Error,
    },
    #[error("{url}: {reason}")]
    Http { url: String, reason: String },
    #[error("revision {id} came without what every revision needs")]
    Bare { id: i32 },
    #[error("the text of revision {id} says nothing: {text}")]
    Text {
        id: i32,
        text: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("revision {id} was told of twice")]
    Twice { id: i32 },
    #[error("the scan does not end after {STEPS_MAX} steps")]
    Steps,
    #[error("nobody has {name}")]
    NoLocation { name: String },
    #[error("{name} from {url} is not what it should be: {reason}")]
    File { name: String, url: String, reason: &'static str },
    #[error("the server did not take the events")]
    Events,
}

impl Error {
    /// What the native client says in such a case.
    #[must_use]
    pub fn hresult(&self) -> i32 {
        let code: u32 = match self {
            Error::Steps => 0x8024_4010,
            Error::Http { .. } => 0x8024_402C,
            Error::NoLocation { .. } => 0x8024_0018,
            Error::File { .. } => 0x8020_0053,
            Error::Refused { .. }
            | Error::Answer { .. }
            | Error::Bare { .. }
            | Error::Text { .. }
            | Error::Twice { .. }
            | Error::Events => 0x8024_0439,
        };
        code.cast_signed()
    }
}
