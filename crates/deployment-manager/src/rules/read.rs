//! What rules depend on, read from snapshots of the site database.

use std::collections::{BTreeMap, BTreeSet};

use deployment::{UpdateIndex, UpdateSource, deployed_beside, update_rows};
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
        deployed_beside(rule, &self.deployments, &self.groups)
    }
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
    let (mut groups, mut deployments) = (BTreeMap::new(), Vec::new());
    if !rules.is_empty() {
        let all = r.list::<UpdateGroup>()?.into_iter();
        groups.extend(all.map(|(_, group)| (group.code.clone(), group)));
        deployments.extend(r.list::<Deployment>()?.into_iter().map(|(_, deployment)| deployment));
    }
    Ok(Ok(Known {
        now: r.now(),
        rules,
        catalog: r.catalog_version()?.map_or(0, |catalog| catalog.version),
        generation: r.catalog_generation()?,
        limit: r.deployment_updates_max()?,
        groups,
        deployments,
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
