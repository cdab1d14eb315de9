//! What a profile must not be: without a name, in another one's place, or against the windows of
//! those it reaches.

use deployment::resultant;
use model::{
    ALL_SYSTEMS, DEFAULT_SETTINGS, Invalid, ObjectCode, SETTINGS_ORDER_MAX, SettingsProfile,
    Window, WindowKind,
};
use site_db::Reader;

use crate::Error;
use crate::grpc::Answer;

const DELAY: &str = "restart.delay";
const COUNTDOWN: &str = "restart.countdown";

/// Longer names are no names.
const NAME_MAX: usize = 256;

/// Refuses a profile that contradicts itself, another one, or the windows of those it reaches.
pub(super) fn check(r: &Reader<'_>, profile: &SettingsProfile) -> Answer<()> {
    let SettingsProfile { code, name, order, .. } = profile;
    if name.is_empty() || name.chars().count() > NAME_MAX {
        let reason = format!("has 1 to {NAME_MAX} characters, not {}", name.chars().count());
        return Err(Invalid::new("name", reason).into());
    }
    if code.as_str() != DEFAULT_SETTINGS && !(1..=SETTINGS_ORDER_MAX).contains(order) {
        let reason = format!("is 1 to {SETTINGS_ORDER_MAX}, not {order}");
        return Err(Invalid::new("order", reason).into());
    }
    for (_, other) in r.list::<SettingsProfile>()? {
        let taken = |what: String, remedy| {
            let by = format!("client settings {} ({})", other.code, other.name);
            Err(Error::InUse { what, by, remedy })
        };
        if other.code != *code && other.order == *order {
            return taken(format!("order {order}"), "give another order");
        }
        if other.code != *code && other.name == *name {
            return taken(format!("the name {name}"), "give another name");
        }
    }
    let windows = r.list::<Window>()?.into_iter().map(|(_, window)| window);
    check_restart(profile, &windows.collect::<Vec<_>>())
}

/// Refuses a window that is too short for the restarts of a profile that reaches its collection.
pub(in crate::grpc) fn check_window(r: &Reader<'_>, window: &Window) -> Answer<()> {
    for (_, profile) in r.list::<SettingsProfile>()? {
        check_restart(&profile, std::slice::from_ref(window))?;
    }
    Ok(())
}

/// A restart that is put off until after the window would never come (CSET-16).
fn check_restart(profile: &SettingsProfile, windows: &[Window]) -> Answer<()> {
    let found = resultant([profile]);
    let minutes = |name| found.get(name).parse::<u32>().unwrap_or(0);
    let (delay, countdown) = (minutes(DELAY), minutes(COUNTDOWN));
    if countdown >= delay {
        let reason = format!(
            "{COUNTDOWN} of {countdown} minutes is the last part of {DELAY}, which is {delay}; \
             make it shorter"
        );
        return Err(Invalid::new("setting", reason).into());
    }
    // What no profile says is what most have, and no reason to refuse a short window.
    if !profile.values.iter().any(|(name, _)| name == DELAY || name == COUNTDOWN) {
        return Ok(());
    }
    let counting = windows.iter().filter(|window| {
        window.is_enabled
            && window.kind != WindowKind::TaskSequences
            && reaches(profile, &window.collection)
    });
    match counting.min_by_key(|window| (window.minutes, &window.code)) {
        Some(shortest) if shortest.minutes <= delay => Err(too_short(profile, delay, shortest)),
        _ => Ok(()),
    }
}

fn too_short(profile: &SettingsProfile, delay: u32, window: &Window) -> Error {
    let Window { name, minutes, collection, .. } = window;
    let reason = format!(
        "{DELAY} of {delay} minutes in {} does not fit window \"{name}\" of collection \
         {collection}, which is open for {minutes}; make one shorter or the other longer",
        profile.code
    );
    Invalid::new("setting", reason).into()
}

fn reaches(profile: &SettingsProfile, collection: &ObjectCode) -> bool {
    let everybody = |code: &ObjectCode| code.as_str() == ALL_SYSTEMS;
    profile.code.as_str() == DEFAULT_SETTINGS
        || profile.collections.iter().any(|code| code == collection || everybody(code))
}
