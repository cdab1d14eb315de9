//! What a client is told of maintenance windows, and how long an installation may take.
//!
//! Owns the part of policy that windows make, and the run time of an update (SUPX-08). Refuses to
//! know when windows are open, which `recurrence` does on server and client alike, and whom a
//! collection has.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use model::{AssignedWindow, UpdateId, UpdateSetting, Window, WindowList};
use uuid::Uuid;

/// How long an administrator may say that an installation takes (SUPX-08).
pub const RUN_MINUTES: RangeInclusive<u16> = 5..=9_999;

const RUN_MINUTES_DEFAULT: u16 = 60;
const RUN_MINUTES_LONG: u16 = 120;

/// Upgrades, Service Packs, and Update Rollups: they may take longer than others.
const LONG: [UpdateId; 3] = [
    UpdateId(Uuid::from_u128(0x3689_bdc8_b205_4af4_8d4a_a639_24c5_e9d5)),
    UpdateId(Uuid::from_u128(0x68c5_b0a3_d1a6_4553_ae49_01d3_a782_7828)),
    UpdateId(Uuid::from_u128(0x28bc_880e_0592_4cbf_8f95_c79b_1791_1d5f)),
];

/// Of the windows of all collections that a client is in: those that hold, each once, by code.
#[must_use]
pub fn window_list<'a>(windows: impl IntoIterator<Item = &'a Window>) -> WindowList {
    let enabled = windows.into_iter().filter(|window| window.is_enabled);
    let windows: BTreeMap<_, _> = enabled.map(|window| (&window.code, assigned(window))).collect();
    WindowList { windows: windows.into_values().collect() }
}

fn assigned(window: &Window) -> AssignedWindow {
    let Window { code, at, zone, minutes, kind, .. } = window;
    AssignedWindow {
        code: code.clone(),
        at: at.clone(),
        zone: zone.clone(),
        minutes: *minutes,
        kind: *kind,
    }
}

/// How many minutes an installation of an update may take, by its classification and by what an
/// administrator says of it.
#[must_use]
pub fn run_minutes(classification: Option<UpdateId>, set: Option<&UpdateSetting>) -> u16 {
    let default = match classification {
        Some(classification) if LONG.contains(&classification) => RUN_MINUTES_LONG,
        _ => RUN_MINUTES_DEFAULT,
    };
    set.and_then(|set| set.max_run_minutes).unwrap_or(default)
}

#[cfg(test)]
mod tests;
