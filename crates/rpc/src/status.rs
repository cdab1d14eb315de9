//! Error classes and statuses: the one place where one becomes the other.

use model::{ErrorClass, error_chain};
use tonic::{Code, Status};

/// The gRPC code of a class.
#[must_use]
pub fn code(class: ErrorClass) -> Code {
    match class {
        ErrorClass::Invalid => Code::InvalidArgument,
        ErrorClass::NotFound => Code::NotFound,
        ErrorClass::Conflict => Code::AlreadyExists,
        ErrorClass::Denied => Code::PermissionDenied,
        ErrorClass::Exhausted => Code::ResourceExhausted,
        ErrorClass::Unavailable => Code::Unavailable,
        ErrorClass::Corrupt => Code::DataLoss,
        ErrorClass::Internal => Code::Internal,
    }
}

/// The HTTP status of a class.
#[must_use]
pub fn http(class: ErrorClass) -> u16 {
    match class {
        ErrorClass::Invalid => 400,
        ErrorClass::NotFound => 404,
        ErrorClass::Conflict => 409,
        ErrorClass::Denied => 403,
        ErrorClass::Exhausted => 429,
        ErrorClass::Unavailable => 503,
        ErrorClass::Corrupt | ErrorClass::Internal => 500,
    }
}

/// The class a peer's status stands for.
#[must_use]
pub fn class(status: &Status) -> ErrorClass {
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => ErrorClass::Invalid,
        Code::NotFound => ErrorClass::NotFound,
        Code::AlreadyExists | Code::Aborted | Code::FailedPrecondition => ErrorClass::Conflict,
        Code::PermissionDenied | Code::Unauthenticated => ErrorClass::Denied,
        Code::ResourceExhausted => ErrorClass::Exhausted,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Ok => {
            ErrorClass::Unavailable
        }
        Code::DataLoss => ErrorClass::Corrupt,
        Code::Unknown | Code::Internal => ErrorClass::Internal,
    }
}

/// Whether a peer did not refuse but fail, so that what is kept here answers instead of it.
#[must_use]
pub fn is_absence(status: &Status) -> bool {
    use ErrorClass::{Corrupt, Exhausted, Internal, Unavailable};
    matches!(class(status), Unavailable | Exhausted | Internal | Corrupt)
}

/// What a peer may read of an error: its whole chain, except where the chain would speak of our
/// insides; that goes to the log.
#[expect(clippy::disallowed_methods, reason = "this is the one maker of statuses")]
pub fn from_error(class: ErrorClass, error: &(dyn std::error::Error + 'static)) -> Status {
    match class {
        ErrorClass::Corrupt | ErrorClass::Internal => {
            Status::new(code(class), "internal error; the server's log has the details")
        }
        ErrorClass::Invalid
        | ErrorClass::NotFound
        | ErrorClass::Conflict
        | ErrorClass::Denied
        | ErrorClass::Exhausted
        | ErrorClass::Unavailable => Status::new(code(class), error_chain(error)),
    }
}

/// A status with a message of our own making.
#[expect(clippy::disallowed_methods, reason = "this is the one maker of statuses")]
pub fn refuse(class: ErrorClass, message: impl Into<String>) -> Status {
    Status::new(code(class), message)
}

impl From<model::Invalid> for InvalidArgument {
    fn from(invalid: model::Invalid) -> InvalidArgument {
        InvalidArgument(invalid)
    }
}

/// Lets handlers use `?` on converters.
#[derive(Debug)]
pub struct InvalidArgument(model::Invalid);

impl From<InvalidArgument> for Status {
    fn from(InvalidArgument(invalid): InvalidArgument) -> Status {
        from_error(ErrorClass::Invalid, &invalid)
    }
}
