//! Distribution points, and where packages are.

use std::collections::BTreeMap;

use model::{ContentManifest, ContentState, RoleKind, RoleRecord};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::{Answer, count};
use crate::Error;
use crate::admin::View;

pub(super) fn distribution_points(r: &Reader<'_>) -> Result<Vec<RoleRecord>, Error> {
    let roles = r.list::<RoleRecord>()?.into_iter().map(|(_, role)| role);
    Ok(roles.filter(|role| role.kind == RoleKind::DistributionPoint).collect())
}

/// By id or name.
pub(super) fn find_point<'a>(all: &'a [RoleRecord], name: &str) -> Result<&'a RoleRecord, Error> {
    let found = all.iter().find(|point| point.name == name || point.id.to_string() == name);
    let see = "tierline dp list";
    found.ok_or_else(|| Error::Unknown { what: "distribution point", name: name.to_owned(), see })
}

/// One row per chosen package and distribution point.
pub(super) fn status_rows(
    r: &Reader<'_>,
    chosen: impl Fn(&ContentManifest) -> bool,
) -> Result<Vec<pb::ContentStatus>, Error> {
    let points = distribution_points(r)?;
    let points: BTreeMap<_, _> = points.into_iter().map(|point| (point.id, point)).collect();
    let states = r.content_states()?.into_iter();
    let mut states: BTreeMap<_, _> =
        states.map(|state| ((state.package.clone(), state.point), state)).collect();
    let mut rows = Vec::new();
    for (_, manifest) in r.list::<ContentManifest>()?.iter().filter(|(_, m)| chosen(m)) {
        for target in &manifest.targets {
            let point = points.get(target);
            let said = states.remove(&(manifest.package.clone(), *target));
            let said = said.filter(|state| state.version == manifest.version);
            let state = said.as_ref().map_or(ContentState::Pending, |state| state.state);
            rows.push(pb::ContentStatus {
                package: manifest.package.to_string(),
                version: manifest.version,
                dp: point.map_or_else(|| target.to_string(), |point| point.name.clone()),
                site: point.map_or_else(String::new, |point| point.site.to_string()),
                state: state.as_str().to_owned(),
                files: count(manifest.files.iter()),
                bytes: manifest.files.iter().map(|file| file.size).sum(),
                verified: state == ContentState::Installed,
                reason: said.as_ref().map_or_else(String::new, |state| state.reason.clone()),
                at: said.map(|state| wire_time(state.at)),
            });
        }
    }
    Ok(rows)
}

pub(super) fn status(
    v: &View<'_>,
    asked: pb::GetContentStatusRequest,
) -> Answer<Vec<pb::ContentStatus>> {
    let package = asked.package;
    status_rows(v, |m| package.is_empty() || m.package.as_str() == package)
}

fn point_row(point: &RoleRecord, statuses: &[pb::ContentStatus]) -> pb::DistributionPoint {
    let site = point.site.to_string();
    let mine = statuses.iter().filter(|status| status.dp == point.name && status.site == site);
    let in_state = |state: ContentState| mine.clone().filter(move |s| s.state == state.as_str());
    pb::DistributionPoint {
        id: point.id.to_string(),
        name: point.name.clone(),
        url: point.url.clone(),
        http_url: point.http_url.clone(),
        packages: count(mine.clone()),
        installed: count(in_state(ContentState::Installed)),
        failed: count(in_state(ContentState::Failed)),
        site: site.clone(),
    }
}

pub(super) fn points(
    v: &View<'_>,
    _: pb::ListDistributionPointsRequest,
) -> Answer<Vec<pb::DistributionPoint>> {
    let (statuses, points) = (status_rows(v, |_| true)?, distribution_points(v)?);
    Ok(points.iter().map(|point| point_row(point, &statuses)).collect())
}

pub(super) fn point(
    v: &View<'_>,
    asked: pb::GetDistributionPointRequest,
) -> Answer<pb::GetDistributionPointResponse> {
    let all = distribution_points(v)?;
    let point = find_point(&all, &asked.point)?;
    let mut packages = status_rows(v, |manifest| manifest.targets.contains(&point.id))?;
    let row = Some(point_row(point, &packages));
    packages.retain(|status| status.dp == point.name);
    Ok(pb::GetDistributionPointResponse { row, packages })
}
