//! Catalog files of publishers, on their way to the first update point.

use model::Invalid;
use rpc::limits::IMPORT_PART_BYTES;
use rpc::pb::admin as pb;
use site_db::ImportReport;

use super::Answer;
use crate::admin::{Change, View};
use crate::audit::Deed;

pub(super) fn import(c: &Change<'_>, asked: pb::ImportCatalogRequest) -> Answer<i64> {
    let pb::ImportCatalogRequest { id, name, part, data, last } = asked;
    if data.len() > IMPORT_PART_BYTES {
        let reason = format!("{} bytes, at most {IMPORT_PART_BYTES}", data.len());
        return Err(Invalid::new("data", reason).into());
    }
    let id = if part == 0 { c.begin_import(&name)? } else { id };
    c.add_import_part(id, part, &data)?;
    if last {
        c.end_import(id, part + 1)?;
        c.audit(Deed::Ran, format!("import of {name}"))?;
    }
    Ok(id)
}

pub(super) fn show(
    v: &View<'_>,
    asked: pb::GetCatalogImportRequest,
) -> Answer<pb::GetCatalogImportResponse> {
    let Some(report) = v.import_report(asked.id)? else {
        return Ok(pb::GetCatalogImportResponse::default());
    };
    let ImportReport { imported, unchanged, rejected, revised, refused } = report;
    let done = true;
    Ok(pb::GetCatalogImportResponse { done, imported, unchanged, rejected, revised, refused })
}
