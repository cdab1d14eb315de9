//! Tests of drivers, which say nothing themselves: the document's `WindowsDriverMetaData` tells
//! what each driver is for, and it competes with the one the device has.

use std::cmp::Ordering;

use xml_guard::Element;

use crate::asked::{Doubt, Doubtful, Test, known, required};
use crate::document::parse_time;
use crate::facts::{Device, Driver, Name, Names, WindowsFacts};
use crate::question::Subject;
use crate::{Version, windows};

/// Drivers of this class replace only those of the same provider.
const PRINTERS: &str = "Printers";

pub(super) fn installed(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(best(test, windows)? == Some(Ordering::Equal))
}

pub(super) fn superseded(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(best(test, windows)? == Some(Ordering::Less))
}

pub(super) fn installable(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(best(test, windows)? == Some(Ordering::Greater))
}

/// How the drivers of a document compare to those installed, for the device they help most.
fn best(test: &Test<'_>, windows: &WindowsFacts) -> Result<Option<Ordering>, Doubt> {
    let mut best = None;
    for metadata in test.metadata("WindowsDriverMetaData")? {
        let devices = known(windows.devices.as_ref(), Subject::Devices, "")?;
        for device in devices {
            let Some(order) = compare(metadata, device)? else { continue };
            let is_offered = order != Ordering::Greater
                || is_for_computer(metadata, windows)? && replaces(metadata, device)?;
            if is_offered {
                best = best.max(Some(order));
            }
        }
    }
    Ok(best)
}

/// By feature score, then how well the id fits, then date, then version; none if it fits not.
fn compare(offered: &Element, device: &Device) -> Result<Option<Ordering>, Doubt> {
    let rank_of = |wanted: &Name| device.ids.iter().position(|id| id == wanted);
    let Some(rank) = rank_of(&Name::from(attribute(offered, "HardwareID")?)) else {
        return Ok(None);
    };
    let Some(driver) = &device.driver else { return Ok(Some(Ordering::Greater)) };
    let date = parse_time(attribute(offered, "DriverVerDate")?)
        .map_err(|error| format!("DriverVerDate: {error}"))?;
    let version: Version = required(offered, "DriverVerVersion")?;
    // A generic driver came by no id of the device, and any that fits is better.
    let found = rank_of(&driver.matched_id).unwrap_or(usize::MAX);
    let order = compare_scores(offered, driver)?.then(found.cmp(&rank));
    Ok(Some(order.then(Some(date).cmp(&driver.date)).then(version.cmp(&driver.version))))
}

fn compare_scores(offered: &Element, driver: &Driver) -> Result<Ordering, Doubt> {
    let scores = offered.children_named("FeatureScore").map(|score| {
        let text = attribute(score, "FeatureScore")?.trim_start_matches("0x");
        u8::from_str_radix(text, 16).map_err(|error| format!("FeatureScore: {error}").into())
    });
    let scores = scores.collect::<Result<Vec<u8>, Doubt>>()?;
    let Some(&score) = scores.first() else { return Ok(Ordering::Equal) };
    if scores.iter().any(|other| *other != score) {
        return Err("feature scores differ between systems".into());
    }
    let id = driver.matched_id.as_str();
    Ok(known(driver.feature_score, Subject::FeatureScore, id)?.cmp(&score))
}

fn is_for_computer(offered: &Element, windows: &WindowsFacts) -> Doubtful {
    for list in ["DistributionComputerHardwareId", "TargetComputerHardwareId"] {
        let wanted: Names =
            offered.children_named(list).map(|id| windows::guid(&id.text)).collect();
        if wanted.is_empty() {
            continue;
        }
        let found = known(windows.computer_ids.as_ref(), Subject::ComputerIds, "")?;
        if wanted.is_disjoint(found) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn replaces(offered: &Element, device: &Device) -> Doubtful {
    let Some(driver) = &device.driver else { return Ok(true) };
    for range in offered.children_named("InstalledVersionRange") {
        let (min, max): (Version, Version) = (required(range, "Min")?, required(range, "Max")?);
        if !(min..=max).contains(&driver.version) {
            return Ok(false);
        }
    }
    if attribute(offered, "Class")? != PRINTERS {
        return Ok(true);
    }
    let mut compatible = offered.children_named("CompatibleProvider");
    Ok(Name::from(attribute(offered, "Provider")?) == driver.provider
        || compatible.any(|provider| Name::from(provider.text.trim()) == driver.provider))
}

fn attribute<'a>(element: &'a Element, name: &str) -> Result<&'a str, Doubt> {
    Ok(element.tag.attribute(name).ok_or_else(|| format!("{name} is missing"))?)
}
