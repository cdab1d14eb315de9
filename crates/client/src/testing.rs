//! What the tests of this crate share.

use model::{Assignment, ClientId, PolicyHead, Timestamp};
use rpc::convert::Part;
use testkit::pki::Pki;
use testkit::policy::{PolicySite, SignedPolicy};
pub(crate) use testkit::policy::{pr1, software, update_id};
use update_metadata::Document;

use crate::policy::Offer;

pub(crate) const NOW: Timestamp = Timestamp(1_795_168_800_000);
pub(crate) const HOUR_MS: i64 = 3_600_000;

pub(crate) fn assignment(documents: &[Document], deadline: Timestamp) -> Assignment {
    testkit::policy::assignment(documents, NOW, deadline)
}

/// A site and one of its clients.
pub(crate) struct World(PolicySite);

impl World {
    pub(crate) fn new() -> World {
        World(PolicySite::new(Pki::at(NOW.0), NOW))
    }

    pub(crate) fn pki(&self) -> &Pki {
        &self.0.pki
    }

    pub(crate) fn client(&self) -> ClientId {
        self.0.client
    }

    pub(crate) fn head(&self, incarnation: u64, version: u64, parts: &[Part]) -> PolicyHead {
        self.0.head(incarnation, version, parts)
    }

    pub(crate) fn sign(&self, head: &PolicyHead, parts: &[Part]) -> Offer {
        let SignedPolicy { head, signature, statement, parts } = self.0.sign(head, parts);
        Offer { head, signature, statement, parts }
    }
}
