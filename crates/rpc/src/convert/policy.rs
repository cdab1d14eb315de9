//! Policy heads and parts. What is signed or named by digest is the encoding made here, so it is
//! made once and passed on as bytes.

use model::{
    AssignedFile, AssignedUpdate, AssignedWindow, Assignment, ClientId, ClientOptions,
    ClientSettings, DeploymentId, DetailLevel, HierarchyId, Intent, Invalid, ObjectCode, Offer,
    PolicyHead, RoleRecord, ServerList, ServerRef, Sha256, SiteCode, TimeBasis, Timestamp,
    UpdateId, UpdateRef, WindowKind, WindowList,
};
use prost::Message as _;

use super::deploying::small;
use super::required;
use super::setting::{read_values, read_zone, wire_values, wire_zone};
use crate::pb::{client as pb, management};

/// The code of a window whose own cannot be read; no object has it.
const NO_CODE: &str = "SMS00000";

/// One immutable part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Assignment(Assignment),
    Settings(ClientSettings),
    Servers(ServerList),
    Windows(WindowList),
    Options(ClientOptions),
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
        Part::Windows(WindowList { windows }) => {
            let windows = windows.iter().map(Into::into).collect();
            pb::policy_part::Part::Windows(pb::Windows { windows })
        }
        Part::Options(ClientOptions { values }) => {
            pb::policy_part::Part::Options(pb::Options { values: wire_values(values) })
        }
    };
    pb::PolicyPart { part: Some(part) }.encode_to_vec()
}

/// Whether these bytes are a part at all, be it of a kind that only a newer release knows.
pub fn check_part(bytes: &[u8]) -> Result<(), Invalid> {
    let read = pb::PolicyPart::decode(bytes);
    read.map(drop).map_err(|error| Invalid::new("policy part", error.to_string()))
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
        pb::policy_part::Part::Windows(pb::Windows { windows }) => {
            let windows = windows.into_iter().map(read_window).collect();
            Ok(Part::Windows(WindowList { windows }))
        }
        pb::policy_part::Part::Options(pb::Options { values }) => {
            Ok(Part::Options(ClientOptions { values: read_values(values) }))
        }
    }
}

impl From<&AssignedWindow> for pb::Window {
    fn from(value: &AssignedWindow) -> pb::Window {
        let AssignedWindow { code, at, zone, minutes, kind } = value;
        pb::Window {
            code: code.to_string(),
            at: at.clone(),
            zone: wire_zone(zone),
            minutes: *minutes,
            kind: kind.as_str().to_owned(),
        }
    }
}

/// A window in words that this release does not know binds all the same, and never opens: else a
/// client would install at any time.
fn read_window(message: pb::Window) -> AssignedWindow {
    let pb::Window { code, at, zone, minutes, kind } = message;
    let code = ObjectCode::new(&code).ok();
    match (code, WindowKind::from_name(&kind)) {
        (Some(code), Ok(kind)) => AssignedWindow { code, at, zone: read_zone(zone), minutes, kind },
        (code, _) => AssignedWindow {
            code: code.unwrap_or_else(|| ObjectCode::new(NO_CODE).expect("it has that form")),
            at: String::new(),
            zone: read_zone(zone),
            minutes,
            kind: WindowKind::All,
        },
    }
}

impl From<&Assignment> for pb::Assignment {
    fn from(value: &Assignment) -> pb::Assignment {
        let Assignment {
            deployment,
            name,
            intent,
            available_at,
            deadline,
            basis,
            experience,
            download,
            detail,
            wakes,
            spread_minutes,
            updates,
        } = value;
        pb::Assignment {
            deployment: deployment.as_bytes().to_vec(),
            name: name.clone(),
            required: *intent == Intent::Required,
            available_at_ms: available_at.0,
            deadline_ms: deadline.map(|d| d.0),
            updates: updates.iter().map(Into::into).collect(),
            client_local: *basis == TimeBasis::ClientLocal,
            uninstall: *intent == Intent::Uninstall,
            experience: Some(experience.into()),
            download: Some((*download).into()),
            detail: detail.as_str().to_owned(),
            wakes: *wakes,
            spread_minutes: u32::from(*spread_minutes),
        }
    }
}

impl TryFrom<pb::Assignment> for Assignment {
    type Error = Invalid;

    fn try_from(message: pb::Assignment) -> Result<Assignment, Invalid> {
        let pb::Assignment {
            deployment,
            name,
            required: is_required,
            available_at_ms,
            deadline_ms,
            updates,
            client_local,
            uninstall,
            experience,
            download,
            detail,
            wakes,
            spread_minutes,
        } = message;
        let intent = match (is_required, uninstall) {
            (_, true) => Intent::Uninstall,
            (true, false) => Intent::Required,
            (false, false) => Intent::Available,
        };
        Ok(Assignment {
            deployment: DeploymentId::from_slice(&deployment)?,
            name,
            intent,
            available_at: Timestamp(available_at_ms),
            deadline: deadline_ms.map(Timestamp),
            basis: if client_local { TimeBasis::ClientLocal } else { TimeBasis::Utc },
            experience: required("experience", experience)?.try_into()?,
            download: required("download", download)?.into(),
            detail: DetailLevel::from_name(&detail)?,
            wakes,
            spread_minutes: small("spread", spread_minutes)?,
            updates: updates.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&AssignedUpdate> for pb::AssignedUpdate {
    fn from(value: &AssignedUpdate) -> pb::AssignedUpdate {
        let AssignedUpdate { update, document, files, max_run_minutes } = value;
        let files = files.iter().map(|file| {
            let AssignedFile { name, size, sha256 } = file;
            pb::AssignedFile { name: name.clone(), size: *size, sha256: sha256.0.to_vec() }
        });
        pb::AssignedUpdate {
            id: update.id.as_bytes().to_vec(),
            revision: update.revision,
            document: document.0.to_vec(),
            files: files.collect(),
            max_run_minutes: u32::from(*max_run_minutes),
        }
    }
}

impl TryFrom<pb::AssignedUpdate> for AssignedUpdate {
    type Error = Invalid;

    fn try_from(message: pb::AssignedUpdate) -> Result<AssignedUpdate, Invalid> {
        let pb::AssignedUpdate { id, revision, document, files, max_run_minutes } = message;
        let files = files.into_iter().map(|file| {
            let pb::AssignedFile { name, size, sha256 } = file;
            Ok(AssignedFile { name, size, sha256: Sha256::from_slice(&sha256)? })
        });
        Ok(AssignedUpdate {
            update: UpdateRef { id: UpdateId::from_slice(&id)?, revision },
            document: Sha256::from_slice(&document)?,
            files: files.collect::<Result<_, Invalid>>()?,
            max_run_minutes: small("run time", max_run_minutes)?,
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
