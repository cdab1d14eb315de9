//! Tests of patches of Windows Installer, which say nothing themselves: the document's
//! `MsiPatchMetadata` tells which products a patch is for and what comes after it.

use xml_guard::Element;

use crate::asked::{Doubt, Doubtful, Test, known};
use crate::facts::{MsiPatchState, MsiProduct, Name, Named, WindowsFacts};
use crate::question::Subject;
use crate::windows::{guid, msi};
use crate::{Comparison, Version};

/// What a patch is to a product it is for, from the least to what decides over several products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Superseded,
    Installed,
    Installable,
}

pub(super) fn installed(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(standing(test, windows)? == Some(Standing::Installed))
}

pub(super) fn superseded(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(standing(test, windows)? == Some(Standing::Superseded))
}

pub(super) fn installable(test: &Test<'_>, windows: &WindowsFacts) -> Doubtful {
    Ok(standing(test, windows)? == Some(Standing::Installable))
}

fn standing(test: &Test<'_>, windows: &WindowsFacts) -> Result<Option<Standing>, Doubt> {
    let mut most = None;
    for metadata in test.metadata("MsiPatchMetadata")? {
        let patch = metadata.child("MsiPatch").ok_or("MsiPatchMetadata has no MsiPatch")?;
        let mut codes = vec![guid(patch.tag.attribute("PatchGUID").unwrap_or_default())];
        codes.extend(metadata.child("FallbackPatchCode").map(|code| guid(&code.text)));
        for (code, product) in msi::products(windows)? {
            let target = Target { code, product };
            most = most.max(target.standing(patch, &codes)?);
        }
    }
    Ok(most)
}

/// An installed product.
struct Target<'a> {
    code: &'a Name,
    product: &'a MsiProduct,
}

impl Target<'_> {
    fn standing(&self, patch: &Element, codes: &[Name]) -> Result<Option<Standing>, Doubt> {
        let mut targets = patch.children_named("TargetProductCode");
        if !targets.any(|target| guid(&target.text) == *self.code) {
            return Ok(None);
        }
        let patches: &Named<MsiPatchState> =
            known(self.product.patches.as_ref(), Subject::MsiPatches, self.code.as_str())?;
        let state = codes.iter().find_map(|code| patches.get(code));
        match state {
            Some(MsiPatchState::Applied) => return Ok(Some(Standing::Installed)),
            Some(_) => return Ok(Some(Standing::Superseded)),
            None if self.is_beyond(patch)? => return Ok(Some(Standing::Superseded)),
            None => {}
        }
        for target in patch.children_named("TargetProduct") {
            if self.matches(target)? {
                return Ok(Some(Standing::Installable));
            }
        }
        Ok(None)
    }

    /// Whether every family of the patch has come as far, by patches that supersede earlier ones.
    fn is_beyond(&self, patch: &Element) -> Doubtful {
        let mut is_beyond = false;
        for data in patch.children_named("SequenceData") {
            let of = data.child("ProductCode").map(|code| guid(&code.text));
            if of.is_some_and(|of| of != *self.code) {
                continue;
            }
            let text = |name| data.child(name).map_or("", |child| child.text.trim());
            let sequence: Version = version(text("Sequence"))?;
            let reached = self.product.patch_sequences.get(&Name::from(text("PatchFamily")));
            if reached.is_none_or(|reached| *reached < sequence) {
                return Ok(false);
            }
            is_beyond = true;
        }
        Ok(is_beyond)
    }

    /// Whether the product is as a target says, as far as it wants that looked at.
    fn matches(&self, target: &Element) -> Doubtful {
        let validated = |name: &str| {
            let child = target.child(name)?;
            matches!(child.tag.attribute("Validate"), Some("true" | "1")).then_some(child)
        };
        if validated("TargetProductCode").is_some_and(|code| guid(&code.text) != *self.code) {
            return Ok(false);
        }
        let language = validated("TargetLanguage").map(|language| language.text.trim());
        if language.is_some_and(|language| language != self.product.language.to_string()) {
            return Ok(false);
        }
        if let Some(wanted) = validated("TargetVersion")
            && !self.is_of_version(wanted)?
        {
            return Ok(false);
        }
        let Some(wanted) = validated("UpgradeCode") else { return Ok(true) };
        let found = self.product.upgrade_code.as_ref();
        let found = known(found, Subject::MsiUpgradeCode, self.code.as_str())?;
        Ok(*found == guid(&wanted.text))
    }

    fn is_of_version(&self, wanted: &Element) -> Doubtful {
        let attribute = |name| wanted.tag.attribute(name).unwrap_or("None");
        let parts = match attribute("ComparisonFilter") {
            "None" => return Ok(true),
            "Major" => 1,
            "MajorMinor" => 2,
            "MajorMinorUpdate" => 3,
            other => return Err(format!("there is no filter {other:?}").into()),
        };
        let comparison: Comparison = match attribute("ComparisonType") {
            "None" => return Ok(true),
            kind if kind.ends_with("Equal") => format!("{kind}To").parse(),
            kind => kind.parse(),
        }
        .map_err(|error: model::Invalid| error.to_string())?;
        let (found, wanted) = (self.product.version.0, version(&wanted.text)?.0);
        Ok(comparison.holds(found[..parts].cmp(&wanted[..parts])))
    }
}

fn version(text: &str) -> Result<Version, Doubt> {
    Ok(text.parse().map_err(|error: model::Invalid| error.to_string())?)
}
