//! Making deployments: in parts if there is too much for one, and with their content.
//!
//! Owns what is looked at before anything is made. Refuses to make a deployment whose files nobody
//! fetches, or that cannot be deployed as it is. Whatever is refused has changed nothing.

use std::collections::BTreeSet;

use model::{
    ALL_SYSTEMS, Deployment, DeploymentId, Intent, Invalid, ItemFile, ObjectCode, Package,
    Timestamp, UpdateGroup, UpdateId,
};
use rpc::convert::read_time;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::options;
use crate::Error;
use crate::admin::Change;
use crate::audit::Deed;
use crate::grpc::decline::{NAMED_MAX, check_deployable_with};
use crate::grpc::naming::{check_name, check_origin};
use crate::grpc::noun::{DEPLOYMENT, GROUP, PACKAGE};
use crate::grpc::package;
use crate::grpc::standing::Standings;
use crate::grpc::{Answer, collection, given};

/// Where the files come from that no package holds.
enum Source {
    /// There are none, or somebody fetches them already.
    Held,
    Package(Package),
    New(String),
    /// Clients load from Microsoft Update alone.
    Nowhere,
}

impl Source {
    fn read(c: &Change<'_>, asked: &pb::CreateDeploymentRequest) -> Result<Source, Error> {
        let (package, new) = (given(asked.package.clone()), given(asked.new_package.clone()));
        match (package, new, asked.no_package) {
            (None, None, false) => Ok(Source::Held),
            (Some(code), None, false) => Ok(Source::Package(PACKAGE.owned(c, &code)?)),
            (None, Some(name), false) => {
                package::check_texts(&name, "")?;
                Ok(Source::New(name))
            }
            (None, None, true) => Ok(Source::Nowhere),
            _ => Err(Invalid::new("package", "name one, or a new one, or none at all").into()),
        }
    }

    /// Has `files` fetched; answers into which package, and how many.
    fn fetch(self, c: &Change<'_>, files: &[(UpdateId, ItemFile)]) -> Answer<(String, usize)> {
        let code = match self {
            _ if files.is_empty() => return Ok(Default::default()),
            Source::Held | Source::Nowhere => return Ok(Default::default()),
            Source::Package(package) => package.code,
            Source::New(name) => {
                let package = c.create_package(&name, "")?;
                c.audit(Deed::Created, format!("package {}", package.code))?;
                let points: Vec<_> = c.points_below(c.identity().code())?.into_iter().collect();
                c.add_targets(&package.code, &points)?;
                package.code
            }
        };
        let wanted = c.demand_files(&code, files)?;
        Ok((code.to_string(), wanted))
    }
}

pub(in crate::grpc) fn create(
    c: &Change<'_>,
    asked: pb::CreateDeploymentRequest,
) -> Answer<pb::CreateDeploymentResponse> {
    DEPLOYMENT.check_place(c)?;
    let source = Source::read(c, &asked)?;
    let deployment = read(c, &asked)?;
    // A reference that does not exist yet would only wait; at its making it is a mistake.
    let (_, group) = GROUP.found(c, deployment.group.as_str())?;
    check_origin(&group.origin, || format!("update group {}", group.code))?;
    collection::find(c, deployment.collection.as_str())?;
    let remedy = format!("take them out first: `tierline group remove {} ID...`", group.code);
    check_deployable_with(c, &group.updates, asked.allow_superseded.into(), remedy)?;
    let parts = parts(c, &group, asked.split)?;
    let deployments = named(c, &deployment, parts.len())?;
    let standings = Standings::read(c, group.updates.iter().copied())?;
    check_published(&standings, &group.updates)?;
    let wanting = match source {
        Source::Nowhere => Vec::new(),
        _ => wanting(c, &standings, &group.updates)?,
    };
    if matches!(source, Source::Held) {
        refuse_wanting(&wanting, Remedy::Name)?;
    }
    if asked.preview {
        let targeted = targeted(c, &deployment)?;
        let code = if parts.len() > 1 { "" } else { group.code.as_str() };
        let parts = deployments.iter().zip(&parts).map(|(deployment, updates)| {
            let part = part(deployment, (String::new(), code.to_owned(), updates.len()));
            pb::DeploymentPart { targeted, ..part }
        });
        let wanted = u32::try_from(wanting.len()).unwrap_or(u32::MAX);
        let parts = parts.collect();
        return Ok(pb::CreateDeploymentResponse { parts, wanted, ..Default::default() });
    }
    let (package, wanted) = source.fetch(c, &wanting)?;
    let made = deployments.into_iter().zip(&parts);
    let made = made.map(|(deployment, updates)| {
        let deployment = make(c, deployment, (&group, updates, parts.len()))?;
        let (id, code) = (deployment.id.to_string(), deployment.group.to_string());
        Ok(part(&deployment, (id, code, updates.len())))
    });
    let parts = made.collect::<Answer<Vec<_>>>()?;
    let id = parts.first().map_or_else(String::new, |first| first.id.clone());
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    Ok(pb::CreateDeploymentResponse { id, parts, package, wanted })
}

fn part(
    deployment: &Deployment,
    (id, group, updates): (String, String, usize),
) -> pb::DeploymentPart {
    let name = deployment.name.clone();
    pb::DeploymentPart { id, name, group, updates: updates as u64, targeted: None }
}

/// Its computers as the board here counts them.
fn targeted(c: &Change<'_>, deployment: &Deployment) -> Answer<Option<u64>> {
    let Some(clients) = &c.admin.clients else { return Ok(None) };
    let census = collection::census(c)?;
    let count = clients.board.read(|board| {
        let members = census.on(board);
        Some(members.of(&deployment.collection).ok()?.len())
    });
    Ok(count.flatten())
}

/// Writes a deployment, and the group of its part if there are several.
fn make(
    c: &Change<'_>,
    deployment: Deployment,
    (group, updates, parts): (&UpdateGroup, &[UpdateId], usize),
) -> Answer<Deployment> {
    let mut made = Deployment { id: DeploymentId(c.admin.db.ambient().ordered_id()), ..deployment };
    if parts > 1 {
        let code = GROUP.new_code(c)?;
        let group = UpdateGroup {
            code: code.clone(),
            name: made.name.clone(),
            updates: updates.to_vec(),
            ..group.clone()
        };
        c.audit(Deed::Created, format!("update group {code} ({})", group.name))?;
        c.put_own(&group)?;
        made.group = code;
    }
    c.audit(Deed::Created, format!("deployment {} ({})", made.id, made.name))?;
    c.put_own(&made)?;
    Ok(made)
}

fn read(c: &Change<'_>, asked: &pb::CreateDeploymentRequest) -> Result<Deployment, Error> {
    let now = c.now();
    let collection = given(asked.collection.clone());
    let collection = collection.as_deref().unwrap_or(ALL_SYSTEMS);
    let (group, collection) = (ObjectCode::new(&asked.group)?, ObjectCode::new(collection)?);
    let id = DeploymentId(c.admin.db.ambient().ordered_id());
    let plain = Deployment::plain(id, group, collection, now);
    let intent = super::intent(&asked.intent)?;
    let available_at = asked.available_at.map(read_time).transpose()?.unwrap_or(now);
    let deadline = asked.deadline.map(read_time).transpose()?;
    let mut deployment = Deployment {
        name: given(asked.name.clone()).map_or_else(|| default_name(c, now), Ok)?,
        description: asked.description.clone(),
        intent,
        available_at,
        deadline: match intent {
            Intent::Required => Some(deadline.unwrap_or(available_at)),
            Intent::Available | Intent::Uninstall => deadline,
        },
        enabled: !asked.disabled,
        ..plain
    };
    options::apply(&asked.options.clone().unwrap_or_default(), &mut deployment)?;
    if asked.no_package {
        deployment.download.has_packages = false;
        deployment.download.microsoft_update = true;
    }
    options::check(&deployment)?;
    Ok(deployment)
}

/// The documented default; another one of the same minute gets a number.
fn default_name(r: &Reader<'_>, now: Timestamp) -> Result<String, Error> {
    let at = now.to_string();
    let minute = at.get(..16).unwrap_or(&at).replace('T', " ");
    let name = format!("Microsoft Software Updates - {minute}");
    let taken = names(r, None)?;
    let numbered = |n: u32| if n == 1 { name.clone() } else { format!("{name} ({n})") };
    let free = (1..).map(numbered).find(|name| !taken.contains(&name.to_lowercase()));
    Ok(free.unwrap_or(name))
}

/// The names of all deployments but one, in lower case.
fn names(r: &Reader<'_>, but: Option<DeploymentId>) -> Result<BTreeSet<String>, Error> {
    let all = r.list::<Deployment>()?.into_iter().map(|(_, deployment)| deployment);
    Ok(all.filter(|d| Some(d.id) != but).map(|d| d.name.to_lowercase()).collect())
}

pub(super) fn check_unique(r: &Reader<'_>, deployment: &Deployment) -> Result<(), Error> {
    match names(r, Some(deployment.id))?.contains(&deployment.name.to_lowercase()) {
        true => Err(taken(&deployment.name)),
        false => Ok(()),
    }
}

fn taken(name: &str) -> Error {
    Error::NameTaken { what: "deployment", name: name.to_owned(), see: "tierline deployment list" }
}

/// One deployment per part, each with a name of its own.
fn named(r: &Reader<'_>, deployment: &Deployment, parts: usize) -> Result<Vec<Deployment>, Error> {
    let taken_names = names(r, None)?;
    let one = |number: usize| {
        let name = match parts {
            1 => deployment.name.clone(),
            _ => format!("{} ({number} of {parts})", deployment.name),
        };
        check_name(&name)?;
        if taken_names.contains(&name.to_lowercase()) {
            return Err(taken(&name));
        }
        Ok(Deployment { name, ..deployment.clone() })
    };
    (1..=parts).map(one).collect()
}

/// The updates of each deployment.
fn parts<'g>(
    r: &Reader<'_>,
    group: &'g UpdateGroup,
    splits: bool,
) -> Result<Vec<&'g [UpdateId]>, Error> {
    if !splits {
        check_count(r, group.updates.len())?;
    }
    if group.updates.is_empty() {
        return Ok(vec![&[]]);
    }
    let max = r.deployment_updates_max()? as usize;
    // Evenly: the last part is not a remainder of a few.
    let parts = group.updates.len().div_ceil(max);
    Ok(group.updates.chunks(group.updates.len().div_ceil(parts)).collect())
}

/// Refuses more updates than a deployment may have (DEPX-12).
pub(in crate::grpc) fn check_count(r: &Reader<'_>, count: usize) -> Result<(), Error> {
    let max = r.deployment_updates_max()?;
    if count > max as usize { Err(Error::TooManyUpdates { count, max }) } else { Ok(()) }
}

/// Refuses updates of which nothing but the description was published (DEP-30).
fn check_published(standings: &Standings, updates: &[UpdateId]) -> Result<(), Error> {
    let of_none = updates.iter().filter(|id| standings.is_metadata_only(**id));
    let out: Vec<String> = of_none.map(|id| format!("{id} (metadata only)")).collect();
    if out.is_empty() {
        return Ok(());
    }
    let remedy = "publish their content first: `tierline update publish-content ID`".to_owned();
    Err(Error::NotDeployable { updates: shortened(out), remedy })
}

fn shortened(mut all: Vec<String>) -> String {
    let more = all.len().saturating_sub(NAMED_MAX);
    all.truncate(NAMED_MAX);
    all.extend((more > 0).then(|| format!("and {more} more")));
    all.join(", ")
}

/// The files that no package holds and that no package of this site waits for.
fn wanting(
    r: &Reader<'_>,
    standings: &Standings,
    updates: &[UpdateId],
) -> Result<Vec<(UpdateId, ItemFile)>, Error> {
    let demands = r.demands()?.into_iter();
    let awaited: BTreeSet<_> = demands.map(|d| (d.file.sha1, d.file.size)).collect();
    let mut wanting = standings.wanting(updates);
    wanting.retain(|(_, file)| !awaited.contains(&(file.sha1, file.size)));
    Ok(wanting)
}

/// What to do about files that nobody fetches.
enum Remedy {
    /// To name a package with the request.
    Name,
    /// To fetch them first.
    Fetch,
}

fn refuse_wanting(wanting: &[(UpdateId, ItemFile)], remedy: Remedy) -> Result<(), Error> {
    if wanting.is_empty() {
        return Ok(());
    }
    let updates: BTreeSet<UpdateId> = wanting.iter().map(|(update, _)| *update).collect();
    let remedy = match remedy {
        Remedy::Name => {
            "name a package that fetches them with --package CODE or --new-package NAME, or let \
             computers load from Microsoft Update with --no-package"
        }
        Remedy::Fetch => "fetch them first: `tierline package download CODE --update ID`",
    };
    let updates = shortened(updates.iter().map(UpdateId::to_string).collect());
    Err(Error::NoContent { updates, remedy })
}

/// Refuses updates whose files nobody has or fetches, where a deployment needs them.
pub(in crate::grpc) fn check_content(
    r: &Reader<'_>,
    standings: &Standings,
    updates: &[UpdateId],
) -> Result<(), Error> {
    check_published(standings, updates)?;
    refuse_wanting(&wanting(r, standings, updates)?, Remedy::Fetch)
}
