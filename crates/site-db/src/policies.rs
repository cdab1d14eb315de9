//! Policy as it is handed out: parts by digest, the newest signed head of each client, and what
//! became of each deployment.
//!
//! Owns that a head is never replaced by an older one. Refuses to know what a part says and who
//! signs. Parts nobody used for long are dropped; they can be made anew.

use std::collections::BTreeMap;

use model::{ClientId, DeploymentId, Sha256, SiteCode, Timestamp};
use sqlite_engine::{Row, RowResult, params, parse_column};

use crate::streams::{bits, unbits};
use crate::{Error, Reader, Writer};

/// A part as a head names it, with the deployment it carries out.
pub type HeadPart = (Sha256, Option<DeploymentId>);

/// The newest head of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHead {
    pub incarnation: u64,
    pub version: u64,
    /// As encoded and signed.
    pub head: Vec<u8>,
    pub signature: Vec<u8>,
    /// Empty at a secondary site, which only passes heads on.
    pub parts: Vec<HeadPart>,
}

const HEAD_PART_BYTES: usize = 32 + 16;

fn encode_parts(parts: &[HeadPart]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.len() * HEAD_PART_BYTES);
    for (sha256, deployment) in parts {
        bytes.extend(sha256.0);
        bytes.extend(deployment.map_or([0; 16], |id| *id.as_bytes()));
    }
    bytes
}

fn decode_parts(bytes: &[u8]) -> Result<Vec<HeadPart>, model::Invalid> {
    let part = |bytes: &[u8]| {
        let (sha256, deployment) = bytes.split_at(32.min(bytes.len()));
        let deployment = DeploymentId::from_slice(deployment)?;
        let named = *deployment.as_bytes() != [0; 16];
        Ok((Sha256::from_slice(sha256)?, named.then_some(deployment)))
    };
    bytes.chunks(HEAD_PART_BYTES).map(part).collect()
}

fn parts_column(row: &Row<'_>, index: usize) -> RowResult<Vec<HeadPart>> {
    parse_column(row, index, |b: Vec<u8>| decode_parts(&b))
}

impl Reader<'_> {
    pub fn policy_head(&self, client: ClientId) -> Result<Option<StoredHead>, Error> {
        let sql = "SELECT incarnation, version, head, signature, parts
                   FROM policy_head WHERE client = ?1";
        let map = |row: &Row<'_>| {
            Ok(StoredHead {
                incarnation: unbits(row.get(0)?),
                version: unbits(row.get(1)?),
                head: row.get(2)?,
                signature: row.get(3)?,
                parts: parts_column(row, 4)?,
            })
        };
        Ok(self.tx.query_optional(sql, [client.as_bytes()], map)?)
    }

    /// What each client was told last.
    pub fn head_parts(&self) -> Result<BTreeMap<ClientId, Vec<HeadPart>>, Error> {
        let map = |row: &Row<'_>| {
            let client = parse_column(row, 0, |b: Vec<u8>| ClientId::from_slice(&b))?;
            Ok((client, parts_column(row, 1)?))
        };
        let rows = self.tx.query_all("SELECT client, parts FROM policy_head", [], map)?;
        Ok(rows.into_iter().collect())
    }

    pub fn policy_part(&self, sha256: &Sha256) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT bytes FROM policy_part WHERE sha256 = ?1";
        Ok(self.tx.query_optional(sql, [sha256.0], |row| row.get(0))?)
    }

    /// Those of the parts that are here, as far as they fit into `bytes_max`; one always does.
    pub fn policy_parts(
        &self,
        digests: &[Sha256],
        bytes_max: usize,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let (mut parts, mut bytes) = (Vec::new(), 0);
        for digest in digests {
            let Some(part) = self.policy_part(digest)? else { continue };
            bytes += part.len();
            if bytes > bytes_max && !parts.is_empty() {
                break;
            }
            parts.push(part);
        }
        Ok(parts)
    }

    /// The verified statement of a site's signing key, encoded.
    pub fn key_statement(&self, site: SiteCode) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT statement FROM owner_key WHERE code = ?1";
        Ok(self.tx.query_optional(sql, [site.as_str()], |row| row.get(0))?)
    }

    /// What the last plan made of a deployment; none before it was planned.
    pub fn deployment_outcome(&self, deployment: DeploymentId) -> Result<Option<String>, Error> {
        let sql = "SELECT outcome FROM deployment_outcome WHERE deployment = ?1";
        Ok(self.tx.query_optional(sql, [deployment.as_bytes()], |row| row.get(0))?)
    }
}

impl Writer<'_> {
    /// Keeps a head, unless a newer one of the same incarnation is here.
    pub fn put_head(&self, client: ClientId, head: &StoredHead) -> Result<(), Error> {
        let known = self.policy_head(client)?;
        let newer = |known: StoredHead| {
            known.incarnation == head.incarnation && known.version >= head.version
        };
        if known.is_some_and(newer) {
            return Ok(());
        }
        self.write.execute(
            "INSERT OR REPLACE INTO policy_head VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                client.as_bytes(),
                bits(head.incarnation),
                bits(head.version),
                head.head,
                head.signature,
                encode_parts(&head.parts)
            ],
        )?;
        Ok(())
    }

    /// Keeps a part, or notes that it is in use.
    pub fn put_part(&self, sha256: &Sha256, bytes: &[u8]) -> Result<(), Error> {
        let sql = "INSERT INTO policy_part VALUES (?1, ?2, ?3)
                   ON CONFLICT (sha256) DO UPDATE SET last_used = ?3";
        self.write.execute(sql, params![sha256.0, bytes, self.now().0])?;
        Ok(())
    }

    pub fn touch_parts(&self, parts: &[Sha256]) -> Result<(), Error> {
        for sha256 in parts {
            let sql = "UPDATE policy_part SET last_used = ?2 WHERE sha256 = ?1";
            self.write.execute(sql, params![sha256.0, self.now().0])?;
        }
        Ok(())
    }

    /// Drops the parts that were used last before `before`; answers how many.
    pub fn drop_parts(&self, before: Timestamp) -> Result<usize, Error> {
        Ok(self.write.execute("DELETE FROM policy_part WHERE last_used < ?1", [before.0])?)
    }

    /// Replaces what became of all deployments.
    pub fn set_outcomes(&self, outcomes: &BTreeMap<DeploymentId, String>) -> Result<(), Error> {
        self.write.execute("DELETE FROM deployment_outcome", [])?;
        for (deployment, outcome) in outcomes {
            let sql = "INSERT INTO deployment_outcome VALUES (?1, ?2)";
            self.write.execute(sql, params![deployment.as_bytes(), outcome])?;
        }
        Ok(())
    }
}
