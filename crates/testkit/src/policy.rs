//! Policy of one client, as its site signs it, and updates to assign in it.

use model::{
    AssignedFile, AssignedUpdate, Assignment, ClientId, DeploymentId, DetailLevel, Download,
    Experience, Intent, ItemFile, PolicyHead, SiteCode, TimeBasis, Timestamp, UpdateId, UpdateRef,
};
use rpc::convert::{Part, encode_head, encode_part};
use trust::Purpose;
use update_metadata::{Document, Rule, UpdateKind};
use uuid::Uuid;

use crate::pki::{Pki, SiteKeys};
use crate::sample::sha256;

const HOUR_MS: i64 = 3_600_000;

/// A site and the client that it signs for.
#[derive(Debug)]
pub struct PolicySite {
    pub pki: Pki,
    pub keys: SiteKeys,
    pub client: ClientId,
    now: Timestamp,
}

/// What a management point hands out.
#[derive(Clone, Debug)]
pub struct SignedPolicy {
    pub head: Vec<u8>,
    pub signature: Vec<u8>,
    pub statement: Vec<u8>,
    pub parts: Vec<Vec<u8>>,
}

#[must_use]
pub fn pr1() -> SiteCode {
    SiteCode::new("PR1").expect("a good code")
}

impl PolicySite {
    /// PR1, which signs at this moment.
    #[must_use]
    pub fn new(pki: Pki, now: Timestamp) -> PolicySite {
        let keys = pki.site(pr1());
        PolicySite { pki, keys, client: ClientId(Uuid::from_u128(0xc)), now }
    }

    #[must_use]
    pub fn head(&self, incarnation: u64, version: u64, parts: &[Part]) -> PolicyHead {
        PolicyHead {
            hierarchy: self.pki.anchor().hierarchy(),
            site: pr1(),
            client: self.client,
            incarnation,
            version,
            signed_at: self.now,
            expires: self.now.plus_ms(30 * 24 * HOUR_MS),
            parts: parts.iter().map(|part| sha256(&encode_part(part))).collect(),
        }
    }

    #[must_use]
    pub fn sign(&self, head: &PolicyHead, parts: &[Part]) -> SignedPolicy {
        let head = encode_head(head);
        SignedPolicy {
            signature: self.keys.signer.sign(Purpose::PolicyHead, &head),
            head,
            statement: self.keys.statement.clone(),
            parts: parts.iter().map(encode_part).collect(),
        }
    }
}

#[must_use]
pub fn update_id(number: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(number))
}

/// A visible update that may be installed anywhere.
#[must_use]
pub fn software(number: u128) -> Document {
    let update = UpdateRef { id: update_id(number), revision: 1 };
    let mut document = Document::new(update, UpdateKind::Software, &format!("update {number}"));
    document.properties.is_explicitly_deployable = true;
    document.rules.is_installable = Some(Rule::True);
    document
}

/// These updates, required by then and available for an hour.
#[must_use]
pub fn assignment(documents: &[Document], now: Timestamp, deadline: Timestamp) -> Assignment {
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
        available_at: now.plus_ms(-HOUR_MS),
        deadline: Some(deadline),
        basis: TimeBasis::Utc,
        experience: Experience::default(),
        download: Download::default(),
        detail: DetailLevel::All,
        wakes: false,
        spread_minutes: 0,
        updates: updates.collect(),
    }
}
