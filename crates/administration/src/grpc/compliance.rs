//! Counts of what clients say: what is asked about is read from the database, the answer from the
//! board.

use std::collections::BTreeSet;

use ::deployment::Memberships;
use compliance::{
    Board, ClientSet, DeploymentCounts, LiveItem, Roster, StateCounts, UnknownReason,
    client_counts, state_of,
};
use model::{ClientId, Deployment, Detail, Hresult, Item, Owner, UpdateGroup, UpdateId, Vector};
use rpc::pb::admin as pb;
use site_db::Reader;

use super::client::clients_of;
use super::collection::Surroundings;
use super::noun::{CLIENT, DEPLOYMENT, GROUP};
use super::{Answer, LANGUAGE, collection, deployment};
use crate::Error;
use crate::admin::View;

/// A deployment with everything that its counts depend on.
struct Deployed {
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
    // A primary's deployments act on its own clients, those of the top on all.
    let is_wide = r.identity().parent.unwrap_or(r.identity().code()) == owner.code;
    let scope = if is_wide { None } else { Some(clients_of(r, owner)?) };
    Ok(Deployed { deployment, updates, scope })
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

    fn row(&self, board: &Board, members: &Memberships) -> pb::DeploymentCompliance {
        let targets = self.targets(members, board.roster()).unwrap_or_default();
        let items: Vec<LiveItem> = self.updates.iter().map(|update| update.item).collect();
        let DeploymentCounts { targeted, compliant, in_progress, failed, unknown } =
            board.deployment_sets(&items, &targets).counts();
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

fn live_items(r: &Reader<'_>) -> Result<Vec<LiveItem>, Error> {
    let items = r.numbered_items()?.into_iter().filter(|item| !item.hidden && !item.declined);
    Ok(items.map(|item| LiveItem { number: item.number, since: item.since }).collect())
}

pub(super) fn summary(
    v: &View<'_>,
    _: pb::GetComplianceSummaryRequest,
) -> Answer<pb::GetComplianceSummaryResponse> {
    let (items, deployments) = (live_items(v)?, all_deployed(v, |_| true)?);
    let surroundings = Surroundings::read(v)?;
    board(v, |board| {
        let members = surroundings.on(board);
        let required = items.iter().filter(|item| board.update_counts(**item).required > 0);
        pb::GetComplianceSummaryResponse {
            clients: board.roster().all().len(),
            updates: items.len() as u64,
            updates_required: required.count() as u64,
            deployments: deployments.iter().map(|one| one.row(board, &members)).collect(),
        }
    })
}

pub(super) fn update(
    v: &View<'_>,
    asked: pb::GetUpdateComplianceRequest,
) -> Answer<pb::UpdateCompliance> {
    let id: UpdateId = asked.id.parse()?;
    let see = "tierline update list, without expired and declined ones and children of bundles";
    let unknown = || Error::Unknown { what: "counted update", name: id.to_string(), see };
    let found = counted(v, &[id])?.pop().ok_or_else(unknown)?;
    board(v, |board| found.row(board))
}

/// One client's answer is in its vector; the board is not needed.
pub(super) fn client(
    v: &View<'_>,
    asked: pb::GetClientComplianceRequest,
) -> Answer<pb::GetClientComplianceResponse> {
    let (_, record) = CLIENT.found(v, &asked.id)?;
    let (vector, items) = (v.vector(record.id)?, live_items(v)?);
    let vector = vector.as_ref();
    let StateCounts { required, installed, not_required, unknown } =
        client_counts(vector, items.iter().copied());
    // Of an update that no list names and every catalog has: only a general reason remains.
    let anything = LiveItem { number: u32::MAX, since: 0 };
    let reason = match (state_of(vector, anything).1, vector) {
        // In the client's own words, which name the server that it could not scan with, or what its
        // code means.
        (Some(failed @ UnknownReason::ScanFailed), Some(Vector { scan_error: Some(said), .. })) => {
            let code = said.parse::<Hresult>();
            let said = code.map_or_else(|_| said.clone(), |code| code.to_string());
            format!("{}: {said}", failed.as_str())
        }
        (reason, _) => reason.map_or("", UnknownReason::as_str).to_owned(),
    };
    let row = pb::ClientCompliance {
        id: record.id.to_string(),
        name: record.name,
        covered: vector.map_or(0, |vector| vector.covered),
        required,
        installed,
        not_required,
        unknown,
        reason,
        serial: vector.map_or(0, |vector| vector.serial),
    };
    let states = vector.map_or(Ok(Vec::new()), |vector| client_states(v, vector))?;
    Ok(pb::GetClientComplianceResponse { row: Some(row), states })
}

fn client_states(r: &Reader<'_>, vector: &Vector) -> Answer<Vec<pb::ClientUpdate>> {
    let mut states = Vec::new();
    for (number, state) in vector.listed() {
        let Some(known) = r.item_by_number(number)?.filter(|item| !item.hidden) else { continue };
        let item: Item = r.require(known.id.as_bytes())?;
        let detail = vector.detail.iter().find(|detail| detail.item == number);
        states.push(pb::ClientUpdate {
            id: known.id.to_string(),
            title: item.title(LANGUAGE),
            state: state.as_str().to_owned(),
            progress: detail.map_or("", |detail| detail.state.as_str()).to_owned(),
            code: detail.map_or(0, |detail| detail.code),
            meaning: detail.and_then(meaning).unwrap_or_default(),
        });
    }
    Ok(states)
}

/// Of a failure's code, if it is one of Windows computers.
fn meaning(detail: &Detail) -> Option<String> {
    let code = Hresult(detail.code);
    (detail.state.is_failure() && code.is_known()).then(|| code.to_string())
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
    let surroundings = Surroundings::read(v)?;
    board(v, |board| pb::GetDeploymentComplianceResponse {
        row: Some(found.row(board, &surroundings.on(board))),
        outcome,
        updates: found.updates.iter().map(|update| update.row(board)).collect(),
    })
}

pub(super) fn of_collection(
    v: &View<'_>,
    asked: pb::GetCollectionComplianceRequest,
) -> Answer<Vec<pb::DeploymentCompliance>> {
    let (_, collection) = collection::find(v, &asked.code)?;
    let found = all_deployed(v, |deployment| deployment.collection == collection.code)?;
    let surroundings = Surroundings::read(v)?;
    board(v, |board| {
        let members = surroundings.on(board);
        found.iter().map(|deployed| deployed.row(board, &members)).collect()
    })
}
