//! A replica: an update point that leaves all decisions to its upstream (MS-WSUSSS 3.2.4.3).
//!
//! Owns the taking over of target groups, deployments, declined updates and accepted licenses
//! after a synchronization, and their telling to replicas below. Refuses to judge them. An
//! autonomous update point takes none and tells what is declined here.

use std::collections::BTreeSet;

use model::{Timestamp, UpdateId, UpdateRef};
use update_catalog::{Decisions, Taken, TakenDeployment, TakenGroup};
use wsus_protocol::WireTime;
use wsus_protocol::server::{Deployments, ServerDeployment, TargetGroup};

use crate::Error;
use crate::choice::Followed;
use crate::point::Point;
use crate::synchronize::{Phase, Plan};
use crate::upstream::Upstream;

/// Who decides what computers shall have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Autonomous,
    Replica,
}

/// The name of the anchor up to which decisions were taken.
const ANCHOR: &str = "deployments";

impl Point {
    /// Takes over what upstream has decided since the last time.
    pub(crate) async fn take_decisions(
        &self,
        upstream: &Upstream<'_>,
        plan: &Plan,
    ) -> Result<(), Error> {
        let source = plan.source.to_string();
        let kept = self.catalog.upstream_anchor(ANCHOR).await?;
        let kept = kept.as_deref().and_then(Followed::parse).filter(|kept| kept.source == source);
        let updates = self.catalog.upstream_anchor(Phase::Updates.name()).await?;
        // It was kept just before, at the end of the list of updates.
        let Some(updates) = updates.as_deref().and_then(Followed::parse) else { return Ok(()) };
        let since = kept.map(|kept| kept.anchor);
        let is_all = since.is_none();
        let told = upstream.deployments(since, updates.anchor).await?;
        let declined: BTreeSet<UpdateId> =
            told.hidden_updates.iter().copied().map(UpdateId).collect();
        let here = self.catalog.declined().await?.into_iter();
        let reinstated = here.filter(|id| !declined.contains(id)).map(|id| (id, false));
        let rulings = reinstated.chain(declined.iter().map(|id| (*id, true))).collect();
        self.catalog.set_declined(rulings).await?;
        let (count, dead) = (told.deployments.len(), told.dead.len());
        tracing::info!(source, count, dead, declined = declined.len(), "decisions were taken over");
        let followed = Followed { source, choice: Default::default(), anchor: told.anchor.clone() };
        let told = taken(told);
        let told = if is_all { Taken::Everything(told) } else { Taken::News(told) };
        self.catalog.take_decisions(told, (ANCHOR, followed.to_string())).await?;
        Ok(())
    }

    /// What a replica below is told: what was taken from above, and what is declined here.
    pub(crate) async fn told_decisions(
        &self,
        since: Option<u64>,
        anchor: String,
        builtin: Vec<TargetGroup>,
    ) -> Result<Deployments, Error> {
        let Decisions { groups, deployments, dead, licenses } =
            self.catalog.decisions(since.unwrap_or(0)).await?;
        let declined = self.catalog.declined().await?;
        let group = |TakenGroup { id, parent_id, name, is_builtin }| TargetGroup {
            id,
            parent_id,
            name,
            is_builtin,
        };
        let groups: Vec<TargetGroup> = groups.into_iter().map(group).collect();
        Ok(Deployments {
            anchor,
            groups: if groups.is_empty() { builtin } else { groups },
            deployments: deployments.into_iter().map(wire).collect(),
            // Whoever asks for everything never heard of them.
            dead: if since.is_some() { dead } else { Vec::new() },
            hidden_updates: declined.into_iter().map(|id| id.0).collect(),
            accepted_licenses: licenses,
        })
    }
}

/// Deployments of revisions that cannot be are left out.
fn taken(told: Deployments) -> Decisions {
    let Deployments { groups, deployments, dead, accepted_licenses, .. } = told;
    let group = |TargetGroup { id, parent_id, name, is_builtin }| TakenGroup {
        id,
        parent_id,
        name,
        is_builtin,
    };
    let deployment = |d: ServerDeployment| {
        let revision = u32::try_from(d.revision).ok()?;
        Some(TakenDeployment {
            id: d.id,
            update: UpdateRef { id: UpdateId(d.update_id), revision },
            action: d.action,
            administrator: d.administrator,
            deadline: (d.deadline != WireTime::NEVER).then(|| Timestamp(d.deadline.as_millis())),
            is_assigned: d.is_assigned,
            go_live: Timestamp(d.go_live.as_millis()),
            group_id: d.group_id,
            download_priority: d.download_priority,
        })
    };
    Decisions {
        groups: groups.into_iter().map(group).collect(),
        deployments: deployments.into_iter().filter_map(deployment).collect(),
        dead,
        licenses: accepted_licenses,
    }
}

fn wire(taken: TakenDeployment) -> ServerDeployment {
    let TakenDeployment { id, update, action, administrator, deadline, .. } = taken;
    ServerDeployment {
        update_id: update.id.0,
        revision: i32::try_from(update.revision).unwrap_or(i32::MAX),
        action,
        administrator,
        deadline: deadline.map_or(WireTime::NEVER, |at| WireTime::from_millis(at.0)),
        is_assigned: taken.is_assigned,
        go_live: WireTime::from_millis(taken.go_live.0),
        id,
        group_id: taken.group_id,
        download_priority: taken.download_priority,
    }
}
