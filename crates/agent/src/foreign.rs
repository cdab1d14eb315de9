//! An update service outside of the hierarchy: scanned against, reported to, nothing else.
//!
//! Owns what the native client of MS-WUSP 3.2 owns: the order of calls, what is remembered between
//! scans (configuration, cookie, the numbers that the server gave to revisions), which faults have
//! a remedy, and the events that tell the server what a scan found. What the server tells of an
//! update is put together to a document in a catalog of its own, so that the same rules judge it
//! as everywhere; nothing of it is ever installed.
//!
//! Refuses to know policy and how documents are judged: the caller does that, and says when. The
//! server is trusted with nothing. What it says is bounded in bytes, rounds, updates and time, it
//! leads nowhere but to itself, and a scan that breaks off goes on where it was. Left out: drivers
//! and printers, scans of a category alone, and files, which are never asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::ready;
use std::sync::Arc;

use ambient::Ambient;
use client::scan::Scan;
use model::UpdateId;
use tokio::time::timeout;
use transport::{BoxFuture, Connect};
use update_catalog::Catalog;
use update_metadata::{Applicability, Document, Facts};
use uuid::Uuid;
use wsus_protocol::client::{ComputerInfo, Config, DeploymentAction};
use wsus_protocol::reporting::ReportingEvent;

use crate::Error;
use memory::Memory;
use web::Web;

mod computer;
mod events;
mod limits;
mod memory;
mod rounds;
mod session;
mod web;

/// Where the server is, and what it is believed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignServer {
    url: String,
    /// Certificates in PEM.
    roots: Option<Arc<str>>,
}

impl ForeignServer {
    /// `http://host:8530`, or `https://host:8531` with the certificates in PEM, one of which is
    /// that of the authority that issued the server's.
    pub fn new(url: &str, roots: Option<Arc<str>>) -> Result<ForeignServer, Error> {
        let server = ForeignServer { url: url.trim_end_matches('/').to_owned(), roots };
        web::address(&server)?;
        Ok(server)
    }
}

/// Says what a document is by its own rules alone, without prerequisites and members.
pub trait Judge: Send {
    fn judge<'a>(&'a mut self, document: &'a Document) -> BoxFuture<'a, Applicability>;
}

/// Whoever has all facts at hand.
impl<F: FnMut(&Document) -> Applicability + Send> Judge for F {
    fn judge<'a>(&'a mut self, document: &'a Document) -> BoxFuture<'a, Applicability> {
        Box::pin(ready(self(document)))
    }
}

/// A client of one server; what it remembers beyond the catalog lives as long as this value.
pub struct Foreign {
    server: ForeignServer,
    /// Names the computer to the server, once and for all.
    client: Uuid,
    dns_name: String,
    ambient: Ambient,
    web: Web,
    computer: ComputerInfo,
    config: Option<Config>,
    /// When the cookie is one to renew rather than to call with; the server says so, too.
    renew_at_ms: Option<i64>,
    registered: Option<ComputerInfo>,
    /// Whether the server forgot the numbers that it gave to revisions.
    is_forgotten: bool,
    /// Faults that were answered with a remedy since the scan or the report began.
    remedies: usize,
    memory: Memory,
    outbox: Vec<ReportingEvent>,
}

/// What a scan is to be made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Of the catalog, which grows with each change of it.
    pub version: u64,
    /// How the server deploys what it tells of.
    pub actions: BTreeMap<UpdateId, DeploymentAction>,
    pub cost: Cost,
}

/// What following cost and brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// SOAP requests of every kind, and the bytes of their answers as text.
    pub requests: usize,
    pub received: usize,
    pub rounds: usize,
    pub new: usize,
    pub changed: usize,
    pub dropped: usize,
}

impl Foreign {
    /// `client` is how the computer is known to the server, whatever its name is. The server is
    /// first asked when there is something to ask.
    pub fn new(
        server: ForeignServer,
        client: Uuid,
        dns_name: String,
        ambient: Ambient,
        connect: Arc<dyn Connect>,
    ) -> Result<Foreign, Error> {
        let web = Web::new(&ambient, connect, &server)?;
        let (config, renew_at_ms, registered, computer) = Default::default();
        Ok(Foreign {
            server,
            client,
            dns_name,
            ambient,
            web,
            computer,
            config,
            renew_at_ms,
            registered,
            is_forgotten: false,
            remedies: 0,
            memory: Memory::default(),
            outbox: Vec::new(),
        })
    }

    /// The name of the copy of what this server tells: numbers of another one mean nothing here.
    #[must_use]
    pub fn id(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_URL, self.server.url.as_bytes())
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Brings `catalog`, which nobody else writes to, up to what the server tells a computer of
    /// these facts. What came before a failure stays, and need not come again.
    pub async fn follow(
        &mut self,
        catalog: &Catalog,
        facts: &Facts,
        judge: &mut dyn Judge,
    ) -> Result<Followed, Error> {
        self.computer = computer::describe(facts, &self.dns_name);
        self.remedies = 0;
        let limit = limits::FOLLOW_MAX;
        let silent = Error::Silent { url: self.server.url.clone(), limit };
        let followed = timeout(limit, Box::pin(self.follow_within(catalog, judge))).await;
        let followed = followed.unwrap_or(Err(silent));
        if let Err(error) = &followed {
            self.note_failure(error);
        }
        followed
    }

    /// What the last [`follow`](Foreign::follow) found, without asking anybody.
    pub async fn remembered(&self, catalog: &Catalog) -> Result<Followed, Error> {
        let version = catalog.state().await?.version.map_or(0, |(version, _)| version.version);
        let actions = Memory::kept(catalog).await?.updates();
        Ok(Followed { version, actions, cost: Cost::default() })
    }

    /// Says what a scan of the documents found, how updates changed since the server was last
    /// told, and which scans failed; how many events that were. What cannot be sent is kept.
    pub async fn report(
        &mut self,
        catalog: &Catalog,
        followed: &Followed,
        scan: &Scan,
    ) -> Result<usize, Error> {
        self.remedies = 0;
        let limit = limits::REPORT_MAX;
        let silent = Error::Silent { url: self.server.url.clone(), limit };
        let reported = Box::pin(self.report_within(catalog, followed, scan));
        timeout(limit, reported).await.unwrap_or(Err(silent))
    }
}

impl Followed {
    /// What the server wants to hear of, and an administrator would count: the rest is evaluated
    /// for the sake of others, or kept from computers.
    #[must_use]
    pub fn reported(&self) -> BTreeSet<UpdateId> {
        let reported = self.actions.iter().filter(|(_, action)| is_reported(**action));
        reported.map(|(id, _)| *id).collect()
    }

    /// Makes everything else invisible in a scan of the documents.
    pub fn restrict(&self, scan: &mut Scan) {
        for (id, judged) in &mut scan.updates {
            judged.is_visible &= self.actions.get(id).is_some_and(|action| is_reported(*action));
        }
    }
}

fn is_reported(action: DeploymentAction) -> bool {
    match action {
        DeploymentAction::Install
        | DeploymentAction::OptionalInstall
        | DeploymentAction::Uninstall
        | DeploymentAction::PreDeploymentCheck => true,
        DeploymentAction::Evaluate | DeploymentAction::Bundle | DeploymentAction::Block => false,
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("url", &self.server.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
