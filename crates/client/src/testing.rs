//! What the tests of this crate share.

use model::{
    AssignedFile, AssignedUpdate, Assignment, ClientId, DeploymentId, Intent, ItemFile, PolicyHead,
    SiteCode, Timestamp, UpdateId, UpdateRef,
};
use rpc::convert::{Part, encode_head, encode_part};
use testkit::pki::{Pki, SiteKeys};
use trust::Purpose;
use update_metadata::{Document, Rule, UpdateKind};
use uuid::Uuid;

use crate::digest::sha256;
use crate::policy::Offer;

pub(crate) const NOW: Timestamp = Timestamp(1_795_168_800_000);
pub(crate) const HOUR_MS: i64 = 3_600_000;

pub(crate) fn update_id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

/// A visible update that may be installed anywhere.
pub(crate) fn software(number: u128) -> Document {
    let update = UpdateRef { id: update_id(number), revision: 1 };
    let mut document = Document::new(update, UpdateKind::Software, &format!("update {number}"));
    document.properties.is_explicitly_deployable = true;
    document.rules.is_installable = Some(Rule::True);
    document
}

pub(crate) fn assignment(documents: &[Document], deadline: Timestamp) -> Assignment {
    let named = |file: &ItemFile| {
        let ItemFile { name, size, sha256, .. } = file;
        Some(AssignedFile { name: name.clone(), size: *size, sha256: (*sha256)? })
    };
    let updates = documents.iter().map(|document| AssignedUpdate {
        update: document.update,
        document: sha256(document.to_xml().as_bytes()),
        files: document.files.iter().filter_map(named).collect(),
        max_run_minutes: 60,
    });
    Assignment {
        deployment: DeploymentId(Uuid::from_u128(0xd)),
        name: "November".to_owned(),
        intent: Intent::Required,
        available_at: NOW.plus_ms(-HOUR_MS),
        deadline: Some(deadline),
        basis: model::TimeBasis::Utc,
        experience: model::Experience::default(),
        download: model::Download::default(),
        detail: model::DetailLevel::All,
        wakes: false,
        spread_minutes: 0,
        updates: updates.collect(),
    }
}

/// A site's keys and one of its clients.
pub(crate) struct World {
    pub(crate) pki: Pki,
    keys: SiteKeys,
    pub(crate) client: ClientId,
}

impl World {
    pub(crate) fn new() -> World {
        let pki = Pki::at(NOW.0);
        let keys = pki.site(pr1());
        World { pki, keys, client: ClientId(Uuid::from_u128(0xc)) }
    }

    pub(crate) fn head(&self, incarnation: u64, version: u64, parts: &[Part]) -> PolicyHead {
        PolicyHead {
            hierarchy: self.pki.anchor().hierarchy(),
            site: pr1(),
            client: self.client,
            incarnation,
            version,
            signed_at: NOW,
            expires: NOW.plus_ms(30 * 24 * HOUR_MS),
            parts: parts.iter().map(|part| sha256(&encode_part(part))).collect(),
        }
    }

    pub(crate) fn sign(&self, head: &PolicyHead, parts: &[Part]) -> Offer {
        let head = encode_head(head);
        Offer {
            signature: self.keys.signer.sign(Purpose::PolicyHead, &head),
            head,
            statement: self.keys.statement.clone(),
            parts: parts.iter().map(encode_part).collect(),
        }
    }
}

pub(crate) fn pr1() -> SiteCode {
    SiteCode::new("PR1").expect("a good code")
}
