//! How often a user may ask.
//!
//! Owns when the next question of a user is let through: some at once, then one after the other.
//! Nobody is refused for it; a person does not notice, and a program that asks without end costs
//! the agent no more than that. Administrators could stop the agent, and are not held up.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::limits::{QUESTION_EVERY, QUESTIONS_AT_ONCE, USERS_ASKING_MAX};

/// Of those beyond the bound, who are one.
const OTHERS: u32 = u32::MAX;

/// When each user's last question has had its time.
#[derive(Debug, Default)]
pub(super) struct Allowance(BTreeMap<u32, Instant>);

impl Allowance {
    /// How long a question of this user waits.
    pub(super) fn wait(&mut self, uid: u32, now: Instant) -> Duration {
        self.0.retain(|_, spent| *spent > now);
        let is_known = self.0.contains_key(&uid) || self.0.len() < USERS_ASKING_MAX;
        let spent = self.0.entry(if is_known { uid } else { OTHERS }).or_insert(now);
        *spent += QUESTION_EVERY;
        spent.saturating_duration_since(now).saturating_sub(QUESTION_EVERY * QUESTIONS_AT_ONCE)
    }
}

#[cfg(test)]
mod tests;
