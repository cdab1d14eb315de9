//! The tour: an update goes through the hierarchy, step by step.

use std::time::Duration;

use model::{Intent, UpdateId};
use rpc::pb::admin as pb;

use crate::Error;
use crate::building::{Built, build};
use crate::clients::Client;
use crate::crowd::Crowd;
use crate::deciding::by_rule;
use crate::host::Host;
use crate::operator::{Account, Desk, Look, Operator, ask, next, until};
use crate::plan::{Options, PRIMARY, SITES, TOP, near};
use crate::progress::{Progress, Step};
use crate::report::Report;
use crate::survey::survey;

/// A step of a small hierarchy takes a second; a busy machine may be slower by far.
pub(crate) const STEP_MAX: Duration = Duration::from_secs(120);

/// Large catalogs take minutes in a debug build.
const SYNC_MAX: Duration = Duration::from_secs(900);

/// What the way of the update left.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) clients: Vec<Client>,
    /// None: nobody has asked for one.
    pub(crate) crowd: Option<Crowd>,
    pub(crate) package: String,
    /// By hand, then by rule.
    pub(crate) deployments: Vec<String>,
}

/// The whole tour, from nothing to the checks.
pub(crate) async fn take(host: &mut Host, options: &Options) -> Result<(Report, Account), Error> {
    let progress = Progress::new();
    let built = build(host, options, &progress).await?;
    let mut arrived = travel(host, &built, options, &progress).await?;
    let step = progress.step("Checks");
    let report = Report::new(survey(&built, &mut arrived).await?, progress.elapsed());
    step.done(if report.ok { "all of them hold" } else { "not all of them hold" });
    Ok((report, built.operator.account))
}

/// The update travels. Every step is what an administrator would call.
async fn travel(
    host: &mut Host,
    built: &Built,
    options: &Options,
    progress: &Progress,
) -> Result<Arrived, Error> {
    let desk = built.operator.at(TOP);
    // What is deployed is of the sample, which therefore comes last and stays the source.
    for source in options.upstream.iter().chain([&host.endpoints.upstream]) {
        synchronize(&desk, source, progress).await?;
    }
    follow(&built.operator, progress).await?;
    let clients = scan(host, built, options.clients, progress).await?;
    let mut crowd = (options.fleet > 0).then(|| Crowd::new(host, options.fleet)).transpose()?;
    if let Some(crowd) = &mut crowd {
        crowd.arrive(progress).await?;
    }

    let step = progress.step("Package");
    let updates = required(&desk, &built.sample.deployable).await?;
    step.tell(format!("{} updates that computers require are chosen", updates.len()));
    let request = pb::CreateGroupRequest {
        name: "Sample updates".to_owned(),
        updates: updates.clone(),
        ..pb::CreateGroupRequest::default()
    };
    let group = ask("make a group", desk.clone().create_group(request)).await?.code;
    let package = provide(&desk, &group, &step).await?;
    step.done(format!("{package} with the files of {group} is on every distribution point"));

    let step = progress.step("Deployment");
    let request = pb::CreateDeploymentRequest {
        name: "Sample updates to everybody".to_owned(),
        group,
        intent: Intent::Required.as_str().to_owned(),
        ..pb::CreateDeploymentRequest::default()
    };
    let deployment = ask("deploy", desk.clone().create_deployment(request)).await?.id;
    let targeted = clients.len() as u64 + crowd.as_ref().map_or(0, Crowd::size);
    let row = all_comply(&desk, &deployment, (targeted, crowd.as_mut()), &step).await?;
    step.done(format!("{} of {targeted} clients are compliant, as CAS sees it", row.compliant));
    let chosen = (updates.as_slice(), package.as_str());
    let by_rule = by_rule(&desk, chosen, targeted, progress).await?;
    Ok(Arrived { clients, crowd, package, deployments: vec![deployment, by_rule] })
}

/// Those of some updates that a computer requires, as a search for them says (DEP-10).
async fn required(desk: &Desk, of: &[UpdateId]) -> Result<Vec<String>, Error> {
    let request = pb::ListUpdatesRequest {
        r#where: "required > 0 and not superseded and not expired".to_owned(),
        ..pb::ListUpdatesRequest::default()
    };
    let mut rows = ask("search updates", desk.clone().list_updates(request)).await?;
    let mut found = Vec::new();
    while let Some(page) = next("search updates", &mut rows).await? {
        found.extend(page.rows.into_iter().map(|row| row.id));
    }
    found.retain(|id| of.iter().any(|wanted| wanted.to_string() == *id));
    Ok(found)
}

/// Waits until the top says that every client complies with a deployment; those in virtual time
/// live on meanwhile.
pub(crate) async fn all_comply(
    desk: &Desk,
    deployment: &str,
    (targeted, mut crowd): (u64, Option<&mut Crowd>),
    step: &Step,
) -> Result<pb::DeploymentCompliance, Error> {
    let limit = crowd.as_deref().map_or(STEP_MAX, Crowd::limit);
    until("compliance of every client", limit, async || {
        if let Some(crowd) = &mut crowd {
            crowd.live().await;
        }
        let request = pb::GetDeploymentComplianceRequest { id: deployment.to_owned() };
        let answer = ask("see compliance", desk.clone().get_deployment_compliance(request)).await?;
        let row = answer.row.unwrap_or_default();
        let pb::DeploymentCompliance { compliant, in_progress, failed, .. } = row;
        step.tell(format!("{compliant} of {targeted} compliant, {in_progress} in progress"));
        if compliant == targeted && row.targeted == targeted {
            return Ok(Look::There(row));
        }
        let crowd = crowd.as_deref_mut().map_or_else(String::new, Crowd::tell);
        let seen = format!("{compliant} of {targeted} are compliant, {failed} failed; {crowd}");
        Ok(Look::NotYet(format!("{seen}; the plan: {}", answer.outcome)))
    })
    .await
}

async fn synchronize(desk: &Desk, source: &str, progress: &Progress) -> Result<(), Error> {
    let step = progress.step("Synchronization at CAS");
    let request = pb::SetSyncSourceRequest { url: source.to_owned(), ..Default::default() };
    ask("set the source", desk.clone().set_sync_source(request)).await?;
    let request = pb::StartSyncRequest { full: false };
    let after = ask("synchronize", desk.clone().start_sync(request)).await?.after;
    let run = until("the synchronization", SYNC_MAX, async || {
        let request = pb::GetSyncStatusRequest {};
        let answer = ask("see synchronization", desk.clone().get_sync_status(request)).await?;
        let state = last_state(&answer, TOP);
        let run = answer.row.filter(|run| run.number > after).unwrap_or_default();
        step.tell(format!("{state} {} {} of {}", run.phase, run.done, run.total));
        match run.step.as_str() {
            "succeeded" => Ok(Look::There(run)),
            "failed" | "cancelled" => {
                Err(Error::Synchronization { site: TOP.to_owned(), cause: run.cause })
            }
            _ => Ok(Look::NotYet(format!("it stands at \"{}\" {}", run.step, run.cause))),
        }
    })
    .await?;
    step.done(format!("{} updates, catalog version {}", run.updates_changed, run.catalog_version));
    Ok(())
}

/// The last status message of the site's update point: 6701 and so on.
fn last_state(status: &pb::GetSyncStatusResponse, site: &str) -> u32 {
    let point = status.update_points.iter().find(|point| point.site == site);
    point.map_or(0, |point| point.last_state)
}

/// Items replicate and child sites synchronize by themselves.
async fn follow(operator: &Operator, progress: &Progress) -> Result<(), Error> {
    let request = pb::GetSyncStatusRequest {};
    let top = ask("see synchronization", operator.at(TOP).get_sync_status(request)).await?;
    for plan in SITES.iter().filter(|plan| plan.parent.is_some()) {
        let step = progress.step(format!("Replication to {}, and its synchronization", plan.code));
        until("the child synchronization", SYNC_MAX, async || {
            let request = pb::GetSyncStatusRequest {};
            let mut desk = operator.at(plan.code);
            let answer = ask("see synchronization", desk.get_sync_status(request)).await?;
            let state = last_state(&answer, plan.code);
            let run = answer.row.unwrap_or_default();
            step.tell(format!("{state} {} {} of {}", run.phase, run.done, run.total));
            let is_there = answer.complete_version >= top.complete_version;
            match is_there && run.step == "succeeded" {
                true => Ok(Look::There(())),
                false => Ok(Look::NotYet(format!("{}: {} {}", plan.code, run.step, run.cause))),
            }
        })
        .await?;
        step.done(format!("catalog version {}", top.complete_version));
    }
    Ok(())
}

async fn scan(
    host: &mut Host,
    built: &Built,
    simulated: u32,
    progress: &Progress,
) -> Result<Vec<Client>, Error> {
    let step = progress.step("Clients and their first scan");
    let desk = built.operator.at(PRIMARY);
    let mut clients = Vec::new();
    for number in 0..=simulated {
        step.tell(format!("client {number} of {simulated} joins"));
        let near = near(number);
        let found = host.endpoints.mps.iter().find(|mp| mp.site == near);
        let point = found.ok_or(Error::Answer { what: "management point" })?.clone();
        let url = point.https.clone();
        let request =
            pb::CreateClientTokenRequest { site: PRIMARY.to_owned(), valid_seconds: 0, url };
        let answer = ask("let a client join", desk.clone().create_client_token(request)).await?;
        // The last one is real.
        let number = (number < simulated).then_some(number);
        clients.push(Client::start(host, &answer.token, &point, number).await?);
    }
    registered(&desk, clients.len()).await?;
    let request = pb::ScanClientsRequest::default();
    ask("let clients scan", desk.clone().scan_clients(request)).await?;
    let version = ask("see", desk.clone().get_sync_status(pb::GetSyncStatusRequest {})).await?;
    for client in &clients {
        scanned(&built.operator, client, version.complete_version).await?;
        step.tell(format!("{} has scanned", client.id));
    }
    step.done(format!("{} clients, one of them real, have been scanned", clients.len()));
    Ok(clients)
}

async fn registered(desk: &Desk, clients: usize) -> Result<(), Error> {
    until("every client's registration", STEP_MAX, async || {
        let mut known = 0;
        let mut rows =
            ask("list clients", desk.clone().list_clients(pb::ListClientsRequest::default()))
                .await?;
        while let Some(page) = next("list clients", &mut rows).await? {
            known += page.rows.len();
        }
        match known == clients {
            true => Ok(Look::There(())),
            false => Ok(Look::NotYet(format!("{known} of {clients} are known"))),
        }
    })
    .await
}

/// Waits until the top-level site knows what a client found.
async fn scanned(operator: &Operator, client: &Client, version: u64) -> Result<(), Error> {
    until("a client's scan", STEP_MAX, async || {
        let request = pb::GetClientComplianceRequest { id: client.id.clone() };
        // It may not have heard of the client.
        let answer = operator.at(TOP).get_client_compliance(request).await;
        let row = answer.map(|answer| answer.into_inner().row.unwrap_or_default());
        match row {
            Ok(row) if row.covered >= version => Ok(Look::There(())),
            Ok(row) => {
                Ok(Look::NotYet(format!("{} covers {}: {}", row.name, row.covered, row.reason)))
            }
            Err(status) => Ok(Look::NotYet(transport::explain(&status))),
        }
    })
    .await
}

/// A package with the files of a group, at every distribution point.
async fn provide(desk: &Desk, group: &str, step: &Step) -> Result<String, Error> {
    let request = pb::CreatePackageRequest {
        name: "Sample files".to_owned(),
        ..pb::CreatePackageRequest::default()
    };
    let made = ask("make a package", desk.clone().create_package(request)).await?;
    let code = made.row.unwrap_or_default().code;
    let group = group.to_owned();
    let request = pb::DownloadPackageRequest { code: code.clone(), group, updates: Vec::new() };
    let wanted = ask("download", desk.clone().download_package(request)).await?.wanted;
    until("the download", STEP_MAX, async || {
        let request = pb::GetPackageRequest { code: code.clone() };
        let answer = ask("see the package", desk.clone().get_package(request)).await?;
        let row = answer.row.unwrap_or_default();
        step.tell(format!("{} of {wanted} files are downloaded", wanted - row.missing.min(wanted)));
        let reasons = answer.missing_files.into_iter().map(|file| file.reason);
        match row.missing == 0 && row.version > 1 {
            true => Ok(Look::There(())),
            false => Ok(Look::NotYet(reasons.collect::<Vec<_>>().join("; "))),
        }
    })
    .await?;
    let request = pb::DistributePackageRequest { code: code.clone(), points: Vec::new() };
    ask("distribute", desk.clone().distribute_package(request)).await?;
    until("the package at every distribution point", STEP_MAX, async || {
        let request = pb::GetContentStatusRequest { package: code.clone() };
        let rows = ask("see content", desk.clone().get_content_status(request)).await?.rows;
        let point = |row: &pb::ContentStatus| format!("{} {} {}", row.dp, row.state, row.reason);
        let seen = rows.iter().map(point).collect::<Vec<_>>().join(", ");
        step.tell(seen.clone());
        match !rows.is_empty() && rows.iter().all(|row| row.verified) {
            true => Ok(Look::There(())),
            false => Ok(Look::NotYet(seen)),
        }
    })
    .await?;
    Ok(code)
}
