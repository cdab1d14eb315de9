//! Deployment packages.

use model::{ObjectCode, Package, RoleId, UpdateId};
use rpc::pb::admin as pb;
use site_db::{ContentDemand, Reader, Writer};

use super::content::{distribution_points, find_point, status_rows};
use crate::admin::Call;
use crate::audit::{Deed, audit};
use crate::{Admin, Error};

fn row(package: &Package, demands: &[ContentDemand]) -> pb::Package {
    let missing = demands.iter().filter(|demand| demand.package == package.code).count();
    pb::Package {
        code: package.code.to_string(),
        name: package.name.clone(),
        site: package.site.to_string(),
        version: package.version,
        files: u32::try_from(package.files.len()).unwrap_or(u32::MAX),
        size_bytes: package.files.iter().map(|file| file.size).sum(),
        missing: u32::try_from(missing).unwrap_or(u32::MAX),
    }
}

pub(super) async fn create(
    admin: &Admin,
    call: Call<pb::CreatePackageRequest>,
) -> Result<pb::CreatePackageResponse, Error> {
    let (account, name) = (call.account(), call.message.name);
    if name.is_empty() {
        return Err(model::Invalid::new("name", "is empty").into());
    }
    let create = move |w: &Writer<'_>| {
        let package = w.create_package(&name)?;
        audit(w, &account, Deed::Created, format!("package {}", package.code))?;
        Ok::<_, Error>(package)
    };
    let package = admin.db.write(create).await?;
    Ok(pb::CreatePackageResponse { row: Some(row(&package, &[])) })
}

pub(super) async fn list(
    admin: &Admin,
    _: Call<pb::ListPackagesRequest>,
) -> Result<pb::ListPackagesResponse, Error> {
    let read = |r: &Reader<'_>| {
        let demands = r.demands()?;
        let packages: Vec<(_, Package)> = r.list()?;
        Ok::<_, Error>(packages.iter().map(|(_, package)| row(package, &demands)).collect())
    };
    Ok(pb::ListPackagesResponse { rows: admin.db.read(read).await? })
}

pub(super) async fn show(
    admin: &Admin,
    call: Call<pb::GetPackageRequest>,
) -> Result<pb::GetPackageResponse, Error> {
    let code = ObjectCode::new(&call.message.code)?;
    admin.db.read(move |r| detail(r, &code)).await
}

fn detail(r: &Reader<'_>, code: &ObjectCode) -> Result<pb::GetPackageResponse, Error> {
    let see = "tierline package list";
    let unknown = || Error::Unknown { what: "package", name: code.to_string(), see };
    let package: Package = r.get(code.as_str().as_bytes())?.ok_or_else(unknown)?;
    let demands = r.demands()?;
    let files = package.files.iter().map(|file| pb::HeldFile {
        name: file.name.clone(),
        size_bytes: file.size,
        sha256: file.sha256.to_string(),
        weak: file.weak,
        update: file.update.to_string(),
    });
    let missing = demands.iter().filter(|demand| demand.package == *code);
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
        points: status_rows(r, |manifest| manifest.package == *code)?,
    })
}

pub(super) async fn download(
    admin: &Admin,
    call: Call<pb::DownloadPackageRequest>,
) -> Result<pb::DownloadPackageResponse, Error> {
    let account = call.account();
    let pb::DownloadPackageRequest { code, group, updates } = call.message;
    let code = ObjectCode::new(&code)?;
    let group = Some(group).filter(|group| !group.is_empty());
    let group = group.map(|group| ObjectCode::new(&group)).transpose()?;
    let updates = updates.iter().map(|id| id.parse()).collect::<Result<Vec<UpdateId>, _>>()?;
    let demand = move |w: &Writer<'_>| {
        let mut files = w.update_files(updates)?;
        if let Some(group) = &group {
            files.extend(w.group_files(group)?);
        }
        let wanted = w.demand_files(&code, &files)?;
        audit(w, &account, Deed::Changed, format!("package {code}: {wanted} files to download"))?;
        Ok::<_, Error>(wanted)
    };
    let wanted = admin.db.write(demand).await?;
    Ok(pb::DownloadPackageResponse { wanted: u32::try_from(wanted).unwrap_or(u32::MAX) })
}

pub(super) async fn distribute(
    admin: &Admin,
    call: Call<pb::DistributePackageRequest>,
) -> Result<pb::DistributePackageResponse, Error> {
    let account = call.account();
    let pb::DistributePackageRequest { code, points: wanted } = call.message;
    let code = ObjectCode::new(&code)?;
    let distribute = move |w: &Writer<'_>| {
        let points: Vec<RoleId> = match wanted.is_empty() {
            true => w.points_below(w.identity().code())?.into_iter().collect(),
            false => {
                let all = distribution_points(w)?;
                let found = wanted.iter().map(|name| Ok(find_point(&all, name)?.id));
                found.collect::<Result<_, Error>>()?
            }
        };
        w.add_targets(&code, &points)?;
        let text = format!("package {code}: sent to {} distribution points", points.len());
        audit(w, &account, Deed::Changed, text)?;
        status_rows(w, |manifest| manifest.package == code)
    };
    Ok(pb::DistributePackageResponse { rows: admin.db.write(distribute).await? })
}
