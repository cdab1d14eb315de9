//! Content on its way down, and what is said of it on the way up.

use bytes::Bytes;
use model::{
    ContentFile, ContentManifest, ContentState, DistributionState, Invalid, ObjectCode, RoleId,
    Sha256, Timestamp,
};

use crate::pb::content as pb;

impl From<&ContentFile> for pb::File {
    fn from(value: &ContentFile) -> pb::File {
        let ContentFile { sha256, size, name } = value.clone();
        pb::File { sha256: Bytes::copy_from_slice(&sha256.0), size, name }
    }
}

impl TryFrom<pb::File> for ContentFile {
    type Error = Invalid;

    fn try_from(message: pb::File) -> Result<ContentFile, Invalid> {
        let pb::File { sha256, size, name } = message;
        Ok(ContentFile { sha256: Sha256::from_slice(&sha256)?, size, name })
    }
}

/// Whoever receives it is its target.
impl From<&ContentManifest> for pb::Manifest {
    fn from(value: &ContentManifest) -> pb::Manifest {
        let ContentManifest { package, version, files, targets: _ } = value;
        let files = files.iter().map(Into::into).collect();
        pb::Manifest { package: package.to_string(), version: *version, files }
    }
}

impl TryFrom<pb::Manifest> for ContentManifest {
    type Error = Invalid;

    fn try_from(message: pb::Manifest) -> Result<ContentManifest, Invalid> {
        let pb::Manifest { package, version, files } = message;
        let files = files.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(ContentManifest { package: ObjectCode::new(&package)?, version, files, targets: vec![] })
    }
}

impl From<&DistributionState> for pb::Distribution {
    fn from(value: &DistributionState) -> pb::Distribution {
        let DistributionState { package, version, point, site, state, files, bytes, reason, at } =
            value.clone();
        pb::Distribution {
            package: package.to_string(),
            version,
            point: Bytes::copy_from_slice(point.as_bytes()),
            site: site.to_string(),
            state: state.as_str().to_owned(),
            files,
            bytes,
            reason,
            at_ms: at.0,
        }
    }
}

impl TryFrom<pb::Distribution> for DistributionState {
    type Error = Invalid;

    fn try_from(message: pb::Distribution) -> Result<DistributionState, Invalid> {
        let pb::Distribution { package, version, point, site, state, files, bytes, reason, at_ms } =
            message;
        Ok(DistributionState {
            package: ObjectCode::new(&package)?,
            version,
            point: RoleId::from_slice(&point)?,
            site: site.parse()?,
            state: ContentState::from_name(&state)?,
            files,
            bytes,
            reason,
            at: Timestamp(at_ms),
        })
    }
}

#[cfg(test)]
mod tests;
