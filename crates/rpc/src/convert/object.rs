//! Packages, objects of the topology group, status messages and clients.

use model::{
    ClientId, ClientKind, ClientRecord, ContentFile, ContentManifest, Invalid, KeyStatement,
    ObjectCode, Package, PackageFile, Revocation, RoleId, RoleRecord, Severity, Sha1, Sha256,
    SiteCode, SiteRecord, StatusMessage, Timestamp, UpdateId,
};

use super::{read_address, wire_address};
use crate::pb::object as pb;

impl From<&Package> for pb::Package {
    fn from(value: &Package) -> pb::Package {
        let Package { code, name, description, site, version, files } = value;
        let files = files.iter().map(|file| {
            let PackageFile { update, name, size, sha1, sha256, weak } = file;
            pb::PackageFile {
                update: update.as_bytes().to_vec(),
                name: name.clone(),
                size: *size,
                sha1: sha1.0.to_vec(),
                sha256: sha256.0.to_vec(),
                weak: *weak,
            }
        });
        pb::Package {
            code: code.to_string(),
            name: name.clone(),
            site: site.to_string(),
            version: *version,
            files: files.collect(),
            description: description.clone(),
        }
    }
}

impl TryFrom<pb::Package> for Package {
    type Error = Invalid;

    fn try_from(message: pb::Package) -> Result<Package, Invalid> {
        let pb::Package { code, name, site, version, files, description } = message;
        let files = files.into_iter().map(|file| {
            let pb::PackageFile { update, name, size, sha1, sha256, weak } = file;
            Ok(PackageFile {
                update: UpdateId::from_slice(&update)?,
                name,
                size,
                sha1: Sha1::from_slice(&sha1)?,
                sha256: Sha256::from_slice(&sha256)?,
                weak,
            })
        });
        Ok(Package {
            code: ObjectCode::new(&code)?,
            name,
            description,
            site: SiteCode::new(&site)?,
            version,
            files: files.collect::<Result<_, Invalid>>()?,
        })
    }
}

impl From<&SiteRecord> for pb::Site {
    fn from(value: &SiteRecord) -> pb::Site {
        let SiteRecord { code, uuid, kind, parent, name, url } = value;
        pb::Site {
            code: code.to_string(),
            uuid: uuid.as_bytes().to_vec(),
            kind: kind.as_str().to_owned(),
            parent: parent.map(|p| p.to_string()),
            name: name.clone(),
            url: url.clone(),
        }
    }
}

impl TryFrom<pb::Site> for SiteRecord {
    type Error = Invalid;

    fn try_from(message: pb::Site) -> Result<SiteRecord, Invalid> {
        let pb::Site { code, uuid, kind, parent, name, url } = message;
        Ok(SiteRecord {
            code: SiteCode::new(&code)?,
            uuid: RoleId::from_slice(&uuid)?.0,
            kind: kind.parse()?,
            parent: parent.map(|p| SiteCode::new(&p)).transpose()?,
            name,
            url,
        })
    }
}

impl From<&RoleRecord> for pb::Role {
    fn from(value: &RoleRecord) -> pb::Role {
        let RoleRecord { id, site, kind, name, url, http_url, joined_at } = value;
        pb::Role {
            id: id.as_bytes().to_vec(),
            site: site.to_string(),
            kind: kind.as_str().to_owned(),
            name: name.clone(),
            url: url.clone(),
            http_url: http_url.clone(),
            joined_at_ms: joined_at.0,
        }
    }
}

impl TryFrom<pb::Role> for RoleRecord {
    type Error = Invalid;

    fn try_from(message: pb::Role) -> Result<RoleRecord, Invalid> {
        let pb::Role { id, site, kind, name, url, http_url, joined_at_ms } = message;
        Ok(RoleRecord {
            id: RoleId::from_slice(&id)?,
            site: SiteCode::new(&site)?,
            kind: kind.parse()?,
            name,
            url,
            http_url,
            joined_at: Timestamp(joined_at_ms),
        })
    }
}

impl From<&Revocation> for pb::Revocation {
    fn from(value: &Revocation) -> pb::Revocation {
        let Revocation { identity, at, reason } = value;
        pb::Revocation { identity: identity.clone(), at_ms: at.0, reason: reason.clone() }
    }
}

impl TryFrom<pb::Revocation> for Revocation {
    type Error = Invalid;

    fn try_from(message: pb::Revocation) -> Result<Revocation, Invalid> {
        let pb::Revocation { identity, at_ms, reason } = message;
        Ok(Revocation { identity, at: Timestamp(at_ms), reason })
    }
}

impl From<&KeyStatement> for pb::KeyStatement {
    fn from(value: &KeyStatement) -> pb::KeyStatement {
        let KeyStatement { site, epoch, key, chain, signature } = value;
        pb::KeyStatement {
            site: site.to_string(),
            epoch: *epoch,
            key: key.to_vec(),
            chain: chain.clone(),
            signature: signature.clone(),
        }
    }
}

impl TryFrom<pb::KeyStatement> for KeyStatement {
    type Error = Invalid;

    fn try_from(message: pb::KeyStatement) -> Result<KeyStatement, Invalid> {
        let pb::KeyStatement { site, epoch, key, chain, signature } = message;
        let key = key.try_into().map_err(|_| Invalid::new("key", "is not 32 bytes"))?;
        Ok(KeyStatement { site: SiteCode::new(&site)?, epoch, key, chain, signature })
    }
}

impl From<&ContentFile> for pb::ContentFile {
    fn from(value: &ContentFile) -> pb::ContentFile {
        let ContentFile { sha256, size, name } = value;
        pb::ContentFile { sha256: sha256.0.to_vec(), size: *size, name: name.clone() }
    }
}

impl TryFrom<pb::ContentFile> for ContentFile {
    type Error = Invalid;

    fn try_from(message: pb::ContentFile) -> Result<ContentFile, Invalid> {
        let pb::ContentFile { sha256, size, name } = message;
        Ok(ContentFile { sha256: Sha256::from_slice(&sha256)?, size, name })
    }
}

impl From<&ContentManifest> for pb::ContentManifest {
    fn from(value: &ContentManifest) -> pb::ContentManifest {
        let ContentManifest { package, version, files, targets } = value;
        pb::ContentManifest {
            package: package.to_string(),
            version: *version,
            files: files.iter().map(Into::into).collect(),
            targets: targets.iter().map(|id| id.as_bytes().to_vec()).collect(),
        }
    }
}

impl TryFrom<pb::ContentManifest> for ContentManifest {
    type Error = Invalid;

    fn try_from(message: pb::ContentManifest) -> Result<ContentManifest, Invalid> {
        let pb::ContentManifest { package, version, files, targets } = message;
        Ok(ContentManifest {
            package: ObjectCode::new(&package)?,
            version,
            files: files.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            targets: targets.iter().map(|id| RoleId::from_slice(id)).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&StatusMessage> for pb::StatusMessage {
    fn from(value: &StatusMessage) -> pb::StatusMessage {
        let StatusMessage { id, severity, component, site, machine, at, strings } = value;
        pb::StatusMessage {
            id: *id,
            severity: severity.as_str().to_owned(),
            component: component.clone(),
            site: site.to_string(),
            machine: machine.clone(),
            at_ms: at.0,
            strings: strings.clone(),
        }
    }
}

impl TryFrom<pb::StatusMessage> for StatusMessage {
    type Error = Invalid;

    fn try_from(message: pb::StatusMessage) -> Result<StatusMessage, Invalid> {
        let pb::StatusMessage { id, severity, component, site, machine, at_ms, strings } = message;
        let severity = match severity.as_str() {
            "information" => Severity::Information,
            "warning" => Severity::Warning,
            "error" => Severity::Error,
            "audit" => Severity::Audit,
            other => return Err(Invalid::new("severity", format!("\"{other}\" is unknown"))),
        };
        if strings.len() > 10 {
            return Err(Invalid::new("strings", "are more than ten"));
        }
        let site = SiteCode::new(&site)?;
        Ok(StatusMessage { id, severity, component, site, machine, at: Timestamp(at_ms), strings })
    }
}

impl From<&ClientRecord> for pb::Client {
    fn from(value: &ClientRecord) -> pb::Client {
        let ClientRecord {
            id,
            kind,
            name,
            site,
            os,
            architecture,
            agent_version,
            manufacturer,
            model,
            seen_on,
            address,
        } = value;
        pb::Client {
            id: id.as_bytes().to_vec(),
            kind: kind.as_str().to_owned(),
            name: name.clone(),
            site: site.to_string(),
            os: os.clone(),
            architecture: architecture.clone(),
            agent_version: agent_version.clone(),
            manufacturer: manufacturer.clone(),
            model: model.clone(),
            seen_on_ms: seen_on.0,
            address: wire_address(*address),
        }
    }
}

impl TryFrom<pb::Client> for ClientRecord {
    type Error = Invalid;

    fn try_from(message: pb::Client) -> Result<ClientRecord, Invalid> {
        let pb::Client {
            id,
            kind,
            name,
            site,
            os,
            architecture,
            agent_version,
            manufacturer,
            model,
            seen_on_ms,
            address,
        } = message;
        Ok(ClientRecord {
            id: ClientId::from_slice(&id)?,
            kind: ClientKind::from_name(&kind)?,
            name,
            site: SiteCode::new(&site)?,
            os,
            architecture,
            agent_version,
            manufacturer,
            model,
            seen_on: Timestamp(seen_on_ms),
            address: read_address(&address)?,
        })
    }
}
