//! Boundaries and boundary groups.

use model::{
    Boundary, BoundaryGroup, BoundaryLink, BoundaryOptions, Fallback, Invalid, ObjectCode, RoleId,
    SiteCode,
};

use super::required;
use crate::pb::object as pb;

impl From<&Boundary> for pb::Boundary {
    fn from(value: &Boundary) -> pb::Boundary {
        let Boundary { code, scope, description } = value;
        pb::Boundary {
            code: code.to_string(),
            scope: scope.to_string(),
            description: description.clone(),
        }
    }
}

impl TryFrom<pb::Boundary> for Boundary {
    type Error = Invalid;

    fn try_from(message: pb::Boundary) -> Result<Boundary, Invalid> {
        let pb::Boundary { code, scope, description } = message;
        Boundary::new(ObjectCode::new(&code)?, scope.parse()?, description)
    }
}

impl From<&BoundaryGroup> for pb::BoundaryGroup {
    fn from(value: &BoundaryGroup) -> pb::BoundaryGroup {
        let BoundaryGroup { code, name, boundaries, systems, assigned_site, links, options } =
            value;
        pb::BoundaryGroup {
            code: code.to_string(),
            name: name.clone(),
            boundaries: boundaries.iter().map(ToString::to_string).collect(),
            systems: systems.iter().map(|id| id.as_bytes().to_vec()).collect(),
            assigned_site: assigned_site.map(|site| site.to_string()).unwrap_or_default(),
            links: links.iter().map(Into::into).collect(),
            options: Some(options.into()),
        }
    }
}

impl TryFrom<pb::BoundaryGroup> for BoundaryGroup {
    type Error = Invalid;

    fn try_from(message: pb::BoundaryGroup) -> Result<BoundaryGroup, Invalid> {
        let pb::BoundaryGroup { code, name, boundaries, systems, assigned_site, links, options } =
            message;
        let site = Some(assigned_site).filter(|site| !site.is_empty());
        Ok(BoundaryGroup {
            code: ObjectCode::new(&code)?,
            name,
            boundaries: boundaries.iter().map(|b| ObjectCode::new(b)).collect::<Result<_, _>>()?,
            systems: systems.iter().map(|id| RoleId::from_slice(id)).collect::<Result<_, _>>()?,
            assigned_site: site.map(|site| SiteCode::new(&site)).transpose()?,
            links: links.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            options: required("options", options)?.into(),
        })
    }
}

impl From<&BoundaryLink> for pb::BoundaryLink {
    fn from(value: &BoundaryLink) -> pb::BoundaryLink {
        let BoundaryLink { to, fallback: Fallback { dp, sup, mp } } = value;
        pb::BoundaryLink { to: to.to_string(), dp_minutes: *dp, sup_minutes: *sup, mp_minutes: *mp }
    }
}

impl TryFrom<pb::BoundaryLink> for BoundaryLink {
    type Error = Invalid;

    fn try_from(message: pb::BoundaryLink) -> Result<BoundaryLink, Invalid> {
        let pb::BoundaryLink { to, dp_minutes: dp, sup_minutes: sup, mp_minutes: mp } = message;
        Ok(BoundaryLink { to: to.parse()?, fallback: Fallback { dp, sup, mp } })
    }
}

impl From<&BoundaryOptions> for pb::BoundaryOptions {
    fn from(value: &BoundaryOptions) -> pb::BoundaryOptions {
        let BoundaryOptions { peers, subnet_peers_only, points_before_peers, prefer_cloud } =
            *value;
        pb::BoundaryOptions { peers, subnet_peers_only, points_before_peers, prefer_cloud }
    }
}

impl From<pb::BoundaryOptions> for BoundaryOptions {
    fn from(message: pb::BoundaryOptions) -> BoundaryOptions {
        let pb::BoundaryOptions { peers, subnet_peers_only, points_before_peers, prefer_cloud } =
            message;
        BoundaryOptions { peers, subnet_peers_only, points_before_peers, prefer_cloud }
    }
}
