//! Catalog files on their way to and from the first update point of a site, and the hierarchies
//! whose bundles are believed.

use model::{Invalid, Sha256};
use rpc::convert::wire_time;
use rpc::limits::IMPORT_PART_BYTES;
use rpc::pb::admin as pb;
use site_db::{
    Consent, Direction, ExportStanding, GivenDocument, ImportReport, StoredBundle, TrustedRoot,
};

use super::{Answer, given};
use crate::Error;
use crate::admin::{Change, View, check_top};
use crate::audit::Deed;

/// Rows of a list whose length nobody named.
const BUNDLES_SHOWN: u32 = 20;

pub(super) fn import(c: &Change<'_>, asked: pb::ImportCatalogRequest) -> Answer<i64> {
    let pb::ImportCatalogRequest { id, name, part, data, last, trust, unsigned } = asked;
    if data.len() > IMPORT_PART_BYTES {
        let reason = format!("{} bytes, at most {IMPORT_PART_BYTES}", data.len());
        return Err(Invalid::new("data", reason).into());
    }
    let id = if part == 0 { begin(c, &name, (trust, unsigned))? } else { id };
    c.add_import_part(id, part, &data)?;
    if last {
        c.end_import(id, part + 1)?;
        c.audit(Deed::Ran, format!("import of {name}"))?;
    }
    Ok(id)
}

fn begin(c: &Change<'_>, name: &str, (trust, is_unsigned): (String, bool)) -> Answer<i64> {
    check_top(c)?;
    let trust = given(trust).map(|pin| pin.parse::<Sha256>()).transpose()?;
    if let Some(pin) = trust {
        c.audit(Deed::Changed, format!("trust in bundles of the root {pin}"))?;
    }
    if is_unsigned {
        c.audit(Deed::Changed, format!("consent to {name}, signed or not"))?;
    }
    let consent = Consent { account: c.account.to_owned(), trust, is_unsigned };
    Ok(c.begin_import(name, &consent)?)
}

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetCatalogImportRequest,
) -> Answer<pb::GetCatalogImportResponse> {
    let Some(report) = v.import_report(asked.id)? else {
        return Ok(pb::GetCatalogImportResponse::default());
    };
    let ImportReport { imported, unchanged, rejected, revised, refused, documents, .. } = report;
    let (done, bundle) = (true, v.bundle(Direction::Import, asked.id)?.map(bundle_row));
    let documents = documents.into_iter().map(document_row).collect();
    Ok(pb::GetCatalogImportResponse {
        done,
        imported,
        unchanged,
        rejected,
        revised,
        refused,
        documents,
        bundle,
    })
}

fn document_row(document: GivenDocument) -> pb::GivenDocument {
    let GivenDocument { file, update, revision, outcome, reason } = document;
    pb::GivenDocument { file, update, revision, outcome, reason }
}

pub(super) fn export(c: &Change<'_>, asked: pb::ExportCatalogRequest) -> Answer<i64> {
    let pb::ExportCatalogRequest { since, content } = asked;
    if i64::try_from(since).is_err() {
        let reason = format!("{since} is no anchor; name the one that an earlier export printed");
        return Err(Invalid::new("since", reason).into());
    }
    c.audit(Deed::Ran, format!("export of the catalog since {since}"))?;
    Ok(c.begin_export(since, content, c.account)?)
}

pub(super) fn export_part(
    c: &Change<'_>,
    asked: pb::GetCatalogExportRequest,
) -> Answer<pb::GetCatalogExportResponse> {
    let mut answer = pb::GetCatalogExportResponse::default();
    match c.take_export_part(asked.id, asked.part)? {
        ExportStanding::Waiting => {}
        ExportStanding::Failed { reason } => answer.failure = reason,
        ExportStanding::Part { data, is_last: false, .. } => answer.data = data,
        ExportStanding::Part { data, is_last: true, missing } => {
            (answer.data, answer.last, answer.missing) = (data, true, missing);
            answer.bundle = c.bundle(Direction::Export, asked.id)?.map(bundle_row);
        }
    }
    Ok(answer)
}

pub(super) fn bundles(
    v: &View<'_>,
    asked: pb::ListCatalogBundlesRequest,
) -> Answer<Vec<pb::CatalogBundle>> {
    let limit = if asked.limit == 0 { BUNDLES_SHOWN } else { asked.limit };
    Ok(v.bundles(limit)?.into_iter().map(bundle_row).collect())
}

fn bundle_row(bundle: StoredBundle) -> pb::CatalogBundle {
    let StoredBundle { direction, file, facts, signer, imported, unchanged, at, account } = bundle;
    let (hierarchy, site, fingerprint) = signer.map_or_else(Default::default, |signer| {
        (signer.hierarchy.to_string(), signer.site.to_string(), signer.pin.to_string())
    });
    pb::CatalogBundle {
        file,
        kind: facts.kind,
        server_id: facts.server_id,
        hierarchy,
        site,
        fingerprint,
        since: facts.since,
        anchor: facts.anchor,
        version: facts.version,
        set_digest: facts.set_digest.map(|digest| digest.to_string()).unwrap_or_default(),
        documents: facts.documents,
        removed: facts.removed,
        files: facts.files,
        imported,
        unchanged,
        same_set: facts.is_same_set,
        at: Some(wire_time(at)),
        account,
        direction: direction.as_str().to_owned(),
    }
}

pub(super) fn trusted(
    v: &View<'_>,
    _: pb::ListTrustedHierarchiesRequest,
) -> Answer<Vec<pb::TrustedHierarchy>> {
    let row = |root: TrustedRoot| pb::TrustedHierarchy {
        hierarchy: root.hierarchy.to_string(),
        fingerprint: root.pin.to_string(),
        trusted_at: Some(wire_time(root.at)),
        account: root.account,
    };
    Ok(v.trusted_roots()?.into_iter().map(row).collect())
}

pub(super) fn distrust(c: &Change<'_>, asked: pb::DistrustHierarchyRequest) -> Answer<String> {
    check_top(c)?;
    let name = asked.fingerprint;
    let found = c.distrust_root(name.parse()?)?;
    let (what, see) = ("trusted root", "tierline catalog trusted");
    let hierarchy = found.ok_or_else(|| Error::Unknown { what, name: name.clone(), see })?;
    c.audit(Deed::Removed, format!("trust in bundles of hierarchy {hierarchy}"))?;
    Ok(hierarchy.to_string())
}
