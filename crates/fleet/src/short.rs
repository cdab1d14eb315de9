//! A site that answers inside the process, where only the clients are to be measured.
//!
//! Policy is signed and judged as any other; every report is taken at once. Owns the signing key
//! and what policy says. Refuses to keep anything of what it is told.

use std::sync::{Arc, Mutex, PoisonError};

use client::digest::sha256;
use client::policy::Offer;
use client::{Answer, Asking};
use model::{ClientId, PolicyHead, Sha256, SiteCode, Timestamp};
use rpc::convert::{Part, encode_head, encode_part};
use trust::{Anchor, Purpose, SigningKey};

use crate::limits::POLICY_MS;

/// What every client is told.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Zero: there is no policy yet.
    pub version: u64,
    pub parts: Vec<Part>,
}

#[derive(Debug)]
pub struct Short {
    anchor: Anchor,
    site: SiteCode,
    signer: SigningKey,
    statement: Vec<u8>,
    said: Mutex<Arc<Said>>,
}

#[derive(Debug, Default)]
struct Said {
    version: u64,
    names: Vec<Sha256>,
    parts: Vec<Vec<u8>>,
}

impl Short {
    /// `statement` is that of the site's signing key.
    #[must_use]
    pub fn new(
        anchor: Anchor,
        site: SiteCode,
        (signer, statement): (SigningKey, Vec<u8>),
        terms: &Terms,
    ) -> Short {
        let short = Short { anchor, site, signer, statement, said: Mutex::default() };
        short.say(terms);
        short
    }

    /// From now on, policy says this.
    pub fn say(&self, terms: &Terms) {
        let parts: Vec<Vec<u8>> = terms.parts.iter().map(encode_part).collect();
        let names = parts.iter().map(|part| sha256(part)).collect();
        let said = Arc::new(Said { version: terms.version, names, parts });
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// What a client is offered that holds `version`; nothing if that is the newest.
    #[must_use]
    pub fn offer(
        &self,
        client: ClientId,
        (incarnation, version): (u64, u64),
        now: Timestamp,
    ) -> Option<Offer> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if said.version <= version {
            return None;
        }
        let head = encode_head(&PolicyHead {
            hierarchy: self.anchor.hierarchy(),
            site: self.site,
            client,
            incarnation,
            version: said.version,
            signed_at: now,
            expires: now.plus_ms(POLICY_MS),
            parts: said.names.clone(),
        });
        let signature = self.signer.sign(Purpose::PolicyHead, &head);
        let (statement, parts) = (self.statement.clone(), said.parts.clone());
        Some(Offer { head, signature, statement, parts })
    }

    pub(crate) fn answer(&self, client: ClientId, asking: &Asking, now: Timestamp) -> Answer {
        let held = asking.version();
        let Some(offer) = self.offer(client, (asking.incarnation, held), now) else {
            return if held == 0 { Answer::Nothing } else { Answer::Same };
        };
        match asking.accept(&offer, now) {
            Ok(accepted) => Answer::New(Box::new(accepted)),
            Err(_) => Answer::Nothing,
        }
    }
}
