//! Answering for the site server: policy and locations, from it while it is there, else from what
//! it said before.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use ambient::Ambient;
use model::{ClientId, Sha256};
use rpc::convert::decode_head;
use rpc::pb::{client as pb, management};
use rpc::status::is_absence;
use transport::answered;

use crate::Error;
use crate::cache::{Cache, Head};
use crate::limits::{PARTS_BYTES, PARTS_MAX, SITE, SITE_WAIT};
use crate::locations::Locations;
use crate::point::Site;

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) ambient: Ambient,
    pub(crate) site: Site,
    pub(crate) cache: Cache,
    pub(crate) locations: Mutex<Locations>,
}

impl Policy {
    /// The head, if the client has not the newest, and the parts it lacks, as far as they fit.
    pub(crate) async fn policy(
        &self,
        client: ClientId,
        ask: pb::GetPolicyRequest,
    ) -> Result<pb::GetPolicyResponse, Error> {
        let pb::GetPolicyRequest { incarnation, have_version, have_parts } = ask;
        let Some(head) = self.newest(client, incarnation).await? else {
            return Ok(pb::GetPolicyResponse::default());
        };
        let have: BTreeSet<Vec<u8>> = have_parts.into_iter().collect();
        let mut lacking = decode_head(&head.head)?.parts;
        lacking.retain(|part| !have.contains(part.0.as_slice()));
        let parts = self.parts(lacking).await?;
        let Head { version, head, signature, key_statement, .. } = head;
        let signed = management::SignedHead { head, signature, key_statement };
        Ok(pb::GetPolicyResponse { head: (version > have_version).then_some(signed), parts })
    }

    async fn newest(&self, client: ClientId, incarnation: u64) -> Result<Option<Head>, Error> {
        let cached = self.cache.head(client, incarnation).await?;
        let request = management::GetPolicyRequest {
            client: client.as_bytes().to_vec(),
            incarnation,
            have_version: cached.as_ref().map_or(0, |head| head.version),
            voice: management::Voice::Unspecified.into(),
        };
        match answered(SITE_WAIT, SITE, self.site.clone().get_policy(request)).await {
            Ok(management::GetPolicyResponse { head: None }) => Ok(cached),
            Ok(management::GetPolicyResponse { head: Some(signed) }) => {
                self.keep(client, incarnation, signed).await?;
                Ok(self.cache.head(client, incarnation).await?)
            }
            Err(status) if is_absence(&status) => Ok(cached),
            Err(status) => Err(status.into()),
        }
    }

    async fn keep(
        &self,
        client: ClientId,
        incarnation: u64,
        signed: management::SignedHead,
    ) -> Result<(), Error> {
        let management::SignedHead { head, signature, key_statement } = signed;
        let said = decode_head(&head)?;
        if (said.client, said.incarnation) != (client, incarnation) {
            return Err(Error::SiteAnswer { what: "policy" });
        }
        let version = said.version;
        let head = Head { incarnation, version, head, signature, key_statement };
        Ok(self.cache.keep_head(client, head, said.parts, self.ambient.now_ms()).await?)
    }

    /// Parts from the cache or, the first time, from the site server. What cannot be had is left
    /// out; the client asks again.
    async fn parts(&self, digests: Vec<Sha256>) -> Result<Vec<Vec<u8>>, Error> {
        let here = self.cache.parts(digests.clone()).await?;
        let absent = here.iter().filter(|(_, part)| part.is_none()).take(PARTS_MAX);
        let absent: Vec<Vec<u8>> = absent.map(|(digest, _)| digest.0.to_vec()).collect();
        let mut all = here;
        if !absent.is_empty() {
            let request = management::GetPartsRequest { digests: absent };
            match answered(SITE_WAIT, SITE, self.site.clone().get_parts(request)).await {
                Ok(answer) => self.cache.keep_parts(answer.parts, self.ambient.now_ms()).await?,
                Err(status) if is_absence(&status) => {}
                Err(status) => return Err(status.into()),
            }
            all = self.cache.parts(digests).await?;
        }
        let mut bytes = 0;
        let fits = |part: &Vec<u8>| {
            let first = bytes == 0;
            bytes += part.len();
            first || bytes <= PARTS_BYTES
        };
        Ok(all.into_iter().filter_map(|(_, part)| part).take_while(fits).collect())
    }

    /// From the site, else what it said before: to that address or, of a file that nobody there
    /// has asked for yet, to any other.
    pub(crate) async fn locations(
        &self,
        ask: management::GetLocationsRequest,
    ) -> Result<Vec<management::FileLocations>, Error> {
        let (sha256, address) = (ask.sha256.clone(), ask.address.clone());
        let answer = answered(SITE_WAIT, SITE, self.site.clone().get_locations(ask)).await;
        let mut known = self.locations.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(management::GetLocationsResponse { files }) => {
                known.note(&address, &files);
                Ok(files)
            }
            Err(status) if is_absence(&status) => {
                Ok(sha256.into_iter().filter_map(|file| known.said(&address, file)).collect())
            }
            Err(status) => Err(status.into()),
        }
    }
}
