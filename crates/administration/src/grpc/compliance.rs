//! Counts of what clients say: what is asked about is read from the database, the answer from the
//! board.

mod client;
mod topics;
mod unknown;

use std::collections::BTreeSet;

use ::deployment::Memberships;
use compliance::{Board, ClientSet, DeploymentCounts, LiveItem, Roster, StateCounts};
use model::{ClientId, Deployment, Item, Owner, UpdateGroup, UpdateId};
use rpc::pb::admin as pb;
use site_db::Reader;

pub(super) use self::client::client;
use self::unknown::Silence;
use super::client::clients_of;
use super::collection::census;
use super::noun::{DEPLOYMENT, GROUP};
use super::{Answer, LANGUAGE, collection, deployment};
use crate::Error;
use crate::admin::View;

/// A deployment with everything that its counts depend on.
struct Deployed {
    owner: Owner,
    deployment: Deployment,
    updates: Vec<Counted>,
    /// The clients it acts on; none: all.
    scope: Option<BTreeSet<ClientId>>,
}

/// An update that is counted.
struct Counted {
    update: UpdateId,
    title: String,
    item: LiveItem,
}

pub(super) fn board<T>(v: &View<'_>, ask: impl FnOnce(&Board) -> T) -> Answer<T> {
    let kind = v.identity().kind;
    let clients = v.admin.clients.as_ref();
    let clients = clients.ok_or(Error::NoPlace { what: "compliance of its own", kind })?;
    clients.board.read(ask).ok_or(Error::Warming)
}

/// The updates that count among those with these ids: expired and declined ones and children of
/// bundles do not.
fn counted(r: &Reader<'_>, updates: &[UpdateId]) -> Answer<Vec<Counted>> {
    let mut all = Vec::with_capacity(updates.len());
    for update in updates {
        let is_declined = r.is_declined(*update)?;
        let item = r.get::<Item>(update.as_bytes())?.filter(|item| !item.expired && !is_declined);
        let live = item.as_ref().and_then(LiveItem::of);
        if let (Some(item), Some(live)) = (item, live) {
            all.push(Counted { update: *update, title: item.title(LANGUAGE), item: live });
        }
    }
    Ok(all)
}

fn deployed(r: &Reader<'_>, (owner, deployment): (Owner, Deployment)) -> Answer<Deployed> {
    let group = r.get::<UpdateGroup>(deployment.group.as_str().as_bytes())?;
    let updates = counted(r, group.as_ref().map_or(&[], |group| group.updates.as_slice()))?;
    let scope = if is_wide(r, owner) { None } else { Some(clients_of(r, owner)?) };
    Ok(Deployed { owner, deployment, updates, scope })
}

/// A primary's deployments act on its own clients, those of the top on all.
fn is_wide(r: &Reader<'_>, owner: Owner) -> bool {
    r.identity().parent.unwrap_or(r.identity().code()) == owner.code
}

/// The deployments of all sites that `chosen` admits.
fn all_deployed(r: &Reader<'_>, chosen: impl Fn(&Deployment) -> bool) -> Answer<Vec<Deployed>> {
    let all = r.list::<Deployment>()?.into_iter().filter(|(_, deployment)| chosen(deployment));
    all.map(|found| deployed(r, found)).collect()
}

impl Deployed {
    /// Nobody, as long as it is not known who: it waits, and its outcome says for what.
    fn targets(&self, members: &Memberships, roster: &Roster) -> Option<ClientSet> {
        let mut targets = members.of(&self.deployment.collection).ok()?.clone();
        for code in &self.deployment.except {
            targets = targets.minus(members.of(code).ok()?);
        }
        let Some(scope) = &self.scope else { return Some(targets) };
        Some(targets.intersection(&roster.set_of(scope.iter().copied())))
    }

    fn items(&self) -> Vec<LiveItem> {
        self.updates.iter().map(|update| update.item).collect()
    }

    fn row(&self, board: &Board, members: &Memberships) -> pb::DeploymentCompliance {
        let targets = self.targets(members, board.roster()).unwrap_or_default();
        let DeploymentCounts { targeted, compliant, in_progress, failed, unknown } =
            board.deployment_sets(&self.items(), &targets).counts();
        pb::DeploymentCompliance {
            id: self.deployment.id.to_string(),
            name: self.deployment.name.clone(),
            targeted,
            compliant,
            in_progress,
            failed,
            unknown,
        }
    }
}

impl Counted {
    fn row(&self, board: &Board) -> pb::UpdateCompliance {
        let StateCounts { required, installed, not_required, unknown } =
            board.update_counts(self.item);
        let (id, title) = (self.update.to_string(), self.title.clone());
        pb::UpdateCompliance { id, title, required, installed, not_required, unknown }
    }
}

/// What [`counted`] finds among all updates.
fn live_items(r: &Reader<'_>) -> Result<Vec<LiveItem>, Error> {
    let mut items = r.numbered_items()?;
    items.retain(|item| !item.hidden && !item.declined && !item.expired);
    let items = items.into_iter();
    Ok(items.map(|item| LiveItem { number: item.number, since: item.since }).collect())
}

pub(super) fn summary(
    v: &View<'_>,
    _: pb::GetComplianceSummaryRequest,
) -> Answer<pb::GetComplianceSummaryResponse> {
    let (items, deployments) = (live_items(v)?, all_deployed(v, |_| true)?);
    let (census, silence) = (census(v)?, Silence::read(v)?);
    board(v, |board| {
        let members = census.on(board);
        let required = items.iter().filter(|item| board.update_counts(**item).required > 0);
        pb::GetComplianceSummaryResponse {
            clients: board.roster().all().len(),
            updates: items.len() as u64,
            updates_required: required.count() as u64,
            deployments: deployments.iter().map(|one| one.row(board, &members)).collect(),
            unknown: silence.rows(board, board.unassured()),
            backlogs: silence.backlog_rows(),
        }
    })
}

pub(super) fn update(
    v: &View<'_>,
    asked: pb::GetUpdateComplianceRequest,
) -> Answer<pb::GetUpdateComplianceResponse> {
    let id: UpdateId = asked.id.parse()?;
    let see = "tierline update list, without expired and declined ones and children of bundles";
    let unknown = || Error::Unknown { what: "counted update", name: id.to_string(), see };
    let found = counted(v, &[id])?.pop().ok_or_else(unknown)?;
    let silence = Silence::read(v)?;
    board(v, |board| pb::GetUpdateComplianceResponse {
        row: Some(found.row(board)),
        unknowns: silence.rows(board, board.unknown_by_reason(found.item)),
        states: topics::steps(board.steps(&[found.item], board.roster().all())),
    })
}

pub(super) fn of_group(
    v: &View<'_>,
    asked: pb::GetGroupComplianceRequest,
) -> Answer<Vec<pb::UpdateCompliance>> {
    let updates = counted(v, &GROUP.found(v, &asked.code)?.1.updates)?;
    board(v, |board| updates.iter().map(|update| update.row(board)).collect())
}

pub(super) fn of_deployment(
    v: &View<'_>,
    asked: pb::GetDeploymentComplianceRequest,
) -> Answer<pb::GetDeploymentComplianceResponse> {
    let found = deployed(v, DEPLOYMENT.found(v, &asked.id)?)?;
    let outcome = deployment::outcome(v, found.deployment.id)?;
    let census = census(v)?;
    board(v, |board| {
        let members = census.on(board);
        let targets = found.targets(&members, board.roster()).unwrap_or_default();
        let mut states =
            topics::marks(board.deployment_marks(found.deployment.id, &targets), targets.len());
        states.extend(topics::steps(board.steps(&found.items(), &targets)));
        pb::GetDeploymentComplianceResponse {
            row: Some(found.row(board, &members)),
            outcome,
            updates: found.updates.iter().map(|update| update.row(board)).collect(),
            states,
        }
    })
}

pub(super) fn of_collection(
    v: &View<'_>,
    asked: pb::GetCollectionComplianceRequest,
) -> Answer<Vec<pb::DeploymentCompliance>> {
    let (_, collection) = collection::find(v, &asked.code)?;
    let found = all_deployed(v, |deployment| deployment.collection == collection.code)?;
    let census = census(v)?;
    board(v, |board| {
        let members = census.on(board);
        found.iter().map(|deployed| deployed.row(board, &members)).collect()
    })
}
