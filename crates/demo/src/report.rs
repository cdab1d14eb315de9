//! The result as scripts read it: names and order are a promise (`tierline demo -o json`).

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::checks::check_all;
use crate::plan::{PRIMARY, SITES};
use crate::survey::Survey;

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub ok: bool,
    pub elapsed_ms: u64,
    pub sites: Vec<Site>,
    pub synchronizations: Vec<Synchronization>,
    pub content: Vec<Content>,
    pub clients: Vec<Client>,
    /// Clients in virtual time, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Fleet>,
    pub deployments: Vec<Deployment>,
    pub checks: Vec<Check>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Site {
    pub code: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub parent: Option<String>,
    /// Without the hidden members of bundles.
    pub updates: u64,
    pub groups: Vec<Group>,
    /// To the parent.
    pub link: Option<Link>,
}

/// A replication group at a site; equal digests mean that every stream is equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    pub name: String,
    pub digest: String,
    pub streams: Vec<Stream>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stream {
    pub owner: String,
    pub epoch: u32,
    pub seq: u64,
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    pub state: String,
    pub lag_changes: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Synchronization {
    pub site: String,
    pub sup: String,
    pub status_ids: Vec<u32>,
    pub updates_new: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Content {
    pub package: String,
    pub version: u32,
    pub dp: String,
    pub state: String,
    pub files: u64,
    pub bytes: u64,
    pub verified: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Client {
    pub id: String,
    pub site: String,
    pub kind: String,
    pub required: u64,
    pub installed: u64,
    pub not_required: u64,
    pub unknown: u64,
}

/// What became of the clients in virtual time, as they themselves see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fleet {
    pub clients: u64,
    pub virtual_hours: i64,
    pub polls: u64,
    pub reports: u64,
    pub installations: u64,
    pub failures: u64,
    pub restarts: u64,
    pub required: u64,
    pub installed: u64,
    pub not_required: u64,
    pub unknown: u64,
    /// Clients of which the top-level site thinks otherwise, as far as it was asked.
    #[serde(skip)]
    pub differing: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deployment {
    pub id: String,
    pub targeted: u64,
    pub compliant: u64,
    pub in_progress: u64,
    pub failed: u64,
    pub unknown: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub name: String,
    pub ok: bool,
    /// What was found instead.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Where everything answers, for whoever wants to look.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Endpoints {
    pub sites: Vec<SiteEndpoint>,
    pub sups: Vec<RoleEndpoint>,
    pub mps: Vec<RoleEndpoint>,
    pub dps: Vec<RoleEndpoint>,
    /// The upstream update server, which is not part of the hierarchy.
    pub upstream: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct SiteEndpoint {
    pub code: String,
    pub url: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct RoleEndpoint {
    pub site: String,
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub http: String,
    pub https: String,
}

impl Report {
    pub(crate) fn new(survey: Survey, elapsed: Duration) -> Report {
        let checks = check_all(&survey);
        let site = |(plan, site): (&crate::plan::SitePlan, &crate::survey::SiteSurvey)| Site {
            code: plan.code.to_owned(),
            kind: plan.kind.as_str().to_owned(),
            parent: plan.parent.map(str::to_owned),
            updates: site.updates,
            groups: site.groups(),
            link: site
                .links
                .iter()
                .find(|link| link.side == "parent")
                .map(|link| Link { state: link.state.clone(), lag_changes: link.lag_changes }),
        };
        let sites = SITES.iter().zip(&survey.sites).map(site).collect();
        let content = survey.content.into_iter().map(|row| Content {
            package: row.package,
            version: row.version,
            dp: row.dp,
            state: row.state,
            files: u64::from(row.files),
            bytes: row.bytes,
            verified: row.verified,
        });
        let clients = survey.clients.into_iter().map(|client| Client {
            id: client.top.id,
            site: PRIMARY.to_owned(),
            kind: client.kind.to_owned(),
            required: client.top.required,
            installed: client.top.installed,
            not_required: client.top.not_required,
            unknown: client.top.unknown,
        });
        let deployments = survey.deployments.into_iter().map(|row| Deployment {
            id: row.id,
            targeted: row.targeted,
            compliant: row.compliant,
            in_progress: row.in_progress,
            failed: row.failed,
            unknown: row.unknown,
        });
        Report {
            ok: checks.iter().all(|check| check.ok),
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            sites,
            content: content.collect(),
            clients: clients.collect(),
            fleet: survey.fleet,
            deployments: deployments.collect(),
            synchronizations: survey.sites.into_iter().flat_map(|s| s.synchronizations).collect(),
            checks,
        }
    }
}

/// For people.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nCompliance as {} sees it", SITES[0].code)?;
        for Client { id, kind, required, installed, not_required, unknown, .. } in &self.clients {
            write!(f, "  {id} {kind:9}  {installed:3} installed  {required:3} required")?;
            writeln!(f, "  {not_required:3} not required  {unknown:3} unknown")?;
        }
        if let Some(fleet) = &self.fleet {
            let Fleet { clients, virtual_hours, installed, required, unknown, .. } = fleet;
            write!(f, "  {clients} clients in virtual time, after {virtual_hours} hours")?;
            writeln!(f, "  {installed} installed  {required} required  {unknown} unknown")?;
        }
        writeln!(f, "\nChecks")?;
        for Check { name, ok, reason } in &self.checks {
            let (mark, gap) = if *ok { ("✔", "") } else { ("✘", ": ") };
            writeln!(f, "  {mark} {name}{gap}{reason}")?;
        }
        let held = self.checks.iter().filter(|check| check.ok).count();
        let seconds = Duration::from_millis(self.elapsed_ms).as_secs_f32();
        writeln!(f, "\n{held} of {} checks hold, after {seconds:.1} s", self.checks.len())
    }
}
