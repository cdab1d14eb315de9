//! Deployment packages.

use model::{Invalid, ObjectCode, Package, RoleId, UpdateId};
use rpc::pb::admin as pb;
use site_db::ContentDemand;

use super::content::{distribution_points, find_point, status_rows};
use super::noun::PACKAGE;
use super::{Answer, count, given};
use crate::admin::{Change, View};
use crate::audit::Deed;

fn row(package: &Package, demands: &[ContentDemand]) -> pb::Package {
    pb::Package {
        code: package.code.to_string(),
        name: package.name.clone(),
        site: package.site.to_string(),
        version: package.version,
        files: count(package.files.iter()),
        size_bytes: package.files.iter().map(|file| file.size).sum(),
        missing: count(demands.iter().filter(|demand| demand.package == package.code)),
    }
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreatePackageRequest) -> Answer<pb::Package> {
    if asked.name.is_empty() {
        return Err(Invalid::new("name", "is empty").into());
    }
    let package = c.create_package(&asked.name)?;
    c.audit(Deed::Created, format!("package {}", package.code))?;
    Ok(row(&package, &[]))
}

pub(super) fn list(v: &View<'_>, _: pb::ListPackagesRequest) -> Answer<Vec<pb::Package>> {
    let demands = v.demands()?;
    let packages: Vec<(_, Package)> = v.list()?;
    Ok(packages.iter().map(|(_, package)| row(package, &demands)).collect())
}

pub(super) fn show(v: &View<'_>, asked: pb::GetPackageRequest) -> Answer<pb::GetPackageResponse> {
    let (_, package) = PACKAGE.found(v, &asked.code)?;
    let demands = v.demands()?;
    let files = package.files.iter().map(|file| pb::HeldFile {
        name: file.name.clone(),
        size_bytes: file.size,
        sha256: file.sha256.to_string(),
        weak: file.weak,
        update: file.update.to_string(),
    });
    let missing = demands.iter().filter(|demand| demand.package == package.code);
    let missing = missing.map(|demand| pb::MissingFile {
        name: demand.file.name.clone(),
        size_bytes: demand.file.size,
        sha1: demand.file.sha1.to_string(),
        reason: demand.reason.clone(),
    });
    Ok(pb::GetPackageResponse {
        row: Some(row(&package, &demands)),
        files: files.collect(),
        missing_files: missing.collect(),
        points: status_rows(v, |manifest| manifest.package == package.code)?,
    })
}

pub(super) fn download(c: &Change<'_>, asked: pb::DownloadPackageRequest) -> Answer<u32> {
    let pb::DownloadPackageRequest { code, group, updates } = asked;
    let code = ObjectCode::new(&code)?;
    let updates = updates.iter().map(|id| id.parse()).collect::<Result<Vec<UpdateId>, _>>()?;
    let mut files = c.update_files(updates)?;
    if let Some(group) = given(group) {
        files.extend(c.group_files(&ObjectCode::new(&group)?)?);
    }
    let wanted = c.demand_files(&code, &files)?;
    c.audit(Deed::Changed, format!("package {code}: {wanted} files to download"))?;
    Ok(u32::try_from(wanted).unwrap_or(u32::MAX))
}

pub(super) fn distribute(
    c: &Change<'_>,
    asked: pb::DistributePackageRequest,
) -> Answer<Vec<pb::ContentStatus>> {
    let code = ObjectCode::new(&asked.code)?;
    let points: Vec<RoleId> = if asked.points.is_empty() {
        c.points_below(c.identity().code())?.into_iter().collect()
    } else {
        let all = distribution_points(c)?;
        let found = asked.points.iter().map(|name| Ok(find_point(&all, name)?.id));
        found.collect::<Answer<_>>()?
    };
    c.add_targets(&code, &points)?;
    let text = format!("package {code}: sent to {} distribution points", points.len());
    c.audit(Deed::Changed, text)?;
    status_rows(c, |manifest| manifest.package == code)
}
