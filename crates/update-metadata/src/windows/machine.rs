//! Tests of the system, its languages and its hardware.

use std::cmp::Ordering;

use crate::asked::{Doubtful, Test, all, known};
use crate::facts::{Languages, Name, RegistryValue, WindowsFacts};
use crate::question::Subject;
use crate::windows::registry;
use crate::{Comparison, Version};

/// The only platform there has been since the turn of the century.
const PLATFORM_NT: u32 = 2;

pub(super) fn platform(test: &Test<'_>, _: &WindowsFacts) -> Doubtful {
    Ok(test.required::<u32>("PlatformID")? == PLATFORM_NT)
}

/// As `VerifyVersionInfo` does: each number of the version counts while the ones before it are
/// equal, and the build stands for itself.
pub(super) fn version(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let comparison = test.comparison()?;
    let mut order = None;
    for (attribute, found) in [
        ("MajorVersion", windows.major),
        ("MinorVersion", windows.minor),
        ("ServicePackMajor", windows.service_pack_major),
        ("ServicePackMinor", windows.service_pack_minor),
    ] {
        if let Some(wanted) = test.parsed(attribute)? {
            order = Some(order.unwrap_or(Ordering::Equal).then(found.cmp(&wanted)));
        }
    }
    let build = test.parsed("BuildNumber")?.map(|wanted| windows.build.cmp(&wanted));
    let mut orders = [order, build].into_iter().flatten();
    let product = test.parsed("ProductType")?.is_none_or(|wanted| windows.product_type == wanted);
    let suites = test.parsed::<u32>("SuiteMask")?.is_none_or(|mask| {
        let present = windows.suite_mask & mask;
        if test.flag("AllSuitesMustBePresent") { present == mask } else { present != 0 }
    });
    Ok(orders.all(|order| comparison.holds(order)) && product && suites)
}

/// Never true where the multilingual user interface is installed.
pub(super) fn language(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let wanted = Name::from(test.text("Language")?);
    let found = languages(windows)?;
    Ok(found.mui.is_none() && is_within(&found.system, &wanted))
}

pub(super) fn mui_installed(_: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(languages(windows)?.mui.is_some())
}

pub(super) fn mui_language(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let wanted = Name::from(test.text("Language")?);
    let mut found = languages(windows)?.mui.iter().flatten();
    Ok(found.any(|found| is_within(found, &wanted)))
}

fn languages(windows: &WindowsFacts) -> Result<&Languages, crate::asked::Doubt> {
    known(windows.languages.as_ref(), Subject::Languages, "")
}

/// `en-us` is within `en`.
fn is_within(found: &Name, wanted: &Name) -> bool {
    let rest = found.as_str().strip_prefix(wanted.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

pub(super) fn metric(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let index = test.required::<i32>("Index")?;
    test.compares(known(windows.metrics.get(&index), Subject::Metric, index)?, "Value")
}

pub(super) fn number_of_processors(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    test.compares(&known(windows.processors, Subject::Processors, "")?.count, "Number")
}

pub(super) fn clustered(_: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(known(windows.cluster.as_ref(), Subject::Cluster, "")?.is_member)
}

/// The registry names the resource, and the test may put something before and after the name.
pub(super) fn cluster_resource_owner(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let Some(RegistryValue::Text(found)) = registry::value(test, windows)? else {
        return Ok(false);
    };
    let [prefix, suffix] = ["Prefix", "Suffix"].map(|name| test.optional(name).unwrap_or_default());
    let resource = Name::from(format!("{prefix}{found}{suffix}"));
    let cluster = known(windows.cluster.as_ref(), Subject::Cluster, "")?;
    Ok(cluster.owned_resources.contains(&resource))
}

pub(super) fn license_exists(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let licenses = known(windows.licenses.as_ref(), Subject::Licenses, "")?;
    Ok(licenses.contains_key(&Name::from(test.text("Value")?)))
}

pub(super) fn license_dword(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let licenses = known(windows.licenses.as_ref(), Subject::Licenses, "")?;
    match licenses.get(&Name::from(test.text("Value")?)) {
        Some(RegistryValue::Dword(found)) => test.compares(found, "Data"),
        _ => Ok(false),
    }
}

pub(super) fn installed_once(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let id = Name::from(test.context.document.update.id.to_string());
    Ok(known(windows.installed_once.as_ref(), Subject::InstalledOnce, "")?.contains(&id))
}

/// Without a value the question is whether there is an answer. Versions are compared as versions,
/// anything else only for equality.
pub(super) fn generic_query(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let [namespace, kind, parameter] =
        [test.text("Namespace")?, test.text("Type")?, test.text("Parameter")?].map(Name::from);
    let answer = windows.generic_answers.iter().find(|answer| {
        (&answer.namespace, &answer.r#type, &answer.parameter) == (&namespace, &kind, &parameter)
    });
    let name = [&namespace, &kind, &parameter].map(Name::as_str).join(" ");
    let found = known(answer, Subject::GenericAnswer, name)?;
    let (Some(found), Some(wanted)) = (&found.value, test.optional("Value")) else {
        return Ok(found.value.is_some());
    };
    match (found.parse::<Version>(), wanted.parse::<Version>(), test.comparison()?) {
        (Ok(found), Ok(wanted), comparison) => Ok(comparison.holds(found.cmp(&wanted))),
        (.., Comparison::EqualTo) => Ok(Name::from(found.as_str()) == Name::from(wanted)),
        _ => Err("texts have no order".into()),
    }
}

pub(super) fn direct3d(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let found = known(windows.hardware.direct3d, Subject::Direct3d, "")?;
    let hardware = test.parsed::<Version>("HardwareVersion")?;
    let major = test.parsed::<u32>("FeatureLevelMajor")?;
    let minor = test.parsed::<u32>("FeatureLevelMinor")?.unwrap_or_default();
    let level = major.map(|major| Version([major, minor, 0, 0]));
    Ok(hardware.is_none_or(|wanted| found.hardware_version >= wanted)
        && level.is_none_or(|wanted| found.feature_level >= wanted))
}

pub(super) fn memory(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let kind = test.optional("Type").unwrap_or_default();
    let found = windows.hardware.memory_mb.get(&Name::from(kind));
    Ok(*known(found, Subject::Memory, kind)? >= test.required("MinSizeInMB")?)
}

pub(super) fn video_memory(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let found = known(windows.hardware.video_memory_mb, Subject::VideoMemory, "")?;
    Ok(found >= test.required("MinSizeInMB")?)
}

pub(super) fn product_release(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let releases = known(windows.product_releases.as_ref(), Subject::ProductReleases, "")?;
    let Some(found) = releases.get(&Name::from(test.text("Name")?)) else { return Ok(false) };
    let version = test.optional("Version").map(|_| test.compares(found, "Version"));
    all(version)
}
