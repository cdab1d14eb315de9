//! Counts of what clients say: what is asked about is read from the database, the answer from the
//! board.

use std::collections::BTreeSet;

use compliance::{Board, DeploymentCounts, LiveItem, StateCounts, client_counts, state_of};
use model::{
    ClientId, ClientRecord, Collection, ComplianceState, Deployment, DeploymentId, Item, Kind,
    ObjectCode, Owner, UpdateGroup, UpdateId, Vector,
};
use rpc::object::ObjectBody as _;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::{collection, deployment, group};
use crate::admin::Call;
use crate::{Admin, Error};

/// A deployment with everything that its counts depend on.
struct Deployed {
    deployment: Deployment,
    items: Vec<LiveItem>,
    collection: Option<Collection>,
    /// The clients it acts on; none: all.
    scope: Option<BTreeSet<ClientId>>,
}

/// An update that is counted.
struct Counted {
    update: UpdateId,
    title: String,
    item: LiveItem,
}

fn board<T>(admin: &Admin, ask: impl FnOnce(&Board) -> T) -> Result<T, Error> {
    let kind = admin.db.identity().kind;
    let clients = admin.clients.as_ref();
    let clients = clients.ok_or(Error::NoPlace { what: "compliance of its own", kind })?;
    clients.board.read(ask).ok_or(Error::Warming)
}

/// The updates that count among those with these ids: expired ones and children of bundles do not.
fn counted(r: &Reader<'_>, updates: &[UpdateId]) -> Result<Vec<Counted>, Error> {
    let mut all = Vec::with_capacity(updates.len());
    for update in updates {
        let item = r.get::<Item>(update.as_bytes())?.filter(|item| !item.expired);
        let live = item.as_ref().and_then(LiveItem::of);
        if let (Some(item), Some(live)) = (item, live) {
            all.push(Counted { update: *update, title: item.title("en"), item: live });
        }
    }
    Ok(all)
}

fn deployed(r: &Reader<'_>, owner: Owner, deployment: Deployment) -> Result<Deployed, Error> {
    let group = r.get::<UpdateGroup>(deployment.group.as_str().as_bytes())?;
    let updates = group.map_or_else(Vec::new, |group| group.updates);
    let items = counted(r, &updates)?.into_iter().map(|counted| counted.item).collect();
    let collection = collection::find(r, &deployment.collection).ok().map(|(_, found)| found);
    // A primary's deployments act on its own clients, those of the top on all.
    let is_wide = r.identity().parent.unwrap_or(r.identity().code()) == owner.code;
    let scope = if is_wide { None } else { Some(clients_of(r, owner)?) };
    Ok(Deployed { deployment, items, collection, scope })
}

fn clients_of(r: &Reader<'_>, site: Owner) -> Result<BTreeSet<ClientId>, Error> {
    let mut clients = BTreeSet::new();
    r.visit(Kind::Client, |owner, body| {
        if owner == site {
            clients.insert(ClientRecord::decode(&body)?.id);
        }
        Ok(())
    })?;
    Ok(clients)
}

impl Deployed {
    fn row(&self, board: &Board) -> pb::DeploymentCompliance {
        let roster = board.roster();
        let members = self.collection.as_ref().map(|c| ::deployment::members(c, roster));
        let targets = match (members, &self.scope) {
            (None, _) => compliance::ClientSet::default(),
            (Some(members), None) => members,
            (Some(members), Some(scope)) => {
                roster.set_of(roster.clients(&members).filter(|client| scope.contains(client)))
            }
        };
        let DeploymentCounts { targeted, compliant, in_progress, failed, unknown } =
            board.deployment_sets(&self.items, &targets).counts();
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
    let items = r.numbered_items()?.into_iter().filter(|item| !item.hidden);
    Ok(items.map(|item| LiveItem { number: item.number, since: item.since }).collect())
}

pub(super) async fn summary(
    admin: &Admin,
    _: Call<pb::GetComplianceSummaryRequest>,
) -> Result<pb::GetComplianceSummaryResponse, Error> {
    let read = admin.db.read(|r| {
        let deployments = r.list::<Deployment>()?.into_iter();
        let deployments = deployments.map(|(owner, d)| deployed(r, owner, d));
        Ok::<_, Error>((live_items(r)?, deployments.collect::<Result<Vec<_>, _>>()?))
    });
    let (items, deployments) = read.await?;
    board(admin, |board| {
        let required = items.iter().filter(|item| board.update_counts(**item).required > 0);
        pb::GetComplianceSummaryResponse {
            clients: board.roster().all().len(),
            updates: items.len() as u64,
            updates_required: required.count() as u64,
            deployments: deployments.iter().map(|deployed| deployed.row(board)).collect(),
        }
    })
}

pub(super) async fn update(
    admin: &Admin,
    call: Call<pb::GetUpdateComplianceRequest>,
) -> Result<pb::GetUpdateComplianceResponse, Error> {
    let id: UpdateId = call.message.id.parse()?;
    let found = admin.db.read(move |r| counted(r, &[id])).await?.pop();
    let see = "tierline update list, without expired ones and children of bundles";
    let unknown = || Error::Unknown { what: "counted update", name: id.to_string(), see };
    let found = found.ok_or_else(unknown)?;
    Ok(pb::GetUpdateComplianceResponse { row: Some(board(admin, |board| found.row(board))?) })
}

pub(super) async fn client(
    admin: &Admin,
    call: Call<pb::GetClientComplianceRequest>,
) -> Result<pb::GetClientComplianceResponse, Error> {
    let id: ClientId = call.message.id.parse()?;
    // One client's answer is in its vector; the board is not needed.
    admin.db.read(move |r| client_answer(r, id)).await
}

fn client_answer(r: &Reader<'_>, id: ClientId) -> Result<pb::GetClientComplianceResponse, Error> {
    let (_, record) = super::client::find(r, id)?;
    let (vector, items) = (r.vector(id)?, live_items(r)?);
    let vector = vector.as_ref();
    let StateCounts { required, installed, not_required, unknown } =
        client_counts(vector, items.iter().copied());
    // Of an update that no list names and every catalog has: only a general reason remains.
    let anything = LiveItem { number: u32::MAX, since: 0 };
    let reason = state_of(vector, anything).1.map_or("", |reason| reason.as_str());
    let row = pb::ClientCompliance {
        id: id.to_string(),
        name: record.name,
        covered: vector.map_or(0, |vector| vector.covered),
        required,
        installed,
        not_required,
        unknown,
        reason: reason.to_owned(),
        serial: vector.map_or(0, |vector| vector.serial),
    };
    let states = vector.map_or(Ok(Vec::new()), |vector| client_states(r, vector))?;
    Ok(pb::GetClientComplianceResponse { row: Some(row), states })
}

fn client_states(r: &Reader<'_>, vector: &Vector) -> Result<Vec<pb::ClientUpdate>, Error> {
    let required = vector.required.iter().map(|number| (*number, ComplianceState::Required));
    let installed = vector.installed.iter().map(|number| (*number, ComplianceState::Installed));
    let mut states = Vec::new();
    for (number, state) in required.chain(installed) {
        let Some(known) = r.item_by_number(number)?.filter(|item| !item.hidden) else { continue };
        let item: Item = r.require(known.id.as_bytes())?;
        let detail = vector.detail.iter().find(|detail| detail.item == number);
        states.push(pb::ClientUpdate {
            id: known.id.to_string(),
            title: item.title("en"),
            state: state.as_str().to_owned(),
            progress: detail.map_or("", |detail| detail.state.as_str()).to_owned(),
            code: detail.map_or(0, |detail| detail.code),
        });
    }
    Ok(states)
}

pub(super) async fn of_group(
    admin: &Admin,
    call: Call<pb::GetGroupComplianceRequest>,
) -> Result<pb::GetGroupComplianceResponse, Error> {
    let code = ObjectCode::new(&call.message.code)?;
    let read = admin.db.read(move |r| counted(r, &group::find(r, &code)?.1.updates));
    let updates = read.await?;
    let rows = board(admin, |board| updates.iter().map(|update| update.row(board)).collect())?;
    Ok(pb::GetGroupComplianceResponse { rows })
}

pub(super) async fn of_deployment(
    admin: &Admin,
    call: Call<pb::GetDeploymentComplianceRequest>,
) -> Result<pb::GetDeploymentComplianceResponse, Error> {
    let id: DeploymentId = call.message.id.parse()?;
    let read = admin.db.read(move |r| {
        let (owner, found) = deployment::find(r, id)?;
        let group = r.get::<UpdateGroup>(found.group.as_str().as_bytes())?;
        let updates = group.map_or_else(Vec::new, |group| group.updates);
        let (outcome, updates) = (deployment::outcome(r, id)?, counted(r, &updates)?);
        Ok::<_, Error>((deployed(r, owner, found)?, outcome, updates))
    });
    let (deployed, outcome, updates) = read.await?;
    board(admin, |board| pb::GetDeploymentComplianceResponse {
        row: Some(deployed.row(board)),
        outcome,
        updates: updates.iter().map(|update| update.row(board)).collect(),
    })
}

pub(super) async fn of_collection(
    admin: &Admin,
    call: Call<pb::GetCollectionComplianceRequest>,
) -> Result<pb::GetCollectionComplianceResponse, Error> {
    let code = ObjectCode::new(&call.message.code)?;
    let read = admin.db.read(move |r| {
        collection::find(r, &code)?;
        let all = r.list::<Deployment>()?.into_iter().filter(|(_, d)| d.collection == code);
        all.map(|(owner, found)| deployed(r, owner, found)).collect::<Result<Vec<_>, Error>>()
    });
    let found = read.await?;
    let rows = board(admin, |board| found.iter().map(|deployed| deployed.row(board)).collect())?;
    Ok(pb::GetCollectionComplianceResponse { rows })
}
