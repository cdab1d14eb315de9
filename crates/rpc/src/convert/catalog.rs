//! Objects of the catalog group.

use model::{
    CatalogVersion, Category, CategoryKind, Cleaned, Invalid, Item, ItemFile, Languages,
    LocalizedText, MsrcSeverity, Ruling, Sha1, Sha256, Timestamp, UpdateId, UpdateRef, Verdict,
};

use super::{required, update_ids};
use crate::pb::object as pb;

impl From<UpdateRef> for pb::UpdateRef {
    fn from(UpdateRef { id, revision }: UpdateRef) -> pb::UpdateRef {
        pb::UpdateRef { id: id.as_bytes().to_vec(), revision }
    }
}

impl TryFrom<pb::UpdateRef> for UpdateRef {
    type Error = Invalid;

    fn try_from(message: pb::UpdateRef) -> Result<UpdateRef, Invalid> {
        let pb::UpdateRef { id, revision } = message;
        Ok(UpdateRef { id: UpdateId::from_slice(&id)?, revision })
    }
}

impl From<&LocalizedText> for pb::LocalizedText {
    fn from(value: &LocalizedText) -> pb::LocalizedText {
        let LocalizedText { language, title, description } = value.clone();
        pb::LocalizedText { language, title, description }
    }
}

impl From<pb::LocalizedText> for LocalizedText {
    fn from(message: pb::LocalizedText) -> LocalizedText {
        let pb::LocalizedText { language, title, description } = message;
        LocalizedText { language, title, description }
    }
}

impl From<&Category> for pb::Category {
    fn from(value: &Category) -> pb::Category {
        let Category { update, kind, parent, texts, subscribed, since } = value;
        pb::Category {
            id: update.id.as_bytes().to_vec(),
            revision: update.revision,
            kind: kind.as_str().to_owned(),
            parent: parent.map(|p| p.as_bytes().to_vec()),
            texts: texts.iter().map(Into::into).collect(),
            subscribed: *subscribed,
            since: *since,
        }
    }
}

impl TryFrom<pb::Category> for Category {
    type Error = Invalid;

    fn try_from(message: pb::Category) -> Result<Category, Invalid> {
        let pb::Category { id, revision, kind, parent, texts, subscribed, since } = message;
        Ok(Category {
            update: UpdateRef { id: UpdateId::from_slice(&id)?, revision },
            kind: CategoryKind::from_name(&kind)?,
            parent: parent.map(|p| UpdateId::from_slice(&p)).transpose()?,
            texts: texts.into_iter().map(Into::into).collect(),
            subscribed,
            since,
        })
    }
}

impl From<&ItemFile> for pb::ItemFile {
    fn from(value: &ItemFile) -> pb::ItemFile {
        let ItemFile { name, size, sha1, sha256 } = value;
        pb::ItemFile {
            name: name.clone(),
            size: *size,
            sha1: sha1.0.to_vec(),
            sha256: sha256.map(|d| d.0.to_vec()),
        }
    }
}

impl TryFrom<pb::ItemFile> for ItemFile {
    type Error = Invalid;

    fn try_from(message: pb::ItemFile) -> Result<ItemFile, Invalid> {
        let pb::ItemFile { name, size, sha1, sha256 } = message;
        Ok(ItemFile {
            name,
            size,
            sha1: Sha1::from_slice(&sha1)?,
            sha256: sha256.map(|d| Sha256::from_slice(&d)).transpose()?,
        })
    }
}

impl From<&Item> for pb::Item {
    fn from(value: &Item) -> pb::Item {
        let bytes = |id: &UpdateId| id.as_bytes().to_vec();
        pb::Item {
            number: value.number,
            update: Some(value.update.into()),
            since: value.since,
            document: value.document.0.to_vec(),
            texts: value.texts.iter().map(Into::into).collect(),
            classification: value.classification.as_ref().map(bytes),
            products: value.products.iter().map(bytes).collect(),
            company: value.company.as_ref().map(bytes),
            severity: value.severity.map(|s| s.as_str().to_owned()),
            kb_articles: value.kb_articles.clone(),
            bulletins: value.bulletins.clone(),
            cves: value.cves.clone(),
            created_at_ms: value.created_at.0,
            expired: value.expired,
            hidden: value.hidden,
            linux_only: value.linux_only,
            may_restart: value.may_restart,
            languages: value.languages.clone(),
            has_license: value.has_license,
            prerequisites: value.prerequisites.iter().map(bytes).collect(),
            supersedes: value.supersedes.iter().map(bytes).collect(),
            bundles: value.bundles.iter().map(|b| (*b).into()).collect(),
            files: value.files.iter().map(Into::into).collect(),
            expired_at_ms: value.expired_at.map(|at| at.0),
            withdrawn: value.withdrawn,
        }
    }
}

impl TryFrom<pb::Item> for Item {
    type Error = Invalid;

    fn try_from(message: pb::Item) -> Result<Item, Invalid> {
        let pb::Item {
            number,
            update,
            since,
            document,
            texts,
            classification,
            products,
            company,
            severity,
            kb_articles,
            bulletins,
            cves,
            created_at_ms,
            expired,
            hidden,
            linux_only,
            may_restart,
            languages,
            has_license,
            prerequisites,
            supersedes,
            bundles,
            files,
            expired_at_ms,
            withdrawn,
        } = message;
        let id = |bytes: Option<Vec<u8>>| bytes.map(|b| UpdateId::from_slice(&b)).transpose();
        Ok(Item {
            number,
            update: required("update", update)?.try_into()?,
            since,
            document: Sha256::from_slice(&document)?,
            texts: texts.into_iter().map(Into::into).collect(),
            classification: id(classification)?,
            products: update_ids(products)?,
            company: id(company)?,
            severity: severity.and_then(|s| MsrcSeverity::from_name(&s)),
            kb_articles,
            bulletins,
            cves,
            created_at: Timestamp(created_at_ms),
            expired,
            hidden,
            linux_only,
            may_restart,
            languages,
            has_license,
            prerequisites: update_ids(prerequisites)?,
            supersedes: update_ids(supersedes)?,
            bundles: bundles.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            files: files.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            expired_at: expired_at_ms.map(Timestamp),
            withdrawn,
        })
    }
}

impl From<&Ruling> for pb::Ruling {
    fn from(value: &Ruling) -> pb::Ruling {
        let Ruling { update, verdict, by, at, is_superseded, cleaned } = value;
        let cleaned = cleaned.map(|Cleaned { revision, number, version }| pb::Cleaned {
            revision,
            number,
            version,
        });
        pb::Ruling {
            update: update.as_bytes().to_vec(),
            verdict: verdict.as_str().to_owned(),
            by: by.clone(),
            at_ms: at.0,
            cleaned,
            superseded: *is_superseded,
        }
    }
}

impl TryFrom<pb::Ruling> for Ruling {
    type Error = Invalid;

    fn try_from(message: pb::Ruling) -> Result<Ruling, Invalid> {
        let pb::Ruling { update, verdict, by, at_ms, cleaned, superseded } = message;
        let unknown = || Invalid::new("verdict", format!("there is no verdict \"{verdict}\""));
        let cleaned = cleaned.map(|pb::Cleaned { revision, number, version }| Cleaned {
            revision,
            number,
            version,
        });
        Ok(Ruling {
            update: UpdateId::from_slice(&update)?,
            verdict: Verdict::from_name(&verdict).ok_or_else(unknown)?,
            by,
            at: Timestamp(at_ms),
            is_superseded: superseded,
            cleaned,
        })
    }
}

impl From<&CatalogVersion> for pb::CatalogVersion {
    fn from(value: &CatalogVersion) -> pb::CatalogVersion {
        let CatalogVersion { version, items, set_digest, languages } = *value;
        let (set_digest, languages) = (set_digest.0.to_vec(), languages.tags());
        pb::CatalogVersion { version, items, set_digest, languages }
    }
}

impl TryFrom<pb::CatalogVersion> for CatalogVersion {
    type Error = Invalid;

    fn try_from(message: pb::CatalogVersion) -> Result<CatalogVersion, Invalid> {
        let pb::CatalogVersion { version, items, set_digest, languages } = message;
        let languages = Languages::choose(languages.iter().map(String::as_str))?;
        Ok(CatalogVersion {
            version,
            items,
            set_digest: Sha256::from_slice(&set_digest)?,
            languages,
        })
    }
}
