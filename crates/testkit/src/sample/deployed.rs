//! A deployment of the sample, as policy tells clients.

use model::{
    AssignedFile, AssignedUpdate, Assignment, DeploymentId, DetailLevel, Download, Experience,
    Intent, ItemFile, TimeBasis, Timestamp, UpdateId,
};
use update_metadata::Document;
use uuid::Uuid;

use super::{Sample, sha256};

/// What an installation of these updates may take.
const RUN_MINUTES: u16 = 60;

impl Sample {
    /// Everything that is fit for one, with the members of bundles, required at `deadline`.
    #[must_use]
    pub fn required(&self, deadline: Timestamp) -> Assignment {
        let is_chosen = |document: &&Document| self.deployable.contains(&document.update.id);
        let chosen = self.documents.iter().filter(is_chosen);
        let members = chosen.clone().flat_map(|document| &document.relations.bundled).flatten();
        let members: Vec<UpdateId> = members.map(|member| member.id).collect();
        let members = self.documents.iter().filter(|d| members.contains(&d.update.id));
        Assignment {
            deployment: DeploymentId(Uuid::from_u128(0xd)),
            name: "Sample updates".to_owned(),
            intent: Intent::Required,
            available_at: deadline,
            deadline: Some(deadline),
            basis: TimeBasis::Utc,
            experience: Experience::default(),
            download: Download::default(),
            detail: DetailLevel::All,
            wakes: false,
            spread_minutes: 0,
            updates: chosen.chain(members).map(assigned).collect(),
        }
    }
}

fn assigned(document: &Document) -> AssignedUpdate {
    let named = |file: &ItemFile| {
        let ItemFile { name, size, sha256, .. } = file;
        Some(AssignedFile { name: name.clone(), size: *size, sha256: (*sha256)? })
    };
    AssignedUpdate {
        update: document.update,
        document: sha256(document.to_xml().as_bytes()),
        files: document.files.iter().filter_map(named).collect(),
        max_run_minutes: RUN_MINUTES,
    }
}
