//! What names and descriptions may be, and what is kept by something else than people.

use model::{Invalid, Origin};

use crate::Error;

/// Characters of a name, and of a description (DEPX-01).
pub(super) const NAME_MAX: usize = 256;
pub(super) const DESCRIPTION_MAX: usize = 256;

/// Refuses an empty text, and one that is longer than `max` characters.
pub(super) fn check_text(field: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    match text.chars().count() {
        0 => Err(Invalid::new(field, "is empty")),
        length if length > max => {
            Err(Invalid::new(field, format!("has {length} characters; at most {max} are possible")))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_name(name: &str) -> Result<(), Invalid> {
    check_text("name", name, NAME_MAX)
}

/// Of none, too.
pub(super) fn check_description(text: &str) -> Result<(), Invalid> {
    if text.is_empty() { Ok(()) } else { check_text("description", text, DESCRIPTION_MAX) }
}

/// What approvals keep is changed by approvals.
pub(super) fn check_origin(origin: &Origin, what: impl Fn() -> String) -> Result<(), Error> {
    match origin {
        Origin::Approval => Err(Error::KeptByApprovals { what: what() }),
        Origin::Hand | Origin::Rule(_) | Origin::Phase { .. } => Ok(()),
    }
}
