//! What a server outside of the hierarchy is told: what a scan found, how updates came to be
//! installed or removed, and that a scan failed (MS-WUSP 2.2.2.3.1).
//!
//! Owns the numbers of events and the tags of their data. An event keeps its name until the server
//! has taken it, however often it is sent.

use model::{UpdateId, UpdateRef};
use update_catalog::Catalog;
use update_metadata::Applicability;
use uuid::Uuid;
use wsus_protocol::client::ComputerInfo;
use wsus_protocol::reporting::{
    BasicData, ExtendedData, PrivateData, ReportEventBatch, ReportEventBatchResponse,
    ReportingEvent, TargetId,
};
use wsus_protocol::{Message as _, UpdateIdentity};

use client::scan::Scan;

use super::memory::Told;
use super::{Followed, Foreign, computer, limits};
use crate::Error;

const DETECTION_FINISHED: i32 = 147;
const DETECTION_FAILED: i32 = 148;
const STATUS: i32 = 156;
const INSTALL_SUCCEEDED: i32 = 183;
const UNINSTALL_SUCCEEDED: i32 = 222;

/// The agent itself, of those that can be the source of an event.
const SOURCE_AGENT: i32 = 101;
/// The name space of all events of the update client.
const NAMESPACE: i32 = 1;
const EN_US: i32 = 1033;

/// What the native client says of a scan that does not end, of a server that cannot be reached,
/// and of anything else that a call can fail with.
const TOO_MANY_ROUNDS: u32 = 0x8024_4010;
const UNREACHED: u32 = 0x8024_402C;
const CALL_FAILED: u32 = 0x8024_0439;

/// An event before everything that all events say is added.
struct News {
    event: i32,
    update: Option<UpdateRef>,
    hresult: i32,
    strings: Vec<String>,
    misc: Vec<String>,
}

impl News {
    fn of(event: i32) -> News {
        News { event, update: None, hresult: 0, strings: Vec::new(), misc: Vec::new() }
    }
}

impl Foreign {
    pub(super) async fn report_within(
        &mut self,
        catalog: &Catalog,
        followed: &Followed,
        scan: &Scan,
    ) -> Result<usize, Error> {
        let reported = followed.reported();
        let (mut needed, mut installed, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for known in self.memory.known.values_mut() {
            let Some(update) = known.update.filter(|update| reported.contains(&update.id)) else {
                continue;
            };
            let verdict = scan.updates.get(&update.id).map(|judged| &judged.verdict);
            let (told, title) = match verdict {
                Some(Applicability::Applicable) => (Told::Required, &mut needed),
                Some(Applicability::Installed) => (Told::Installed, &mut installed),
                // In doubt nothing has changed.
                Some(Applicability::Unknown(_)) => continue,
                Some(Applicability::NotApplicable) | None => {
                    known.told = Told::Nothing;
                    continue;
                }
            };
            title.push(update.id);
            match (known.told, told) {
                (Told::Required, Told::Installed) => changes.push((INSTALL_SUCCEEDED, update)),
                (Told::Installed, Told::Required) => changes.push((UNINSTALL_SUCCEEDED, update)),
                _ => {}
            }
            known.told = told;
        }
        for (event, update) in changes {
            self.note(News { update: Some(update), ..News::of(event) });
        }
        let count = needed.len();
        let (strings, misc) = (vec![count.to_string()], vec![format!("D={count}")]);
        self.note(News { strings, misc, ..News::of(DETECTION_FINISHED) });
        // The other lists are those of an agent that installs.
        let misc = vec![format!("U={}", list(&needed)), format!("V={}", list(&installed))];
        let misc = misc.into_iter().chain(["W=", "g=", "h="].map(str::to_owned)).collect();
        self.note(News { misc, ..News::of(STATUS) });
        let sent = self.send().await?;
        self.memory.keep(catalog).await?;
        Ok(sent)
    }

    async fn send(&mut self) -> Result<usize, Error> {
        let mut sent = 0;
        while !self.outbox.is_empty() {
            let batch = limits::EVENTS_PER_REPORT.min(self.outbox.len());
            let request = |foreign: &Foreign| ReportEventBatch {
                cookie: foreign.memory.cookie.clone(),
                client_time: foreign.now(),
                events: foreign.outbox[..batch].to_vec(),
            };
            let answer: ReportEventBatchResponse = self.ask(request).await?;
            if !answer.is_accepted {
                let answer = "that it does not take the events".to_owned();
                return Err(self.web.refused(ReportEventBatch::OPERATION, answer));
            }
            self.outbox.drain(..batch);
            sent += batch;
        }
        Ok(sent)
    }

    /// The server is told when it can be.
    pub(super) fn note_failure(&mut self, error: &Error) {
        let hresult = match error {
            Error::ForeignScan { .. } => TOO_MANY_ROUNDS,
            Error::ForeignReach { .. } | Error::Silent { .. } => UNREACHED,
            _ => CALL_FAILED,
        };
        let strings = vec![format!("0x{hresult:08x}")];
        let hresult = hresult.cast_signed();
        self.note(News { hresult, strings, ..News::of(DETECTION_FAILED) });
    }

    fn note(&mut self, news: News) {
        let News { event, update, hresult, strings, misc } = news;
        // The oldest says least of how things are now.
        if self.outbox.len() >= limits::EVENTS_MAX {
            self.outbox.remove(0);
        }
        let update = update.map_or(UpdateIdentity { update_id: Uuid::nil(), revision: 0 }, |u| {
            UpdateIdentity { update_id: u.id.0, revision: u.revision }
        });
        let basic = BasicData {
            target: Some(TargetId { sid: self.client.to_string() }),
            sequence_number: 0,
            time: self.now(),
            instance: self.ambient.random_id(),
            namespace: NAMESPACE,
            event,
            source: SOURCE_AGENT,
            update: Some(update),
            hresult,
            app_name: None,
        };
        let extended = Some(surroundings(&self.computer, strings, misc));
        let private = Some(PrivateData::default());
        self.outbox.push(ReportingEvent { basic, extended, private });
    }
}

/// What every event says of the computer.
fn surroundings(info: &ComputerInfo, strings: Vec<String>, misc: Vec<String>) -> ExtendedData {
    ExtendedData {
        replacement_strings: strings,
        misc,
        computer_brand: Some(info.manufacturer.clone()),
        computer_model: Some(info.model.clone()),
        bios_revision: Some(info.bios_version.clone()),
        processor_architecture: computer::event_architecture(info).to_owned(),
        os_version: Some(computer::version(info)),
        os_locale: EN_US,
        device_id: None,
    }
}

/// Updates as a tag lists them.
fn list(updates: &[UpdateId]) -> String {
    let updates = updates.iter().map(|update| update.0.to_string().to_uppercase());
    updates.collect::<Vec<_>>().join(";")
}
