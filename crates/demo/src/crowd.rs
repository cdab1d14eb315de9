//! Many computers more, in virtual time: the decisions of the real agent, without its process.
//!
//! Owns who they are: the primary site's authority issues their certificates, and they speak with
//! its points as agents do. Refuses to lead: they live on while something is waited for.

use std::sync::Arc;
use std::time::Duration;

use daemon::Pki;
use fleet::{Account, Config, Fleet, Kind, Link, Manner, Model, Pace, Standing, Wire};
use model::{RoleKind, ServerRef, SiteCode, Timestamp};
use rpc::pb::admin as pb;
use testkit::facts::Computer;

use crate::Error;
use crate::host::Host;
use crate::operator::{Look, Operator, ask, until};
use crate::plan::{PRIMARY, TOP};
use crate::progress::Progress;
use crate::report;
use crate::tour::STEP_MAX;

/// Kinds of computers among them.
const MODELS: u32 = 12;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// They start within this time, and make their first scan within this time (SCAN-02).
const ARRIVE_MS: i64 = HOUR_MS;
const SCAN_SPREAD_MS: i64 = 2 * HOUR_MS;

/// How long they live at a time, and what is done together of it.
const SPAN_MS: i64 = HOUR_MS / 4;
const TOGETHER_MS: i64 = HOUR_MS / 60;

/// What one client may take beside the time of a step.
const CLIENT_MAX: Duration = Duration::from_millis(10);

/// Clients of which the top-level site is asked one by one.
const COMPARED_MAX: usize = 500;

#[derive(Debug)]
pub(crate) struct Crowd {
    fleet: Fleet,
    begun: Timestamp,
    clients: u32,
}

impl Crowd {
    /// Makes the computers; they start when they first live on.
    pub(crate) fn new(host: &Host, clients: u32) -> Result<Crowd, Error> {
        let what = "the fleet";
        let pki = Pki::open(&host.place(PRIMARY)?).map_err(Error::start(what))?;
        let site = SiteCode::new(PRIMARY).map_err(Error::start(what))?;
        let authority = pki.intermediate(site).map_err(Error::start(what))?;
        let anchor = pki.anchor().map_err(Error::start(what))?;
        let point = host.endpoints.mps.iter().find(|mp| mp.site == PRIMARY);
        let point = point.ok_or(Error::Answer { what: "management point" })?;
        let wire = Wire::new(Account {
            ambient: host.ambient.clone(),
            connect: Arc::new(transport::TcpConnect),
            anchor: anchor.ok_or(Error::Answer { what: "root certificate" })?,
            authority: Arc::new(authority.ok_or(Error::Answer { what: "authority" })?),
            management_point: ServerRef {
                kind: RoleKind::ManagementPoint,
                site,
                url: point.https.clone(),
                http_url: String::new(),
                after_minutes: 0,
            },
        });
        let begun = Timestamp(host.ambient.now_ms());
        let config = Config {
            name: "fleet".to_owned(),
            site,
            seed: host.ambient.random_u64(),
            clients,
            models: (0..MODELS).map(model).collect(),
            manner: Manner::default(),
            begins: begun,
            arrive_ms: ARRIVE_MS,
            scan_spread_ms: SCAN_SPREAD_MS,
        };
        let link = Link::Wire(Arc::new(wire.map_err(Error::start(what))?));
        Ok(Crowd { fleet: Fleet::new(config, link, None), begun, clients })
    }

    pub(crate) fn size(&self) -> u64 {
        self.clients.into()
    }

    /// How long something that all of them do may take.
    pub(crate) fn limit(&self) -> Duration {
        STEP_MAX + CLIENT_MAX * self.clients
    }

    /// A quarter of a virtual hour passes.
    pub(crate) async fn live(&mut self) {
        let until = self.fleet.now().plus_ms(SPAN_MS);
        self.fleet.run_until(until, Pace::Free { together_ms: TOGETHER_MS }).await;
    }

    /// Until all of them have been scanned and have said so.
    pub(crate) async fn arrive(&mut self, progress: &Progress) -> Result<(), Error> {
        let step = progress.step("Clients in virtual time, and their first scan");
        until("the scans of the fleet", self.limit(), async || {
            self.live().await;
            let Standing { scanned, unsent, .. } = self.fleet.standing();
            let hours = self.hours();
            step.tell(format!("{scanned} of {} are scanned after {hours} hours", self.clients));
            match scanned == self.size() && unsent == 0 {
                true => Ok(Look::There(())),
                false => Ok(Look::NotYet(self.tell())),
            }
        })
        .await?;
        let hours = self.hours();
        step.done(format!("{} clients have been scanned in {hours} virtual hours", self.clients));
        Ok(())
    }

    /// In words, for whoever waits.
    pub(crate) fn tell(&mut self) -> String {
        let Standing { scanned, open, unsent, .. } = self.fleet.standing();
        let (hours, tally) = (self.hours(), self.fleet.tally());
        let trouble = tally.last_trouble.clone().unwrap_or_default();
        format!("{scanned} scanned, {open} open, {unsent} unsaid, {hours} hours; {trouble}")
    }

    fn hours(&self) -> i64 {
        (self.fleet.now().0 - self.begun.0) / HOUR_MS
    }

    /// Its own sums, and those of the top-level site.
    pub(crate) async fn survey(&mut self, operator: &Operator) -> Result<report::Fleet, Error> {
        // What is on its way arrives meanwhile.
        self.live().await;
        let mut desk = operator.at(TOP);
        let mut differing = Vec::new();
        for (client, own) in self.fleet.standings().take(COMPARED_MAX) {
            let request = pb::GetClientComplianceRequest { id: client.to_string() };
            let answer = ask("see compliance", desk.get_client_compliance(request)).await?;
            let top = answer.row.unwrap_or_default();
            let said = [own.required, own.installed, own.not_required, own.unknown];
            let known = [top.required, top.installed, top.not_required, top.unknown];
            if said != known {
                differing.push(format!("{client}: {known:?}, not {said:?}"));
            }
        }
        let Standing { required, installed, not_required, unknown, .. } = self.fleet.standing();
        let virtual_hours = self.hours();
        let tally = self.fleet.tally();
        Ok(report::Fleet {
            clients: self.clients.into(),
            virtual_hours,
            polls: tally.answered(Kind::Poll),
            reports: tally.answered(Kind::Report),
            installations: tally.installations,
            failures: tally.failures,
            restarts: tally.restarts,
            required,
            installed,
            not_required,
            unknown,
            differing,
        })
    }
}

fn model(number: u32) -> Model {
    Model::new(Computer::new(number).facts().clone())
}
