//! A Windows computer that exists only as facts: the client of MS-WUSP 3.2, against any server.
//!
//! Owns what the native client owns: the order of calls, what is cached between them, which faults
//! have a remedy (2.2.2.4), the lists a scan sends (3.1.5.7), how the rules of Core fragments turn
//! facts into states, downloads in checked ranges, and the events that follow from all that
//! (2.2.2.3.1). An installation is the least change of facts that lets the update be detected, and
//! what becomes of it is the caller's choice ([`Fate`]). Knows of updates only what the server
//! told it.
//!
//! Left out: drivers and printers, self-update, license texts, peers, and every delay: the native
//! client waits minutes before it reports and hours before it scans again; here the caller says
//! when. Everything is asked for over HTTP/1.1 without TLS, compressed as the native client asks
//! for it. Fails with an [`Error`] where that client would give up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ambient::Ambient;
use model::UpdateId;
use update_metadata::{Applicability, Document};
use uuid::Uuid;
use wsus_protocol::client::{Config, Deployment, DeploymentAction};
use wsus_protocol::reporting::ReportingEvent;
use wsus_protocol::{Cookie, UpdateIdentity, WireTime};

use crate::facts::Computer;

mod details;
mod error;
mod events;
mod fragments;
mod install;
mod scan;
mod session;
mod web;

pub use error::Error;
pub use fragments::Documents;
pub use install::Fate;
pub use scan::Scan;

use web::Web;

/// A computer before its first call.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The server, such as `http://sup.example.com:8530`.
    pub url: String,
    /// The GUID it drew at its installation, which is its name to the server.
    pub client: Uuid,
    pub dns_name: String,
    pub computer: Computer,
    pub ambient: Ambient,
    /// Computers that share these read each text once among them.
    pub documents: Documents,
}

/// The agent of one computer; what it caches lives as long as this value.
#[derive(Debug)]
pub struct Agent {
    setup: Setup,
    web: Web,
    /// SOAP requests so far, and the bytes of their answers as text.
    requests: usize,
    received: usize,
    config: Option<Config>,
    cookie: Option<Cookie>,
    /// Whether the cookie is one to call with, rather than one to renew.
    is_authorized: bool,
    /// Whether the server forgot the numbers that it gave to revisions.
    is_forgotten: bool,
    registered: Option<wsus_protocol::client::ComputerInfo>,
    known: BTreeMap<i32, Known>,
    progress: Progress,
    events: Vec<ReportingEvent>,
    /// Where files came from.
    fetched: Vec<String>,
}

/// A revision the server told of.
#[derive(Clone, Debug)]
pub struct Known {
    pub update: UpdateIdentity,
    /// No other update has it as a prerequisite.
    pub is_leaf: bool,
    pub deployment: Deployment,
    /// What its Core fragment says.
    pub document: Arc<Document>,
    /// By its own rules.
    own_state: Applicability,
}

/// What became of updates since the computer was made.
#[derive(Debug, Default)]
struct Progress {
    downloaded: BTreeSet<UpdateId>,
    /// How often each failed since it last succeeded.
    failed: BTreeMap<UpdateId, u32>,
    /// Installed, and what a restart will change.
    pending: BTreeMap<UpdateId, Vec<Arc<Document>>>,
}

/// Something to install or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub update: UpdateIdentity,
    pub action: DeploymentAction,
    /// The computer does it by itself.
    pub is_assigned: bool,
    pub deadline: Option<WireTime>,
}

impl Agent {
    #[must_use]
    pub fn new(setup: Setup) -> Agent {
        let web = Web::new(&setup.url);
        Agent {
            setup,
            web,
            requests: 0,
            received: 0,
            config: None,
            cookie: None,
            is_authorized: false,
            is_forgotten: false,
            registered: None,
            known: BTreeMap::new(),
            progress: Progress::default(),
            events: Vec::new(),
            fetched: Vec::new(),
        }
    }

    /// By the number that this server gave to the revision.
    #[must_use]
    pub fn known(&self) -> &BTreeMap<i32, Known> {
        &self.known
    }

    #[must_use]
    pub fn cookie(&self) -> Option<&Cookie> {
        self.cookie.as_ref()
    }

    /// As if the server had given this cookie last.
    pub fn replace_cookie(&mut self, cookie: Cookie) {
        self.cookie = Some(cookie);
    }

    /// The addresses of the files that were downloaded, in their order.
    #[must_use]
    pub fn fetched(&self) -> &[String] {
        &self.fetched
    }

    #[must_use]
    pub fn computer(&self) -> &Computer {
        &self.setup.computer
    }

    /// The ids of what the server deploys so.
    #[must_use]
    pub fn ids(&self, action: DeploymentAction) -> Vec<i32> {
        let with = self.known.iter().filter(|(_, known)| known.deployment.action == action);
        with.map(|(id, _)| *id).collect()
    }

    /// What the last scan found to be installed or removed, the first deadline first.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        let states = self.states();
        let mut offers: Vec<Offer> = self.known.values().filter_map(|k| k.offer(&states)).collect();
        offers.retain(|offer| !self.progress.pending.contains_key(&id_of(&offer.update)));
        offers.sort_by_key(|offer| (offer.deadline.is_none(), offer.deadline, offer.update));
        offers
    }
}

impl Known {
    fn offer(&self, states: &BTreeMap<UpdateId, Applicability>) -> Option<Offer> {
        let wanted = match self.deployment.action {
            DeploymentAction::Install | DeploymentAction::OptionalInstall => {
                Applicability::Applicable
            }
            DeploymentAction::Uninstall => Applicability::Installed,
            DeploymentAction::PreDeploymentCheck
            | DeploymentAction::Block
            | DeploymentAction::Evaluate
            | DeploymentAction::Bundle => return None,
        };
        let Deployment { action, is_assigned, deadline, .. } = self.deployment;
        let is_due = states.get(&id_of(&self.update)) == Some(&wanted);
        is_due.then_some(Offer { update: self.update, action, is_assigned, deadline })
    }
}

fn id_of(update: &UpdateIdentity) -> UpdateId {
    UpdateId(update.update_id)
}

#[cfg(test)]
mod tests;
