//! Objects with nothing special about them.

use model::{
    ClientId, ClientKind, ClientRecord, Item, Sha256, SiteCode, Timestamp, UpdateId, UpdateRef,
};
use uuid::Uuid;

/// The item of update `number`, which has that number and came with catalog version 1.
#[must_use]
pub fn item(number: u32) -> Item {
    Item {
        number,
        update: UpdateRef { id: UpdateId(Uuid::from_u128(number.into())), revision: 1 },
        since: 1,
        document: Sha256([5; 32]),
        texts: Vec::new(),
        classification: None,
        products: Vec::new(),
        company: None,
        severity: None,
        kb_articles: Vec::new(),
        bulletins: Vec::new(),
        cves: Vec::new(),
        created_at: Timestamp(0),
        expired: false,
        expired_at: None,
        withdrawn: false,
        hidden: false,
        linux_only: false,
        may_restart: false,
        languages: Vec::new(),
        has_license: false,
        supersedes: Vec::new(),
        prerequisites: Vec::new(),
        bundles: Vec::new(),
        files: Vec::new(),
    }
}

/// The record of client `number`, near `site`.
#[must_use]
pub fn client(number: u128, site: &str) -> ClientRecord {
    ClientRecord {
        id: ClientId(Uuid::from_u128(number)),
        kind: ClientKind::Simulated,
        name: format!("client {number}"),
        site: SiteCode::new(site).expect("a good code"),
        os: "linux debian 12".to_owned(),
        architecture: "x86_64".to_owned(),
        agent_version: "1".to_owned(),
        manufacturer: String::new(),
        model: String::new(),
        seen_on: Timestamp(0),
        address: None,
    }
}
