//! What a computer tells its server of: one event for each thing that happens, and one with the
//! state of everything (MS-WUSP 2.2.2.3.1).
//!
//! Owns the numbers, the tags of `MiscData` and who gets which. Events wait until they are sent,
//! and go on waiting if the server does not take them.

use model::UpdateId;
use update_metadata::Applicability;
use uuid::Uuid;
use wsus_protocol::UpdateIdentity;
use wsus_protocol::client::DeploymentAction;
use wsus_protocol::reporting::{
    BasicData, DetailedVersion, ExtendedData, PrivateData, ReportEventBatch,
    ReportEventBatchResponse, ReportingEvent, TargetId,
};

use super::{Agent, Error, id_of};

const DETECTION_FINISHED: i32 = 147;
const DETECTION_FAILED: i32 = 148;
const STATUS: i32 = 156;
pub(super) const DOWNLOAD_FAILED: i32 = 161;
pub(super) const DOWNLOAD_SUCCEEDED: i32 = 162;
pub(super) const DOWNLOAD_STARTED: i32 = 167;
pub(super) const INSTALL_STARTED: i32 = 181;
pub(super) const INSTALL_FAILED: i32 = 182;
pub(super) const INSTALL_SUCCEEDED: i32 = 183;
pub(super) const INSTALL_NEEDS_RESTART: i32 = 184;
const RESTARTED: i32 = 202;
pub(super) const UNINSTALL_FAILED: i32 = 221;
pub(super) const UNINSTALL_SUCCEEDED: i32 = 222;
pub(super) const UNINSTALL_NEEDS_RESTART: i32 = 224;
pub(super) const UNINSTALL_STARTED: i32 = 226;

/// The agent itself, of those that can be the source of an event.
const SOURCE_AGENT: i32 = 101;
/// Events sent at once.
const BATCH_MAX: usize = 500;

/// An event before everything that all events say is added.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) event: i32,
    pub(super) update: Option<UpdateIdentity>,
    pub(super) hresult: i32,
    pub(super) strings: Vec<String>,
    pub(super) misc: Vec<String>,
}

impl Agent {
    /// Sends what happened, and the state of everything; how many events that were.
    pub async fn report(&mut self) -> Result<usize, Error> {
        let status = self.status();
        self.note(status);
        let mut sent = 0;
        while !self.events.is_empty() {
            let batch: Vec<_> = self.events.iter().take(BATCH_MAX).cloned().collect();
            let request = |agent: &Agent| ReportEventBatch {
                cookie: agent.cookie.clone(),
                client_time: agent.now(),
                events: batch.clone(),
            };
            let answer: ReportEventBatchResponse = self.ask(request).await?;
            if !answer.is_accepted {
                return Err(Error::Events);
            }
            self.events.drain(..batch.len());
            sent += batch.len();
        }
        Ok(sent)
    }

    /// What waits to be sent.
    #[must_use]
    pub fn events(&self) -> &[ReportingEvent] {
        &self.events
    }

    pub(super) fn note_detection(&mut self) {
        let applicable = self.offers().len();
        let (strings, misc) = (vec![applicable.to_string()], vec![format!("D={applicable}")]);
        self.note(News { strings, misc, ..News::of(DETECTION_FINISHED) });
    }

    pub(super) fn note_failed_detection(&mut self, error: &Error) {
        let hresult = error.hresult();
        let strings = vec![format!("0x{hresult:08x}")];
        self.note(News { hresult, strings, ..News::of(DETECTION_FAILED) });
    }

    pub(super) fn note_restart(&mut self) {
        self.note(News::of(RESTARTED));
    }

    /// News of an update.
    pub(super) fn news(&self, event: i32, update: UpdateId) -> News {
        News { update: self.known_update(update).map(|known| known.update), ..News::of(event) }
    }

    /// An update as a tag names it.
    pub(super) fn named(&self, update: UpdateId) -> String {
        let revision = self.known_update(update).map_or(0, |known| known.update.revision);
        format!("{};{revision}", in_capitals(update))
    }

    /// The lists of updates that the server wants to hear of, by what they are to the computer.
    fn status(&self) -> News {
        let states = self.states();
        let reported = self.known.values().filter(|known| {
            !matches!(
                known.deployment.action,
                DeploymentAction::Evaluate | DeploymentAction::Bundle | DeploymentAction::Block
            )
        });
        let mut lists = [("U", vec![]), ("V", vec![]), ("W", vec![]), ("g", vec![]), ("h", vec![])];
        for id in reported.map(|known| id_of(&known.update)) {
            let progress = &self.progress;
            let is_pending = progress.pending.contains_key(&id);
            let is_needed = states.get(&id) == Some(&Applicability::Applicable);
            let belongs = [
                is_needed && !is_pending,
                states.get(&id) == Some(&Applicability::Installed) && !is_pending,
                is_pending,
                is_needed && progress.failed.contains_key(&id),
                is_needed && progress.downloaded.contains(&id),
            ];
            for ((_, list), _) in lists.iter_mut().zip(belongs).filter(|(_, belongs)| *belongs) {
                list.push(in_capitals(id));
            }
        }
        let misc = lists.iter().map(|(tag, list)| format!("{tag}={}", list.join(";"))).collect();
        News { misc, ..News::of(STATUS) }
    }

    pub(super) fn note(&mut self, news: News) {
        let is_bundle = news.update.and_then(|update| self.known_update(id_of(&update)));
        let is_bundle = is_bundle.is_some_and(|k| !k.document.relations.bundled.is_empty());
        let mut misc = news.misc;
        misc.extend([
            "G=1507.2601.30012.0".to_owned(),
            format!("J={}", self.setup.client.as_u128() % 1_000),
            "K=sample".to_owned(),
            "L=1970-01-01T00:00:00".to_owned(),
            format!("Q={}", if is_bundle { 2 } else { 1 }),
            "c=48".to_owned(),
        ]);
        let nothing = UpdateIdentity { update_id: Uuid::nil(), revision: 0 };
        let basic = BasicData {
            target: Some(TargetId { sid: self.setup.client.to_string() }),
            sequence_number: 0,
            time: self.now(),
            instance: self.setup.ambient.random_id(),
            namespace: 1,
            event: news.event,
            source: SOURCE_AGENT,
            update: Some(news.update.unwrap_or(nothing)),
            hresult: news.hresult,
            app_name: None,
        };
        let extended = self.surroundings(news.strings, misc);
        let private = Some(PrivateData::default());
        self.events.push(ReportingEvent { basic, extended: Some(extended), private });
    }

    /// What every event says of the computer.
    fn surroundings(&self, replacement_strings: Vec<String>, misc: Vec<String>) -> ExtendedData {
        let [major, minor, build] = self.os_version();
        let (service_pack_major, service_pack_minor) = (0, 0);
        let version = DetailedVersion {
            major,
            minor,
            build,
            revision: 0,
            service_pack_major,
            service_pack_minor,
        };
        ExtendedData {
            replacement_strings,
            misc,
            computer_brand: Some("Tierline Samples".to_owned()),
            computer_model: Some("Sample Model".to_owned()),
            bios_revision: Some("1.0".to_owned()),
            processor_architecture: "Amd64Compatible".to_owned(),
            os_version: Some(version),
            os_locale: 1033,
            device_id: None,
        }
    }
}

impl News {
    fn of(event: i32) -> News {
        News { event, update: None, hresult: 0, strings: Vec::new(), misc: Vec::new() }
    }
}

fn in_capitals(update: UpdateId) -> String {
    update.0.to_string().to_uppercase()
}
