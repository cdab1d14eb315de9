//! Policy heads and parts. What is signed or named by digest is the encoding made here, so it is
//! made once and passed on as bytes.

use model::{
    AssignedFile, AssignedUpdate, Assignment, ClientId, ClientSettings, DeploymentId, HierarchyId,
    Intent, Invalid, Offer, PolicyHead, RoleRecord, ServerList, ServerRef, Sha256, SiteCode,
    Timestamp, UpdateId, UpdateRef,
};
use prost::Message as _;

use super::required;
use crate::pb::{client as pb, management};

/// One immutable part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Assignment(Assignment),
    Settings(ClientSettings),
    Servers(ServerList),
}

#[must_use]
pub fn encode_head(head: &PolicyHead) -> Vec<u8> {
    let PolicyHead { hierarchy, site, client, incarnation, version, signed_at, expires, parts } =
        head;
    pb::PolicyHead {
        hierarchy: hierarchy.as_bytes().to_vec(),
        site: site.to_string(),
        client: client.as_bytes().to_vec(),
        incarnation: *incarnation,
        version: *version,
        signed_at_ms: signed_at.0,
        expires_ms: expires.0,
        parts: parts.iter().map(|p| p.0.to_vec()).collect(),
    }
    .encode_to_vec()
}

pub fn decode_head(bytes: &[u8]) -> Result<PolicyHead, Invalid> {
    let message =
        pb::PolicyHead::decode(bytes).map_err(|e| Invalid::new("policy head", e.to_string()))?;
    let pb::PolicyHead {
        hierarchy,
        site,
        client,
        incarnation,
        version,
        signed_at_ms,
        expires_ms,
        parts,
    } = message;
    Ok(PolicyHead {
        hierarchy: HierarchyId::from_slice(&hierarchy)?,
        site: SiteCode::new(&site)?,
        client: ClientId::from_slice(&client)?,
        incarnation,
        version,
        signed_at: Timestamp(signed_at_ms),
        expires: Timestamp(expires_ms),
        parts: parts.iter().map(|p| Sha256::from_slice(p)).collect::<Result<_, _>>()?,
    })
}

#[must_use]
pub fn encode_part(part: &Part) -> Vec<u8> {
    let part = match part {
        Part::Assignment(assignment) => pb::policy_part::Part::Assignment(assignment.into()),
        Part::Settings(settings) => {
            let ClientSettings {
                policy_poll_ms,
                state_batch_ms,
                scan_interval_ms,
                catalog_version,
            } = *settings;
            pb::policy_part::Part::Settings(pb::Settings {
                policy_poll_ms,
                state_batch_ms,
                scan_interval_ms,
                catalog_version,
            })
        }
        Part::Servers(ServerList { servers }) => {
            let servers = servers.iter().map(|server| {
                let ServerRef { kind, site, url, http_url, after_minutes } = server;
                pb::Server {
                    kind: kind.as_str().to_owned(),
                    site: site.to_string(),
                    url: url.clone(),
                    http_url: http_url.clone(),
                    after_minutes: *after_minutes,
                }
            });
            pb::policy_part::Part::Servers(pb::Servers { servers: servers.collect() })
        }
    };
    pb::PolicyPart { part: Some(part) }.encode_to_vec()
}

pub fn decode_part(bytes: &[u8]) -> Result<Part, Invalid> {
    let message =
        pb::PolicyPart::decode(bytes).map_err(|e| Invalid::new("policy part", e.to_string()))?;
    match required("part", message.part)? {
        pb::policy_part::Part::Assignment(assignment) => {
            Ok(Part::Assignment(assignment.try_into()?))
        }
        pb::policy_part::Part::Settings(settings) => {
            let pb::Settings { policy_poll_ms, state_batch_ms, scan_interval_ms, catalog_version } =
                settings;
            Ok(Part::Settings(ClientSettings {
                policy_poll_ms,
                state_batch_ms,
                scan_interval_ms,
                catalog_version,
            }))
        }
        pb::policy_part::Part::Servers(pb::Servers { servers }) => {
            let servers = servers.into_iter().map(|server| {
                let pb::Server { kind, site, url, http_url, after_minutes } = server;
                let site = SiteCode::new(&site)?;
                Ok(ServerRef { kind: kind.parse()?, site, url, http_url, after_minutes })
            });
            Ok(Part::Servers(ServerList { servers: servers.collect::<Result<_, Invalid>>()? }))
        }
    }
}

impl From<&Assignment> for pb::Assignment {
    fn from(value: &Assignment) -> pb::Assignment {
        let Assignment { deployment, name, intent, available_at, deadline, updates } = value;
        pb::Assignment {
            deployment: deployment.as_bytes().to_vec(),
            name: name.clone(),
            required: *intent == Intent::Required,
            available_at_ms: available_at.0,
            deadline_ms: deadline.map(|d| d.0),
            updates: updates.iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::Assignment> for Assignment {
    type Error = Invalid;

    fn try_from(message: pb::Assignment) -> Result<Assignment, Invalid> {
        let pb::Assignment { deployment, name, required, available_at_ms, deadline_ms, updates } =
            message;
        Ok(Assignment {
            deployment: DeploymentId::from_slice(&deployment)?,
            name,
            intent: if required { Intent::Required } else { Intent::Available },
            available_at: Timestamp(available_at_ms),
            deadline: deadline_ms.map(Timestamp),
            updates: updates.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&AssignedUpdate> for pb::AssignedUpdate {
    fn from(value: &AssignedUpdate) -> pb::AssignedUpdate {
        let AssignedUpdate { update, document, files } = value;
        let files = files.iter().map(|file| {
            let AssignedFile { name, size, sha256 } = file;
            pb::AssignedFile { name: name.clone(), size: *size, sha256: sha256.0.to_vec() }
        });
        pb::AssignedUpdate {
            id: update.id.as_bytes().to_vec(),
            revision: update.revision,
            document: document.0.to_vec(),
            files: files.collect(),
        }
    }
}

impl TryFrom<pb::AssignedUpdate> for AssignedUpdate {
    type Error = Invalid;

    fn try_from(message: pb::AssignedUpdate) -> Result<AssignedUpdate, Invalid> {
        let pb::AssignedUpdate { id, revision, document, files } = message;
        let files = files.into_iter().map(|file| {
            let pb::AssignedFile { name, size, sha256 } = file;
            Ok(AssignedFile { name, size, sha256: Sha256::from_slice(&sha256)? })
        });
        Ok(AssignedUpdate {
            update: UpdateRef { id: UpdateId::from_slice(&id)?, revision },
            document: Sha256::from_slice(&document)?,
            files: files.collect::<Result<_, Invalid>>()?,
        })
    }
}

/// Where a file is, best first.
impl From<(Sha256, Vec<Offer>)> for management::FileLocations {
    fn from((sha256, points): (Sha256, Vec<Offer>)) -> management::FileLocations {
        let point = |offer: Offer| {
            let Offer { role, after_minutes, relation: _, through: _, proximity: _ } = offer;
            let RoleRecord { site, url, http_url, id: _, kind: _, name: _, joined_at: _ } = role;
            management::Point { url, http_url, site: site.to_string(), after_minutes }
        };
        let points = points.into_iter().map(point).collect();
        management::FileLocations { sha256: sha256.0.to_vec(), points }
    }
}
