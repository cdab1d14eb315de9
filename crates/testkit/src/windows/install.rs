//! Installing and removing: what an update does to the computer, and what is told of it.
//!
//! Owns the order of download, installation and restart. What goes well or not is handed in.

use std::sync::Arc;

use model::UpdateId;
use update_metadata::Document;
use wsus_protocol::client::DeploymentAction;

use super::details::Details;
use super::events::{
    DOWNLOAD_FAILED, DOWNLOAD_STARTED, DOWNLOAD_SUCCEEDED, INSTALL_FAILED, INSTALL_NEEDS_RESTART,
    INSTALL_STARTED, INSTALL_SUCCEEDED, News, UNINSTALL_FAILED, UNINSTALL_NEEDS_RESTART,
    UNINSTALL_STARTED, UNINSTALL_SUCCEEDED,
};
use super::{Agent, Error, Known, Offer, id_of};

/// What becomes of an installation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    #[default]
    Succeeds,
    /// It takes effect when the computer restarts.
    NeedsRestart,
    /// Its files are there, its installer fails with this HRESULT.
    Fails(i32),
    /// Its files cannot be had, with this HRESULT.
    FailsToDownload(i32),
}

impl Agent {
    /// Downloads an update, or the members of a bundle, and installs it, or removes it; either
    /// way as the server wants it and `fate` has it. Files that are not as the server said are an
    /// error, and an event.
    pub async fn carry_out(&mut self, offer: &Offer, fate: Fate) -> Result<(), Error> {
        let update = id_of(&offer.update);
        if offer.action == DeploymentAction::Uninstall {
            self.remove(update, fate);
            return Ok(());
        }
        let parts = self.parts(update);
        let mut asked = parts.clone();
        asked.push(update);
        let details = self.details(&asked).await?;
        if let Fate::FailsToDownload(hresult) = fate {
            self.fail(update, (DOWNLOAD_FAILED, hresult), Vec::new());
            return Ok(());
        }
        self.note(News { hresult: 0, ..self.news(DOWNLOAD_STARTED, update) });
        if let Err(error) = self.download_all(&parts, &details).await {
            self.fail(update, (DOWNLOAD_FAILED, error.hresult()), Vec::new());
            return Err(error);
        }
        let bytes: u64 =
            parts.iter().filter_map(|p| details.files.get(p)).flatten().map(|f| f.size).sum();
        let misc = vec![format!("B={bytes}")];
        self.note(News { misc, ..self.news(DOWNLOAD_SUCCEEDED, update) });
        self.progress.downloaded.insert(update);
        let title = details.titles.get(&update).cloned().unwrap_or_default();
        self.install(update, &parts, (fate, title));
        Ok(())
    }

    /// Everything that the last scan offered, one after the other.
    pub async fn carry_out_all(&mut self, fate: impl Fn(&Offer) -> Fate) -> Result<usize, Error> {
        let offers = self.offers();
        for offer in &offers {
            self.carry_out(offer, fate(offer)).await?;
        }
        Ok(offers.len())
    }

    async fn download_all(&mut self, parts: &[UpdateId], details: &Details) -> Result<(), Error> {
        for file in parts.iter().filter_map(|part| details.files.get(part)).flatten() {
            self.download(file, details).await?;
        }
        Ok(())
    }

    fn install(&mut self, update: UpdateId, parts: &[UpdateId], (fate, title): (Fate, String)) {
        let titled = |agent: &Agent, event| News {
            strings: vec![title.clone()],
            ..agent.news(event, update)
        };
        self.note(titled(self, INSTALL_STARTED));
        let documents: Vec<Arc<Document>> = self.documents(parts.iter().chain([&update]));
        match fate {
            Fate::Fails(hresult) => {
                // A bundle fails with its first member, which does not say what it is called.
                if let Some(part) = parts.first().filter(|part| **part != update) {
                    let misc = vec![format!("M={}", self.named(update)), format!("F={hresult}")];
                    self.note(News { hresult, misc, ..self.news(INSTALL_FAILED, *part) });
                }
                let strings = vec![format!("0x{hresult:08x}"), title];
                self.fail(update, (INSTALL_FAILED, hresult), strings);
                return;
            }
            Fate::NeedsRestart => {
                self.progress.pending.insert(update, documents);
                self.note(titled(self, INSTALL_NEEDS_RESTART));
            }
            Fate::Succeeds | Fate::FailsToDownload(_) => {
                documents.iter().for_each(|d| self.setup.computer.install(d));
                self.judge_anew();
                self.note(titled(self, INSTALL_SUCCEEDED));
            }
        }
        self.progress.downloaded.remove(&update);
        self.progress.failed.remove(&update);
    }

    fn remove(&mut self, update: UpdateId, fate: Fate) {
        self.note(self.news(UNINSTALL_STARTED, update));
        let documents = self.documents([&update]);
        match fate {
            Fate::Fails(hresult) | Fate::FailsToDownload(hresult) => {
                let strings = vec![format!("0x{hresult:08x}"), String::new()];
                self.fail(update, (UNINSTALL_FAILED, hresult), strings);
            }
            Fate::Succeeds | Fate::NeedsRestart => {
                documents.iter().for_each(|document| self.setup.computer.uninstall(document));
                self.judge_anew();
                let needs_restart = fate == Fate::NeedsRestart;
                let event =
                    if needs_restart { UNINSTALL_NEEDS_RESTART } else { UNINSTALL_SUCCEEDED };
                self.note(News { strings: vec![String::new()], ..self.news(event, update) });
            }
        }
    }

    /// What waits for a restart takes effect.
    pub fn restart(&mut self) {
        for documents in std::mem::take(&mut self.progress.pending).into_values() {
            documents.iter().for_each(|document| self.setup.computer.install(document));
        }
        self.judge_anew();
        self.note_restart();
    }

    fn fail(&mut self, update: UpdateId, (event, hresult): (i32, i32), strings: Vec<String>) {
        let times = self.progress.failed.entry(update).or_default();
        *times += 1;
        let misc = vec![format!("C={times}")];
        self.note(News { hresult, strings, misc, ..self.news(event, update) });
    }

    fn documents<'a>(&self, updates: impl IntoIterator<Item = &'a UpdateId>) -> Vec<Arc<Document>> {
        let found = updates.into_iter().filter_map(|update| self.known_update(*update));
        found.map(|known| known.document.clone()).collect()
    }

    pub(super) fn known_update(&self, update: UpdateId) -> Option<&Known> {
        self.known.values().find(|known| id_of(&known.update) == update)
    }
}
