//! Why a question is not answered.

use model::ErrorClass;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a client's certificate cannot be issued")]
    Certificate(#[from] trust::Error),
    #[error("cannot use a connection")]
    Transport(#[from] transport::Error),
    #[error("{url} does not answer: {}", transport::explain(status))]
    Call { url: String, status: Box<tonic::Status> },
    #[error("{url} answered with {what} that cannot be read")]
    Answer { url: String, what: &'static str, source: model::Invalid },
    #[error("policy of {url} is not believed")]
    Policy { url: String, source: client::policy::Refused },
    #[error("no server is known for this")]
    Nobody,
}

impl Error {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Error::Certificate(error) => error.class(),
            Error::Transport(error) => error.class(),
            Error::Call { status, .. } => rpc::status::class(status),
            Error::Answer { .. } => ErrorClass::Invalid,
            Error::Policy { source, .. } => source.class(),
            Error::Nobody => ErrorClass::Unavailable,
        }
    }

    pub(crate) fn call(url: &str) -> impl FnOnce(tonic::Status) -> Error {
        move |status| Error::Call { url: url.to_owned(), status: Box::new(status) }
    }
}
