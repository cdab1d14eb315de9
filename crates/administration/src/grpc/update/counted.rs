//! Updates with what the catalog alone does not say: how many computers require them, what is
//! deployed, and what a query over all that means.

use std::collections::{BTreeMap, BTreeSet};

use compliance::{Board, BoardHandle, LiveItem, Mark};
use deployment::{
    Matched, Surroundings, UPDATES, UpdateIndex, UpdateSource, deployed_beside, matching,
    update_rows,
};
use model::{Deployment, Invalid, Item, ObjectCode, Rule, UpdateGroup, UpdateId, UpdateSetting};
use query::Query;
use rpc::pb::admin as pb;
use site_db::Reader;

use super::Catalog;
use crate::Error;
use crate::admin::View;
use crate::grpc::Answer;

/// What is known of updates besides the catalog.
pub(in crate::grpc) struct Counted {
    /// None at a site that counts nothing.
    board: Option<BoardHandle>,
    groups: BTreeMap<ObjectCode, UpdateGroup>,
    deployments: Vec<Deployment>,
    deployed: BTreeSet<UpdateId>,
}

impl Counted {
    pub(in crate::grpc) fn read(v: &View<'_>) -> Answer<Counted> {
        let groups = v.list::<UpdateGroup>()?.into_iter();
        let groups: BTreeMap<_, _> = groups.map(|(_, group)| (group.code.clone(), group)).collect();
        let deployments = v.list::<Deployment>()?.into_iter();
        let deployments: Vec<Deployment> = deployments.map(|(_, deployment)| deployment).collect();
        let deployed = deployments.iter().filter_map(|deployment| groups.get(&deployment.group));
        let deployed = deployed.flat_map(|group| group.updates.clone()).collect();
        let board = v.admin.clients.as_ref().map(|clients| clients.board.clone());
        Ok(Counted { board, groups, deployments, deployed })
    }

    pub(in crate::grpc) fn is_deployed(&self, id: UpdateId) -> bool {
        self.deployed.contains(&id)
    }

    /// Computers that require an update, and that have it; None: nobody counted yet.
    pub(in crate::grpc) fn counts(&self, item: &Item) -> Option<(u64, u64)> {
        let live = LiveItem::of(item)?;
        let count = |board: &Board| {
            (board.marked_count(live, Mark::Required), board.marked_count(live, Mark::Installed))
        };
        self.board.as_ref()?.read(count)
    }

    pub(in crate::grpc) fn row(&self, catalog: &Catalog, item: &Item) -> pb::Update {
        let counts = self.counts(item);
        pb::Update {
            required: counts.map(|(required, _)| required),
            installed: counts.map(|(_, installed)| installed),
            deployed: self.is_deployed(item.update.id),
            ..catalog.row(item)
        }
    }

    /// The updates that a query means.
    pub(in crate::grpc) fn select(
        &self,
        r: &Reader<'_>,
        catalog: &Catalog,
        text: &str,
    ) -> Answer<BTreeSet<UpdateId>> {
        let query = Query::parse(text, &UPDATES);
        let query = query.map_err(|error| Invalid::new("where", error.to_string()))?;
        let index = index(r, catalog)?;
        let found = self.ask(r, &self.deployed, |around| index.select(&query, around))?;
        Ok(found.into_iter().collect())
    }

    /// What a rule takes.
    pub(in crate::grpc) fn matching(
        &self,
        r: &Reader<'_>,
        catalog: &Catalog,
        rule: &Rule,
        filter: &Query,
    ) -> Answer<Matched> {
        let index = index(r, catalog)?;
        let deployed = deployed_beside(rule, &self.deployments, &self.groups);
        self.ask(r, &deployed, |around| matching(rule, filter, &index, around))
    }

    fn ask<T>(
        &self,
        r: &Reader<'_>,
        deployed: &BTreeSet<UpdateId>,
        question: impl Fn(&Surroundings<'_>) -> Option<T>,
    ) -> Answer<T> {
        let (now, groups) = (r.now(), &self.groups);
        let with = |board: Option<&Board>| question(&Surroundings { now, board, deployed, groups });
        let read = |handle: &BoardHandle| handle.read(|board| with(Some(board)));
        let counted = self.board.as_ref().and_then(read);
        let kind = r.identity().kind;
        let nobody = || match self.board {
            Some(_) => Error::Warming,
            None => Error::NoPlace { what: "compliance of its own", kind },
        };
        counted.unwrap_or_else(|| with(None)).ok_or_else(nobody)
    }
}

/// The catalog as columns.
fn index(r: &Reader<'_>, catalog: &Catalog) -> Answer<UpdateIndex> {
    let settings = r.list::<UpdateSetting>()?.into_iter();
    let severities = settings.filter_map(|(_, set)| Some((set.update, set.severity?))).collect();
    let declined = catalog.rulings.values().filter(|ruling| ruling.is_declined());
    let declined = declined.map(|ruling| ruling.update).collect();
    let source = UpdateSource {
        items: &catalog.items,
        categories: &catalog.categories,
        superseded: &catalog.superseded,
        declined: &declined,
        severities: &severities,
    };
    Ok(update_rows(source).collect())
}
