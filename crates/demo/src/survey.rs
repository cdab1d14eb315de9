//! What everybody says at the end: every site about itself, every update point about its catalog,
//! every client about itself. Collected once; the checks and the report are made of nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rpc::pb::admin as pb;
use software_update_point::Holding;

use crate::building::Built;
use crate::clients::{Given, has_content};
use crate::crowd::Crowd;
use crate::operator::{Desk, Look, Operator, ask, next, until};
use crate::plan::{SITES, SitePlan, TOP};
use crate::report::{self, Synchronization};
use crate::tour::Arrived;
use crate::{Error, checks};

/// What happens at a site is everywhere soon after.
const QUIET_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) sites: Vec<SiteSurvey>,
    /// None if it is not ours to look into.
    pub(crate) upstream: Option<Holding>,
    pub(crate) sups: BTreeMap<&'static str, Holding>,
    pub(crate) content: Vec<pb::ContentStatus>,
    pub(crate) clients: Vec<ClientSurvey>,
    /// Updates that are listed and count for no compliance any more.
    pub(crate) expired: u64,
    pub(crate) fleet: Option<report::Fleet>,
    pub(crate) deployments: Vec<pb::DeploymentCompliance>,
    pub(crate) real: RealUpdate,
}

#[derive(Debug, Default)]
pub(crate) struct SiteSurvey {
    pub(crate) code: &'static str,
    pub(crate) streams: Vec<pb::VerifiedStream>,
    /// Streams that a neighbor takes from here.
    pub(crate) offers: BTreeSet<(String, String)>,
    pub(crate) links: Vec<pb::ReplicationLink>,
    pub(crate) updates: u64,
    pub(crate) synchronizations: Vec<Synchronization>,
}

#[derive(Debug)]
pub(crate) struct ClientSurvey {
    pub(crate) kind: &'static str,
    /// As it sees itself, and as the top-level site sees it.
    pub(crate) own: agent::Summary,
    pub(crate) top: pb::ClientCompliance,
    pub(crate) given: Vec<Given>,
}

/// What the update left that really installs.
#[derive(Debug, Default)]
pub(crate) struct RealUpdate {
    pub(crate) has_file: bool,
    /// By the installer's own count and by the agent's.
    pub(crate) runs: usize,
    pub(crate) starts: u32,
}

/// Waits until nothing is under way any more, and looks at everything.
pub(crate) async fn survey(built: &Built, arrived: &mut Arrived) -> Result<Survey, Error> {
    let limit = arrived.crowd.as_ref().map_or(QUIET_MAX, Crowd::limit);
    // What was seen at rest is what is judged: a moment later somebody may have news again.
    let quiet = until("rest", limit, async || {
        let found = moving(built, arrived).await?;
        match checks::unrest(&found) {
            None => Ok(Look::There(found)),
            Some(trouble) => Ok(Look::NotYet(trouble)),
        }
    });
    let mut survey = match quiet.await {
        // What does not come to rest is in the checks.
        Err(Error::Late { .. }) => moving(built, arrived).await?,
        outcome => outcome?,
    };
    let mut desk = built.operator.at(TOP);
    let request = pb::GetContentStatusRequest { package: arrived.package.clone() };
    survey.content = ask("see content", desk.get_content_status(request)).await?.rows;
    for id in &arrived.deployments {
        let request = pb::GetDeploymentComplianceRequest { id: id.clone() };
        let answer = ask("see compliance", desk.get_deployment_compliance(request)).await?;
        survey.deployments.extend(answer.row);
    }
    for (code, sup) in &built.sups {
        survey.sups.insert(*code, sup.holding().await.map_err(Error::start(code))?);
    }
    if let Some(upstream) = &built.upstream {
        survey.upstream = Some(upstream.holding().await.map_err(Error::start("upstream"))?);
    }
    let properties = built.sample.documents.iter().map(|document| &document.properties);
    let expired = properties.filter(|own| own.is_expired && own.is_explicitly_deployable);
    survey.expired = expired.count() as u64;
    let (path, digest) = &built.sample.installed;
    survey.real.has_file = has_content(path, *digest);
    survey.real.runs =
        std::fs::read_to_string(&built.sample.log).unwrap_or_default().lines().count();
    Ok(survey)
}

/// What moves until it is at rest: the streams, and what clients say and are known to have said.
async fn moving(built: &Built, arrived: &mut Arrived) -> Result<Survey, Error> {
    let operator = &built.operator;
    let mut found = Survey::default();
    if let Some(crowd) = &mut arrived.crowd {
        found.fleet = Some(crowd.survey(operator).await?);
    }
    for client in &arrived.clients {
        // The client last: whatever it said meanwhile has a serial that the site does not know.
        let request = pb::GetClientComplianceRequest { id: client.id.clone() };
        let top = ask("see compliance", operator.at(TOP).get_client_compliance(request)).await?;
        let own = client.summary().await?;
        found.real.starts +=
            own.runs.get(&built.sample.real).filter(|_| client.is_real()).unwrap_or(&0);
        let (top, given) = (top.row.unwrap_or_default(), client.machine.given());
        found.clients.push(ClientSurvey { kind: client.kind.as_str(), own, top, given });
    }
    found.sites = sites(operator).await?;
    Ok(found)
}

async fn sites(operator: &Operator) -> Result<Vec<SiteSurvey>, Error> {
    let mut found = Vec::new();
    for plan in &SITES {
        found.push(site(&mut operator.at(plan.code), plan).await?);
    }
    Ok(found)
}

async fn site(desk: &mut Desk, plan: &SitePlan) -> Result<SiteSurvey, Error> {
    let request = pb::GetReplicationStatusRequest {};
    let links = ask("see links", desk.get_replication_status(request)).await?.rows;
    let mut offers = BTreeSet::new();
    for link in &links {
        let request = pb::GetReplicationLinkRequest { neighbor: link.neighbor.clone() };
        let rows = ask("see a link", desk.get_replication_link(request)).await?.rows;
        let out = rows.into_iter().filter(|row| row.direction == "out");
        offers.extend(out.map(|row| (row.stream, link.neighbor.clone())));
    }
    let request = pb::VerifyReplicationRequest {};
    let streams = ask("verify", desk.verify_replication(request)).await?.rows;
    let request = pb::ListUpdatesRequest::default();
    let mut rows = ask("list updates", desk.list_updates(request)).await?;
    let mut updates = 0;
    while let Some(page) = next("list updates", &mut rows).await? {
        updates += page.rows.len() as u64;
    }
    let synchronizations = synchronizations(desk, plan).await?;
    Ok(SiteSurvey { code: plan.code, streams, offers, links, updates, synchronizations })
}

/// The site's own runs with the status messages of each, progress told once.
async fn synchronizations(desk: &mut Desk, plan: &SitePlan) -> Result<Vec<Synchronization>, Error> {
    let request = pb::ListStatusMessagesRequest {
        component: "SMS_WSUS_SYNC_MANAGER".to_owned(),
        site: plan.code.to_owned(),
        ..pb::ListStatusMessagesRequest::default()
    };
    let messages = ask("list messages", desk.list_status_messages(request)).await?.rows;
    let runs = ask("list runs", desk.list_sync_runs(pb::ListSyncRunsRequest::default())).await?;
    let mut runs = runs.rows.into_iter().rev();
    let mut found: Vec<Synchronization> = Vec::new();
    for message in messages {
        if message.id == 6701 || found.is_empty() {
            found.push(Synchronization {
                site: plan.code.to_owned(),
                sup: message.machine,
                status_ids: Vec::new(),
                updates_new: runs.next().map_or(0, |run| run.updates_changed),
            });
        }
        let ids = &mut found.last_mut().expect("one was pushed if there was none").status_ids;
        ids.push(message.id);
        ids.dedup();
    }
    Ok(found)
}

impl SiteSurvey {
    pub(crate) fn groups(&self) -> Vec<report::Group> {
        let mut groups: BTreeMap<&str, Vec<report::Stream>> = BTreeMap::new();
        for row in &self.streams {
            let (group, owner) = row.stream.split_once('/').unwrap_or((&row.stream, ""));
            let pb::VerifiedStream { epoch, seq, digest, .. } = row.clone();
            let stream = report::Stream { owner: owner.to_owned(), epoch, seq, digest };
            groups.entry(group).or_default().push(stream);
        }
        let named = |(name, streams): (&str, Vec<report::Stream>)| {
            let mut hasher = blake3::Hasher::new();
            for report::Stream { owner, epoch, seq, digest } in &streams {
                hasher.update(format!("{owner} {epoch} {seq} {digest}\n").as_bytes());
            }
            let digest = hasher.finalize().to_string();
            report::Group { name: name.to_owned(), digest, streams }
        };
        groups.into_iter().map(named).collect()
    }
}
