//! What the next phase of a phased deployment deploys.
//!
//! Owns that it is what may be deployed when the phase starts, and not what could be when somebody
//! planned it. Refuses to know when phases start.

use model::{Phased, UpdateGroup};

use crate::{Error, Writer};

impl Writer<'_> {
    /// The group of the phase that starts now, counted from 0: the one of the phased deployment or,
    /// if something in that is superseded, expired or declined by now, a new one without it, which
    /// is yet to be written. None: it is not here, or nothing is left.
    pub fn phase_group(&self, phased: &Phased, at: usize) -> Result<Option<UpdateGroup>, Error> {
        let held: Option<UpdateGroup> = self.get(phased.group.as_str().as_bytes())?;
        let Some(held) = held else { return Ok(None) };
        let out = self.undeployable_among(&held.updates)?;
        if held.updates.iter().all(|id| out.contains(id)) {
            return Ok(None);
        }
        if out.is_empty() {
            return Ok(Some(held));
        }
        let (code, count) = (self.new_code::<UpdateGroup>("update group")?, out.len());
        let name = format!("{} (from phase {})", phased.name, at + 1);
        let mut group = UpdateGroup { code, name, ..held.clone() };
        group.updates.retain(|id| !out.contains(id));
        let from = held.code;
        group.description = format!("{from} without {count} that cannot be deployed any more");
        Ok(Some(group))
    }
}
