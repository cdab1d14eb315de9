//! Answering for the site server: policy and locations, from it while it is there, else from what
//! it said before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use ambient::Ambient;
use model::{ClientId, ErrorClass, Sha256};
use rpc::convert::decode_head;
use rpc::pb::{client as pb, management};
use tonic::Status;

use crate::Error;
use crate::cache::{Cache, Head};
use crate::limits::{LOCATIONS_MAX, PARTS_BYTES, PARTS_MAX, SITE_WAIT};
use crate::point::{Site, answered};

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) ambient: Ambient,
    pub(crate) site: Site,
    pub(crate) cache: Cache,
    pub(crate) locations: Mutex<Known>,
}

/// What the site said last of files, by digest and the asker's address.
type Known = BTreeMap<(Vec<u8>, Vec<u8>), management::FileLocations>;

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
        };
        match answered(SITE_WAIT, self.site.clone().get_policy(request)).await {
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
            match answered(SITE_WAIT, self.site.clone().get_parts(request)).await {
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
        let answer = answered(SITE_WAIT, self.site.clone().get_locations(ask)).await;
        let mut known = self.locations.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(management::GetLocationsResponse { files }) => {
                if known.len() + files.len() > LOCATIONS_MAX {
                    known.clear();
                }
                let key = |file: &management::FileLocations| (file.sha256.clone(), address.clone());
                known.extend(files.iter().map(|file| (key(file), file.clone())));
                Ok(files)
            }
            Err(status) if is_absence(&status) => {
                let said = |file: Vec<u8>| {
                    let exact = known.get(&(file.clone(), address.clone()));
                    let mut any = known.range((file.clone(), Vec::new())..);
                    let any = any.next().filter(|((said_of, _), _)| *said_of == file);
                    exact.or(any.map(|(_, said)| said)).cloned()
                };
                Ok(sha256.into_iter().filter_map(said).collect())
            }
            Err(status) => Err(status.into()),
        }
    }
}

/// Whether what is cached shall answer instead: the site server did not refuse, it failed.
fn is_absence(status: &Status) -> bool {
    matches!(
        rpc::status::class(status),
        ErrorClass::Unavailable
            | ErrorClass::Exhausted
            | ErrorClass::Internal
            | ErrorClass::Corrupt
    )
}
