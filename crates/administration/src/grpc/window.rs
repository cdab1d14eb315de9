//! Maintenance windows of collections, and when they come.

use std::collections::BTreeSet;

use deployment::{run_minutes, window_list};
use model::{
    BUILT_IN_COLLECTIONS, Deployment, Intent, Invalid, Item, ObjectCode, Timestamp, UpdateGroup,
    UpdateId, UpdateSetting, Window, WindowKind, WindowZone,
};
use recurrence::{Calendar, Opening, Recurrence, Room, Use, Zone, open, read_start};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::client_settings::{Reaching, check_window};
use super::noun::{CLIENT, WINDOW};
use super::{Answer, LANGUAGE, collection, given};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Weekly, in the night to Saturday (MW-01).
const DEFAULT_AT: &str = "0 1 * * SAT";
const DEFAULT_MINUTES: u32 = 180;
const NAME_MAX: usize = 256;

/// As many as people look at, and as many as anyone may ask for.
const OCCURRENCES: usize = 5;
const OCCURRENCES_MAX: u32 = 1_000;

fn row(owner: String, window: &Window) -> pb::Window {
    let Window { code, name, collection, at, zone, minutes, kind, is_enabled } = window;
    pb::Window {
        code: code.to_string(),
        name: name.clone(),
        owner,
        collection: collection.to_string(),
        at: match zone {
            WindowZone::Client => format!("{at} in client"),
            WindowZone::Named(zone) => format!("{at} in {zone}"),
        },
        minutes: *minutes,
        kind: kind.as_str().to_owned(),
        enabled: *is_enabled,
    }
}

/// A window by the clock it goes by, or by that of no client in particular.
fn read(window: &Window) -> Result<recurrence::Window, recurrence::Error> {
    let zone = match &window.zone {
        WindowZone::Client => Zone::of_any_client(),
        WindowZone::Named(name) => Zone::named(name)?,
    };
    recurrence::Window::new(window.at.parse::<Recurrence>()?.in_zone(zone), window.minutes)
}

/// A window that another site made may be in words that this one does not know.
fn next_of(window: &Window, now: Timestamp) -> Vec<String> {
    let Ok(window) = read(window) else { return vec!["(not understood here)".to_owned()] };
    let openings = open(std::slice::from_ref(&window), now);
    openings.take(OCCURRENCES).map(|opening| shown(window.starts().zone(), opening)).collect()
}

fn shown(zone: &Zone, opening: Opening) -> String {
    format!("{} to {}", zone.show(opening.from), zone.show(opening.to))
}

pub(super) fn list(v: &View<'_>, asked: pb::ListWindowsRequest) -> Answer<Vec<pb::Window>> {
    let wanted = given(asked.collection);
    if let Some(code) = &wanted {
        collection::find(v, code)?;
    }
    let all = v.list::<Window>()?.into_iter();
    let mut rows: Vec<_> = all
        .map(|(owner, window)| row(owner.code.to_string(), &window))
        .filter(|row| wanted.as_ref().is_none_or(|code| row.collection == *code))
        .collect();
    rows.sort_by(|a, b| (&a.collection, &a.code).cmp(&(&b.collection, &b.code)));
    Ok(rows)
}

pub(super) fn show(v: &View<'_>, asked: pb::GetWindowRequest) -> Answer<pb::GetWindowResponse> {
    let (owner, window) = WINDOW.found(v, &asked.code)?;
    let row = Some(row(owner.code.to_string(), &window));
    Ok(pb::GetWindowResponse { row, next: next_of(&window, v.now()) })
}

pub(super) fn create(
    c: &Change<'_>,
    asked: pb::CreateWindowRequest,
) -> Answer<pb::CreateWindowResponse> {
    WINDOW.check_place(c)?;
    let (is_forced, is_preview) = (asked.force, asked.preview);
    let window = read_request(c, asked)?;
    check_window(c, &window)?;
    let warnings: Vec<_> = too_long(c, &window)?.into_iter().collect();
    if let (false, false, Some(warning)) = (is_forced, is_preview, warnings.first()) {
        return Err(Error::NeverFits { what: warning.clone() });
    }
    let next = next_of(&window, c.now());
    let owner = c.identity().code().to_string();
    if is_preview {
        let row = Some(pb::Window { code: String::new(), ..row(owner, &window) });
        return Ok(pb::CreateWindowResponse { row, next, warnings });
    }
    let window = Window { code: WINDOW.new_code(c)?, ..window };
    let Window { code, name, collection, .. } = &window;
    c.audit(Deed::Created, format!("window {code} ({name}) of collection {collection}"))?;
    c.put_own(&window)?;
    Ok(pb::CreateWindowResponse { row: Some(row(owner, &window)), next, warnings })
}

/// The window that is asked for, under a code that is none yet.
fn read_request(r: &Reader<'_>, asked: pb::CreateWindowRequest) -> Answer<Window> {
    let pb::CreateWindowRequest { name, collection, at, minutes, kind, .. } = asked;
    if name.is_empty() || name.chars().count() > NAME_MAX {
        let reason = format!("has 1 to {NAME_MAX} characters, not {}", name.chars().count());
        return Err(Invalid::new("name", reason).into());
    }
    let (_, found) = collection::find(r, &collection)?;
    if BUILT_IN_COLLECTIONS.contains(&found.code.as_str()) {
        let reason = format!(
            "{} is built in and has no windows of its own; make one with the \
                              same members: `tierline collection create`",
            found.code
        );
        return Err(Invalid::new("collection", reason).into());
    }
    let invalid =
        |error: recurrence::Error| Error::from(Invalid::new("window", model::error_chain(&error)));
    let at = given(at).unwrap_or_else(|| DEFAULT_AT.to_owned());
    let (at, zone) = read_start(&at).map_err(invalid)?;
    let window = Window {
        code: found.code.clone(),
        name,
        collection: found.code,
        at,
        zone,
        minutes: if minutes == 0 { DEFAULT_MINUTES } else { minutes },
        kind: given(kind).map_or(Ok(WindowKind::All), |kind| WindowKind::from_name(&kind))?,
        is_enabled: true,
    };
    read(&window).map_err(invalid)?;
    Ok(window)
}

/// The update with the longest installation among those deployed to the window's collection, if it
/// never fits one of the windows there.
fn too_long(r: &Reader<'_>, window: &Window) -> Answer<Option<String>> {
    if window.kind == WindowKind::TaskSequences {
        return Ok(None);
    }
    let Some((minutes, item)) = longest(r, &window.collection)? else { return Ok(None) };
    let there = windows_of(r, |code| *code == window.collection)?;
    let mut windows = window_list(&there).windows;
    windows.extend(window_list([window]).windows);
    let (calendar, _) = Calendar::of(&windows, Use::Otherwise, &Zone::of_any_client());
    if calendar.room(r.now(), u32::from(minutes)) != Room::Never {
        return Ok(None);
    }
    let (id, title) = (item.update.id, item.title(LANGUAGE));
    Ok(Some(format!("update {id} ({title}) may take {minutes} minutes")))
}

fn longest(r: &Reader<'_>, collection: &ObjectCode) -> Answer<Option<(u16, Item)>> {
    let deployments = r.list::<Deployment>()?.into_iter().map(|(_, deployment)| deployment);
    let groups: BTreeSet<ObjectCode> = deployments
        .filter(|d| d.enabled && d.collection == *collection && d.intent != Intent::Available)
        .map(|deployment| deployment.group)
        .collect();
    let mut updates = BTreeSet::<UpdateId>::new();
    for group in groups {
        let group = r.get::<UpdateGroup>(group.as_str().as_bytes())?;
        updates.extend(group.into_iter().flat_map(|group| group.updates));
    }
    let mut longest: Option<(u16, Item)> = None;
    for id in updates {
        let Some(item) = r.get::<Item>(id.as_bytes())?.filter(|item| !item.expired) else {
            continue;
        };
        let set = r.get::<UpdateSetting>(id.as_bytes())?;
        let minutes = run_minutes(item.classification, set.as_ref());
        if longest.as_ref().is_none_or(|(most, _)| minutes > *most) {
            longest = Some((minutes, item));
        }
    }
    Ok(longest)
}

fn windows_of(r: &Reader<'_>, holds: impl Fn(&ObjectCode) -> bool) -> Answer<Vec<Window>> {
    let all = r.list::<Window>()?.into_iter().map(|(_, window)| window);
    Ok(all.filter(|window| holds(&window.collection)).collect())
}

pub(super) fn set_enabled(
    c: &Change<'_>,
    asked: pb::SetWindowEnabledRequest,
) -> Answer<pb::SetWindowEnabledResponse> {
    let pb::SetWindowEnabledRequest { code, enabled } = asked;
    let window = Window { is_enabled: enabled, ..WINDOW.owned(c, &code)? };
    if enabled {
        // What is deployed and set may have changed since it was made.
        check_window(c, &window)?;
        if let Some(what) = too_long(c, &window)? {
            return Err(Error::NeverFits { what });
        }
    }
    let state = if enabled { "enabled" } else { "disabled" };
    c.audit(Deed::Changed, format!("window {code}: {state}"))?;
    c.put_own(&window)?;
    Ok(pb::SetWindowEnabledResponse {})
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeleteWindowRequest,
) -> Answer<pb::DeleteWindowResponse> {
    let window = WINDOW.owned(c, &asked.code)?;
    c.audit(Deed::Removed, format!("window {} ({})", window.code, window.name))?;
    c.delete(&window)?;
    Ok(pb::DeleteWindowResponse {})
}

pub(super) fn next(v: &View<'_>, asked: pb::NextWindowsRequest) -> Answer<pb::NextWindowsResponse> {
    let clock = match given(asked.zone.clone()) {
        Some(zone) => {
            Zone::named(&zone).map_err(|error| Invalid::new("zone", model::error_chain(&error)))?
        }
        None => Zone::of_any_client(),
    };
    let (there, all, waiting) = asked_of(v, &asked)?;
    let list = window_list(&there);
    let (calendar, _) = Calendar::of(&list.windows, all, &clock);
    let zone = given(asked.zone).map_or_else(|| calendar.zone(), |_| clock);
    let limit = match asked.limit {
        0 => OCCURRENCES,
        limit => usize::try_from(limit.min(OCCURRENCES_MAX)).unwrap_or(OCCURRENCES),
    };
    let now = v.now();
    let is_roomy = |opening: &Opening| {
        let left = Opening { from: opening.from.max(now), to: opening.to };
        left.minutes() >= asked.minutes
    };
    let openings = calendar.openings(now).filter(is_roomy);
    let rows = openings.take(limit).map(|opening| pb::WindowSpan {
        from: Some(wire_time(opening.from)),
        to: Some(wire_time(opening.to)),
        minutes: opening.minutes(),
        shown: shown(&zone, opening),
        windows: calendar.windows_in(opening).map(ToString::to_string).collect(),
    });
    Ok(pb::NextWindowsResponse { rows: rows.collect(), waiting })
}

/// The windows of the client or collection that is asked about, what windows of all deployments
/// are there, and what cannot be told.
fn asked_of(
    v: &View<'_>,
    asked: &pb::NextWindowsRequest,
) -> Answer<(Vec<Window>, Use, Vec<String>)> {
    match (asked.client.as_str(), asked.collection.as_str()) {
        (client, "") if !client.is_empty() => {
            let reaching = Reaching::of(v, &CLIENT.found(v, client)?)?;
            let windows = reaching.windows(v)?;
            let all = if reaching.resultant().is_on("windows.in_all") {
                Use::Also
            } else {
                Use::Otherwise
            };
            Ok((windows, all, reaching.waiting()))
        }
        ("", code) if !code.is_empty() => {
            let (_, found) = collection::find(v, code)?;
            let windows = windows_of(v, |collection| *collection == found.code)?;
            Ok((windows, Use::Otherwise, Vec::new()))
        }
        _ => Err(Invalid::new("windows", "are asked of a client or of a collection").into()),
    }
}
