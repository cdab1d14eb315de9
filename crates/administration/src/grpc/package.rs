//! Deployment packages.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Deployment, Invalid, Item, ItemFile, ObjectCode, Package, RoleId, Sha1, UpdateGroup, UpdateId,
};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::{ContentDemand, Reader};

use super::content::{distribution_points, find_point, status_rows};
use super::naming::check_text;
use super::noun::PACKAGE;
use super::standing::{Shelf, files, packages};
use super::{Answer, LANGUAGE, count, given};
use crate::Error;
use crate::admin::{Change, View};
use crate::audit::Deed;

/// Characters of a package's name and description (DEPX-14).
const NAME_MAX: usize = 50;
const DESCRIPTION_MAX: usize = 127;

/// Updates that a refusal names.
const LOST_NAMED: usize = 10;

pub(super) fn check_texts(name: &str, description: &str) -> Result<(), Invalid> {
    check_text("name", name, NAME_MAX)?;
    match description {
        "" => Ok(()),
        text => check_text("description", text, DESCRIPTION_MAX),
    }
}

fn row(package: &Package, demands: &[ContentDemand]) -> pb::Package {
    pb::Package {
        code: package.code.to_string(),
        name: package.name.clone(),
        site: package.site.to_string(),
        version: package.version,
        files: count(package.files.iter()),
        size_bytes: package.files.iter().map(|file| file.size).sum(),
        missing: count(demands.iter().filter(|demand| demand.package == package.code)),
        description: package.description.clone(),
    }
}

pub(super) fn create(c: &Change<'_>, asked: pb::CreatePackageRequest) -> Answer<pb::Package> {
    check_texts(&asked.name, &asked.description)?;
    PACKAGE.check_place(c)?;
    let package = c.create_package(&asked.name, &asked.description)?;
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

pub(super) fn redistribute(
    c: &Change<'_>,
    asked: pb::RedistributePackageRequest,
) -> Answer<Vec<pb::ContentStatus>> {
    let code = PACKAGE.owned(c, &asked.code)?.code;
    let version = c.redistribute(&code)?.version;
    c.audit(Deed::Changed, format!("package {code}: checked anew as version {version}"))?;
    status_rows(c, |manifest| manifest.package == code)
}

pub(super) fn remove(
    c: &Change<'_>,
    asked: pb::RemoveFromPackageRequest,
) -> Answer<pb::RemoveFromPackageResponse> {
    let package = PACKAGE.owned(c, &asked.code)?;
    let updates = asked.updates.iter().map(|id| id.parse());
    let mut updates = updates.collect::<Result<BTreeSet<UpdateId>, _>>()?;
    if let Some(group) = given(asked.group) {
        let (_, group) = super::noun::GROUP.found(c, &group)?;
        updates.extend(group.updates);
    }
    let gone = only_of(c, &package, &updates)?;
    let lost = lost(c, &package.code, |file| gone.contains(file))?;
    refuse_loss(&package, &lost, asked.force)?;
    let text = format!("package {}: {} files taken out", package.code, gone.len());
    c.audit(Deed::Changed, text)?;
    let package = c.remove_files(&package.code, &gone)?;
    Ok(pb::RemoveFromPackageResponse { row: Some(row(&package, &c.demands()?)), lost })
}

/// The files of some updates that no other update of the package has, too. Each file is in it once,
/// under whichever update came first; so others are of it whose files it all has or waits for, and
/// what two share goes when both are named.
fn only_of(
    r: &Reader<'_>,
    package: &Package,
    updates: &BTreeSet<UpdateId>,
) -> Result<BTreeSet<(Sha1, u64)>, Error> {
    let items = r.items_with_parts(updates.clone())?;
    let all = updates.iter().flat_map(|id| files(*id, &items));
    let mut gone: BTreeSet<_> = all.map(|(_, file)| key(file)).collect();
    let mut demands = r.demands()?;
    demands.retain(|demand| demand.package == package.code);
    let shelf = Shelf::of([package]).expecting(&demands);
    let own = package.files.iter().map(|file| file.update);
    let own: BTreeSet<UpdateId> = own.chain(demands.iter().map(|d| d.update)).collect();
    let mut others = sharing(r, &items, &gone)?;
    others.extend(own.iter().filter(|id| !items.contains_key(*id)));
    let theirs = r.items_with_parts(others.clone())?;
    let are_in = |id: &&UpdateId| own.contains(*id) || shelf.has_all(**id, &theirs);
    for (_, file) in others.iter().filter(are_in).flat_map(|id| files(*id, &theirs)) {
        gone.remove(&key(file));
    }
    Ok(gone)
}

fn key(file: &ItemFile) -> (Sha1, u64) {
    (file.sha1, file.size)
}

/// The other updates of the catalog that bundle one of `items` or have one of these files.
fn sharing(
    r: &Reader<'_>,
    items: &BTreeMap<UpdateId, Item>,
    held: &BTreeSet<(Sha1, u64)>,
) -> Result<BTreeSet<UpdateId>, Error> {
    let mut others = BTreeSet::new();
    r.visit(Item::KIND, |_, body| {
        let item = Item::decode(&body)?;
        let bundles = || item.bundles.iter().any(|part| items.contains_key(&part.id));
        let shares = || item.files.iter().any(|file| held.contains(&key(file)));
        if !items.contains_key(&item.update.id) && (bundles() || shares()) {
            others.insert(item.update.id);
        }
        Ok(())
    })?;
    Ok(others)
}

pub(super) fn delete(
    c: &Change<'_>,
    asked: pb::DeletePackageRequest,
) -> Answer<pb::DeletePackageResponse> {
    let package = PACKAGE.owned(c, &asked.code)?;
    let lost = lost(c, &package.code, |_| true)?;
    refuse_loss(&package, &lost, asked.force)?;
    c.audit(Deed::Removed, format!("package {}", package.code))?;
    c.delete_package(&package.code)?;
    Ok(pb::DeletePackageResponse { lost })
}

/// Deployed updates whose last copy would go with some files of a package, be they in it or still
/// waited for.
fn lost(
    r: &Reader<'_>,
    code: &ObjectCode,
    goes: impl Fn(&(Sha1, u64)) -> bool,
) -> Result<Vec<pb::LostContent>, Error> {
    let (mut packages, mut demands) = (packages(r)?, r.demands()?);
    let before = Shelf::of(&packages).expecting(&demands);
    for package in packages.iter_mut().filter(|package| package.code == *code) {
        package.files.retain(|file| !goes(&(file.sha1, file.size)));
    }
    demands.retain(|demand| demand.package != *code || !goes(&key(&demand.file)));
    let after = Shelf::of(&packages).expecting(&demands);
    let deployed = deployed(r)?;
    let items = r.items_with_parts(deployed.keys().copied().collect())?;
    let loses = |id: &UpdateId| before.has_all(*id, &items) && !after.has_all(*id, &items);
    let lost = deployed.into_iter().filter(|(id, _)| loses(id));
    let told = lost.map(|(id, deployments)| pb::LostContent {
        update: id.to_string(),
        title: items.get(&id).map_or_else(String::new, |item| item.title(LANGUAGE)),
        deployments,
    });
    Ok(told.collect())
}

/// The updates of deployments that need packages, and by whom they are deployed.
fn deployed(r: &Reader<'_>) -> Result<BTreeMap<UpdateId, Vec<String>>, Error> {
    let groups = r.list::<UpdateGroup>()?.into_iter();
    let groups: BTreeMap<_, _> = groups.map(|(_, group)| (group.code, group.updates)).collect();
    let mut deployed: BTreeMap<UpdateId, Vec<String>> = BTreeMap::new();
    for (_, deployment) in r.list::<Deployment>()? {
        let needs = deployment.download.has_packages;
        for id in groups.get(&deployment.group).filter(|_| needs).into_iter().flatten() {
            deployed.entry(*id).or_default().push(deployment.id.to_string());
        }
    }
    Ok(deployed)
}

fn refuse_loss(package: &Package, lost: &[pb::LostContent], force: bool) -> Result<(), Error> {
    if force || lost.is_empty() {
        return Ok(());
    }
    let told = lost.iter().take(LOST_NAMED);
    let mut updates: Vec<String> = told
        .map(|lost| format!("{} ({}) for {}", lost.update, lost.title, lost.deployments.join(", ")))
        .collect();
    let more = lost.len().saturating_sub(LOST_NAMED);
    updates.extend((more > 0).then(|| format!("and {more} more")));
    Err(Error::LastCopy { package: package.code.clone(), updates: updates.join("; ") })
}
