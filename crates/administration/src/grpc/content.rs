//! Distribution points, and where packages are.

use std::collections::BTreeMap;

use model::{ContentManifest, ContentState, RoleKind, RoleRecord};
use rpc::convert::wire_time;
use rpc::pb::admin as pb;
use site_db::Reader;

use crate::admin::Call;
use crate::{Admin, Error};

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
                files: u32::try_from(manifest.files.len()).unwrap_or(u32::MAX),
                bytes: manifest.files.iter().map(|file| file.size).sum(),
                verified: state == ContentState::Installed,
                reason: said.as_ref().map_or_else(String::new, |state| state.reason.clone()),
                at: said.map(|state| wire_time(state.at)),
            });
        }
    }
    Ok(rows)
}

pub(super) async fn status(
    admin: &Admin,
    call: Call<pb::GetContentStatusRequest>,
) -> Result<pb::GetContentStatusResponse, Error> {
    let package = call.message.package;
    let chosen = move |m: &ContentManifest| package.is_empty() || m.package.as_str() == package;
    let rows = admin.db.read(move |r| status_rows(r, chosen)).await?;
    Ok(pb::GetContentStatusResponse { rows })
}

fn point_row(point: &RoleRecord, statuses: &[pb::ContentStatus]) -> pb::DistributionPoint {
    let site = point.site.to_string();
    let mine = statuses.iter().filter(|status| status.dp == point.name && status.site == site);
    let count = |state: ContentState| {
        let in_state = mine.clone().filter(|status| status.state == state.as_str());
        u32::try_from(in_state.count()).unwrap_or(u32::MAX)
    };
    pb::DistributionPoint {
        id: point.id.to_string(),
        name: point.name.clone(),
        url: point.url.clone(),
        http_url: point.http_url.clone(),
        packages: u32::try_from(mine.clone().count()).unwrap_or(u32::MAX),
        installed: count(ContentState::Installed),
        failed: count(ContentState::Failed),
        site,
    }
}

pub(super) async fn points(
    admin: &Admin,
    _: Call<pb::ListDistributionPointsRequest>,
) -> Result<pb::ListDistributionPointsResponse, Error> {
    let read = |r: &Reader<'_>| {
        let statuses = status_rows(r, |_| true)?;
        let points = distribution_points(r)?;
        Ok::<_, Error>(points.iter().map(|point| point_row(point, &statuses)).collect())
    };
    Ok(pb::ListDistributionPointsResponse { rows: admin.db.read(read).await? })
}

pub(super) async fn point(
    admin: &Admin,
    call: Call<pb::GetDistributionPointRequest>,
) -> Result<pb::GetDistributionPointResponse, Error> {
    let name = call.message.point;
    let read = move |r: &Reader<'_>| {
        let all = distribution_points(r)?;
        let point = find_point(&all, &name)?;
        let packages = status_rows(r, |manifest| manifest.targets.contains(&point.id))?;
        let row = Some(point_row(point, &packages));
        let mine = packages.into_iter().filter(|status| status.dp == point.name);
        Ok::<_, Error>(pb::GetDistributionPointResponse { row, packages: mine.collect() })
    };
    admin.db.read(read).await
}
