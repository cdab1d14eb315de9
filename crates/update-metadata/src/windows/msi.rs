//! Tests of products of Windows Installer.

use crate::Version;
use crate::asked::{Doubt, Doubtful, Test, all, any, known, parsed};
use crate::facts::{MsiPatchState, MsiProduct, Name, Named, Names, WindowsFacts};
use crate::question::Subject;
use crate::windows::guid;

pub(super) fn product_installed(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(product(test, windows)?.is_some())
}

pub(super) fn patch_installed_for_product(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    let patch = guid(test.text("PatchCode")?);
    let Some(product) = product(test, windows)? else { return Ok(false) };
    let code = test.text("ProductCode")?;
    let patches = known(product.patches.as_ref(), Subject::MsiPatches, code)?;
    Ok(patches.get(&patch) == Some(&MsiPatchState::Applied))
}

pub(super) fn feature_installed(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    parts_installed(test, "Feature", |code| {
        let Some(product) = products(windows)?.get(code) else { return Ok(None) };
        known(product.features.as_ref(), Subject::MsiFeatures, code.as_str()).map(Some)
    })
}

pub(super) fn component_installed(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    parts_installed(test, "Component", |code| {
        let Some(product) = products(windows)?.get(code) else { return Ok(None) };
        known(product.components.as_ref(), Subject::MsiComponents, code.as_str()).map(Some)
    })
}

/// Whether any part is installed of any product, or all of them where the test wants all.
fn parts_installed<'w>(
    test: &Test<'_>,
    part: &str,
    of_product: impl Fn(&Name) -> Result<Option<&'w Names>, Doubt>,
) -> Doubtful {
    let named = |local: &str| -> Vec<Name> {
        test.element.children_named(local).map(|child| guid(&child.text)).collect()
    };
    let join = |what: &str, answers: Vec<Doubtful>| match test.flag(&format!("All{what}sRequired"))
    {
        true => all(answers),
        false => any(answers),
    };
    let parts = named(part);
    let products = named("Product");
    if parts.is_empty() || products.is_empty() {
        return Err(format!("it names no {part} or no Product").into());
    }
    let answers = products.iter().map(|code| {
        let Some(installed) = of_product(code)? else { return Ok(false) };
        join(part, parts.iter().map(|part| Ok(installed.contains(part))).collect())
    });
    join("Product", answers.collect())
}

pub(super) fn application_installed(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    any(Application::named_by(test)?.iter().map(|application| {
        let installed = application.installed(windows)?;
        installed.map_or(Ok(false), |installed| Ok(!application.is_recached_over(installed)?))
    }))
}

pub(super) fn application_installable(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    any(Application::named_by(test)?.iter().map(|application| {
        let installed = application.installed(windows)?;
        installed.map_or(Ok(true), |installed| application.is_recached_over(installed))
    }))
}

/// Nothing but a later version of the same product is known to supersede it.
pub(super) fn application_superseded(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    any(Application::named_by(test)?.iter().map(|application| {
        let Some(installed) = application.installed(windows)? else { return Ok(false) };
        let is_later = application.version.is_some_and(|version| installed > version);
        Ok(is_later && !application.is_recached_over(installed)?)
    }))
}

/// What `MsiApplicationMetadata` says of a product.
struct Application<'a> {
    code: Name,
    version: Option<Version>,
    /// When installing again replaces the product that is there.
    recache: &'a str,
}

impl<'a> Application<'a> {
    fn named_by(test: &Test<'a>) -> Result<Vec<Application<'a>>, Doubt> {
        let metadata = test.metadata("MsiApplicationMetadata")?;
        let codes = metadata.into_iter().flat_map(|element| element.children_named("ProductCode"));
        let read = codes.map(|code| {
            let recache = code.tag.attribute("UseRecacheReinstall").unwrap_or("Never");
            Ok(Application { code: guid(&code.text), version: parsed(code, "Version")?, recache })
        });
        read.collect()
    }

    fn installed(&self, windows: &WindowsFacts) -> Result<Option<Version>, Doubt> {
        Ok(products(windows)?.get(&self.code).map(|product| product.version))
    }

    fn is_recached_over(&self, installed: Version) -> Doubtful {
        match (self.recache, self.version) {
            ("Never", _) => Ok(false),
            ("LowerVersion", Some(version)) => Ok(installed < version),
            ("AnyVersion", Some(version)) => Ok(installed != version),
            (other, _) => Err(format!("UseRecacheReinstall {other:?} without a meaning").into()),
        }
    }
}

pub(super) fn products(windows: &WindowsFacts) -> Result<&Named<MsiProduct>, Doubt> {
    known(windows.msi_products.as_ref(), Subject::MsiProducts, "")
}

/// The product a test names, if it is installed and is as the test wants it.
fn product<'w>(
    test: &Test<'_>,
    windows: &'w WindowsFacts,
) -> Result<Option<&'w MsiProduct>, Doubt> {
    let code = guid(test.text("ProductCode")?);
    let Some(product) = products(windows)?.get(&code) else { return Ok(None) };
    let is_above = |min: Version| match test.flag("ExcludeVersionMin") {
        true => product.version > min,
        false => product.version >= min,
    };
    let is_below = |max: Version| match test.flag("ExcludeVersionMax") {
        true => product.version < max,
        false => product.version <= max,
    };
    let language = test.parsed::<i32>("Language")?;
    let is_wanted = test.parsed("VersionMin")?.is_none_or(is_above)
        && test.parsed("VersionMax")?.is_none_or(is_below)
        && language.is_none_or(|wanted| wanted == product.language);
    Ok(is_wanted.then_some(product))
}
