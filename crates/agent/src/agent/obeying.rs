//! Registering, asking for policy, and taking it into effect.

use std::time::Duration;

use model::{RoleKind, ServerRef, error_chain};
use rpc::pb::client::{GetPolicyRequest, RegisterRequest};
use tokio::time::Instant;
use update_metadata::System;

use super::Agent;
use crate::calls::ManagementPoint;
use crate::client::plan::{Doubt, doubt};
use crate::client::policy::{Accepted, Policy, Standing, accept};
use crate::client::scan::Scan;
use crate::servers::pass_over;
use crate::{Error, limits};

impl Agent {
    /// Takes up the stored policy at the start.
    pub(super) async fn recall_policy(&mut self) -> Result<(), Error> {
        if let Some(accepted) = self.store.policy().await? {
            self.obey(accepted);
            let since = self.now().0.saturating_sub(self.record.scanned_at.0);
            let since = Duration::from_millis(u64::try_from(since).unwrap_or(0));
            let interval = Duration::from_millis(self.policy.settings().scan_interval_ms);
            // A scan that failed is not what the interval is counted from.
            let rest = match self.record.scan_error {
                Some(_) => Duration::ZERO,
                None => interval.saturating_sub(since),
            };
            self.scans.until(Instant::now() + rest);
        }
        Ok(())
    }

    /// Asks the management points in order until one answers with what can be believed.
    pub(super) async fn poll_policy(&mut self) -> Result<(), Error> {
        if self.policy.version > 0 && self.policy.expires <= self.now() {
            let (version, at) = (self.policy.version, self.policy.expires);
            tracing::warn!(version, %at, "the policy in effect has expired; what it began goes on");
        }
        for server in self.servers.of(RoleKind::ManagementPoint) {
            match self.ask(&server).await {
                // Not planned for this client yet.
                Ok(None) if self.policy.version == 0 => break,
                Ok(accepted) => {
                    self.servers.served(RoleKind::ManagementPoint);
                    self.polls.succeeded();
                    let poll = Duration::from_millis(self.policy.settings().policy_poll_ms);
                    // Not all clients of a site at the same moment.
                    self.polls.due = Some(self.within(poll / 10) + poll * 9 / 10);
                    return match accepted {
                        Some(accepted) => self.adopt(accepted).await,
                        None => Ok(()),
                    };
                }
                Err(Error::Policy { url, source }) => {
                    self.refusals.note(&url, &error_chain(&source), self.now());
                }
                Err(error) => {
                    pass_over(&server.url, "no policy from a management point", error)?;
                }
            }
        }
        self.servers.unserved(RoleKind::ManagementPoint);
        self.polls.failed(&self.ambient);
        Ok(())
    }

    async fn ask(&mut self, server: &ServerRef) -> Result<Option<Accepted>, Error> {
        let servers = self.servers.clone();
        let mut point = ManagementPoint::new(&servers, server)?;
        if self.register_at <= Instant::now() {
            point.register(self.introduction()?).await?;
            self.register_at = Instant::now() + limits::REGISTER_EVERY;
        }
        let request = GetPolicyRequest {
            incarnation: self.record.incarnation,
            have_version: self.policy.version,
            have_parts: self.policy.parts.keys().map(|sha256| sha256.0.to_vec()).collect(),
        };
        let Some(offer) = point.policy(request).await? else { return Ok(None) };
        let credentials = self.servers.credentials();
        let standing = Standing {
            anchor: credentials.anchor(),
            site: credentials.identity().site,
            client: self.client,
            incarnation: self.record.incarnation,
        };
        let accepted = accept(&offer, &self.policy, &standing, self.now());
        let refused = |source| Error::Policy { url: server.url.clone(), source };
        accepted.map(Some).map_err(refused)
    }

    fn introduction(&self) -> Result<RegisterRequest, Error> {
        let facts = self.machine.facts().map_err(Error::Facts)?;
        let os = match facts.system {
            System::Linux(linux) => {
                format!("linux {} {}", linux.id, linux.version_id.unwrap_or_default())
            }
            System::Windows(found) => {
                format!("windows {}.{}.{}", found.major, found.minor, found.build)
            }
        };
        let architecture = facts.architecture.map_or_else(String::new, |a| format!("{a:?}"));
        Ok(RegisterRequest {
            kind: self.config.kind.as_str().to_owned(),
            name: self.config.name.clone(),
            os: os.trim_end().to_owned(),
            architecture: architecture.to_lowercase(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: self.record.incarnation,
        })
    }

    /// Durable first, then in effect.
    async fn adopt(&mut self, accepted: Accepted) -> Result<(), Error> {
        self.store.adopt(accepted.clone()).await?;
        let version = accepted.head.version;
        let assigned = self.policy.assignments.clone();
        self.obey(accepted);
        self.step.policy = true;
        let deployments = self.policy.assignments.len();
        tracing::info!(version, deployments, "policy was accepted");
        let news = self.policy.assignments != assigned && !self.policy.assignments.is_empty();
        // A deployment is evaluated at once (DEP-16) and fetched at once (DEP-17).
        if news {
            self.scans.until(Instant::now());
            self.fetches.until(Instant::now());
        }
        Ok(())
    }

    fn obey(&mut self, accepted: Accepted) {
        self.policy = Policy::read(accepted);
        for (sha256, invalid) in &self.policy.unread {
            tracing::warn!(%sha256, reason = %invalid, "a part of the policy was not understood");
        }
        for (code, error) in self.policy.calendar(&self.machine.zone()).1 {
            let reason = error_chain(&error);
            tracing::warn!(%code, reason, "a maintenance window was not understood");
        }
        self.servers.list(&self.policy.servers);
        // A newer catalog is no reason to hurry (STATE-01); all clients would come at once.
        if self.record.covered < self.policy.settings().catalog_version {
            self.scans.until(self.within(self.config.scan_spread));
        }
        let is_altered =
            |scan: &Scan| matches!(doubt(&self.policy.assignments, scan), Some(Doubt::Altered(_)));
        self.scan = self.scan.take().filter(|scan| !is_altered(scan));
    }
}
