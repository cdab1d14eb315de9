//! What rules depend on, read from snapshots of the site database.

use std::collections::{BTreeMap, BTreeSet};

use deployment::{UPDATES, UpdateIndex, UpdateSource, deployed_beside, update_rows};
use model::{
    Category, CategoryTree, Deployment, Group, Item, Kind, ObjectCode, Rule, Ruling, SiteKind,
    Style, Superseding, Timestamp, UpdateGroup, UpdateId, UpdateSetting, superseded,
};
use query::Query;
use rpc::object::ObjectBody as _;
use site_db::{Error, Reader, RuleRun, RuleSeen};

/// The rules of this site and what they are about.
pub(super) struct Known {
    pub(super) now: Timestamp,
    pub(super) rules: Vec<KnownRule>,
    /// The catalog version.
    pub(super) catalog: u64,
    /// Grows with every change of the catalog and of what administrators say of it, also between
    /// versions.
    pub(super) generation: u64,
    /// How many updates a deployment may hold.
    pub(super) limit: u32,
    pub(super) deployed: Deployed,
}

/// Groups, and what is deployed of them.
#[derive(Default)]
pub(super) struct Deployed {
    pub(super) groups: BTreeMap<ObjectCode, UpdateGroup>,
    deployments: Vec<Deployment>,
}

pub(super) struct KnownRule {
    pub(super) rule: Rule,
    pub(super) last: Option<RuleRun>,
    pub(super) seen: Option<RuleSeen>,
}

impl Known {
    /// What counts as deployed for a rule, if its filter asks.
    pub(super) fn deployed(&self, rule: &Rule, query: &Query) -> BTreeSet<UpdateId> {
        if !query.asks_for("deployed") {
            return BTreeSet::new();
        }
        deployed_beside(rule, &self.deployed.deployments, &self.deployed.groups)
    }
}

impl KnownRule {
    /// Whether what it takes depends on what others deploy.
    pub(super) fn asks_deployed(&self) -> bool {
        let filter = Query::parse(&self.rule.filter, &UPDATES);
        filter.is_ok_and(|filter| {
            filter.asks_for("deployed") || !filter.arguments("in_group").is_empty()
        })
    }
}

pub(super) fn read_deployed(r: &Reader<'_>) -> Result<Deployed, Error> {
    let groups = r.list::<UpdateGroup>()?.into_iter();
    let deployments = r.list::<Deployment>()?.into_iter();
    Ok(Deployed {
        groups: groups.map(|(_, group)| (group.code.clone(), group)).collect(),
        deployments: deployments.map(|(_, deployment)| deployment).collect(),
    })
}

/// The rules that may run here, or the group that is not settled yet.
pub(super) fn read_rules(r: &Reader<'_>) -> Result<Result<Known, Group>, Error> {
    for group in [Group::Control, Group::Catalog] {
        if !r.is_settled(group)? {
            return Ok(Err(group));
        }
    }
    let (owner, mut rules) = (r.identity().owner, Vec::new());
    if r.identity().kind != SiteKind::Secondary {
        for (_, rule) in r.list::<Rule>()?.into_iter().filter(|(held, _)| *held == owner) {
            if rule.style != Style::Template {
                let (last, seen) = (r.last_rule_run(&rule.code)?, r.rule_seen(&rule.code)?);
                rules.push(KnownRule { rule, last, seen });
            }
        }
    }
    // Most sites have no rules, and need not read anything for them.
    let deployed = if rules.is_empty() { Deployed::default() } else { read_deployed(r)? };
    Ok(Ok(Known {
        now: r.now(),
        rules,
        catalog: r.catalog_version()?.map_or(0, |catalog| catalog.version),
        generation: r.catalog_generation()?,
        limit: r.deployment_updates_max()?,
        deployed,
    }))
}

/// The catalog as columns.
pub(super) fn read_index(r: &Reader<'_>) -> Result<UpdateIndex, Error> {
    let (mut items, mut relations) = (BTreeMap::new(), Vec::new());
    r.visit(Kind::Item, |_, body| {
        let item = Item::decode(&body)?;
        let (id, created_at) = (item.update.id, item.created_at);
        relations.push(Superseding { id, created_at, supersedes: item.supersedes.clone() });
        items.insert(id, item);
        Ok(())
    })?;
    let mut declined = BTreeSet::new();
    r.visit(Kind::Ruling, |_, body| {
        let ruling = Ruling::decode(&body)?;
        declined.extend(ruling.is_declined().then_some(ruling.update));
        Ok(())
    })?;
    let categories: CategoryTree =
        r.list::<Category>()?.into_iter().map(|(_, category)| category).collect();
    let settings = r.list::<UpdateSetting>()?.into_iter();
    let severities = settings.filter_map(|(_, set)| Some((set.update, set.severity?))).collect();
    let superseded = superseded(&relations);
    let source = UpdateSource {
        items: &items,
        categories: &categories,
        superseded: &superseded,
        declined: &declined,
        severities: &severities,
    };
    Ok(update_rows(source).collect())
}
